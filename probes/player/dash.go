package player

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
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
	period := mpd.PeriodAt(0)
	if mpd.Dynamic {
		_, edge := mpd.Window(clock.at(at.At))
		period = mpd.PeriodAt(edge)
	}
	video, err := s.chooseRepresentation(p, period, at)
	if err != nil {
		return err
	}
	videoParts, err := s.dashParts(p, mpd, video, run.TrackVideo, clock, at)
	if err != nil {
		return err
	}
	loadVideo := func(ctx context.Context) error { return s.load(ctx, &p.video, videoParts, at) }
	audio := mainAudio(period)
	if audio == nil {
		return loadVideo(ctx)
	}
	p.separate = true
	audioParts, err := s.dashParts(p, mpd, audio, run.TrackAudio, clock, at)
	if err != nil {
		return err
	}
	return s.tracks(ctx, p, loadVideo, func(ctx context.Context) error { return s.load(ctx, &p.audio, audioParts, at) })
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
		return nil, &failure{run.ErrUnsupported, run.StepManifest, "only audio: there is no frame to show", at}
	}
	i, err := s.choose(renditions, at)
	if err != nil {
		return nil, err
	}
	p.rendition = renditions[i]
	return all[i], nil
}

// mainAudio is the audio that plays without preferences: of the adaptation set
// with role main, else of the first, the representation with the least
// bandwidth. It is nil when audio is not a track of its own.
func mainAudio(period *dash.Period) *dash.Representation {
	sets := period.Sets("audio")
	if len(sets) == 0 {
		return nil
	}
	set := sets[0]
	for _, other := range sets {
		for _, role := range other.Roles {
			if role == "main" {
				set = other
			}
		}
		if set != sets[0] {
			break
		}
	}
	best := &set.Representations[0]
	for i := range set.Representations {
		if r := &set.Representations[i]; r.Bandwidth < best.Bandwidth {
			best = r
		}
	}
	return best
}

// dashParts is what the segment consists of at which playback starts.
func (s *session) dashParts(p *presentation, mpd *dash.MPD, r *dash.Representation, track string, clock clock, at Moment) (parts, error) {
	init, hasInit := r.Init()
	q := s.think(parts{track: track}, hasInit)
	seg, err := r.First()
	if err == nil && mpd.Dynamic {
		seg, err = s.dashLive(p, mpd, r, track, clock.at(at.At))
	}
	var f *fault
	switch {
	case errors.As(err, &f):
		return q, &failure{f.typ, run.StepManifest, f.Error(), at}
	case errors.Is(err, dash.ErrIndexed):
		return q, &failure{run.ErrUnsupported, run.StepManifest, "segments in an index (SegmentBase) cannot be played yet: " + err.Error(), at}
	case errors.Is(err, dash.ErrNoSegment):
		return q, &failure{run.ErrManifestEmpty, run.StepManifest, err.Error(), at}
	case err != nil:
		return q, manifestFailure(run.StepManifest, err, at)
	}
	q.media = s.dashRef(seg)
	if hasInit {
		ref := s.dashRef(init)
		q.init = &ref
	}
	return q, nil
}

// dashLive is the segment of a dynamic presentation at which playback starts:
// the presentation delay before now, within what is available. A presentation
// without a delay of its own gets three segments. The error is a fault when a
// timeline that should grow has stopped.
func (s *session) dashLive(p *presentation, mpd *dash.MPD, r *dash.Representation, track string, now time.Time) (dash.Ref, error) {
	edge, err := r.LiveEdge(now)
	if err != nil {
		return edge, err
	}
	end := mpd.AvailabilityStart.Add(edge.Start + edge.Duration)
	if track == run.TrackVideo {
		age := max(0, now.Sub(end))
		p.age = &age
		if mpd.MinimumUpdatePeriod != nil {
			if err := stale(age, edge.Duration); err != nil {
				return edge, err
			}
		}
	}
	delay := 3 * edge.Duration
	switch {
	case mpd.LatencyTarget != nil:
		delay = *mpd.LatencyTarget
	case mpd.SuggestedPresentationDelay != nil:
		delay = *mpd.SuggestedPresentationDelay
	}
	seg := edge
	position := now.Sub(mpd.AvailabilityStart) - s.model.LiveDelay(delay, edge.Duration)
	if position < edge.Start {
		if seg, err = r.At(position); errors.Is(err, dash.ErrNoSegment) {
			seg, err = r.First() // the presentation is younger than the delay
		}
	}
	if track == run.TrackVideo {
		p.position = mpd.AvailabilityStart.Add(seg.Start)
	}
	return seg, err
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

// dashClock asks the first clock of the MPD's UTCTiming that is known here
// (5.8.4.11); without one it is ours. Playback waits for its answer.
func (s *session) dashClock(ctx context.Context, mpd *dash.MPD, m answer) (Moment, clock, error) {
	for _, timing := range mpd.UTCTiming {
		scheme := strings.TrimSuffix(strings.TrimPrefix(timing.Scheme, "urn:mpeg:dash:utc:"), ":2014")
		switch scheme {
		case "direct":
			if t, err := dash.ParseDateTime(strings.TrimSpace(timing.Value)); err == nil {
				return m.Moment, clock{t.Sub(m.At)}, nil
			}
		case "http-xsdate", "http-iso", "http-head":
			return s.askClock(ctx, scheme, timing.Value, m)
		}
	}
	return m.Moment, clock{}, nil
}

// askClock asks one clock. Its answer counts from its end.
func (s *session) askClock(ctx context.Context, scheme, values string, m answer) (Moment, clock, error) {
	where, _, _ := strings.Cut(strings.TrimSpace(values), " ") // alternatives, the preferred one first
	if base, err := url.Parse(m.url); err == nil {
		if u, err := base.Parse(where); err == nil {
			where = u.String()
		}
	}
	method := http.MethodGet
	if scheme == "http-head" {
		method = http.MethodHead
	}
	var body bytes.Buffer
	var told time.Time
	got, err := s.request(ctx, ask{
		name: run.StepClock, method: method, url: s.cfg.rewrite(where), after: m.Moment, think: s.model.Think.Playlist,
		maxBytes: 1 << 10, reset: body.Reset, body: collect(&body),
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
		return m.Moment, clock{}, err
	}
	return got.Moment, clock{told.Sub(got.At)}, nil
}
