// Package cdn tells from an answer's headers which CDN it came through, which
// of its points of presence served it, and whether from its cache. [Identify]
// is the entry.
//
// The CDN is identified first, because the same header means different things
// at different CDNs: X-Cache: HIT, MISS is a hit at Fastly's edge and a miss at
// its shield. Where several layers answer, the one nearest to the client
// counts; it stands last (RFC 9211, 2). The rules come from the vendors'
// documentation and from recorded answers, which stand in testdata.
package cdn

import (
	"net/http"
	"slices"
	"strings"

	"github.com/firstframe/firstframe/probes/run"
)

// Identity is what an answer shows of who sent it. What it does not show is
// empty.
type Identity struct {
	CDN        string // lower case, such as cloudfront
	POP        string // as the CDN calls it, such as FRA56-P5
	POPCountry string // ISO 3166-1 alpha-2, by the table of POPTableVersion
	Cache      string // one of run.CacheHit, …; run.CacheUnknown when it does not show
}

// rule is how one CDN shows itself.
type rule struct {
	name string
	// is tells whether the answer came through this CDN.
	is func(h header) bool
	// pop is the point of presence; airport is its IATA code where that is
	// how the CDN names it. Nil where it does not show.
	pop func(h header) (pop, airport string)
	// cache is the cache status at the edge; empty when it does not show.
	cache func(h header) string
}

// Identify tells who sent an answer with these headers. Bounds: it reads at
// most MaxHeaderLength of each value.
func Identify(from http.Header) Identity {
	h := header{from}
	for i := range rules {
		r := &rules[i]
		if !r.is(h) {
			continue
		}
		id := Identity{CDN: r.name, Cache: run.CacheUnknown}
		if r.pop != nil {
			var airport string
			id.POP, airport = r.pop(h)
			id.POPCountry = CountryOfAirport(airport)
		}
		if r.cache != nil {
			if c := r.cache(h); c != "" {
				id.Cache = c
			}
		}
		if id.Cache == run.CacheUnknown {
			id.Cache = orUnknown(cacheStatus(h))
		}
		return id
	}
	return Identity{Cache: orUnknown(cacheStatus(h))}
}

func orUnknown(cache string) string {
	if cache == "" {
		return run.CacheUnknown
	}
	return cache
}

// The bounds on what is read and kept of the headers.
const (
	MaxHeaderLength = 1024 // of one value, in bytes
	maxValues       = 8    // of one header
)

// kept are the headers that identify CDN, point of presence and cache, and
// those that say how old an answer is.
var kept = []string{
	"Age", "Akamai-Cache-Status", "Akamai-Grn", "Akamai-Request-Bc", "Cache-Status", "Cdn-Cache", "Cf-Cache-Status",
	"Cf-Ray", "Date", "Eagleid", "Eo-Cache-Status", "Eo-Log-Uuid", "Fastly-Debug-Ttl", "Fastly-State", "Proxy-Status",
	"Server", "Server-Timing", "Via", "X-77-Cache", "X-77-Pop", "X-Akamai-Request-Id", "X-Akamai-Transformed",
	"X-Amz-Cf-Id", "X-Amz-Cf-Pop", "X-Azion-Edge-Location", "X-Azure-Ref", "X-Cache", "X-Cache-Hits",
	"X-Cache-Lookup", "X-Cache-Status", "X-Edge-Location", "X-Fastly-Cache-Status", "X-Gocache-Cachestatus", "X-Id",
	"X-Nf-Request-Id", "X-Nws-Log-Uuid", "X-Proxy-Cache", "X-Served-By", "X-Timer", "X-Varnish", "X-Vercel-Cache", "X-Vercel-Id", "X-Via",
}

// KeepHeaders picks the headers that a run's step keeps, by lower-case name; nil
// when there are none. A value is cut at MaxHeaderLength.
func KeepHeaders(h http.Header) map[string][]string {
	var out map[string][]string
	for _, name := range kept {
		values := h[name]
		if len(values) == 0 {
			continue
		}
		if out == nil {
			out = make(map[string][]string, 8)
		}
		values = slices.Clone(values[:min(len(values), maxValues)])
		for i, v := range values {
			values[i] = v[:min(len(v), MaxHeaderLength)]
		}
		out[strings.ToLower(name)] = values
	}
	return out
}

// header reads an answer's headers.
type header struct{ http.Header }

// has tells whether the header is there.
func (h header) has(name string) bool { return len(h.Values(name)) > 0 }

// contains tells whether a value of the header holds part, in any case.
func (h header) contains(name, part string) bool {
	return slices.ContainsFunc(h.Values(name), func(v string) bool {
		return strings.Contains(strings.ToLower(v[:min(len(v), MaxHeaderLength)]), part)
	})
}

// list is the members of a header whose values are comma-separated lists, over
// all its lines.
func (h header) list(name string) []string {
	var out []string
	for _, v := range h.Values(name) {
		for m := range strings.SplitSeq(v[:min(len(v), MaxHeaderLength)], ",") {
			if m = strings.TrimSpace(m); m != "" {
				out = append(out, m)
			}
		}
	}
	return out
}

// last is the last member of such a header, which is nearest to the client.
func (h header) last(name string) string {
	if l := h.list(name); len(l) > 0 {
		return l[len(l)-1]
	}
	return ""
}

// word is the status that a single word means at most CDNs.
func word(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if f := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '/' || r == ';' }); len(f) > 0 {
		s = f[0]
	}
	switch s = strings.TrimPrefix(s, "tcp_"); s {
	case "hit", "mem_hit", "hit-fresh", "hit-front", "hit-local":
		return run.CacheHit
	case "remote_hit", "hit-remote":
		return run.CacheHitRemote
	case "stale", "updating", "hit-stale":
		return run.CacheStale
	case "refreshhit", "revalidated", "refresh_hit":
		return run.CacheRevalidated
	case "miss", "expired", "refresh_miss":
		return run.CacheMiss
	case "bypass", "dynamic", "pass", "uncacheable", "config_nocache", "private_nostore", "nocache":
		return run.CacheBypass
	case "error":
		return run.CacheError
	}
	return ""
}

// wordOf is the status by the last member of one header.
func wordOf(name string) func(header) string {
	return func(h header) string { return word(h.last(name)) }
}
