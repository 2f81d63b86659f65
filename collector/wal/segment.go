package wal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
)

// A segment begins with magic, a random salt and the CRC32C of both. The salt
// goes into every frame's checksum, so that bytes which only look like a frame
// (an old block of the disk, or a body made to deceive) never pass for one.
const (
	magic       = "FFLOG\x00\x00\x01"
	segmentHead = int64(len(magic)) + 8 + 4
	suffix      = ".log"
	nameDigits  = 16
	smallBody   = 256 << 10 // a body up to this is copied, to spare a system call
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func name(number uint64) string { return fmt.Sprintf("%0*x%s", nameDigits, number, suffix) }

func parseName(s string) (number uint64, ok bool) {
	digits, ok := strings.CutSuffix(s, suffix)
	if !ok || len(digits) != nameDigits {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 16, 64)
	return number, err == nil && number > 0
}

// segment is the one that is written to. Fields without a comment are guarded
// by Log.mu.
type segment struct {
	number  uint64
	salt    uint64
	file    *os.File
	written int64 // where the next frame goes

	reached atomic.Int64          // written, for the one who syncs
	synced  atomic.Int64          // on disk; grows under Log.syncMu
	err     atomic.Pointer[error] // a failure after which the file must not be appended to
}

func (s *segment) failed() error {
	if p := s.err.Load(); p != nil {
		return *p
	}
	return nil
}

// create makes an empty segment, durable in its directory.
func create(dir string, number uint64) (*segment, error) {
	path := filepath.Join(dir, name(number))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return nil, err
	}
	head := make([]byte, segmentHead)
	copy(head, magic)
	rand.Read(head[len(magic) : segmentHead-4]) // never fails, see crypto/rand
	binary.LittleEndian.PutUint32(head[segmentHead-4:], crc32.Checksum(head[:segmentHead-4], castagnoli))
	_, err = f.Write(head)
	if err == nil {
		err = dataSync(f)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	s := &segment{number: number, file: f, written: segmentHead, salt: binary.LittleEndian.Uint64(head[len(magic):])}
	s.reached.Store(segmentHead)
	s.synced.Store(segmentHead)
	return s, nil
}

// reopen makes the newest segment of an earlier process fit to be appended to,
// and says how many bytes it cut. A segment without a whole head gives nil; it
// is removed where it cannot hold a record, being what a crash left of create.
func reopen(dir string, number uint64, maxRecord int64) (*segment, int64, error) {
	path := filepath.Join(dir, name(number))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("wal: %w", err)
	}
	salt, err := readHead(f)
	size, end := int64(0), int64(0)
	if err == nil || errors.Is(err, ErrCorrupt) {
		var serr error
		if size, serr = f.Seek(0, io.SeekEnd); serr != nil {
			err = serr
		}
	}
	if errors.Is(err, ErrCorrupt) {
		err = f.Close()
		if size <= segmentHead {
			err = errors.Join(err, os.Remove(path))
		}
		return nil, 0, err
	}
	if err == nil {
		end, err = lastEnd(newReader(f, salt, size, maxRecord))
	}
	if err == nil && end < size {
		err = f.Truncate(end)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("wal: open %s: %w", path, err), f.Close())
	}
	s := &segment{number: number, salt: salt, file: f, written: end}
	s.reached.Store(end)
	s.synced.Store(end)
	return s, size - end, nil
}

// lastEnd is where the last whole frame ends.
func lastEnd(r *reader) (int64, error) {
	end := segmentHead
	for {
		_, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
			return end, nil
		case errors.Is(err, ErrCorrupt):
		case err != nil:
			return 0, err
		default:
			end = r.off
		}
	}
}

func readHead(r io.ReaderAt) (salt uint64, err error) {
	head := make([]byte, segmentHead)
	if _, err := r.ReadAt(head, 0); err != nil {
		if errors.Is(err, io.EOF) {
			return 0, fmt.Errorf("segment head cut short: %w", ErrCorrupt)
		}
		return 0, err
	}
	sum := binary.LittleEndian.Uint32(head[segmentHead-4:])
	if string(head[:len(magic)]) != magic || crc32.Checksum(head[:segmentHead-4], castagnoli) != sum {
		return 0, fmt.Errorf("segment head: %w", ErrCorrupt)
	}
	return binary.LittleEndian.Uint64(head[len(magic):]), nil
}

// write appends one frame, or leaves the segment as it was. buf is scratch and
// is given back.
func (s *segment) write(buf, head, body []byte) ([]byte, error) {
	seal(head, s.salt, s.written)
	buf = append(buf[:0], head...)
	rest := body
	if len(body) <= smallBody {
		buf, rest = append(buf, body...), nil
	}
	_, err := s.file.WriteAt(buf, s.written)
	if err == nil && len(rest) > 0 {
		_, err = s.file.WriteAt(rest, s.written+int64(len(buf)))
	}
	if err != nil {
		if terr := s.file.Truncate(s.written); terr != nil {
			s.err.Store(&terr)
		}
		return buf, err
	}
	s.written += int64(len(head) + len(body))
	s.reached.Store(s.written)
	return buf, nil
}

// sync puts on disk what has been written so far. After a failure the kernel
// may have dropped the pages and would report success the next time, so the
// segment is not used again.
func (s *segment) sync() error {
	upto := s.reached.Load()
	if s.synced.Load() >= upto {
		return nil
	}
	if err := dataSync(s.file); err != nil {
		s.err.Store(&err)
		return err
	}
	s.synced.Store(upto)
	return nil
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
