package player

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// sets are adaptation sets of video and audio whose segments of 1.92 s are
// numbered from 0, below a name for the period.
const sets = `
    <AdaptationSet contentType="video" mimeType="video/mp4">
      <SegmentTemplate timescale="12800" initialization="/cmaf/v360/init.mp4" media="/v/%[1]s/$Number$" startNumber="0" duration="24576"/>
      <Representation id="v360" codecs="avc1.4d401e" bandwidth="203175" width="640" height="360"/>
    </AdaptationSet>
    <AdaptationSet contentType="audio" mimeType="audio/mp4">
      <SegmentTemplate timescale="48000" initialization="/cmaf/a48/init.mp4" media="/a/%[1]s/$Number$" startNumber="0" duration="92160"/>
      <Representation id="a48" codecs="mp4a.40.2" bandwidth="50684"/>
    </AdaptationSet>`

// segments answers any segment of video or audio with the lab's first.
func segments(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for prefix, dir := range map[string]string{"/v/": "v360", "/a/": "a48"} {
			if strings.HasPrefix(r.URL.Path, prefix) {
				http.ServeFile(w, r, lab+"/cmaf/"+dir+"/0.m4s")
				return
			}
		}
		h.ServeHTTP(w, r)
	})
}

// dashOrigin serves one MPD, and any segment.
func dashOrigin(t testing.TB, mpd string, rules map[string]rule) *origin {
	t.Helper()
	o := newOrigin(t, map[string]string{"/m.mpd": mpd}, rules)
	o.Config.Handler = segments(o.Config.Handler)
	return o
}

// stamp is an xs:dateTime so long ago.
func stamp(ago time.Duration) string {
	return time.Now().Add(-ago).UTC().Format("2006-01-02T15:04:05.000Z")
}

// asked are the media segments that a result asked for, video then audio.
func asked(r *Result) (video, audio string) {
	for _, s := range r.Steps {
		if s.Name == run.StepSegment {
			_, path, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), "/")
			if s.Track == run.TrackVideo {
				video = path
			} else {
				audio = path
			}
		}
	}
	return video, audio
}

