package player

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
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
		{"a part of one", 0, map[string]rule{low: spoken(404, 1, ""), high: spoken(404, 1, "Content-Length: 99")}, "p3 i3 s3 p7 i7 s7 s7", 720},
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

// So it does where the last has passed a limit, which is what the first frame has
// waited for; what it is shown from is there.
func TestHlsjsGoesBackLate(t *testing.T) {
	const limit = time.Second
	o := newOrigin(t, nil, map[string]rule{"/cmaf/v360/0.m4s": spoken(404, 1, ""), "/cmaf/v720/0.m4s": hang(1)})
	m := calm(hlsjs)
	m.Retry = map[run.StepName]Policy{run.StepSegment: {FirstByte: limit, TimeoutRetries: 1}}
	client := fetch.New(fetch.Config{AllowPrivate: true})
	defer client.Close()
	r := good(t, Play(t.Context(), Config{URL: o.URL + "/cmaf/master.m3u8", Client: client, Model: m, Footage: true}))
	if got, want := rungs(r), "p3 i3 s3 p7 i7 s7 s3"; got != want || r.Height != 360 {
		t.Errorf("asked for %s, %dp; want %s", got, r.Height, want)
	}
	if r.Phases.SegmentTTFBMs < ms(limit) {
		t.Errorf("phases %+v", r.Phases)
	}
	if r.Footage == nil || !bytes.Equal(r.Footage.Init, labFile(t, "/cmaf/v360/init.mp4")) || !bytes.Equal(r.Footage.Segment, labFile(t, "/cmaf/v360/0.m4s")) {
		t.Error("the footage is not that of the first level")
	}
}

// What it comes back to is known, and asked for at once.
func TestHlsjsGoesBackAtOnce(t *testing.T) {
	o := newOrigin(t, nil, map[string]rule{"/cmaf/v360/0.m4s": spoken(404, 1, ""), "/cmaf/v720/0.m4s": spoken(404, 1, "")})
	exactly(t, o, func(t *testing.T, c Client) {
		r := good(t, Play(t.Context(), Config{URL: o.URL + "/cmaf/master.m3u8", Client: c, Model: hlsjs}))
		var came float64 // what a segment of video waits for
		var thinks []float64
		for _, s := range r.Steps {
			switch {
			case s.Track != run.TrackVideo || s.Name == run.StepInit:
			case s.Name == run.StepSegment:
				thinks = append(thinks, math.Round(s.StartMs-came))
			default:
				came = s.EndMs
			}
		}
		if diff := cmp.Diff([]float64{ms(hlsjs.HLS.SegmentBeside), ms(hlsjs.HLS.SwitchSegment), 0}, thinks); diff != "" {
			t.Errorf("its own time before each segment (-want +got):\n%s", diff)
		}
	})
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

// Live playlists are asked for again on the way back, and so is everything by a model
// that does not go back but comes by.
func TestNotKept(t *testing.T) {
	once := map[string]rule{"/cmaf/v360/0.m4s": spoken(404, 1, ""), "/cmaf/v720/0.m4s": spoken(404, 1, "")}
	master, live := "#EXTM3U\n", map[string]string{}
	for i, level := range []string{"v360", "v720"} {
		master += fmt.Sprintf("#EXT-X-STREAM-INF:BANDWIDTH=%d,CODECS=\"avc1.4d401e,mp4a.40.2\"\n/%s.m3u8\n", 400_000*(1+i), level)
		live["/"+level+".m3u8"] = fmt.Sprintf("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"/cmaf/%s/init.mp4\"\n", level) +
			strings.Repeat("#EXTINF:1.92,\n/cmaf/"+level+"/0.m4s\n", 4)
	}
	live["/m.m3u8"] = master
	by := calm(hlsjs)
	by.Failover = &Failover{Next: func(_ []Rendition, _ []bool, at int, _ float64) int { return 1 - at }}
	back := calm(hlsjs)
	back.Retry = map[run.StepName]Policy{run.StepSegment: {ErrorRetries: 1, Alone: true}}
	for _, tt := range []struct {
		name, path string
		model      *Model
		want       string
	}{
		{"live", "/m.m3u8", back, "p3 i3 s3 p7 i7 s7 p3 s3"},
		{"by", "/cmaf/master.m3u8", by, "p3 i3 s3 p7 i7 s7 p3 i3 s3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := good(t, press(t, newOrigin(t, live, once), tt.path, tt.model, run.App{}))
			if got := rungs(r); got != tt.want {
				t.Errorf("asked for %s, want %s", got, tt.want)
			}
		})
	}
}

// What is tried again because there is no other level counts as failed; audio says
// nothing of levels.
func TestMarksAlone(t *testing.T) {
	for track, want := range map[string]bool{run.TrackVideo: true, run.TrackAudio: false} {
		s := &session{model: hlsjs, ladder: &ladder{renditions: make([]Rendition, 1), failed: make([]bool, 1)}}
		delay, again := s.further(hlsjs.policy(run.StepSegment), track, failed(run.ErrHTTP4xx, run.StepSegment, "404", Moment{}), 0)
		if !again || delay != time.Second || s.ladder.failed[0] != want {
			t.Errorf("%s: again %v after %v, its level has failed: %v", track, again, delay, s.ladder.failed[0])
		}
	}
}
