// Package schedule says when to probe what.
//
// All CDNs and apps of one target form a round. A target's rounds come at a
// steady period: one in each interval of the Unix clock, at a phase that
// depends on the agent's and the target's name alone, so that a fleet does not
// fire at once, nothing drifts, and a restart changes nothing; with a jitter of
// at most a fiftieth of the interval, so that it does not beat with other
// periodic things. Runs of a round follow one another closely, in random order,
// so that they can be paired; they are not made beside one another, because they
// would compete for the agent's own link and each would measure the others. At
// most [Config.Concurrency] rounds are under way at once, and half as many of those
// whose target is played on after the start, so that they do not hold up the
// others; those that wait get their turn in the order in which they came. A round
// whose predecessor still runs is skipped and counted: a target never overlaps
// itself.
//
// [Scheduler.Run] is the entry; [Scheduler.Update] puts a new plan in force at
// any time.
package schedule

import (
	"container/heap"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/firstframe/firstframe/probes/plan"
	"golang.org/x/sync/semaphore"
)

// The defaults of a Config.
const (
	DefaultConcurrency  = 16
	DefaultControlEvery = time.Minute
)

const (
	lateAfter = time.Second // from scheduled to started, beyond which a round is late
	stepAfter = time.Second // by which the wall clock must leave the monotonic one to count as set
	maxWait   = time.Minute // until the clock is looked at again
)

// Job is one way to play one target.
type Job = plan.Job

// Plan is what is to be probed. Jobs with the same target name form a round;
// the interval is that of the first of them, [run.DefaultInterval] when zero.
type Plan struct {
	Revision string
	Jobs     []Job
	Control  []Job // to tell an ill agent from an ill CDN; all at the shortest of their intervals
}

// Attempt is one run to be made.
type Attempt struct {
	Job
	Control      bool      // it is of the plan's control targets
	Round        string    // target@start of its interval: the same for all CDNs, apps and agents
	ScheduledAt  time.Time // when it should have begun, on the wall clock in UTC
	PlanRevision string
	ControlOK    *bool // nil when the plan has no control targets
}

// Config is what a Scheduler needs. Its zero value, with Probe, works.
type Config struct {
	// Probe makes one run and tells whether it played. It returns soon after
	// its context ends.
	Probe func(ctx context.Context, a Attempt) (ok bool)

	Agent        string        // spreads agents over the interval
	Concurrency  int           // rounds under way at once; 0 means DefaultConcurrency
	ControlEvery time.Duration // the interval of control targets that have none; 0 means DefaultControlEvery
	Log          *slog.Logger  // nil means slog.Default

	wall func() time.Time // nil means time.Now
}

// Stats counts what became of the plan since the start.
type Stats struct {
	Targets int   // in force
	Waiting int   // rounds that wait for their turn
	Running int   // runs under way, control included
	Done    int64 // runs that came to their end, control included
	Rounds  int64 // rounds begun
	Skipped int64 // rounds that were due and did not begin
	Late    int64 // rounds that began more than a second after they were due
	Panics  int64 // runs that ended in a panic
}

// Scheduler calls Config.Probe when it is time.
type Scheduler struct {
	cfg     Config
	turns   *semaphore.Weighted
	long    *semaphore.Weighted // for rounds that play on, beside a turn
	rounds  sync.WaitGroup
	changed chan struct{} // holds one token after an Update
	control control
	start   time.Time // to tell monotonic time

	mu    sync.Mutex
	plan  Plan
	queue queue
	busy  map[string]bool // targets with a round that waits or runs
	stats Stats
	seen  reading
}

// reading is both clocks at one instant.
type reading struct {
	wall      time.Time
	monotonic time.Duration
}

// New makes a scheduler with an empty plan.
func New(cfg Config) *Scheduler {
	if cfg.Concurrency <= 0 {
		cfg.Concurrency = DefaultConcurrency
	}
	if cfg.ControlEvery <= 0 {
		cfg.ControlEvery = DefaultControlEvery
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.wall == nil {
		cfg.wall = time.Now
	}
	s := &Scheduler{
		cfg:     cfg,
		turns:   semaphore.NewWeighted(int64(cfg.Concurrency)),
		long:    semaphore.NewWeighted(int64(max(cfg.Concurrency/2, 1))),
		changed: make(chan struct{}, 1),
		control: control{turn: make(chan struct{}, 1)},
		start:   time.Now(),
		busy:    map[string]bool{},
	}
	s.seen = s.read()
	return s
}

// Update puts p in force. Rounds under way end as they began; a target whose
// interval did not change keeps its phase. p is not to be changed afterwards.
func (s *Scheduler) Update(p Plan) {
	jobs := map[string][]Job{}
	var names []string
	for _, j := range p.Jobs {
		if jobs[j.Target.Name] == nil {
			names = append(names, j.Target.Name)
		}
		jobs[j.Target.Name] = append(jobs[j.Target.Name], j)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := map[string]*timetable{}
	for _, t := range s.queue {
		before[t.name] = t
	}
	now := s.look()
	s.queue = make(queue, 0, len(names))
	for _, name := range names {
		t := newTimetable(s.cfg.Agent, name, jobs[name])
		t.move(t.next(now))
		if old := before[name]; old != nil && old.interval == t.interval {
			t.move(old.slot)
		}
		s.queue = append(s.queue, t)
	}
	heap.Init(&s.queue)
	s.plan = p
	s.stats.Targets = len(names)
	select {
	case s.changed <- struct{}{}:
	default: // one token is enough
	}
}

// Stats is what happened until now.
func (s *Scheduler) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Run begins rounds when they are due until ctx ends, and returns the cause of
// that once every run has returned. It is to be called once.
func (s *Scheduler) Run(ctx context.Context) error {
	defer s.rounds.Wait()
	s.mu.Lock()
	s.replan(s.look()) // what was due before the start is not late, nor skipped
	s.mu.Unlock()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.changed:
		case <-timer.C:
		}
		timer.Reset(s.fire(ctx))
	}
}

// fire begins the rounds that are due and tells how long to wait for the next.
func (s *Scheduler) fire(ctx context.Context) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.look()
	for len(s.queue) > 0 {
		t := s.queue[0]
		if wait := t.at.Sub(now); wait > 0 {
			return min(wait, maxWait)
		}
		last := t.next(now) - 1
		s.stats.Skipped += last - t.slot // passed by while this loop was held up
		if s.busy[t.name] {
			s.stats.Skipped++
		} else {
			s.busy[t.name] = true
			r := s.round(t, last)
			s.stats.Waiting++
			s.rounds.Go(func() { s.play(ctx, r) })
		}
		t.move(last + 1)
		heap.Fix(&s.queue, 0)
	}
	return maxWait
}

// look reads the clocks. When the wall clock was set, or the machine slept, all
// targets are planned anew: rounds that fell into the gap were never due.
func (s *Scheduler) look() time.Time {
	now := s.read()
	step := now.wall.Sub(s.seen.wall) - (now.monotonic - s.seen.monotonic)
	s.seen = now
	if step.Abs() > stepAfter {
		s.replan(now.wall)
	}
	return now.wall
}

// replan makes the first rounds after now those that come next.
func (s *Scheduler) replan(now time.Time) {
	for _, t := range s.queue {
		t.move(t.next(now))
	}
	heap.Init(&s.queue)
}

func (s *Scheduler) read() reading {
	return reading{s.cfg.wall().Round(0), time.Since(s.start)}
}
