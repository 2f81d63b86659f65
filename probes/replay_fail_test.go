package probes_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/bundle"
	"github.com/firstframe/firstframe/probes/run"
)

// fromFile answers with a file of the lab's media, or the first n bytes of it and
// then silence; n 0 is all of it.
func fromFile(name string, n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := os.ReadFile(filepath.Join(media, name))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		if n == 0 {
			w.Write(body)
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.Write(body[:n])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

// broken answers with the head and the first n bytes of a file, and breaks the
// connection: with a FIN, or with a reset.
func broken(name string, n int, reset bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := os.ReadFile(filepath.Join(media, name))
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(body))
		conn.Write(body[:n])
		if tcp, ok := conn.(*net.TCPConn); ok && reset {
			time.Sleep(50 * time.Millisecond) // what was sent is read before
			tcp.SetLinger(0)
		}
		conn.Close()
	}
}

// later answers when what is asked for at once has gone out.
func later(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(100 * time.Millisecond)
		h(w, r)
	}
}

// silent answers nothing.
func silent(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// status answers with a status.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// encrypted is a media playlist of one segment under the key at /key.
const encrypted = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-KEY:METHOD=AES-128,URI=\"key\",IV=0x00000000000000000000000000000000\n#EXTINF:2,\nsegment\n#EXT-X-ENDLIST\n"

// standing is a live playlist that ended a minute ago.
func standing(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PROGRAM-DATE-TIME:%s\n#EXTINF:2,\nsegment\n#EXTINF:2,\nsegment\n",
		time.Now().Add(-time.Minute).UTC().Format("2006-01-02T15:04:05.000Z"))
}

// frozen is a live playlist without dates that has not changed for a minute, as
// its server says.
func frozen(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Last-Modified", time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat))
	io.WriteString(w, strings.TrimSuffix(strings.ReplaceAll(playlist, "TION:2", "TION:1"), "#EXT-X-ENDLIST\n"))
}

