package player

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// spoken answers the first times requests with a status and a body, whose length
// is told before, or not; after the initialization segment that was asked for
// together with them.
func spoken(code, times int, header string) rule {
	return func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n > times {
			return false
		}
		time.Sleep(50 * time.Millisecond)
		if name, value, ok := strings.Cut(header, ": "); ok {
			w.Header().Set(name, value)
		}
		w.WriteHeader(code)
		if header == "chunked" {
			_ = http.NewResponseController(w).Flush()
		}
		fmt.Fprintln(w, http.StatusText(code))
		return true
	}
}

// Once each level of hls.js has failed, it tries the first again where the last
// answer had a body that came whole, was of the lowest level, or of an
// initialization segment; else the last. What it has of the first it keeps. That
// is what _abandonRulesCheck of its controller/abr-controller.ts comes to, and what
// hls.js 1.7.4 asked for in Chromium.
func TestHlsjsGoesBack(t *testing.T) {
	const low, high, init = "/cmaf/v360/0.m4s", "/cmaf/v720/0.m4s", "/cmaf/v720/init.mp4"
	segment := make(chan struct{}) // closed when it is asked for beside its initialization segment
	seen := sync.OnceFunc(func() { close(segment) })
	for _, tt := range []struct {
		name   string
		start  float64
		rules  map[string]rule
		want   string // of video
		height int64
	}{
		{"a body", 0, map[string]rule{low: spoken(404, 1, ""), high: spoken(404, 1, "")}, "p3 i3 s3 p7 i7 s7 s3", 360},
		{"a body, twice", 0, map[string]rule{low: spoken(404, 2, ""), high: spoken(404, 1, "")}, "p3 i3 s3 p7 i7 s7 s3 s3", 360},
		{"none", 0, map[string]rule{low: spoken(404, 1, ""), high: status(404, 1)}, "p3 i3 s3 p7 i7 s7 s7", 720},
		{"of unknown length", 0, map[string]rule{low: spoken(404, 1, ""), high: spoken(404, 1, "chunked")}, "p3 i3 s3 p7 i7 s7 s7", 720},
		{"compressed", 0, map[string]rule{low: spoken(404, 1, ""), high: spoken(404, 1, "Content-Encoding: gzip")}, "p3 i3 s3 p7 i7 s7 s7", 720},
		{"broken off", 0, map[string]rule{low: cut(1), high: cut(1)}, "p3 i3 s3 p7 i7 s7 s7", 720},
		{"the lowest is the last", 600, map[string]rule{low: status(404, 1), high: spoken(404, 1, "")}, "p7 i7 s7 p3 i3 s3 s7", 720},
		{"an init segment", 0, map[string]rule{
			low: spoken(404, 1, ""),
			init: func(w http.ResponseWriter, r *http.Request, n int) bool {
				select {
				case <-segment:
				case <-r.Context().Done():
				}
				return status(404, 1)(w, r, n)
			},
			high: func(http.ResponseWriter, *http.Request, int) bool { seen(); return false },
		}, "p3 i3 s3 p7 i7 s7 s3", 360},
		{"audio", 0, map[string]rule{low: status(404, 1), "/cmaf/a48/0.m4s": spoken(503, 1, "")}, "p3 i3 s3 p7 i7 s7", 720},
		{"one 503 of the other level", 0, map[string]rule{low: spoken(404, 1, ""), high: spoken(503, 1, "")}, "p3 i3 s3 p7 i7 s7 s3", 360},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			app := run.App{}
			if tt.start > 0 {
				app.Set = map[string]float64{"start_kbps": tt.start}
			}
			m := quick(hlsjs)
			for step, p := range m.Retry { // on a busy machine
				p.FirstByte, p.Total = 5*time.Second, 5*time.Second
				m.Retry[step] = p
			}
			r := good(t, press(t, newOrigin(t, nil, tt.rules), "/cmaf/master.m3u8", m, app))
			if got := rungs(r); got != tt.want {
				t.Errorf("asked for %s, want %s", got, tt.want)
			}
			if r.Height != int(tt.height) {
				t.Errorf("%dp, want %d", r.Height, tt.height)
			}
		})
	}
}

// rungs are the requests of video: playlists p, initialization segments i, segments
// s, each of rung 3 or 7.
func rungs(r *Result) string {
	var all []string
	for _, s := range r.Steps {
		name := map[run.StepName]string{run.StepPlaylist: "p", run.StepInit: "i", run.StepSegment: "s"}[s.Name]
		if s.Track == run.TrackVideo && name != "" {
			_, rung, _ := strings.Cut(s.URL, "/v")
			all = append(all, name+rung[:1])
		}
	}
	return strings.Join(all, " ")
}

// So it does where the last has passed a limit.
func TestHlsjsGoesBackLate(t *testing.T) {
	o := newOrigin(t, nil, map[string]rule{"/cmaf/v360/0.m4s": spoken(404, 1, ""), "/cmaf/v720/0.m4s": hang(1)})
	m := calm(hlsjs)
	m.Retry = map[run.StepName]Policy{run.StepSegment: {FirstByte: time.Second, TimeoutRetries: 1}}
	r := good(t, press(t, o, "/cmaf/master.m3u8", m, run.App{}))
	if got, want := rungs(r), "p3 i3 s3 p7 i7 s7 s3"; got != want || r.Height != 360 {
		t.Errorf("asked for %s, %dp; want %s", got, r.Height, want)
	}
}

// While it plays on hls.js tries again what has failed last.
func TestHlsjsStays(t *testing.T) {
	o := newOrigin(t, nil, map[string]rule{"/cmaf/v360/0.m4s": status(404, 1), "/cmaf/v720/1.m4s": spoken(503, 1, "")})
	m := calm(hlsjs)
	m.Retry = map[run.StepName]Policy{run.StepSegment: {ErrorRetries: 1}}
	m.Buffering.Next = nil
	played(t, playOn(t, o, "/cmaf/master.m3u8", m, 3*time.Second), 3*time.Second)
	var got []string
	for _, p := range o.paths() {
		if strings.HasSuffix(p, "/1.m4s") && strings.Contains(p, "/v") {
			got = append(got, p)
		}
	}
	if want := []string{"/cmaf/v720/1.m4s", "/cmaf/v720/1.m4s"}; !slices.Equal(got, want) {
		t.Errorf("asked for %v, want %v", got, want)
	}
}
