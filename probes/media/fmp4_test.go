package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"testing"
)

// box makes a box of its parts, each bytes, a string, or a big-endian number.
func box(typ string, parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case []byte:
			b = append(b, p...)
		case string:
			b = append(b, p...)
		case int:
			b = binary.BigEndian.AppendUint32(b, uint32(p))
		case uint64:
			b = binary.BigEndian.AppendUint64(b, p)
		case uint16:
			b = binary.BigEndian.AppendUint16(b, p)
		default:
			panic(fmt.Sprintf("%T", p))
		}
	}
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(b))), typ...), b...)
}

func moofBox(trafs ...[]byte) []byte {
	return box("moof", box("mfhd", 0, 1), bytes.Join(trafs, nil))
}

// testInit has sound as track 1 and pictures as track 2, samples of 100 bytes,
// those of pictures no sync samples unless told otherwise.
var testInit = &Init{Tracks: []Track{
	{ID: 1, Handler: "soun", DefaultSize: 100},
	{ID: 2, Handler: "vide", DefaultSize: 100, DefaultFlags: nonSync, Codec: "avc1"},
}}

const isMoof = tfhdDefaultBaseIsMoof

// TestFragments: where samples lie, by each way of saying so.
func TestFragments(t *testing.T) {
	mdat := box("mdat", make([]byte, 2000))
	tfhd := box("tfhd", isMoof, 2)
	for _, tc := range []struct {
		name string
		b    [][]byte
		want int64 // 0: no keyframe
	}{
		{"all by default, first sample flags", [][]byte{moofBox(box("traf", tfhd,
			box("trun", trunDataOffset|trunFirstSampleFlags, 10, 500, 0))), mdat}, 600},
		{"first sample flags without depends_on", [][]byte{moofBox(box("traf", tfhd,
			box("trun", trunDataOffset|trunFirstSampleFlags|trunSize, 2, 500, 0, 77, 33))), mdat}, 577},
		{"depends_on alone makes no keyframe", [][]byte{moofBox(box("traf", tfhd,
			box("trun", trunDataOffset|trunFirstSampleFlags, 10, 500, 0x02000000|nonSync))), mdat}, 0},
		{"flags per sample, the third", [][]byte{moofBox(box("traf", tfhd,
			box("trun", trunDataOffset|trunFlags, 4, 500, nonSync, nonSync, 0, 0))), mdat}, 800},
		{"everything per sample, the second", [][]byte{moofBox(box("traf", tfhd,
			box("trun", trunDataOffset|trunDuration|trunSize|trunFlags|trunCompositionTime, 2, 500,
				1, 10, nonSync, 0, 1, 20, 0, 0))), mdat}, 530},
		{"tfhd's flags", [][]byte{moofBox(box("traf", box("tfhd", isMoof|tfhdDefaultFlags, 2, 0),
			box("trun", trunDataOffset, 3, 500))), mdat}, 600},
		{"tfhd's size, after all that may come before", [][]byte{moofBox(box("traf",
			box("tfhd", isMoof|tfhdDescriptionIndex|tfhdDefaultDuration|tfhdDefaultSize|tfhdDefaultFlags, 2, 1, 40, 60, 0),
			box("trun", trunDataOffset, 3, 500))), mdat}, 560},
		{"first not sync, the rest by default", [][]byte{moofBox(box("traf", box("tfhd", isMoof|tfhdDefaultFlags, 2, 0),
			box("trun", trunDataOffset|trunFirstSampleFlags, 3, 500, nonSync))), mdat}, 700},
		{"second run after the first", [][]byte{moofBox(box("traf", tfhd,
			box("trun", trunDataOffset, 3, 500), box("trun", trunFirstSampleFlags, 3, 0))), mdat}, 900},
		{"first run without offset: from the moof", [][]byte{moofBox(box("traf", tfhd,
			box("trun", trunFirstSampleFlags, 3, 0))), mdat}, 100},
		{"base data offset", [][]byte{moofBox(box("traf", box("tfhd", tfhdBaseDataOffset, 2, uint64(400)),
			box("trun", trunDataOffset|trunFirstSampleFlags, 3, 50, 0))), mdat}, 550},
		{"neither base: after the track before", [][]byte{moofBox(
			box("traf", box("tfhd", 0, 1), box("trun", trunDataOffset, 3, 200)),
			box("traf", box("tfhd", 0, 2), box("trun", trunFirstSampleFlags, 3, 0))), mdat}, 600},
		{"sound first, both from the moof", [][]byte{moofBox(
			box("traf", box("tfhd", isMoof, 1), box("trun", trunDataOffset, 3, 200)),
			box("traf", tfhd, box("trun", trunDataOffset|trunFirstSampleFlags, 3, 500, 0))), mdat}, 600},
		{"negative offset: data before the moof", [][]byte{mdat, moofBox(box("traf", tfhd,
			box("trun", trunDataOffset|trunFirstSampleFlags, 3, -1000, 0)))}, 1108},
		{"second moof", [][]byte{box("styp", "msdh", 0), moofBox(box("traf", tfhd, box("trun", trunDataOffset, 2, 100))), mdat,
			moofBox(box("traf", tfhd, box("trun", trunDataOffset|trunFirstSampleFlags, 2, 100, 0))), mdat}, 16 + 68 + 2008 + 200},
		{"empty sync sample is none", [][]byte{moofBox(box("traf", tfhd,
			box("trun", trunDataOffset|trunSize|trunFlags, 2, 500, 0, 0, 90, 0))), mdat}, 590},
		{"mdat of 64 bits", [][]byte{moofBox(box("traf", tfhd, box("trun", trunDataOffset|trunFirstSampleFlags, 3, 300, 0))),
			append([]byte("\x00\x00\x00\x01mdat\x00\x00\x00\x00\x00\x00\x04\x00"), make([]byte, 1008)...)}, 400},
		{"mdat up to the end", [][]byte{moofBox(box("traf", tfhd, box("trun", trunDataOffset|trunFirstSampleFlags, 3, 300, 0))),
			append([]byte("\x00\x00\x00\x00mdat"), make([]byte, 1008)...)}, 400},
		{"all that may come before", [][]byte{box("styp", "msdh", 0), box("prft", 0), box("emsg", 0), box("sidx", 0),
			moofBox(box("traf", tfhd, box("trun", trunDataOffset|trunFirstSampleFlags, 3, 300, 0))), mdat}, 16 + 36 + 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := bytes.Join(tc.b, nil)
			for _, piece := range []int{1, 13, 1 << 20} {
				f := NewFinder()
				if err := f.SetInit(testInit, epoch); err != nil {
					t.Fatal(err)
				}
				err := feed(f, b, piece)
				k, ok := f.Keyframe()
				if tc.want == 0 {
					if !errors.Is(err, ErrNoKeyframe) || ok {
						t.Fatalf("by %d: %v, keyframe %v", piece, err, k)
					}
					continue
				}
				if err != nil || k.Offset != tc.want || k.Track != 2 {
					t.Fatalf("by %d: %v, track %d ends at %d, want 2 at %d", piece, err, k.Track, k.Offset, tc.want)
				}
			}
		})
	}
}

