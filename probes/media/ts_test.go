package media

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// tables are the packets of PAT and PMT of a real segment: H.264 on PID 256.
func tables(t testing.TB) []byte { return file(t, lab+"ts/360p/0.ts")[packetSize : 3*packetSize] }

// nal is a NAL unit of n bytes behind a start code.
func nal(first byte, n int) []byte {
	return append([]byte{0, 0, 0, 1, first}, bytes.Repeat([]byte{0xab}, n-1)...)
}

// pesOf is a PES packet of the elementary stream es; without a PTS it goes on
// with the picture before.
func pesOf(es []byte, pts, length bool) []byte {
	flags, opt := byte(0), []byte(nil)
	if pts {
		flags, opt = 0x80, []byte{0x21, 0, 1, 0, 1}
	}
	size := 0
	if length {
		size = 3 + len(opt) + len(es)
	}
	head := append([]byte{0, 0, 1, 0xe0, byte(size >> 8), byte(size), 0x80, flags, byte(len(opt))}, opt...)
	return append(head, es...)
}

// packets cuts a PES packet or section into TS packets of at most per bytes of
// payload, filled up by adaptation fields.
func packets(pid int, cc *int, b []byte, per int) []byte {
	var out []byte
	for first := true; first || len(b) > 0; first = false {
		n := min(per, len(b), packetSize-4)
		start := byte(0)
		if first {
			start = 0x40
		}
		p := []byte{syncByte, start | byte(pid>>8), byte(pid), 0x10 | byte(*cc&15)}
		*cc++
		if fill := packetSize - 4 - n; fill > 0 {
			p[3] |= 0x20
			p = append(p, byte(fill-1))
			if fill > 1 {
				p = append(append(p, 0), bytes.Repeat([]byte{0xff}, fill-2)...)
			}
		}
		out = append(append(out, p...), b[:n]...)
		b = b[n:]
	}
	return out
}

// end is where in a segment the packet lies that holds byte n-1 of a PES packet
// that begins at off.
func end(off, n, per int) int64 {
	per = min(per, packetSize-4)
	return int64(off + (n+per-1)/per*packetSize)
}

func keyOf(b []byte, piece int) (Keyframe, error) {
	f := NewFinder()
	err := feed(f, b, piece)
	k, _ := f.Keyframe()
	return k, err
}

var (
	aud    = nal(9, 2)
	params = append(nal(0x67, 12), nal(0x68, 4)...)
	idr    = nal(0x65, 300)
	inter  = nal(0x41, 200)
	rpSEI  = append([]byte{0, 0, 0, 1, 6, 5, 3, 1, 2, 3, 6, 1, 0x84}, 0x80)
)

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// TestPictureEnd: the keyframe ends with the packet that holds its last byte,
// however the next picture makes itself known and wherever packets are cut.
func TestPictureEnd(t *testing.T) {
	head := tables(t)
	picture := join(aud, params, idr)
	for _, per := range []int{1, 2, 3, 5, 50, 100, 183, 184} {
		cc := 0
		whole := len(pesOf(picture, true, false))
		first := packets(256, &cc, pesOf(picture, true, false), per)
		next := packets(256, &cc, pesOf(join(aud, inter), true, false), per)
		cc = 0
		both := packets(256, &cc, pesOf(join(picture, aud, inter), true, false), per)
		cc = 0
		halves := join(
			packets(256, &cc, pesOf(picture[:200], true, true), per),
			packets(256, &cc, pesOf(picture[200:], false, true), per))
		half := len(packets(256, new(int), pesOf(picture[:200], true, true), per))
		other := packets(257, new(int), make([]byte, 400), per)
		at := len(head)
		for _, tc := range []struct {
			name string
			b    []byte
			want int64
		}{
			{"next PES", join(head, first, next), end(at, whole, per)},
			{"next PES, other PID between", join(head, first, other, next), end(at, whole, per)},
			{"delimiter within the PES", join(head, both), end(at, whole, per)},
			{"end of the segment", join(head, first), end(at, whole, per)},
			{"end of the segment, other PID last", join(head, first, other), end(at, whole, per)},
			{"picture in two PES", join(head, halves, next), end(at+half, len(pesOf(picture[200:], false, true)), per)},
		} {
			for _, piece := range []int{1, 188, 1000} {
				k, err := keyOf(tc.b, piece)
				if err != nil || k.Offset != tc.want || k.Kind != IDR || !k.At.Equal(arrived(tc.b, tc.want, piece)) {
					t.Errorf("%s, %d bytes a packet, by %d: %v, %s ends at %d at %v, want %d",
						tc.name, per, piece, err, k.Kind, k.Offset, k.At.Sub(epoch).Microseconds(), tc.want)
				}
			}
		}
	}
}

