package player

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// family is the coding that an RFC 6381 codec string names, whatever its profile
// and sample entry; of what is not known here its first part.
func family(codec string) string {
	first, _, _ := strings.Cut(strings.ToLower(codec), ".")
	switch first {
	case "avc1", "avc3":
		return "avc"
	case "hvc1", "hev1":
		return "hevc"
	case "vp9", "vp09":
		return "vp9"
	case "vp8", "vp08":
		return "vp8"
	case "av01":
		return "av1"
	case "vvc1", "vvi1":
		return "vvc"
	case "dvh1", "dvhe", "dva1", "dvav", "dav1":
		return "dovi"
	}
	return first
}

// coding is the family of a rendition's first video codec, empty where it names
// none; of sound of its first.
func (r *Rendition) coding() string {
	for _, c := range r.Codecs {
		switch f := family(c); f {
		case "avc", "hevc", "vp8", "vp9", "av1", "vvc", "dovi":
			return f
		}
	}
	if len(r.Codecs) > 0 {
		return family(r.Codecs[0])
	}
	return ""
}

// sdr tells whether a rendition is of the ordinary dynamic range.
func (r *Rendition) sdr() bool { return r.Range == "" || r.Range == "SDR" }

// some are the indexes of the renditions that are so; of none, all.
func some(renditions []Rendition, so func(r *Rendition) bool) []int {
	var of, all []int
	for i := range renditions {
		if all = append(all, i); so(&renditions[i]) {
			of = append(of, i)
		}
	}
	if of == nil {
		return all
	}
	return of
}

// shakaEfficiency is what Shaka holds of codings, lower is better
// (videoCodecPreference in util/stream_utils.js).
var shakaEfficiency = map[string]float64{"avc": 1, "vp8": 1, "vp9": 0.9, "hevc": 0.85, "dovi": 0.8, "av1": 0.7, "vvc": 0.6}

// shakaAmong is of each size, frame rate, range and role the coding of the
// rendition with the least bandwidth, of equals that which it holds to be more
// efficient (chooseCodecsAndFilterManifest in util/stream_utils.js).
func shakaAmong(renditions []Rendition) []int {
	order := make([]int, len(renditions))
	for i := range order {
		order[i] = i
	}
	efficiency := func(r *Rendition) float64 {
		if e := shakaEfficiency[r.coding()]; e > 0 {
			return e
		}
		return 1
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := &renditions[i], &renditions[j]
		if a.VideoKbps > 0 && b.VideoKbps > 0 && a.VideoKbps != b.VideoKbps {
			return cmp.Compare(a.VideoKbps, b.VideoKbps)
		}
		return cmp.Or(cmp.Compare(a.Width, b.Width), cmp.Compare(efficiency(a), efficiency(b)))
	})
	type group struct {
		width, height int
		rate          float64
		span, role    string
	}
	codings := map[group]string{}
	var of []int
	for _, i := range order {
		r := &renditions[i]
		g := group{r.Width, r.Height, math.Round(r.FrameRate), r.Range, r.Role}
		if _, ok := codings[g]; !ok {
			codings[g] = r.coding()
		}
		if codings[g] == r.coding() {
			of = append(of, i)
		}
	}
	slices.Sort(of)
	return shakaAlike(renditions, of)
}

// shakaAlike are of those indexes the ones of ordinary range
// (filterVariantsByHDRLevel_ in media/preference_based_criteria.js), with sound of
// not more than two channels and as of the first (areAudiosCompatible_ in
// media/adaptation_set.js).
func shakaAlike(renditions []Rendition, of []int) []int {
	of = within(renditions, of, (*Rendition).sdr)
	of = within(renditions, of, func(r *Rendition) bool { return r.Sound.Channels <= 2 })
	first := &renditions[of[0]]
	return within(renditions, of, func(r *Rendition) bool { return r.Sound.Group == first.Sound.Group && r.Role == first.Role })
}

// shakaRash is the variant of HLS that Shaka chooses before it looks at codecs
// (chooseInitialVariant_ in media/preload_manager.js).
func shakaRash(renditions []Rendition, estimateKbps float64) int {
	of := shakaAlike(renditions, some(renditions, func(*Rendition) bool { return true }))
	alike := make([]Rendition, len(of))
	for k, i := range of {
		alike[k] = renditions[i]
	}
	return of[highestWithin(alike, 0.95*estimateKbps)]
}

// within are those of the indexes whose renditions are so; of none, all.
func within(renditions []Rendition, of []int, so func(r *Rendition) bool) []int {
	var left []int
	for _, i := range of {
		if so(&renditions[i]) {
			left = append(left, i)
		}
	}
	if left == nil {
		return of
	}
	return left
}