func TestHostileFragments(t *testing.T) {
	tfhd := box("tfhd", isMoof, 2)
	trun := box("trun", trunDataOffset|trunFirstSampleFlags, 10, 500, 0)
	large := func(n uint64) []byte {
		return binary.BigEndian.AppendUint64([]byte("\x00\x00\x00\x01mdat"), n)
	}
	for _, tc := range []struct {
		name string
		b    []byte
		want error
	}{
		{"HTML", []byte("<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"), ErrInvalid},
		{"HTML behind a BOM and space", []byte("\xef\xbb\xbf\n <html><body>502</body></html>"), ErrInvalid},
		{"playlist", []byte("#EXTM3U\n#EXT-X-VERSION:3\n"), ErrInvalid},
		{"JSON", []byte(`{"error":"no such segment"}`), ErrInvalid},
		{"zeros", make([]byte, 1000), ErrInvalid},
		{"empty", nil, ErrTruncated},
		{"three bytes", []byte("abc"), ErrInvalid},
		{"box of 7 bytes", append(box("styp", 0), 0, 0, 0, 7, 'm', 'd', 'a', 't'), ErrInvalid},
		{"box type of control characters", append(box("styp", 0), 0, 0, 0, 9, 1, 2, 3, 4), ErrInvalid},
		{"64-bit size of 15", large(15), ErrInvalid},
		{"64-bit size that overflows", large(math.MaxUint64), ErrInvalid},
		{"64-bit size beyond the end", large(1 << 40), ErrTruncated},
		{"64-bit size cut off", large(1 << 40)[:12], ErrTruncated},
		{"moof up to the end", []byte("\x00\x00\x00\x00moof\x00\x00\x00\x08mfhd"), ErrInvalid},
		{"moof of 2 GiB", []byte("\x80\x00\x00\x00moof"), ErrInvalid},
		{"moov of 2 GiB", []byte("\x80\x00\x00\x00moov"), ErrInvalid},
		{"empty moof", box("moof"), ErrInvalid},
		{"box beyond its moof", box("moof", []byte("\x00\x00\x00\x20traf")), ErrInvalid},
		{"stray bytes in a moof", box("moof", []byte("\x00\x00\x00")), ErrInvalid},
		{"trun before tfhd", moofBox(box("traf", trun, tfhd)), ErrInvalid},
		{"short tfhd", moofBox(box("traf", box("tfhd", isMoof|tfhdDefaultSize, 2), trun)), ErrInvalid},
		{"track 0", moofBox(box("traf", box("tfhd", isMoof, 0), trun)), ErrInvalid},
		{"absurd base", moofBox(box("traf", box("tfhd", tfhdBaseDataOffset, 2, uint64(math.MaxUint64)), trun)), ErrInvalid},
		{"data before the segment", moofBox(box("traf", tfhd, box("trun", trunDataOffset, 1, -4))), ErrInvalid},
		{"four thousand million samples that are not there", moofBox(box("traf", tfhd,
			box("trun", trunDataOffset|trunSize, -1, 500, 1, 2, 3))), ErrInvalid},
		{"four thousand million samples by default", moofBox(box("traf", tfhd,
			box("trun", trunDataOffset, -1, 500))), ErrTruncated},
		{"the same of 4 GB each", moofBox(box("traf", box("tfhd", isMoof|tfhdDefaultSize, 2, -1),
			box("trun", trunDataOffset, -1, 500))), ErrInvalid},
		{"samples without mdat", moofBox(box("traf", tfhd, trun)), ErrTruncated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, piece := range []int{1, 1 << 20} {
				f := NewFinder()
				f.SetInit(testInit, epoch)
				if err := feed(f, tc.b, piece); !errors.Is(err, tc.want) {
					t.Errorf("by %d: got %v, want %v", piece, err, tc.want)
				}
			}
		})
	}
}

