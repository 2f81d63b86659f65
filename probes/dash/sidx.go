package dash

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// MaxReferences bounds the segments of one index; its field has 16 bits.
const MaxReferences = math.MaxUint16

// WithIndex is the representation with the segments of its index: box is what
// [Representation.Index] referred to, a sidx box, perhaps behind others (5.3.9.2;
// ISO/IEC 14496-12 clause 8.16.3). The first segment begins where the index says,
// counted from the end of the box. It fails with ErrInvalid, also where the index
// refers to further indexes.
func (r *Representation) WithIndex(box []byte) (*Representation, error) {
	s := *r.seg
	if s.kind != indexed {
		return nil, r.fail(ErrInvalid, "it has no index")
	}
	if err := s.readIndex(box); err != nil {
		return nil, r.fail(ErrInvalid, "segment index: %v", err)
	}
	c := *r
	c.seg = &s
	return &c, nil
}

func (s *segments) readIndex(data []byte) error {
	at := s.index.Offset
	for len(data) >= 8 {
		size := uint64(binary.BigEndian.Uint32(data))
		header := uint64(8)
		if size == 1 && len(data) >= 16 {
			size, header = binary.BigEndian.Uint64(data[8:]), 16
		}
		if size < header || size > uint64(len(data)) {
			return fmt.Errorf("a box of %d bytes where %d are left", size, len(data))
		}
		if string(data[4:8]) == "sidx" {
			return s.readSidx(data[header:size], at+int64(size))
		}
		data, at = data[size:], at+int64(size)
	}
	return errors.New("no sidx box")
}

// readSidx reads the box's payload; end is the byte after the box.
func (s *segments) readSidx(b []byte, end int64) error {
	if len(b) < 24 {
		return errors.New("sidx is cut short")
	}
	version, scale := b[0], int64(binary.BigEndian.Uint32(b[8:]))
	b = b[12:]
	var earliest, offset uint64
	if version == 0 {
		earliest, offset = uint64(binary.BigEndian.Uint32(b)), uint64(binary.BigEndian.Uint32(b[4:]))
		b = b[8:]
	} else {
		if len(b) < 20 {
			return errors.New("sidx is cut short")
		}
		earliest, offset = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
		b = b[16:]
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	b = b[4:]
	switch {
	case scale == 0 || earliest > 1<<62 || offset > 1<<62:
		return fmt.Errorf("sidx with timescale %d, earliest time %d, first offset %d", scale, earliest, offset)
	case len(b) < 12*n:
		return fmt.Errorf("sidx of %d references is cut short", n)
	case n == 0:
		return errors.New("sidx without references")
	}
	// The MPD's presentationTimeOffset is in its own timescale.
	if s.scale != scale {
		s.pto = toTicks(toDuration(s.pto, s.scale), scale)
		s.scale = scale
	}
	s.kind, s.first = timeline, 1
	s.runs, s.sized = make([]run, 0, n), make([]int64, 0, n+1)
	t, from := int64(earliest), end+int64(offset)
	for i := range n {
		ref, d := binary.BigEndian.Uint32(b[12*i:]), int64(binary.BigEndian.Uint32(b[12*i+4:]))
		size := int64(ref & 0x7fffffff)
		if ref>>31 == 1 {
			return errors.New("sidx of further indexes is not supported")
		}
		if size == 0 || d == 0 {
			return fmt.Errorf("sidx reference %d of %d bytes and %d ticks", i, size, d)
		}
		s.runs = append(s.runs, run{t: t, d: d, n: 1, first: int64(i), parts: 1})
		s.sized = append(s.sized, from)
		t, from = t+d, from+size
	}
	s.sized = append(s.sized, from)
	return nil
}
