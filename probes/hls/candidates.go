package hls

import "slices"

// DefaultPathway is the pathway of variants that name none (4.4.6.2).
const DefaultPathway = "."

// pathway is the pathway that the variant belongs to.
func (v *Variant) pathway() string {
	if v.PathwayID == "" {
		return DefaultPathway
	}
	return v.PathwayID
}

// Pathways are the pathways of the variants, in the order listed.
func (m *Multivariant) Pathways() []string {
	var all []string
	for i := range m.Variants {
		if p := m.Variants[i].pathway(); !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

// StartPathway is the pathway that a player starts in: what
// EXT-X-CONTENT-STEERING says, else "." (4.4.6.6), and where no variant belongs
// to that the first variant's. It is empty without content steering.
func (m *Multivariant) StartPathway() string {
	if m.Steering == nil {
		return ""
	}
	start, all := m.Steering.PathwayID, m.Pathways()
	if start == "" {
		start = DefaultPathway
	}
	if len(all) > 0 && !slices.Contains(all, start) {
		return all[0]
	}
	return start
}

// Candidates are the variants that a player may start with, in the order listed:
// those of the pathway, where it is not empty, that are known to hold pictures
// (see [Variant.HasVideo]); without such those that say nothing; without those
// the ones of sound only. I-frame streams are none (4.4.6.3).
func (m *Multivariant) Candidates(pathway string) []*Variant {
	var known, perhaps, sound []*Variant
	for i := range m.Variants {
		v := &m.Variants[i]
		switch {
		case pathway != "" && v.pathway() != pathway:
		case v.AudioOnly():
			sound = append(sound, v)
		case v.HasVideo():
			known = append(known, v)
		default:
			perhaps = append(perhaps, v)
		}
	}
	switch {
	case known != nil:
		return known
	case perhaps != nil:
		return perhaps
	}
	return sound
}
