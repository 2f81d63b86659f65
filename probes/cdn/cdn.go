// Package cdn tells from an answer's headers, and from the names that DNS led
// its host through, which CDN it came through, which of its points of presence
// served it, and whether from its cache. [Identify] is the entry.
//
// The CDN is identified first, because the same header means different things
// at different CDNs: X-Cache: HIT, MISS is a miss at Fastly's edge and a hit at
// its shield. Where several layers answer, the one nearest to the client
// counts; it stands last (RFC 9110, 7.6.3; RFC 9211, 2). Not every layer says in
// which order it stands: the names decide then, because they say who was
// connected to. Where they name a CDN of which no header shows anything, what
// the headers show is behind it, and point of presence and cache status are not
// known. A CDN without a rule has no name. The rules come from the vendors'
// documentation and from recorded answers, which stand in testdata.
//
// Bounds: at most the last 8 lines of a header are read, and of each its last
// 512 bytes.
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
	CDN        string // lower case, such as cloudfront; of a closed list
	POP        string // as the CDN calls it, such as FRA56-P5; at most 64 bytes of printable ASCII
	POPCountry string // ISO 3166-1 alpha-2, by the CDN's naming and the table of POPTableVersion
	POPCity    string // in English, where the point of presence is named after an airport or a city of the same table
	Cache      string // one of run.CacheHit, …; run.CacheUnknown when it does not show
}

// rule is how one CDN shows itself. All but is may be nil: it does not show.
type rule struct {
	name string
	// is tells whether the answer came through this CDN.
	is func(h header) bool
	// pop is the point of presence as the CDN calls it.
	pop func(h header) string
	// airports: points of presence are named after them, as FRA56-P5, fra1.
	airports bool
	// country is else where a point of presence of that name is.
	country func(pop string) string
	// city is the part of such a name that is a city's, in whatever spelling.
	city func(pop string) string
	// cache is the cache status at the edge; empty when it does not show.
	cache func(h header) string
	// wrote and passed tell whether the CDN, which always writes X-Cache or Via
	// behind those of other layers, writes it like this, which is lower case.
	wrote, passed func(last string) bool
}

// Identify tells who sent an answer with these headers. The chain is the names that DNS led to the address that
// was asked: the host's own, then its CNAMEs; none where they are not known, or
// where another address was asked than theirs.
func Identify(from http.Header, chain ...string) Identity {
	h := header{canonical(from)}
	shown := shown(h)
	named := cdnOfNames(chain)
	switch at := slices.IndexFunc(shown, func(r *rule) bool { return r.name == named }); {
	case at >= 0:
		return shown[at].read(h)
	case named != "" && len(shown) > 0:
		return Identity{CDN: named, Cache: run.CacheUnknown}
	case len(shown) > 0:
		return nearest(h, shown).read(h)
	}
	id := unnamed.read(h)
	id.CDN = named
	return id
}

// shown are the rules of all layers that the headers show, the outermost first
// as far as is usual.
func shown(h header) (all []*rule) {
	for _, rules := range [...][]rule{vendors, asian, software} {
		for i := range rules {
			if rules[i].is(h) {
				all = append(all, &rules[i])
			}
		}
	}
	return all
}

// nearest is the first of the rules, unless the last word of X-Cache, or else of
// Via, is of another that writes it, and not the first's, which writes it too.
func nearest(h header, shown []*rule) *rule {
	cache, via := strings.ToLower(h.last("X-Cache")), strings.ToLower(h.last("Via"))
	best := shown[0]
	for _, r := range shown[1:] {
		switch {
		case cache != "" && best.wrote != nil && r.wrote != nil && best.wrote(cache) != r.wrote(cache):
			if r.wrote(cache) {
				best = r
			}
		case via != "" && best.passed != nil && r.passed != nil && r.passed(via) && !best.passed(via):
			best = r
		}
	}
	return best
}

// unnamed reads what answers of no CDN that is known often say.
var unnamed = rule{
	pop:   get("X-Edge-Pop"),
	cache: firstOf(cacheStatus, lastWord("X-Cache"), lastWord("X-Cache-Status")),
}

func (r *rule) read(h header) Identity {
	id := Identity{CDN: r.name, Cache: run.CacheUnknown}
	if r.pop != nil {
		id.POP = printable(r.pop(h))
	}
	switch {
	case id.POP == "":
	case r.airports:
		at := placeOfAirport(firstLetters(id.POP, 3))
		id.POPCountry, id.POPCity = at.country, at.city
	case r.country != nil:
		id.POPCountry = r.country(id.POP)
		if r.city != nil {
			id.POPCity = cityNamed(id.POPCountry, r.city(id.POP))
		}
	}
	status := ""
	if r.cache != nil {
		status = r.cache(h)
	}
	if last := h.last("Cache-Status"); status == "" && last != "" && maker(last) == r.name {
		status = cacheStatus(h)
	}
	if status != "" {
		id.Cache = status
	}
	return id
}

// printable is s when it is at most 64 bytes of printable ASCII, else empty: a
// point of presence is a dimension, and what is hostile must not become one.
func printable(s string) string {
	if len(s) > 64 {
		return ""
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return ""
		}
	}
	return s
}
