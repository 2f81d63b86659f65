package dash

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestTemplateExpand: 5.3.9.4.4.
func TestTemplateExpand(t *testing.T) {
	for _, tt := range []struct{ in, want, complaint string }{
		{"$Number$.m4s", "42.m4s", ""},
		{"$Number%05d$.m4s", "00042.m4s", ""},
		{"$Number%01d$", "42", ""},
		{"$Time%012d$", "000123456789", ""},
		{"$Number%x$-$Number%04X$-$Number%o$", "2a-002A-52", ""},
		{"$RepresentationID$/$Bandwidth$/$$/$Number$", "v 1/800000/$/42", ""},
		{"$$$Number$$$", "$42$", ""},
		{"$RepresentationID%05d$", "v 1", ""},
		{"$Number$.$SubNumber%02d$", "42.03", ""},
		{"plain", "plain", ""},
		{"$Foo$-$Number$", "$Foo$-42", "$Foo$ is not known"},
		{"$number$", "$number$", "$number$ is not known"},
		{"$Number%05s$", "$Number%05s$", "$Number%05s$ is not known"},
		{"$Number%0999d$", "$Number%0999d$", "$Number%0999d$ is not known"},
		{"a$b", "a$b", "a $ without its second"},
	} {
		tpl, complaint, err := parseTemplate(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if got := tpl.expand("v 1", 800000, 42, 123456789, 3); got != tt.want || complaint != tt.complaint {
			t.Errorf("%s: %q, %q; want %q, %q", tt.in, got, complaint, tt.want, tt.complaint)
		}
	}
}

// TestDuration: XML Schema part 2, 3.2.6.
func TestDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"PT0S": 0, "PT1H2M3.5S": time.Hour + 2*time.Minute + 3500*time.Millisecond, "P1DT1S": 24*time.Hour + time.Second,
		"PT634.566S": 634566 * time.Millisecond, "PT0.1S": 100 * time.Millisecond, "PT1.000000001S": time.Second + 1,
		"P0Y0M0DT0H3M30.000S": 210 * time.Second, "PT1.5M": 90 * time.Second, " PT2S ": 2 * time.Second, "PT.5S": 500 * time.Millisecond,
		"P1W": 7 * 24 * time.Hour, "PT1,5S": 1500 * time.Millisecond, "P100Y": maxSpan,
	} {
		if got, err := parseDuration(in); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "P", "PT", "P1DT", "60", "PT60", "PTS", "PT1S1H", "PT1S1S", "P1S", "PT1D", "-PT1S", "PT-1S", "PT1.2.3S", "PT1e3S", "PT.S", "P101Y", "PT99999999999999999999S", "PT9223372036854775807H"} {
		if got, err := parseDuration(in); err == nil {
			t.Errorf("%q: %v without an error", in, got)
		}
	}
}

func TestDateTime(t *testing.T) {
	want := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for _, in := range []string{"2026-11-23T10:00:00Z", "2026-11-23T10:00:00", "2026-11-23T10:00:00.000Z", "2026-11-23T12:00:00+02:00", "2026-11-23T12:00:00+0200", "\n2026-11-23T10:00Z "} {
		if got, err := ParseDateTime(in); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "now", "2026-13-01T00:00:00Z", "1700000000"} {
		if got, err := ParseDateTime(in); err == nil {
			t.Errorf("%q: %v without an error", in, got)
		}
	}
}

