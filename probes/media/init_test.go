package media

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseInit(t *testing.T) {
	for _, tc := range []struct {
		name string
		want Track
	}{
		{lab + "cmaf/v360/init.mp4", Track{ID: 1, Handler: "vide", Timescale: 12800, Codec: "avc1.4d401e", Width: 640, Height: 360}},
		{lab + "cmaf/v720/init.mp4", Track{ID: 1, Handler: "vide", Timescale: 12800, Codec: "avc1.64001f", Width: 1280, Height: 720}},
		{lab + "cmaf/a48/init.mp4", Track{ID: 1, Handler: "soun", Timescale: 48000, Codec: "mp4a.40.2"}},
		{lab + "hevc/init.mp4", Track{ID: 1, Handler: "vide", Timescale: 12800, Codec: "hvc1.1.6.L63.90", Width: 640, Height: 360}},
		{"testdata/shaka-cbcs.mp4", Track{ID: 1, Handler: "vide", Timescale: 12800, Codec: "avc1.64000c", Width: 320, Height: 180, Reorder: 2, Encrypted: true, DefaultDuration: 512}},
		{"testdata/cenc.mp4", Track{ID: 1, Handler: "vide", Timescale: 12800, Codec: "avc1.64000c", Width: 320, Height: 180, Reorder: 2, Encrypted: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if d := cmp.Diff(&Init{Tracks: []Track{tc.want}}, initOf(t, tc.name)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			var r InitReader
			if err := feed(&r, file(t, tc.name), 100); err != nil || !cmp.Equal(r.Init(), initOf(t, tc.name)) {
				t.Errorf("InitReader: %v, %v", r.Init(), err)
			}
		})
	}
}

// trak is a video track with the sample entry.
func trak(id int, entry []byte) []byte {
	return box("trak", box("tkhd", 0, 0, 0, id),
		box("mdia", box("mdhd", 0, 0, 0, 1000), box("hdlr", 0, 0, "vide"),
			box("minf", box("stbl", box("stsd", 0, 1, entry)))))
}

func visual(typ string, inner ...any) []byte {
	return box(typ, append([]any{make([]byte, 24), uint16(1920), uint16(1080), make([]byte, 50)}, inner...)...)
}

func TestCodecs(t *testing.T) {
	hvcC := func(ptl ...byte) []byte { return box("hvcC", append([]byte{1}, ptl...)) }
	for _, tc := range []struct {
		entry []byte
		want  string
	}{
		{visual("avc3", box("avcC", "\x01\x42\xc0\x1e")), "avc3.42c01e"},
		{visual("avc1"), "avc1"},
		// The two examples of ISO/IEC 14496-15 annex E.3.
		{visual("hev1", hvcC(0x01, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93)), "hev1.1.6.L93.B0"},
		{visual("hev1", hvcC(0x44, 0x10, 0, 0, 0, 0xb0, 0x23, 0, 0, 0, 0, 93)), "hev1.A4.8.L93.B0.23"},
		{visual("hvc1", hvcC(0x22, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 153)), "hvc1.2.4.H153"},
		{visual("av01", box("av1C", "\x81\x08\x0c\x00")), "av01.0.08M.08"},
		{visual("av01", box("av1C", "\x81\x2d\xc0\x00")), "av01.1.13H.10"},
		{visual("vp09", box("vpcC", 0)), "vp09"},
		{visual("encv", box("sinf", box("frma", "avc1")), box("avcC", "\x01\x64\x00\x28")), "avc1.640028"},
	} {
		init, err := ParseInit(box("moov", trak(3, tc.entry)))
		if err != nil {
			t.Errorf("%s: %v", tc.want, err)
			continue
		}
		if v := init.Video(); v.Codec != tc.want || v.ID != 3 || v.Width != 1920 || v.Height != 1080 {
			t.Errorf("got %+v, want %s", v, tc.want)
		}
	}
}

func TestTrex(t *testing.T) {
	mvex := box("mvex", box("trex", 0, 3, 1, 40, 500, nonSync))
	for _, b := range [][]byte{
		box("moov", mvex, trak(3, visual("avc1"))),
		box("moov", trak(3, visual("avc1")), mvex),
	} {
		init, err := ParseInit(b)
		if err != nil {
			t.Fatal(err)
		}
		if v := init.Video(); v.DefaultDuration != 40 || v.DefaultSize != 500 || v.DefaultFlags != nonSync {
			t.Errorf("got %+v", v)
		}
	}
}

func TestHostileInit(t *testing.T) {
	many := bytes.Repeat(trak(1, visual("avc1")), MaxTracks+1)
	for i := range MaxTracks + 1 {
		many[i*len(many)/(MaxTracks+1)+8+8+12+3] = byte(i + 1)
	}
	deep := box("stbl", box("stsd", 0, 0))
	for range 10000 {
		deep = box("mdia", deep)
	}
	for _, tc := range []struct {
		name string
		b    []byte
		want error
	}{
		{"empty", nil, ErrInvalid},
		{"HTML", []byte("<html></html>"), ErrInvalid},
		{"no moov", box("ftyp", "iso6", 0), ErrInvalid},
		{"no tracks", box("moov", box("mvhd", 0)), ErrInvalid},
		{"17 tracks", box("moov", many), ErrInvalid},
		{"the same track twice", box("moov", trak(1, visual("avc1")), trak(1, visual("avc1"))), ErrInvalid},
		{"track 0", box("moov", trak(0, visual("avc1"))), ErrInvalid},
		{"10000 boxes deep", box("moov", box("trak", deep)), ErrInvalid},
		{"short tkhd", box("moov", box("trak", box("tkhd", 0))), ErrInvalid},
		{"short sample entry", box("moov", trak(1, box("avc1", 0))), ErrInvalid},
		{"sample entry beyond stsd", box("moov", trak(1, []byte("\x00\x00\x10\x00avc1"))), ErrInvalid},
		{"short trex", box("moov", trak(1, visual("avc1")), box("mvex", box("trex", 0, 1))), ErrInvalid},
		{"cut", box("moov", trak(1, visual("avc1")))[:40], ErrTruncated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if init, err := ParseInit(tc.b); !errors.Is(err, tc.want) || init != nil {
				t.Errorf("got %v, %v, want %v", init, err, tc.want)
			}
		})
	}
	var r InitReader
	if err := feed(&r, box("ftyp", make([]byte, MaxInit)), 64<<10); !errors.Is(err, ErrInvalid) {
		t.Errorf("more than MaxInit: %v", err)
	}
}

