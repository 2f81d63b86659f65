package dash

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const base = "https://cdn.example/vod/title/manifest.mpd?token=s3cret"

const dir = "https://cdn.example/vod/title/"

func mustParse(t *testing.T, body string) *MPD {
	t.Helper()
	m, err := Parse(base, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// mpd wraps sets into a presentation of one period.
func mpd(attrs, sets string) string {
	return `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" ` + attrs + `><Period start="PT0S">` + sets + `</Period></MPD>`
}

const static60 = `type="static" mediaPresentationDuration="PT60S"`

// rep is the first representation of the first set of the first period.
func rep(t *testing.T, body string) *Representation {
	t.Helper()
	return &mustParse(t, body).Periods[0].AdaptationSets[0].Representations[0]
}

// ref compares a Ref without its index.
func ref(t *testing.T, what string, got Ref, err error, want Ref) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Ref{})); d != "" {
		t.Errorf("%s:\n%s", what, d)
	}
}

func noSegment(t *testing.T, what string, got Ref, err error) {
	t.Helper()
	if !errors.Is(err, ErrNoSegment) {
		t.Errorf("%s: %+v, %v; want ErrNoSegment", what, got, err)
	}
}

func TestNumber(t *testing.T) {
	r := rep(t, mpd(static60, `<AdaptationSet mimeType="video/mp4">
		<SegmentTemplate timescale="90000" duration="540000" startNumber="5" initialization="$RepresentationID$/init.mp4" media="$RepresentationID$/$Bandwidth$/s-$Number%05d$.m4s"/>
		<Representation id="v1" bandwidth="800000" codecs="avc1.64001f" width="1280" height="720" frameRate="30000/1001"/></AdaptationSet>`))
	init, ok := r.Init()
	if !ok || init.URL != dir+"v1/init.mp4" {
		t.Error("Init:", init, ok)
	}
	s, err := r.First()
	ref(t, "First", s, err, Ref{URL: dir + "v1/800000/s-00005.m4s", Duration: 6 * time.Second, Number: 5})
	s, err = r.Next(s)
	ref(t, "Next", s, err, Ref{URL: dir + "v1/800000/s-00006.m4s", Start: 6 * time.Second, Duration: 6 * time.Second, Number: 6, Time: 540000})
	s, err = r.At(59999999999)
	ref(t, "At", s, err, Ref{URL: dir + "v1/800000/s-00014.m4s", Start: 54 * time.Second, Duration: 6 * time.Second, Number: 14, Time: 9 * 540000})
	_, err = r.Next(s)
	noSegment(t, "Next of the last", s, err)
	s, err = r.At(time.Minute)
	noSegment(t, "At the end", s, err)
	s, err = r.At(-1)
	noSegment(t, "At before the start", s, err)
	if r.FrameRate != 30000.0/1001 || r.Width != 1280 || r.Height != 720 || r.MimeType != "video/mp4" || r.Bandwidth != 800000 {
		t.Errorf("%+v", r)
	}
}

func TestTimeline(t *testing.T) {
	r := rep(t, mpd(static60, `<AdaptationSet contentType="video">
		<SegmentTemplate timescale="1000" presentationTimeOffset="10000" initialization="i.mp4" media="t$Time$.m4s">
			<SegmentTimeline><S t="10000" d="4000" r="2"/><S d="2000"/><S t="30000" d="5000" r="-1"/></SegmentTimeline>
		</SegmentTemplate><Representation id="v"/></AdaptationSet>`))
	s, err := r.First()
	ref(t, "First", s, err, Ref{URL: dir + "t10000.m4s", Duration: 4 * time.Second, Number: 1, Time: 10000})
	s, err = r.At(13 * time.Second)
	ref(t, "At 13 s", s, err, Ref{URL: dir + "t22000.m4s", Start: 12 * time.Second, Duration: 2 * time.Second, Number: 4, Time: 22000})
	s, err = r.At(15 * time.Second) // 25000: in the gap between 24000 and 30000
	ref(t, "At the gap", s, err, Ref{URL: dir + "t30000.m4s", Start: 20 * time.Second, Duration: 5 * time.Second, Number: 5, Time: 30000})
	s, err = r.Last() // the period ends at 70000
	ref(t, "Last", s, err, Ref{URL: dir + "t65000.m4s", Start: 55 * time.Second, Duration: 5 * time.Second, Number: 12, Time: 65000})
}

