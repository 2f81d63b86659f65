package probes_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/run"
)

// playlist is a media playlist with one segment.
const playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nsegment\n#EXT-X-ENDLIST\n"

// text answers with a body.
func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }
}

// endless answers with piece over and over, until the client has gone or limit
// bytes are written.
func endless(piece string, limit int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		block := []byte(strings.Repeat(piece, 1+64<<10/len(piece)))
		for n := 0; n < limit; n += len(block) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}
}

// bomb answers with zeros that gzip made small.
func bomb(t *testing.T) http.HandlerFunc {
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	zeros := make([]byte, 1<<20)
	for range 200 {
		zip.Write(zeros)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(b.Bytes())
	}
}

// box is an MP4 box that claims size bytes.
func box(size uint32, kind string, body string) string {
	return string(binary.BigEndian.AppendUint32(nil, size)) + kind + body
}

// Whatever a server sends is a failed run with the reason, within the timeout,
// and costs little memory.
func TestHostileServers(t *testing.T) {
	bombXML := `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "` + strings.Repeat("lol", 100) + `"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><MPD type="static">&b;&b;&b;</MPD>`
	nullPacket := "\x47\x1f\xff\x10" + strings.Repeat("\xff", 184)
	for _, tt := range []struct {
		name     string
		manifest http.HandlerFunc
		segment  http.HandlerFunc
		want     run.ErrorType
		step     run.StepName
		or       run.ErrorType // on a machine that is too slow to receive so much in time
	}{
		{"HTML in place of a manifest", text("<!DOCTYPE html><html><body>Sign in</body></html>"), nil, run.ErrManifestInvalid, run.StepManifest, ""},
		{"nothing in place of a manifest", text(""), nil, run.ErrManifestEmpty, run.StepManifest, ""},
		{"a playlist without segments", text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-ENDLIST\n"), nil, run.ErrManifestEmpty, run.StepManifest, ""},
		{"an MPD without periods", text(`<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"></MPD>`), nil, run.ErrManifestEmpty, run.StepManifest, ""},
		{"binary garbage in place of a manifest", endless("\x00\xff\x13garbage", 1<<20), nil, run.ErrManifestInvalid, run.StepManifest, ""},
		{"a manifest of 100 MB", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "#EXTM3U\n#EXT-X-TARGETDURATION:2\n")
			endless("#EXTINF:2,\nsegment\n", 100<<20)(w, r)
		}, nil, run.ErrTooLarge, run.StepManifest, ""},
		{"a manifest announced as 100 MB", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100000000")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, nil, run.ErrTooLarge, run.StepManifest, ""},
		{"an XML bomb", text(bombXML), nil, run.ErrManifestInvalid, run.StepManifest, ""},
		{"a gzip bomb", bomb(t), nil, run.ErrTooLarge, run.StepManifest, ""},
		{"a redirect loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/manifest?again", http.StatusFound) }, nil, run.ErrRedirect, run.StepManifest, ""},
		{"a redirect without an end", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/manifest?"+r.URL.RawQuery+"x", http.StatusFound)
		}, nil, run.ErrRedirect, run.StepManifest, ""},
		{"a redirect to a file", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(302)
		}, nil, run.ErrRedirect, run.StepManifest, ""},
		{"a segment of HTML", text(playlist), text("<html>"), run.ErrMediaInvalid, run.StepSegment, ""},
		{"a segment of garbage", text(playlist), endless("\x13\x37garbage", 8<<20), run.ErrMediaInvalid, run.StepSegment, ""},
		{"a segment that never ends", text(playlist), endless(nullPacket, 1<<30), run.ErrTooLarge, run.StepSegment, run.ErrTimeout},
		{"a segment that drips", text(playlist), func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				io.WriteString(w, nullPacket)
				w.(http.Flusher).Flush()
				time.Sleep(50 * time.Millisecond)
			}
		}, run.ErrTimeout, run.StepSegment, ""},
		{"a box larger than any segment", text(playlist), text(box(0xffffffff, "moof", "")), run.ErrMediaInvalid, run.StepSegment, ""},
		{"a box smaller than its header", text(playlist), text(box(3, "moof", "xxxxxxxx")), run.ErrMediaInvalid, run.StepSegment, ""},
		{"boxes that promise more than comes", text(playlist), text(strings.Repeat(box(0xfffff, "moof", box(0xffff0, "traf", "")), 3)), run.ErrSegmentTruncated, run.StepSegment, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.Handle("/manifest", tt.manifest)
			if tt.segment != nil {
				mux.Handle("/segment", tt.segment)
			}
			s := spec(server(t, mux).URL+"/manifest", "ideal", "")
			s.Target.Timeout = 3 * time.Second
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			start := time.Now()
			r := probes.Probe(context.Background(), s)
			runtime.ReadMemStats(&after)
			if r.OK || r.ErrorType != tt.want && r.ErrorType != tt.or || r.ErrorStep != tt.step {
				t.Errorf("ok %v, %s at %s (%s), want %s at %s", r.OK, r.ErrorType, r.ErrorStep, r.ErrorDetail, tt.want, tt.step)
			}
			if r.TTFFMs != nil || r.Good {
				t.Errorf("a failed run with a time to first frame, or good: %+v", r)
			}
			if len(r.Steps) == 0 || r.Steps[0].Name != run.StepManifest {
				t.Errorf("no steps up to the failure: %+v", r.Steps)
			}
			if d := time.Since(start); d > s.Target.Timeout+2*time.Second {
				t.Errorf("took %v, longer than its timeout of %v", d, s.Target.Timeout)
			}
			// The sender of the bomb is in this process too, so this is no more
			// than a bound on both.
			if grown := int64(after.Sys) - int64(before.Sys); grown > 150<<20 {
				t.Errorf("%d MB more memory", grown>>20)
			}
		})
	}
}
