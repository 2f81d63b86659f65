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

// videoAsked are the video segments that a result asked for, as numbers.
func videoAsked(r *Result) string {
	var all []string
	for _, s := range r.Steps {
		if s.Name == run.StepSegment && s.Track == run.TrackVideo {
			name := s.URL[strings.LastIndex(s.URL, "/")+1:]
			all = append(all, strings.TrimSuffix(name, ".ts"))
		}
	}
	return strings.Join(all, " ")
}

// Where each player starts a live HLS stream of five segments of 1.92 s, and
// from which segment on it loads.
func TestLiveHLS(t *testing.T) {
	for _, tt := range []struct {
		model *Model
		list  string
		want  string
	}{
		{hlsjs, list("", nil, false), "1"},
		{shaka, list("", nil, false), "0 1 2"}, // the third last, and from 2 s earlier
		{shaka, list("#EXT-X-SERVER-CONTROL:HOLD-BACK=4\n", nil, false), "1 2"},
		{shaka, list("#EXT-X-START:TIME-OFFSET=8.6\n", nil, true), "3 4"},
		{shaka, list("#EXT-X-START:TIME-OFFSET=8.6\n", map[int]string{3: "#EXT-X-GAP\n"}, true), "4"},
		{exoplayer, list("", nil, false), "1"},
		{avplayer, list("", nil, false), "1"},
	} {
		o := newOrigin(t, map[string]string{"/l.m3u8": tt.list}, nil)
		r := good(t, press(t, o, "/l.m3u8", quick(tt.model), run.App{}))
		if got := videoAsked(r); got != tt.want {
			t.Errorf("%s: segments %s, want %s", tt.model, got, tt.want)
		}
	}
}

// Where each player starts a live DASH stream of segments of 1.92 s, and from
// which segment on it loads: after 100.4 s number 51 ended 0.56 s ago.
func TestLiveDASH(t *testing.T) {
	timeline := `><SegmentTimeline><S t="0" d="24576" r="51"/></SegmentTimeline></SegmentTemplate>`
	mpd := func(attrs string, listed bool) string {
		s := fmt.Sprintf(sets, "p")
		if listed {
			s = strings.ReplaceAll(s, `duration="24576"/>`, timeline)
			s = strings.ReplaceAll(s, `duration="92160"/>`, strings.ReplaceAll(timeline, "24576", "92160"))
		}
		return fmt.Sprintf(`<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime=%q %s>`+
			`<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/now"/><Period id="p" start="PT0S">%s</Period></MPD>`,
			stamp(100_400*time.Millisecond), attrs, s)
	}
	clock := map[string]rule{"/now": func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		fmt.Fprint(w, stamp(0))
		return true
	}}
	for _, tt := range []struct {
		name   string
		model  *Model
		attrs  string
		listed bool
		want   string
		clock  bool
	}{
		// Four segments behind now: at 92.72 s.
		{"numbers", dashjs, "", false, "48", true},
		{"a list", dashjs, "", true, "48", true},
		{"a delay of its own", dashjs, `suggestedPresentationDelay="PT20S"`, false, "41", true},
		// maxSegmentDuration and 1.5 minBufferTime behind now, at 95.48 s, and 2 s earlier.
		{"numbers", shaka, `minBufferTime="PT2S"`, false, "48 49", true},
		{"maxSegmentDuration", shaka, `minBufferTime="PT2S" maxSegmentDuration="PT4S"`, false, "47 48", true},
		// 1.5 minBufferTime before the end of the list, 99.84 s, without a clock.
		{"a list", shaka, `minBufferTime="PT2S"`, true, "49 50", false},
		{"30 s", exoplayer, "", false, "36", true},
		{"a delay of its own", exoplayer, `suggestedPresentationDelay="PT20S"`, false, "41", true},
	} {
		t.Run(tt.model.String()+", "+tt.name, func(t *testing.T) {
			t.Parallel()
			o := dashOrigin(t, mpd(tt.attrs, tt.listed), clock)
			r := good(t, press(t, o, "/m.mpd", quick(tt.model), run.App{}))
			if got := videoAsked(r); got != tt.want {
				t.Errorf("segments %s, want %s", got, tt.want)
			}
			if asked := strings.Contains(names(r), "clock"); asked != tt.clock {
				t.Errorf("a clock is asked: %v, want %v", asked, tt.clock)
			}
		})
	}
}

// A clock that does not answer costs its tries, and playback goes on.
func TestClockFails(t *testing.T) {
	mpd := fmt.Sprintf(`<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime=%q minBufferTime="PT2S">`+
		`<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/now"/><Period id="p" start="PT0S">%s</Period></MPD>`, stamp(100*time.Second), fmt.Sprintf(sets, "p"))
	for _, tt := range []struct {
		model *Model
		tries int // of the clock
	}{{dashjs, 1}, {shaka, 2}, {exoplayer, 1}, {ideal, 1}} {
		o := dashOrigin(t, mpd, nil)
		r := good(t, press(t, o, "/m.mpd", quick(tt.model), run.App{}))
		if n := slices.IndexFunc(r.Steps, func(s run.Step) bool { return s.Name == run.StepClock && s.Error == run.ErrHTTP4xx }); n < 0 {
			t.Errorf("%s: no step of the clock has failed", tt.model)
		}
		if got := strings.Count(names(r), "clock"); got != tt.tries {
			t.Errorf("%s: %d tries, want %d: %s", tt.model, got, tt.tries, names(r))
		}
	}
}

