// Package wal is the collector's segmented log of request bodies as they were
// received. What is in it has been acknowledged; rows of the store follow it
// and point back into it for their steps.
//
// [Open] gives a [Log]; [Log.Append] returns once a record is on disk (many
// waiting callers share one fdatasync), [Log.Read] finds a record by its
// [Location], [Log.From] replays, [Log.Retain] deletes whole old segments.
//
// Bounds: one process per directory (flock), one record at most
// [Config.MaxRecord], segments rotate at [Config.SegmentBytes]. After a crash
// the torn tail is cut on open, never a whole record. A record that the disk
// has spoilt is skipped and reported; those after it are still found.
package wal

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// The defaults of a [Config].
const (
	DefaultSegmentBytes = 64 << 20
	DefaultMaxRecord    = 64<<20 + 1024
)

// The classes of errors. ErrExpired is the normal end of old records;
// ErrCorrupt means that the disk gave back something else than was written.
var (
	ErrExpired  = errors.New("expired: the segment has been deleted")
	ErrCorrupt  = errors.New("corrupt record")
	ErrNotFound = errors.New("no record there")
	ErrTooLarge = errors.New("record too large")
	ErrLocked   = errors.New("in use by another process")
	ErrClosed   = errors.New("log is closed")
)

// Config sets a log's bounds. The zero value works.
type Config struct {
	SegmentBytes int64 // a segment is closed before it would grow beyond this; zero means 64 MiB
	MaxRecord    int64 // of one record with its header; zero means 64 MiB and a little
	// Applied is how far an earlier process had used the log. Open makes sure
	// that every new record comes after it, even when the directory was
	// emptied or restored from an older copy, so that no old location ever
	// points at a new record.
	Applied Location
}

// Location is where a record begins. Locations order records as they were
// appended. The zero value is before every record.
type Location struct {
	Segment uint64 `json:"segment"`
	Offset  int64  `json:"offset"` // bytes from the start of the segment
}

// Compare is -1, 0 or 1 as l is before, at or after m.
func (l Location) Compare(m Location) int {
	return cmp.Or(cmp.Compare(l.Segment, m.Segment), cmp.Compare(l.Offset, m.Offset))
}

// String is SEGMENT:OFFSET.
func (l Location) String() string { return fmt.Sprintf("%d:%d", l.Segment, l.Offset) }

// Log is an open log. Its methods may be called at the same time.
type Log struct {
	dir  string
	cfg  Config
	lock *os.File
	cut  int64

	mu     sync.Mutex // appending, rotating, the list of segments
	active *segment   // nil until a first segment could be made
	closed []info     // by number; the active one is not among them
	next   uint64     // number of the next segment to make
	buf    []byte
	done   bool

	syncMu sync.Mutex // taken after mu where both are held
	syncs  uint64
}

// info is what is known of a segment that is no longer written to.
type info struct {
	number  uint64
	size    int64
	written time.Time // last write to it
}

// Open opens the log in dir, which is made when it is not there, takes its lock
// and cuts what a crash left half written. It fails with [ErrLocked] when
// another process has it open.
func Open(dir string, cfg Config) (*Log, error) {
	cfg.SegmentBytes = cmp.Or(cfg.SegmentBytes, DefaultSegmentBytes)
	cfg.MaxRecord = cmp.Or(cfg.MaxRecord, DefaultMaxRecord)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("wal: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, fmt.Errorf("wal: %s: %w", dir, err)
	}
	l := &Log{dir: dir, cfg: cfg, lock: lock}
	if err := l.load(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return l, nil
}

// load lists the segments and makes the newest one fit to be appended to.
func (l *Log) load() error {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return fmt.Errorf("wal: %w", err)
	}
	for _, e := range entries {
		number, ok := parseName(e.Name())
		if !ok {
			continue
		}
		fi, err := e.Info()
		if err != nil {
			return fmt.Errorf("wal: %w", err)
		}
		l.closed = append(l.closed, info{number, fi.Size(), fi.ModTime()})
	}
	slices.SortFunc(l.closed, func(a, b info) int { return cmp.Compare(a.number, b.number) })
	l.next = l.cfg.Applied.Segment + 1
	if n := len(l.closed); n > 0 {
		newest := l.closed[n-1]
		l.next = max(l.next, newest.number+1)
		s, cut, err := reopen(l.dir, newest.number, l.cfg.MaxRecord)
		if err != nil {
			return err
		}
		l.cut = cut
		if s != nil || newest.size <= segmentHead {
			l.closed = l.closed[:n-1]
			l.active = s
		}
	}
	if a := l.active; a != nil && l.cfg.Applied.Compare(Location{a.number, a.written}) > 0 {
		return l.retire()
	}
	return nil
}

// Cut is how many bytes Open cut off as the torn end of a record.
func (l *Log) Cut() int64 { return l.cut }

