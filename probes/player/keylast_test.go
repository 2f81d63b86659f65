package player

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"slices"
	"strings"
	"testing"

	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

// sealed is content under AES-128 with an initialization vector of zeros.
func sealed(t testing.TB, key, content []byte) []byte {
	t.Helper()
	n := aes.BlockSize - len(content)%aes.BlockSize
	b := append(bytes.Clone(content), slices.Repeat([]byte{byte(n)}, n)...)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	cipher.NewCBCEncrypter(block, make([]byte, aes.BlockSize)).CryptBlocks(b, b)
	return b
}

// A key that comes last is asked for after the whole segment, however much that
// is to hold.
func TestKeyLast(t *testing.T) {
	key := []byte("0123456789abcdef")
	segment := sealed(t, key, append(labFile(t, "/ts/360p/0.ts"), pad(".ts", 2<<20)...))
	o := newOrigin(t, map[string]string{"/l.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-KEY:METHOD=AES-128,URI=\"/key\",IV=0x0\n#EXTINF:1.92,\n/s.ts\n#EXT-X-ENDLIST\n"},
		map[string]rule{"/key": answer200(key), "/s.ts": answer200(segment)})
	got, r := graph(t, o, "/l.m3u8", untimed(shaka), run.App{})
	good(t, r)
	if diff := cmp.Diff(strings.Fields("M VS<M K<VS picture<K"), got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// Of more than can be held the key is asked for while the segment comes: what that
// took until then is the segment's, not the player's own.
func TestKeyLastOfLarge(t *testing.T) {
	key := []byte("0123456789abcdef")
	segment := sealed(t, key, append(labFile(t, "/ts/360p/0.ts"), pad(".ts", maxHeldLast+2<<20)...))
	o := newOrigin(t, map[string]string{"/l.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-KEY:METHOD=AES-128,URI=\"/key\",IV=0x0\n#EXTINF:1.92,\n/s.ts\n#EXT-X-ENDLIST\n"},
		map[string]rule{"/key": answer200(key), "/s.ts": answer200(segment)})
	got, r := graph(t, o, "/l.m3u8", untimed(shaka), run.App{})
	good(t, r)
	if diff := cmp.Diff(strings.Fields("M VS<M K<VS picture<VS"), got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// What it is asked for behind is a segment of its own track.
func TestLast(t *testing.T) {
	s := new(session)
	for _, track := range []string{run.TrackVideo, run.TrackAudio} {
		s.begin(&node{Step: run.Step{Name: run.StepSegment, Track: track}})
	}
	for track, want := range map[string]int{run.TrackVideo: 0, run.TrackAudio: 1, "": PressPlay} {
		if got := s.last(run.StepSegment, track); got != want {
			t.Errorf("of %q step %d, want %d", track, got, want)
		}
	}
}
