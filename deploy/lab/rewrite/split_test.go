package rewrite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
)

// The parts of a segment begin where the ones before end, in time and in bytes,
// and only the first has a place to start.
func TestSplit(t *testing.T) {
	for _, tc := range []struct {
		name    string
		samples int
		ticks   uint64 // a sample's
		from    uint64 // of segment 1
		first   uint32 // trun's flags
	}{
		{"v360", 48, 512, 24576, 0x205},
		{"a48", 90, 1024, 92160, 0x201},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := segment(t, "cmaf/"+tc.name+"/1.m4s")
			whole, err := readFragment(in)
			if err != nil {
				t.Fatal(err)
			}
			parts, err := Split(in, 3)
			if err != nil || len(parts) != 3 {
				t.Fatalf("%d parts, %v", len(parts), err)
			}
			var data []byte
			for k, p := range parts {
				f, err := readFragment(p)
				if err != nil {
					t.Fatal(err)
				}
				if len(f.sizes) != tc.samples/3 || f.time != tc.from+uint64(k*tc.samples/3)*tc.ticks || f.sequence != 2 {
					t.Errorf("part %d: %d samples from %d, number %d", k, len(f.sizes), f.time, f.sequence)
				}
				moof, trun := bytes.Index(p, []byte("moof"))-4, bytes.Index(p, []byte("trun"))+4
				if offset := int(binary.BigEndian.Uint32(p[trun+8:])); !bytes.Equal(p[moof+offset:], f.data) {
					t.Errorf("part %d: its samples are not %d bytes behind the start of moof", k, offset)
				}
				if (f.first != nil) != (k == 0 && tc.first == 0x205) || (len(f.before) > 0) != (k == 0) {
					t.Errorf("part %d: first sample's flags %x, %d bytes before", k, f.first, len(f.before))
				}
				data = append(data, f.data...)
			}
			if !bytes.Equal(data, whole.data) {
				t.Errorf("%d bytes of samples, want %d", len(data), len(whole.data))
			}
		})
	}
}

func TestSplitRefuses(t *testing.T) {
	in := segment(t, "cmaf/v360/1.m4s")
	twice := append(bytes.Clone(in), in...)
	// changed is the segment with one field of a box of another value.
	changed := func(kind string, at int, value uint32) []byte {
		out := bytes.Clone(in)
		binary.BigEndian.PutUint32(out[bytes.Index(out, []byte(kind))+4+at:], value)
		return out
	}
	// before is the segment with one more box before that of a kind.
	before := func(kind string, more []byte) []byte {
		return slices.Insert(bytes.Clone(in), bytes.Index(in, []byte(kind))-4, more...)
	}
	none := box("trun", []byte{0, 0, 2, 1}, make([]byte, 8)) // of no samples
	runs := before("trun", none)
	for _, kind := range []string{"moof", "traf"} {
		size := runs[bytes.Index(runs, []byte(kind))-4:]
		binary.BigEndian.PutUint32(size, binary.BigEndian.Uint32(size)+uint32(len(none)))
	}
	for _, tc := range []struct {
		name    string
		segment []byte
		parts   int
	}{
		{"parts that are unequal", in, 5}, {"no parts", in, 0}, {"nothing", nil, 3},
		{"cut off", in[:400], 3}, {"two segments", twice, 3}, {"two moofs", before("moof", box("moof")), 3},
		{"a box behind moof", append(bytes.Clone(in), box("free")...), 3}, {"two runs of samples", runs, 3},
		{"a time of 32 bits", changed("tfdt", 0, 0), 3}, {"another tfhd", changed("tfhd", 0, 0x20000), 3},
		{"samples with durations", changed("trun", 0, 0x301), 3}, {"more samples than sizes", changed("trun", 4, 51), 3},
		{"samples beyond mdat", changed("trun", 16, 1<<24), 3},
	} {
		if _, err := Split(tc.segment, tc.parts); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
