package player

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
	"golang.org/x/sync/errgroup"
)

// goingOn is one track that plays on.
type goingOn struct {
	*playing
	track string
	has   map[resource]bool     // initialization segments and keys that have come
	after Moment                // what it did last
	next  time.Duration         // where what was loaded last ends; 0: where the track does
	was   int                   // the rendition of that
	came  []arrived             // of video, in turn
	plays map[int]time.Duration // what the last segment of each rendition that has come plays
	taken bool                  // the rendition of the next segment has been chosen: the one before was given up
}

// arrived is a segment that has come.
type arrived struct {
	stretch
	rendition int
}

// goOn is the track as the start left it.
func (o *playing) goOn(track string) *goingOn {
	g := &goingOn{playing: o, track: track, has: map[resource]bool{}, plays: map[int]time.Duration{}, after: Moment{o.head.at.Add(-o.buffering.Early), PressPlay}}
	if track == run.TrackVideo {
		g.came = o.came
		for _, c := range g.came {
			g.next, g.was, g.plays[c.rendition] = c.to, c.rendition, c.to-c.from
		}
	}
	for r := range o.began { // nothing changes it any more
		g.has[r] = true
	}
	q := o.p.video.parts
	if track == run.TrackAudio {
		q = o.p.audio.parts
	}
	for _, k := range []*keyRef{q.key, q.initKey} {
		if k != nil {
			g.has[resource{url: k.url}] = true
		}
	}
	return g
}

// run loads one segment of the track after the other. The error is that of the
// last; nil where nothing follows.
func (g *goingOn) run(ctx context.Context) error {
	if at, waits := g.firstLook(); waits && g.pause(ctx, at, true, nil) != nil {
		return errGivenUp
	}
	for {
		if g.room(ctx, g.track) != nil {
			return errGivenUp
		}
		switch err := g.one(ctx); {
		case errors.Is(err, errOver):
			return nil
		case err != nil:
			return err
		}
	}
}

// firstLook is when audio that came before the start looks for the first time after
// it whether there is room for more; it looks since it came.
func (g *goingOn) firstLook() (at time.Time, waits bool) {
	every, came := g.buffering.Every, g.p.audio.segment
	if g.track != run.TrackAudio || every == 0 || g.buffering.AudioFollows || came == nil || len(g.p.audio.more) > 0 {
		return time.Time{}, false
	}
	since := g.after.At.Sub(came.At)
	return came.At.Add((since + every - 1) / every * every), since > 0
}

// one gets the track's next segment. Another rendition is taken where the model
// does meanwhile, or where this one fails.
func (g *goingOn) one(ctx context.Context) error {
	whole := ctx
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	video := g.track == run.TrackVideo
	at := 0
	if video {
		if !g.taken {
			g.choose()
		}
		g.taken = false
		at = g.ladder.current(leave)
	}
	p, err := g.feed.next(ctx, g.track, at, g.from(at), g.after)
	if err == nil && !p.gap {
		err = g.load(ctx, p)
	}
	var turned *Moment
	if video {
		turned = g.ladder.settle()
	}
	switch {
	case err == nil:
		g.hold(p, at)
		return nil
	case turned != nil && whole.Err() == nil:
		g.after = *turned
		return nil
	case !video || errors.Is(err, errOver):
		return err
	}
	after, ok := g.failOver(whole, err)
	if !ok {
		return err
	}
	g.after = after
	return nil
}

// lead lets audio come along with a video segment on demand that is being asked for.
func (g *goingOn) lead(p piece) {
	if g.track == run.TrackVideo && g.p.mode == "vod" {
		g.change(func(time.Time) { g.leader = p.to })
	}
}

// from is where the next segment is to begin to play: where the one before ends, or
// earlier, where the model replaces what is held by a better rendition.
func (g *goingOn) from(rendition int) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.head.tracks[g.track]
	from := t.end
	if g.next > 0 {
		from = min(from, g.next)
	}
	if g.buffering.Replaces == nil || g.track != run.TrackVideo || rendition == g.was || g.p.chunked {
		return from
	}
	safe := g.buffering.Replaces(g.plays[rendition])
	ahead := g.head.ahead(g.track, g.instant())
	target := g.head.head + safe
	if ahead < safe || target >= from {
		return from
	}
	if lower(g.came, target, g.ladder.renditions, rendition) {
		return target
	}
	return from
}

// lower tells whether what has come last of an instant is of less bandwidth than a
// rendition.
func lower(came []arrived, at time.Duration, all []Rendition, than int) bool {
	for _, c := range slices.Backward(came) {
		if c.from <= at && at < c.to {
			return all[c.rendition].Kbps < all[than].Kbps
		}
	}
	return false
}

// hold adds what has come to what the track holds.
func (g *goingOn) hold(p piece, rendition int) {
	g.next, g.was = p.to, rendition
	g.change(func(now time.Time) {
		if p.gap {
			g.head.hold(g.track, p.to, p.to, rendition, now)
			return
		}
		g.head.hold(g.track, p.from, p.to, rendition, now)
		if g.track == run.TrackVideo {
			g.segment, g.segments = p.to-p.from, g.segments+1
			g.plays[rendition] = g.segment
			g.came = append(g.came, arrived{p.stretch, rendition})
		}
	})
}

// part is a request of a segment; it calls asked when that is about to go out.
type part func(ctx context.Context, asked func()) error

