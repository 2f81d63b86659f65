package player

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/firstframe/firstframe/probes/dash"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/steering"
)

// onwards is what a DASH presentation needs to go on.
type onwards struct {
	url          string  // of the MPD, after redirects
	video, audio stretch // what the first segments hold

	mu      sync.Mutex // guards what follows
	newest  *dash.MPD
	asked   time.Time     // when newest was
	broke   error         // why no newer one comes any more, where one should
	changed chan struct{} // closed when newest or broke changes; nil while nobody waits
	indexed map[string]*dash.Representation
	site    site
}

// starts is [feed.starts]: a live presentation starts at its position, which may
// lie within a segment.
func (d *dashTitle) starts() (from time.Duration, video, audio stretch) {
	video, audio = d.on.video, d.on.audio
	from = video.from
	if d.mpd.Dynamic {
		from = min(max(d.position, video.from), video.to)
	}
	return from, video, audio
}

// made is [feed.made].
func (d *dashTitle) made(at time.Time) (time.Duration, bool) {
	return at.Add(d.now.Sub(d.scene.at.At)).Sub(d.mpd.AvailabilityStart), d.p.chunked
}

// length is [feed.length].
func (d *dashTitle) length() time.Duration {
	if d.mpd.Dynamic || d.mpd.Duration == nil {
		return 0
	}
	return *d.mpd.Duration
}

// presentationTime is the time by the clock of a live presentation.
func (d *dashTitle) presentationTime() time.Time { return d.instant().Add(d.now.Sub(d.scene.at.At)) }

// note keeps what the first segment of a track holds, and the representation
// whose index has been read for it.
func (d *dashTitle) note(track string, q parts, indexed *dash.Representation) {
	first := &d.on.video
	if track == run.TrackAudio {
		first = &d.on.audio
	}
	*first = stretch{q.start, q.start + q.plays}
	if indexed != nil {
		d.noteIndex(indexName(d.period, track, indexed), indexed)
	}
}

func indexName(period *dash.Period, track string, r *dash.Representation) string {
	return fmt.Sprint(track, " ", period.Start, " ", r.ID)
}

// next is [feed.next].
func (d *dashTitle) next(ctx context.Context, track string, rendition int, from time.Duration, after Moment) (piece, error) {
	var used *dash.MPD // has nothing more of the track
	for {
		mpd, err := d.current(ctx, used)
		if err != nil {
			return piece{}, err
		}
		p, wait, err := d.look(ctx, mpd, track, rendition, from, after)
		switch {
		case err == nil && wait == 0:
			return p, nil
		case errors.Is(err, dash.ErrNoSegment) && !mpd.Dynamic:
			return piece{}, errOver
		case errors.Is(err, dash.ErrNoSegment):
			used = mpd
		case err != nil:
			return piece{}, err
		}
		if wait > 0 && d.sleepUntil(ctx, d.instant().Add(wait)) != nil {
			return piece{}, errGivenUp
		}
	}
}

// untilMade is the time between two looks at whether a segment is available: that
// needs no request, and an offset may make it so before it is complete.
const untilMade = 50 * time.Millisecond

// look is what an MPD has for a track at from, or next after that. wait says
// that it is not available yet, and when to look again. The error wraps [dash.ErrNoSegment]
// where there is nothing yet, or a *failure.
func (d *dashTitle) look(ctx context.Context, mpd *dash.MPD, track string, rendition int, from time.Duration, after Moment) (p piece, wait time.Duration, err error) {
	now := d.presentationTime()
	if mpd.Dynamic {
		first, _ := mpd.Window(now)
		from = max(from, first) // what was missed is gone
	}
	seg, rep, err := d.segmentAt(ctx, mpd, track, rendition, from+across, after)
	if err != nil {
		return piece{}, 0, err
	}
	if mpd.Dynamic {
		edge, err := rep.LiveEdge(now)
		if err != nil && !errors.Is(err, dash.ErrNoSegment) {
			return piece{}, 0, d.segmentFailure(err, after)
		}
		if err != nil || seg.Start > edge.Start {
			return piece{}, untilMade, nil
		}
	}
	p = piece{name: run.StepSegment, stretch: stretch{seg.Start, seg.Start + seg.Duration}}
	here := d.placed(rep)
	if moved, err := here.Again(seg); err == nil {
		seg = moved
	}
	p.media = d.dashRef(seg, elsewhere(here, again(seg)))
	if init, ok := rep.Init(); ok {
		known := d.dashRef(init, nil)
		if moved, ok := here.Init(); ok {
			init = moved
		}
		r := d.dashRef(init, elsewhere(here, (*dash.Representation).Init))
		as := known.resource()
		r.known, p.init = &as, &r
	}
	return p, 0, nil
}

