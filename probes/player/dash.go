package player

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firstframe/firstframe/probes/dash"
	"github.com/firstframe/firstframe/probes/run"
)

// dashTitle is an MPD, and where in it playback starts.
type dashTitle struct {
	*session
	scene
	p      *presentation
	videos []*dash.Representation // that the app can play; of sound only those of the sound
	audios []*dash.Representation // of one adaptation set; empty when there is none
	audio  int                    // of audios, the one that plays
	on     onwards
}

// scene is where in a presentation playback starts.
type scene struct {
	mpd      *dash.MPD
	period   *dash.Period
	at       Moment        // all that was needed to know it was there
	now      time.Time     // by the presentation's clock, when it is live
	position time.Duration // on the MPD timeline, when it is live
}

// playDASH goes on from an MPD: through its clock, where it is live, to the
// first segments of video and audio.
func (s *session) playDASH(ctx context.Context, p *presentation, m answer, body []byte) error {
	mpd, err := dash.Parse(m.url, body)
	if err != nil {
		return manifestFailure(run.StepManifest, err, m.Moment)
	}
	if s.model.Priorities {
		mpd.Prioritise()
	}
	at, clock := m.Moment, clock{}
	p.mode = "vod"
	if mpd.Dynamic {
		p.mode = "live"
		if !s.model.ListedNeedsNoClock || !listed(mpd) {
			if at, clock, err = s.dashClock(ctx, mpd, m); err != nil {
				return err
			}
		}
	}
	s.noteStream(p.mode != "vod")
	d := &dashTitle{session: s, p: p, scene: scene{mpd: mpd, period: mpd.PeriodAt(0), at: at}, on: onwards{url: m.url}}
	p.feed = d
	stop, err := d.steer(ctx)
	defer stop()
	if err != nil {
		return err
	}
	if at = d.at; mpd.Dynamic {
		if mpd.LowLatency() {
			p.mode, p.chunked = "low_latency", s.model.LowLatency
			s.hurried = p.chunked && s.model.HurriedTries > 0
		}
		if err := d.joinLive(clock.at(at.At)); err != nil {
			return d.segmentFailure(err, at)
		}
	}
	renditions, err := d.choose()
	if err != nil {
		return err
	}
	return s.playTitle(ctx, p, &title{renditions: renditions, separate: d.audios != nil, at: at, find: d.find})
}

// listed tells whether the segments of a presentation are listed in a
// SegmentTimeline.
func listed(mpd *dash.MPD) bool {
	for i := range mpd.Periods {
		for _, set := range mpd.Periods[i].Main() {
			return set.Representations[0].Listed()
		}
	}
	return false
}

// find gets a track's index, where it has one, and finds the segment at which
// the model starts.
func (d *dashTitle) find(ctx context.Context, track string, rendition int, after Moment, _ bool) (found, error) {
	of, i := d.videos, rendition
	if track == run.TrackAudio {
		of, i = d.audios, d.audio
	}
	r, q := of[i], parts{track: track}
	at := after
	_, indexed := r.Index()
	if indexed {
		x, err := d.index(ctx, track, of, i, after)
		if err != nil {
			return found{}, err
		}
		r, at, q.initBody, q.initAt = x.rep, x.at, x.init, x.at
	}
	f, err := d.segments(r, q)
	if err != nil {
		return found{}, d.segmentFailure(err, at)
	}
	f.at = at
	if !indexed {
		d.note(track, f.parts, nil)
	} else {
		d.note(track, f.parts, r)
	}
	if x := d.think.AfterIndex; indexed && x > 0 {
		f.thinkInit, f.thinkMedia = x, x
	}
	if track == run.TrackVideo && d.mpd.Dynamic {
		behind := d.now.Sub(d.mpd.AvailabilityStart) - f.start
		d.p.behind, d.p.edgeAt = &behind, d.at.At
	}
	return f, nil
}

