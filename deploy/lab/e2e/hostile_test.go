package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// hostile are servers that mean no good. What follows a manifest of "segment" is
// the segment.
var hostile = []struct {
	name  string
	serve http.HandlerFunc
	typ   run.ErrorType
	step  run.StepName
}{
	{"HTML", body("<!DOCTYPE html><html><body>Sign in</body></html>"), run.ErrManifestInvalid, run.StepManifest},
	{"nothing", body(""), run.ErrManifestEmpty, run.StepManifest},
	{"an empty playlist", body("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-ENDLIST\n"), run.ErrManifestEmpty, run.StepManifest},
	{"a playlist of 100 MB", repeat("#EXTM3U\n#EXT-X-TARGETDURATION:2\n", "#EXTINF:2,\nsegment\n", 100<<20), run.ErrTooLarge, run.StepManifest},
	{"a playlist of 15 MB", repeat("#EXTM3U\n#EXT-X-TARGETDURATION:2\n", "#EXTINF:2,\nsegment\n", 15<<20), run.ErrTooLarge, run.StepManifest},
	{"a line of 100 MB", repeat("#EXTM3U\n#EXT-X-STREAM-INF:", "A=1,", 100<<20), run.ErrTooLarge, run.StepManifest},
	{"an MPD of 100 MB", repeat(`<MPD type="static"><Period>`, `<AdaptationSet a="b">`, 100<<20), run.ErrTooLarge, run.StepManifest},
	{"an MPD of 15 MB", repeat(`<MPD type="static"><Period>`, `<AdaptationSet mimeType="video/mp4"><Representation bandwidth="1"/></AdaptationSet>`, 15<<20), run.ErrTooLarge, run.StepManifest},
	{"an XML bomb", body(`<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "` + strings.Repeat("lol", 1000) + `"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><MPD type="static">&b;&b;</MPD>`), run.ErrManifestInvalid, run.StepManifest},
	{"a gzip bomb", bomb, run.ErrTooLarge, run.StepManifest},
	{"a redirect loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, run.ErrRedirect, run.StepManifest},
	{"noise", repeat("", "\x00\xff\x13\x37", 8<<20), run.ErrManifestInvalid, run.StepManifest},
	{"a segment that never ends", segmentOf(repeat("", "\x47\x1f\xff\x10"+strings.Repeat("\xff", 184), 1000<<20)), run.ErrTooLarge, run.StepSegment},
	{"a segment of noise", segmentOf(repeat("", "\x13\x37\x00\xff", 8<<20)), run.ErrMediaInvalid, run.StepSegment},
	{"a box that is larger than any segment", segmentOf(body("\xff\xff\xff\xffmoof")), run.ErrMediaInvalid, run.StepSegment},
	{"a box that is smaller than its head", segmentOf(body("\x00\x00\x00\x03moofxxxxxxxx")), run.ErrMediaInvalid, run.StepSegment},
	{"boxes without end", segmentOf(repeat("", "\x00\x00\x00\x08free", 100<<20)), run.ErrNoKeyframe, run.StepSegment},
}

func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
}

// repeat sends head, then piece over and over, up to a size.
func repeat(head, piece string, size int) http.HandlerFunc {
	block := strings.Repeat(piece, 64<<10/len(piece))
	return func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.WriteString(w, head)
		for n := 0; n < size && err == nil; n += len(block) {
			_, err = io.WriteString(w, block)
		}
	}
}

// bomb sends 200 MB that gzip made small.
func bomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	zip := gzip.NewWriter(w)
	zeros := make([]byte, 1<<20)
	for range 200 {
		if _, err := zip.Write(zeros); err != nil {
			return
		}
	}
	zip.Close()
}

// segmentOf is a playlist with one segment, which segment sends.
func segmentOf(segment http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "segment") {
			segment(w, r)
			return
		}
		io.WriteString(w, "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nsegment\n#EXT-X-ENDLIST\n")
	}
}

// Whatever a server sends, agent probe answers with a failed run and its reason,
// in bounded memory and time.
func TestMemoryUnderFire(t *testing.T) {
	t.Parallel()
	const limit = 10 * time.Second
	for _, tt := range hostile {
		t.Run(tt.name, func(t *testing.T) {
			looked := make(chan struct{})
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				select { // a command that is done in no time would not be seen
				case <-looked:
				case <-r.Context().Done():
					return
				}
				tt.serve(w, r)
			}))
			defer srv.Close()
			var said bytes.Buffer
			cmd := exec.Command(program(t, "agent"), "probe", "--json", "--player", "ideal", "--allow-private", "--timeout", limit.String(), srv.URL+"/manifest")
			cmd.Stderr = &said
			start := time.Now()
			out, peak, err := outputAndPeak(t, cmd, looked)
			took := time.Since(start)
			var r run.Run
			if json.Unmarshal(out, &r) != nil || cmd.ProcessState.ExitCode() != 1 || said.Len() > 0 {
				t.Fatalf("%v: %s%s", err, out, &said)
			}
			if r.OK || r.ErrorType != tt.typ || r.ErrorStep != tt.step || len(r.Steps) == 0 {
				t.Errorf("ok %v, %s at %s: %s; want %s at %s", r.OK, r.ErrorType, r.ErrorStep, r.ErrorDetail, tt.typ, tt.step)
			}
			t.Logf("%.1f MB resident at most, %.1f s", float64(peak)/1e6, took.Seconds())
			if peak > maxUnderFire || took > limit+2*time.Second {
				t.Errorf("%d bytes resident, want at most %d; it took %v", peak, maxUnderFire, took)
			}
		})
	}
}
