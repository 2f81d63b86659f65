package player

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the tables of README.md anew")

// The tables of README.md are the models themselves.
func TestReadme(t *testing.T) {
	const begin, end = "<!-- tables -->\n", "<!-- end of tables -->"
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(b), begin)
	old, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("README.md has lost the marks of its tables")
	}
	tables := behaviours() + goesOn() + thinks() + retries()
	if *update {
		if err := os.WriteFile("README.md", []byte(head+begin+tables+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(old, tables); diff != "" {
		t.Errorf("go test -run TestReadme -update (-README +models):\n%s", diff)
	}
	for _, m := range Models() {
		if !strings.Contains(head+tail, "**"+m.String()+"**") {
			t.Errorf("README.md says nothing of where %s comes from", m)
		}
	}
}

// A README that names a test names one that there is.
func TestReadmeTests(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), "_test.go") {
			src, err := os.ReadFile(f.Name())
			if err != nil {
				t.Fatal(err)
			}
			all.Write(src)
		}
	}
	for _, name := range regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(string(b), -1) {
		if !strings.Contains(all.String(), "func "+name[1]+"(") {
			t.Errorf("README.md names %s, which there is not", name[1])
		}
	}
}

// table is a Markdown table; a row whose cells are all empty is left out.
func table(title string, columns []string, rows [][]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### %s\n\n| | %s |\n|%s\n", title, strings.Join(columns, " | "), strings.Repeat("---|", len(columns)+1))
	for _, r := range rows {
		if strings.Join(r[1:], "") != "" {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(r, " | "))
		}
	}
	return b.String()
}

func modelNames() (names []string) {
	for _, m := range Models() {
		names = append(names, m.String())
	}
	return names
}

// behaviours are what the models do, but for times and retries.
func behaviours() string {
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return ""
	}
	cost := func(c Cost) string {
		switch {
		case c == Cost{}:
			return ""
		case c.PerMB == 0:
			return fmt.Sprint(c.Base)
		}
		return fmt.Sprint(c.Base, " + ", c.PerMB, " a MB")
	}
	ladder := []Rendition{{Kbps: 830}, {Kbps: 2450}, {Kbps: 5340}}
	rows := []struct {
		name string
		of   func(m *Model) string
	}{
		{"plays HLS", func(m *Model) string { return yes(m.HLS != nil) }},
		{"plays DASH", func(m *Model) string { return yes(m.DASH != nil) }},
		{"measured against the real player", func(m *Model) string { return yes(m.Measured) }},
		{"assumes kbit/s, of 830, 2450, 5340 listed in this order", func(m *Model) string { return fmt.Sprint(m.EstimateKbps(ladder)) }},
		{"starts with, of these", func(m *Model) string { return fmt.Sprint(ladder[m.Start(ladder, m.EstimateKbps(ladder))].Kbps) }},
		{"would start with the middle one from kbit/s", func(m *Model) string { return fmt.Sprint(threshold(m, ladder)) }},
		{"DASH: audio counts for that", func(m *Model) string { return yes(m.AudioCounts) }},
		{"measures, and may change before the first picture", func(m *Model) string { return yes(m.Meter != nil) }},
		{"goes to another rendition after a failure", func(m *Model) string { return yes(m.Failover != nil) }},
		{"may go back to its first once each has failed", func(m *Model) string { return yes(m.Failover != nil && m.Failover.Back) }},
		{"first listed playlist first", func(m *Model) string { return yes(m.PrimaryFirst) }},
		{"audio's media after the video's playlist too", func(m *Model) string { return yes(m.AudioJoins) }},
		{"media after both playlists or indexes", func(m *Model) string { return yes(m.Join) }},
		{"an init segment that fails takes the segment along", func(m *Model) string { return yes(m.InitTakesSegment) }},
		{"media after its init segment", func(m *Model) string { return yes(m.InitFirst) }},
		{"key", func(m *Model) string { return []string{"beside", "first", "last"}[m.Key] }},
		{"ranges of one URL in turn", func(m *Model) string { return yes(m.RangesInTurn) }},
		{"reads the index of every representation", func(m *Model) string { return yes(m.IndexAll) }},
		{"index and init segment in one request", func(m *Model) string { return yes(m.IndexWithInit) }},
		{"second audio segment beside the first of video, where it fits", func(m *Model) string { return yes(m.AudioAhead != nil) }},
		{"further video segments while audio is to come", func(m *Model) string { return yes(m.VideoAhead != nil) }},
		{"looks for closed captions first", func(m *Model) string { return yes(m.Captions) }},
		{"live: behind the edge, segments of 2 s", func(m *Model) string {
			return fmt.Sprint(m.LiveDelay(Live{Target: 2 * time.Second, Newest: 6 * time.Second}))
		}},
		{"live DASH: minBufferTime and segments of 2 s", func(m *Model) string {
			if m.DASH == nil {
				return ""
			}
			return fmt.Sprint(m.LiveDelay(Live{DASH: true, Target: 2 * time.Second, Longest: 2 * time.Second, Buffer: 2 * time.Second}))
		}},
		{"loads earlier than it plays, by", func(m *Model) string { return duration(m.Earlier) }},
		{"live: audio after the first video segment", func(m *Model) string { return yes(m.LiveAudioLast) }},
		{"no clock for a SegmentTimeline", func(m *Model) string { return yes(m.ListedNeedsNoClock) }},
		{"DASH: goes by DVB's priorities of base URLs", func(m *Model) string { return yes(m.Priorities) }},
		{"live DASH: clocks it does not know, beside NTP", func(m *Model) string { return strings.Join(m.Clocks.Not, ", ") }},
		{"live DASH: of several clocks only the last", func(m *Model) string { return yes(m.Clocks.LastOnly) }},
		{"live DASH: one that answers nonsense is the last it asks", func(m *Model) string { return yes(m.DASH != nil && m.Clocks.Once) }},
		{"live DASH: without a clock it goes by", func(m *Model) string {
			switch {
			case m.DASH == nil:
				return ""
			case m.Clocks.FromDate:
				return "the MPD's Date"
			}
			return "its own"
		}},
		{"first frame: the whole segment", func(m *Model) string { return yes(m.WholeSegment) }},
		{"first frame: of separate audio", func(m *Model) string { return []string{"nothing", "its init", "its segment"}[m.FrameAudio] }},
		{"to the picture, TS", func(m *Model) string { return cost(m.RenderTS) }},
		{"to the picture, fMP4", func(m *Model) string { return cost(m.RenderFMP4) }},
		{"each picture held back, for 10^6 pixels", func(m *Model) string {
			if m.Reordering == 0 {
				return ""
			}
			return fmt.Sprint(m.Reordering)
		}},
		{"to a beat of a timer of", func(m *Model) string {
			if m.Tick == nil {
				return ""
			}
			return fmt.Sprint(m.Tick.Period)
		}},
		{"plays: the whole first segments", func(m *Model) string { return yes(m.PlayWhole || m.WholeSegment) }},
	}
	var cells [][]string
	for _, r := range rows {
		line := []string{r.name}
		for _, m := range Models() {
			line = append(line, r.of(m))
		}
		cells = append(cells, line)
	}
	return table("What each does", modelNames(), cells)
}