// across is by how much the end of one segment and the start of the next may
// differ, by rounding or between representations.
const across = 20 * time.Millisecond

// segmentAt is the segment that plays at t in whichever period, or the first one after
// that, and its representation.
func (d *dashTitle) segmentAt(ctx context.Context, mpd *dash.MPD, track string, rendition int, t time.Duration, after Moment) (seg dash.Ref, rep *dash.Representation, err error) {
	err = dash.ErrNoSegment
	playing := mpd.PeriodAt(t)
	for i := range mpd.Periods {
		period := &mpd.Periods[i]
		if playing != nil && period.Start < playing.Start {
			continue
		}
		if rep, err = d.representation(ctx, period, track, rendition, after); err != nil {
			return seg, nil, err
		}
		if seg, err = rep.At(max(t, period.Start)); err == nil && seg.Start+seg.Duration <= t {
			err = dash.ErrNoSegment // the period ends within the segment, and before t
		}
		if !errors.Is(err, dash.ErrNoSegment) {
			break
		}
	}
	if err != nil && !errors.Is(err, dash.ErrNoSegment) {
		err = d.segmentFailure(err, after)
	}
	return seg, rep, err
}

// representation is, in a period of whichever copy of the MPD, the one that goes
// on with what a track plays: of the same id, else of the next bandwidth.
func (d *dashTitle) representation(ctx context.Context, period *dash.Period, track string, rendition int, after Moment) (*dash.Representation, error) {
	var was *dash.Representation
	kind := run.TrackVideo
	if track == run.TrackAudio {
		was, kind = d.audios[d.audio], run.TrackAudio
	} else {
		was = d.videos[rendition]
	}
	if d.content == soundOnly {
		kind = run.TrackAudio
	}
	var best *dash.Representation
	near := math.Inf(1)
	for _, set := range period.Sets(kind) {
		for i := range set.Representations {
			r := &set.Representations[i]
			far := math.Abs(float64(r.Bandwidth - was.Bandwidth))
			if r.ID == was.ID {
				far = -1
			}
			if far < near && plays(d.cfg.App.Codecs, r.Codecs) {
				best, near = r, far
			}
		}
	}
	if best == nil {
		return nil, failed(run.ErrUnsupported, run.StepManifest, fmt.Sprintf("a period at %v without %s that fits the app", period.Start, kind), after)
	}
	if _, ok := best.Index(); ok {
		return d.withIndex(ctx, period, track, best, after)
	}
	return best, nil
}

// withIndex is a representation with its index, which is asked for once.
func (d *dashTitle) withIndex(ctx context.Context, period *dash.Period, track string, r *dash.Representation, after Moment) (*dash.Representation, error) {
	name := indexName(period, track, r)
	d.on.mu.Lock()
	known := d.on.indexed[name]
	d.on.mu.Unlock()
	if known != nil {
		return known, nil
	}
	x, err := d.readIndex(ctx, track, r, after, true)
	if err != nil {
		return nil, err
	}
	d.noteIndex(name, x.rep)
	return x.rep, nil
}

func (d *dashTitle) noteIndex(name string, r *dash.Representation) {
	d.on.mu.Lock()
	defer d.on.mu.Unlock()
	if d.on.indexed == nil {
		d.on.indexed = map[string]*dash.Representation{}
	}
	d.on.indexed[name] = r
}

// current is the newest copy of the MPD; where that has been used up, nil: none
// has, the next one that [dashTitle.beside] gets. The error is a *failure, errOver
// or errGivenUp.
func (d *dashTitle) current(ctx context.Context, used *dash.MPD) (*dash.MPD, error) {
	for {
		mpd, changed, err := d.known()
		switch {
		case err != nil:
			return nil, err
		case mpd != used:
			return mpd, nil
		case d.due().IsZero():
			return nil, errOver
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, errGivenUp
		}
	}
}

