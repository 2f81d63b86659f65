package rewrite

import (
	"encoding/binary"
	"fmt"
)

// fragment is one moof with its mdat, as ffmpeg writes them into a segment.
type fragment struct {
	before   []byte // boxes up to moof, but for sidx
	sequence uint32
	tfhd     []byte // body
	time     uint64 // tfdt
	duration uint32 // of a sample
	first    []byte // first_sample_flags, empty: none
	sizes    []uint32
	data     []byte // of mdat
}

// Split cuts a segment of fragmented MP4 into parts of as many samples each, one
// moof and one mdat a part: together they are the segment again, without its
// sidx, which no longer holds.
func Split(segment []byte, parts int) ([][]byte, error) {
	f, err := readFragment(segment)
	if err != nil {
		return nil, err
	}
	if parts <= 0 || len(f.sizes)%parts != 0 {
		return nil, fmt.Errorf("%w: %d samples are not to be had in %d parts", ErrForeign, len(f.sizes), parts)
	}
	each := len(f.sizes) / parts
	var out [][]byte
	for n := range parts {
		sizes := f.sizes[n*each : (n+1)*each]
		length := uint64(0)
		for _, s := range sizes {
			length += uint64(s)
		}
		if length > uint64(len(f.data)) {
			return nil, fmt.Errorf("%w: samples beyond mdat", ErrForeign)
		}
		part := f
		part.time += uint64(n*each) * uint64(f.duration)
		part.sizes, part.data = sizes, f.data[:length]
		if n > 0 {
			part.before, part.first = nil, nil
		}
		out = append(out, part.write())
		f.data = f.data[length:]
	}
	return out, nil
}

// readFragment takes a segment with one moof apart.
func readFragment(segment []byte) (f fragment, err error) {
	moofs := 0
	err = eachBox(segment, func(kind string, body []byte) error {
		switch kind {
		case "moof":
			moofs++
		case "traf", "sidx":
		case "mfhd":
			if len(body) != 8 {
				return fmt.Errorf("%w: mfhd", ErrForeign)
			}
			f.sequence = binary.BigEndian.Uint32(body[4:])
		case "tfhd":
			f.tfhd = body
		case "tfdt":
			if len(body) != 12 || body[0] != 1 {
				return fmt.Errorf("%w: tfdt", ErrForeign)
			}
			f.time = binary.BigEndian.Uint64(body[4:])
		case "trun":
			return f.readSamples(body)
		case "mdat":
			f.data = body
		default:
			if moofs > 0 {
				return fmt.Errorf("%w: box %q in or behind moof", ErrForeign, kind)
			}
			f.before = append(f.before, box(kind, body)...)
		}
		return nil
	})
	// default-base-is-moof, and defaults of duration, size and flags (8.8.7).
	if err == nil && (moofs != 1 || len(f.tfhd) != 20 || binary.BigEndian.Uint32(f.tfhd) != 0x020038) {
		err = fmt.Errorf("%w: %d moof, or tfhd", ErrForeign, moofs)
	}
	if err == nil {
		f.duration = binary.BigEndian.Uint32(f.tfhd[8:])
	}
	return f, err
}

// readSamples reads a trun with a data offset, maybe first_sample_flags, and
// sizes (8.8.8).
func (f *fragment) readSamples(trun []byte) error {
	if len(trun) < 12 || f.sizes != nil {
		return fmt.Errorf("%w: trun of %d bytes, or a second one", ErrForeign, len(trun))
	}
	f.sizes = []uint32{}
	flags, count, rest := binary.BigEndian.Uint32(trun), binary.BigEndian.Uint32(trun[4:]), trun[12:]
	if flags == 0x205 && len(rest) >= 4 {
		f.first, rest = rest[:4], rest[4:]
	} else if flags != 0x201 {
		return fmt.Errorf("%w: trun with flags %x", ErrForeign, flags)
	}
	if uint64(len(rest)) != 4*uint64(count) {
		return fmt.Errorf("%w: trun of %d samples", ErrForeign, count)
	}
	for ; len(rest) > 0; rest = rest[4:] {
		f.sizes = append(f.sizes, binary.BigEndian.Uint32(rest))
	}
	return nil
}

// write is the fragment as boxes.
func (f *fragment) write() []byte {
	be := binary.BigEndian
	flags := uint32(0x201)
	if f.first != nil {
		flags = 0x205
	}
	trun := func(offset uint32) []byte {
		b := be.AppendUint32(be.AppendUint32(be.AppendUint32(nil, flags), uint32(len(f.sizes))), offset)
		b = append(b, f.first...)
		for _, s := range f.sizes {
			b = be.AppendUint32(b, s)
		}
		return b
	}
	moof := func(offset uint32) []byte {
		return box("moof",
			box("mfhd", be.AppendUint32(make([]byte, 4), f.sequence)),
			box("traf", box("tfhd", f.tfhd), box("tfdt", be.AppendUint64([]byte{1, 0, 0, 0}, f.time)), box("trun", trun(offset))))
	}
	head := len(moof(0)) + 8 // behind which the samples begin
	out := append([]byte(nil), f.before...)
	out = append(out, moof(uint32(head))...)
	return append(out, box("mdat", f.data)...)
}

func box(kind string, bodies ...[]byte) []byte {
	b := append(make([]byte, 4), kind...)
	for _, body := range bodies {
		b = append(b, body...)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}
