package dash

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// plainSegment is a segment as a list would hold it, in ticks.
type plainSegment struct{ t, d int64 }

// TestTimelineAgainstList: what is computed from runs is what a list of all
// segments, the simplest way, would answer.
func TestTimelineAgainstList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scale := rapid.SampledFrom([]int64{1, 600, 30000, 90000, 10_000_000}).Draw(t, "timescale")
		pto := rapid.Int64Range(0, 1<<40).Draw(t, "offset")
		first := rapid.Int64Range(0, 1<<40).Draw(t, "number")
		var list []plainSegment
		var b strings.Builder
		at := pto
		for range rapid.IntRange(1, 6).Draw(t, "runs") {
			gap := rapid.Int64Range(0, 2).Draw(t, "gap") * scale
			d := rapid.Int64Range(1, 10*scale).Draw(t, "d")
			n := rapid.Int64Range(1, 5).Draw(t, "n")
			at += gap
			fmt.Fprintf(&b, `<S t="%d" d="%d" r="%d"/>`, at, d, n-1)
			for range n {
				list = append(list, plainSegment{at, d})
				at += d
			}
		}
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		m, err := Parse(base, fmt.Appendf(nil, `<MPD type="dynamic" availabilityStartTime="2026-01-01T00:00:00Z"><Period start="PT7S"><AdaptationSet>
			<SegmentTemplate timescale="%d" presentationTimeOffset="%d" startNumber="%d" media="$Number$/$Time$"><SegmentTimeline>%s</SegmentTimeline></SegmentTemplate>
			<Representation id="v"/></AdaptationSet></Period></MPD>`, scale, pto, first, b.String()))
		if err != nil || len(m.Faults) > 0 {
			t.Fatal(err, m)
		}
		r := &m.Periods[0].AdaptationSets[0].Representations[0]
		url := func(i int) string { return fmt.Sprintf("%s%d/%d", dir, first+int64(i), list[i].t) }
		for i := range list {
			if s, err := r.segment(int64(i)); err != nil || s.URL != url(i) {
				t.Fatalf("segment %d: %+v, %v; want %s", i, s, err, url(i))
			}
		}
		ticks := rapid.Int64Range(0, at-pto+scale).Draw(t, "at")
		playing, ended := -1, -1
		for i := len(list) - 1; i >= 0; i-- {
			if list[i].t+list[i].d > pto+ticks {
				playing = i
			} else if ended < 0 {
				ended = i
			}
		}
		offset := 7*time.Second + toDuration(ticks, scale)
		s, err := r.At(offset)
		if (err == nil) != (playing >= 0) || err == nil && s.URL != url(playing) {
			t.Fatalf("at %d ticks: %+v, %v; want segment %d", ticks, s, err, playing)
		}
		s, err = r.LiveEdge(start.Add(offset))
		if (err == nil) != (ended >= 0) || err == nil && s.URL != url(ended) {
			t.Fatalf("live edge at %d ticks: %+v, %v; want segment %d", ticks, s, err, ended)
		}
	})
}

// TestTicks: turning ticks into a duration and back loses nothing, at all
// timescales up to a tick a nanosecond.
func TestTicks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scale := rapid.Int64Range(1, 1_000_000_000).Draw(t, "timescale")
		ticks := rapid.Int64Range(0, int64(maxSpan/time.Second)*scale/2).Draw(t, "ticks")
		if got := toTicks(toDuration(ticks, scale), scale); got != ticks {
			t.Fatalf("%d ticks came back as %d", ticks, got)
		}
	})
}
