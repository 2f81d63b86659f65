package player

import (
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// next is the beat after which a frame shows whose last byte came at at, of a
// segment of so many bytes.
func (t *Tick) next(from, at time.Time, bytes int64) time.Time {
	return t.beat(from, at.Add(t.After.of(bytes)))
}

// beat is the first that is not before at, of the timer that began at from.
func (t *Tick) beat(from, at time.Time) time.Time {
	beats := (at.Sub(from) + t.Period - 1) / t.Period
	return from.Add(beats * t.Period)
}

// startTick starts the model's timer, where it does not run yet.
func (s *session) startTick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tickFrom.IsZero() {
		s.tickFrom = s.instant()
	}
}

// toBeat is how long after from a track is asked for again, when at least d is to
// pass before: at the beat of the model's timer that follows, of audio at the next
// one, as it goes on only from there; d where the timer does not run.
func (s *session) toBeat(track string, from time.Time, d time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.model.Tick == nil || s.tickFrom.IsZero() {
		return d
	}
	at := s.model.Tick.beat(s.tickFrom, from.Add(d))
	if track == run.TrackAudio {
		at = at.Add(s.model.Tick.Period)
	}
	return at.Sub(from)
}