// TestPictures: which picture is the keyframe. Each row is one PES packet per
// picture; want counts them from 1, 0 is none.
func TestPictures(t *testing.T) {
	head := tables(t)
	for _, tc := range []struct {
		name     string
		pictures [][]byte
		want     int
		kind     Kind
	}{
		{"first", [][]byte{join(aud, params, idr), join(aud, inter)}, 1, IDR},
		{"third", [][]byte{join(aud, params, inter), join(aud, inter), join(aud, idr), join(aud, inter)}, 3, IDR},
		{"parameter sets too late for the first", [][]byte{join(aud, idr), join(aud, params, idr)}, 2, IDR},
		{"without PPS", [][]byte{join(aud, nal(0x67, 12), idr)}, 0, ""},
		{"recovery point behind another message", [][]byte{join(aud, params, inter), join(aud, rpSEI, inter), join(aud, inter)}, 2, RecoveryPoint},
		{"IDR with a recovery point", [][]byte{join(aud, params, rpSEI, idr)}, 1, IDR},
		{"several slices", [][]byte{join(aud, params, idr, idr, idr), join(aud, idr)}, 1, IDR},
		{"no slices", [][]byte{join(aud, params)}, 0, ""},
		{"three-byte start codes", [][]byte{join(aud, params, idr[1:]), join(aud[1:], inter[1:])}, 1, IDR},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, cc, want := head, 0, int64(0)
			for i, p := range tc.pictures {
				b = join(b, packets(256, &cc, pesOf(p, true, i%2 == 0), 184))
				if i+1 == tc.want {
					want = int64(len(b))
				}
			}
			k, err := keyOf(b, 1000)
			if want == 0 {
				if !errors.Is(err, ErrNoKeyframe) {
					t.Errorf("%v, %v", err, k)
				}
			} else if err != nil || k.Offset != want || k.Kind != tc.kind {
				t.Errorf("%v: %s ends at %d, want %s at %d", err, k.Kind, k.Offset, tc.kind, want)
			}
		})
	}
}

// TestTSDamage: what may happen to packets.
func TestTSDamage(t *testing.T) {
	b := file(t, lab+"ts/360p/0.ts")
	twice := append(bytes.Clone(b[:4*packetSize]), b[3*packetSize:]...)
	unsynced := join(b[:8*packetSize], []byte("some junk"), b[8*packetSize:])
	scrambled := bytes.Clone(b)
	for i := 3 * packetSize; i < len(b); i += packetSize {
		scrambled[i+3] |= 0x80
	}
	sized := join(tables(t), packets(256, new(int), pesOf(join(aud, params, idr), true, true), 184))
	noAdaptation := bytes.Clone(b)
	for i := 3 * packetSize; i < len(b); i += packetSize {
		noAdaptation[i+3] |= 0x20
		noAdaptation[i+4] = 255
	}
	for _, tc := range []struct {
		name string
		b    []byte
		want error
		off  int64
	}{
		{"a packet sent twice", twice, nil, 5452 + packetSize},
		{"junk between packets", unsynced, nil, 5452 + 9},
		{"scrambled", scrambled, ErrNoKeyframe, 0},
		{"adaptation fields beyond the packet", noAdaptation, ErrNoKeyframe, 0},
		{"not a second packet", join(b[:packetSize], bytes.Repeat([]byte{1}, 1000)), ErrInvalid, 0},
		{"much junk", join(b[:8*packetSize], bytes.Repeat([]byte{1}, maxJunk+1)), ErrInvalid, 0},
		{"cut within a packet of the keyframe", b[:3000], ErrTruncated, 0},
		{"cut between packets of a keyframe without length", b[:10*packetSize], nil, 10 * packetSize},
		{"cut between packets of a keyframe with length", sized[:len(sized)-packetSize], ErrTruncated, 0},
		{"cut within a packet after it", b[:30001], ErrTruncated, 5452},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, piece := range []int{1, 100, 1 << 20} {
				k, err := keyOf(tc.b, piece)
				if !errors.Is(err, tc.want) || k.Offset != tc.off {
					t.Errorf("by %d: %v, keyframe ends at %d, want %v and %d", piece, err, k.Offset, tc.want, tc.off)
				}
			}
		})
	}
}

func FuzzTS(f *testing.F) {
	for _, tc := range known {
		if tc.want.Kind != Sync {
			f.Add(file(f, tc.segment)[:tc.want.Offset+3*packetSize])
		}
	}
	cc := 0
	f.Add(join(tables(f), packets(256, &cc, pesOf(join(aud, params, idr, aud, inter), true, false), 7)))
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, err := keyOf(b, 1<<20)
		for _, piece := range []int{1, 150} {
			if k, got := keyOf(b, piece); fmt.Sprint(got) != fmt.Sprint(err) || k.Offset != whole.Offset {
				t.Fatalf("whole: %v, ends at %d; by %d: %v, %d", err, whole.Offset, piece, got, k.Offset)
			}
		}
		if whole.Offset < 0 || whole.Offset > int64(len(b)) {
			t.Fatalf("keyframe ends at %d of %d", whole.Offset, len(b))
		}
	})
}