// TestInheritance: 5.3.9.1 and 5.3.7, attribute by attribute, level by level.
func TestInheritance(t *testing.T) {
	m := mustParse(t, `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1M">
	<BaseURL>media/</BaseURL>
	<Period>
	  <SegmentTemplate timescale="1000" duration="2000" startNumber="7" presentationTimeOffset="5000"/>
	  <AdaptationSet mimeType="video/mp4" codecs="avc1.4d401f" width="640" height="360" frameRate="25">
	    <BaseURL>video/</BaseURL>
	    <SegmentTemplate media="$RepresentationID$-$Time$-$Number$.m4s" initialization="$RepresentationID$-i.mp4"/>
	    <Representation id="a" bandwidth="1"/>
	    <Representation id="b" bandwidth="2" width="1280" height="720" frameRate="50" codecs="avc1.64001f">
	      <BaseURL>b/</BaseURL><SegmentTemplate duration="4000" startNumber="0"/></Representation>
	    <Representation id="c" bandwidth="3"><SegmentTemplate media="own.m4s"><SegmentTimeline><S t="5000" d="1000"/></SegmentTimeline></SegmentTemplate></Representation>
	  </AdaptationSet>
	</Period></MPD>`)
	reps := m.Periods[0].AdaptationSets[0].Representations
	for i, want := range []struct {
		url    string
		start  time.Duration
		length time.Duration
		init   string
		width  int
		rate   float64
		codec  string
	}{
		{"media/video/a-7000-8.m4s", 2 * time.Second, 2 * time.Second, "media/video/a-i.mp4", 640, 25, "avc1.4d401f"},
		{"media/video/b/b-9000-1.m4s", 4 * time.Second, 4 * time.Second, "media/video/b/b-i.mp4", 1280, 50, "avc1.64001f"},
		{"media/video/own.m4s", 0, time.Second, "media/video/c-i.mp4", 640, 25, "avc1.4d401f"},
	} {
		r := &reps[i]
		s, err := r.First()
		if i < 2 && err == nil {
			s, err = r.Next(s)
		}
		init, ok := r.Init()
		if err != nil || s.URL != dir+want.url || s.Start != want.start || s.Duration != want.length || !ok || init.URL != dir+want.init ||
			r.Width != want.width || r.FrameRate != want.rate || r.Codecs[0] != want.codec {
			t.Errorf("%s: %+v, %v, init %+v, %+v; want %+v", r.ID, s, err, init, r, want)
		}
	}
}

// TestBaseURL: 5.6.4, level upon level; siblings are alternatives.
func TestBaseURL(t *testing.T) {
	m := mustParse(t, `<MPD mediaPresentationDuration="PT10S">
	<BaseURL serviceLocation="a" availabilityTimeOffset="1">https://a.example/x/</BaseURL><BaseURL serviceLocation="b">//b.example/y/</BaseURL>
	<Period><BaseURL>p/</BaseURL><AdaptationSet mimeType="audio/mp4"><BaseURL availabilityTimeOffset="2" availabilityTimeComplete="false">../q/</BaseURL>
	<Representation id="1"><BaseURL> a%20b.mp4 </BaseURL></Representation><Representation id="2"><BaseURL>https://c.example/z.mp4</BaseURL></Representation>
	</AdaptationSet></Period></MPD>`)
	set := m.Periods[0].AdaptationSets[0]
	want := []BaseURL{
		{URL: "https://a.example/x/q/a%20b.mp4", ServiceLocation: "a", Priority: 1, AvailabilityTimeOffset: 3 * time.Second},
		{URL: "https://b.example/y/q/a%20b.mp4", ServiceLocation: "b", Priority: 1, AvailabilityTimeOffset: 2 * time.Second},
	}
	if d := cmp.Diff(want, set.Representations[0].BaseURLs); d != "" {
		t.Error(d)
	}
	r := set.Representations[0].On(1)
	s, err := r.First() // a BaseURL alone is the one segment
	ref(t, "First", s, err, Ref{URL: want[1].URL, Duration: 10 * time.Second, Number: 1})
	again, err := set.Representations[0].Again(s)
	ref(t, "Again", again, err, Ref{URL: want[0].URL, Duration: 10 * time.Second, Number: 1})
	if _, ok := r.Init(); ok {
		t.Error("a BaseURL alone has an initialization segment")
	}
	s, err = r.At(10 * time.Second)
	noSegment(t, "At the end", s, err)
	if got := set.Representations[1].BaseURLs; len(got) != 1 || got[0].URL != "https://c.example/z.mp4" {
		t.Errorf("absolute below two: %+v", got)
	}
	if r = rep(t, mpd(static60, `<AdaptationSet><Representation id="v"><SegmentTemplate duration="2" media="s-$Number%05d$.m4s?x=%20"/></Representation></AdaptationSet>`)); r.BaseURLs[0].URL != base {
		t.Error("without BaseURL the MPD's own:", r.BaseURLs)
	}
	s, err = r.First()
	ref(t, "a format that looks like an escape", s, err, Ref{URL: dir + "s-00001.m4s?x=%20", Duration: 2 * time.Second, Number: 1})
}

