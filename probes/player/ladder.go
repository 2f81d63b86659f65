package player

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/firstframe/firstframe/probes/run"
)

// ladder is the video renditions of a run, the one that is played, and what has
// become of the others. It is safe for concurrent use.
type ladder struct {
	renditions []Rendition
	estimate   float64     // kbit/s, before anything is measured
	over       chan Moment // tells whom it may concern that a rendition has failed for good, and when another is taken

	first int // the one that it began with

	mu     sync.Mutex
	at     int // the one that is played
	failed []bool
	leave  func()  // ends what is under way of it; nil while nothing can be thrown away
	turned *Moment // when another one was taken meanwhile
}

// estimate is the bandwidth that the model assumes at first for these
// renditions.
func (s *session) estimate(renditions []Rendition) float64 {
	_, set := s.cfg.App.Set[paramStart]
	if s.content == soundOnly && s.model.SoundKbps > 0 && !set {
		return s.model.SoundKbps
	}
	return s.model.estimate(renditions, s.cfg.App.Set)
}

// current is the rendition that is played. From here on, until [ladder.settle],
// leave is called when another one is taken.
func (l *ladder) current(leave func()) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leave, l.turned = leave, nil
	return l.at
}

// now is the rendition that is played.
func (l *ladder) now() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at
}

// take leaves the rendition that is played for another, where that is still to
// any purpose.
func (l *ladder) take(to int, at Moment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if to == l.at || l.leave == nil {
		return
	}
	l.at, l.turned = to, &at
	l.leave()
	l.leave = nil
}

// best is what choose takes of the renditions that have not failed.
func (l *ladder) best(choose func(renditions []Rendition, estimateKbps float64) int, kbps float64) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	left, index := remaining(l.renditions, l.failed, -1)
	if len(left) == 0 {
		return l.at
	}
	return index[choose(left, kbps)]
}

// settle ends what current began: what is under way is complete or has failed.
// It answers when another rendition was taken before; nil when none was.
func (l *ladder) settle() *Moment {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leave = nil
	return l.turned
}

// alone tells whether the model has no other rendition to go to when this track
// fails.
func (s *session) alone(track string) bool {
	f := s.model.Failover
	if track != run.TrackVideo || f == nil || s.ladder == nil {
		return true
	}
	l := s.ladder
	l.mu.Lock()
	defer l.mu.Unlock()
	return f.Next(l.renditions, l.failed, l.at, l.estimate) < 0
}

// leaves tells whether the model leaves the rendition at once at such a failure.
func (s *session) leaves(fail *failure, track string) bool {
	f := s.model.Failover
	return f != nil && slices.Contains(f.Statuses, fail.status) && !s.alone(track)
}

// failOver goes to another rendition after err, where the model does. It answers
// from when on; ok is false when err is final.
func (s *session) failOver(ctx context.Context, err error) (after Moment, ok bool) {
	f := s.model.Failover
	var fail *failure
	if f == nil || !errors.As(err, &fail) || ctx.Err() != nil {
		return Moment{}, false
	}
	if fail.back {
		s.ladder.goBack()
		return fail.at, true
	}
	if !network(fail.typ) || fail.timedOut && !f.Timeouts || f.Statuses != nil && !slices.Contains(f.Statuses, fail.status) {
		return Moment{}, false
	}
	switch fail.step {
	case run.StepManifest, run.StepIndex:
		return Moment{}, false
	case run.StepPlaylist:
		if !f.Playlists {
			return Moment{}, false
		}
	}
	if after, err = s.hesitate(ctx, run.TrackVideo, fail); err != nil {
		return Moment{}, false
	}
	estimate := s.ladder.estimate
	if s.gauge != nil {
		if kbps, known := s.gauge.kbps(); known {
			estimate = kbps
		}
		s.gauge.rechosen(after.At)
	}
	if ok = s.ladder.giveUp(f, estimate); ok {
		select {
		case s.ladder.over <- after:
		default: // nobody waits for it
		}
	}
	return after, ok
}

// hesitate waits as the model does before it gives up what has failed for good;
// from then on it has failed. The error is that of ctx.
func (s *session) hesitate(ctx context.Context, track string, fail *failure) (after Moment, err error) {
	if f := s.model.Failover; f != nil && f.Delay > 0 {
		fail.at, err = s.wait(ctx, run.WaitRetry, track, fail.at, fuzz(f.Delay, f.Fuzz, s.chance))
	}
	return fail.at, err
}

// giveUp marks the rendition that is played as failed, and takes the next. It is
// false when there is none.
func (l *ladder) giveUp(f *Failover, estimate float64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed[l.at] = true
	next := f.Next(l.renditions, l.failed, l.at, estimate)
	if next < 0 {
		return false
	}
	l.at = next
	return true
}
