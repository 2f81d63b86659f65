package cdn

import (
	"regexp"
	"slices"
	"strings"

	"github.com/firstframe/firstframe/probes/run"
)

// asian are the CDNs at home in East Asia. ByteDance stands before Alibaba,
// which it has behind itself.
var asian = []rule{
	{
		name:  "bytedance",
		is:    func(h header) bool { return h.contains("Via", "(bdcache") },
		pop:   func(h header) string { return h.last("Via") },
		cache: func(h header) string { return atsCache(h, "bdcache") },
	},
	{
		name: "alibaba",
		is: func(h header) bool {
			return h.has("Eagleid", "Ali-Swift-Global-Savetime", "X-Site-Cache-Status", "X-Swift-Cachetime") || alibabaNode.MatchString(h.last("Via"))
		},
		pop:     alibabaPOP,
		country: alibabaCountry,
		cache:   firstOf(lastWord("X-Site-Cache-Status"), lastWord("X-Cache"), alibabaVia),
	},
	{
		name:  "tencent",
		is:    isTencent,
		cache: firstOf(lastWord("Eo-Cache-Status"), func(h header) string { return tencentWords(strings.ToLower(h.last("Eo-Cache-Status"))) }, tencentLookup),
	},
	{
		name: "cdnetworks",
		is: func(h header) bool {
			return h.contains("X-Via", "cdn cache server") || h.contains("Via", "cdn cache server") || h.has("X-Ws-Request-Id")
		},
		pop:   cdnetworksPOP,
		cache: cdnetworksCache,
	},
	{
		name: "baishan",
		is: func(h header) bool {
			return h.has("X-Ser") && (h.get("X-Cdn-Provider") == "BS" || h.contains("X-Cache", "(baishan)"))
		},
		pop:   func(h header) string { return h.last("X-Ser") },
		cache: lastWord("X-Cache"),
	},
}

// alibabaPOP is the node of the last entry of Via:
// cache13.cn2967[150,200-0,H].
func alibabaPOP(h header) string {
	node, _, _ := strings.Cut(h.last("Via"), "[")
	return node
}

// alibabaCountry reads the letters behind the node's dot: cn2967, hk24.
func alibabaCountry(pop string) string {
	_, group, _ := strings.Cut(pop, ".")
	if letters := strings.TrimRight(group, "0123456789-"); len(letters) == 2 {
		return country(letters)
	}
	return ""
}

// alibabaVia reads the letter in the entry before the last: the last is the
// same node's front.
func alibabaVia(h header) string {
	l := h.list("Via")
	if len(l) < 2 {
		return ""
	}
	in := strings.TrimSuffix(l[len(l)-2], "]")
	switch in[strings.LastIndexByte(in, ',')+1:] {
	case "H":
		return run.CacheHit
	case "M":
		return run.CacheMiss
	case "DP":
		return run.CacheBypass
	}
	return ""
}

// alibabaNode is an entry of Alibaba's Via: cache13.cn2967[150,200-0,H],
// ens-cache4.hk24[150,0,DP].
var alibabaNode = regexp.MustCompile(`^[a-z-]*cache[0-9]+\.[a-z0-9-]*[0-9]\[[0-9]+,[0-9A-Z,-]+\]$`)

// isTencent knows the servers and words of Tencent, too, of which another's
// X-Cache-Lookup, Squid's, has none.
func isTencent(h header) bool {
	if h.has("X-Nws-Log-Uuid", "Eo-Log-Uuid", "Eo-Cache-Status") {
		return true
	}
	server := strings.ToLower(h.get("Server"))
	return strings.HasPrefix(server, "nws") || server == "tencentedgeone" || strings.HasPrefix(server, "edgeone ") || slices.ContainsFunc(h.list("X-Cache-Lookup"), func(l string) bool {
		l = strings.ToLower(l)
		return slices.ContainsFunc([]string{"cache hit", "cache miss", "cache refresh hit", "hit from disktank", "hit from memcache",
			"hit from upstream", "hit from inner cluster", "return directly"}, func(w string) bool { return strings.HasPrefix(l, w) })
	})
}

// tencentLookup reads X-Cache-Lookup. What several layers say comes in no order
// that could be relied on: where some had it and others not, the status does not
// show; where all had it, it is a hit.
func tencentLookup(h header) string {
	status := ""
	for i, l := range h.list("X-Cache-Lookup") {
		s := tencentWords(strings.ToLower(l))
		hits := (s == run.CacheHit || s == run.CacheHitRemote) && (status == run.CacheHit || status == run.CacheHitRemote)
		switch {
		case i == 0 || s == status:
			status = s
		case hits:
			status = run.CacheHit
		default:
			return ""
		}
	}
	return status
}

func tencentWords(s string) string {
	switch {
	case strings.Contains(s, "refresh hit"):
		return run.CacheRevalidated
	case strings.Contains(s, "hit from upstream"), strings.Contains(s, "cache miss"):
		return run.CacheMiss // at the edge
	case strings.Contains(s, "hit from inner cluster"):
		return run.CacheHitRemote
	case strings.Contains(s, "cache hit"), strings.Contains(s, "hit from"):
		return run.CacheHit
	}
	return "" // such as "Return Directly": made at the edge
}

// cdnetworksPOP is the node of the last entry: 1.1 yy58:6 (Cdn Cache Server
// V2.0).
func cdnetworksPOP(h header) string {
	last := h.last("X-Via")
	if last == "" {
		last = h.last("Via")
	}
	f := strings.Fields(last)
	if len(f) < 2 {
		return ""
	}
	return f[1]
}

// cdnetworksCache has no word to read, only an age, which counts where no
// other cache is named.
func cdnetworksCache(h header) string {
	for _, via := range h.list("Via") {
		if !strings.Contains(strings.ToLower(via), "cdn cache server") {
			return ""
		}
	}
	return byAge(h)
}