// The segments that Shaka loads before the one it shows come one after another,
// and the picture waits for the last.
func TestLead(t *testing.T) {
	o := newOrigin(t, map[string]string{"/l.m3u8": list("", nil, false)}, map[string]rule{"/ts/360p/0.ts": delay(60 * time.Millisecond)})
	got, r := graph(t, o, "/l.m3u8", untimed(shaka), run.App{})
	good(t, r)
	if diff := cmp.Diff([]string{"M", "VS<M", "VS2<VS", "VS3<VS2", "picture<VS3"}, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// Where dash.js and Shaka start a live presentation whose segments of two seconds
// are counted by number, 1000.9 s after its start: as the real ones did in
// Chromium at that instant, give or take 0.1 s.
func TestLiveNumber(t *testing.T) {
	const chunked = ` availabilityTimeOffset="1.5" availabilityTimeComplete="false"`
	latency := func(ms string) string {
		return `<ServiceDescription id="0"><Latency target="` + ms + `"/></ServiceDescription>`
	}
	for _, tt := range []struct {
		name, attributes, template, inner string
		shaka, dashjs                     string // the first segment of video
	}{
		{"minBufferTime", "", "", "", "496", "496"},
		{"maxSegmentDuration", ` maxSegmentDuration="PT3S"`, "", "", "496", "494"},
		{"suggestedPresentationDelay", ` suggestedPresentationDelay="PT6S"`, "", "", "495", "497"},
		{"a latency target", "", "", latency("7000"), "496", "496"},
		{"low latency", "", chunked, "", "500", "496"},
		{"low latency, suggestedPresentationDelay", ` suggestedPresentationDelay="PT3S"`, chunked, "", "498", "498"},
		{"low latency, a latency target", "", chunked, latency("3500"), "500", "498"},
	} {
		for m, want := range map[*Model]string{shaka: tt.shaka, dashjs: tt.dashjs} {
			t.Run(tt.name+", "+m.Name, func(t *testing.T) {
				mpd := func(w http.ResponseWriter, _ *http.Request, _ int) bool {
					fmt.Fprintf(w, `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime=%q timeShiftBufferDepth="PT60S" minBufferTime="PT2S"%s>%s<Period id="1" start="PT0S"><AdaptationSet contentType="video" mimeType="video/mp4">`+
						`<SegmentTemplate timescale="1000" duration="2000" startNumber="0"%s initialization="/cmaf/v360/init.mp4" media="/v/p/$Number$"/><Representation id="v" bandwidth="100000" width="640" height="360" codecs="avc1.4d401e"/></AdaptationSet></Period></MPD>`,
						stamp(1000_900*time.Millisecond), tt.attributes, tt.inner, tt.template)
					return true
				}
				r := good(t, pressExactly(t, dashOrigin(t, "", map[string]rule{"/m.mpd": mpd}), "/m.mpd", calm(m), run.App{}))
				first := slices.IndexFunc(r.Steps, func(s run.Step) bool { return s.Name == run.StepSegment })
				if got := r.Steps[first].URL; !strings.HasSuffix(got, "/v/p/"+want) {
					t.Errorf("%s, want %s", got, want)
				}
			})
		}
	}
}

// In low latency dash.js tries five times as often, ten times as fast.
func TestHurried(t *testing.T) {
	mpd := func(more string) string {
		return fmt.Sprintf(`<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime=%q minBufferTime="PT2S"><Period id="p" start="PT0S">%s</Period></MPD>`, stamp(100*time.Second),
			strings.ReplaceAll(fmt.Sprintf(sets, "p"), `startNumber="0"`, `startNumber="0"`+more))
	}
	for more, want := range map[string]struct {
		tries int
		delay float64 // ms, a hundredth of the real one
	}{"": {4, 10}, ` availabilityTimeOffset="1" availabilityTimeComplete="false"`: {16, 1}} {
		o := dashOrigin(t, mpd(more), map[string]rule{"/cmaf/v360/init.mp4": status(503, 99)})
		r := bad(t, press(t, o, "/m.mpd", quick(dashjs), run.App{}), run.ErrHTTP5xx, run.StepInit)
		tries := 0
		for _, s := range r.Steps {
			if s.Name == run.StepInit && s.Track == run.TrackVideo {
				tries++
			}
			if d := s.EndMs - s.StartMs; s.Name == run.WaitRetry && (d < want.delay-0.01 || d > want.delay+0.01) {
				t.Errorf("a delay of %v ms, want %v", d, want.delay)
			}
		}
		if tries != want.tries {
			t.Errorf("%q: %d tries, want %d", more, tries, want.tries)
		}
	}
}
