package ingest

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/firstframe/firstframe/collector/wal"
)

// budget bounds the bytes of all requests that are on their way.
type budget struct{ free atomic.Int64 }

// hold is a request's part of the budget. A nil hold is not bounded. It is not
// safe for concurrent use.
type hold struct {
	of    *budget
	bytes int64
}

// take asks for n bytes more.
func (h *hold) take(n int64) bool {
	if h == nil {
		return true
	}
	if h.of.free.Add(-n) < 0 {
		h.of.free.Add(n)
		return false
	}
	h.bytes += n
	return true
}

// give gives n bytes back.
func (h *hold) give(n int64) {
	if h == nil {
		return
	}
	h.of.free.Add(n)
	h.bytes -= n
}

// release gives everything back.
func (h *hold) release() {
	if h != nil {
		h.give(h.bytes)
	}
}

// move makes n bytes of h a hold of their own. What h does not have is taken
// without asking: the memory is in use already.
func (h *hold) move(n int64) *hold {
	if h == nil {
		return nil
	}
	if more := n - h.bytes; more > 0 {
		h.of.free.Add(-more)
		h.bytes += more
	}
	h.bytes -= n
	return &hold{of: h.of, bytes: n}
}

// token stands for a request between its append to the log and its being
// stored.
type token uint64

// tracker knows from where the log must be replayed so that nothing is missed.
// Requests are appended concurrently and reach the store in another order, so
// the position is the earliest place at which one that is not yet stored may
// lie. The zero value is ready.
type tracker struct {
	mu   sync.Mutex
	last token
	open map[token]waiting
}

// waiting is a request that is not stored.
type waiting struct {
	from    wal.Location // it lies here or later
	since   time.Time    // it was not acknowledged before
	storing bool         // with the position that was asked for last
}

// begin notes that a request is about to be appended.
func (t *tracker) begin(log *wal.Log) token {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = map[token]waiting{}
	}
	t.last++
	t.open[t.last] = waiting{from: log.End(), since: time.Now()}
	return t.last
}

// done notes that requests are stored, or were not appended.
func (t *tracker) done(tokens ...token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range tokens {
		delete(t.open, k)
	}
}

// position is where a replay must begin once the given requests are stored
// too.
func (t *tracker) position(log *wal.Log, storing ...token) wal.Location {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range storing {
		w := t.open[k]
		w.storing = true
		t.open[k] = w
	}
	first := log.End()
	for _, w := range t.open {
		if !w.storing && w.from.Compare(first) < 0 {
			first = w.from
		}
	}
	return first
}

// oldest is since when a request waits to be stored; zero when none does.
func (t *tracker) oldest() (since time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range t.open {
		if since.IsZero() || w.since.Before(since) {
			since = w.since
		}
	}
	return since
}
