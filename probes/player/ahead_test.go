package player

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/hls"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

// While audio's initialization segment is still to come, dash.js goes on with video
// until it holds what it wants, in a higher rendition from the playhead on; Shaka no
// further than a segment ahead of audio; hls.js and live streams not at all.
func TestVideoAhead(t *testing.T) {
	const late, slow = 700 * time.Millisecond, 300.0
	long := `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT60S" minBufferTime="PT2S"><Period>` + fmt.Sprintf(sets, "p") + `</Period></MPD>`
	longer := "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:2.0,\n0.m4s\n#EXTINF:2.0,\n1.m4s\n#EXT-X-ENDLIST\n"
	gap := "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:1.92,\n0.m4s\n#EXT-X-GAP\n#EXTINF:1.92,\n1.m4s\n#EXTINF:1.92,\n2.m4s\n#EXTINF:1.92,\n3.m4s\n#EXT-X-ENDLIST\n"
	live := fmt.Sprintf(`<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime=%q minimumUpdatePeriod="PT2S"><Period id="p" start="PT0S">`, stamp(100*time.Second)) +
		fmt.Sprintf(sets, "p") + `</Period></MPD>`
	for _, tt := range []struct {
		name, path string
		model      *Model
		manifests  map[string]string
		start      float64
		want       string // of video, before audio's
	}{
		{"dash.js, to the end", "/cmaf/manifest-timeline.mpd", dashjs, nil, slow,
			"v360/init.mp4 v360/0.m4s v720/init.mp4 v720/0.m4s v720/1.m4s v720/2.m4s v720/3.m4s v720/4.m4s"},
		{"dash.js, as high as it goes", "/cmaf/manifest-timeline.mpd", dashjs, nil, 600,
			"v720/init.mp4 v720/0.m4s v720/1.m4s v720/2.m4s v720/3.m4s v720/4.m4s"},
		{"dash.js, 30 s", "/m.mpd", dashjs, map[string]string{"/m.mpd": long}, 0,
			"v360/init.mp4 p/0 p/1 p/2 p/3 p/4 p/5 p/6 p/7 p/8 p/9 p/10 p/11 p/12 p/13 p/14"},
		{"Shaka, as long as audio", "/cmaf/manifest-timeline.mpd", shaka, nil, slow, "v360/init.mp4 v360/0.m4s"},
		{"Shaka, shorter than audio", "/cmaf/master.m3u8", shaka, map[string]string{"/cmaf/a48/index.m3u8": longer}, slow,
			"v360/init.mp4 v360/0.m4s v360/1.m4s"},
		{"Shaka, over a gap", "/cmaf/master.m3u8", shaka, map[string]string{"/cmaf/a48/index.m3u8": strings.ReplaceAll(longer, "2.0", "4.0"), "/cmaf/v360/index.m3u8": gap}, slow,
			"v360/init.mp4 v360/0.m4s v360/2.m4s"},
		{"hls.js", "/cmaf/master.m3u8", hlsjs, nil, 0, "v360/init.mp4 v360/0.m4s"},
		{"dash.js, live", "/m.mpd", dashjs, map[string]string{"/m.mpd": live}, 0, "v360/init.mp4 p/48"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, tt.manifests, map[string]rule{"/cmaf/a48/init.mp4": delay(late)})
			o.Config.Handler = segments(o.Config.Handler)
			m := calm(tt.model)
			m.Meter = nil
			app := run.App{}
			if tt.start > 0 {
				app.Set = map[string]float64{"start_kbps": tt.start}
			}
			r := good(t, press(t, o, tt.path, m, app))
			if got := videoFiles(r); got != tt.want {
				t.Errorf("asked for %s, want %s", got, tt.want)
			}
			init := o.find(t, "/cmaf/a48/init.mp4", 1)
			if after := r.Frame.Sub(init.begin); after < late {
				t.Errorf("the first frame comes %v after audio's initialization segment was asked for", after)
			}
		})
	}
}

