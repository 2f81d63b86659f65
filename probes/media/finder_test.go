package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/asticode/go-astits"
	"github.com/google/go-cmp/cmp"
)

const lab = "../../deploy/lab/media/"

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func initOf(t testing.TB, name string) *Init {
	t.Helper()
	init, err := ParseInit(file(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return init
}

// epoch is when byte 0 of a test's segment arrives; the byte before n arrives
// n microseconds later, so that an instant names the byte.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func arrival(end int64) time.Time { return epoch.Add(time.Duration(end) * time.Microsecond) }

// feed gives b to s in pieces, each at the arrival of its last byte.
func feed(s Sink, b []byte, piece int) error {
	for i := 0; i < len(b); i += piece {
		end := min(i+piece, len(b))
		if err := s.Feed(b[i:end], arrival(int64(end))); err != nil {
			return err
		}
	}
	return s.Close(arrival(int64(len(b))))
}

// arrived is when the byte before end is there if b comes in pieces.
func arrived(b []byte, end int64, piece int) time.Time {
	p := int64(piece)
	return arrival(min((end+p-1)/p*p, int64(len(b))))
}

// sample is a segment of which it is known what is found.
type sample struct {
	name, segment, init string
	want                Keyframe
}

// known is real media and where its first keyframe ends.
//
// The offsets in MP4 come from
//
//	cat init.mp4 0.m4s | ffprobe -show_entries packet=pos,size,flags -of csv -
//
// as pos + size of the first packet, less the size of the init segment; that of
// cenc.mp4 is where its mdat's content begins, 1207, and the 2028 bytes that
// ffprobe reports of the same pictures encoded in the clear. Those of Shaka
// Packager are pos + size as ffprobe reports them of the encrypted file; that the
// key undoes what it says was looked at with ffmpeg (cenc, cens, cbc1, cbcs by
// -decryption_key, SAMPLE-AES by its HLS reader). Those
// in MPEG-TS are the end of the video PID's last packet before the second one
// with payload_unit_start_indicator; [TestOffsetByAstits] counts them anew.
var known = []sample{
	{"ts 360p 0", lab + "ts/360p/0.ts", "", Keyframe{Offset: 5452, Track: 256, Kind: IDR, Codec: "avc1.4d401e", Width: 640, Height: 360}},
	{"ts 360p 1", lab + "ts/360p/1.ts", "", Keyframe{Offset: 6204, Track: 256, Kind: IDR, Codec: "avc1.4d401e", Width: 640, Height: 360}},
	{"ts 720p", lab + "ts/720p/0.ts", "", Keyframe{Offset: 10528, Track: 256, Kind: IDR, Codec: "avc1.64001f", Width: 1280, Height: 720}},
	{"ts hevc", lab + "hevc/0.ts", "", Keyframe{Offset: 8648, Track: 256, Kind: IRAP, Codec: "hvc1.1.6.L63.90", Width: 640, Height: 360}},
	{"ts open gop", "testdata/opengop.ts", "", Keyframe{Offset: 2256, Track: 256, Kind: RecoveryPoint, Codec: "avc1.64000c", Width: 320, Height: 180, Reorder: 2}},
	{"fmp4 360p 0", lab + "cmaf/v360/0.m4s", lab + "cmaf/v360/init.mp4", Keyframe{Offset: 4918, Track: 1, Kind: Sync, Codec: "avc1.4d401e", Width: 640, Height: 360}},
	{"fmp4 360p 1", lab + "cmaf/v360/1.m4s", lab + "cmaf/v360/init.mp4", Keyframe{Offset: 5664, Track: 1, Kind: Sync, Codec: "avc1.4d401e", Width: 640, Height: 360}},
	{"fmp4 720p 0", lab + "cmaf/v720/0.m4s", lab + "cmaf/v720/init.mp4", Keyframe{Offset: 10035, Track: 1, Kind: Sync, Codec: "avc1.64001f", Width: 1280, Height: 720}},
	{"fmp4 720p 1", lab + "cmaf/v720/1.m4s", lab + "cmaf/v720/init.mp4", Keyframe{Offset: 11948, Track: 1, Kind: Sync, Codec: "avc1.64001f", Width: 1280, Height: 720}},
	{"fmp4 hevc", lab + "hevc/0.m4s", lab + "hevc/init.mp4", Keyframe{Offset: 5689, Track: 1, Kind: Sync, Codec: "hvc1.1.6.L63.90", Width: 640, Height: 360}},
	{"fmp4 self-initialising", lab + "range/v360/media.mp4", "", Keyframe{Offset: 5724, Track: 1, Kind: Sync, Codec: "avc1.4d401e", Width: 640, Height: 360}},
	{"fmp4 cenc by Shaka Packager", "testdata/shaka-cenc.mp4", "", Keyframe{Offset: 3974, Track: 1, Kind: Sync, Codec: "avc1.64000c", Width: 320, Height: 180, Reorder: 2}},
	{"fmp4 cens by Shaka Packager", "testdata/shaka-cens.mp4", "", Keyframe{Offset: 3974, Track: 1, Kind: Sync, Codec: "avc1.64000c", Width: 320, Height: 180, Reorder: 2}},
	{"fmp4 cbc1 by Shaka Packager", "testdata/shaka-cbc1.mp4", "", Keyframe{Offset: 3974, Track: 1, Kind: Sync, Codec: "avc1.64000c", Width: 320, Height: 180, Reorder: 2}},
	{"fmp4 cbcs by Shaka Packager", "testdata/shaka-cbcs.mp4", "", Keyframe{Offset: 3783, Track: 1, Kind: Sync, Codec: "avc1.64000c", Width: 320, Height: 180, Reorder: 2}},
	{"ts SAMPLE-AES by Shaka Packager", "testdata/shaka-sample-aes.ts", "", Keyframe{Offset: 2632, Track: 80, Kind: IDR, Codec: "avc1.64000c", Width: 320, Height: 180, Reorder: 2}},
	{"fmp4 cenc", "testdata/cenc.mp4", "", Keyframe{Offset: 3235, Track: 1, Kind: Sync, Codec: "avc1.64000c", Width: 320, Height: 180, Reorder: 2}},
}

var pieces = []int{1, 7, 188, 1000, 65536}

// finds feeds b, the sample's segment, in pieces and expects what is known.
func finds(t *testing.T, f *Finder, tc sample, b []byte, piece int) {
	t.Helper()
	if tc.init != "" {
		if err := f.SetInit(initOf(t, tc.init), epoch); err != nil {
			t.Fatal(err)
		}
	}
	if err := feed(f, b, piece); err != nil {
		t.Fatal(err)
	}
	want := tc.want
	want.At = arrived(b, want.Offset, piece)
	expect(t, f, want)
}

func TestKeyframe(t *testing.T) {
	for _, tc := range known {
		b := file(t, tc.segment)
		for _, piece := range pieces {
			t.Run(fmt.Sprintf("%s by %d", tc.name, piece), func(t *testing.T) {
				finds(t, NewFinder(), tc, b, piece)
			})
		}
	}
}

func expect(t *testing.T, f *Finder, want Keyframe) {
	t.Helper()
	got, ok := f.Keyframe()
	if !ok {
		t.Fatal("no keyframe")
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("keyframe (-want +got):\n%s", d)
	}
}

// TestKnownEarly: in MP4 the keyframe is known as soon as its last byte came.
func TestKnownEarly(t *testing.T) {
	b := file(t, lab+"cmaf/v360/0.m4s")
	f := NewFinder()
	if err := f.SetInit(initOf(t, lab+"cmaf/v360/init.mp4"), epoch); err != nil {
		t.Fatal(err)
	}
	f.Feed(b[:4917], arrival(4917))
	if _, ok := f.Keyframe(); ok {
		t.Error("known one byte early")
	}
	f.Feed(b[4917:4918], arrival(4918))
	if k, ok := f.Keyframe(); !ok || !k.At.Equal(arrival(4918)) {
		t.Errorf("got %v %v when the last byte came", k, ok)
	}
}

// TestLateInit gives the init segment at each stage of the segment's arrival.
func TestLateInit(t *testing.T) {
	b, init := file(t, lab+"cmaf/v720/1.m4s"), initOf(t, lab+"cmaf/v720/init.mp4")
	const end = 11948
	for _, at := range []int{0, 1, 7, 8, 100, 1100, 1300, 11947, 11948, 11949, 50000, len(b)} {
		for _, piece := range []int{1, 1000} {
			t.Run(fmt.Sprintf("after %d by %d", at, piece), func(t *testing.T) {
				f := NewFinder()
				given := false
				var initAt time.Time
				for i := 0; i < len(b); i += piece {
					if !given && i >= at {
						given, initAt = true, arrival(int64(i))
						if err := f.SetInit(init, initAt); err != nil {
							t.Fatal(err)
						}
					}
					n := min(i+piece, len(b))
					if err := f.Feed(b[i:n], arrival(int64(n))); err != nil {
						t.Fatal(err)
					}
				}
				err := f.Close(arrival(int64(len(b))))
				if !given {
					if !errors.Is(err, ErrNoInit) {
						t.Fatalf("Close without init: %v", err)
					}
					initAt = arrival(int64(len(b)) + 999)
					err = f.SetInit(init, initAt)
				}
				if err != nil {
					t.Fatal(err)
				}
				k, _ := f.Keyframe()
				if k.Offset != end {
					t.Errorf("offset %d, want %d", k.Offset, end)
				}
				// Of 1-byte pieces not every arrival can be remembered.
				want, slack := later(arrived(b, end, piece), initAt), time.Duration(0)
				if piece == 1 && at > end {
					slack = 64 * time.Microsecond
				}
				if k.At.Before(want) || k.At.After(want.Add(slack)) {
					t.Errorf("at byte %v, want %v + at most %v", k.At.Sub(epoch).Microseconds(), want.Sub(epoch).Microseconds(), slack)
				}
			})
		}
	}
}

// TestNoKeyframe: segments that are sound but show nothing.
func TestNoKeyframe(t *testing.T) {
	audio := initOf(t, lab+"cmaf/a48/init.mp4")
	ts := file(t, lab+"ts/360p/0.ts")
	for _, tc := range []struct {
		name string
		b    []byte
		init *Init
		want error
	}{
		{"audio in fmp4", file(t, lab+"cmaf/a48/0.m4s"), audio, ErrNoVideo},
		{"an init segment alone", file(t, lab+"cmaf/v360/init.mp4"), nil, ErrNoKeyframe},
		{"fmp4 without init", file(t, lab+"cmaf/v360/0.m4s"), nil, ErrNoInit},
		{"ts without its video", dropPID(ts, 256), nil, ErrNoKeyframe},
		{"ts without PAT", dropPID(ts, 0), nil, ErrNoKeyframe},
		{"ts without PMT", dropPID(ts, 4096), nil, ErrNoKeyframe},
		{"ts that joins after the keyframe", dropRange(ts, 3*188, 5452), nil, ErrNoKeyframe},
		{"WebM", []byte("\x1a\x45\xdf\xa3\x9fB\x86\x81\x01"), nil, ErrUnsupported},
		{"packed audio", append([]byte("ID3\x04\x00"), make([]byte, 500)...), nil, ErrNoVideo},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := NewFinder()
			if tc.init != nil {
				if err := f.SetInit(tc.init, epoch); err != nil {
					t.Fatal(err)
				}
			}
			if err := feed(f, tc.b, 1000); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if k, ok := f.Keyframe(); ok {
				t.Errorf("found %v", k)
			}
		})
	}
}

