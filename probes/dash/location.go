package dash

import (
	"cmp"
	"slices"
	"strings"
)

// ServiceLocations are the serviceLocations of the base URLs, in the order met.
func (m *MPD) ServiceLocations() []string {
	var all []string
	m.eachRepresentation(func(r *Representation) {
		for i := range r.BaseURLs {
			if l := r.BaseURLs[i].ServiceLocation; l != "" && !slices.Contains(all, l) {
				all = append(all, l)
			}
		}
	})
	return all
}

// Prefer puts the base URLs of a service location before their alternatives, as
// content steering or a default asks (ETSI TS 103 998). Without any of that
// location the order stays.
func (m *MPD) Prefer(location string) {
	away := func(b BaseURL) int {
		if b.ServiceLocation == location {
			return 0
		}
		return 1
	}
	m.replaceBases(func(bases []BaseURL) []BaseURL {
		slices.SortStableFunc(bases, func(a, b BaseURL) int { return away(a) - away(b) })
		return bases
	})
}

// dvbProfile is what an MPD declares in which priorities count.
const dvbProfile = "urn:dvb:dash:profile:dvb-dash:"

// Prioritise puts the base URLs in the order of their priorities, where the MPD
// declares DVB's profile (ETSI TS 103 285, 10.8.2.1); of equals the order stays.
// Weights are not gone by.
func (m *MPD) Prioritise() {
	if strings.Contains(m.Profiles, dvbProfile) {
		m.replaceBases(func(bases []BaseURL) []BaseURL {
			slices.SortStableFunc(bases, func(a, b BaseURL) int { return cmp.Compare(a.Priority, b.Priority) })
			return bases
		})
	}
}

// Clone adds to the base URLs of the service location base others of the
// location id, whose URLs are what replace makes of theirs, up to MaxBaseURLs
// of one representation.
func (m *MPD) Clone(id, base string, replace func(url string) string) {
	m.replaceBases(func(bases []BaseURL) []BaseURL {
		for _, b := range bases {
			if b.ServiceLocation == base && len(bases) < MaxBaseURLs {
				b.ServiceLocation, b.URL = id, replace(b.URL)
				bases = append(bases, b)
			}
		}
		return bases
	})
}

// replaceBases gives every representation what f makes of a copy of its base
// URLs, which it may share with others: those go on sharing.
func (m *MPD) replaceBases(f func([]BaseURL) []BaseURL) {
	done := map[*BaseURL][]BaseURL{}
	m.eachRepresentation(func(r *Representation) {
		first := &r.BaseURLs[0]
		if _, ok := done[first]; !ok {
			done[first] = f(slices.Clone(r.BaseURLs))
		}
		r.BaseURLs = done[first]
	})
}

func (m *MPD) eachRepresentation(f func(*Representation)) {
	for i := range m.Periods {
		for j := range m.Periods[i].AdaptationSets {
			reps := m.Periods[i].AdaptationSets[j].Representations
			for k := range reps {
				f(&reps[k])
			}
		}
	}
}
