package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// knownSound is real media and where its first frame of sound ends: pos and size
// of the first packet as ffprobe reports them; in MPEG-TS the end of the packet
// that holds its last byte.
var knownSound = []sample{
	{"ADTS", "testdata/tone.aac", "", Keyframe{Offset: 125, Kind: Frame, Codec: "mp4a.40.2"}},
	{"LOAS", "testdata/tone.latm", "", Keyframe{Offset: 128, Kind: Frame, Codec: "mp4a.40"}},
	{"MP3", "testdata/tone.mp3", "", Keyframe{Offset: 144, Kind: Frame, Codec: "mp4a.40.34"}},
	{"AC-3", "testdata/tone.ac3", "", Keyframe{Offset: 256, Kind: Frame, Codec: "ac-3"}},
	{"E-AC-3", "testdata/tone.ec3", "", Keyframe{Offset: 256, Kind: Frame, Codec: "ec-3"}},
	{"AAC in ts", "testdata/tone-aac.ts", "", Keyframe{Offset: 752, Track: 256, Kind: Frame, Codec: "mp4a.40.2"}},
	{"AC-3 in ts", "testdata/tone-ac3.ts", "", Keyframe{Offset: 940, Track: 256, Kind: Frame, Codec: "ac-3"}},
	{"E-AC-3 in ts", "testdata/tone-eac3.ts", "", Keyframe{Offset: 940, Track: 256, Kind: Frame, Codec: "ec-3"}},
	{"AAC in ts under SAMPLE-AES, by Shaka Packager", "testdata/shaka-sample-aes-aac.ts", "", Keyframe{Offset: 564, Track: 80, Kind: Frame, Codec: "mp4a.40.2"}},
	{"ADTS under SAMPLE-AES, by Shaka Packager", "testdata/shaka-sample-aes.aac", "", Keyframe{Offset: 282, Kind: Frame, Codec: "mp4a.40.2"}},
	{"AAC beside pictures in ts", lab + "ts/360p/0.ts", "", Keyframe{Offset: 14288, Track: 257, Kind: Frame, Codec: "mp4a.40.2"}},
	{"AAC in fmp4", lab + "cmaf/a48/0.m4s", lab + "cmaf/a48/init.mp4", Keyframe{Offset: 643, Track: 1, Kind: Frame, Codec: "mp4a.40.2"}},
}

// TestAudioFrame: the first frame of sound, by each way of carrying it.
func TestAudioFrame(t *testing.T) {
	for _, tc := range knownSound {
		b := file(t, tc.segment)
		for _, piece := range pieces {
			t.Run(fmt.Sprintf("%s by %d", tc.name, piece), func(t *testing.T) {
				finds(t, NewAudioFinder(), tc, b, piece)
			})
		}
	}
}

// TestAnyFinder: what is not known to have pictures is searched for them where it
// has a track of them, else for sound.
func TestAnyFinder(t *testing.T) {
	for _, tc := range append(slices.Clone(knownSound), known...) {
		if tc.name == "AAC beside pictures in ts" {
			continue // is among the known pictures
		}
		for _, initLate := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, init late %v", tc.name, initLate), func(t *testing.T) {
				f, b := NewAnyFinder(), file(t, tc.segment)
				if tc.init != "" && !initLate {
					if err := f.SetInit(initOf(t, tc.init), epoch); err != nil {
						t.Fatal(err)
					}
				}
				err := feed(f, b, 1000)
				want := tc.want
				want.At = arrived(b, want.Offset, 1000)
				if tc.init != "" && initLate {
					if !errors.Is(err, ErrNoInit) {
						t.Fatalf("%v, want ErrNoInit", err)
					}
					err = f.SetInit(initOf(t, tc.init), epoch)
				}
				if err != nil {
					t.Fatal(err)
				}
				expect(t, f, want)
				if fragmented := strings.HasSuffix(tc.segment, ".mp4") || strings.HasSuffix(tc.segment, ".m4s"); f.Fragmented() != fragmented {
					t.Errorf("fragmented %v", f.Fragmented())
				}
			})
		}
	}
	// Neither pictures nor sound.
	for _, tc := range []struct {
		b     []byte
		class error
	}{
		{retype(t, file(t, "testdata/tone-aac.ts"), 0x0f, 0x15), ErrNoAudio},
		{file(t, "testdata/tone.aac")[:100], ErrTruncated},
		{[]byte("<html></html>"), ErrInvalid},
	} {
		if err := feed(NewAnyFinder(), tc.b, 1000); !errors.Is(err, tc.class) {
			t.Errorf("%v, want %v", err, tc.class)
		}
	}
}

// tag is an ID3v2.4 tag with a PRIV frame of the timestamp.
func tag(stamp uint64) []byte {
	priv := binary.BigEndian.AppendUint64([]byte("com.apple.streaming.transportStreamTimestamp\x00"), stamp)
	frame := append(binary.BigEndian.AppendUint32([]byte("PRIV"), uint32(len(priv))), 0, 0)
	frame = append(frame, priv...)
	return append([]byte{'I', 'D', '3', 4, 0, 0, 0, 0, byte(len(frame) >> 7), byte(len(frame) & 0x7f)}, frame...)
}

