package player

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"

	"github.com/firstframe/firstframe/probes/clocks"
	"github.com/firstframe/firstframe/probes/run"
)

// clock is what the run goes by.
func (s *session) clock() clocks.Clock {
	if s.cfg.Clock == nil {
		return clocks.System
	}
	return s.cfg.Clock
}

// instant is the time by the run's clock.
func (s *session) instant() time.Time { return s.clock().Now() }

// sleepUntil waits for t, or for the end of ctx, whose error it gives.
func (s *session) sleepUntil(ctx context.Context, t time.Time) error {
	return clocks.Sleep(ctx, s.clock(), t)
}

// policy is the model's, with the run's own chance.
func (s *session) policy(step run.StepName) Policy {
	p := s.model.policy(step)
	if s.hurried && (step == run.StepInit || step == run.StepSegment) {
		p = p.hurried(s.model.HurriedTries, s.model.HurriedShare)
	}
	p.chance = s.chance
	return p
}

// chance draws a number from [0, 1).
func (s *session) chance() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dice == nil {
		seed := cmp.Or(s.cfg.Seed, rand.Uint64())
		s.dice = rand.New(rand.NewPCG(seed, seed))
	}
	return s.dice.Float64()
}
