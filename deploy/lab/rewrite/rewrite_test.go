package rewrite

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/asticode/go-astits"
)

const length = 1920 * time.Millisecond

// shifted is a segment as the first one after n rounds of itself alone.
func shifted(segment []byte, n int64) ([]byte, error) {
	l, err := NewLoop([][]byte{segment}, length)
	if err != nil {
		return nil, err
	}
	return l.Segment(n)
}

func segment(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../media/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// times is every PTS and PCR of a segment, as another demuxer reads them, in
// ticks of 90 kHz.
func times(t testing.TB, ts []byte) (all []int64) {
	t.Helper()
	d := astits.NewDemuxer(context.Background(), bytes.NewReader(ts))
	for {
		data, err := d.NextData()
		if errors.Is(err, astits.ErrNoMorePackets) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if data.PES != nil && data.PES.Header.OptionalHeader != nil {
			all = append(all, data.PES.Header.OptionalHeader.PTS.Base)
		}
		if a := data.FirstPacket.AdaptationField; a != nil && a.HasPCR {
			all = append(all, a.PCR.Base)
		}
	}
}

func TestShiftTS(t *testing.T) {
	in := segment(t, "ts/360p/1.ts")
	before := times(t, in)
	if len(before) < 48 {
		t.Fatalf("%d times in the segment", len(before))
	}
	// Times wrap at 33 bits: 26.5 hours.
	for _, n := range []int64{0, 1, 1000, 15_000_000} {
		out, err := shifted(in, n)
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range times(t, out) {
			if want := (before[i] + n*1920*90) & (1<<33 - 1); got != want {
				t.Fatalf("round %v: time %d is %d, want %d", n, i, got, want)
			}
		}
	}
}

// Continuity counters go on over the seams of segments and of the loop.
func TestLoopIsContinuous(t *testing.T) {
	var segments [][]byte
	for _, name := range []string{"0", "1", "2", "3", "4"} {
		segments = append(segments, segment(t, "ts/720p/"+name+".ts"))
	}
	l, err := NewLoop(segments, 5*length)
	if err != nil {
		t.Fatal(err)
	}
	last := map[int]byte{}
	for n := int64(1_000_003); n < 1_000_013; n++ {
		s, err := l.Segment(n)
		if err != nil {
			t.Fatal(err)
		}
		for ; len(s) > 0; s = s[188:] {
			pid, counter, payload := int(s[1]&0x1f)<<8|int(s[2]), s[3]&0x0f, s[3]&0x10 != 0
			before, known := last[pid]
			if known && payload && counter != (before+1)&0x0f {
				t.Fatalf("segment %d, PID %d: counter %d follows %d", n, pid, counter, before)
			}
			last[pid] = counter
		}
	}
	if len(last) < 4 {
		t.Errorf("%d PIDs", len(last))
	}
}

// decodeTime is a segment's baseMediaDecodeTime, found without a parser.
func decodeTime(b []byte) uint64 {
	return binary.BigEndian.Uint64(b[bytes.Index(b, []byte("tfdt"))+8:])
}

func TestShiftMP4(t *testing.T) {
	for name, timescale := range map[string]uint64{"cmaf/v360/1.m4s": 12800, "cmaf/a48/1.m4s": 48000} {
		in := segment(t, name)
		if got := decodeTime(in); got != timescale*192/100 {
			t.Fatalf("%s: begins at %d", name, got)
		}
		out, err := shifted(in, 15_000_000)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := decodeTime(out), 15_000_001*timescale*192/100; got != want {
			t.Errorf("%s: moved to %d, want %d", name, got, want)
		}
		sidx := out[bytes.Index(out, []byte("sidx"))+4:]
		if got, want := binary.BigEndian.Uint64(sidx[12:]), decodeTime(out); got != want {
			t.Errorf("%s: sidx says %d, tfdt %d", name, got, want)
		}
		if got := binary.BigEndian.Uint32(out[bytes.Index(out, []byte("mfhd"))+8:]); got != 15_000_001 {
			t.Errorf("%s: sequence %d", name, got)
		}
		if _, err := NewLoop([][]byte{in}, time.Nanosecond); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: by a nanosecond: %v", name, err)
		}
	}
}

// idr counts IDR slices in a segment's pictures, as another demuxer joins them.
func idr(t testing.TB, ts []byte) (n int) {
	t.Helper()
	d := astits.NewDemuxer(context.Background(), bytes.NewReader(ts))
	for {
		data, err := d.NextData()
		if errors.Is(err, astits.ErrNoMorePackets) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		if data.PES == nil || !data.PES.Header.IsVideoStream() {
			continue
		}
		for rest := data.PES.Data; ; {
			i := bytes.Index(rest, []byte{0, 0, 1})
			if i < 0 || i+3 >= len(rest) {
				break
			}
			if rest[i+3]&0x1f == 5 {
				n++
			}
			rest = rest[i+3:]
		}
	}
}

func TestHideKeyframesTS(t *testing.T) {
	for _, name := range []string{"ts/360p/0.ts", "ts/720p/3.ts"} {
		in := segment(t, name)
		out, err := HideKeyframes(in)
		if err != nil {
			t.Fatal(err)
		}
		if before, after := idr(t, in), idr(t, out); before == 0 || after != 0 {
			t.Errorf("%s: %d IDR slices, then %d", name, before, after)
		}
		if len(in) != len(out) {
			t.Errorf("%s: %d bytes became %d", name, len(in), len(out))
		}
	}
}

func TestHideKeyframesMP4(t *testing.T) {
	in := segment(t, "cmaf/v360/1.m4s")
	out, err := HideKeyframes(in)
	if err != nil {
		t.Fatal(err)
	}
	// first_sample_flags stand behind version, flags, count and data_offset.
	at := bytes.Index(in, []byte("trun")) + 16
	if before, after := binary.BigEndian.Uint32(in[at:]), binary.BigEndian.Uint32(out[at:]); before != 0x02000000 || after != 0x02010000 {
		t.Errorf("first_sample_flags %08x became %08x", before, after)
	}
	if n := len(in) - bytes.Index(in, []byte("mdat")); !bytes.Equal(in[len(in)-n:], out[len(out)-n:]) {
		t.Error("mdat changed")
	}
}

func TestForeign(t *testing.T) {
	for name, in := range map[string][]byte{
		"nothing":   nil,
		"encrypted": segment(t, "aes/240p/0.ts"),
		"text":      []byte("<html>hello, this is a page</html>"),
		"cut":       segment(t, "cmaf/v360/1.m4s")[:200],
	} {
		if _, err := shifted(in, 1); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: Loop: %v", name, err)
		}
	}
	if _, err := HideKeyframes(segment(t, "aes/240p/0.ts")); !errors.Is(err, ErrForeign) {
		t.Errorf("encrypted: HideKeyframes: %v", err)
	}
}

func FuzzRewrite(f *testing.F) {
	for _, name := range []string{"ts/360p/0.ts", "cmaf/v360/0.m4s", "cmaf/a48/0.m4s", "cmaf/v360/init.mp4"} {
		b := segment(f, name)
		f.Add(b[:min(len(b), 10*packet)])
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		held := bytes.Clone(in)
		shifted(in, 5)
		HideKeyframes(in)
		Split(in, 3)
		if !bytes.Equal(held, in) {
			t.Fatal("the input changed")
		}
	})
}