func TestLiveNumber(t *testing.T) {
	// Twenty years of segments: computed, never listed.
	r := rep(t, mpd(`type="dynamic" availabilityStartTime="2006-01-01T00:00:00Z" minimumUpdatePeriod="PT0S"`, `<AdaptationSet mimeType="video/mp4">
		<SegmentTemplate duration="2" startNumber="0" media="$Number$.m4s" availabilityTimeOffset="1.5"/><Representation id="v"/></AdaptationSet>`))
	start := time.Date(2006, 1, 1, 0, 0, 0, 0, time.UTC)
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	seconds := int64(now.Sub(start) / time.Second)
	for _, tt := range []struct {
		after time.Duration
		want  int64
	}{{0, seconds/2 - 1}, {499 * time.Millisecond, seconds/2 - 1}, {500 * time.Millisecond, seconds / 2}, {2500 * time.Millisecond, seconds/2 + 1}} {
		s, err := r.LiveEdge(now.Add(tt.after))
		if err != nil || s.Number != tt.want {
			t.Errorf("LiveEdge at +%v: %d, %v; want %d", tt.after, s.Number, err, tt.want)
		}
	}
	s, err := r.LiveEdge(start.Add(499 * time.Millisecond))
	noSegment(t, "LiveEdge of the first second", s, err)
	s, err = r.LiveEdge(start.Add(-time.Hour))
	noSegment(t, "LiveEdge before the start", s, err)
	s, err = r.Last()
	noSegment(t, "Last", s, err)
}

func TestErrors(t *testing.T) {
	set := func(inner string) string { return mpd(static60, `<AdaptationSet>`+inner+`</AdaptationSet>`) }
	for _, tt := range []struct {
		name, body string
		class      error
		say        string
	}{
		{"nothing", "", ErrInvalid, "the body is empty"},
		{"HTML", "<!doctype html>\n<html><body>no</body></html>", ErrInvalid, `line 2: the root element is not MPD but "html"`},
		{"JSON", `{"error":1}`, ErrInvalid, "not XML"},
		{"playlist", "#EXTM3U\n", ErrInvalid, "not XML"},
		{"cut short", `<MPD><Period>`, ErrInvalid, ""},
		{"crossed tags", `<MPD><Period></MPD></Period>`, ErrInvalid, "line 1"},
		{"entities", `<!DOCTYPE MPD [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><MPD>&b;</MPD>`, ErrInvalid, "declares entities"},
		{"unknown entity", `<MPD>&lol;</MPD>`, ErrInvalid, "entity"},
		{"depth", strings.Repeat("<MPD>", MaxDepth+1), ErrTooLarge, "levels"},
		{"elements", "<MPD>" + strings.Repeat("<S/>", MaxElements+1), ErrTooLarge, "elements"},
		{"attribute", `<MPD id="` + strings.Repeat("x", MaxValue+1) + `">`, ErrTooLarge, "attribute"},
		{"bytes", strings.Repeat(" ", MaxBytes+1), ErrTooLarge, "bytes"},
		{"no periods", `<MPD/>`, ErrEmpty, "no representations"},
		{"no sets", mpd(static60, ""), ErrEmpty, "no representations"},
		{"remote", `<MPD><Period href="p.xml"/></MPD>`, ErrUnsupported, "xlink"},
		{"remote sets", `<MPD><Period><AdaptationSet href="a.xml"/></Period></MPD>`, ErrUnsupported, "xlink"},
		{"remote, and resolved to nothing", `<MPD><Period href="urn:mpeg:dash:resolve-to-zero:2013"/></MPD>`, ErrEmpty, "no representations"},
		{"a patch", `<?xml version="1.0"?><Patch xmlns="urn:mpeg:dash:schema:mpd-patch:2020" mpdId="x"><replace sel="/MPD/@publishTime">2026</replace></Patch>`, ErrUnsupported, "patch"},
		{"no segments yet", mpd(`type="dynamic" availabilityStartTime="2026-01-01T00:00:00Z"`, `<AdaptationSet><SegmentTemplate media="$Time$"><SegmentTimeline/></SegmentTemplate><Representation id="v"/></AdaptationSet>`), ErrEmpty, "no representation has segments"},
		{"dynamic without a start", mpd(`type="dynamic"`, ""), ErrInvalid, "availabilityStartTime"},
		{"duration", `<MPD mediaPresentationDuration="60s"/>`, ErrInvalid, `mediaPresentationDuration is not a duration: "60s"`},
		{"date", `<MPD publishTime="today"/>`, ErrInvalid, "publishTime is not a date"},
		{"timescale", set(`<SegmentTemplate timescale="0" media="$Number$" duration="1"/><Representation id="v"/>`), ErrInvalid, "timescale 0"},
		{"duration 0", set(`<SegmentTemplate media="$Number$" duration="0"/><Representation id="v"/>`), ErrInvalid, "duration 0"},
		{"no media", set(`<SegmentTemplate duration="1"/><Representation id="v"/>`), ErrInvalid, "without media"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := Parse(base, []byte(tt.body))
			if !errors.Is(err, tt.class) {
				t.Fatalf("got %v, want %v", err, tt.class)
			}
			if !strings.Contains(err.Error(), tt.say) || !strings.HasPrefix(err.Error(), "dash: "+dir+"manifest.mpd: ") {
				t.Errorf("%v does not say %q of the MPD", err, tt.say)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%v tells the token", err)
			}
			if (m != nil) != (tt.class == ErrEmpty) {
				t.Errorf("MPD %+v with %v", m, err)
			}
		})
	}
}
