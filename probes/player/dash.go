package player

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/firstframe/firstframe/probes/dash"
	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// playDASH goes on from an MPD: through its clock, where it is live, to the
// first segments of video and audio.
func (s *session) playDASH(ctx context.Context, p *presentation, m answer, body []byte) error {
	mpd, err := dash.Parse(m.url, body)
	if err != nil {
		return manifestFailure(run.StepManifest, err, m.Moment)
	}
	at, clock := m.Moment, clock{}
	p.mode = "vod"
	if mpd.Dynamic {
		p.mode = "live"
		if at, clock, err = s.dashClock(ctx, mpd, m); err != nil {
			return err
		}
	}
	here := scene{mpd: mpd, period: mpd.PeriodAt(0), at: at}
	if mpd.Dynamic {
		if err := s.joinLive(p, &here, clock.at(at.At)); err != nil {
			return s.segmentFailure(err, at)
		}
	}
	video, err := s.chooseRepresentation(p, here.period, at)
	if err != nil {
		return err
	}
	videoParts, err := s.dashParts(&here, video, run.TrackVideo)
	if err != nil {
		return s.segmentFailure(err, at)
	}
	if mpd.Dynamic {
		behind := here.now.Sub(mpd.AvailabilityStart) - videoParts.start
		p.behind, p.edgeAt = &behind, at.At
	}
	loadVideo := func(ctx context.Context) error { return s.load(ctx, &p.video, videoParts, at) }
	sets := here.period.Sets("audio")
	if len(sets) == 0 {
		return loadVideo(ctx)
	}
	audio := mainAudio(sets, s.cfg.App.Codecs)
	if audio == nil {
		return failed(run.ErrUnsupported, run.StepManifest, fmt.Sprintf("no audio fits the app (codecs %v)", s.cfg.App.Codecs), at)
	}
	p.separate = true
	audioParts, err := s.dashParts(&here, audio, run.TrackAudio)
	if err != nil {
		return s.segmentFailure(err, at)
	}
	return s.tracks(ctx, p, loadVideo, func(ctx context.Context) error { return s.load(ctx, &p.audio, audioParts, at) })
}

// scene is where in a presentation playback starts.
type scene struct {
	mpd      *dash.MPD
	period   *dash.Period
	at       Moment        // all that was needed to know it was there
	now      time.Time     // by the presentation's clock, when it is live
	position time.Duration // on the MPD timeline, when it is live
}

// chooseRepresentation picks the video representation that the model starts
// with.
func (s *session) chooseRepresentation(p *presentation, period *dash.Period, at Moment) (*dash.Representation, error) {
	var all []*dash.Representation
	var renditions []Rendition
	for _, set := range period.Sets("video") {
		for i := range set.Representations {
			r := &set.Representations[i]
			all = append(all, r)
			renditions = append(renditions, Rendition{Kbps: float64(r.Bandwidth) / 1000, Width: r.Width, Height: r.Height, Codecs: r.Codecs})
		}
	}
	if len(all) == 0 {
		return nil, failed(run.ErrUnsupported, run.StepManifest, "only audio: there is no frame to show", at)
	}
	i, err := s.choose(renditions, at)
	if err != nil {
		return nil, err
	}
	p.rendition = renditions[i]
	return all[i], nil
}

// mainAudio is the audio that plays without preferences: of what can be played
// the adaptation set with role main, else the first; of that the representation
// with the least bandwidth. It is nil when none can be played.
func mainAudio(sets []*dash.AdaptationSet, codecs []string) (best *dash.Representation) {
	main := false
	for _, set := range sets {
		isMain := slices.Contains(set.Roles, "main")
		if best != nil && (main || !isMain) {
			continue
		}
		var lowest *dash.Representation
		for i := range set.Representations {
			if r := &set.Representations[i]; plays(codecs, r.Codecs) && (lowest == nil || r.Bandwidth < lowest.Bandwidth) {
				lowest = r
			}
		}
		if lowest != nil {
			best, main = lowest, isMain
		}
	}
	return best
}

// dashParts is what the segment consists of at which playback starts.
func (s *session) dashParts(c *scene, r *dash.Representation, track string) (parts, error) {
	init, hasInit := r.Init()
	q := s.think(parts{track: track}, hasInit)
	seg, err := r.First()
	if err == nil && c.mpd.Dynamic {
		seg, err = c.segment(r)
	}
	if err != nil {
		return q, err
	}
	q.start = seg.Start
	q.media = s.dashRef(seg)
	if hasInit {
		ref := s.dashRef(init)
		q.init = &ref
	}
	return q, nil
}

// segment is the one at which playback of a dynamic presentation starts: that
// of the position, within what is available.
func (c *scene) segment(r *dash.Representation) (dash.Ref, error) {
	edge, err := r.LiveEdge(c.now)
	if err != nil || c.position >= edge.Start {
		return edge, err
	}
	seg, err := r.At(max(c.position, c.period.Start))
	if errors.Is(err, dash.ErrNoSegment) || err == nil && seg.Start > edge.Start {
		return edge, nil
	}
	return seg, err
}