// TestPeriods: 5.3.2.1, when periods are and which one plays.
func TestPeriods(t *testing.T) {
	set := `<AdaptationSet mimeType="video/mp4"><SegmentTemplate duration="4" media="$Number$"/><Representation id="v"/></AdaptationSet>`
	for _, tt := range []struct{ name, periods, want string }{
		{"one", `<Period>` + set + `</Period>`, "0s+1m0s"},
		{"start from the duration before", `<Period duration="PT20S">` + set + `</Period><Period>` + set + `</Period>`, "0s+20s 20s+40s"},
		{"duration from the start behind", `<Period>` + set + `</Period><Period start="PT30S">` + set + `</Period>`, "0s+30s 30s+30s"},
		{"the start behind prevails", `<Period duration="PT40S">` + set + `</Period><Period start="PT30S" duration="PT5S">` + set + `</Period>`, "0s+30s 30s+5s"},
		{"empty and early periods are left out", `<Period duration="PT10S"/><Period>` + set + `</Period><Period>` + set + `</Period>`, "10s+0s"},
		{"one that is elsewhere takes its time", `<Period duration="PT20S">` + set + `</Period><Period xlink:href="https://ads.example/p.xml" duration="PT5S"/><Period>` + set + `</Period>`, "0s+20s 25s+35s"},
		{"one that ends as it begins is left out", `<Period>` + set + `</Period><Period start="PT20S" duration="PT0S">` + set + `</Period><Period start="PT20S">` + set + `</Period>`, "0s+20s 20s+40s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := mustParse(t, `<MPD mediaPresentationDuration="PT60S">`+tt.periods+`</MPD>`)
			var got []string
			for i := range m.Periods {
				p := &m.Periods[i]
				got = append(got, fmt.Sprintf("%v+%v", p.Start, p.Duration))
				if at := m.PeriodAt(p.Start); at != p {
					t.Errorf("at %v plays %v", p.Start, at.Start)
				}
				if s, err := p.AdaptationSets[0].Representations[0].At(p.Start + 5*time.Second - 1); err != nil && p.Duration >= 5*time.Second || err == nil && s.Start != p.Start+4*time.Second {
					t.Errorf("second segment: %+v, %v", s, err)
				}
			}
			if g := strings.Join(got, " "); g != tt.want {
				t.Errorf("got %s, want %s", g, tt.want)
			}
			if m.PeriodAt(-time.Second) != &m.Periods[0] || m.PeriodAt(time.Hour) != &m.Periods[len(m.Periods)-1] {
				t.Error("before the first and after the last")
			}
		})
	}
}

// TestLastSegment: the last of a period ends with it.
func TestLastSegment(t *testing.T) {
	r := rep(t, mpd(`mediaPresentationDuration="PT10S"`, `<AdaptationSet><SegmentTemplate duration="4" media="$Number$"/><Representation id="v"/></AdaptationSet>`))
	s, err := r.Last()
	ref(t, "Last", s, err, Ref{URL: dir + "3", Start: 8 * time.Second, Duration: 2 * time.Second, Number: 3, Time: 8})
	r = rep(t, mpd(`mediaPresentationDuration="PT10S"`, `<AdaptationSet><SegmentTemplate duration="4" endNumber="2" media="$Number$"/><Representation id="v"/></AdaptationSet>`))
	s, err = r.Last()
	ref(t, "Last by endNumber", s, err, Ref{URL: dir + "2", Start: 4 * time.Second, Duration: 4 * time.Second, Number: 2, Time: 4})
}