// segments finds what there is to load of a representation; q is filled in.
func (d *dashTitle) segments(r *dash.Representation, q parts) (found, error) {
	init, hasInit := r.Init()
	q = d.thinking(q, hasInit)
	seg, err := r.First()
	if err == nil && d.mpd.Dynamic {
		seg, err = d.segment(r)
	}
	if err != nil {
		return found{}, err
	}
	q.start, q.plays = seg.Start, seg.Duration
	q.media = d.dashRef(seg, elsewhere(r, again(seg)))
	q.lead = d.lead(r, seg)
	if hasInit {
		ref := d.dashRef(init, elsewhere(r, (*dash.Representation).Init))
		q.init = &ref
	}
	f := found{parts: q, live: d.mpd.Dynamic}
	f.ahead = Ahead{Live: d.mpd.Dynamic, Audio: seg.Duration, Longest: max(seg.Duration, d.mpd.MaxSegmentDuration)}
	if !d.mpd.Dynamic {
		f.ahead.Longest = max(f.ahead.Longest, r.Longest())
	}
	if next, err := r.Next(seg); err == nil {
		ref := d.dashRef(next, nil)
		f.next, f.lasts = &ref, next.Duration
	}
	f.length, f.parts.after = seg.Duration, f.next
	return f, nil
}

// maxLead bounds the segments that a model loads before the one that it shows.
const maxLead = 10

// lead are the segments before seg with which the model begins to load a dynamic
// presentation, because it loads from earlier than it plays.
func (d *dashTitle) lead(r *dash.Representation, seg dash.Ref) (lead []ref) {
	if !d.mpd.Dynamic || d.model.Earlier == 0 || d.p.chunked {
		return nil
	}
	first, _ := d.mpd.Window(d.now)
	from, err := r.At(max(d.position-d.model.Earlier, first, d.period.Start))
	for err == nil && from.Start < seg.Start && len(lead) < maxLead {
		lead = append(lead, d.dashRef(from, elsewhere(r, again(from))))
		from, err = r.Next(from)
	}
	return lead
}

// segment is the one at which playback of a dynamic presentation starts: that
// of the position, within what is available.
func (c *scene) segment(r *dash.Representation) (dash.Ref, error) {
	edge, err := r.LiveEdge(c.now)
	if err != nil {
		return edge, err
	}
	if c.position >= edge.Start {
		// Of a segment sequence its first, with which playback can start.
		if first, err := r.At(edge.Start); err == nil && first.Start <= edge.Start {
			return first, nil
		}
		return edge, nil
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
func (d *dashTitle) joinLive(now time.Time) error {
	d.now = now
	start, end := d.mpd.Window(now)
	edge, err := newest(d.mpd, now, end)
	if err != nil {
		return err
	}
	age := max(0, now.Sub(d.mpd.AvailabilityStart.Add(edge.Start+edge.Duration)))
	d.p.age = &age
	if rule, ok := d.mpd.StaleAfter(edge.Duration); ok {
		if err := stale(age, edge.Duration, rule); err != nil {
			return err
		}
	}
	l := Live{
		DASH: true, Target: edge.Duration, Longest: max(d.mpd.MaxSegmentDuration, edge.Duration), Declared: d.mpd.MaxSegmentDuration,
		Buffer: d.mpd.MinBufferTime, Listed: listed(d.mpd), SinceEnd: age,
	}
	if d.mpd.SuggestedPresentationDelay != nil {
		l.Asked, l.Delay = *d.mpd.SuggestedPresentationDelay, *d.mpd.SuggestedPresentationDelay
	}
	if d.mpd.LatencyTarget != nil {
		l.Asked = *d.mpd.LatencyTarget
	}
	if d.p.chunked {
		l.Early = d.mpd.Early()
	}
	live := now.Sub(d.mpd.AvailabilityStart)
	d.position = min(max(live-d.model.LiveDelay(l), start), edge.Start+edge.Duration-1)
	d.period = d.mpd.PeriodAt(d.position)
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
		for _, set := range period.Main() {
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
		return failed(run.ErrUnsupported, run.StepManifest, "live segments in an index (SegmentBase): "+err.Error(), at)
	case errors.Is(err, dash.ErrNoSegment):
		return failed(run.ErrManifestEmpty, run.StepManifest, err.Error(), at)
	}
	return manifestFailure(run.StepManifest, err, at)
}
