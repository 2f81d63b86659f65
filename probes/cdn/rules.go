package cdn

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/firstframe/firstframe/probes/run"
)

// vendors are the CDNs of the world, the outermost layer first: a Cloudflare
// and a CloudFront are a CloudFront behind a Cloudflare, because the other way
// round is rare.
var vendors = []rule{
	{
		name:  "akamai",
		is:    isAkamai,
		pop:   akamaiPOP,
		cache: firstOf(akamaiTiming, akamaiChild, akamaiXCache, akamaiHops),
		// US_CA_SANDIEGO, TW__TAIPEI
		country: prefix,
		city:    func(pop string) string { return pop[strings.LastIndexByte(pop, '_')+1:] },
	},
	{
		name: "cloudflare",
		is: func(h header) bool {
			return h.has("Cf-Ray", "Cf-Cache-Status") || strings.EqualFold(h.get("Server"), "cloudflare") || h.timed("cfCacheStatus", "cfEdge", "cfOrigin")
		},
		pop:      afterHyphen("Cf-Ray"),
		airports: true,
		cache:    firstOf(lastWord("Cf-Cache-Status"), func(h header) string { d, _ := h.timing("cfCacheStatus"); return word(d) }),
	},
	{
		name: "azure",
		is: func(h header) bool {
			return h.has("X-Azure-Ref", "X-Azure-Ref-Originshield", "X-Msedge-Ref", "X-Fd-Int-Roxy-Purgeid")
		},
		pop:      azurePOP,
		airports: true,
		cache:    lastWord("X-Cache"),
		wrote: func(last string) bool {
			return strings.HasPrefix(last, "tcp_") || last == "config_nocache" || last == "private_nostore" || last == "n/a"
		},
	},
	{
		name:     "fastly",
		is:       isFastly,
		pop:      fastlyPOP,
		airports: true,
		cache:    fastlyCache,
		wrote:    func(last string) bool { return last == "hit" || last == "miss" },
		passed:   func(last string) bool { return last == "1.1 varnish" },
	},
	{
		name: "cloudfront",
		is: func(h header) bool {
			return h.has("X-Amz-Cf-Id", "X-Amz-Cf-Pop") || h.contains("Via", ".cloudfront.net") ||
				h.contains("X-Cache", " from cloudfront") || strings.EqualFold(h.get("Server"), "cloudfront")
		},
		pop:      func(h header) string { return h.last("X-Amz-Cf-Pop") },
		airports: true,
		cache:    cloudfrontCache,
		wrote:    func(last string) bool { return strings.HasSuffix(last, " from cloudfront") },
		passed:   func(last string) bool { return strings.Contains(last, ".cloudfront.net") },
	},
	{
		name: "bunny",
		is: func(h header) bool {
			return h.contains("Server", "bunnycdn") || h.contains("Via", "bunnycdn") || h.has("Cdn-Pullzone", "Cdn-Edgestorageid") || h.has("Cdn-Requestid", "Cdn-Uid") && h.has("Cdn-Cache")
		},
		pop:     bunnyPOP,
		country: bunnyCountry,
		cache:   lastWord("Cdn-Cache"),
	},
	{
		name: "cdn77",
		is: func(h header) bool {
			return h.has("X-77-Pop", "X-77-Cache", "X-77-Nzt", "X-77-Nzt-Ray") || h.contains("Server", "cdn77")
		},
		pop:     get("X-77-Pop"),
		country: cdn77Country,
		city:    func(pop string) string { return strings.TrimRight(pop, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") },
		cache:   lastWord("X-77-Cache"),
	},
	{
		name:    "cdn77", // as it showed itself before
		is:      func(h header) bool { return h.has("X-Edge-Ip") && h.has("X-Edge-Location") },
		pop:     get("X-Edge-Location"), // Los Angeles, US
		country: func(pop string) string { return country(pop[strings.LastIndexByte(pop, ' ')+1:]) },
		city:    func(pop string) string { city, _, _ := strings.Cut(pop, ","); return city },
		cache:   lastWord("X-Cache"),
	},
	{
		name: "gcore",
		is: func(h header) bool {
			return h.has("Cache") && (h.has("X-Cached-Since") || isGcoreNode(gcoreNode(h))) || h.has("X-Id-Fe", "X-Cached-Since") && h.has("X-Id")
		},
		pop:   gcoreNode, // codes of its own
		cache: lastWord("Cache"),
	},
	{
		name: "azion",
		is: func(h header) bool {
			return h.has("X-Azion-Edge-Location", "X-Azion-Request-Id") || h.contains("Server", "azion") || h.contains("Via", "azion")
		},
		pop:      get("X-Azion-Edge-Location"),
		airports: true,
		cache:    lastWord("X-Cache"),
	},
	{
		name: "gocache",
		is: func(h header) bool {
			return h.has("X-Gocache-Cachestatus") || h.contains("Server", "gocache") || h.timed("x-gocache-cache-status")
		},
		cache: firstOf(lastWord("X-Gocache-Cachestatus"),
			func(h header) string { d, _ := h.timing("x-gocache-cache-status"); return word(d) }),
	},
	{
		name: "netlify",
		is: func(h header) bool {
			return h.has("X-Nf-Request-Id") || maker(h.last("Cache-Status")) == "netlify" || strings.EqualFold(h.get("Server"), "netlify")
		},
		cache: cacheStatus,
	},
	{
		name: "vercel",
		is: func(h header) bool {
			return h.has("X-Vercel-Id", "X-Vercel-Cache") || strings.EqualFold(h.get("Server"), "vercel")
		},
		pop: func(h header) string {
			region, _, ok := strings.Cut(h.get("X-Vercel-Id"), "::")
			if !ok {
				return ""
			}
			return region
		},
		airports: true,
		cache:    lastWord("X-Vercel-Cache"),
	},
	{
		name: "keycdn",
		is: func(h header) bool {
			return h.contains("Server", "keycdn") || isKeyCDNPlace(h.get("X-Edge-Location")) && h.has("X-Cache")
		},
		pop:     get("X-Edge-Location"), // defr, ussf
		country: prefix,
		cache:   lastWord("X-Cache"),
	},
	{
		name: "apple",
		is: func(h header) bool {
			return h.has("Cdnuuid") || h.contains("Via", ".ts.apple.com") || h.contains("Via", ".edge.apple")
		},
		pop:     viaHost, // nlams2-edge-bx-003, proximus-bebru1a-fe-002
		country: appleCountry,
		cache:   appleCache,
		passed:  func(last string) bool { return strings.Contains(last, ".apple") },
	},
	{
		name:    "wikimedia",
		is:      func(h header) bool { return isWikimediaNode(h.last("X-Cache")) },
		pop:     func(h header) string { node, _, _ := strings.Cut(h.last("X-Cache"), " "); return node },
		country: wikimediaCountry,
		cache:   firstOf(lastWord("X-Cache-Status"), wikimediaCache),
	},
	{
		name: "google",
		is: func(h header) bool {
			return isGoogleVia(strings.ToLower(h.last("Via"))) || h.contains("Server", "google-edge-cache")
		},
		pop:      googlePOP,
		airports: true,
		cache:    firstOf(googleCache, byAge),
		passed:   isGoogleVia,
	},
	{
		name:  "akamai", // whose storage only its own edges ask, if none of the above has it for an origin
		is:    func(h header) bool { return h.contains("Server", "akamainetstorage") },
		cache: akamaiTiming,
	},
}

// azurePOP reads X-Azure-Ref: the airport in the newer form,
// 20260128T051445Z-15f8bd58b94hwsb7hC1FRA6pv8…, or the node in the older, which
// is base64 behind a 0; else X-MSEdge-Ref: Ref A: … Ref B: FRAEDGE1520 Ref C: ….
func azurePOP(h header) string {
	ref := h.get("X-Azure-Ref")
	if _, rest, ok := strings.Cut(h.get("X-Msedge-Ref"), "Ref B: "); ok && ref == "" {
		node, _, _ := strings.Cut(rest, " ")
		return node
	}
	if _, rest, ok := strings.Cut(ref, "hC1"); ok && len(rest) >= 3 {
		return rest[:3]
	}
	text, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(ref, "0"))
	i := strings.Index(string(text), "EDGE")
	if err != nil || i < 3 {
		return ""
	}
	end := i + len("EDGE")
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	return string(text[i-3 : end])
}

// isFastly knows the names of Fastly's nodes and the form of its timer.
func isFastly(h header) bool {
	return slices.ContainsFunc(h.list("X-Served-By"), isFastlyNode) || h.contains("X-Timer", ",vs0,ve") ||
		h.has("X-Fastly-Request-Id", "Fastly-Debug-Path", "Fastly-State", "X-Fastly-Cache-Status")
}

// isFastlyNode knows cache-fra-eddf8230139-FRA, cache-ams21048-AMS. Others, too,
// call their Varnish cache-1.
func isFastlyNode(s string) bool {
	s, ok := strings.CutPrefix(s, "cache-")
	i := strings.LastIndexByte(s, '-')
	return ok && i > 0 && len(s)-i == 4 && strings.Trim(s[i+1:], "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// fastlyPOP is the place of the node nearest to the client.
func fastlyPOP(h header) string {
	if node := h.last("X-Served-By"); isFastlyNode(node) {
		return node[len(node)-3:]
	}
	return ""
}

// fastlyCache reads X-Cache, a word for each layer, nearest last; those beyond
// the nodes of X-Served-By are of caches behind Fastly. PASS shows as MISS, and
// a stale answer as HIT unless another header says more.
func fastlyCache(h header) string {
	for _, name := range []string{"Fastly-State", "X-Fastly-Cache-Status"} {
		switch {
		case h.contains(name, "stale"):
			return run.CacheStale
		case h.contains(name, "pass"):
			return run.CacheBypass
		}
	}
	words := h.list("X-Cache")
	if nodes := len(h.list("X-Served-By")); nodes > 0 && len(words) > nodes {
		words = words[len(words)-nodes:]
	}
	return tiers(words)
}

// cloudfrontCache reads X-Cache: "Hit from cloudfront", or Server-Timing where
// it is on. What CloudFront's functions and redirects make came from no cache
// and no origin.
func cloudfrontCache(h header) string {
	status := ""
	for _, m := range h.list("X-Cache") {
		if w, ok := strings.CutSuffix(strings.ToLower(m), " from cloudfront"); ok {
			status = word(w)
		}
	}
	_, hit := h.timing("cdn-cache-hit")
	_, miss := h.timing("cdn-cache-miss")
	layer, _ := h.timing("cdn-hit-layer")
	switch {
	case (hit || status == run.CacheHit) && layer != "" && layer != "EDGE":
		return run.CacheHitRemote // regional edge cache, or shield
	case status != "":
		return status
	case hit:
		return run.CacheHit
	case miss:
		return run.CacheMiss
	}
	return ""
}

func gcoreNode(h header) string {
	if id := h.get("X-Id"); id != "" {
		return id
	}
	return h.get("X-Node")
}

// isGcoreNode knows fr5-hw-edge-gc1, m9-up-e1-gc47, m9-up-e245. Any may send a
// header X-ID.
func isGcoreNode(id string) bool {
	kind := strings.Contains(id, "-gc") || strings.Contains(id, "-up-e") || strings.Contains(id, "-hw-edge-")
	return kind && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// isKeyCDNPlace knows defr, usmi: a country and a city, where customers have
// changed Server.
func isKeyCDNPlace(place string) bool {
	return len(place) == 4 && strings.Trim(place, "abcdefghijklmnopqrstuvwxyz") == "" && prefix(place) != ""
}

// isGoogleVia knows the entry of Google's proxies, in lower case.
func isGoogleVia(via string) bool {
	f := strings.Fields(via)
	return len(f) > 1 && f[1] == "google"
}

// googleCache reads the customary names for {cdn_cache_status}, of which X-Cache
// may be another layer's: Hit from cloudfront.
func googleCache(h header) string {
	for _, name := range []string{"X-Cache", "X-Cache-Status", "X-Cache-Hit", "Cdn-Cache-Status", "X-Cdn-Cache-Status"} {
		if last := h.last(name); !strings.Contains(last, " ") && word(last) != "" {
			return word(last)
		}
	}
	return ""
}

// googlePOP is the airport's code of the customary names for {cdn_cache_id}:
// maa-132eed13faa13.
func googlePOP(h header) string {
	for _, name := range []string{"X-Cache-Id", "Cdn-Cache-Id", "X-Cdn-Cache-Id"} {
		place, id, _ := strings.Cut(h.last(name), "-")
		if len(place) == 3 && len(id) >= 6 && strings.Trim(strings.ToLower(id), "0123456789abcdef") == "" && CountryOfAirport(place) != "" {
			return place
		}
	}
	return ""
}

// appleCountry reads the UN/LOCODE in a node's name, which may stand behind that
// of an access network.
func appleCountry(pop string) string {
	for part := range strings.SplitSeq(pop, "-") {
		if len(part) > 5 && part[5] >= '0' && part[5] <= '9' && strings.Trim(part[:5], "abcdefghijklmnopqrstuvwxyz") == "" {
			return country(part[:2])
		}
	}
	return ""
}

// appleCache reads a word for each of Apple's layers, nearest last, of which
// those that keep nothing say none.
func appleCache(h header) string {
	return tiers(slices.DeleteFunc(h.list("X-Cache"), func(w string) bool { return w == "none" || strings.Contains(w, " from ") }))
}

// bunnyPOP reads Server: BunnyCDN-DE1-601.
func bunnyPOP(h header) string {
	parts := strings.Split(h.get("Server"), "-")
	if len(parts) != 3 || !strings.EqualFold(parts[0], "bunnycdn") {
		return ""
	}
	return parts[1]
}

// bunnyCountry reads DE1, PHX1. Two letters are a country's, or of a state or
// city of the United States; where they could be both the country stays open.
func bunnyCountry(pop string) string {
	letters := strings.TrimRight(pop, "0123456789")
	switch letters {
	case "AL", "AR", "CA", "CO", "GA", "IL", "LA", "MA", "MD", "ME", "MT", "NC", "NE", "PA", "SC", "SD", "VA":
		return ""
	}
	if len(letters) == 3 {
		return CountryOfAirport(letters)
	}
	return country(letters)
}

// cdn77Country reads frankfurtDE, newyorkUSNY: a city, a country, and a state
// of the United States.
func cdn77Country(pop string) string {
	return country(firstLetters(strings.TrimLeft(pop, "abcdefghijklmnopqrstuvwxyz"), 2))
}

// isWikimediaNode knows "cp3052 hit/600912".
func isWikimediaNode(member string) bool {
	node, word, ok := strings.Cut(member, " ")
	number, cp := strings.CutPrefix(node, "cp")
	return ok && cp && len(number) == 4 && strings.Trim(number, "0123456789") == "" && word != ""
}

// wikimediaCache reads the words behind the nodes, nearest last.
func wikimediaCache(h header) string {
	words := h.list("X-Cache")
	for i, w := range words {
		_, words[i], _ = strings.Cut(w, " ")
	}
	return tiers(words)
}

// wikimediaCountry reads cp3052: the first digit is the data centre's.
func wikimediaCountry(pop string) string {
	countries := map[byte]string{'1': "US", '2': "US", '3': "NL", '4': "US", '5': "SG", '6': "FR", '7': "BR"}
	if len(pop) < 3 {
		return ""
	}
	return countries[pop[2]]
}

func firstLetters(s string, n int) string { return s[:min(len(s), n)] }