// Where playback of a DASH stream starts.
func TestDASHStart(t *testing.T) {
	const second = time.Second
	period := func(id string, attrs string) string {
		return fmt.Sprintf("<Period id=%q %s>%s</Period>", id, attrs, fmt.Sprintf(sets, id))
	}
	static := func(periods ...string) string {
		return `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT60S">` + strings.Join(periods, "") + `</MPD>`
	}
	// Segments are 1.92 s long: after 100 s, number 51 ended at 99.84 s.
	dynamic := func(attrs string, inner ...string) string {
		return fmt.Sprintf(`<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime="BEGAN" %s>%s</MPD>`, attrs, strings.Join(inner, ""))
	}
	for _, tt := range []struct {
		name, mpd    string
		video, audio string
		typ          run.ErrorType
	}{
		{"static", static(period("p", "")), "v/p/0", "a/p/0", ""},
		{"static, the first of two periods", static(period("p", `duration="PT20S"`), period("q", `duration="PT20S"`)), "v/p/0", "a/p/0", ""},
		{"live, three segments behind", dynamic("", period("p", `start="PT0S"`)), "v/p/49", "a/p/49", ""},
		{"live, suggestedPresentationDelay", dynamic(`suggestedPresentationDelay="PT20S"`, period("p", `start="PT0S"`)), "v/p/41", "a/p/41", ""},
		{"live, ServiceDescription goes first", dynamic(`suggestedPresentationDelay="PT20S"`,
			`<ServiceDescription id="0"><Latency target="10000"/></ServiceDescription>`, period("p", `start="PT0S"`)), "v/p/46", "a/p/46", ""},
		{"live, a delay beyond the time shift buffer", dynamic(`suggestedPresentationDelay="PT90S" timeShiftBufferDepth="PT30S"`, period("p", `start="PT0S"`)), "v/p/36", "a/p/36", ""},
		{"live, a delay beyond the start", dynamic(`suggestedPresentationDelay="PT900S"`, period("p", `start="PT0S"`)), "v/p/0", "a/p/0", ""},
		{"live, in the second period", dynamic("", period("p", `start="PT0S" duration="PT50S"`), period("q", `start="PT50S"`)), "v/q/23", "a/q/23", ""},
		{"live, the position is in the period before", dynamic(`suggestedPresentationDelay="PT20S"`, period("p", `start="PT0S"`), period("q", `start="PT90S"`)), "v/p/41", "a/p/41", ""},
		{"live, a period that has only begun", dynamic("", period("p", `start="PT0S"`), period("q", `start="PT99S"`)), "v/p/50", "a/p/50", ""},
		{"live, a period that is announced", dynamic("", period("p", `start="PT0S"`), period("q", `start="PT1000S"`)), "v/p/49", "a/p/49", ""},
		{"live, before its start", dynamic("", period("p", `start="PT1000S"`)), "", "", run.ErrManifestEmpty},
		{"live, its timeline stopped", dynamic(`minimumUpdatePeriod="PT2S"`, strings.ReplaceAll(period("p", `start="PT0S"`), `duration="24576"/>`, `><SegmentTimeline><S t="0" d="24576" r="40"/></SegmentTimeline></SegmentTemplate>`)), "", "", run.ErrManifestStale},
		{"live, a timeline that never changes", dynamic("", strings.ReplaceAll(period("p", `start="PT0S"`), `duration="24576"/>`, `><SegmentTimeline><S t="0" d="24576" r="40"/></SegmentTimeline></SegmentTemplate>`)), "v/p/40", "a/p/40", ""},
		{"neither video nor audio", static(`<Period><AdaptationSet contentType="text"><Representation id="1" bandwidth="1"><BaseURL>t.vtt</BaseURL></Representation></AdaptationSet></Period>`), "", "", run.ErrManifestEmpty},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := dashOrigin(t, strings.Replace(tt.mpd, "BEGAN", stamp(100*second), 1), nil)
			r := press(t, o, "/m.mpd", ideal, run.App{})
			if tt.typ != "" {
				bad(t, r, tt.typ, run.StepManifest)
				return
			}
			good(t, r)
			if video, audio := asked(r); video != tt.video || audio != tt.audio {
				t.Errorf("%s and %s, want %s and %s", video, audio, tt.video, tt.audio)
			}
			if !strings.HasPrefix(tt.name, "live") {
				return
			}
			var number int64
			fmt.Sscanf(tt.video[4:], "%d", &number)
			start := time.Duration(number) * 1920 * time.Millisecond
			if strings.HasPrefix(tt.video, "v/q") {
				start += 50 * second
			}
			if behind := 100*second - start; (*r.LiveLatency-behind).Abs() > second || r.Mode != "live" {
				t.Errorf("%v behind the live edge, want %v", *r.LiveLatency, behind)
			}
		})
	}
}

