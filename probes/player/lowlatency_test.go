package player

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

// lowLatency is a live playlist of segments of 1.92 s from number 10 on, the
// last two of which, and the one that is being made, have four parts of 0.48 s
// each, so many of the last one. The first and third part of a segment are
// independent; all are one whole segment of the lab's.
func lowLatency(header string, segments, parts int) string {
	var b strings.Builder
	b.WriteString("#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:10\n" +
		"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12,PART-HOLD-BACK=1.5\n#EXT-X-PART-INF:PART-TARGET=0.5\n" + header)
	part := func(segment, i int) {
		fmt.Fprintf(&b, "#EXT-X-PART:DURATION=0.48,URI=\"/p/%d.%d\"", segment, i)
		if i%2 == 0 {
			b.WriteString(",INDEPENDENT=YES")
		}
		b.WriteString("\n")
	}
	for n := range segments {
		if n >= segments-2 {
			for i := range 4 {
				part(10+n, i)
			}
		}
		fmt.Fprintf(&b, "#EXTINF:1.92,\n/p/%d\n", 10+n)
	}
	for i := range parts {
		part(10+segments, i)
	}
	fmt.Fprintf(&b, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"/p/%d.%d\"\n", 10+segments, parts)
	return b.String()
}

// anyPart answers any segment or part with the lab's first.
func anyPart(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/p/") {
			http.ServeFile(w, r, lab+"/ts/360p/0.ts")
			return
		}
		h.ServeHTTP(w, r)
	})
}

// mediaAsked are the media requests of a result: names of steps, and paths
// behind the origin's /p/.
func mediaAsked(r *Result) (all []string) {
	for _, s := range r.Steps {
		if s.Name == run.StepSegment || s.Name == run.StepPart {
			all = append(all, string(s.Name)+" "+s.URL[strings.LastIndex(s.URL, "/")+1:])
		}
	}
	return all
}

// Where playback of a low-latency stream starts: 5 segments, and 3 parts of the
// sixth: 11.04 s.
func TestLowLatencyStart(t *testing.T) {
	for _, tt := range []struct {
		name   string
		model  *Model
		list   string
		age    string
		want   string
		behind time.Duration
		mode   string
	}{
		// 1.5 s from the end is at 9.54 s, in the last whole segment's fourth part: 1.44 s of it.
		{"part hold-back", hlsjs, lowLatency("", 5, 3), "", "part 14.2", 2400 * time.Millisecond, "low_latency"},
		{"ideal", ideal, lowLatency("", 5, 3), "", "part 14.2", 2400 * time.Millisecond, "low_latency"},
		{"a cache held it for 1 s", hlsjs, lowLatency("", 5, 3), "1", "part 15.0", 1440*time.Millisecond + time.Second, "low_latency"},
		{"EXT-X-START", hlsjs, lowLatency("#EXT-X-START:TIME-OFFSET=-0.1\n", 5, 3), "", "part 15.2", 480 * time.Millisecond, "low_latency"},
		{"a segment whose parts are no longer listed", hlsjs, lowLatency("#EXT-X-START:TIME-OFFSET=1\n", 5, 3), "", "segment 10", 11040 * time.Millisecond, "low_latency"},
		{"a gap among the parts", hlsjs, strings.Replace(lowLatency("", 5, 3), "14.2\",INDEPENDENT=YES", "14.2\",INDEPENDENT=YES,GAP=YES", 1), "", "part 14.0", 3360 * time.Millisecond, "low_latency"},
		{"only what is being made", hlsjs, lowLatency("", 0, 3), "", "part 10.0", 1440 * time.Millisecond, "low_latency"},
		{"a model without", quickWithout(hlsjs), lowLatency("", 5, 3), "", "segment 12", 7200 * time.Millisecond, "low_latency"},
		{"a playlist without parts", hlsjs, list("", nil, false), "", "segment 1.ts", 4 * 1920 * time.Millisecond, "live"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOrigin(t, map[string]string{"/l.m3u8": tt.list}, map[string]rule{"/l.m3u8": func(w http.ResponseWriter, r *http.Request, _ int) bool {
				if strings.Contains(r.URL.RawQuery, "_HLS_") {
					<-r.Context().Done() // the next part is never made
				}
				w.Header().Set("Age", tt.age)
				return false
			}})
			o.Config.Handler = anyPart(o.Config.Handler)
			r := good(t, press(t, o, "/l.m3u8", quick(tt.model), run.App{}))
			if got := strings.Join(mediaAsked(r), ", "); got != tt.want || r.Mode != tt.mode {
				t.Errorf("%s, mode %s; want %s, %s", got, r.Mode, tt.want, tt.mode)
			}
			if got := *r.LiveLatency - r.Frame.Sub(r.Start); got < tt.behind-time.Second || got > tt.behind+time.Second {
				t.Errorf("%v behind, want %v", got, tt.behind)
			}
		})
	}
}