// With dash.js what is held comes again in a better rendition from the playhead on,
// or, where that has come before, from one and a half of its segments on; what has
// come of the better one does not, nor does an initialization segment.
func TestVideoAheadReplaces(t *testing.T) {
	o := newOrigin(t, nil, map[string]rule{"/cmaf/a48/init.mp4": delay(700 * time.Millisecond)})
	m := untimed(dashjs)
	var held []int
	m.Buffering.Next = func() func(Playing) int {
		return func(p Playing) int { held = append(held, p.Segments); return 1 - p.At }
	}
	edges, r := graph(t, o, "/cmaf/manifest-timeline.mpd", m, run.App{Set: map[string]float64{"start_kbps": 300}})
	good(t, r)
	const want = "v360/init.mp4 v360/0.m4s v720/init.mp4 v720/0.m4s v360/1.m4s v720/1.m4s v360/2.m4s v720/3.m4s v360/4.m4s"
	if got := videoFiles(r); got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
	if diff := cmp.Diff(sorted(strings.Fields("M VI<M VS<VI VI'<VS VS'<VI' VS2<VS' VS'2<VS2 VS3<VS'2 VS'3<VS3 VS4<VS'3 AI<M AS<AI picture<AI")), sorted(edges)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{1, 2, 3, 4, 5, 6, 7}, held); diff != "" {
		t.Errorf("segments that it held when it chose (-want +got):\n%s", diff)
	}
}

// What comes of video ahead is measured: dash.js goes down where it comes slowly.
func TestVideoAheadMeasures(t *testing.T) {
	o := newOrigin(t, nil, map[string]rule{"/cmaf/a48/init.mp4": delay(8 * time.Second), "/cmaf/v720/0.m4s": paced(t, 64<<10, 400*time.Millisecond)})
	_, r := graph(t, o, "/cmaf/manifest-timeline.mpd", untimed(dashjs), run.App{Set: map[string]float64{"start_kbps": 300}})
	const want = "v360/init.mp4 v360/0.m4s v720/init.mp4 v720/0.m4s v360/1.m4s"
	if got := videoFiles(good(t, r)); !strings.HasPrefix(got, want) {
		t.Errorf("asked for %s, want %s first", got, want)
	}
}

// videoFiles are the initialization and media segments of video that were asked for.
func videoFiles(r *Result) string {
	var files []string
	for _, s := range r.Steps {
		if s.Track == run.TrackVideo && (s.Name == run.StepInit || s.Name == run.StepSegment) {
			parts := strings.Split(s.URL, "/")
			files = append(files, strings.Join(parts[len(parts)-2:], "/"))
		}
	}
	return strings.Join(files, " ")
}

// What is asked for ahead fails without an end of the run, and is given up once
// audio is there.
func TestVideoAheadFails(t *testing.T) {
	for _, tt := range []struct {
		name string
		rule rule
	}{{"404", status(404, 99)}, {"late", hang(99)}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, nil, map[string]rule{"/cmaf/a48/init.mp4": delay(300 * time.Millisecond), "/cmaf/v360/1.m4s": tt.rule})
			m := quick(dashjs)
			m.Buffering.Next = nil
			r := good(t, press(t, o, "/cmaf/manifest-timeline.mpd", m, run.App{Set: map[string]float64{"start_kbps": 300}}))
			if ahead := r.End.Sub(*r.Frame); r.Error != "" || ahead > 700*time.Millisecond {
				t.Errorf("%q, over %v after the first frame", r.Error, ahead)
			}
			if r.Startup == nil {
				t.Error("it does not play")
			}
		})
	}
}

