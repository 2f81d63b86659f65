package media

import (
	"encoding/binary"
	"math"
)

// maxBox bounds a box's size, so that no sum of sizes overflows.
const maxBox = math.MaxInt64 / 4

// header reads a box's header (ISO/IEC 14496-12 clause 4.2). size counts the
// header in and is 0 for a box that reaches to the end of what holds it; n is
// the header's own length, 0 while b is too short to tell.
func header(b []byte) (size int64, n int, err error) {
	if len(b) < 8 {
		return 0, 0, nil
	}
	for _, c := range b[4:8] {
		if (c < ' ' || c > '~') && c != 0xa9 {
			return 0, 0, invalid("box type %q", b[4:8])
		}
	}
	switch s := binary.BigEndian.Uint32(b); {
	case s == 0:
		return 0, 8, nil
	case s >= 8:
		return int64(s), 8, nil
	case s != 1:
		return 0, 0, invalid("box %s of %d bytes", b[4:8], s)
	case len(b) < 16:
		return 0, 0, nil
	}
	s := binary.BigEndian.Uint64(b[8:])
	if s < 16 || s > maxBox {
		return 0, 0, invalid("box %s of %d bytes", b[4:8], s)
	}
	return int64(s), 16, nil
}

// boxes walks the boxes of one level, in memory.
type boxes struct {
	rest []byte
	typ  string // of the box that next went to
	body []byte
	err  error // [ErrInvalid]: a box reaches beyond what holds it
}

// next goes to the next box; it is false at the end and at an error.
func (w *boxes) next() bool {
	if len(w.rest) == 0 || w.err != nil {
		return false
	}
	size, n, err := header(w.rest)
	if err != nil || n == 0 {
		if w.err = err; err == nil {
			w.err = invalid("%d stray bytes among boxes", len(w.rest))
		}
		return false
	}
	if size == 0 {
		size = int64(len(w.rest))
	}
	if size > int64(len(w.rest)) {
		w.err = invalid("box %s of %d bytes where %d are left", w.rest[4:8], size, len(w.rest))
		return false
	}
	w.typ = boxName(w.rest[4:8])
	w.body = w.rest[n:size]
	w.rest = w.rest[size:]
	return true
}

// boxName is the type's text, without allocating for the boxes read here.
func boxName(b []byte) string {
	switch string(b) {
	case "traf":
		return "traf"
	case "tfhd":
		return "tfhd"
	case "trun":
		return "trun"
	case "tfdt":
		return "tfdt"
	case "mfhd":
		return "mfhd"
	case "senc", "saiz", "saio", "sbgp", "sgpd", "subs":
		return "other"
	}
	return string(b)
}

// fields reads big-endian fields one after the other; past the end it yields
// zeros and short is set.
type fields struct {
	b     []byte
	short bool
}

func (f *fields) take(n int) []byte {
	if f.short || n < 0 || n > len(f.b) {
		f.short = true
		return nil
	}
	p := f.b[:n]
	f.b = f.b[n:]
	return p
}

func (f *fields) skip(n int) { f.take(n) }

func (f *fields) u8() uint8 {
	if p := f.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (f *fields) u16() uint16 {
	if p := f.take(2); p != nil {
		return binary.BigEndian.Uint16(p)
	}
	return 0
}

func (f *fields) u32() uint32 {
	if p := f.take(4); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

func (f *fields) u64() uint64 {
	if p := f.take(8); p != nil {
		return binary.BigEndian.Uint64(p)
	}
	return 0
}

// full reads the version and flags that begin a full box.
func (f *fields) full() (version uint8, flags uint32) {
	v := f.u32()
	return uint8(v >> 24), v & 0xffffff
}
