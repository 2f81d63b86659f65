package dash

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// FuzzParse: whatever comes, an MPD or an error of one class, and every
// representation answers every question without a panic and with sound numbers.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.mpd")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	for _, inner := range []string{
		`<AdaptationSet><SegmentTemplate timescale="4294967295" duration="1" startNumber="4611686018427387904" presentationTimeOffset="9223372036854775807" media="$Number$-$Time$"/><Representation id="v"/></AdaptationSet>`,
		`<AdaptationSet><SegmentTemplate media="$Time$"><SegmentTimeline><S t="4611686018427387904" d="4611686018427387904" r="9223372036854775807"/><S d="1" r="-1"/></SegmentTimeline></SegmentTemplate><Representation id="v"/></AdaptationSet>`,
		`<AdaptationSet><SegmentTemplate media="$Time$"><SegmentTimeline><S t="9" d="9" r="3"/><S t="10" d="1"/><S t="0" d="5" r="-1"/></SegmentTimeline></SegmentTemplate><Representation id="v"/></AdaptationSet>`,
		onDemand,
	} {
		f.Add([]byte(mpd(static60, inner)))
		f.Add([]byte(mpd(`type="dynamic" availabilityStartTime="1601-01-01T00:00:00Z"`, inner)))
	}
	f.Add([]byte(`<Patch mpdId="x"/>`))
	f.Add([]byte(`<MPD><PatchLocation ttl="9223372036854775807">p</PatchLocation><BaseURL serviceLocation="a">a</BaseURL><BaseURL serviceLocation="b">b</BaseURL><Period/><Period href="urn:mpeg:dash:resolve-to-zero:2013"/><Period><AdaptationSet><Representation id="v"/></AdaptationSet></Period></MPD>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := Parse(base, body)
		empty := errors.Is(err, ErrEmpty)
		if err != nil && !empty && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrUnsupported) {
			t.Fatalf("an error of no class: %v", err)
		}
		if (m != nil) != (err == nil || empty) {
			t.Fatalf("MPD %v with %v", m, err)
		}
		if m != nil {
			ask(t, m)
		}
	})
}

// ask asks a presentation all that a player could.
func ask(t *testing.T, m *MPD) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	start, edge := m.Window(now)
	if m.Dynamic && start > edge {
		t.Fatalf("window %v to %v", start, edge)
	}
	m.PeriodAt(edge)
	m.LowLatency()
	m.StaleAfter(time.Second)
	for _, l := range m.ServiceLocations() {
		m.Clone("clone", l, func(u string) string { return u })
		m.Prefer(l)
	}
	for i := range m.Periods {
		p := &m.Periods[i]
		p.Sets("video")
		if p.Start < 0 || p.Duration < 0 {
			t.Fatalf("period %+v", p)
		}
		for j := range p.AdaptationSets {
			for k := range p.AdaptationSets[j].Representations {
				r := &p.AdaptationSets[j].Representations[k]
				if read, err := r.WithIndex(sidx(0, 1000, 0, 0, 100, 10)); err == nil {
					r = read
				}
				r.Init()
				r.Index()
				r.On(len(r.BaseURLs) - 1)
				askSegments(t, r, now, edge)
			}
		}
	}
}

func askSegments(t *testing.T, r *Representation, now time.Time, edge time.Duration) {
	check := func(what string, s Ref, err error) {
		switch {
		case errors.Is(err, ErrNoSegment) || errors.Is(err, ErrIndexed) || errors.Is(err, ErrInvalid):
		case err != nil:
			t.Fatalf("%s: an error of no class: %v", what, err)
		case s.URL == "" || s.Duration < 0 || s.Number < 0 || s.ByteRange.Offset < 0 || s.ByteRange.Length < 0:
			t.Fatalf("%s: %+v", what, s)
		}
	}
	if d := r.Longest(); d < 0 || d > maxSpan+1 {
		t.Fatalf("the longest plays %v", d)
	}
	first, err := r.First()
	check("first", first, err)
	if err == nil {
		first, err = r.Next(first)
		check("next", first, err)
	}
	s, err := r.Last()
	check("last", s, err)
	s, err = r.LiveEdge(now)
	check("live edge", s, err)
	for _, at := range []time.Duration{0, edge, edge - 10*time.Second, 1<<63 - 1, -1 << 63} {
		s, err = r.At(at)
		check("at", s, err)
	}
}

// FuzzWithIndex: a segment index, whatever it says.
func FuzzWithIndex(f *testing.F) {
	f.Add(sidx(0, 1000, 0, 0, 100, 10))
	f.Add(sidx(1, 90000, 1<<40, 1<<40, 5000, 4000, 6000, 2000))
	f.Add(append([]byte{0, 0, 0, 1, 'f', 'r', 'e', 'e', 0, 0, 0, 0, 0, 0, 0, 16}, sidx(0, 1, 0, 0, 1<<31, 1)...))
	m, err := Parse(base, []byte(mpd(static60, onDemand)))
	if err != nil {
		f.Fatal(err)
	}
	r := &m.Periods[0].AdaptationSets[0].Representations[0]
	f.Fuzz(func(t *testing.T, box []byte) {
		read, err := r.WithIndex(box)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		askSegments(t, read, time.Now(), time.Second)
	})
}

// FuzzDuration: what is read is not negative and within bounds.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"PT0S", "P1Y2M3DT4H5M6.789S", "PT1.5M", "P1W", "PT", "-PT1S", "PT99999999999999999999S", "PT0.0000000000000000000001S"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := parseDuration(s); err == nil && (d < 0 || d > maxSpan) {
			t.Fatalf("%q: %v", s, d)
		}
	})
}

// TestHostile: short elements that inherit much.
func TestHostile(t *testing.T) {
	long := strings.Repeat("x", MaxValue-1)
	reps := strings.Repeat(`<Representation id="v"/>`, 50_000)
	many := strings.Repeat(`<S d="1"/>`, 50_000)
	for _, tt := range []struct{ name, set, inner string }{
		{"base URLs", `<AdaptationSet>`, `<BaseURL>` + long + `/</BaseURL>` + strings.Repeat(`<Representation id="v"><BaseURL>a</BaseURL></Representation>`, 1000)},
		{"media types", `<AdaptationSet mimeType="` + long + `">`, reps},
		{"templates", `<AdaptationSet>`, `<SegmentTemplate duration="1" media="` + strings.Repeat("$", MaxValue) + `"/>` + reps},
		{"timelines", `<AdaptationSet>`, `<SegmentTemplate media="$Time$"><SegmentTimeline>` + many + `</SegmentTimeline></SegmentTemplate>` +
			manyOffsets(1000)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(base, []byte(mpd(static60, tt.set+tt.inner+`</AdaptationSet>`)))
			if !errors.Is(err, ErrTooLarge) {
				t.Errorf("%.200v, want %v", err, ErrTooLarge)
			}
		})
	}
	shared := mpd(static60, `<AdaptationSet><SegmentTemplate media="$Time$"><SegmentTimeline>`+many+`</SegmentTimeline></SegmentTemplate>`+reps+`</AdaptationSet>`)
	if m := mustParse(t, shared); len(m.Periods[0].AdaptationSets[0].Representations) != 50_000 {
		t.Error("a timeline shared by 50 000 representations")
	}
}

// manyOffsets is n representations that share nothing of their timeline.
func manyOffsets(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `<Representation id="v"><SegmentTemplate presentationTimeOffset="%d"/></Representation>`, i)
	}
	return b.String()
}
