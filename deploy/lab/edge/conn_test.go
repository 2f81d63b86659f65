package edge

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// line is a connection of nobody, and when it was reset.
type line struct {
	mu sync.Mutex
	at time.Time
}

func (*line) Drain(ctx context.Context) error { return ctx.Err() }

func (l *line) Abort() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at.IsZero() {
		l.at = time.Now()
	}
	return nil
}

// A connection is reset once what else is under way on it has its answer, or has
// had a second for that; requests that are all to be reset do not wait for each
// other.
func TestResetWaits(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name   string
		resets int
		others []time.Duration // how long they are under way
		later  time.Duration   // and, if not 0, one that begins after 10 ms
		want   time.Duration
	}{
		{"alone", 1, nil, 0, 20 * ms},
		{"two resets", 2, nil, 0, 20 * ms},
		{"beside others", 1, []time.Duration{300 * ms, 200 * ms}, 0, 320 * ms},
		{"two resets beside another", 2, []time.Duration{300 * ms}, 0, 320 * ms},
		{"beside one without end", 1, []time.Duration{time.Hour}, 0, 1020 * ms},
		{"one begins meanwhile", 1, nil, 200 * ms, 230 * ms},
		{"one without end begins meanwhile", 1, nil, time.Hour, 1020 * ms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				l := &line{}
				c := &conn{aborter: l}
				var wg sync.WaitGroup
				for _, d := range tt.others {
					c.begin()
					wg.Go(func() {
						defer c.end()
						time.Sleep(d)
					})
				}
				if tt.later > 0 {
					wg.Go(func() {
						time.Sleep(10 * ms)
						c.begin()
						defer c.end()
						time.Sleep(tt.later)
					})
				}
				for range tt.resets {
					c.begin()
				}
				for range tt.resets {
					wg.Go(func() {
						defer c.end()
						c.reset(t.Context())
					})
				}
				wg.Wait()
				if got := l.at.Sub(start); got != tt.want {
					t.Errorf("reset after %v, want %v", got, tt.want)
				}
			})
		})
	}
}
