package player

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/firstframe/firstframe/probes/hls"
)

// hlsjsPreference is what hls.js holds of a sample entry, lower is better
// (sampleEntryCodesISO in utils/codecs.ts): of video and of sound; 1 of the
// others.
var hlsjsPreference = map[string]float64{
	"av01": 0.8, "dav1": 0.8, "dvh1": 0.7, "dvhe": 0.7, "hev1": 0.75, "hvc1": 0.75, "vp09": 0.9,
	"ac-3": 0.95, "alac": 0.9, "ec-3": 0.9, "flac": 0.9,
}

// hlsjsCodecs are the sample entries of a rendition, video before sound, and how
// hls.js values them together (codecsSetSelectionPreferenceValue in
// utils/codecs.ts; codecSet in types/level.ts).
func hlsjsCodecs(r *Rendition) (set string, value float64) {
	var video, sound string
	for _, c := range r.Codecs {
		entry := strings.ToLower(c[:min(len(c), 4)])
		switch {
		case entry == "stpp" || entry == "wvtt":
		case hls.IsAudioCodec(c):
			sound = cmp.Or(sound, entry)
		default:
			video = cmp.Or(video, entry)
		}
	}
	preference := func(entry string) float64 {
		if p := hlsjsPreference[entry]; p > 0 {
			return p
		}
		return 1
	}
	if video != "" {
		value = preference(video)
	}
	if sound != "" {
		n := 1.0
		if value > 0 {
			n = 2
		}
		value = (preference(sound) + value) / n
	}
	return strings.Trim(video+","+sound, ","), value
}

// hlsjsTier is what hls.js adds up of the renditions with one set of codecs
// (getCodecTiers in utils/rendition-helper.ts).
type hlsjsTier struct {
	set               string
	value             float64
	kbps, lines, rate float64 // the least
	score             float64 // the highest
	sdr, stereo       int
	sound             bool
	first             int // of the sorted levels
}

// hlsjsStart is the rendition that hls.js starts with: of one set of codecs, the
// one that it prefers among those which the estimate carries and which start no
// higher than at 1080 lines and 30 pictures a second; in there the highest that
// the estimate carries (findBestLevel in controller/abr-controller.ts,
// getStartCodecTier in utils/rendition-helper.ts).
func hlsjsStart(renditions []Rendition, estimateKbps float64) int {
	if len(renditions) == 1 {
		return 0
	}
	order := hlsjsOrder(renditions)
	tiers := hlsjsTiers(renditions, order)
	lowest, slowest, ranged := math.Inf(1), math.Inf(1), false
	for _, t := range tiers {
		lowest, slowest, ranged = min(lowest, t.kbps), min(slowest, t.rate), ranged || t.sdr > 0
	}
	if tiers == nil {
		lowest, slowest = 0, 0
	}
	estimate := max(lowest, estimateKbps)
	tier := hlsjsChoose(tiers, estimate)
	listed := slices.Index(order, 0)
	for i := len(order) - 1; i >= 0; i-- {
		r := &renditions[order[i]]
		set, _ := hlsjsCodecs(r)
		skip := tier != nil && set != tier.set || ranged && !r.sdr() ||
			i <= listed && slowest > 0 && slowest < r.FrameRate
		if (!skip || tier != nil && i == tier.first) && estimate >= r.Kbps {
			return order[i]
		}
	}
	return 0 // firstLevel
}

// hlsjsOrder are the indexes of the renditions as hls.js sorts them
// (filterAndSortMediaOptions in controller/level-controller.ts).
func hlsjsOrder(renditions []Rendition) []int {
	order := make([]int, len(renditions))
	for i := range order {
		order[i] = i
	}
	ranges := func(r *Rendition) int { return slices.Index([]string{"SDR", "HLG", "PQ"}, cmp.Or(r.Range, "SDR")) }
	video := func(r *Rendition) float64 {
		set, _ := hlsjsCodecs(r)
		entry, _, _ := strings.Cut(set, ",")
		return cmp.Or(hlsjsPreference[entry], 1)
	}
	average := func(r *Rendition) float64 { return cmp.Or(r.AverageKbps, r.Kbps) }
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := &renditions[i], &renditions[j]
		return cmp.Or(cmp.Compare(a.Height, b.Height), cmp.Compare(a.FrameRate, b.FrameRate), cmp.Compare(ranges(a), ranges(b)),
			cmp.Compare(video(b), video(a)), cmp.Compare(average(a), average(b)))
	})
	return order
}

// hlsjsTiers are the sets of codecs, in the order of the levels.
func hlsjsTiers(renditions []Rendition, order []int) (tiers []*hlsjsTier) {
	anyDefault := slices.ContainsFunc(renditions, func(r Rendition) bool { return r.Sound.Default })
	anyAuto := slices.ContainsFunc(renditions, func(r Rendition) bool { return r.Sound.Autoselect })
	for i, at := range order {
		r := &renditions[at]
		set, value := hlsjsCodecs(r)
		if set == "" {
			continue
		}
		k := slices.IndexFunc(tiers, func(t *hlsjsTier) bool { return t.set == set })
		if k < 0 {
			k = len(tiers)
			tiers = append(tiers, &hlsjsTier{
				set: set, value: value, kbps: r.Kbps, lines: math.Inf(1), rate: r.FrameRate, sound: r.Sound.Group == "", first: i,
			})
		}
		t := tiers[k]
		t.kbps, t.lines, t.rate = min(t.kbps, r.Kbps), min(t.lines, float64(min(r.Width, r.Height))), min(t.rate, r.FrameRate)
		t.score = max(t.score, r.Score)
		if r.sdr() {
			t.sdr++
		}
		if r.Sound.Group != "" {
			if t.sound || anyDefault {
				t.sound = r.Sound.Default
			} else {
				t.sound = r.Sound.Autoselect || !anyAuto
			}
			t.stereo += r.Sound.Stereo
		}
	}
	return tiers
}

// hlsjsChoose is the tier to start with; nil: none of several.
func hlsjsChoose(tiers []*hlsjsTier, estimate float64) (chosen *hlsjsTier) {
	if len(tiers) == 1 {
		return tiers[0]
	}
	lines, rate := 1080.0, 30.0
	stereo := false
	least, slowest := math.Inf(1), math.Inf(1)
	for _, t := range tiers {
		least, slowest, stereo = min(least, t.lines), min(slowest, t.rate), stereo || t.stereo > 0
	}
	if len(tiers) > 0 {
		lines, rate = max(lines, least), max(rate, slowest)
	}
	score := 0.0
	for _, t := range tiers {
		switch {
		case t.kbps > estimate, !t.sound, stereo && t.stereo == 0, t.lines > lines, t.rate > rate, t.sdr == 0, t.score < score:
		case chosen == nil || t.value < chosen.value:
			chosen, score = t, t.score
		}
	}
	return chosen
}
