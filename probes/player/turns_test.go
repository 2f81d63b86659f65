package player

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

// A request waits for one that is due before it and has not gone out, and keeps its
// distance from it; but not for long, nor for one that is due with or after it.
func TestInTurn(t *testing.T) {
	const never = -1
	for _, tt := range []struct {
		name        string
		due, gone   int // ms, of the other
		ends        int // ms, of the whole; 0: it does not
		wait, until int // ms
	}{
		{"on time", 10, 10, 0, 11, 11},
		{"woken late", 10, 13, 0, 11, 14},
		{"never", 10, never, 0, 11, 21},
		{"so late that it counts as never", 10, 30, 0, 11, 21},
		{"at the same time", 11, 13, 0, 11, 11},
		{"due later", 12, 13, 0, 11, 11},
		{"given up meanwhile", 10, never, 15, 11, 15},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, start := new(session), time.Now()
				at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
				ctx := t.Context()
				if tt.ends > 0 {
					var end context.CancelFunc
					ctx, end = context.WithDeadline(ctx, at(tt.ends))
					defer end()
				}
				other, mine := s.turns.take(at(tt.due)), s.turns.take(at(tt.wait))
				if tt.gone != never {
					go func() {
						time.Sleep(time.Until(at(tt.gone)))
						other.done(time.Now())
						other.done(time.Now())
					}()
				}
				time.Sleep(time.Until(at(tt.wait)))
				s.inTurn(ctx, mine)
				mine.done(time.Now())
				if got := int(time.Since(start).Milliseconds()); got != tt.until {
					t.Errorf("it went out after %d ms, want %d", got, tt.until)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if tt.gone != never && len(s.turns.waiting) > 0 {
					t.Errorf("%d still wait", len(s.turns.waiting))
				}
			})
		})
	}
}

// Of several it keeps its distance from the one that is due right before it.
func TestInTurnOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, start := new(session), time.Now()
		at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
		for _, other := range [][2]int{{9, 13}, {11, 14}} { // due, gone
			mine := s.turns.take(at(other[0]))
			time.AfterFunc(time.Until(at(other[1])), func() { mine.done(time.Now()) })
		}
		mine := s.turns.take(at(12))
		time.Sleep(time.Until(at(12)))
		if s.inTurn(t.Context(), mine); !time.Now().Equal(at(15)) {
			t.Errorf("it went out after %v, want 15ms", time.Since(start))
		}
	})
}

// lateOnce is a clock that wakes the first who waits 5 ms late.
type lateOnce struct{ woken atomic.Bool }

func (l *lateOnce) Now() time.Time { return time.Now() }

func (l *lateOnce) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	if !l.woken.Swap(true) {
		d += 5 * time.Millisecond
	}
	return time.AfterFunc(d, f).Stop
}

// calls are when requests went out, by address, in ms; each is answered after 30.
type calls struct {
	start time.Time
	mu    sync.Mutex
	at    map[string]int
}

func (c *calls) Do(_ context.Context, r fetch.Request) *fetch.Exchange {
	x := &fetch.Exchange{Start: time.Now(), Status: http.StatusOK}
	c.mu.Lock()
	c.at[r.URL] = int(x.Start.Sub(c.start).Milliseconds())
	c.mu.Unlock()
	time.Sleep(30 * time.Millisecond)
	x.FirstByte, x.End = time.Now(), time.Now()
	return x
}

// A request goes out behind the one that is due before it, though that is woken
// late, and waits for none that never goes out.
func TestRequestsInTurn(t *testing.T) {
	for _, tt := range []struct {
		name string
		ends time.Duration // of the first; 0: it does not
		want map[string]int
	}{
		{"woken late", 0, map[string]int{"first": 15, "second": 16}},
		{"given up", 5 * time.Millisecond, map[string]int{"second": 11}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &calls{start: time.Now(), at: map[string]int{}}
				s := &session{cfg: Config{Client: c, Clock: new(lateOnce)}, model: ideal, start: c.start}
				ctx, end := context.WithCancel(t.Context())
				defer end()
				if tt.ends > 0 {
					time.AfterFunc(tt.ends, end)
				}
				var both sync.WaitGroup
				both.Go(func() {
					_, _ = s.request(ctx, ask{name: run.StepSegment, url: "first", after: s.pressed(), think: 10 * time.Millisecond})
				})
				synctest.Wait()
				both.Go(func() {
					_, _ = s.request(t.Context(), ask{name: run.StepSegment, url: "second", after: s.pressed(), think: 11 * time.Millisecond})
				})
				both.Wait()
				if diff := cmp.Diff(tt.want, c.at); diff != "" {
					t.Errorf("requests (-want +got):\n%s", diff)
				}
			})
		})
	}
}