// TestSegmentList: 5.3.9.3.
func TestSegmentList(t *testing.T) {
	r := rep(t, mpd(static60, `<AdaptationSet mimeType="video/mp4"><Representation id="v"><BaseURL>v/all.mp4</BaseURL>
		<SegmentList timescale="10" duration="40" startNumber="3"><Initialization range="0-99"/>
		<SegmentURL mediaRange="100-199"/><SegmentURL media="two.mp4"/></SegmentList></Representation></AdaptationSet>`))
	init, ok := r.Init()
	if !ok || init.URL != dir+"v/all.mp4" || init.ByteRange != (ByteRange{0, 100}) {
		t.Errorf("%+v %v", init, ok)
	}
	s, err := r.First()
	ref(t, "First", s, err, Ref{URL: dir + "v/all.mp4", ByteRange: ByteRange{100, 100}, Duration: 4 * time.Second, Number: 3})
	s, err = r.Next(s)
	ref(t, "Next", s, err, Ref{URL: dir + "v/two.mp4", Start: 4 * time.Second, Duration: 4 * time.Second, Number: 4, Time: 40})
	s, err = r.Next(s)
	noSegment(t, "past the list", s, err)
}

// TestAvailability: 5.3.9.5.3, what a timeline offers at an instant.
func TestAvailability(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	m := mustParse(t, `<MPD type="dynamic" availabilityStartTime="2026-11-23T10:00:00Z" timeShiftBufferDepth="PT10S" suggestedPresentationDelay="PT6S">
	<Period id="1" start="PT100S"><AdaptationSet mimeType="video/mp4"><SegmentTemplate timescale="10" presentationTimeOffset="500" media="$Time$">
	<SegmentTimeline><S t="500" d="40" r="1"/><S d="20" r="-1"/></SegmentTimeline></SegmentTemplate><Representation id="v"/></AdaptationSet></Period></MPD>`)
	r := &m.Periods[0].AdaptationSets[0].Representations[0]
	for _, tt := range []struct {
		after time.Duration
		want  uint64 // Time; 0: none
	}{{103999 * time.Millisecond, 0}, {104 * time.Second, 500}, {107999 * time.Millisecond, 500}, {108 * time.Second, 540}, {110 * time.Second, 580}, {200 * time.Second, 1480}} {
		s, err := r.LiveEdge(at.Add(tt.after))
		if tt.want == 0 {
			noSegment(t, "LiveEdge", s, err)
		} else if err != nil || s.Time != tt.want {
			t.Errorf("LiveEdge after %v: %+v, %v; want %d", tt.after, s, err, tt.want)
		}
	}
	if start, edge := m.Window(at.Add(200 * time.Second)); start != 190*time.Second || edge != 200*time.Second {
		t.Error("Window:", start, edge)
	}
	if start, edge := m.Window(at.Add(105 * time.Second)); start != 100*time.Second || edge != 105*time.Second {
		t.Error("Window after five seconds:", start, edge)
	}
	// A segment's own start finds it again, whatever the timescale.
	for _, scale := range []string{"1", "24000", "30000", "44100", "90000", "10000000"} {
		r := rep(t, mpd(static60, `<AdaptationSet><SegmentTemplate timescale="`+scale+`" media="$Number$"><SegmentTimeline><S t="0" d="1" r="1000"/></SegmentTimeline></SegmentTemplate><Representation id="v"/></AdaptationSet>`))
		for s, err := r.First(); err == nil; s, err = r.Next(s) {
			if again, err := r.At(s.Start); err != nil || again != s {
				t.Fatalf("timescale %s: at the start of %+v is %+v, %v", scale, s, again, err)
			}
		}
	}
}

// TestOffsetINF: an unbounded availabilityTimeOffset makes all available.
func TestOffsetINF(t *testing.T) {
	r := rep(t, mpd(`type="dynamic" availabilityStartTime="2026-11-23T10:00:00Z" mediaPresentationDuration="PT20S"`,
		`<AdaptationSet><SegmentTemplate duration="2" media="$Number$" availabilityTimeOffset="INF"/><Representation id="v"/></AdaptationSet>`))
	s, err := r.LiveEdge(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC))
	if err != nil || s.Number != 10 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestContentType: by @contentType, else @mimeType, else @codecs.