// TestInitCut cuts a real init segment at every byte.
func TestInitCut(t *testing.T) {
	b := file(t, lab+"hevc/init.mp4")
	for n := range b {
		if init, err := ParseInit(b[:n]); err == nil {
			t.Fatalf("cut at %d of %d: %+v", n, len(b), init)
		}
	}
}

func FuzzInit(f *testing.F) {
	for _, name := range []string{"cmaf/v360/init.mp4", "cmaf/a48/init.mp4", "hevc/init.mp4"} {
		f.Add(file(f, lab+name))
	}
	f.Add(file(f, "testdata/cenc.mp4")[:895])
	f.Add(box("moov", trak(3, visual("av01", box("av1C", "\x81\x08\x0c\x00")))))
	f.Fuzz(func(t *testing.T, b []byte) {
		init, err := ParseInit(b)
		var r InitReader
		if got := feed(&r, b, 10); fmt.Sprint(got) != fmt.Sprint(err) || !cmp.Equal(r.Init(), init) {
			t.Fatalf("whole: %+v, %v; in pieces: %+v, %v", init, err, r.Init(), got)
		}
		if err == nil && (len(init.Tracks) == 0 || len(init.Tracks) > MaxTracks) {
			t.Fatalf("%d tracks", len(init.Tracks))
		}
	})
}

// How many pictures x264 says that a decoder may have to hold back, as ffprobe
// reports it (has_b_frames).
func TestReorder(t *testing.T) {
	for _, tc := range []struct {
		name, sps string
		want      int
	}{
		{"-bf 3", "674d401feca07808bf7808800000030080000018078c18cb", 2},
		{"-bf 0, with HRD", "674d401eda0280bfe5c044000003000400000300c9808002ab90002ab9e4a20078b175", 0},
		{"-bf 3, with HRD, colours and aspect", "6764000dacd94141fb0f6a040402800000030080000019301000927800249fc98600f1429960", 2},
		{"-bf 3, cut off", "674d401feca07808bf780880000003008000001807", 0},
	} {
		b, err := hex.DecodeString(tc.sps)
		if err != nil {
			t.Fatal(err)
		}
		if got := parseSPS(avc, b).reorder; got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
}

func FuzzSPS(f *testing.F) {
	f.Add([]byte{0x67, 0x4d, 0x40, 0x1e, 0xe8, 0x80, 0x50, 0x17, 0xfc, 0xb8}, false)
	f.Add(bytes.Repeat([]byte{0x42, 0x01}, 20), true)
	f.Fuzz(func(t *testing.T, b []byte, h265 bool) {
		c := avc
		if h265 {
			c = hevc
		}
		hasRecoveryPoint(b)
		if i := parseSPS(c, b); i.width < 0 || i.width > maxDimension || i.height < 0 || i.height > maxDimension || i.reorder < 0 || i.reorder > maxReorder {
			t.Fatalf("%d×%d, %d held back", i.width, i.height, i.reorder)
		}
	})
}
