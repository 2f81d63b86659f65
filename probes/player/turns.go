package player

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/firstframe/firstframe/probes/clocks"
)

// patience bounds how long a request waits for one that is due before it.
const patience = 10 * time.Millisecond

// turns has requests that are due within moments of one another go out in that
// order, and as far apart, however late the machine wakes who makes them: a player
// sends them from one thread, and which goes first decides which connection each
// gets. Its zero value is ready; it is safe for concurrent use.
type turns struct {
	mu      sync.Mutex
	waiting []*turn
}

// turn is a request that is due.
type turn struct {
	of   *turns
	due  time.Time
	gone chan struct{} // closed when it has gone out, or never will
	at   time.Time     // when
}

// take adds a request that is due then.
func (t *turns) take(due time.Time) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	mine := &turn{of: t, due: due, gone: make(chan struct{})}
	t.waiting = append(t.waiting, mine)
	return mine
}

// done says that the request goes out, or never will; the second time it does
// nothing.
func (t *turn) done(now time.Time) {
	if t == nil {
		return
	}
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if i := slices.Index(t.of.waiting, t); i >= 0 {
		t.of.waiting = slices.Delete(t.of.waiting, i, i+1)
		t.at = now
		close(t.gone)
	}
}

// before is the request that goes out next before t; nil: none does.
func (t *turn) before() *turn {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	var last *turn
	for _, other := range t.of.waiting {
		if other.due.Before(t.due) && (last == nil || other.due.After(last.due)) {
			last = other
		}
	}
	return last
}

// inTurn waits until what is due before t has gone out, for a moment at most.
func (s *session) inTurn(ctx context.Context, t *turn) {
	first := t.before()
	if first == nil {
		return
	}
	ctx, cancel := clocks.WithTimeout(ctx, s.clock(), patience)
	defer cancel()
	for ; first != nil; first = t.before() {
		select {
		case <-first.gone:
			if s.sleepUntil(ctx, first.at.Add(t.due.Sub(first.due))) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
