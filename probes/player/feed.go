package player

import (
	"context"
	"errors"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// feed is what a presentation goes on with. HLS and DASH each have one.
type feed interface {
	// next is what a track plays at from, or next after that, in the rendition;
	// of a live stream it waits for it. after is what the track did last. The
	// error is errOver where nothing follows, a *failure, or errGivenUp.
	next(ctx context.Context, track string, rendition int, from time.Duration, after Moment) (piece, error)
	// beside is what goes on beside the tracks, with kbps for what is measured. It
	// returns when ctx ends, or before where nothing is left to do.
	beside(ctx context.Context, kbps func() float64)
	// starts is where the playhead starts, and what the tracks' first segments
	// hold, once they are there.
	starts() (from time.Duration, video, audio stretch)
	// made is how far the presentation had been made at an instant; false where
	// segments are not sent while they are made.
	made(at time.Time) (time.Duration, bool)
	// length is how long the presentation is; 0: live, or not known.
	length() time.Duration
}

// errOver says that nothing follows on a track.
var errOver = errors.New("the presentation is over")

// stretch is a stretch of the presentation's timeline.
type stretch struct{ from, to time.Duration }

// piece is a segment, or a part of one, that a track goes on with.
type piece struct {
	stretch
	name    run.StepName
	gap     bool // there is nothing to ask for (EXT-X-GAP)
	media   ref
	init    *ref
	initKey *keyRef
	key     *keyRef
}

// tolerance is by how much a segment may begin earlier than where a track has
// come to and yet be the next (maxFragLookUpTolerance of hls.js).
func tolerance(length time.Duration) time.Duration { return min(250*time.Millisecond, length/2) }

// resource names a ref.
type resource struct {
	url          string
	offset, size int64
}

func (r *ref) resource() resource {
	switch {
	case r.known != nil:
		return *r.known
	case r.rng == nil:
		return resource{url: r.url}
	}
	return resource{r.url, r.rng.Offset, r.rng.Length}
}