// threshold is the least estimate, in whole kbit/s, with which the model starts
// with the middle one.
func threshold(m *Model, ladder []Rendition) int {
	for kbps := range 10_000 {
		if m.Start(ladder, float64(kbps)) == 1 {
			return kbps
		}
	}
	return 0
}

func duration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// thinks are the models' own times.
func thinks() string {
	type column struct {
		name string
		of   *Think
	}
	var columns []column
	var names []string
	for _, m := range Models() {
		for _, c := range []column{{m.String() + " HLS", m.HLS}, {m.String() + " DASH", m.DASH}} {
			if c.of != nil && *c.of != (Think{}) {
				columns, names = append(columns, c), append(names, c.name)
			}
		}
	}
	var rows [][]string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Think]()) {
		row := []string{f.Name}
		for _, c := range columns {
			row = append(row, duration(time.Duration(reflect.ValueOf(*c.of).FieldByIndex(f.Index).Int())))
		}
		rows = append(rows, row)
	}
	return table("Its own time before each request (the fields of Think)", names, rows)
}

// retries are the models' limits and further tries.
func retries() string {
	var rows [][]string
	for _, step := range []run.StepName{run.StepManifest, run.StepPlaylist, run.StepKey, run.StepIndex, run.StepInit, run.StepSegment} {
		row := []string{string(step)}
		for _, m := range Models() {
			row = append(row, policyText(m.Retry[step]))
		}
		rows = append(rows, row)
	}
	return table("Limits and further tries", modelNames(), rows) + "\n"
}

func policyText(p Policy) string {
	if reflect.ValueOf(p).IsZero() {
		return ""
	}
	var parts []string
	limit := func(name string, d time.Duration) {
		if d > 0 {
			parts = append(parts, fmt.Sprint(name, " ", d))
		}
	}
	limit("first byte", p.FirstByte)
	limit("silence", p.Stall)
	limit("all", p.Total)
	if p.TimeoutRetries > 0 {
		parts = append(parts, fmt.Sprintf("then %d × after %v", p.TimeoutRetries, p.TimeoutDelay))
	}
	if p.ErrorRetries > 0 {
		var delays []string
		q := p
		q.Fuzz = 0
		for i := range p.ErrorRetries {
			delays = append(delays, fmt.Sprint(q.delay(i)))
		}
		text := "5xx"
		if p.Retry4xx {
			text += ", 4xx"
		}
		if p.RetryBroken {
			text += ", broken"
		}
		if p.Alone {
			text += " (alone: any)"
		}
		text += ": after " + strings.Join(delays, ", ")
		if p.Beat {
			text += " and at a beat"
		}
		parts = append(parts, text)
	}
	if p.Fuzz > 0 {
		parts = append(parts, fmt.Sprintf("±%v %%", 100*p.Fuzz))
	}
	return strings.Join(parts, "; ")
}
