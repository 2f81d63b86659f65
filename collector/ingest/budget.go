package ingest

import (
	"sync"
	"sync/atomic"

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
	open map[token]wal.Location
}

// begin notes that a request is about to be appended.
func (t *tracker) begin(log *wal.Log) token {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = map[token]wal.Location{}
	}
	t.last++
	t.open[t.last] = log.End()
	return t.last
}

// done notes that requests are stored, or about to be with the position that
// is asked for next, or were not appended.
func (t *tracker) done(tokens ...token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range tokens {
		delete(t.open, k)
	}
}

// position is where a replay must begin.
func (t *tracker) position(log *wal.Log) wal.Location {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := log.End()
	for _, at := range t.open {
		if at.Compare(first) < 0 {
			first = at
		}
	}
	return first
}
