package schedule

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"
)

// round is all CDNs and apps of one target, to be played at one time.
type round struct {
	target   string
	name     string
	due      time.Time
	jobs     []Job
	control  []Job
	revision string
}

func (s *Scheduler) round(t *timetable, slot int64) round {
	return round{
		target: t.name, name: t.round(slot), due: t.due(slot),
		jobs: t.jobs, control: s.plan.Control, revision: s.plan.Revision,
	}
}

// play waits for its turn, sees to the control targets and makes the round's
// runs one after another, in random order.
func (s *Scheduler) play(ctx context.Context, r round) {
	defer s.count(func(*Stats) { delete(s.busy, r.target) })
	done, err := s.turn(ctx, r)
	s.count(func(st *Stats) { st.Waiting-- })
	if err != nil {
		return // ctx ended before its turn came
	}
	defer done()
	ok, err := s.controlOK(ctx, r)
	if err != nil {
		return // ctx ended
	}
	late := s.cfg.wall().Sub(r.due) > lateAfter
	s.count(func(st *Stats) {
		st.Rounds++
		if late {
			st.Late++
		}
	})
	jobs := slices.Clone(r.jobs)
	rand.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
	for _, j := range jobs {
		if ctx.Err() != nil {
			return
		}
		s.probe(ctx, Attempt{Job: j, Round: r.name, ScheduledAt: r.due, PlanRevision: r.revision, ControlOK: ok})
	}
}

// turn waits until the round may begin; done is to be called when it is over.
func (s *Scheduler) turn(ctx context.Context, r round) (done func(), err error) {
	long := slices.ContainsFunc(r.jobs, func(j Job) bool { return j.Target.Play > 0 })
	if long {
		if err := s.long.Acquire(ctx, 1); err != nil {
			return nil, err
		}
	}
	release := func() {
		if long {
			s.long.Release(1)
		}
	}
	if err := s.turns.Acquire(ctx, 1); err != nil {
		release()
		return nil, err
	}
	return func() { s.turns.Release(1); release() }, nil
}

// probe makes one run. A panic ends that run, is counted and logged.
func (s *Scheduler) probe(ctx context.Context, a Attempt) (ok bool) {
	s.count(func(st *Stats) { st.Running++ })
	defer func() {
		cause := recover()
		s.count(func(st *Stats) {
			st.Running--
			st.Done++
			if cause != nil {
				st.Panics++
			}
		})
		if cause != nil {
			ok = false
			s.cfg.Log.Error("run panicked", "target", a.Target.Name, "cdn", a.CDN.Name, "app", a.App.Name,
				"panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
		}
	}()
	return s.cfg.Probe(ctx, a)
}

func (s *Scheduler) count(f func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.stats)
}

// control is what the control targets showed last.
type control struct {
	turn     chan struct{} // holds one token while someone reads or renews the rest
	revision string        // of the plan whose control targets were played
	at       time.Time
	ok       bool
}

// controlOK tells whether the control targets were fine just before this round,
// nil when there are none. Those that were played within the shortest of their
// intervals are not played again. One that plays is proof enough: it shows that the
// agent's own network works. It fails when ctx ends.
func (s *Scheduler) controlOK(ctx context.Context, r round) (*bool, error) {
	if len(r.control) == 0 {
		return nil, nil
	}
	c := &s.control
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c.at.IsZero() || c.revision != r.revision || time.Since(c.at) >= s.controlEvery(r.control) {
		due := s.cfg.wall().Round(0).UTC()
		ok := false
		for _, j := range r.control {
			a := Attempt{Job: j, Control: true, Round: "control@" + due.Format(time.RFC3339Nano), ScheduledAt: due, PlanRevision: r.revision}
			ok = s.probe(ctx, a) || ok
		}
		if ctx.Err() != nil {
			return nil, ctx.Err() // what was cut short says nothing of the network
		}
		c.ok, c.at, c.revision = ok, time.Now(), r.revision
	}
	ok := c.ok
	return &ok, nil
}

// controlEvery is the time between two looks at the control targets.
func (s *Scheduler) controlEvery(control []Job) time.Duration {
	every := time.Duration(0)
	for _, j := range control {
		if i := j.Target.Interval; i > 0 && (every == 0 || i < every) {
			every = i
		}
	}
	return cmp.Or(every, s.cfg.ControlEvery)
}
