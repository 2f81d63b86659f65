package cdn

import (
	"strings"

	"github.com/firstframe/firstframe/probes/run"
)

// rules are the CDNs that are known, the outermost layer first: a Cloudflare in
// front of a CloudFront is a Cloudflare.
var rules = []rule{
	{
		name: "cloudflare",
		is: func(h header) bool {
			return h.has("Cf-Ray") || h.has("Cf-Cache-Status") || strings.EqualFold(h.Get("Server"), "cloudflare")
		},
		pop:   suffixPOP("Cf-Ray"),
		cache: wordOf("Cf-Cache-Status"),
	},
	{
		name:  "akamai",
		is:    isAkamai,
		pop:   akamaiPOP,
		cache: akamaiCache,
	},
	{
		name: "azure",
		is:   func(h header) bool { return h.has("X-Azure-Ref") },
		pop:  azurePOP, cache: wordOf("X-Cache"),
	},
	{
		name: "cloudfront",
		is: func(h header) bool {
			return h.has("X-Amz-Cf-Id") || h.has("X-Amz-Cf-Pop") || h.contains("Via", ".cloudfront.net")
		},
		pop: func(h header) (string, string) {
			pop := h.last("X-Amz-Cf-Pop")
			return pop, firstLetters(pop, 3)
		},
		cache: cloudfrontCache,
	},
	{
		name: "fastly",
		is: func(h header) bool {
			return h.contains("X-Served-By", "cache-") || h.has("X-Fastly-Request-Id") || h.has("Fastly-Debug-Path")
		},
		pop: func(h header) (string, string) {
			node := h.last("X-Served-By")
			pop := node[strings.LastIndexByte(node, '-')+1:]
			return pop, pop
		},
		cache: fastlyCache,
	},
	{
		name: "bunny",
		is:   func(h header) bool { return h.contains("Server", "bunnycdn") || h.has("Cdn-Pullzone") },
		pop: func(h header) (string, string) {
			parts := strings.Split(h.Get("Server"), "-")
			if len(parts) != 3 || !strings.EqualFold(parts[0], "bunnycdn") {
				return "", ""
			}
			return parts[1], ""
		},
		cache: wordOf("Cdn-Cache"),
	},
	{
		name:  "cdn77",
		is:    func(h header) bool { return h.has("X-77-Pop") || h.has("X-77-Cache") },
		pop:   plainPOP("X-77-Pop"),
		cache: wordOf("X-77-Cache"),
	},
	{
		name:  "keycdn",
		is:    func(h header) bool { return h.contains("Server", "keycdn") },
		pop:   plainPOP("X-Edge-Location"),
		cache: wordOf("X-Cache"),
	},
	{
		name: "vercel",
		is:   func(h header) bool { return h.has("X-Vercel-Id") || h.has("X-Vercel-Cache") },
		pop: func(h header) (string, string) {
			region, _, ok := strings.Cut(h.Get("X-Vercel-Id"), "::")
			if !ok {
				return "", ""
			}
			return region, firstLetters(region, 3)
		},
		cache: wordOf("X-Vercel-Cache"),
	},
	{name: "netlify", is: func(h header) bool { return h.has("X-Nf-Request-Id") }},
	{
		name:  "gocache",
		is:    func(h header) bool { return h.has("X-Gocache-Cachestatus") },
		cache: wordOf("X-Gocache-Cachestatus"),
	},
	{
		name:  "tencent",
		is:    func(h header) bool { return h.has("Eo-Log-Uuid") },
		cache: wordOf("Eo-Cache-Status"),
	},
	{
		name: "google",
		is:   func(h header) bool { return strings.HasPrefix(h.last("Via"), "1.1 google") },
		cache: func(h header) string {
			if c := word(h.last("X-Cache")); c != "" {
				return c
			}
			return byAge(h)
		},
	},
	{
		name:  "varnish",
		is:    func(h header) bool { return h.has("X-Varnish") },
		cache: varnishCache,
	},
	{
		name:  "nginx",
		is:    func(h header) bool { return h.has("X-Proxy-Cache") },
		cache: wordOf("X-Proxy-Cache"),
	},
}

// plainPOP is a header that holds the point of presence as it is.
func plainPOP(name string) func(header) (string, string) {
	return func(h header) (string, string) { return h.Get(name), "" }
}

// suffixPOP is an airport behind the last hyphen.
func suffixPOP(name string) func(header) (string, string) {
	return func(h header) (string, string) {
		v := h.Get(name)
		i := strings.LastIndexByte(v, '-')
		if i < 0 || len(v)-i != 4 {
			return "", ""
		}
		return v[i+1:], v[i+1:]
	}
}

func firstLetters(s string, n int) string {
	if len(s) < n {
		return ""
	}
	return s[:n]
}

// byAge says that an answer with an Age came from some cache: X-Cache says no
// more at CDNs with one layer.
func byAge(h header) string {
	if age := h.Get("Age"); age != "" && age != "0" {
		return run.CacheHit
	}
	return ""
}

