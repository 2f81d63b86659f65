// Package spool keeps runs on disk until the collector has them: take, then
// commit or give back.
//
// [Spool.Put] returns when the run is synced to disk; calls that come while a
// sync is under way share the next. [Spool.Take] gives fresh runs first, and
// the backlog, oldest first, what remains, never under a fifth of the bytes, so
// that the end of an outage does not leave detection blind. What was not
// committed is there again after a crash: a run may be given out twice, never
// not at all.
//
// Runs lie in segment files, each record with a CRC-32C. A record that a crash
// tore is cut off at the next Open. The directory is bounded: past it the
// oldest segment goes, and its runs are counted by hour and target. When the
// disk takes nothing, runs wait in a bounded memory queue until it does again;
// Put and [Stats] say so. One process at a time uses a directory.
package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// The errors of a Spool.
var (
	ErrLocked   = errors.New("directory is in use by another process")
	ErrClosed   = errors.New("spool is closed")
	ErrTooLarge = errors.New("record is too large")
)

// The bounds of a record.
const (
	MaxBody   = 8 << 20 // bytes
	MaxTarget = 1 << 10 // bytes
)

// Config is how a Spool keeps runs. Its zero value, with Dir, works.
type Config struct {
	Dir       string        // made if missing, for this user only
	MaxBytes  int64         // of all segments; 0 means 256 MiB
	MaxMemory int64         // of runs that the disk did not take; 0 means 16 MiB
	FreshFor  time.Duration // since Put; older is backlog; 0 means 30 s
	Log       *slog.Logger  // nil means slog.Default

	segmentBytes int64
	create       func(path string) (file, error)
	now          func() time.Time
}

func (c Config) orDefault() Config {
	if c.MaxBytes <= 0 {
		c.MaxBytes = 256 << 20
	}
	if c.MaxMemory <= 0 {
		c.MaxMemory = 16 << 20
	}
	if c.FreshFor <= 0 {
		c.FreshFor = 30 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.segmentBytes <= 0 {
		c.segmentBytes = min(4<<20, c.MaxBytes/8)
	}
	if c.create == nil {
		c.create = createFile
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c
}

// Record is a run as it is kept.
type Record struct {
	At     time.Time // when the run started; for counting what had to be dropped
	Target string    // for the same
	Body   []byte    // the run as an OTLP request
}

// Kept says where a run was put.
type Kept int

// The places. A run in memory is lost if the process is killed.
const (
	OnDisk Kept = iota
	InMemory
)

// Spool is an open directory. It is safe for concurrent use.
type Spool struct {
	cfg    Config
	lock   *os.File
	wake   chan struct{} // to the writer: something waits, or closing
	writer sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	waiting  []*entry // for the next group
	ready    chan struct{}
	segments []*segment // by number; the last may be active
	memory   []*entry   // oldest first, what the disk did not take
	memBytes int64
	diskErr  error
	seq      uint64
	queue    queue
	inflight int
	count    counters
	dropped  drops

	w writerState // the writer's alone
}

type counters struct {
	committed, setAside int64
	damaged             int64
}

// Open opens or makes the spool in cfg.Dir. What was not committed is there
// again. It fails with ErrLocked when another process has the directory open.
func Open(cfg Config) (*Spool, error) {
	cfg = cfg.orDefault()
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	lock, err := lockFile(filepath.Join(cfg.Dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("spool: %s: %w", cfg.Dir, err)
	}
	s := &Spool{cfg: cfg, lock: lock, wake: make(chan struct{}, 1), ready: make(chan struct{})}
	if err := s.recover(); err != nil {
		s.closeSegments()
		return nil, errors.Join(fmt.Errorf("spool: %s: %w", cfg.Dir, err), lock.Close())
	}
	s.writer.Go(s.write)
	return s, nil
}

// Put keeps rec and returns once it is synced to disk, or, when the disk takes
// nothing, in memory. After ctx ended, or the process was killed, rec may or
// may not be kept. Body must not be changed afterwards. It fails with
// ErrTooLarge or ErrClosed.
func (s *Spool) Put(ctx context.Context, rec Record) (Kept, error) {
	if len(rec.Body) > MaxBody || len(rec.Target) > MaxTarget {
		return 0, fmt.Errorf("spool: %d bytes for target %.60q: %w", len(rec.Body), rec.Target, ErrTooLarge)
	}
	e := &entry{at: rec.At, target: rec.Target, body: rec.Body, size: recordSize(rec), done: make(chan struct{})}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return 0, fmt.Errorf("spool: %w", ErrClosed)
	}
	e.put = s.cfg.now()
	s.waiting = append(s.waiting, e)
	s.mu.Unlock()
	s.kick()
	select {
	case <-e.done:
		return e.kept, nil
	case <-ctx.Done():
		return 0, fmt.Errorf("spool: put: %w", ctx.Err())
	}
}

// kick wakes the writer.
func (s *Spool) kick() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Close writes what waits, tries to bring to disk what is in memory, and
// releases the directory. Runs that are still only in memory are its error.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.signal()
	s.mu.Unlock()
	s.kick()
	s.writer.Wait()

	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	if n := len(s.memory); n > 0 {
		errs = append(errs, fmt.Errorf("spool: %s: %d runs could not be written and are lost: %w", s.cfg.Dir, n, s.diskErr))
	}
	if len(s.dropped) > 0 {
		if err := s.dropped.save(s.cfg.Dir); err != nil {
			errs = append(errs, fmt.Errorf("spool: %w", err))
		}
	}
	s.closeSegments()
	return errors.Join(append(errs, s.lock.Close())...)
}

func (s *Spool) closeSegments() {
	for _, g := range s.segments {
		g.close()
	}
}

// signal wakes every Take. s.mu is held.
func (s *Spool) signal() {
	close(s.ready)
	s.ready = make(chan struct{})
}