// shakaSound is the sound that Shaka may play: of not more than two channels and
// of those the most, in the language and role of the first such
// (filterVariantsByAudioChannelCount_ in media/preference_based_criteria.js,
// areAdaptable in media/adaptation_set.js).
func shakaSound(renditions []Rendition) []int {
	of := some(renditions, func(r *Rendition) bool { return r.Sound.Channels <= 2 })
	first := &renditions[of[0]]
	for _, i := range of[1:] {
		if r := &renditions[i]; r.Sound.Channels > first.Sound.Channels {
			first = r
		}
	}
	return within(renditions, of, func(r *Rendition) bool {
		// Stereo and mono may take turns.
		return r.Lang == first.Lang && r.Role == first.Role && (first.Sound.Channels > 0) == (r.Sound.Channels > 0)
	})
}

// dashjsAmong is one adaptation set: of those with the highest selectionPriority
// and, where there are, of role main, the one whose renditions need the least
// bandwidth for each pixel, or channel of sound, on average, of equals the one
// with the highest bandwidth (selectInitialTrack in controllers/MediaController.js).
// The sets that it may be switched with come with it
// (enableSupplementalPropertyAdaptationSetSwitching in Settings).
func dashjsAmong(renditions []Rendition) []int {
	best := int64(0)
	for i := range renditions {
		best = max(best, renditions[i].Priority)
	}
	of := some(renditions, func(r *Rendition) bool { return r.Priority == best })
	of = within(renditions, of, func(r *Rendition) bool { return r.Main })
	type set struct {
		id          int
		sum, n, top float64
	}
	var sets []*set
	for _, i := range of {
		r := &renditions[i]
		if len(sets) == 0 || sets[len(sets)-1].id != r.Set { // those of a set are side by side
			sets = append(sets, &set{id: r.Set})
		}
		s := sets[len(sets)-1]
		per := float64(max(1, r.Width*r.Height))
		if per == 1 && r.Sound.Channels > 0 {
			per = float64(r.Sound.Channels)
		}
		s.sum, s.n, s.top = s.sum+r.OwnKbps()/per, s.n+1, max(s.top, r.OwnKbps())
	}
	chosen := slices.MinFunc(sets, func(a, b *set) int {
		return cmp.Or(cmp.Compare(a.sum/a.n, b.sum/b.n), cmp.Compare(b.top, a.top))
	})
	first := slices.IndexFunc(renditions, func(r Rendition) bool { return r.Set == chosen.id })
	return some(renditions, func(r *Rendition) bool {
		return r.Set == chosen.id || slices.Contains(renditions[first].Switching, r.Set)
	})
}

// exoplayerRank is what ExoPlayer holds of codings, higher is better, where the
// device decodes each in hardware (getVideoCodecPreferenceScore in
// trackselection/DefaultTrackSelector).
var exoplayerRank = map[string]int{"dovi": 5, "av1": 4, "hevc": 3, "vp9": 2, "avc": 1}

// exoplayerAmong are the renditions of one coding, the one that it prefers
// (VideoTrackInfo in trackselection/DefaultTrackSelector; it adapts between
// formats of one MIME type alone).
func exoplayerAmong(renditions []Rendition) []int {
	best := 0
	for i := range renditions {
		best = max(best, exoplayerRank[renditions[i].coding()])
	}
	return some(renditions, func(r *Rendition) bool { return exoplayerRank[r.coding()] == best })
}

// exoplayerSound is the sound that ExoPlayer may play: the main one, else that of
// the first language, of not more than two channels (AudioTrackInfo in
// trackselection/DefaultTrackSelector, on a device without spatial sound).
func exoplayerSound(renditions []Rendition) []int {
	of := some(renditions, func(r *Rendition) bool { return r.Main })
	of = within(renditions, of, func(r *Rendition) bool { return r.Sound.Channels <= 2 })
	first := &renditions[of[0]]
	return within(renditions, of, func(r *Rendition) bool { return r.Lang == first.Lang })
}

// mainSound is the usual sound: that of the first adaptation set of role main,
// else of the first.
func mainSound(renditions []Rendition) []int {
	first := &renditions[some(renditions, func(r *Rendition) bool { return r.Main })[0]]
	return some(renditions, func(r *Rendition) bool { return r.Set == first.Set })
}

// highest is the rendition with the most bandwidth, of equals the first.
func highest(renditions []Rendition) int { return highestWithin(renditions, math.Inf(1)) }
