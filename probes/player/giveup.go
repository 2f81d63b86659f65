package player

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
)

// UnderWay is a video segment that is being loaded.
type UnderWay struct {
	Plays     time.Duration // what it plays, as the manifest says
	Took      time.Duration // since it was asked for
	FirstByte time.Duration // from then until its first byte; 0: there is none yet
	Bytes     int64         // that have come
	Size      int64         // of all; 0: not said, or nothing has come
	Pieces    int           // how often some have come, each 50 ms or more after the one before, as browsers tell
	First     int64         // bytes that had come with the first of them…
	Piece     time.Duration // …and when, since it was asked for
	Again     bool          // it was given up before, in another rendition
}

// progress is how often browsers tell at most that more of an answer has come (the
// progress event of XMLHttpRequest).
const progress = 50 * time.Millisecond

// doubt watches a video segment that is being loaded, and leaves it where the model
// does. It is safe for concurrent use; all times are of one attempt.
type doubt struct {
	mu    sync.Mutex
	asked time.Time // zero: not yet
	last  time.Time // when a piece was counted
	UnderWay
}

// begins notes that the segment is asked for, or again.
func (d *doubt) begins(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked, d.last = at, time.Time{}
	d.UnderWay = UnderWay{Plays: d.Plays, Again: d.Again}
}

// head notes the answer's size.
func (d *doubt) head(x *fetch.Exchange) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.Size, _ = strconv.ParseInt(x.Header.Get("Content-Length"), 10, 64) // 0 where it is not said
	return nil
}

// got notes a piece.
func (d *doubt) got(n int, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.Bytes += int64(n)
	if d.FirstByte == 0 {
		d.FirstByte = max(at.Sub(d.asked), 1)
	}
	if at.Sub(d.last) < progress {
		return
	}
	if d.Pieces++; d.Pieces == 1 {
		d.First, d.Piece = d.Bytes, at.Sub(d.asked)
	}
	d.last = at
}

// now is how far it is; false: it has not been asked for.
func (d *doubt) now(at time.Time) (UnderWay, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	u := d.UnderWay
	u.Took = at.Sub(d.asked)
	return u, !d.asked.IsZero()
}

// doubt has the model look at a segment's request while it is under way. end ends
// that.
func (g *goingOn) doubt(ctx context.Context, p piece, a *ask) (end func()) {
	d := &doubt{UnderWay: UnderWay{Plays: a.length, Again: !g.gone.IsZero() && g.left.from == p.from}}
	asked, to := a.asked, a.body
	a.asked = func() {
		d.begins(g.instant())
		asked()
	}
	a.head = d.head
	a.body = func(p []byte, at time.Time) error {
		d.got(len(p), at)
		return body(to, p, at)
	}
	return aside(ctx, func(ctx context.Context) { g.look(ctx, p, d) })
}

// look asks the model from time to time whether it gives up what d watches, until
// it does or ctx ends; then the next rendition is not chosen anew.
func (g *goingOn) look(ctx context.Context, s piece, d *doubt) {
	for g.pause(ctx, g.instant().Add(g.buffering.Look), true, nil) == nil {
		p, index := g.among()
		u, asked := d.now(g.instant())
		if !asked || len(index) < 2 || p.At < 0 {
			continue
		}
		g.mu.Lock()
		to := g.giveUp(p, u)
		leaves := to >= 0 && to != p.At
		if leaves {
			g.gone, g.left, g.taken = g.instant(), s.stretch, true
		}
		g.mu.Unlock()
		if leaves {
			g.ladder.take(index[to], Moment{g.instant(), PressPlay})
			return
		}
	}
}