// TestPackedAudio: the tags before the frames (RFC 8216bis section 3.1.4).
func TestPackedAudio(t *testing.T) {
	aac := file(t, "testdata/tone.aac")
	cover := append([]byte{'I', 'D', '3', 4, 0, 0, 0, 1, 0, 0}, make([]byte, 1<<14)...) // APIC, say
	for _, tc := range []struct {
		name   string
		before []byte
		stamp  uint64
		has    bool
	}{
		{"a timestamp", tag(900_000), 900_000, true},
		{"of 33 bits", tag(1<<40 | 1<<32 | 5), 1<<32 | 5, true},
		{"behind another tag", append(bytes.Clone(cover), tag(7)...), 7, true},
		{"none", nil, 0, false},
		{"a tag without", cover, 0, false},
	} {
		for _, piece := range []int{1, 9, 1000} {
			t.Run(fmt.Sprintf("%s by %d", tc.name, piece), func(t *testing.T) {
				b := append(bytes.Clone(tc.before), aac...)
				f := NewAudioFinder()
				if err := feed(f, b, piece); err != nil {
					t.Fatal(err)
				}
				end := int64(len(tc.before)) + 125
				expect(t, f, Keyframe{At: arrived(b, end, piece), Offset: end, Kind: Frame, Codec: "mp4a.40.2"})
				if stamp, ok := f.Timestamp(); stamp != tc.stamp || ok != tc.has {
					t.Errorf("timestamp %d %v, want %d %v", stamp, ok, tc.stamp, tc.has)
				}
			})
		}
	}
}

// TestGarbageAudio: what is no sound does not pass for it.
func TestGarbageAudio(t *testing.T) {
	random := make([]byte, 40_000)
	for i, r := 0, rand.New(rand.NewPCG(1, 2)); i < len(random); i++ {
		random[i] = byte(r.Uint32())
	}
	aac, ts := file(t, "testdata/tone.aac"), file(t, "testdata/tone-aac.ts")
	noise := bytes.Clone(ts)
	for i := 3 * packetSize; i < len(noise); i += packetSize {
		copy(noise[i+40:i+packetSize], random[i:])
	}
	audio, video := initOf(t, lab+"cmaf/a48/init.mp4"), initOf(t, lab+"cmaf/v360/init.mp4")
	m4s := file(t, lab+"cmaf/a48/0.m4s")
	for _, tc := range []struct {
		name string
		b    []byte
		init *Init
		want error
	}{
		{"noise", random, nil, ErrInvalid},
		{"HTML", []byte("<!DOCTYPE html><html></html>"), nil, ErrInvalid},
		{"nothing", nil, nil, ErrTruncated},
		{"noise behind a tag", append(tag(1), random...), nil, ErrInvalid},
		{"a tag alone", tag(1), nil, ErrNoAudio},
		{"a tag cut short", tag(1)[:30], nil, ErrTruncated},
		{"a frame cut short", aac[:100], nil, ErrTruncated},
		{"one frame", aac[:125], nil, nil},
		{"noise in ts", noise, nil, ErrInvalid},
		{"ts without sound", dropPID(file(t, lab+"ts/360p/0.ts"), 257), nil, ErrNoAudio},
		{"ts with sound of a kind not known here", retype(t, ts, 0x0f, 0x82), nil, nil},
		{"ts with timed metadata alone", retype(t, ts, 0x0f, 0x15), nil, ErrNoAudio},
		{"ts of pictures alone", file(t, lab+"hevc/0.ts"), nil, ErrNoAudio},
		{"a segment of pictures with the init of sound", file(t, lab+"cmaf/v360/0.m4s"), &Init{Tracks: []Track{{ID: 7, Handler: "soun"}}}, ErrNoAudio},
		{"a segment of sound with the init of pictures", m4s, video, ErrNoAudio},
		{"fmp4 cut short", m4s[:len(m4s)-9], audio, ErrTruncated},
		{"fmp4 without init", m4s, nil, ErrNoInit},
		{"an init segment alone", file(t, lab+"cmaf/a48/init.mp4"), nil, ErrNoAudio},
	} {
		for _, piece := range []int{1, 1000, 1 << 20} {
			t.Run(fmt.Sprintf("%s by %d", tc.name, piece), func(t *testing.T) {
				f := NewAudioFinder()
				if tc.init != nil {
					if err := f.SetInit(tc.init, epoch); err != nil {
						t.Fatal(err)
					}
				}
				if err := feed(f, tc.b, piece); !errors.Is(err, tc.want) {
					t.Errorf("got %v, want %v", err, tc.want)
				}
				if k, ok := f.Keyframe(); ok && tc.want != nil && tc.want != ErrTruncated {
					t.Errorf("found %v", k)
				}
			})
		}
	}
}

