package spool

import (
	"container/heap"
	"time"
)

// queue orders what waits to be taken: fresh runs and the backlog, each oldest
// first.
type queue struct {
	fresh, backlog entryHeap
	edge           time.Time // what was put before is backlog

	// Bytes taken while both had something, for the backlog's share.
	total, old int64
}

// backlogShare: one of so many bytes is the backlog's, at least.
const backlogShare = 5

func (q *queue) push(e *entry) {
	e.fresh = !e.put.Before(q.edge)
	heap.Push(q.heap(e), e)
}

func (q *queue) heap(e *entry) *entryHeap {
	if e.fresh {
		return &q.fresh
	}
	return &q.backlog
}

// age moves what was put before edge to the backlog.
func (q *queue) age(edge time.Time) {
	q.edge = edge
	for len(q.fresh) > 0 && q.fresh[0].put.Before(edge) {
		e := heap.Pop(&q.fresh).(*entry)
		e.fresh = false
		heap.Push(&q.backlog, e)
	}
}

// peek is the entry to take next, nil when there is none.
func (q *queue) peek() *entry {
	switch {
	case len(q.fresh) == 0 && len(q.backlog) == 0:
		return nil
	case len(q.fresh) == 0:
		return q.backlog[0]
	case len(q.backlog) == 0 || q.old*backlogShare >= q.total:
		return q.fresh[0]
	}
	return q.backlog[0]
}

// pop takes e, which peek gave.
func (q *queue) pop(e *entry) {
	if len(q.fresh) == 0 || len(q.backlog) == 0 {
		q.total, q.old = 0, 0
	} else {
		q.total += e.size
		if !e.fresh {
			q.old += e.size
		}
	}
	q.remove(e)
}

func (q *queue) remove(e *entry) { heap.Remove(q.heap(e), e.pos) }

// entryHeap is a heap by order of Put.
type entryHeap []*entry

func (h entryHeap) Len() int           { return len(h) }
func (h entryHeap) Less(i, j int) bool { return h[i].seq < h[j].seq }
func (h entryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i, j
}

// Push and Pop are for package heap.
func (h *entryHeap) Push(x any) {
	e := x.(*entry)
	e.pos = len(*h)
	*h = append(*h, e)
}

// Pop takes the last.
func (h *entryHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}