func TestContentType(t *testing.T) {
	for _, tt := range []struct{ set, want string }{
		{`<AdaptationSet contentType="Video"><Representation id="v"/></AdaptationSet>`, "video"},
		{`<AdaptationSet mimeType="audio/mp4"><Representation id="v"/></AdaptationSet>`, "audio"},
		{`<AdaptationSet><ContentComponent contentType="audio"/><Representation id="v"/></AdaptationSet>`, "audio"},
		{`<AdaptationSet><Representation id="v" mimeType="video/webm"/></AdaptationSet>`, "video"},
		{`<AdaptationSet><Representation id="v" mimeType="application/mp4" codecs="stpp.ttml.im1t"/></AdaptationSet>`, "text"},
		{`<AdaptationSet><Representation id="v" codecs="hvc1.1.6.L93.B0"/></AdaptationSet>`, "video"},
		{`<AdaptationSet><Representation id="v" codecs="ec-3"/></AdaptationSet>`, "audio"},
		{`<AdaptationSet><Representation id="v" height="720"/></AdaptationSet>`, "video"},
		{`<AdaptationSet><Representation id="v"/></AdaptationSet>`, ""},
	} {
		m := mustParse(t, mpd(static60, tt.set))
		if got := m.Periods[0].AdaptationSets[0].ContentType; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.set, got, tt.want)
		}
	}
	m := mustParse(t, mpd(static60, `<AdaptationSet contentType="video"><EssentialProperty schemeIdUri="http://dashif.org/guidelines/trickmode" value="1"/><Representation id="t"/></AdaptationSet>
		<AdaptationSet contentType="video" selectionPriority="2"><Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/><ContentProtection schemeIdUri="urn:uuid:EDEF8BA9-79D6-4ACE-A3C8-27DCD51D21ED"/><Representation id="v"/></AdaptationSet>`))
	sets := m.Periods[0].Sets("video")
	if len(sets) != 1 || sets[0].Representations[0].ID != "v" || sets[0].SelectionPriority != 2 || sets[0].Roles[0] != "main" ||
		sets[0].Protection[0] != "urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed" {
		t.Errorf("%+v", sets)
	}
}

// TestTolerated: what occurs in the wild and players play.
func TestTolerated(t *testing.T) {
	inner := `<AdaptationSet><SegmentTemplate duration="2" media="$Number$"/><Representation id="v"/></AdaptationSet>`
	for _, tt := range []struct{ name, body, fault string }{
		{"byte order mark", "\xef\xbb\xbf" + mpd(static60, inner), "byte order mark"},
		{"space before the declaration", "\n" + mpd(static60, inner), "white space"},
		{"prefix without a declaration", mpd(static60+` xsi:schemaLocation="x"`, `<scte35:Event/>`+inner), ""},
		{"xlink without a declaration", `<MPD><Period xlink:href="x" xlink:actuate="onLoad"/><Period start="PT0S">` + inner + `</Period></MPD>`, "elsewhere"},
		{"a prefix for everything", `<d:MPD xmlns:d="urn:mpeg:dash:schema:mpd:2011"><d:Period><d:AdaptationSet><d:Representation id="v"/></d:AdaptationSet></d:Period></d:MPD>`, ""},
		{"latin-1", `<?xml version="1.0" encoding="ISO-8859-1"?><MPD id="caf` + "\xe9" + `"><Period>` + inner + `</Period></MPD>`, "not UTF-8"},
		{"a fraction of zero", mpd(static60, `<AdaptationSet><SegmentTemplate duration="2.0" media="$Number$"/><Representation id="v"/></AdaptationSet>`), ""},
		{"one broken representation", mpd(static60, `<AdaptationSet><SegmentTemplate duration="2" media="$Number$"/><Representation id="v"><SegmentTemplate timescale="0"/></Representation><Representation id="w"/></AdaptationSet>`), "timescale 0"},
		{"S without d", mpd(static60, `<AdaptationSet><SegmentTemplate media="$Time$"><SegmentTimeline><S t="0"/><S t="0" d="2"/></SegmentTimeline></SegmentTemplate><Representation id="w"/></AdaptationSet>`), "left out"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := mustParse(t, tt.body)
			faults := strings.Join(m.Faults, "; ")
			if (tt.fault == "") != (faults == "") || !strings.Contains(faults, tt.fault) {
				t.Errorf("faults %q, want %q", faults, tt.fault)
			}
			if s, err := m.Periods[0].AdaptationSets[0].Representations[0].First(); err != nil {
				t.Errorf("First: %+v, %v", s, err)
			}
		})
	}
}