// failing are ways to fail, one at least for each error type that a server, a
// network or a manifest can bring about.
var failing = []struct {
	name     string
	routes   map[string]http.HandlerFunc // of a server over HTTP
	change   func(t *testing.T, s *probes.Spec)
	player   string
	timeout  time.Duration
	want     run.ErrorType
	step     run.StepName
	attempts int64 // 0: as many as there is time for
}{
	{name: "a name that is none", want: run.ErrDNS, step: run.StepManifest, attempts: 1, change: func(t *testing.T, s *probes.Spec) {
		s.Target.URL, s.Network.Resolver = "http://nothere.example/m", closedPort(t, "udp")
	}},
	{name: "a DNS server that is silent", timeout: time.Second, want: run.ErrDNS, step: run.StepManifest, attempts: 1, change: func(t *testing.T, s *probes.Spec) {
		s.Target.URL, s.Network.Resolver = "http://nothere.example/m", silentPort(t)
	}},
	{name: "nobody listens", want: run.ErrConnect, step: run.StepManifest, attempts: 1, change: func(t *testing.T, s *probes.Spec) {
		s.Target.URL = "http://" + closedPort(t, "tcp") + "/m"
	}},
	{name: "no TLS", want: run.ErrTLS, step: run.StepManifest, attempts: 1, change: func(_ *testing.T, s *probes.Spec) {
		s.Target.URL = strings.Replace(s.Target.URL, "http:", "https:", 1)
	}},
	{name: "no answer", timeout: 2 * time.Second, routes: map[string]http.HandlerFunc{"/m": silent}, want: run.ErrTimeout, step: run.StepManifest, attempts: 1},
	{name: "no segment in time, three tries", player: "shaka", timeout: 3 * time.Second, routes: map[string]http.HandlerFunc{"/m": text(playlist), "/segment": status(503)}, want: run.ErrHTTP5xx, step: run.StepSegment, attempts: 3},
	{name: "a segment that falls silent", timeout: 2500 * time.Millisecond, routes: map[string]http.HandlerFunc{"/m": text(playlist), "/segment": fromFile("ts/360p/0.ts", 4000)}, want: run.ErrStalled, step: run.StepSegment, attempts: 2},
	{name: "a connection reset", routes: map[string]http.HandlerFunc{"/m": text(playlist), "/segment": broken("ts/360p/0.ts", 4000, true)}, want: run.ErrReset, step: run.StepSegment, attempts: 2},
	{name: "a segment cut short", routes: map[string]http.HandlerFunc{"/m": text(playlist), "/segment": broken("ts/360p/0.ts", 4000, false)}, want: run.ErrSegmentTruncated, step: run.StepSegment, attempts: 2},
	{name: "not found", routes: map[string]http.HandlerFunc{"/m": status(404)}, want: run.ErrHTTP4xx, step: run.StepManifest, attempts: 1},
	{name: "unavailable until the end", player: "hlsjs", timeout: 3500 * time.Millisecond, routes: map[string]http.HandlerFunc{"/m": text(playlist), "/segment": status(502)}, want: run.ErrHTTP5xx, step: run.StepSegment},
	{name: "a redirect loop", routes: map[string]http.HandlerFunc{"/m": http.RedirectHandler("/m", http.StatusFound).ServeHTTP}, want: run.ErrRedirect, step: run.StepManifest, attempts: 1},
	{name: "announced too large", routes: map[string]http.HandlerFunc{"/m": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100000000")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}}, want: run.ErrTooLarge, step: run.StepManifest, attempts: 1},
	{name: "an address that is not allowed", want: run.ErrBlockedAddress, step: run.StepManifest, attempts: 1, change: func(_ *testing.T, s *probes.Spec) {
		s.Network.AllowPrivate = false
	}},
	{name: "a page in place of a manifest", routes: map[string]http.HandlerFunc{"/m": text("<!DOCTYPE html><p>Sign in")}, want: run.ErrManifestInvalid, step: run.StepManifest, attempts: 1},
	{name: "nothing to play", routes: map[string]http.HandlerFunc{"/m": text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-ENDLIST\n")}, want: run.ErrManifestEmpty, step: run.StepManifest, attempts: 1},
	{name: "a live playlist of a minute ago", routes: map[string]http.HandlerFunc{"/m": standing}, want: run.ErrManifestStale, step: run.StepManifest, attempts: 1},
	{name: "a live playlist that stands still", timeout: 6 * time.Second, routes: map[string]http.HandlerFunc{"/m": text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nl\n"), "/l": frozen, "/segment": fromFile("ts/360p/0.ts", 0)}, want: run.ErrManifestStale, step: run.StepPlaylist, attempts: 4},
	{name: "garbage", routes: map[string]http.HandlerFunc{"/m": text(playlist), "/segment": endless("\x13\x00\x37garbage", 1<<20)}, want: run.ErrMediaInvalid, step: run.StepSegment, attempts: 2},
	{name: "a page in place of a segment", routes: map[string]http.HandlerFunc{"/m": text(playlist), "/segment": text("<html>")}, want: run.ErrMediaInvalid, step: run.StepSegment, attempts: 2},
	{name: "no keyframe", routes: map[string]http.HandlerFunc{"/m": text(playlist), "/segment": endless("\x47\x1f\xff\x10"+strings.Repeat("\xff", 184), 6<<20)}, want: run.ErrNoKeyframe, step: run.StepSegment, attempts: 2},
	{name: "a key that does not fit", routes: map[string]http.HandlerFunc{"/m": text(encrypted), "/key": text("0123456789abcdef"), "/segment": fromFile("aes/360p/0.ts", 0)}, want: run.ErrDecrypt, step: run.StepSegment, attempts: 3},
	{name: "a key of 17 bytes", routes: map[string]http.HandlerFunc{"/m": text(encrypted), "/key": later(text("0123456789abcdef\n")), "/segment": fromFile("aes/360p/0.ts", 0)}, want: run.ErrDecrypt, step: run.StepKey, attempts: 3},
	{name: "WebM", routes: map[string]http.HandlerFunc{"/m": text(playlist), "/segment": text("\x1a\x45\xdf\xa3\x00\x00\x00\x00webm")}, want: run.ErrUnsupported, step: run.StepSegment, attempts: 2},
	{name: "an interface that promises nothing", routes: map[string]http.HandlerFunc{"/api": text(`{"token": "t0ken-5ecret", "expires": 1234567890}`)}, want: run.ErrPlaybackAPI, step: run.StepPlaybackAPI, attempts: 1, change: withAPI},
	{name: "an interface that is sick", routes: map[string]http.HandlerFunc{"/api": status(500)}, want: run.ErrHTTP5xx, step: run.StepPlaybackAPI, attempts: 1, change: withAPI},
}

// withAPI makes the target one behind an interface of its own.
func withAPI(_ *testing.T, s *probes.Spec) {
	s.Target.PlaybackAPI = &run.PlaybackAPI{URL: strings.TrimSuffix(s.Target.URL, "/m") + "/api?pin=${env:FIRSTFRAME_SECRET_API}", Manifest: "$.url"}
}

// closedPort is an address at which nobody listens.
func closedPort(t *testing.T, network string) string {
	t.Helper()
	if network == "udp" {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.LocalAddr().String()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// silentPort is the address of a UDP server that does not answer.
func silentPort(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().String()
}

// Each failure fails again: of the same type, at the same step, after as many
// attempts, at the same time.
func TestReplayFailed(t *testing.T) {
	t.Setenv("FIRSTFRAME_SECRET_API", "ap1-5ecret")
	runs, bundles := make([]run.Run, len(failing)), make([]*bundle.Bundle, len(failing))
	var wg sync.WaitGroup
	for i, tt := range failing {
		mux := http.NewServeMux()
		for path, h := range tt.routes {
			mux.Handle(path, h)
		}
		srv := httptest.NewServer(mux)
		t.Cleanup(srv.Close)
		s := spec(srv.URL+"/m", orDefault(tt.player, "ideal"), "")
		s.Target.Timeout = orDefault(tt.timeout, 10*time.Second)
		if tt.change != nil {
			tt.change(t, &s)
		}
		wg.Go(func() { runs[i], bundles[i] = record(t, s) })
	}
	wg.Wait()
	seen := map[run.ErrorType]bool{run.ErrInternal: true} // a fault of ours, which nobody can order
	for i, tt := range failing {
		t.Run(tt.name, func(t *testing.T) {
			then := runs[i]
			if then.ErrorType != tt.want || then.ErrorStep != tt.step || tt.attempts > 0 && then.Attempts != tt.attempts {
				t.Fatalf("%s at %s after %d attempts (%s), want %s at %s after %d", then.ErrorType, then.ErrorStep, then.Attempts, then.ErrorDetail, tt.want, tt.step, tt.attempts)
			}
			same(t, then, replay(t, then, bundles[i]))
		})
		seen[tt.want] = true
	}
	for _, typ := range run.ErrorTypes {
		if !seen[typ] {
			t.Errorf("no run fails with %s", typ)
		}
	}
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}
