package spool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

type entryState uint8

const (
	queued entryState = iota
	out               // given out by Take
	done              // committed, set aside or dropped
)

// entry is a record that is kept. Spool.mu guards it once it is queued.
type entry struct {
	at     time.Time
	put    time.Time
	target string
	size   int64
	seq    uint64 // order of Put
	state  entryState
	fresh  bool // which of the queue's heaps it is in
	doomed bool // its segment went while it was out
	pos    int  // in that heap

	seg    *segment // nil: in memory
	offset int64
	body   []byte // in memory only

	kept Kept
	done chan struct{} // closed when Put may return
}

// Item is a run that was taken. Each must be handed to Commit, GiveBack or
// SetAside; of several calls the first counts.
type Item struct {
	Record
	e *entry
}

// Want bounds a Take.
type Want struct {
	Bytes int64 // of bodies, but at least one run; 0 means 1 MiB
	Runs  int   // 0 means 512
}

// Take waits until there is a run, and gives out as many as there are within
// want. It fails when ctx ends, and with ErrClosed.
func (s *Spool) Take(ctx context.Context, want Want) ([]Item, error) {
	if want.Bytes <= 0 {
		want.Bytes = 1 << 20
	}
	if want.Runs <= 0 {
		want.Runs = 512
	}
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return nil, fmt.Errorf("spool: take: %w", ErrClosed)
		}
		items := s.take(want)
		ready := s.ready
		s.mu.Unlock()
		if len(items) > 0 {
			return items, nil
		}
		select {
		case <-ready:
		case <-ctx.Done():
			return nil, fmt.Errorf("spool: take: %w", ctx.Err())
		}
	}
}

func (s *Spool) take(want Want) []Item {
	s.queue.age(s.cfg.now().Add(-s.cfg.FreshFor))
	var items []Item
	for size := int64(0); len(items) < want.Runs; {
		e := s.queue.peek()
		if e == nil || len(items) > 0 && size+e.size > want.Bytes {
			break
		}
		s.queue.pop(e)
		body := e.body
		if e.seg != nil {
			var err error
			if body, err = e.seg.body(e); err != nil {
				s.lost(e, err)
				continue
			}
		}
		e.state = out
		s.inflight++
		size += e.size
		items = append(items, Item{Record{At: e.at, Target: e.target, Body: body}, e})
	}
	return items
}

// lost counts a record that cannot be read back. s.mu is held.
func (s *Spool) lost(e *entry, err error) {
	s.cfg.Log.Error("spool: a run cannot be read back and is lost", "error", err)
	s.count.damaged += e.size
	s.dropped.add(e)
	e.state = done
	s.unlink(e)
}

// Commit forgets runs that the collector has. An error means that some may be
// given out again after a restart; they are not before. After Close all are.
func (s *Spool) Commit(items ...Item) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.finish(items)
	s.count.committed += int64(n)
	return err
}

// GiveBack returns runs to their place, to be taken again.
func (s *Spool) GiveBack(items ...Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range items {
		e := it.e
		if e.state != out {
			continue
		}
		s.inflight--
		if e.doomed {
			e.state = done
			s.dropped.add(e)
			continue
		}
		e.state = queued
		s.queue.push(e)
	}
	s.signal()
}

// SetAside takes a run that no collector will have out of the way, into the
// file rejected.jsonl, with the reason. The file is bounded: see MaxRejected.
func (s *Spool) SetAside(item Item, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if item.e.state != out || s.closed {
		return nil
	}
	if err := writeRejected(s.cfg.Dir, item.Record, reason, s.cfg.now()); err != nil {
		s.cfg.Log.Warn("spool: set a run aside", "error", err)
	}
	s.count.setAside++
	_, err := s.finish([]Item{item})
	return err
}

// finish ends entries that are out, one write of commits per segment, and
// says how many there were. s.mu is held.
func (s *Spool) finish(items []Item) (n int, err error) {
	if s.closed {
		return 0, fmt.Errorf("spool: commit: %w", ErrClosed)
	}
	var errs []error
	bySegment := map[*segment][]*entry{}
	for _, it := range items {
		e := it.e
		if e.state != out {
			continue
		}
		n++
		e.state = done
		s.inflight--
		if e.seg != nil && !e.seg.gone {
			bySegment[e.seg] = append(bySegment[e.seg], e)
		}
		if e.seg == nil {
			s.forgetMemory(e)
		}
	}
	for g, entries := range bySegment {
		if err := g.commit(entries); err != nil {
			errs = append(errs, fmt.Errorf("spool: commit: %w", err))
		}
		g.live = slices.DeleteFunc(g.live, func(e *entry) bool { return e.state == done })
	}
	s.dropEmpty()
	return n, errors.Join(errs...)
}

// unlink takes a finished entry out of its segment or memory. s.mu is held.
func (s *Spool) unlink(e *entry) {
	if e.seg == nil {
		s.forgetMemory(e)
		return
	}
	e.seg.live = slices.DeleteFunc(e.seg.live, func(x *entry) bool { return x == e })
}

// forgetMemory takes e out of the memory queue. s.mu is held.
func (s *Spool) forgetMemory(e *entry) {
	if i := slices.Index(s.memory, e); i >= 0 {
		s.memory = slices.Delete(s.memory, i, i+1)
		s.memBytes -= e.size
	}
}

// enqueue gives a new entry its order. s.mu is held, or nobody else is there.
func (s *Spool) enqueue(e *entry) {
	s.seq++
	e.seq = s.seq
	s.queue.push(e)
}
