package player

import (
	"fmt"
	"io"
	"maps"
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
		{"a patch of an MPD", `<?xml version="1.0"?><Patch xmlns="urn:mpeg:dash:schema:mpd-patch:2020" mpdId="x"/>`, "", "", run.ErrUnsupported},
		{"a page", `<!DOCTYPE html><html><title>Not found</title></html>`, "", "", run.ErrManifestInvalid},
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
// here it is an hour ahead. One that does not tell is a step that failed, and no
// more: then each player goes by what it has.
func TestUTCTiming(t *testing.T) {
	const ahead = time.Hour
	mpd := func(timing string) string {
		return fmt.Sprintf(`<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime=%q>%s<Period id="p" start="PT0S">%s</Period></MPD>`,
			stamp(100*time.Second-ahead), timing, fmt.Sprintf(sets, "p"))
	}
	timing := func(scheme, value string) string {
		return fmt.Sprintf(`<UTCTiming schemeIdUri="urn:mpeg:dash:utc:%s" value=%q/>`, scheme, value)
	}
	date := func(w http.ResponseWriter) {
		w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
	}
	rules := map[string]rule{
		"/iso": func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			io.WriteString(w, stamp(-ahead)+"\n")
			return true
		},
		"/bad":  func(w http.ResponseWriter, _ *http.Request, _ int) bool { io.WriteString(w, "noon"); return true },
		"/down": status(503, 99),
		"/head": func(w http.ResponseWriter, r *http.Request, _ int) bool {
			date(w)
			if r.Method != http.MethodHead {
				w.WriteHeader(http.StatusMethodNotAllowed)
			}
			return true
		},
	}
	const iso, xsdate, head, direct = "http-iso:2014", "http-xsdate:2014", "http-head:2014", "direct:2014"
	all := []*Model{ideal, dashjs, shaka, exoplayer}
	for _, tt := range []struct {
		name, timing string
		models       []*Model
		clocks       []string
		failed       int // of them
		dated        bool
		early        bool // it goes by its own clock, by which nothing has begun
	}{
		{"http-iso", timing(iso, "/iso"), all, []string{"/iso"}, 0, false, false},
		{"http-iso of a draft", timing("http-iso:2012", "/iso"), all, []string{"/iso"}, 0, false, false},
		{"http-xsdate, absolute", timing(xsdate, "ORIGIN/iso"), all, []string{"/iso"}, 0, false, false},
		{"relative to the BaseURL", timing(iso, "iso") + "<BaseURL>ORIGIN/x/../</BaseURL>", all, []string{"/iso"}, 0, false, false},
		{"http-head", timing(head, "/head"), []*Model{ideal, dashjs, shaka}, []string{"/head"}, 0, false, false},
		{"http-head is not known", timing(head, "/head"), []*Model{exoplayer}, nil, 0, true, true},
		{"direct", timing(direct, stamp(-ahead)), all, nil, 0, false, false},
		{"an unknown one first", timing("sntp:2014", "time.example") + timing(iso, "/iso"), all, []string{"/iso"}, 0, false, false},
		{"one of NTP last", timing(iso, "/iso") + timing("ntp:2014", "time.example"), []*Model{ideal, dashjs, shaka}, []string{"/iso"}, 0, false, false},
		{"one of NTP last, which alone counts", timing(iso, "/iso") + timing("ntp:2014", "time.example"), []*Model{exoplayer}, nil, 0, true, true},
		{"only NTP", timing("ntp:2014", "time.example") + timing("http-ntp:2014", "/iso"), []*Model{ideal, dashjs}, nil, 0, true, false},
		{"only NTP, and no Date", timing("ntp:2014", "time.example"), all, nil, 0, false, true},
		{"the first is down", timing(iso, "/down") + timing(iso, "/iso"), []*Model{ideal, dashjs}, []string{"/down", "/iso"}, 1, false, false},
		{"the first is down, and asked twice", timing(iso, "/down") + timing(iso, "/iso"), []*Model{shaka}, []string{"/down", "/down", "/iso"}, 2, false, false},
		{"an alternative", timing(iso, "/bad /iso"), []*Model{ideal, dashjs}, []string{"/bad", "/iso"}, 1, false, false},
		{"all are down", timing(iso, "/down"), []*Model{ideal, dashjs}, []string{"/down"}, 1, true, false},
		{"all are down, by its own clock", timing(iso, "/down"), []*Model{exoplayer}, []string{"/down"}, 1, true, true},
		{"all are down, and there is no Date", timing(iso, "/down"), []*Model{ideal, dashjs}, []string{"/down"}, 1, false, true},
		{"nonsense", timing(iso, "/bad"), []*Model{ideal, dashjs}, []string{"/bad"}, 1, true, false},
		{"nonsense is the end", timing(iso, "/bad") + timing(iso, "/iso"), []*Model{shaka}, []string{"/bad"}, 1, true, true},
		{"a direct one of nonsense", timing(direct, "noon") + timing(iso, "/iso"), []*Model{ideal, dashjs}, []string{"/iso"}, 0, false, false},
		{"a direct one of nonsense is the end", timing(direct, "noon") + timing(iso, "/iso"), []*Model{shaka}, nil, 0, true, true},
		{"none", "", []*Model{ideal, dashjs}, nil, 0, true, false},
	} {
		for _, m := range tt.models {
			t.Run(tt.name+", "+m.Name, func(t *testing.T) {
				t.Parallel()
				mine := maps.Clone(rules)
				mine["/m.mpd"] = func(w http.ResponseWriter, _ *http.Request, _ int) bool {
					if date(w); !tt.dated {
						w.Header()["Date"] = nil
					}
					return false
				}
				o := dashOrigin(t, mpd(tt.timing), mine)
				q := quick(m)
				q.ListedNeedsNoClock = false
				q.LiveDelay = func(l Live) time.Duration { return l.SinceEnd + 4*time.Second }
				q.Earlier = 0
				r := press(t, o, "/m.mpd", q, run.App{})
				var clocks []string
				failed := 0
				for _, s := range r.Steps {
					if s.Name == run.StepClock {
						clocks = append(clocks, strings.TrimPrefix(s.URL, o.URL))
						if s.Error != "" {
							failed++
						}
					}
				}
				if !slices.Equal(clocks, tt.clocks) || failed != tt.failed {
					t.Errorf("clocks %v, %d of them failed; want %v, %d", clocks, failed, tt.clocks, tt.failed)
				}
				if tt.early {
					bad(t, r, run.ErrManifestEmpty, run.StepManifest)
					return
				}
				good(t, r)
				// The newest ended at 99.84 s; a Date counts whole seconds.
				if video, _ := asked(r); !slices.Contains([]string{"v/p/48", "v/p/49", "v/p/50"}, video) {
					t.Errorf("%s, want v/p/49", video)
				}
				if got := *r.LiveLatency; got < 2*time.Second || got > 10*time.Second {
					t.Errorf("%v behind the live edge", got)
				}
			})
		}
	}
}

// A clock of the player's makers is asked where the app wants that, after those
// of the MPD.
func TestDefaultClock(t *testing.T) {
	o := dashOrigin(t, fmt.Sprintf(`<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime=%q><UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/down"/><Period id="p" start="PT0S">%s</Period></MPD>`,
		stamp(100*time.Second), fmt.Sprintf(sets, "p")), map[string]rule{
		"/down":   status(503, 99),
		"/akamai": func(w http.ResponseWriter, _ *http.Request, _ int) bool { io.WriteString(w, stamp(0)); return true },
	})
	m := quick(dashjs)
	m.Clocks.Default = o.URL + "/akamai?iso&ms"
	for set, want := range map[float64]bool{0: false, 1: true} {
		before := len(o.paths())
		good(t, press(t, o, "/m.mpd", m, run.App{Set: map[string]float64{"default_clock": set}}))
		if got := o.paths()[before:]; got[1] != "/down" || (got[2] == "/akamai") != want {
			t.Errorf("default_clock %v: %v", set, got)
		}
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