func quickWithout(m *Model) *Model {
	q := *m
	q.LowLatency = false
	return &q
}

// A stream that has only just begun has nothing but a hint: the part is asked for
// and waited for, from where it begins.
func TestPreloadHint(t *testing.T) {
	const made = 300 * time.Millisecond
	head, _, _ := strings.Cut(lowLatency("", 0, 0), "#EXT-X-PRELOAD-HINT")
	for _, tt := range []struct {
		name, hint, rng string
		model           *Model
		typ             run.ErrorType
	}{
		{"a resource of its own", `URI="/hint"`, "", hlsjs, ""},
		{"within a resource", `URI="/hint",BYTERANGE-START=188`, "bytes=188-", hlsjs, ""},
		{"of known length", `URI="/hint",BYTERANGE-START=188,BYTERANGE-LENGTH=18800`, "bytes=188-18987", ideal, ""},
		{"a model without", `URI="/hint"`, "", quickWithout(hlsjs), run.ErrManifestEmpty},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOrigin(t, map[string]string{"/l.m3u8": head + "#EXT-X-PRELOAD-HINT:TYPE=PART," + tt.hint + "\n"}, map[string]rule{
				"/l.m3u8": func(_ http.ResponseWriter, r *http.Request, n int) bool {
					if n > 1 {
						<-r.Context().Done()
					}
					return n > 1
				},
				"/hint": func(w http.ResponseWriter, r *http.Request, _ int) bool {
					time.Sleep(made)
					http.ServeFile(w, r, lab+"/ts/360p/0.ts")
					return true
				}})
			r := press(t, o, "/l.m3u8", quick(tt.model), run.App{})
			if tt.typ != "" {
				bad(t, r, tt.typ, run.StepManifest)
				return
			}
			good(t, r)
			if rng := o.find(t, "/hint", 1).rng; rng != tt.rng || r.Phases.SegmentTTFBMs < 300 {
				t.Errorf("range %q, want %q; waited %v ms for it", rng, tt.rng, r.Phases.SegmentTTFBMs)
			}
		})
	}
}

// A part that fails is a failure of the part.
func TestPartFails(t *testing.T) {
	for _, tt := range []struct {
		name string
		rule rule
		typ  run.ErrorType
	}{
		{"404", status(404, 99), run.ErrHTTP4xx},
		{"HTML", answer200([]byte("<html>")), run.ErrMediaInvalid},
		{"no keyframe", answer200(labFile(t, "/ts/360p/0.ts")[:3*188]), run.ErrNoKeyframe},
	} {
		o := newOrigin(t, map[string]string{"/l.m3u8": lowLatency("", 5, 3)}, map[string]rule{"/p/14.2": tt.rule})
		bad(t, press(t, o, "/l.m3u8", quick(ideal), run.App{}), tt.typ, run.StepPart)
	}
}