// load gets a segment, and of its key and initialization segment what has not
// come yet, in the model's order.
func (g *goingOn) load(ctx context.Context, p piece) error {
	var before, beside, behind []part
	var keys []string // that are to come
	key := func(k *keyRef) part {
		if k == nil || g.has[resource{url: k.url}] || slices.Contains(keys, k.url) {
			return nil
		}
		keys = append(keys, k.url)
		return func(ctx context.Context, asked func()) error { return g.key(ctx, k, asked) }
	}
	var init part
	if p.init != nil && !g.has[p.init.resource()] {
		if get := key(p.initKey); get != nil {
			before = append(before, get)
		}
		init = func(ctx context.Context, asked func()) error { return g.init(ctx, p.init, asked) }
	}
	if get := key(p.key); get != nil {
		switch g.session.model.Key {
		case KeyFirst:
			before = append(before, get)
		case KeyLast:
			behind = append(behind, get)
		default:
			beside = append(beside, get)
		}
	}
	m := g.session.model
	switch {
	case init == nil:
	case m.InitFirst || m.RangesInTurn && p.init.rng != nil && p.init.url == p.media.url:
		before = append(before, init)
	default:
		beside = append(beside, init)
	}
	beside = append(beside, func(ctx context.Context, asked func()) error {
		return g.media(ctx, p, func() { asked(); g.lead(p) })
	})
	for _, stage := range [][]part{before, beside, behind} {
		if err := atOnce(ctx, stage); err != nil {
			return err
		}
	}
	g.noteLoaded(p)
	return nil
}

// atOnce makes requests that go out at once, in this order: on one connection
// it is that in which they are answered. The error is that of the first that fails,
// which ends the others.
func atOnce(ctx context.Context, all []part) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, f := range all {
		sent := make(chan struct{})
		asked := sync.OnceFunc(func() { close(sent) })
		group.Go(func() error {
			defer asked()
			return f(ctx, asked)
		})
		<-sent
	}
	return group.Wait()
}

// noteLoaded remembers what need not be asked for again. Players forget their
// failures once a segment has come.
func (g *goingOn) noteLoaded(p piece) {
	if p.init != nil {
		g.has[p.init.resource()] = true
	}
	for _, k := range []*keyRef{p.key, p.initKey} {
		if k != nil {
			g.has[resource{url: k.url}] = true
		}
	}
	g.session.mu.Lock()
	defer g.session.mu.Unlock()
	g.failed = 0
	g.after = Moment{g.instant(), PressPlay}
}

// media gets the segment itself. What is in it was looked at when playback
// started.
func (g *goingOn) media(ctx context.Context, p piece, asked func()) error {
	think := g.think.NextSegment
	if g.track == run.TrackAudio {
		think = g.think.NextAudio
	}
	g.mu.Lock()
	ahead := g.head.ahead(g.track, g.instant())
	g.mu.Unlock()
	body, reset := g.pieces(p)
	a := ask{
		name: p.name, track: g.track, url: p.media.url, rng: p.media.rng, others: p.media.others, after: g.after, think: think,
		maxBytes: maxSegment, metered: true, asked: asked, length: p.to - p.from, ahead: ahead, body: body, reset: reset,
	}
	if g.giveUp != nil && g.track == run.TrackVideo {
		defer g.doubt(ctx, p, &a)()
	}
	got, err := g.request(ctx, a)
	if err != nil || g.bandwidth == nil || g.track == run.TrackAudio {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.bandwidth.Sample(got.FirstByte.Sub(got.Start), got.End.Sub(got.FirstByte), got.Bytes)
	return nil
}

// pieces holds what has come of a segment that is sent while it is made: no more
// than had been made, nor, of video, than its bytes hold at the rendition's
// bandwidth. Both functions are nil of other segments.
func (g *goingOn) pieces(p piece) (body func([]byte, time.Time) error, reset func()) {
	if _, chunked := g.feed.made(g.instant()); !chunked {
		return nil, nil
	}
	kbps, rendition := 0.0, 0
	if g.track == run.TrackVideo {
		l := g.ladder
		l.mu.Lock()
		kbps, rendition = l.renditions[l.at].Kbps, l.at
		l.mu.Unlock()
	}
	bytes := 0
	body = func(b []byte, at time.Time) error {
		bytes += len(b)
		to, _ := g.feed.made(at)
		if to = min(to, p.to); kbps > 0 {
			to = min(to, p.from+time.Duration(float64(bytes)*8/kbps*float64(time.Millisecond)))
		}
		if to > p.from {
			g.change(func(now time.Time) { g.head.hold(g.track, p.from, to, rendition, now) })
		}
		return nil
	}
	return body, func() { bytes = 0 }
}

func (g *goingOn) init(ctx context.Context, r *ref, asked func()) error {
	_, err := g.request(ctx, ask{
		name: run.StepInit, track: g.track, url: r.url, rng: r.rng, others: r.others, after: g.after, maxBytes: maxInit, metered: true, asked: asked,
	})
	return err
}

func (g *goingOn) key(ctx context.Context, k *keyRef, asked func()) error {
	_, err := g.request(ctx, ask{
		name: run.StepKey, track: g.track, url: k.url, after: g.after, maxBytes: maxKey, asked: asked,
		done: func(x *fetch.Exchange) error { return keyFits(int(x.Bytes), k.size()) },
	})
	return err
}