// The clock of a live presentation decides where it starts, whatever ours says:
// here it is an hour ahead.
func TestUTCTiming(t *testing.T) {
	const ahead = time.Hour
	mpd := func(timing string) string {
		return fmt.Sprintf(`<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime=%q>%s<Period id="p" start="PT0S">%s</Period></MPD>`,
			stamp(100*time.Second-ahead), timing, fmt.Sprintf(sets, "p"))
	}
	timing := func(scheme, value string) string {
		return fmt.Sprintf(`<UTCTiming schemeIdUri="urn:mpeg:dash:utc:%s:2014" value=%q/>`, scheme, value)
	}
	rules := map[string]rule{
		"/iso": func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			io.WriteString(w, stamp(-ahead)+"\n")
			return true
		},
		"/bad":  func(w http.ResponseWriter, _ *http.Request, _ int) bool { io.WriteString(w, "noon"); return true },
		"/down": status(503, 99),
		"/head": func(w http.ResponseWriter, r *http.Request, _ int) bool {
			w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
			if r.Method != http.MethodHead {
				w.WriteHeader(http.StatusMethodNotAllowed)
			}
			return true
		},
	}
	for _, tt := range []struct {
		name, timing string
		clocks       []string
		typ          run.ErrorType
	}{
		{"http-iso", timing("http-iso", "/iso"), []string{"/iso"}, ""},
		{"http-xsdate, absolute", timing("http-xsdate", "ORIGIN/iso"), []string{"/iso"}, ""},
		{"http-head", timing("http-head", "/head"), []string{"/head"}, ""},
		{"direct", timing("direct", stamp(-ahead)), nil, ""},
		{"an unknown one first", timing("ntp", "time.example") + timing("http-iso", "/iso"), []string{"/iso"}, ""},
		{"the first is down", timing("http-iso", "/down") + timing("http-iso", "/iso"), []string{"/down", "/iso"}, ""},
		{"an alternative", timing("http-iso", "/bad /iso"), []string{"/bad", "/iso"}, ""},
		{"all are down", timing("http-iso", "/down"), []string{"/down"}, run.ErrHTTP5xx},
		{"nonsense", timing("http-iso", "/bad"), []string{"/bad"}, run.ErrManifestInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := dashOrigin(t, mpd(tt.timing), rules)
			r := press(t, o, "/m.mpd", ideal, run.App{})
			var clocks []string
			for _, s := range r.Steps {
				if s.Name == run.StepClock {
					clocks = append(clocks, strings.TrimPrefix(s.URL, o.URL))
				}
			}
			if !slices.Equal(clocks, tt.clocks) {
				t.Errorf("clocks %v, want %v", clocks, tt.clocks)
			}
			if tt.typ != "" {
				bad(t, r, tt.typ, run.StepClock)
				return
			}
			good(t, r)
			if video, _ := asked(r); video != "v/p/49" && video != "v/p/48" { // a Date counts whole seconds
				t.Errorf("%s, want v/p/49", video)
			}
			if got := *r.LiveLatency; got < 4*time.Second || got > 10*time.Second {
				t.Errorf("%v behind the live edge", got)
			}
		})
	}
}

// The audio that plays is the main one of those that the app can play.
func TestDASHAudio(t *testing.T) {
	audio := func(id, codecs, role string) string {
		return fmt.Sprintf(`<AdaptationSet contentType="audio" mimeType="audio/mp4">%s<SegmentTemplate timescale="48000" initialization="/cmaf/a48/init.mp4" media="/a/%s/$Number$" duration="92160"/>`+
			`<Representation id=%q codecs=%q bandwidth="50684"/></AdaptationSet>`, role, id, id, codecs)
	}
	const main = `<Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>`
	video, _, _ := strings.Cut(fmt.Sprintf(sets, "p"), `<AdaptationSet contentType="audio"`)
	for _, tt := range []struct {
		name, audio string
		codecs      []string
		want        string
	}{
		{"the first", audio("x", "mp4a.40.2", "") + audio("y", "mp4a.40.2", ""), nil, "a/x/1"},
		{"main", audio("x", "mp4a.40.2", "") + audio("y", "mp4a.40.2", main) + audio("z", "mp4a.40.2", main), nil, "a/y/1"},
		{"what can be played", audio("x", "ec-3", main) + audio("y", "mp4a.40.2", ""), []string{"avc1", "mp4a"}, "a/y/1"},
		{"nothing can be played", audio("x", "ec-3", main), []string{"avc1", "mp4a"}, ""},
		{"none", "", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mpd := `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT60S"><Period>` + video + tt.audio + `</Period></MPD>`
			r := press(t, dashOrigin(t, mpd, nil), "/m.mpd", ideal, run.App{Codecs: tt.codecs})
			if tt.want == "" && tt.audio != "" {
				bad(t, r, run.ErrUnsupported, run.StepManifest)
				return
			}
			good(t, r)
			if _, got := asked(r); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}
