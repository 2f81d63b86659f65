package clocks

import (
	"context"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"time"
)

// patience is how long a [Leaping] clock waits at most for all that runs to
// come to rest: in a process that has other things to do it would stand still
// for ever.
const patience = 2 * time.Second

// look is the time between two looks at whether anything runs.
const look = 50 * time.Microsecond

// Leaping is a clock that stands still while any goroutine of the process runs
// or could run, and else leaps to the instant of what is due next. It is for a
// process that does little else: what others do meanwhile takes none of its
// time, but holds it up, for at most 2 s each leap.
//
// [Leaping.Run] drives it.
type Leaping struct {
	more chan struct{} // something is due

	mu  sync.Mutex
	now time.Time
	due []*event // by instant, those of the same in the order in which they came
}

// event is a call that is due.
type event struct {
	at time.Time
	f  func()
}

// NewLeaping is a clock that shows start.
func NewLeaping(start time.Time) *Leaping {
	return &Leaping{now: start, more: make(chan struct{}, 1)}
}

// Now is the time.
func (l *Leaping) Now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// AfterFunc calls f from the goroutine of Run.
func (l *Leaping) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &event{at: l.now.Add(max(d, 0)), f: f}
	i, _ := slices.BinarySearchFunc(l.due, e.at, func(o *event, at time.Time) int {
		if o.at.After(at) {
			return 1
		}
		return -1
	})
	l.due = slices.Insert(l.due, i, e)
	select {
	case l.more <- struct{}{}:
	default:
	}
	return func() bool { return l.remove(e) }
}

// remove takes an event off the list; false where it is not there.
func (l *Leaping) remove(e *event) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.due, e)
	if i < 0 {
		return false
	}
	l.due = slices.Delete(l.due, i, i+1)
	return true
}

// Run makes the clock go until ctx ends.
func (l *Leaping) Run(ctx context.Context) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-l.more:
		case <-ctx.Done():
			return
		}
		for rest(ctx, tick.C) && l.leap() {
		}
	}
}

// leap goes to the next instant at which something is due, and calls it; false
// where there is nothing.
func (l *Leaping) leap() bool {
	l.mu.Lock()
	if len(l.due) == 0 {
		l.mu.Unlock()
		return false
	}
	next := l.due[0]
	l.due = slices.Delete(l.due, 0, 1)
	l.now = next.at
	l.mu.Unlock()
	next.f()
	return true
}

// rest waits until nothing runs but the caller, for as long as patience; false
// when ctx has ended.
func rest(ctx context.Context, tick <-chan time.Time) bool {
	began := time.Now()
	for still := 0; still < 2 && time.Since(began) < patience; {
		runtime.Gosched() // what the last event woke goes first
		if busy() {
			still = 0
		} else if still++; still == 2 {
			break
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}

// busy tells whether a goroutine beside the caller's runs or could.
func busy() bool {
	sample := []metrics.Sample{
		{Name: "/sched/goroutines/running:goroutines"},
		{Name: "/sched/goroutines/runnable:goroutines"},
	}
	metrics.Read(sample)
	return sample[0].Value.Uint64() > 1 || sample[1].Value.Uint64() > 0
}
