package player

import (
	"math/rand/v2"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// countFailure counts one failed try more, and answers how many there were
// before it.
func (s *session) countFailure() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed++
	return s.failed - 1
}

// further tells whether the model makes another try, and after which delay, when so
// many tries have failed before the one that failed so.
func (s *session) further(p Policy, track string, fail *failure, before int) (delay time.Duration, ok bool) {
	delay, ok = p.again(fail, before)
	if !ok && p.Alone && !fail.timedOut && network(fail.typ) && before < p.ErrorRetries && s.alone(track) {
		delay, ok = p.delay(before), true
		if track == run.TrackVideo {
			s.markAlone()
		}
	}
	if p.Beat && delay > 0 {
		delay = s.toBeat(track, fail.at.At, delay)
	}
	return delay, ok
}

// again tells whether a failure is worth another try, and after which delay,
// when so many tries have failed before it.
func (p Policy) again(fail *failure, before int) (delay time.Duration, ok bool) {
	switch {
	case fail.timedOut:
		return fuzz(p.TimeoutDelay, p.Fuzz, p.chance), before < p.TimeoutRetries
	case p.retries(fail.typ):
		return p.delay(before), before < p.ErrorRetries
	}
	return 0, false
}

// retries tells whether a failure of that type is worth another try.
func (p Policy) retries(t run.ErrorType) bool {
	switch t {
	case run.ErrHTTP4xx:
		return p.Retry4xx
	case run.ErrHTTP5xx:
		return true
	case run.ErrDNS, run.ErrConnect, run.ErrTLS, run.ErrReset, run.ErrSegmentTruncated:
		return p.RetryBroken
	}
	return false // another try gives the same
}

// network tells whether a failure of that type is one of the way to the server
// or of the server, not of what was received.
func network(t run.ErrorType) bool {
	switch t {
	case run.ErrDNS, run.ErrConnect, run.ErrTLS, run.ErrReset, run.ErrSegmentTruncated,
		run.ErrTimeout, run.ErrStalled, run.ErrHTTP4xx, run.ErrHTTP5xx:
		return true
	}
	return false
}

// delay is the time before another try, when so many have failed before the
// last.
func (p Policy) delay(before int) time.Duration {
	d := p.ErrorDelay
	if p.Step > 0 {
		return min(d+time.Duration(before)*p.Step, p.MaxDelay)
	}
	for range before {
		if d *= 2; d > p.MaxDelay {
			d = max(p.MaxDelay, p.ErrorDelay)
			break
		}
	}
	return fuzz(d, p.Fuzz, p.chance)
}

// fuzz draws a delay from within a share of d around d, by chance: a number from
// [0, 1); nil: any.
func fuzz(d time.Duration, share float64, chance func() float64) time.Duration {
	if share == 0 {
		return d
	}
	if chance == nil {
		chance = rand.Float64
	}
	return time.Duration(float64(d) * (1 + share*(2*chance()-1)))
}

// without is what the limits leave of themselves when so much time is gone.
func (p Policy) without(gone time.Duration) Policy {
	for _, limit := range []*time.Duration{&p.FirstByte, &p.Total} {
		if *limit > 0 {
			*limit = max(*limit-gone, 1)
		}
	}
	return p
}
