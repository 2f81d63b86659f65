package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"os"
	"path/filepath"
)

// Entry is a record at its place.
type Entry struct {
	At   Location
	Next Location // the end of this record, where a following one would begin
	Record
}

// Read is the record at loc. It fails with [ErrExpired] when its segment has
// been deleted, [ErrNotFound] when there is none, [ErrCorrupt] when the disk
// has spoilt it.
func (l *Log) Read(loc Location) (Record, error) {
	f, size, err := l.open(loc.Segment)
	if err != nil {
		return Record{}, fmt.Errorf("wal: read %s: %w", loc, err)
	}
	defer f.Close()
	salt, err := readHead(f)
	if err != nil {
		return Record{}, fmt.Errorf("wal: read %s: %w", loc, err)
	}
	if loc.Offset < segmentHead || loc.Offset >= size {
		return Record{}, fmt.Errorf("wal: read %s: %w", loc, ErrNotFound)
	}
	r := newReader(f, salt, size, l.cfg.MaxRecord)
	r.off = loc.Offset
	rec, err := r.frame()
	if err != nil {
		return Record{}, fmt.Errorf("wal: read %s: %w", loc, err)
	}
	return rec, nil
}

// open opens a segment for reading, and says how much of it may be read.
func (l *Log) open(number uint64) (*os.File, int64, error) {
	size, err := l.readable(number)
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(filepath.Join(l.dir, name(number)))
	if errors.Is(err, os.ErrNotExist) {
		err = ErrExpired
	}
	return f, size, err
}

// readable is how many bytes of a segment may be read.
func (l *Log) readable(number uint64) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if number == 0 || number >= l.next {
		return 0, ErrNotFound
	}
	if l.active != nil && l.active.number == number {
		return l.active.synced.Load(), nil
	}
	for _, c := range l.closed {
		if c.number == number {
			return c.size, nil
		}
	}
	return 0, ErrExpired
}

// From gives the records at and after loc, in order, up to those that were on
// disk when each segment was come to. A record that cannot be read gives an
// error with the place in Entry.At and the place to go on from in Entry.Next;
// the caller may go on. The first error of another kind is the last thing
// given. Segments that are gone are passed over. A record's body is valid
// until the next step.
func (l *Log) From(loc Location) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for number, ok := l.after(loc.Segment); ok; number, ok = l.after(number + 1) {
			start := segmentHead
			if number == loc.Segment {
				start = max(start, loc.Offset)
			}
			if !l.segmentFrom(number, start, yield) {
				return
			}
		}
	}
}

// after is the first segment that is kept, from number on.
func (l *Log) after(number uint64) (uint64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.closed {
		if c.number >= number {
			return c.number, true
		}
	}
	if l.active != nil && l.active.number >= number {
		return l.active.number, true
	}
	return 0, false
}

// segmentFrom yields one segment's records; false ends the replay.
func (l *Log) segmentFrom(number uint64, start int64, yield func(Entry, error) bool) bool {
	f, size, err := l.open(number)
	if errors.Is(err, ErrExpired) {
		return true
	}
	fail := func(at, next int64, err error) bool {
		e := Entry{At: Location{number, at}, Next: Location{number, next}}
		return yield(e, fmt.Errorf("wal: replay %s: %w", e.At, err))
	}
	if err != nil {
		fail(start, start, err)
		return false
	}
	defer f.Close()
	salt, err := readHead(f)
	if err != nil {
		return fail(start, size, err) && errors.Is(err, ErrCorrupt)
	}
	r := newReader(f, salt, size, l.cfg.MaxRecord)
	r.off = start
	for {
		at := r.off
		rec, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
			return true
		case err != nil:
			if !fail(at, r.off, err) || !errors.Is(err, ErrCorrupt) {
				return false
			}
		case !yield(Entry{Location{number, at}, Location{number, r.off}, rec}, nil):
			return false
		}
	}
}

// reader reads frames one after the other.
type reader struct {
	src  io.ReaderAt
	salt uint64
	size int64 // bytes that may be read
	max  int64 // of a frame
	off  int64 // where the next frame is read
	buf  []byte
}

func newReader(src io.ReaderAt, salt uint64, size, maxRecord int64) *reader {
	return &reader{src: src, salt: salt, size: size, max: maxRecord, off: segmentHead}
}

// next is the frame at off; off moves past it. When it is spoilt, next fails
// with ErrCorrupt and off moves to the next frame that is whole, or to the end.
// io.EOF is the end.
func (r *reader) next() (Record, error) {
	if r.off >= r.size {
		return Record{}, io.EOF
	}
	rec, err := r.frame()
	if err != nil && errors.Is(err, ErrCorrupt) {
		if rerr := r.resync(); rerr != nil {
			return Record{}, rerr
		}
	}
	return rec, err
}

// frame reads the frame at off and moves past it. On an error off stays.
func (r *reader) frame() (Record, error) {
	length, sum, err := r.head(r.off)
	if err != nil {
		return Record{}, err
	}
	r.buf = append(r.buf[:0], make([]byte, length)...)
	if err := r.read(r.buf, r.off+frameHead); err != nil {
		return Record{}, err
	}
	if crc32.Checksum(r.buf, castagnoli) != sum {
		return Record{}, fmt.Errorf("checksum of the payload: %w", ErrCorrupt)
	}
	rec, err := parsePayload(r.buf)
	if err == nil {
		r.off += frameHead + length
	}
	return rec, err
}

// head reads and checks the head of the frame at off.
func (r *reader) head(off int64) (length int64, sum uint32, err error) {
	var b [frameHead]byte
	if off+frameHead > r.size {
		return 0, 0, fmt.Errorf("frame's head cut short: %w", ErrCorrupt)
	}
	if err := r.read(b[:], off); err != nil {
		return 0, 0, err
	}
	return r.parseHead(b[:], off)
}

func (r *reader) parseHead(b []byte, off int64) (length int64, sum uint32, err error) {
	if sealOf(b, r.salt, off) != binary.LittleEndian.Uint32(b[sealedBytes:]) {
		return 0, 0, fmt.Errorf("checksum of the frame's head: %w", ErrCorrupt)
	}
	length = int64(binary.LittleEndian.Uint32(b))
	if frameHead+length > r.max || off+frameHead+length > r.size {
		return 0, 0, fmt.Errorf("frame of %d bytes does not fit: %w", length, ErrCorrupt)
	}
	return length, binary.LittleEndian.Uint32(b[4:]), nil
}

func (r *reader) read(b []byte, off int64) error {
	_, err := r.src.ReadAt(b, off)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("file cut short: %w", ErrCorrupt)
	}
	return err
}

// resync moves off forward to the next whole frame, or to the end.
func (r *reader) resync() error {
	if length, _, err := r.head(r.off); err == nil { // only the payload is spoilt
		r.off += frameHead + length
		return nil
	}
	const window = 64 << 10
	buf := make([]byte, window)
	for base := r.off + 1; base+frameHead <= r.size; base += window - frameHead + 1 {
		b := buf[:min(window, r.size-base)]
		if err := r.read(b, base); err != nil {
			return err
		}
		for i := 0; i+frameHead <= len(b); i++ {
			if _, _, err := r.parseHead(b[i:i+frameHead], base+int64(i)); err != nil {
				continue
			}
			// By chance one head in 2^32 fits; the payload settles it.
			r.off = base + int64(i)
			if _, err := r.frame(); err == nil {
				r.off = base + int64(i)
				return nil
			} else if !errors.Is(err, ErrCorrupt) {
				return err
			}
		}
	}
	r.off = r.size
	return nil
}