// retype is MPEG-TS whose first stream of the PMT on PID 4096 has another type.
func retype(t *testing.T, ts []byte, from, to byte) []byte {
	t.Helper()
	out := bytes.Clone(ts)
	for i := 0; i < len(out); i += packetSize {
		if p := out[i : i+packetSize]; int(p[1]&0x1f)<<8|int(p[2]) == 4096 && p[17] == from {
			p[17] = to
			return out
		}
	}
	t.Fatalf("no stream of type %#x", from)
	return nil
}

// TestFrameSizes: the heads that the real files do not hold.
func TestFrameSizes(t *testing.T) {
	for _, tc := range []struct {
		name string
		head []byte
		size int // 0: no frame
	}{
		{"ADTS with checksum", []byte{0xff, 0xf0, 0x50, 0x80, 0x0b, 0xbf, 0xfc, 0}, 93},
		{"ADTS, no such rate", []byte{0xff, 0xf1, 0x7c, 0x80, 0x0b, 0xbf, 0xfc, 0}, 0},
		{"ADTS smaller than its head", []byte{0xff, 0xf1, 0x50, 0x80, 0x00, 0xc0, 0, 0}, 0},
		{"MPEG-1 layer II, 192 kbit/s at 48 kHz", []byte{0xff, 0xfd, 0xa4, 0, 0, 0, 0, 0}, 576},
		{"MPEG-1 layer III, 128 kbit/s at 44.1 kHz, padded", []byte{0xff, 0xfb, 0x92, 0, 0, 0, 0, 0}, 418},
		{"MPEG-1 layer I, 384 kbit/s at 48 kHz", []byte{0xff, 0xff, 0xc4, 0, 0, 0, 0, 0}, 384},
		{"MPEG-2 layer III, 64 kbit/s at 24 kHz", []byte{0xff, 0xf3, 0x84, 0, 0, 0, 0, 0}, 192},
		{"MPEG-2.5 layer III, 16 kbit/s at 11.025 kHz", []byte{0xff, 0xe3, 0x20, 0, 0, 0, 0, 0}, 104},
		{"MPEG, free format", []byte{0xff, 0xfb, 0x00, 0, 0, 0, 0, 0}, 0},
		{"MPEG, no such rate", []byte{0xff, 0xfb, 0x9c, 0, 0, 0, 0, 0}, 0},
		{"AC-3, 448 kbit/s at 48 kHz", []byte{0x0b, 0x77, 0, 0, 30, 0x40, 0, 0}, 1792},
		{"AC-3, 384 kbit/s at 44.1 kHz, long", []byte{0x0b, 0x77, 0, 0, 0x40 | 29, 0x40, 0, 0}, 1672},
		{"AC-3, 640 kbit/s at 32 kHz", []byte{0x0b, 0x77, 0, 0, 0x80 | 36, 0x40, 0, 0}, 3840},
		{"AC-3, no such rate", []byte{0x0b, 0x77, 0, 0, 0xc0, 0x40, 0, 0}, 0},
		{"AC-3, no such size", []byte{0x0b, 0x77, 0, 0, 38, 0x40, 0, 0}, 0},
		{"E-AC-3", []byte{0x0b, 0x77, 1, 0xff, 0x3f, 0x84, 0, 0}, 1024},
		{"Dolby of the future", []byte{0x0b, 0x77, 1, 0xff, 0x3f, 0x88, 0, 0}, 0},
		{"zeros", make([]byte, 8), 0},
	} {
		f, ok := parseFrame(tc.head)
		if ok != (tc.size > 0) || ok && f.size != tc.size {
			t.Errorf("%s: %d bytes, %v; want %d", tc.name, f.size, ok, tc.size)
		}
	}
}

// FuzzAudio: whatever comes, in one piece or in many, the same answer, of a
// class of this package.
func FuzzAudio(f *testing.F) {
	for _, tc := range knownSound {
		b := file(f, tc.segment)
		f.Add(b[:min(len(b), 3000)])
	}
	f.Add(append(tag(5), file(f, "testdata/tone.ac3")[:600]...))
	f.Add([]byte("ID3\x04\x00\x10\x7f\x7f\x7f\x7f"))
	init := initOf(f, lab+"cmaf/a48/init.mp4")
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, finder := range []func() *Finder{NewAudioFinder, NewAnyFinder} {
			run := func(piece int) (Keyframe, error) {
				d := finder()
				d.SetInit(init, epoch)
				err := feed(d, b, piece)
				k, _ := d.Keyframe()
				return k, err
			}
			want, err := run(1 << 20)
			got, err2 := run(3)
			for _, err := range []error{err, err2} {
				if err != nil && !slices.ContainsFunc([]error{ErrInvalid, ErrTruncated, ErrNoAudio, ErrNoInit, ErrNoKeyframe, ErrUnsupported}, func(class error) bool { return errors.Is(err, class) }) {
					t.Fatalf("an error of no class: %v", err)
				}
			}
			if want.Offset != got.Offset || want.Offset > int64(len(b)) || (err == nil) != (err2 == nil) {
				t.Fatalf("whole: %v, %v; in pieces: %v, %v", want, err, got, err2)
			}
		}
	})
}