// known is the newest copy of the MPD, and what is closed when there is another;
// err says why there will be none, where there should.
func (d *dashTitle) known() (mpd *dash.MPD, changed <-chan struct{}, err error) {
	d.on.mu.Lock()
	defer d.on.mu.Unlock()
	if d.on.changed == nil {
		d.on.changed = make(chan struct{})
	}
	return cmp.Or(d.on.newest, d.mpd), d.on.changed, d.on.broke
}

// due is when the MPD is to be asked for again (minimumUpdatePeriod, ISO/IEC
// 23009-1 clause 5.4.1); zero: never.
func (d *dashTitle) due() time.Time {
	d.on.mu.Lock()
	defer d.on.mu.Unlock()
	mpd, asked := d.on.newest, d.on.asked
	if mpd == nil {
		mpd, asked = d.mpd, d.scene.at.At
	}
	if !mpd.Dynamic || mpd.MinimumUpdatePeriod == nil {
		return time.Time{}
	}
	return asked.Add(max(*mpd.MinimumUpdatePeriod, minUpdate))
}

// beside is [feed.beside].
func (d *dashTitle) beside(ctx context.Context, kbps func() float64) {
	var wg sync.WaitGroup
	wg.Go(func() {
		d.keepSteering(ctx, func(u string) string { return steering.DASH(u, []string{d.location()}, kbps()) }, d.follow)
	})
	d.keepMPD(ctx)
	wg.Wait()
}

// keepMPD asks for the MPD again whenever it may have changed; the tracks go on with
// the copy before meanwhile, as players do it.
func (d *dashTitle) keepMPD(ctx context.Context) {
	for {
		due := d.due()
		if due.IsZero() || d.sleepUntil(ctx, due) != nil {
			return
		}
		asked := d.instant()
		mpd, _, _ := d.known()
		err := d.old(mpd)
		if err == nil {
			mpd, err = d.renew(ctx, mpd)
		}
		if errors.Is(err, errGivenUp) {
			return
		}
		d.on.mu.Lock()
		d.on.newest, d.on.asked, d.on.broke = mpd, asked, err
		if d.on.changed != nil {
			close(d.on.changed)
			d.on.changed = nil
		}
		d.on.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// minUpdate is the least time between two requests for an MPD whose
// minimumUpdatePeriod is 0.
const minUpdate = 500 * time.Millisecond

// renew asks for the MPD again.
func (d *dashTitle) renew(ctx context.Context, old *dash.MPD) (*dash.MPD, error) {
	where := d.on.url
	if len(old.Locations) > 0 {
		where = old.Locations[0]
	}
	var body bytes.Buffer
	var mpd *dash.MPD
	got, err := d.request(ctx, ask{
		name: run.StepManifest, url: d.cfg.rewrite(where), after: Moment{d.instant(), PressPlay},
		maxBytes: maxManifest, compress: true, reset: body.Reset, body: collect(&body),
	})
	if err != nil {
		return nil, err
	}
	if mpd, err = dash.Parse(got.url, body.Bytes()); err != nil {
		f := manifestFailure(run.StepManifest, err, got.Moment)
		d.blame(got.Step, f)
		return nil, f
	}
	if d.p.pathway != "" {
		mpd.Prefer(d.p.pathway)
	}
	return mpd, nil
}

// old is the failure of a live MPD whose list of segments has stopped growing.
func (d *dashTitle) old(mpd *dash.MPD) error {
	now := d.presentationTime()
	_, end := mpd.Window(now)
	edge, err := newest(mpd, now, end)
	if err != nil {
		return nil
	}
	age := max(0, now.Sub(mpd.AvailabilityStart.Add(edge.Start+edge.Duration)))
	if rule, ok := mpd.StaleAfter(edge.Duration); ok {
		if err := stale(age, edge.Duration, rule); err != nil {
			return d.segmentFailure(err, Moment{d.instant(), PressPlay})
		}
	}
	return nil
}
