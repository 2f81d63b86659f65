package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// segment is one file of records, and beside it one of commits.
type segment struct {
	path    string // without extension
	number  uint64
	size    int64
	sealed  bool     // nothing more is written to it
	gone    bool     // deleted
	live    []*entry // not committed, in order
	read    *os.File
	commits *os.File
}

const (
	recordExt = ".seg"
	commitExt = ".ack"
)

func segmentPath(dir string, number uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%016d", number))
}

// recover finds what was not committed.
func (s *Spool) recover() error {
	names, err := filepath.Glob(filepath.Join(s.cfg.Dir, "*"+recordExt))
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		base := strings.TrimSuffix(name, recordExt)
		number, err := strconv.ParseUint(filepath.Base(base), 10, 64)
		if err != nil {
			continue // not ours
		}
		g := &segment{path: base, number: number, sealed: true}
		s.segments = append(s.segments, g)
		if err := s.load(g); err != nil {
			return err
		}
		s.w.next = number + 1
	}
	s.dropEmpty()
	return s.dropped.load(s.cfg.Dir)
}

// load reads a segment and cuts a torn end off.
func (s *Spool) load(g *segment) error {
	f, err := os.OpenFile(g.path+recordExt, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	g.read = f
	info, err := f.Stat()
	if err != nil {
		return err
	}
	acks, err := os.ReadFile(g.path + commitExt)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	committed := parseCommits(acks)
	good, err := scan(f, info.Size(), func(offset int64, rec Record) {
		if committed[offset] {
			return
		}
		e := &entry{at: rec.At, target: rec.Target, size: recordSize(rec), seg: g, offset: offset, put: info.ModTime()}
		g.live = append(g.live, e)
		s.enqueue(e)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	g.size = good
	if torn := info.Size() - good; torn > 0 {
		s.count.damaged += torn
		s.cfg.Log.Warn("spool: cut off a torn end", "file", f.Name(), "bytes", torn)
		return f.Truncate(good)
	}
	return nil
}

// body reads an entry's body from its segment. s.mu is held.
func (g *segment) body(e *entry) ([]byte, error) {
	if g.read == nil {
		f, err := os.Open(g.path + recordExt)
		if err != nil {
			return nil, err
		}
		g.read = f
	}
	rec, err := readRecord(io.NewSectionReader(g.read, e.offset, e.size), e.size)
	if err != nil {
		return nil, fmt.Errorf("%s at %d: %w", g.read.Name(), e.offset, err)
	}
	return rec.Body, nil
}

// commit notes that the entries need not be given out after a restart.
func (g *segment) commit(entries []*entry) error {
	if g.commits == nil {
		f, err := os.OpenFile(g.path+commitExt, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		g.commits = f
	}
	var b []byte
	for _, e := range entries {
		b = appendCommit(b, uint32(e.offset))
	}
	_, err := g.commits.Write(b)
	return err
}

func (g *segment) close() {
	for _, f := range []*os.File{g.read, g.commits} {
		if f != nil {
			f.Close() // nothing is buffered: records are synced, commits need not be
		}
	}
	g.read, g.commits = nil, nil
}

// remove deletes the segment's files, the records first: commits alone are
// nothing, records alone would be given out again.
func (g *segment) remove() error {
	g.gone = true
	g.close()
	err := os.Remove(g.path + recordExt)
	if e := os.Remove(g.path + commitExt); e != nil && !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}

// dropEmpty deletes sealed segments without live entries. s.mu is held.
func (s *Spool) dropEmpty() {
	s.segments = slices.DeleteFunc(s.segments, func(g *segment) bool {
		if !g.sealed || len(g.live) > 0 {
			return false
		}
		if err := g.remove(); err != nil {
			s.cfg.Log.Warn("spool: delete a segment", "error", err)
		}
		return true
	})
}

// diskBytes is the size of all segments. s.mu is held.
func (s *Spool) diskBytes() (n int64) {
	for _, g := range s.segments {
		n += g.size
	}
	return n
}

// makeRoom deletes the oldest segments until n more bytes fit, and counts what
// they held. s.mu is held.
func (s *Spool) makeRoom(n int64) {
	for len(s.segments) > 0 && s.segments[0].sealed && s.diskBytes()+n > s.cfg.MaxBytes {
		g := s.segments[0]
		s.segments = s.segments[1:]
		for _, e := range g.live {
			s.drop(e)
		}
		if err := g.remove(); err != nil {
			s.cfg.Log.Warn("spool: delete the oldest segment", "error", err)
		}
		s.cfg.Log.Warn("spool: full, dropped the oldest runs", "dir", s.cfg.Dir, "runs", len(g.live))
		if err := s.dropped.save(s.cfg.Dir); err != nil {
			s.cfg.Log.Warn("spool: write down what was dropped", "error", err)
		}
	}
}

// drop forgets an entry for want of room. One that is given out is counted
// only if it comes back. s.mu is held.
func (s *Spool) drop(e *entry) {
	if e.state == out {
		e.doomed = true
		return
	}
	s.queue.remove(e)
	e.state = done
	s.dropped.add(e)
}
