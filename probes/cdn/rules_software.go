package cdn

import (
	"strings"

	"github.com/firstframe/firstframe/probes/run"
)

// software are caches of which only the program shows, not whose they are.
var software = []rule{
	{
		name: "souin",
		is:   func(h header) bool { return maker(h.last("Cache-Status")) == "souin" },

		cache: cacheStatus,
	},
	{
		name:  "ats",
		is:    func(h header) bool { return h.contains("Via", "(apachetrafficserver") },
		cache: func(h header) string { return atsCache(h, "apachetrafficserver") },
	},
	{
		name:  "varnish",
		is:    func(h header) bool { return h.has("X-Varnish") },
		cache: varnishCache,
	},
	{
		name:  "nginx",
		is:    func(h header) bool { return h.has("X-Proxy-Cache") && h.contains("Server", "nginx") },
		cache: lastWord("X-Proxy-Cache"),
	},
}

// atsCache reads the letter behind c in the last entry of Via that is of this
// program, as in (ApacheTrafficServer [cRs f ]): what the look-up found.
func atsCache(h header, program string) string {
	entries := h.list("Via")
	for i := len(entries) - 1; i >= 0; i-- {
		_, comment, ok := strings.Cut(strings.ToLower(entries[i]), "("+program)
		if !ok {
			continue
		}
		_, codes, _ := strings.Cut(comment, "[")
		_, after, ok := strings.Cut(codes, "c")
		if !ok || after == "" {
			return ""
		}
		switch after[0] {
		case 'h', 'r', 'w': // in the cache, in memory, written
			return run.CacheHit
		case 'm', 'a', 's': // not there, not acceptable, stale
			return run.CacheMiss
		}
		return ""
	}
	return ""
}

// varnishCache reads X-Varnish: two ids are a hit, the second that of the
// request that filled the cache.
func varnishCache(h header) string {
	switch len(strings.Fields(h.get("X-Varnish"))) {
	case 0:
		return ""
	case 1:
		return run.CacheMiss
	}
	return run.CacheHit
}
