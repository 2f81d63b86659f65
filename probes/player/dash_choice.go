package player

import (
	"fmt"
	"slices"
	"strings"

	"github.com/firstframe/firstframe/probes/dash"
	"github.com/firstframe/firstframe/probes/run"
)

// offer is what an app is offered of one content type: renditions beside their
// representations.
type offer struct {
	renditions      []Rendition
	representations []*dash.Representation
}

// pick is the offer of those indexes alone.
func (o offer) pick(of []int) (some offer) {
	for _, i := range of {
		some.renditions = append(some.renditions, o.renditions[i])
		some.representations = append(some.representations, o.representations[i])
	}
	return some
}

// offer is what the adaptation sets of a content type offer.
func (d *dashTitle) offer(contentType string) (o offer) {
	sets := d.period.Sets(contentType)
	ids := map[string]int{}
	for n, set := range sets {
		ids[set.ID] = n
	}
	for n, set := range sets {
		roles := slices.Sorted(slices.Values(set.Roles))
		var switching []int
		for _, id := range set.Switching {
			if k, ok := ids[id]; ok && id != "" {
				switching = append(switching, k)
			}
		}
		for i := range set.Representations {
			r := &set.Representations[i]
			kbps := float64(r.Bandwidth) / 1000
			o.representations = append(o.representations, r)
			o.renditions = append(o.renditions, Rendition{
				Kbps: kbps, VideoKbps: kbps, Width: r.Width, Height: r.Height, FrameRate: r.FrameRate, Range: r.Range, Codecs: r.Codecs,
				Lang: set.Lang, Role: strings.Join(roles, " "), Sound: Sound{Channels: r.Channels},
				Set: n, Main: slices.Contains(roles, "main"), Priority: set.SelectionPriority, Switching: switching,
			})
		}
	}
	return o
}

// choose finds the renditions among which the model chooses, and the audio that
// it plays beside them.
func (d *dashTitle) choose() ([]Rendition, error) {
	video, sound := d.offer("video"), d.offer("audio")
	if len(sound.renditions) > 0 {
		can := playable(sound.renditions, run.App{Codecs: d.cfg.App.Codecs})
		if len(can) == 0 {
			return nil, failed(run.ErrUnsupported, run.StepManifest, fmt.Sprintf("no audio fits the app (codecs %v)", d.cfg.App.Codecs), d.at)
		}
		sound = sound.pick(can)
		among := d.model.SoundAmong
		if among == nil {
			among = mainSound
		}
		sound = sound.pick(among(sound.renditions))
	}
	if len(video.renditions) == 0 {
		d.content = soundOnly
		d.videos = sound.representations
		return sound.renditions, d.nothing(sound)
	}
	can, err := d.playable(video.renditions, d.at)
	if err != nil {
		return nil, err
	}
	video = video.pick(can)
	if d.model.Among != nil {
		video = video.pick(d.model.Among(video.renditions))
	}
	d.videos, d.audios = video.representations, sound.representations
	d.chooseSound(video.renditions, sound.renditions)
	if d.model.AudioCounts && d.audios != nil {
		for i := range video.renditions {
			video.renditions[i].Kbps += sound.renditions[d.audio].Kbps
		}
	}
	return video.renditions, nil
}

// nothing is the failure of a period in which there is nothing to play; nil when
// there is.
func (d *dashTitle) nothing(o offer) error {
	if len(o.renditions) > 0 {
		return nil
	}
	for i := range d.period.AdaptationSets {
		if unknown := d.period.AdaptationSets[i].Unknown; unknown != nil {
			return failed(run.ErrUnsupported, run.StepManifest, fmt.Sprintf("it takes what is not known here (EssentialProperty %s)", strings.Join(unknown, ", ")), d.at)
		}
	}
	return failed(run.ErrManifestEmpty, run.StepManifest, "the period has neither video nor audio", d.at)
}

// chooseSound takes the audio that is played: with the video as a pair, where the
// model chooses so.
func (d *dashTitle) chooseSound(video, sound []Rendition) {
	switch {
	case len(sound) == 0:
	case d.model.AudioCounts:
		var pairs []Rendition
		for _, s := range sound {
			for _, v := range video {
				v.Kbps += s.Kbps
				pairs = append(pairs, v)
			}
		}
		d.audio = d.model.Start(pairs, d.estimate(pairs)) / len(video)
	case d.model.SoundStart != nil:
		d.audio = d.model.SoundStart(sound)
	default:
		d.audio = lowest(sound)
	}
}
