package player

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
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