// TestManyPeriods: a day of advertisement breaks is within the bounds.
func TestManyPeriods(t *testing.T) {
	const n = 1000
	var set strings.Builder
	set.WriteString(`<BaseURL>https://ads.example/a/rather/long/path/to/an/asset/</BaseURL><AdaptationSet mimeType="video/mp4">`)
	set.WriteString(`<SegmentTemplate timescale="90000" media="$RepresentationID$/$Time$.m4s?token=0123456789abcdef0123456789abcdef" initialization="$RepresentationID$/init.mp4"><SegmentTimeline><S t="0" d="180000" r="14"/></SegmentTimeline></SegmentTemplate>`)
	for i := range 12 {
		fmt.Fprintf(&set, `<Representation id="v%d" bandwidth="%d" codecs="avc1.64001f"><BaseURL>r%d/</BaseURL></Representation>`, i, i*100000, i)
	}
	set.WriteString(`</AdaptationSet>`)
	m := mustParse(t, `<MPD>`+strings.Repeat(`<Period duration="PT30S">`+set.String()+`</Period>`, n)+`</MPD>`)
	s, err := m.PeriodAt(29985 * time.Second).AdaptationSets[0].Representations[11].At(29985 * time.Second)
	if err != nil || len(m.Periods) != n || s.Start != 29984*time.Second || s.URL != "https://ads.example/a/rather/long/path/to/an/asset/r11/v11/1260000.m4s?token=0123456789abcdef0123456789abcdef" {
		t.Errorf("%d periods, %+v, %v", len(m.Periods), s, err)
	}
}

// The longest segment that is listed, against the same differences in JavaScript.
func TestLongest(t *testing.T) {
	for _, tt := range []struct {
		template string
		want     time.Duration
	}{
		{`timescale="48000"><SegmentTimeline><S t="0" d="192512"/><S d="191488"/></SegmentTimeline>`, 4_010_666_667},
		{`timescale="48000"><SegmentTimeline><S t="0" d="192512"/><S d="191488"/><S d="192512"/></SegmentTimeline>`, 4_010_666_668},
		{`timescale="48000" presentationTimeOffset="192512"><SegmentTimeline><S t="192512" d="191488"/><S d="192512"/></SegmentTimeline>`, 4_010_666_668},
		{`timescale="1000"><SegmentTimeline><S t="0" d="4000" r="14"/></SegmentTimeline>`, 4 * time.Second},
		{`timescale="90000"><SegmentTimeline><S t="0" d="180180"/></SegmentTimeline>`, 2002 * time.Millisecond},
		{`timescale="90000"><SegmentTimeline><S t="0" d="180180" r="2"/></SegmentTimeline>`, 2002*time.Millisecond + 1},
		{`timescale="1000"><SegmentTimeline><S t="0" d="4000" r="-1"/></SegmentTimeline>`, 4 * time.Second},
		{`timescale="1000" duration="4000">`, 0},
	} {
		r := rep(t, mpd(static60, `<AdaptationSet mimeType="audio/mp4"><SegmentTemplate media="$Number$.m4s" `+tt.template+`</SegmentTemplate><Representation id="a" bandwidth="1"/></AdaptationSet>`))
		if got := r.Longest(); got != tt.want {
			t.Errorf("%s: %d ns, want %d", tt.template, got, tt.want)
		}
	}
}

// Only so many are looked at.
func TestLongestIsBounded(t *testing.T) {
	listed := `<S d="4000" r="9999"/><S d="5000"/>`
	body := `<AdaptationSet mimeType="audio/mp4"><SegmentTemplate media="$Number$.m4s" timescale="1000"><SegmentTimeline>%s</SegmentTimeline></SegmentTemplate><Representation id="a" bandwidth="1"/></AdaptationSet>`
	attrs := `type="static" mediaPresentationDuration="PT50000S"`
	if got := rep(t, mpd(attrs, fmt.Sprintf(body, listed))).Longest(); got != 4*time.Second {
		t.Errorf("%v of 10 000 and one more, want 4s", got)
	}
}
