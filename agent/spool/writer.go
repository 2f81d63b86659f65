package spool

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// file is what the writer needs of a segment's file.
type file interface {
	io.Writer
	Sync() error
	Truncate(size int64) error
	Close() error
}

// createFile makes a segment's file and syncs the directory, so that the file
// is there after a power cut.
func createFile(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// writerState belongs to the writer goroutine.
type writerState struct {
	active *segment
	file   file
	next   uint64 // number of the next segment
	buf    []byte
}

// maxGroup bounds the bytes of one write.
const maxGroup = 1 << 20

// write is the writer: it writes and syncs one group after the other, each of
// all that came during the one before, until Close.
func (s *Spool) write() {
	defer s.seal()
	for range s.wake {
		for {
			group, closing := s.group()
			if len(group) == 0 {
				if !closing {
					break
				}
				s.rewrite()
				return
			}
			err := s.writeGroup(group)
			s.settle(group, err)
			if err == nil {
				s.rewrite()
			}
		}
	}
}

// group takes what waits, up to maxGroup bytes.
func (s *Spool) group() (group []*entry, closing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, size := 0, int64(0)
	for n < len(s.waiting) && (n == 0 || size+s.waiting[n].size <= maxGroup) {
		size += s.waiting[n].size
		n++
	}
	group, s.waiting = s.waiting[:n:n], s.waiting[n:]
	return group, s.closed
}

// rewrite brings to disk what is in memory, now that the disk takes it again.
func (s *Spool) rewrite() {
	s.mu.Lock()
	var group []*entry
	for _, e := range s.memory {
		if e.state == queued {
			group = append(group, e)
		}
	}
	s.mu.Unlock()
	for _, e := range group {
		if err := s.writeGroup([]*entry{e}); err != nil {
			return
		}
		s.moved(e)
	}
}

// writeGroup writes and syncs the entries at the active segment's end.
func (s *Spool) writeGroup(group []*entry) error {
	s.w.buf = s.w.buf[:0]
	for _, e := range group {
		s.w.buf = appendRecord(s.w.buf, Record{At: e.at, Target: e.target, Body: e.body})
	}
	size := int64(len(s.w.buf))
	if s.w.active != nil && s.w.active.size+size > s.cfg.segmentBytes {
		s.seal()
	}
	s.mu.Lock()
	s.makeRoom(size)
	s.mu.Unlock()
	if err := s.activate(); err != nil {
		return err
	}
	_, err := s.w.file.Write(s.w.buf)
	if err == nil {
		err = s.w.file.Sync()
	}
	if err != nil {
		// After a failed sync the file's state is not known: cut it back, and
		// never write to it again.
		s.w.file.Truncate(s.w.active.size)
		s.seal()
		return err
	}
	return nil
}

// activate makes sure of a segment to write to.
func (s *Spool) activate() error {
	if s.w.active != nil {
		return nil
	}
	number := s.w.next
	s.w.next++
	path := segmentPath(s.cfg.Dir, number)
	f, err := s.cfg.create(path + recordExt)
	if err != nil {
		return err
	}
	s.w.file, s.w.active = f, &segment{path: path, number: number}
	s.mu.Lock()
	s.segments = append(s.segments, s.w.active)
	s.mu.Unlock()
	return nil
}

// seal ends the active segment.
func (s *Spool) seal() {
	if s.w.active == nil {
		return
	}
	if err := s.w.file.Close(); err != nil {
		s.cfg.Log.Warn("spool: close a segment", "error", err)
	}
	s.mu.Lock()
	s.w.active.sealed = true
	s.w.active, s.w.file = nil, nil
	s.dropEmpty()
	s.mu.Unlock()
}

// settle queues a group where it now is, and lets its Puts return.
func (s *Spool) settle(group []*entry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if (err == nil) != (s.diskErr == nil) {
		if err != nil {
			s.cfg.Log.Error("spool: the disk takes nothing, keeping runs in memory", "dir", s.cfg.Dir, "error", err)
		} else {
			s.cfg.Log.Info("spool: the disk takes runs again", "dir", s.cfg.Dir)
		}
	}
	s.diskErr = nil
	if err != nil {
		s.diskErr = fmt.Errorf("write: %w", err)
	}
	for _, e := range group {
		if err == nil {
			s.place(e)
		} else {
			e.kept = InMemory
			s.memory = append(s.memory, e)
			s.memBytes += e.size
		}
		s.enqueue(e)
		close(e.done)
	}
	s.boundMemory()
	s.signal()
}

// place notes that e was written at the active segment's end. s.mu is held.
func (s *Spool) place(e *entry) {
	g := s.w.active
	e.seg, e.offset, e.body = g, g.size, nil
	g.size += e.size
	g.live = append(g.live, e)
}

// moved notes that e was written from memory, unless it is given out or gone
// by now: then the record is committed at once.
func (s *Spool) moved(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.state == queued {
		s.forgetMemory(e)
		s.place(e)
		return
	}
	g := s.w.active
	if err := g.commit([]*entry{{offset: g.size}}); err != nil {
		s.cfg.Log.Warn("spool: commit", "error", err)
	}
	g.size += e.size
}

// boundMemory drops the oldest runs in memory past the bound. s.mu is held.
func (s *Spool) boundMemory() {
	for s.memBytes > s.cfg.MaxMemory && len(s.memory) > 0 {
		e := s.memory[0]
		s.forgetMemory(e)
		s.drop(e)
	}
}