// cloudfrontCache reads X-Cache: "Hit from cloudfront". What its functions and
// redirects make came from no cache and no origin.
func cloudfrontCache(h header) string {
	status, ok := strings.CutSuffix(strings.ToLower(h.last("X-Cache")), " from cloudfront")
	if !ok {
		return ""
	}
	if status == "error" {
		return run.CacheError
	}
	return word(status)
}

// fastlyCache reads X-Cache, a word for each layer, nearest last. A miss at the
// edge behind a hit at the shield is a remote hit. PASS shows as MISS, and a
// stale answer as HIT unless a debug header says more.
func fastlyCache(h header) string {
	if h.contains("Fastly-State", "stale") || h.contains("X-Fastly-Cache-Status", "stale") || staleByDebug(h.last("Fastly-Debug-Ttl")) {
		return run.CacheStale
	}
	list := h.list("X-Cache")
	if len(list) == 0 {
		return ""
	}
	edge := word(list[len(list)-1])
	if edge == run.CacheMiss {
		for _, layer := range list[:len(list)-1] {
			if word(layer) == run.CacheHit {
				return run.CacheHitRemote
			}
		}
	}
	return edge
}

// staleByDebug reads "(H cache-syd18926-SYD - - 93)": a hit without a time to
// live left, older than it was to be kept.
func staleByDebug(ttl string) bool {
	f := strings.Fields(strings.Trim(ttl[:max(0, strings.IndexByte(ttl+")", ')'))], "("))
	return len(f) == 5 && f[0] == "H" && f[2] == "-" && len(f[4]) >= 2
}

func isAkamai(h header) bool {
	return h.has("Akamai-Grn") || h.has("Akamai-Request-Bc") || h.has("X-Akamai-Transformed") || h.has("X-Akamai-Request-Id") ||
		h.contains("Server", "akamai") || h.contains("X-Cache", "akamaitechnologies.com") ||
		h.contains("Server-Timing", "ak_p") || h.contains("Server-Timing", "cdn-cache; desc=") || akamaiChild(h) != ""
}

// akamaiPOP reads n= of the first hop of Akamai-Request-BC, a debug header:
// [a=…,b=…,c=g,n=US_CA_SANDIEGO,o=20940].
func akamaiPOP(h header) (pop, airport string) {
	hop, _, _ := strings.Cut(h.Get("Akamai-Request-Bc"), "]")
	for f := range strings.FieldsFuncSeq(hop, func(r rune) bool { return r == ' ' || r == ',' || r == '[' }) {
		if n, ok := strings.CutPrefix(f, "n="); ok {
			return n, ""
		}
	}
	return "", ""
}

// akamaiCache reads Server-Timing: cdn-cache; desc=HIT, else the status of the
// child, which is the edge, else X-Cache, else the letters of a debug header.
func akamaiCache(h header) string {
	for _, m := range h.list("Server-Timing") {
		if desc, ok := strings.CutPrefix(strings.ReplaceAll(m, " ", ""), "cdn-cache;desc="); ok {
			return word(strings.Trim(desc, `"`))
		}
	}
	if c := akamaiChild(h); c != "" {
		return c
	}
	return word(h.last("X-Cache"))
}

// akamaiChild reads "Hit from child" and "Miss from child, Hit from parent"
// under whatever name the customer gave the header.
func akamaiChild(h header) string {
	for _, values := range h.Header {
		for _, v := range values {
			v = strings.ToLower(v[:min(len(v), MaxHeaderLength)])
			child, rest, ok := strings.Cut(v, " from child")
			if !ok {
				continue
			}
			if strings.Contains(rest, "hit from parent") {
				return run.CacheHitRemote
			}
			return word(child)
		}
	}
	return ""
}

// azurePOP reads the airport in the newer form of X-Azure-Ref:
// 20260128T051445Z-15f8bd58b94hwsb7hC1FRA6pv8…
func azurePOP(h header) (pop, airport string) {
	_, rest, ok := strings.Cut(h.Get("X-Azure-Ref"), "hC1")
	if !ok || len(rest) < 3 {
		return "", ""
	}
	return rest[:3], rest[:3]
}

// varnishCache reads X-Varnish: two ids are a hit, the second that of the
// request that filled the cache.
func varnishCache(h header) string {
	switch len(strings.Fields(h.Get("X-Varnish"))) {
	case 0:
		return ""
	case 1:
		return run.CacheMiss
	}
	return run.CacheHit
}

// cacheStatus reads Cache-Status (RFC 9211): of its members the last is nearest
// to the client; hit, or fwd with the reason why not.
func cacheStatus(h header) string {
	member := h.last("Cache-Status")
	_, params, ok := strings.Cut(member, ";")
	if !ok {
		return ""
	}
	for p := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		switch key {
		case "hit":
			if value == "" || value == "?1" {
				return run.CacheHit
			}
		case "fwd":
			if value == "bypass" || value == "method" {
				return run.CacheBypass
			}
			return run.CacheMiss // uri-miss, vary-miss, miss, request, stale, partial
		}
	}
	return ""
}