// joinLive finds where playback of a dynamic presentation starts: the
// presentation delay before now, but not before the time shift buffer; with a
// delay that the model derives from the newest segment where the MPD has none.
// The error is a fault when a timeline that should grow has stopped.
func (s *session) joinLive(p *presentation, c *scene, now time.Time) error {
	c.now = now
	start, end := c.mpd.Window(now)
	edge, err := newest(c.mpd, now, end)
	if err != nil {
		return err
	}
	age := max(0, now.Sub(c.mpd.AvailabilityStart.Add(edge.Start+edge.Duration)))
	p.age = &age
	if c.mpd.MinimumUpdatePeriod != nil {
		if err := stale(age, edge.Duration); err != nil {
			return err
		}
	}
	var asked time.Duration
	switch {
	case c.mpd.LatencyTarget != nil:
		asked = *c.mpd.LatencyTarget
	case c.mpd.SuggestedPresentationDelay != nil:
		asked = *c.mpd.SuggestedPresentationDelay
	}
	live := now.Sub(c.mpd.AvailabilityStart)
	c.position = min(max(live-s.model.LiveDelay(asked, edge.Duration), start), edge.Start)
	c.period = c.mpd.PeriodAt(c.position)
	return nil
}

// newest is the newest segment of video that is available, in the last period
// that has one; of a presentation without video of audio.
func newest(mpd *dash.MPD, now time.Time, end time.Duration) (edge dash.Ref, err error) {
	err = fmt.Errorf("no period has begun: %w", dash.ErrNoSegment)
	for i := len(mpd.Periods) - 1; i >= 0; i-- {
		period := &mpd.Periods[i]
		if period.Start > end && i > 0 {
			continue
		}
		for _, set := range append(period.Sets("video"), period.Sets("audio")...) {
			if len(set.Representations) == 0 {
				continue
			}
			if edge, err = set.Representations[0].LiveEdge(now); err == nil {
				return edge, nil
			}
			break
		}
		if !errors.Is(err, dash.ErrNoSegment) {
			break
		}
	}
	return edge, err
}

// segmentFailure is the failure that the want of a first segment means.
func (s *session) segmentFailure(err error, at Moment) error {
	var f *fault
	switch {
	case errors.As(err, &f):
		return failed(f.typ, run.StepManifest, f.Error(), at)
	case errors.Is(err, dash.ErrIndexed):
		return failed(run.ErrUnsupported, run.StepManifest, "segments in an index (SegmentBase) cannot be played yet: "+err.Error(), at)
	case errors.Is(err, dash.ErrNoSegment):
		return failed(run.ErrManifestEmpty, run.StepManifest, err.Error(), at)
	}
	return manifestFailure(run.StepManifest, err, at)
}

func (s *session) dashRef(r dash.Ref) ref {
	out := ref{url: s.cfg.rewrite(r.URL)}
	if !r.ByteRange.IsWhole() {
		out.rng = &fetch.Range{Offset: r.ByteRange.Offset, Length: r.ByteRange.Length}
	}
	return out
}

// clock turns our time into the presentation's.
type clock struct{ offset time.Duration }

func (c clock) at(t time.Time) time.Time { return t.Add(c.offset) }

// dashClock asks the first of the MPD's clocks that answers, of the schemes
// known here (UTCTiming, 5.8.4.11); without any it is ours. Playback waits for
// it. The error is that of the last, when none of them answers.
func (s *session) dashClock(ctx context.Context, mpd *dash.MPD, m answer) (Moment, clock, error) {
	after := m.Moment
	var last error
	for _, timing := range mpd.UTCTiming {
		scheme, _, _ := strings.Cut(strings.TrimPrefix(timing.Scheme, "urn:mpeg:dash:utc:"), ":")
		switch scheme {
		case "direct":
			if t, err := dash.ParseDateTime(strings.TrimSpace(timing.Value)); err == nil {
				return after, clock{t.Sub(m.At)}, nil
			}
		case "http-xsdate", "http-iso", "http-head":
			for where := range strings.FieldsSeq(timing.Value) {
				at, c, err := s.askClock(ctx, scheme, resolve(m.url, where), after)
				var f *failure
				if !errors.As(err, &f) || ctx.Err() != nil {
					return at, c, err
				}
				after, last = f.at, err
			}
		}
	}
	return after, clock{}, last
}

// resolve is the address of reference in a manifest at base.
func resolve(base, reference string) string {
	b, err := url.Parse(base)
	if err != nil {
		return reference
	}
	u, err := b.Parse(reference)
	if err != nil {
		return reference
	}
	return u.String()
}

// askClock asks one clock. Its answer counts from its end.
func (s *session) askClock(ctx context.Context, scheme, where string, after Moment) (Moment, clock, error) {
	method := http.MethodGet
	if scheme == "http-head" {
		method = http.MethodHead
	}
	var body bytes.Buffer
	var told time.Time
	got, err := s.request(ctx, ask{
		name: run.StepClock, method: method, url: s.cfg.rewrite(where), after: after, think: s.model.Think.Playlist,
		maxBytes: maxClock, reset: body.Reset, body: collect(&body),
		done: func(x *fetch.Exchange) (err error) {
			if scheme == "http-head" {
				told, err = http.ParseTime(x.Header.Get("Date"))
			} else {
				told, err = dash.ParseDateTime(strings.TrimSpace(body.String()))
			}
			if err != nil {
				return &fault{run.ErrManifestInvalid, fmt.Errorf("UTCTiming %s at %s: %w", scheme, short(where), err)}
			}
			return nil
		},
	})
	if err != nil {
		return after, clock{}, err
	}
	return got.Moment, clock{told.Sub(got.At)}, nil
}