// Beside the first part the player asks for what comes next, and holds nothing
// up for it: each request names the part after the last it knows of, and that a
// delta will do.
func TestKeepUp(t *testing.T) {
	answered := make(chan struct{})
	o := newOrigin(t, map[string]string{"/l.m3u8": lowLatency("", 5, 3)}, map[string]rule{
		"/l.m3u8": func(w http.ResponseWriter, r *http.Request, n int) bool {
			switch n {
			case 1:
				return false
			case 2:
				delta := strings.Replace(lowLatency("#EXT-X-SKIP:SKIPPED-SEGMENTS=4\n", 6, 0), "#EXTINF:1.92,\n/p/10\n#EXTINF:1.92,\n/p/11\n#EXTINF:1.92,\n/p/12\n#EXTINF:1.92,\n/p/13\n", "", 1)
				for i := range 4 {
					delta = strings.Replace(delta, fmt.Sprintf("#EXT-X-PART:DURATION=0.48,URI=\"/p/14.%d\"", i), "#", 1)
				}
				fmt.Fprint(w, delta)
			default:
				close(answered)
				<-r.Context().Done()
			}
			return true
		},
		"/p/14.2": func(http.ResponseWriter, *http.Request, int) bool { <-answered; return false },
	})
	o.Config.Handler = anyPartBut(o.Config.Handler, "/p/14.2")
	r := good(t, press(t, o, "/l.m3u8", quick(hlsjs), run.App{}))
	var asked []string
	o.mu.Lock()
	for _, s := range o.log {
		if s.path == "/l.m3u8" {
			asked = append(asked, s.query)
		}
	}
	o.mu.Unlock()
	want := []string{"", "_HLS_msn=15&_HLS_part=3&_HLS_skip=YES", "_HLS_msn=16&_HLS_part=0&_HLS_skip=YES"}
	if d := cmp.Diff(want, asked); d != "" {
		t.Errorf("playlist requests (-want +got):\n%s", d)
	}
	for _, s := range r.Steps {
		if s.Error != "" {
			t.Errorf("a step failed: %+v", s)
		}
	}
}

// anyPartBut is anyPart, but for one path, which a rule may hold first.
func anyPartBut(h http.Handler, path string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			h.ServeHTTP(discardWriter{w}, r)
		}
		anyPart(h).ServeHTTP(w, r)
	})
}

// discardWriter keeps what a rule's own handler would answer from the client.
type discardWriter struct{ http.ResponseWriter }

func (discardWriter) Write(p []byte) (int, error) { return len(p), nil }
func (discardWriter) WriteHeader(int)             {}
func (discardWriter) Header() http.Header         { return http.Header{} }