func dropPID(ts []byte, pid int) []byte {
	var out []byte
	for i := 0; i < len(ts); i += packetSize {
		if int(ts[i+1]&0x1f)<<8|int(ts[i+2]) != pid {
			out = append(out, ts[i:i+packetSize]...)
		}
	}
	return out
}

func dropRange(b []byte, from, to int) []byte { return append(bytes.Clone(b[:from]), b[to:]...) }

// TestOffsetByAstits finds the keyframe's last packet with another reader.
func TestOffsetByAstits(t *testing.T) {
	for _, tc := range known {
		if tc.want.Kind == Sync {
			continue
		}
		t.Run(tc.name, func(t *testing.T) {
			d := astits.NewDemuxer(context.Background(), bytes.NewReader(file(t, tc.segment)), astits.DemuxerOptPacketSize(packetSize))
			var off, last int64
			for starts := 0; ; {
				p, err := d.NextPacket()
				if errors.Is(err, io.EOF) || errors.Is(err, astits.ErrNoMorePackets) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				off += packetSize
				if uint32(p.Header.PID) != tc.want.Track {
					continue
				}
				if p.Header.PayloadUnitStartIndicator {
					if starts++; starts == 2 {
						break
					}
				}
				last = off
			}
			if last != tc.want.Offset {
				t.Errorf("astits says %d, this package %d", last, tc.want.Offset)
			}
		})
	}
}

