package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// needed is when the last answer came that the picture waited for: of the
// initialization segments, keys and first segments that were whole before the
// picture. What a player asks for later it asks for to play on. Without a picture
// it is when the error came.
func needed(o outcome) float64 {
	if o.Error != "" {
		return o.ErrorMs
	}
	slices.SortStableFunc(o.Answers, func(a, b arrival) int { return cmp.Compare(a.End, b.End) })
	last, parts := 0.0, map[string]int{}
	for _, a := range o.Answers {
		r := resourceAt(a.Path)
		parts[a.Path]++
		ahead := r.number > 0 || r.kind == rangeKind && parts[a.Path] > 2 // of one file: its head and the first segment
		if a.End <= o.TTFF && r.kind != manifestKind && r.kind != playlistKind && !ahead {
			last = a.End
		}
	}
	return last
}

// asked is what a play has asked for before it had what it needed: how often each
// resource, and when first and last. It is nil of a play whose requests are not known.
type asked map[string]tries

type tries struct {
	n           int
	first, last float64 // ms since play was pressed
}

func (p play) asked() asked {
	if len(p.Requests) == 0 || p.Needed == 0 {
		return nil
	}
	all := asked{}
	for _, r := range p.Requests {
		name, ok := r.tried()
		if !ok || r.At > p.Needed {
			continue
		}
		t, again := all[name]
		if !again {
			t.first = r.At
		}
		t.n, t.last = t.n+1, max(t.last, r.At)
		all[name] = t
	}
	return all
}

// triedAgain is when a player has last asked for something that it had asked for
// before, in ms since play was pressed: a delay that it draws at random is over
// then. ok is false of a play that did not.
func (p play) triedAgain() (ms float64, ok bool) {
	for _, t := range p.asked() {
		if t.n > 1 {
			ms, ok = max(ms, t.last), true
		}
	}
	return ms, ok
}

// tried is what a player has asked for by this request. Chromium keeps what came of
// an answer that was cut off: when the player asks for it again it asks for the
// next byte, to see whether it is still the same, and then for the rest. That is
// one try, and ok is false for the first of the two.
func (r request) tried() (name string, ok bool) {
	from, to, part := strings.Cut(strings.TrimPrefix(r.Range, "bytes="), "-")
	if !part || resourceAt(r.Path).kind == rangeKind {
		return r.name(), true
	}
	r.Range = ""
	return r.name(), from != to
}

// apartMs is how far apart two requests must be in every play, for their order to
// count: those that go out together come in as their connections are made.
const apartMs = 15

// unlike says in what the requests of two sides differ: resources that were never
// asked for as often by the one side as by the other, and pairs of which each
// side always asks for another first. It is empty where they agree, and nil and
// false where a side's requests are not known.
func unlike(real, probe []asked) (differences []string, known bool) {
	if len(real) == 0 || len(probe) == 0 {
		return nil, false
	}
	names := map[string]bool{}
	for _, a := range slices.Concat(real, probe) {
		for name := range a {
			names[name] = true
		}
	}
	sorted := slices.Sorted(maps.Keys(names))
	for _, name := range sorted {
		a, b := counts(real, name), counts(probe, name)
		if a[0] > b[len(b)-1] || b[0] > a[len(a)-1] {
			differences = append(differences, fmt.Sprintf("%s %s, probe %s", name, times(a), times(b)))
		}
	}
	for i, x := range sorted {
		for _, y := range sorted[i+1:] {
			for _, pair := range [][2]string{{x, y}, {y, x}} {
				if before(real, pair[0], pair[1]) && before(probe, pair[1], pair[0]) {
					differences = append(differences, fmt.Sprintf("%s before %s, probe after", pair[0], pair[1]))
				}
			}
		}
	}
	return differences, true
}

// counts is how often a resource was asked for in the plays, rising.
func counts(plays []asked, name string) []int {
	var all []int
	for _, a := range plays {
		all = append(all, a[name].n)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func times(counts []int) string {
	var words []string
	for _, n := range counts {
		words = append(words, fmt.Sprint(n))
	}
	return strings.Join(words, " or ") + " ×"
}

// before says whether x was asked for well before y in every play that asked for
// both, and that there was one.
func before(plays []asked, x, y string) bool {
	n := 0
	for _, a := range plays {
		if a[x].n == 0 || a[y].n == 0 {
			continue
		}
		if a[y].first-a[x].first < apartMs {
			return false
		}
		n++
	}
	return n > 0
}
