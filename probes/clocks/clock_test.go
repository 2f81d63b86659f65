package clocks

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// leaping is a clock that goes until the test ends.
func leaping(t testing.TB, start time.Time) *Leaping {
	t.Helper()
	l := NewLeaping(start)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { l.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return l
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// An hour of waiting takes no time, and what happens in it happens in order and
// at its instant.
func TestLeaping(t *testing.T) {
	l := leaping(t, start)
	began := time.Now()
	type note struct {
		who string
		at  time.Duration
	}
	var mu sync.Mutex
	var notes []note
	var wg sync.WaitGroup
	for who, every := range map[string]time.Duration{"a": 7 * time.Minute, "b": 11 * time.Minute} {
		wg.Go(func() {
			for at := start.Add(every); at.Before(start.Add(time.Hour)); at = at.Add(every) {
				if err := Sleep(context.Background(), l, at); err != nil {
					t.Error(err)
				}
				work() // meanwhile the clock stands still
				mu.Lock()
				notes = append(notes, note{who, l.Now().Sub(start)})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	want := []note{{"a", 7}, {"b", 11}, {"a", 14}, {"a", 21}, {"b", 22}, {"a", 28}, {"b", 33}, {"a", 35}, {"a", 42}, {"b", 44}, {"a", 49}, {"b", 55}, {"a", 56}}
	if len(notes) != len(want) {
		t.Fatalf("%v, want %d notes", notes, len(want))
	}
	for i, n := range notes {
		if n.who != want[i].who || n.at != want[i].at*time.Minute {
			t.Errorf("note %d: %s at %v, want %s at %v", i, n.who, n.at, want[i].who, want[i].at*time.Minute)
		}
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v", took)
	}
}

// work keeps a processor busy for a while.
func work() {
	for begun := time.Now(); time.Since(begun) < 3*time.Millisecond; {
		runtime.Gosched()
	}
}

// A deadline ends a context, and those made from it, as one of package context
// does.
func TestWithDeadline(t *testing.T) {
	for name, c := range map[string]Clock{"system": System, "leaping": leaping(t, start)} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := WithTimeout(context.Background(), c, 30*time.Millisecond)
			defer cancel()
			child, cancelChild := context.WithCancelCause(ctx)
			defer cancelChild(nil)
			if err := child.Err(); err != nil {
				t.Errorf("ended before its time: %v", err)
			}
			<-child.Done()
			if !errors.Is(child.Err(), context.DeadlineExceeded) || !errors.Is(context.Cause(child), context.DeadlineExceeded) {
				t.Errorf("%v because of %v, want the deadline", child.Err(), context.Cause(child))
			}
			ctx, cancel = WithTimeout(context.Background(), c, time.Hour)
			cancel()
			if !errors.Is(ctx.Err(), context.Canceled) {
				t.Errorf("%v, want canceled", ctx.Err())
			}
			parent, end := context.WithCancel(context.Background())
			ctx, cancel = WithTimeout(parent, c, 1000*time.Hour)
			defer cancel()
			end()
			<-ctx.Done()
			if !errors.Is(ctx.Err(), context.Canceled) {
				t.Errorf("%v, want canceled with its parent", ctx.Err())
			}
		})
	}
}

// What was stopped is not called.
func TestStop(t *testing.T) {
	l := leaping(t, start)
	stop := l.AfterFunc(time.Hour, func() { t.Error("called") })
	if !stop() || stop() {
		t.Error("it could not be stopped, or twice")
	}
	if err := Sleep(context.Background(), l, start.Add(2*time.Hour)); err != nil {
		t.Error(err)
	}
	ctx, cancel := WithTimeout(context.Background(), l, time.Minute)
	defer cancel()
	if err := Sleep(ctx, l, l.Now().Add(time.Hour)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the deadline", err)
	}
}

func BenchmarkLeap(b *testing.B) {
	l := leaping(b, start)
	for b.Loop() {
		if err := Sleep(context.Background(), l, l.Now().Add(time.Second)); err != nil {
			b.Fatal(err)
		}
	}
}