// TestDuration: 48 pictures and 90 frames of 1024 samples, as ffprobe
// -show_packets counts them.
func TestDuration(t *testing.T) {
	for _, tc := range []struct {
		name, segment, init string
		finder              func() *Finder
		want                time.Duration
	}{
		{"pictures", lab + "cmaf/v360/0.m4s", lab + "cmaf/v360/init.mp4", NewFinder, 48 * 40 * time.Millisecond},
		{"sound", lab + "cmaf/a48/1.m4s", lab + "cmaf/a48/init.mp4", NewAudioFinder, 90 * 1024 * time.Second / 48000},
		{"ts tells none", lab + "ts/360p/0.ts", "", NewFinder, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := tc.finder()
			if got, ok := f.Duration(); ok {
				t.Errorf("%v before anything came", got)
			}
			if err := f.Feed(file(t, tc.segment), epoch); err != nil {
				t.Fatal(err)
			}
			if tc.init != "" {
				if got, ok := f.Duration(); ok {
					t.Errorf("%v without an init segment", got)
				}
				if err := f.SetInit(initOf(t, tc.init), epoch); err != nil {
					t.Fatal(err)
				}
			}
			if got, ok := f.Duration(); (got-tc.want).Abs() > time.Microsecond || ok != (tc.want > 0) {
				t.Errorf("%v, %v; want %v", got, ok, tc.want)
			}
		})
	}
}
