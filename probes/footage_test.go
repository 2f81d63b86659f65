package probes_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/player"
)

// What the first frame is shown from comes out as it was packaged: in the clear,
// with its initialization segment, of the rendition that was played.
func TestFootage(t *testing.T) {
	for _, tt := range []struct {
		name, manifest, player, init, segment string
	}{
		{"ts", "/ts/360p/index.m3u8", "hlsjs", "", "ts/360p/0.ts"},
		{"fmp4", "/cmaf/v720/index.m3u8", "hlsjs", "cmaf/v720/init.mp4", "cmaf/v720/0.m4s"},
		{"separate audio", "/cmaf/master.m3u8", "ideal", "cmaf/v360/init.mp4", "cmaf/v360/0.m4s"},
		{"dash", "/cmaf/manifest-number.mpd", "ideal", "cmaf/v360/init.mp4", "cmaf/v360/0.m4s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := footage(t, http.FileServer(http.Dir(media)), tt.manifest, tt.player)
			if f == nil {
				t.Fatal("no footage")
			}
			if f.Protected || !bytes.Equal(f.Init, file(t, tt.init)) || !bytes.Equal(f.Segment, file(t, tt.segment)) {
				t.Errorf("%d and %d bytes, protected %v: want those of %q and %s", len(f.Init), len(f.Segment), f.Protected, tt.init, tt.segment)
			}
		})
	}
}

// Encrypted as a whole, it comes out decrypted.
func TestFootageDecrypted(t *testing.T) {
	f := footage(t, http.FileServer(http.Dir(media)), "/aes/360p/index.m3u8", "hlsjs")
	cipher := file(t, "aes/360p/0.ts")
	if f == nil || len(f.Segment)%188 != 0 || len(f.Segment) >= len(cipher) || len(f.Segment) < len(cipher)-16 {
		t.Fatalf("not the plaintext of %d bytes", len(cipher))
	}
	for at := 0; at < len(f.Segment); at += 188 {
		if f.Segment[at] != 0x47 {
			t.Fatalf("no packet at byte %d", at)
		}
	}
}

// Samples under a licence are said to be, and runs without a frame have none.
func TestFootageOfNothing(t *testing.T) {
	sample := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := os.ReadFile(filepath.Join(media, filepath.FromSlash(r.URL.Path)))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Write([]byte(strings.Replace(string(body), "#EXT-X-MEDIA-SEQUENCE", `#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://x"`+"\n#EXT-X-MEDIA-SEQUENCE", 1)))
	})
	if f := footage(t, sample, "/ts/360p/index.m3u8", "hlsjs"); f == nil || !f.Protected {
		t.Errorf("SAMPLE-AES: %v, want it protected", f)
	}
	broken := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".ts") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		http.FileServer(http.Dir(media)).ServeHTTP(w, r)
	})
	if f := footage(t, broken, "/ts/360p/index.m3u8", "ideal"); f != nil {
		t.Errorf("%d bytes of a segment that was not there", len(f.Segment))
	}
}

// footage is what a run gives, nil for nothing.
func footage(t *testing.T, h http.Handler, path, as string) (got *player.Footage) {
	t.Helper()
	s := spec(server(t, h).URL+path, as, "2")
	s.Footage = func(f player.Footage) { got = &f }
	probes.Probe(context.Background(), s)
	return got
}

// file is one of the lab's, empty for no name.
func file(t *testing.T, name string) []byte {
	t.Helper()
	if name == "" {
		return nil
	}
	b, err := os.ReadFile(filepath.Join(media, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