// Append writes r and returns its location once it is on disk. When it fails,
// r counts as not received: it may or may not be found by a later replay. A
// full disk is an error of this call alone; the next may succeed.
func (l *Log) Append(r *Record) (Location, error) {
	head, err := newFrame(r)
	if err != nil {
		return Location{}, err
	}
	if size := int64(len(head)) + int64(len(r.Body)); size > l.cfg.MaxRecord {
		return Location{}, fmt.Errorf("wal: %d bytes, at most %d are allowed: %w", size, l.cfg.MaxRecord, ErrTooLarge)
	}
	s, at, end, err := l.write(head, r.Body)
	if err != nil {
		return Location{}, fmt.Errorf("wal: append: %w", err)
	}
	if err := l.commit(s, end); err != nil {
		return Location{}, fmt.Errorf("wal: sync segment %d: %w", s.number, err)
	}
	return Location{s.number, at}, nil
}

// write puts a frame at the end of the active segment, not yet synced.
func (l *Log) write(head, body []byte) (s *segment, at, end int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return nil, 0, 0, ErrClosed
	}
	size := int64(len(head)) + int64(len(body))
	if a := l.active; a != nil && (a.failed() != nil || a.written > segmentHead && a.written+size > l.cfg.SegmentBytes) {
		if err := l.retire(); err != nil {
			return nil, 0, 0, err
		}
	}
	if l.active == nil {
		if l.active, err = create(l.dir, l.next); err != nil {
			return nil, 0, 0, err
		}
		l.next++
	}
	s, at = l.active, l.active.written
	if l.buf, err = s.write(l.buf, head, body); err != nil {
		return nil, 0, 0, err
	}
	return s, at, s.written, nil
}

// commit returns once the first end bytes of s are on disk. The first caller
// syncs for all who have written by then; the others find it done.
func (l *Log) commit(s *segment, end int64) error {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	if s.synced.Load() >= end {
		return nil
	}
	if err := s.failed(); err != nil {
		return err
	}
	l.syncs++
	return s.sync()
}

// retire closes the active segment. A segment whose sync failed is cut back to
// what is known to be on disk, for the rest was not acknowledged.
func (l *Log) retire() error {
	a := l.active
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	if a.failed() == nil {
		if err := a.sync(); err != nil {
			return err
		}
	}
	size := a.synced.Load()
	var err error
	if a.failed() != nil {
		err = a.file.Truncate(size)
	}
	l.active = nil
	l.closed = append(l.closed, info{a.number, size, time.Now()})
	return errors.Join(err, a.file.Close())
}

// End is the location that follows the last record.
func (l *Log) End() Location {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.active == nil {
		return Location{l.next, segmentHead}
	}
	return Location{l.active.number, l.active.written}
}

// Stats is a log's size.
type Stats struct {
	Segments int
	Bytes    int64
	Syncs    uint64 // fdatasyncs for appends since the log was opened
	Oldest   Location
}

// Stats counts what is kept.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{Segments: len(l.closed), Oldest: Location{l.next, segmentHead}}
	for _, c := range l.closed {
		s.Bytes += c.size
	}
	if l.active != nil {
		s.Segments++
		s.Bytes += l.active.written
		s.Oldest.Segment = l.active.number
	}
	if len(l.closed) > 0 {
		s.Oldest.Segment = l.closed[0].number
	}
	l.syncMu.Lock()
	s.Syncs = l.syncs
	l.syncMu.Unlock()
	return s
}

// Retention says which segments may go; zero fields do not bound.
type Retention struct {
	Age   time.Duration // since the last write to the segment
	Bytes int64         // of all segments together
}

// Retain deletes the oldest segments that are beyond r at now, and says how
// many. It never deletes one that holds records at or after applied.
func (l *Log) Retain(now time.Time, r Retention, applied Location) (int, error) {
	total := l.Stats().Bytes
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, c := range l.closed {
		old := r.Age > 0 && now.Sub(c.written) > r.Age
		big := r.Bytes > 0 && total > r.Bytes
		if !old && !big || c.number >= applied.Segment {
			break
		}
		if err := os.Remove(filepath.Join(l.dir, name(c.number))); err != nil && !errors.Is(err, os.ErrNotExist) {
			l.closed = slices.Delete(l.closed, 0, n)
			return n, fmt.Errorf("wal: retain: %w", err)
		}
		total -= c.size
		n++
	}
	l.closed = slices.Delete(l.closed, 0, n)
	return n, nil
}

// Close syncs and closes the log and gives up its lock. Appends that wait are
// finished first.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return nil
	}
	l.done = true
	var err error
	if l.active != nil {
		err = l.retire()
	}
	if err = errors.Join(err, l.lock.Close()); err != nil {
		return fmt.Errorf("wal: close: %w", err)
	}
	return nil
}
