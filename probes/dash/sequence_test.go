package dash

import (
	"strings"
	"testing"
	"time"
)

// walk are the URLs from ref on, without their folder.
func walk(r *Representation, ref Ref, err error) string {
	var urls []string
	for n := 0; err == nil && n < 20; n++ {
		urls = append(urls, strings.TrimPrefix(ref.URL, dir))
		ref, err = r.Next(ref)
	}
	return strings.Join(urls, " ")
}

// TestSequences: 5.3.9.6.4, segment sequences: all segments of one have its number
// and time, and one of their own from 0.
func TestSequences(t *testing.T) {
	const timeline = `<SegmentTimeline><S t="100" d="80" k="4"/><S d="40" k="2" r="1"/><S d="40"/></SegmentTimeline>`
	set := func(attributes, inner string) string {
		return `<AdaptationSet><SegmentTemplate timescale="10" presentationTimeOffset="100" startNumber="7" media="` + attributes + `>` + inner + `</SegmentTemplate><Representation id="v"/></AdaptationSet>`
	}
	r := rep(t, mpd(static60, set(`$Time$-$SubNumber$"`, timeline)))
	first, err := r.First()
	ref(t, "First", first, err, Ref{URL: dir + "100-0", Duration: 2 * time.Second, Number: 7, Time: 100})
	if got, want := walk(r, first, err), "100-0 100-1 100-2 100-3 180-0 180-1 220-0 220-1 260-0"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	at, err := r.At(13 * time.Second) // in the second segment of 220
	ref(t, "At", at, err, Ref{URL: dir + "220-0", Start: 12 * time.Second, Duration: 2 * time.Second, Number: 9, Time: 220})
	next, err := r.Next(at)
	ref(t, "Next", next, err, Ref{URL: dir + "220-1", Start: 14 * time.Second, Duration: 2 * time.Second, Number: 9, Time: 220})
	again, err := r.Again(next)
	ref(t, "Again", again, err, next)

	// By number, all of one length; the last has not all of its time.
	r = rep(t, mpd(`type="static" mediaPresentationDuration="PT20S"`, set(`$Number$.$SubNumber%02d$" duration="80" k="2"`, "")))
	first, err = r.First()
	if got, want := walk(r, first, err), "7.00 7.01 8.00 8.01 9.00 9.01"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	// Without an identifier for them they have no addresses of their own.
	r = rep(t, mpd(static60, set(`$Time$"`, timeline)))
	first, err = r.First()
	if got, want := walk(r, first, err), "100 180 220 260"; got != want || first.Duration != 8*time.Second {
		t.Errorf("%s of %v, want %s", got, first.Duration, want)
	}
	if len(r.mpd.Faults) != 1 || !strings.Contains(r.mpd.Faults[0], "SubNumber") {
		t.Error(r.mpd.Faults)
	}
}

// TestSequenceEdge: a segment of a sequence is there as soon as it has ended.
func TestSequenceEdge(t *testing.T) {
	began := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for name, set := range map[string]string{
		"timeline": `<SegmentTemplate timescale="10" startNumber="0" media="$Number$-$SubNumber$"><SegmentTimeline><S t="0" d="80" k="4" r="-1"/></SegmentTimeline></SegmentTemplate>`,
		"number":   `<SegmentTemplate timescale="10" startNumber="0" media="$Number$-$SubNumber$" duration="80" k="4"/>`,
	} {
		m := mustParse(t, `<MPD type="dynamic" availabilityStartTime="2026-11-23T10:00:00Z"><Period start="PT0S"><AdaptationSet mimeType="video/mp4">`+set+`<Representation id="v"/></AdaptationSet></Period></MPD>`)
		r := &m.Periods[0].AdaptationSets[0].Representations[0]
		for after, want := range map[float64]string{1.9: "", 2: "0-0", 3.9: "0-0", 4: "0-1", 7.9: "0-2", 8: "0-3", 9.9: "0-3", 10: "1-0", 801.9: "99-3", 802: "100-0", 805: "100-1"} {
			s, err := r.LiveEdge(began.Add(time.Duration(after * float64(time.Second))))
			if want == "" {
				noSegment(t, "LiveEdge", s, err)
			} else if err != nil || s.URL != dir+want {
				t.Errorf("%s, after %v s: %s, %v; want %s", name, after, s.URL, err, want)
			}
		}
	}
}

// TestEnds: endNumber, negative repeats, and numbers that an S says of itself.
func TestEnds(t *testing.T) {
	set := func(attributes, inner string) string {
		return `<AdaptationSet><SegmentTemplate timescale="10" startNumber="5" media="$Number$" ` + attributes + `>` + inner + `</SegmentTemplate><Representation id="v"/></AdaptationSet>`
	}
	line := func(s string) string { return `<SegmentTimeline>` + s + `</SegmentTimeline>` }
	for _, tt := range []struct{ name, set, want, fault string }{
		{"endNumber, by duration", set(`duration="40" endNumber="7"`, ""), "5 6 7", ""},
		{"endNumber, of a timeline", set(`endNumber="6"`, line(`<S t="0" d="40" r="9"/>`)), "5 6", ""},
		{"endNumber beyond the end", set(`duration="200" endNumber="99"`, ""), "5 6 7", ""},
		{"endNumber before the first", set(`duration="40" endNumber="4"`, ""), "", ""},
		{"endNumber of the level above", `<AdaptationSet><SegmentTemplate endNumber="6"/><Representation id="v"><SegmentTemplate timescale="10" startNumber="5" duration="40" media="$Number$"/></Representation></AdaptationSet>`, "5 6", ""},
		{"r until the next t", set("", line(`<S t="0" d="40" r="-1"/><S t="120" d="40"/>`)), "5 6 7 8", ""},
		{"r until a t that is no multiple", set("", line(`<S t="0" d="50" r="-1"/><S t="120" d="40"/>`)), "5 6 7 8", "S t=120 begins before"},
		{"r until the period's end", set("", line(`<S t="0" d="40"/><S d="140" r="-1"/>`)), "5 6 7 8 9", ""},
		{"r=-1 as any negative", set("", line(`<S t="0" d="300" r="-7"/>`)), "5 6", ""},
		{"r of one before an S without t", set("", line(`<S t="0" d="300" r="-1"/><S d="10"/>`)), "5 6", "without t"},
		{"n as the count", set("", line(`<S t="0" d="40" n="5" r="1"/><S d="40" n="7"/>`)), "5 6 7", ""},
		{"n against the count", set("", line(`<S t="0" d="40" n="50"/><S d="40"/>`)), "5 6", "S n=50"},
		{"eptDelta and pdDelta, which players do not read", set(`duration="200" eptDelta="-3" pdDelta="3"`, ""), "5 6 7", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := Parse(dir+"m.mpd", []byte(mpd(static60, tt.set)))
			if m == nil {
				t.Fatal(err)
			}
			r := &m.Periods[0].AdaptationSets[0].Representations[0]
			first, err := r.First()
			if got := walk(r, first, err); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
			if faults := strings.Join(m.Faults, "; "); (faults != "") != (tt.fault != "") || !strings.Contains(faults, tt.fault) {
				t.Errorf("faults %q, want %q", faults, tt.fault)
			}
		})
	}
}
