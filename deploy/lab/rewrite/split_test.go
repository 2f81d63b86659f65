package rewrite

import (
	"bytes"
	"errors"
	"os"
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
			segment, err := os.ReadFile("../media/cmaf/" + tc.name + "/1.m4s")
			if err != nil {
				t.Fatal(err)
			}
			whole, err := readFragment(segment)
			if err != nil {
				t.Fatal(err)
			}
			parts, err := Split(segment, 3)
			if err != nil || len(parts) != 3 {
				t.Fatalf("%d parts, %v", len(parts), err)
			}
			var data []byte
			for k, p := range parts {
				f, err := readFragment(p)
				if err != nil {
					t.Fatal(err)
				}
				if len(f.sizes) != tc.samples/3 || f.time != tc.from+uint64(k*tc.samples/3)*tc.ticks || f.sequence != whole.sequence {
					t.Errorf("part %d: %d samples from %d, number %d", k, len(f.sizes), f.time, f.sequence)
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
	segment, err := os.ReadFile("../media/cmaf/v360/1.m4s")
	if err != nil {
		t.Fatal(err)
	}
	twice := append(bytes.Clone(segment), segment...)
	for _, tc := range []struct {
		name    string
		segment []byte
		parts   int
	}{
		{"parts that are unequal", segment, 5}, {"no parts", segment, 0}, {"nothing", nil, 3},
		{"cut off", segment[:400], 3}, {"two segments", twice, 3},
	} {
		if _, err := Split(tc.segment, tc.parts); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