// What came before the first picture is not asked for again while it plays on, nor
// is a last segment that is longer than its period.
func TestAheadIsKept(t *testing.T) {
	longer := "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:2.0,\n0.m4s\n#EXTINF:2.0,\n1.m4s\n#EXTINF:2.0,\n2.m4s\n#EXT-X-ENDLIST\n"
	captions := strings.NewReplacer(",CLOSED-CAPTIONS=NONE", "", "\nv", "\n/cmaf/v", `URI="a`, `URI="/cmaf/a`).Replace(string(labFile(t, "/cmaf/master.m3u8")))
	for _, tt := range []struct {
		name, path string
		model      *Model
		manifests  map[string]string
		slow       string
		twice      []string // are asked for, because captions were looked for in them
	}{
		{"dash.js, video", "/cmaf/manifest-timeline.mpd", dashjs, nil, "/cmaf/a48/init.mp4", nil},
		{"Shaka, video", "/cmaf/master.m3u8", shaka, map[string]string{"/cmaf/a48/index.m3u8": longer}, "/cmaf/a48/init.mp4", nil},
		{"Shaka, video after captions", "/m.m3u8", shaka, map[string]string{"/m.m3u8": captions}, "/cmaf/a48/init.mp4", []string{"/v720/2.m4s", "/v720/4.m4s"}},
		{"Shaka, video after captions, as long as audio", "/m.m3u8", shaka, map[string]string{"/m.m3u8": captions, "/cmaf/a48/index.m3u8": longer}, "/cmaf/a48/init.mp4", []string{"/v720/2.m4s", "/v720/4.m4s"}},
		{"dash.js, audio", "/m.mpd", dashjs, nil, "/v/p/0", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mpd := strings.Replace(fmt.Sprintf(sets, "p"), `duration="92160"`, `duration="96000"`, 1) // longer than it is
			manifests := map[string]string{"/m.mpd": `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT9.6S" minBufferTime="PT2S"><Period>` + mpd + `</Period></MPD>`}
			for path, body := range tt.manifests {
				manifests[path] = body
			}
			o := newOrigin(t, manifests, map[string]rule{tt.slow: delay(400 * time.Millisecond)})
			files := o.Config.Handler
			o.Config.Handler = segments(files)
			if strings.HasPrefix(tt.slow, "/v/") {
				o.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == tt.slow {
						time.Sleep(400 * time.Millisecond)
					}
					segments(files).ServeHTTP(w, r)
				})
			}
			m := calm(tt.model)
			m.Meter, m.Buffering.Next = nil, nil
			r := played(t, playOn(t, o, tt.path, m, 2*time.Second), 2*time.Second)
			times := map[string]int{}
			for _, s := range r.Steps {
				if s.Name == run.StepSegment || s.Name == run.StepInit {
					times[s.URL]++
				}
			}
			for url, n := range times {
				want := 1
				if slices.ContainsFunc(tt.twice, func(path string) bool { return strings.HasSuffix(url, path) }) {
					want = 2
				}
				if n != want {
					t.Errorf("%s is asked for %d times, want %d", url, n, want)
				}
			}
			if len(times) < 4 {
				t.Errorf("only %d resources", len(times))
			}
		})
	}
}

// How far Shaka lets video go ahead of audio: as far as the longest segment, half a
// second at least, and no further than its buffer.
func TestShakaRunsAhead(t *testing.T) {
	for _, tt := range []struct {
		held, longest time.Duration
		want          bool
	}{
		{1900 * time.Millisecond, 2 * time.Second, true},
		{2 * time.Second, 2 * time.Second, false},
		{400 * time.Millisecond, 300 * time.Millisecond, true},
		{9 * time.Second, 20 * time.Second, true},
		{10 * time.Second, 20 * time.Second, false},
	} {
		if got := shaka.VideoAhead(Playing{Ahead: tt.held}, tt.longest); got != tt.want {
			t.Errorf("with %v, segments of %v: %v, want %v", tt.held, tt.longest, got, tt.want)
		}
	}
}

// The longest segment, against the same sums in JavaScript.
func TestLongest(t *testing.T) {
	s := func(seconds float64) time.Duration { return time.Duration(math.Round(seconds * 1e9)) }
	for _, tt := range []struct {
		n     int
		plays []time.Duration // in turn
		live  bool
		want  time.Duration
	}{
		{4, []time.Duration{s(4.010667), s(3.989333)}, false, s(4.010667)},
		{15, []time.Duration{s(4.010667), s(3.989333)}, false, s(4.010667) + 1},
		{15, []time.Duration{s(4.010667), s(3.989333)}, true, s(4.010667)},
		{600, []time.Duration{s(4)}, false, s(4)},
		{3, []time.Duration{s(6.006)}, false, s(6.006)},
		{100, []time.Duration{s(6.006)}, false, s(6.006) + 1},
		{3, []time.Duration{s(1.92)}, false, s(1.92)},
		{10, []time.Duration{s(1.92)}, false, s(1.92) + 1},
		{0, nil, false, 0},
	} {
		m := &hls.Media{EndList: !tt.live}
		for i := range tt.n {
			m.Segments = append(m.Segments, hls.Segment{Duration: tt.plays[i%len(tt.plays)]})
		}
		if got := longest(m); got != tt.want {
			t.Errorf("%d of %v, live %t: %v, want %v", tt.n, tt.plays, tt.live, got, tt.want)
		}
	}
}