// A player that goes to another variant asks for its playlist as far as the last
// one reported of it.
func TestRenditionReport(t *testing.T) {
	report := "#EXT-X-RENDITION-REPORT:URI=\"/low.m3u8\",LAST-MSN=15,LAST-PART=2\n"
	for _, tt := range []struct{ name, high, want string }{
		{"with a report", lowLatency("", 5, 3) + report, "_HLS_msn=15&_HLS_part=2"},
		{"without", lowLatency("", 5, 3), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOrigin(t, map[string]string{"/high.m3u8": strings.ReplaceAll(tt.high, "/p/", "/gone/"), "/low.m3u8": lowLatency("", 5, 3),
				"/m.m3u8": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=900000\nhigh.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=400000\nlow.m3u8\n"}, nil)
			o.Config.Handler = anyPart(o.Config.Handler)
			good(t, press(t, o, "/m.m3u8", quick(hlsjs), run.App{}))
			if q := o.find(t, "/low.m3u8", 1).query; q != tt.want {
				t.Errorf("asked with %q, want %q", q, tt.want)
			}
		})
	}
}

// Tune-in (RFC 8216bis, appendix C): a copy that a cache has held is asked for
// again as it is now, before anything else.
func TestTuneIn(t *testing.T) {
	for _, tt := range []struct {
		name   string
		second rule
		asked  []string
		want   string
		typ    run.ErrorType
	}{
		{"the next answer is new", func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			fmt.Fprint(w, lowLatency("", 6, 2))
			return true
		}, []string{"", "_HLS_msn=16&_HLS_part=6"}, "part 15.2", ""},
		{"the server cannot", status(400, 99), []string{"", "_HLS_msn=16&_HLS_part=6"}, "part 15.0", ""},
		{"the next answer is older", func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			fmt.Fprint(w, lowLatency("", 5, 1))
			return true
		}, []string{"", "_HLS_msn=16&_HLS_part=6"}, "", run.ErrManifestStale},
		{"the media sequence goes back", func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			fmt.Fprint(w, strings.Replace(lowLatency("", 6, 2), "SEQUENCE:10", "SEQUENCE:9", 1))
			return true
		}, []string{"", "_HLS_msn=16&_HLS_part=6"}, "", run.ErrManifestStale},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOrigin(t, map[string]string{"/l.m3u8": lowLatency("", 5, 3), "/m.m3u8": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nl.m3u8\n"}, map[string]rule{"/l.m3u8": func(w http.ResponseWriter, r *http.Request, n int) bool {
				if n == 1 {
					w.Header().Set("Age", "3")
					return false
				}
				return tt.second(w, r, n)
			}})
			o.Config.Handler = anyPart(o.Config.Handler)
			tuned := *avplayer
			tuned.LowLatency = true
			r := press(t, o, "/m.m3u8", quick(&tuned), run.App{})
			if tt.typ != "" {
				bad(t, r, tt.typ, run.StepPlaylist)
				return
			}
			good(t, r)
			var asked []string
			for _, s := range r.Steps {
				if s.Name == run.StepPlaylist && !slices.Contains(asked, query(s.URL)) {
					asked = append(asked, query(s.URL))
				}
			}
			if len(asked) > 2 {
				asked = asked[:2] // what follows is beside
			}
			if d := cmp.Diff(tt.asked, asked); d != "" {
				t.Errorf("playlist requests (-want +got):\n%s", d)
			}
			if got := strings.Join(mediaAsked(r), ", "); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func query(u string) string {
	_, q, _ := strings.Cut(u, "?")
	return q
}

// A DASH segment that is sent while it is made shows as soon as its keyframe has
// come, to a player that appends pieces of such a stream, and only of such.
func TestChunkedDASH(t *testing.T) {
	segment := labFile(t, "/cmaf/v360/0.m4s")
	const hold = 400 * time.Millisecond
	for _, tt := range []struct {
		name  string
		model *Model
		attrs string
		mode  string
		early bool
	}{
		{"low latency", dashjs, `availabilityTimeOffset="1.5" availabilityTimeComplete="false"`, "low_latency", true},
		{"early but complete", dashjs, `availabilityTimeOffset="1.5"`, "live", false},
		{"a model without", quickWithout(dashjs), `availabilityTimeOffset="1.5" availabilityTimeComplete="false"`, "low_latency", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mpd := fmt.Sprintf(`<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime=%q suggestedPresentationDelay="PT2S"><Period id="p" start="PT0S">%s</Period></MPD>`,
				stamp(100*time.Second), strings.ReplaceAll(fmt.Sprintf(sets, "p"), "<SegmentTemplate", "<SegmentTemplate "+tt.attrs))
			o := dashOrigin(t, mpd, nil)
			inner := o.Config.Handler
			o.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasPrefix(r.URL.Path, "/v/") {
					inner.ServeHTTP(w, r)
					return
				}
				w.Write(segment[:6000]) // the keyframe ends at byte 4918
				http.NewResponseController(w).Flush()
				time.Sleep(hold)
				w.Write(segment[6000:])
			})
			r := good(t, press(t, o, "/m.mpd", quick(tt.model), run.App{}))
			if took := r.Frame.Sub(r.Start); (took < hold) != tt.early || r.Mode != tt.mode {
				t.Errorf("the frame came after %v, mode %s", took, r.Mode)
			}
		})
	}
}