// TestTruncated cuts a segment at every byte up to the keyframe, and at some
// after it.
func TestTruncated(t *testing.T) {
	b := file(t, lab+"cmaf/v360/0.m4s")
	init := initOf(t, lab+"cmaf/v360/init.mp4")
	whole := map[int]bool{} // where a box ends before the moof does
	for at := 0; string(b[at+4:at+8]) != "moof"; {
		at += int(binary.BigEndian.Uint32(b[at:]))
		whole[at] = true
	}
	if len(whole) == 0 {
		t.Fatal("the segment begins with a moof")
	}
	for n := 0; n < len(b); n++ {
		if n > 6000 {
			n = min(n+997, len(b)-1)
		}
		f := NewFinder()
		f.SetInit(init, epoch)
		err := feed(f, b[:n], 1<<20)
		want := ErrTruncated
		switch {
		case whole[n]:
			want = ErrNoKeyframe
		case n > 0 && n < sniffLen:
			want = ErrInvalid
		}
		if !errors.Is(err, want) {
			t.Fatalf("cut at %d: got %v, want %v", n, err, want)
		}
		if _, ok := f.Keyframe(); ok != (n >= 4918) {
			t.Fatalf("cut at %d: keyframe %v", n, ok)
		}
	}
}

// TestWaitingBound: fragments without an init segment are not kept for ever.
func TestWaitingBound(t *testing.T) {
	f := NewFinder()
	m := box("moof", box("free", make([]byte, 100<<10)))
	var err error
	n := 0
	for ; err == nil && n < 100; n++ {
		err = f.Feed(m, epoch)
	}
	if !errors.Is(err, ErrInvalid) || n != MaxMoof/(100<<10)+1 {
		t.Errorf("%v after %d fragments", err, n)
	}
}

func FuzzFMP4(f *testing.F) {
	for _, tc := range known {
		if tc.want.Kind == Sync {
			f.Add(file(f, tc.segment)[:min(6000, tc.want.Offset)])
		}
	}
	f.Add(moofBox(box("traf", box("tfhd", isMoof, 1), box("trun", trunDataOffset, 3, 200))))
	init := initOf(f, lab+"cmaf/v360/init.mp4")
	f.Fuzz(func(t *testing.T, b []byte) {
		early := NewFinder()
		early.SetInit(init, epoch)
		err := feed(early, b, 1<<20)
		want, _ := early.Keyframe()

		pieces := NewFinder()
		pieces.SetInit(init, epoch)
		if got := feed(pieces, b, 3); fmt.Sprint(got) != fmt.Sprint(err) {
			t.Fatalf("whole: %v; in pieces: %v", err, got)
		}
		if got, _ := pieces.Keyframe(); got.Offset != want.Offset {
			t.Fatalf("whole: ends at %d; in pieces: %d", want.Offset, got.Offset)
		}
		if err != nil || bytes.Contains(b, []byte("moov")) {
			return
		}
		late := NewFinder()
		feed(late, b, 5)
		err = late.SetInit(init, epoch)
		if got, _ := late.Keyframe(); err != nil || got.Offset != want.Offset {
			t.Fatalf("init before: ends at %d; after: %d, %v", want.Offset, got.Offset, err)
		}
	})
}
