package player

import (
	"slices"

	"github.com/firstframe/firstframe/probes/dash"
	"github.com/firstframe/firstframe/probes/fetch"
)

// elsewhere is where else than at its first base URL a resource of r is (ISO/IEC
// 23009-1 clause 5.6): get gives it of a representation.
func elsewhere(r *dash.Representation, get func(*dash.Representation) (dash.Ref, bool)) (urls []string) {
	for i := 1; i < len(r.BaseURLs); i++ {
		if other, ok := get(r.On(i)); ok {
			urls = append(urls, other.URL)
		}
	}
	return urls
}

// again is how the segment seg is had of a representation.
func again(seg dash.Ref) func(*dash.Representation) (dash.Ref, bool) {
	return func(r *dash.Representation) (dash.Ref, bool) {
		other, err := r.Again(seg)
		return other, err == nil
	}
}

func (s *session) dashRef(r dash.Ref, others []string) ref {
	out := ref{url: s.cfg.rewrite(r.URL)}
	if !r.ByteRange.IsWhole() {
		out.rng = &fetch.Range{Offset: r.ByteRange.Offset, Length: r.ByteRange.Length}
	}
	for _, u := range others {
		if u = s.cfg.rewrite(u); u != out.url && !slices.Contains(out.others, u) {
			out.others = append(out.others, u)
		}
	}
	return out
}

// elsewhere turns a request that failed to the next place where its resource is,
// where the model does that now: retried says that it is about to try again. It
// is false where it stays.
func (m *Model) elsewhere(a *ask, fail *failure, retried bool) bool {
	if len(a.others) == 0 || !network(fail.typ) {
		return false
	}
	switch {
	case m.Locations == LocationInTurn && retried:
		was := a.url
		a.url = a.others[0]
		a.others = append(slices.Clone(a.others[1:]), was)
	case m.Locations == LocationLast && !retried:
		a.url, a.others = a.others[0], a.others[1:]
	default:
		return false
	}
	return true
}
