package player

import (
	"strconv"
	"strings"

	"github.com/firstframe/firstframe/probes/hls"
	"github.com/firstframe/firstframe/probes/run"
)

// choosable are the renditions among which the model chooses, beside their variants.
func (h *hlsTitle) choosable(at Moment) ([]Rendition, error) {
	variants := h.multi.Candidates(h.base())
	switch {
	case len(variants) == 0:
		return nil, failed(run.ErrManifestEmpty, run.StepManifest, "no variant on the pathway "+h.base(), at)
	case variants[0].AudioOnly():
		h.content = soundOnly
	case !variants[0].HasVideo():
		h.content = unknown
	}
	some, variants, err := h.fitting(variants, at)
	if err != nil {
		return nil, err
	}
	if h.model.Rash != nil {
		h.rash = variants[h.model.Rash(some, h.estimate(some))]
	}
	some, h.variants = h.among(some, variants)
	return some, nil
}

// fitting are the renditions that the app can play, beside their variants: one at
// least, of one at least.
func (h *hlsTitle) fitting(variants []*hls.Variant, at Moment) (some []Rendition, of []*hls.Variant, err error) {
	var renditions []Rendition
	for _, v := range variants {
		renditions = append(renditions, h.rendition(v))
	}
	can, err := h.playable(renditions, at)
	for _, i := range can {
		some, of = append(some, renditions[i]), append(of, variants[i])
	}
	return some, of, err
}

// among are those of them among which the model chooses.
func (h *hlsTitle) among(all []Rendition, variants []*hls.Variant) (some []Rendition, of []*hls.Variant) {
	if h.model.Among == nil {
		return all, variants
	}
	for _, i := range h.model.Among(all) {
		some, of = append(some, all[i]), append(of, variants[i])
	}
	return some, of
}

// rendition is a variant as one to choose from.
func (h *hlsTitle) rendition(v *hls.Variant) Rendition {
	r := Rendition{
		Kbps: float64(v.Bandwidth) / 1000, AverageKbps: float64(v.AverageBandwidth) / 1000, Width: v.Width, Height: v.Height,
		FrameRate: v.FrameRate, Range: v.VideoRange, Score: v.Score, Codecs: v.Codecs,
		Sound: Sound{Group: v.AudioGroup},
	}
	for i := range h.multi.Renditions {
		s := &h.multi.Renditions[i]
		if s.Type != "AUDIO" || s.Group != v.AudioGroup || v.AudioGroup == "" {
			continue
		}
		r.Sound.Default, r.Sound.Autoselect = r.Sound.Default || s.Default, r.Sound.Autoselect || s.Autoselect
		if s.Channels == "" || s.Channels == "2" {
			r.Sound.Stereo++
		}
	}
	if s := h.multi.AudioFor(v); s != nil {
		channels, _, _ := strings.Cut(s.Channels, "/")
		r.Sound.Channels, _ = strconv.Atoi(channels) // 0: not said
	}
	return r
}

// before is the variant whose playlist is asked for before all else, where first
// is the one to be played; nil: none is.
func (h *hlsTitle) before(first *hls.Variant) *hls.Variant {
	switch {
	case h.model.PrimaryFirst:
		return h.variants[0]
	case h.rash != first:
		return h.rash
	}
	return nil
}
