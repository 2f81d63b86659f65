package player

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/firstframe/firstframe/probes/run"
)

func labFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(lab + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// answer answers every request with b.
func answer200(b []byte) rule {
	return func(w http.ResponseWriter, _ *http.Request, _ int) bool { w.Write(b); return true }
}

// Audio that is none is noticed, at the track's own step, and fails the run of a
// player whose picture needs it, and no other.
func TestGarbageAudio(t *testing.T) {
	noise := bytes.Repeat([]byte("\x13\x37garbage"), 1<<12)
	const master, segment, init = "/cmaf/master.m3u8", "/cmaf/a48/0.m4s", "/cmaf/a48/init.mp4"
	for _, tt := range []struct {
		name, path string
		b          []byte
		typ        run.ErrorType
		step       run.StepName
	}{
		{"noise", segment, noise, run.ErrMediaInvalid, run.StepSegment},
		{"HTML", segment, []byte("<html>"), run.ErrMediaInvalid, run.StepSegment},
		{"nothing", segment, []byte{}, run.ErrSegmentTruncated, run.StepSegment},
		{"cut short", segment, labFile(t, segment)[:2000], run.ErrSegmentTruncated, run.StepSegment},
		{"init of noise", init, noise, run.ErrMediaInvalid, run.StepInit},
		{"init of pictures", init, labFile(t, "/cmaf/v360/init.mp4"), run.ErrMediaInvalid, run.StepSegment},
		{"TS without sound", segment, labFile(t, "/hevc/0.ts"), run.ErrMediaInvalid, run.StepSegment},
		{"WebM", segment, []byte("\x1a\x45\xdf\xa3\x9fB\x86\x81\x01"), run.ErrUnsupported, run.StepSegment},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOrigin(t, nil, map[string]rule{tt.path: answer200(tt.b)})
			bad(t, press(t, o, master, quick(hlsjs), run.App{}), tt.typ, tt.step)
			r := good(t, press(t, o, master, quick(ideal), run.App{}))
			told := false
			for _, s := range r.Steps {
				told = told || s.Track == run.TrackAudio && s.Name == tt.step && s.Error == tt.typ
			}
			if !told || r.Startup != nil {
				t.Errorf("ideal: no step of audio says %s, or it plays: %+v", tt.typ, r.Steps)
			}
		})
	}
}

// Sound by each way of carrying it plays beside the pictures.
func TestAudioKinds(t *testing.T) {
	tones := "../media/testdata/tone"
	file := func(name string) []byte {
		b, err := os.ReadFile(tones + name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, kind := range []string{".aac", ".ac3", ".ec3", ".mp3", "-aac.ts", "-ac3.ts"} {
		t.Run(kind, func(t *testing.T) {
			o := newOrigin(t, map[string]string{"/cmaf/a48/index.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.92,\n/tone\n#EXT-X-ENDLIST\n"},
				map[string]rule{"/tone": answer200(file(kind))})
			if r := good(t, press(t, o, "/cmaf/master.m3u8", quick(hlsjs), run.App{})); r.Startup == nil {
				t.Error("it does not play")
			}
		})
	}
}

// A segment under AES-256-GCM shows once it is whole and its key there.
func TestGCM(t *testing.T) {
	key, iv := bytes.Repeat([]byte{3}, 32), bytes.Repeat([]byte{9}, 16)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithNonceSize(block, len(iv))
	if err != nil {
		t.Fatal(err)
	}
	sealed := aead.Seal(bytes.Clone(iv), iv, labFile(t, "/ts/360p/0.ts"), nil)
	broken := bytes.Clone(sealed)
	broken[len(broken)-1] ^= 1
	for _, tt := range []struct {
		name     string
		key, seg []byte
		typ      run.ErrorType
		step     run.StepName
	}{
		{"sound", key, sealed, "", ""},
		{"a key of 16 bytes", key[:16], sealed, run.ErrDecrypt, run.StepKey},
		{"another key", bytes.Repeat([]byte{4}, 32), sealed, run.ErrDecrypt, run.StepSegment},
		{"broken", key, broken, run.ErrDecrypt, run.StepSegment},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOrigin(t, map[string]string{"/l.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-KEY:METHOD=AES-256-GCM,URI=\"k\"\n#EXTINF:1.92,\ns\n#EXT-X-ENDLIST\n"},
				map[string]rule{"/k": answer200(tt.key), "/s": answer200(tt.seg)})
			r := press(t, o, "/l.m3u8", quick(hlsjs), run.App{})
			if tt.typ != "" {
				bad(t, r, tt.typ, tt.step)
				return
			}
			if good(t, r); r.Height != 360 {
				t.Errorf("%d lines", r.Height)
			}
		})
	}
}

// What Shaka Packager encrypts plays without its key, beside the playlist that it
// writes.
func TestPackaged(t *testing.T) {
	const key = `#EXT-X-KEY:METHOD=SAMPLE-AES,URI="data:text/plain;base64,ASNFZ4mrze8BI0VniavN7w==",IV=0x0123456789abcdef,KEYFORMAT="identity"`
	for file, codec := range map[string]string{
		"shaka-cenc.mp4": "avc1.64000c", "shaka-cens.mp4": "avc1.64000c", "shaka-cbc1.mp4": "avc1.64000c", "shaka-cbcs.mp4": "avc1.64000c",
		"shaka-sample-aes.ts": "avc1.64000c", "shaka-sample-aes-aac.ts": "mp4a.40.2", "shaka-sample-aes.aac": "mp4a.40.2",
	} {
		o := newOrigin(t, map[string]string{"/l.m3u8": "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:VOD\n" + key + "\n#EXTINF:1.000,\n/s\n#EXT-X-ENDLIST\n"},
			map[string]rule{"/s": answer200(mediaFile(t, file))})
		r := good(t, press(t, o, "/l.m3u8", calm(ideal), run.App{}))
		if r.Codec != codec || strings.Contains(names(r), "key") {
			t.Errorf("%s: %s, %s", file, r.Codec, names(r))
		}
	}
}

// Sample encryption needs no key to be timed: none is asked for, whatever its
// format.
func TestSampleEncryption(t *testing.T) {
	for _, method := range []string{
		`SAMPLE-AES,URI="skd://k",KEYFORMAT="com.apple.streamingkeydelivery",KEYFORMATVERSIONS="1"`,
		`SAMPLE-AES-CTR,URI="data:text/plain;base64,AAAA",KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"`,
		`SAMPLE-AES,URI="/k"`,
	} {
		o := newOrigin(t, map[string]string{"/l.m3u8": fmt.Sprintf("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-KEY:METHOD=%s\n#EXT-X-MAP:URI=\"/cmaf/v360/init.mp4\"\n#EXTINF:1.92,\n/cmaf/v360/0.m4s\n#EXT-X-ENDLIST\n", method)}, nil)
		r := good(t, press(t, o, "/l.m3u8", quick(hlsjs), run.App{}))
		if strings.Contains(names(r), "key") {
			t.Errorf("%s: a key was asked for: %s", method, names(r))
		}
	}
}
