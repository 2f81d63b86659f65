package player

import "time"

// next is the beat at which a frame shows whose last byte came at at.
func (t *Tick) next(from, at time.Time) time.Time { return t.beat(from, at.Add(t.After)) }

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

// toBeat is how long after from the model's timer beats, when at least d is to
// pass before; d where it does not run.
func (s *session) toBeat(from time.Time, d time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.model.Tick == nil || s.tickFrom.IsZero() {
		return d
	}
	return s.model.Tick.beat(s.tickFrom, from.Add(d)).Sub(from)
}
