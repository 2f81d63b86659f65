package hls

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// live is a live playlist of segments of 4 s from a media sequence number on,
// behind more header lines, and before more lines.
func live(sequence, n int, header, tail string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:%d\n%s", sequence, header)
	for i := range n {
		fmt.Fprintf(&b, "#EXTINF:4,\n%d.ts\n", sequence+i)
	}
	return b.String() + tail
}

const (
	lowLatency = "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24,PART-HOLD-BACK=1.5\n#EXT-X-PART-INF:PART-TARGET=0.5\n"
	part       = "#EXT-X-PART:DURATION=0.5,URI=\"p\"\n"
)

// TestFollow: what a copy of a live playlist says against the one before.
func TestFollow(t *testing.T) {
	for _, tt := range []struct {
		name         string
		before, then string
		advanced     bool
		err          error
	}{
		{"the same", live(10, 3, "", ""), live(10, 3, "", ""), false, nil},
		{"one segment more", live(10, 3, "", ""), live(11, 3, "", ""), true, nil},
		{"all new", live(10, 3, "", ""), live(20, 3, "", ""), true, nil},
		{"a part more", live(10, 3, lowLatency, part), live(10, 3, lowLatency, part+part), true, nil},
		{"the parts became a segment", live(10, 3, lowLatency, part+part), live(10, 4, lowLatency, ""), true, nil},
		{"it ended", live(10, 3, "", ""), live(10, 3, "", "#EXT-X-ENDLIST\n"), true, nil},
		{"the first is gone, nothing came", live(10, 3, "", ""), live(11, 2, "", ""), false, nil},
		{"6.2.2 the media sequence went back", live(11, 3, "", ""), live(10, 9, "", ""), false, ErrBackwards},
		{"an older copy", live(10, 4, "", ""), live(10, 3, "", ""), false, ErrBackwards},
		{"fewer parts", live(10, 3, lowLatency, part+part), live(10, 3, lowLatency, part), false, ErrBackwards},
		{"6.2.1 another target duration", live(10, 3, "", ""), strings.Replace(live(11, 3, "", ""), "DURATION:4", "DURATION:6", 1), true, ErrRewritten},
		{"6.2.1 another URI", live(10, 3, "", ""), strings.Replace(live(11, 3, "", ""), "12.ts", "x.ts", 1), true, ErrRewritten},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := mustMedia(t, tt.then)
			advanced, err := m.Follow(mustMedia(t, tt.before))
			if advanced != tt.advanced || !errors.Is(err, tt.err) {
				t.Errorf("advanced %v, %v; want %v, %v", advanced, err, tt.advanced, tt.err)
			}
		})
	}
}

// TestDelta: a delta update (4.4.5.2, 6.2.5.1) gives the same playlist as the
// whole one.
func TestDelta(t *testing.T) {
	const date = "#EXT-X-PROGRAM-DATE-TIME:2026-11-23T10:00:00Z\n"
	const initial = "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x1\n#EXT-X-MAP:URI=\"i\"\n" + date
	before := mustMedia(t, live(10, 6, lowLatency+initial, part))
	want := mustMedia(t, live(10, 7, lowLatency+initial, part))
	const skip = "#EXT-X-SKIP:SKIPPED-SEGMENTS=4\n"
	head := strings.Replace(live(10, 0, lowLatency, ""), "#EXT-X-PART-INF", skip+"#EXT-X-PART-INF", 1)
	delta := mustMedia(t, head+"#EXTINF:4,\n14.ts\n#EXTINF:4,\n15.ts\n#EXTINF:4,\n16.ts\n"+part)
	advanced, err := delta.Follow(before)
	if err != nil || !advanced {
		t.Fatal(advanced, err)
	}
	if d := cmp.Diff(show2(want), show2(delta)); d != "" {
		t.Errorf("(-whole +delta):\n%s", d)
	}
	for name, tail := range map[string]string{"more than it has": "7", "all it has, and more": "99"} {
		d := mustMedia(t, strings.Replace(head, "=4\n", "="+tail+"\n", 1)+"#EXTINF:4,\n17.ts\n")
		if _, err := d.Follow(before); !errors.Is(err, ErrSkipped) {
			t.Errorf("%s: %v, want %v", name, err, ErrSkipped)
		}
	}
	late := mustMedia(t, strings.Replace(head, "SEQUENCE:10", "SEQUENCE:9", 1)+"#EXTINF:4,\n17.ts\n")
	if _, err := late.Follow(before); !errors.Is(err, ErrSkipped) {
		t.Errorf("from before its first: %v, want %v", err, ErrSkipped)
	}
	clear := mustMedia(t, head+"#EXT-X-KEY:METHOD=NONE\n#EXTINF:4,\n14.ts\n")
	if _, err := clear.Follow(before); !errors.Is(err, ErrBackwards) {
		t.Fatal(err)
	}
	if s := clear.Segments[4]; s.Key != nil || s.Map == nil {
		t.Errorf("after METHOD=NONE: key %v, map %v", s.Key, s.Map)
	}
}

// show2 is a playlist's segments in words, with their dates.
func show2(m *Media) (out []string) {
	for i := range m.Segments {
		s := &m.Segments[i]
		out = append(out, show(s)+s.ProgramDateTime.Format(" 15:04:05"))
	}
	return append(out, show(m.Partial)+m.Partial.ProgramDateTime.Format(" 15:04:05"))
}

// TestDirectives: what is asked of a low-latency server (6.2.5, appendix C).
func TestDirectives(t *testing.T) {
	const u = "https://a.example/l.m3u8?z=1&_HLS_msn=1&A=2"
	ended := mustMedia(t, live(10, 3, lowLatency, "#EXT-X-ENDLIST\n"))
	blocking := "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n"
	for _, tt := range []struct {
		name string
		ask  func() (Directives, bool)
		want string // empty: nothing
	}{
		{"the next part", mustMedia(t, live(10, 3, lowLatency, part+part)).Next, "A=2&_HLS_msn=13&_HLS_part=2&z=1"},
		{"the first part of the next segment", mustMedia(t, live(10, 3, lowLatency, "")).Next, "A=2&_HLS_msn=13&_HLS_part=0&z=1"},
		{"the first part there is", mustMedia(t, live(0, 1, lowLatency, "")).Next, "A=2&_HLS_msn=1&_HLS_part=0&z=1"},
		{"the next segment, without parts", mustMedia(t, live(10, 3, blocking, "")).Next, "A=2&_HLS_msn=13&z=1"},
		{"nothing of a server that does not hold", mustMedia(t, live(10, 3, "", "")).Next, ""},
		{"nothing after the end", ended.Next, ""},
		{"another playlist, by its report", func() (Directives, bool) {
			return mustMedia(t, live(10, 3, lowLatency, part+"#EXT-X-RENDITION-REPORT:URI=\"b.m3u8\",LAST-MSN=13,LAST-PART=2\n")).Reported(dir + "b.m3u8")
		}, "A=2&_HLS_msn=13&_HLS_part=2&z=1"},
		{"another playlist without a report", func() (Directives, bool) {
			return mustMedia(t, live(10, 3, lowLatency, part)).Reported(dir + "b.m3u8")
		}, ""},
		{"tune-in, fresh", func() (Directives, bool) { return mustMedia(t, live(10, 3, lowLatency, part)).TuneIn(0) }, ""},
		{"tune-in, 1 s and what Age does not count", func() (Directives, bool) {
			return mustMedia(t, live(10, 3, lowLatency, part)).TuneIn(time.Second)
		}, "A=2&_HLS_msn=13&_HLS_part=4&z=1"},
		{"tune-in, 6 s", func() (Directives, bool) {
			return mustMedia(t, live(10, 3, lowLatency, part)).TuneIn(6 * time.Second)
		}, "A=2&_HLS_msn=14&_HLS_part=6&z=1"},
		{"tune-in, no further than the server answers", func() (Directives, bool) {
			return mustMedia(t, live(10, 3, lowLatency, part)).TuneIn(time.Hour)
		}, "A=2&_HLS_msn=16&_HLS_part=1&z=1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, ok := tt.ask()
			_, got, _ := strings.Cut(d.URL(u), "?")
			if ok != (tt.want != "") || ok && got != tt.want {
				t.Errorf("%q, %v; want %q", got, ok, tt.want)
			}
		})
	}
	if got := (Directives{Skip: true}).URL("https://a.example/l.m3u8"); got != "https://a.example/l.m3u8?_HLS_skip=YES" {
		t.Error(got)
	}
}

// TestReload: when a client asks again, and when the server is at fault (6.3.4,
// 6.2.1).
func TestReload(t *testing.T) {
	m := mustMedia(t, strings.Replace(live(10, 3, "", ""), "#EXTINF:4,\n12.ts", "#EXTINF:3,\n12.ts", 1))
	ll := mustMedia(t, live(10, 3, lowLatency, part))
	ended := mustMedia(t, live(10, 3, "", "#EXT-X-ENDLIST\n"))
	for _, tt := range []struct {
		name      string
		got, want time.Duration
	}{
		{"it had changed", m.ReloadAfter(true), 3 * time.Second},
		{"it had not", m.ReloadAfter(false), 2 * time.Second},
		{"parts", ll.ReloadAfter(true), 500 * time.Millisecond},
		{"it ended", ended.ReloadAfter(true), 0},
		{"stale", m.StaleAfter(), 6 * time.Second},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

// TestPartAt: where playback of a low-latency stream starts.
func TestPartAt(t *testing.T) {
	p := func(attrs string) string { return "#EXT-X-PART:DURATION=1,URI=\"p\"" + attrs + "\n" }
	const yes, gap = ",INDEPENDENT=YES", ",GAP=YES"
	// Segments of 4 s; of the third the parts are listed, then two of the fourth.
	list := func(header string, parts ...string) *Media {
		return mustMedia(t, live(0, 2, lowLatency+header, strings.Join(parts[:4], "")+"#EXTINF:4,\n2.ts\n"+strings.Join(parts[4:], "")))
	}
	marked := list("", p(yes), p(""), p(yes), p(""), p(yes), p(""))
	late := list("", p(""), p(""), p(yes), p(""), p(""), p(yes))
	unmarked := list("", p(""), p(""), p(""), p(""), p(""), p(""))
	gaps := list("", p(yes+gap), p(yes), p(yes+gap), p(""), p(gap), p(gap))
	const s = time.Second
	for _, tt := range []struct {
		name          string
		m             *Media
		at            time.Duration
		segment, part int
	}{
		{"a segment without parts", marked, 5 * s, 1, -1},
		{"before the start", marked, -s, 0, -1},
		{"a segment's first", marked, 9 * s, 2, 0},
		{"its second independent one", marked, 11 * s, 2, 2},
		{"of the partial segment", marked, 13 * s, 3, 0},
		{"beyond the end", marked, 60 * s, 3, 0},
		{"the first independent one comes later", late, 8 * s, 2, 2},
		{"INDEPENDENT-SEGMENTS makes the first one so", list("#EXT-X-INDEPENDENT-SEGMENTS\n", p(""), p(""), p(yes), p(""), p(""), p("")), 9 * s, 2, 0},
		{"none says so", unmarked, 11 * s, 2, 0},
		{"gaps", gaps, 11 * s, 2, 1},
		{"nothing but gaps", gaps, 12 * s, 3, -1},
		{"no segments yet", mustMedia(t, live(0, 0, lowLatency, p(yes)+p(""))), 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if segment, part := tt.m.PartAt(tt.at); segment != tt.segment || part != tt.part {
				t.Errorf("segment %d part %d, want %d and %d", segment, part, tt.segment, tt.part)
			}
		})
	}
}

// TestLowLatencyTags: what the tags of low latency say (4.4.3.7, 4.4.3.8,
// 4.4.4.9, 4.4.5.3, 4.4.5.4).
func TestLowLatencyTags(t *testing.T) {
	m := mustMedia(t, live(7, 2, lowLatency+"#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-MAP:URI=\"i\"\n#EXT-X-PROGRAM-DATE-TIME:2026-11-23T10:00:00Z\n",
		"#EXT-X-PART:DURATION=0.5,URI=\"f\",BYTERANGE=\"100@0\",INDEPENDENT=YES\n#EXT-X-PART:DURATION=0.25,URI=\"f\",BYTERANGE=\"50\",GAP=YES\n"+
			"#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"f\",BYTERANGE-START=150\n#EXT-X-RENDITION-REPORT:URI=\"../a.m3u8\",LAST-MSN=9,LAST-PART=1\n#EXT-X-RENDITION-REPORT:URI=\"b\",LAST-MSN=8\n"))
	if !m.LowLatency() || m.PartTarget != 500*time.Millisecond {
		t.Errorf("part target %v", m.PartTarget)
	}
	if c := m.ServerControl; c != (ServerControl{CanBlockReload: true, CanSkipUntil: 24 * time.Second, PartHoldBack: 1500 * time.Millisecond}) {
		t.Errorf("server control %+v", c)
	}
	parts := []Part{{URI: dir + "f", Duration: 500 * time.Millisecond, ByteRange: ByteRange{0, 100}, Independent: true},
		{URI: dir + "f", Duration: 250 * time.Millisecond, ByteRange: ByteRange{100, 50}, Gap: true}}
	if d := cmp.Diff(parts, m.Parts); d != "" {
		t.Error(d)
	}
	hints := []PreloadHint{{Type: "PART", URI: dir + "f", ByteRange: ByteRange{Offset: 150}}}
	reports := []Report{{"https://cdn.example/live/a.m3u8", 9, 1}, {dir + "b", 8, -1}}
	if d := cmp.Diff(hints, m.Hints) + cmp.Diff(reports, m.Reports); d != "" {
		t.Error(d)
	}
	if p := m.Partial; p == nil || p.Sequence != 9 || p.Map == nil || p.Key == nil || len(p.Parts) != 2 || !p.ProgramDateTime.Equal(time.Date(2026, 11, 23, 10, 0, 8, 0, time.UTC)) {
		t.Errorf("partial segment %+v", p)
	}
	if end, ok := m.EndTime(); !ok || !end.Equal(time.Date(2026, 11, 23, 10, 0, 8, 750e6, time.UTC)) {
		t.Errorf("ends at %v %v", end, ok)
	}
}

// FuzzFollow: whatever two copies of a playlist hold, one class of error, and
// sequence numbers that count up.
func FuzzFollow(f *testing.F) {
	whole := live(10, 6, lowLatency, part)
	delta := strings.Replace(live(10, 0, lowLatency, ""), "#EXT-X-PART-INF", "#EXT-X-SKIP:SKIPPED-SEGMENTS=4\n#EXT-X-PART-INF", 1) + "#EXTINF:4,\n14.ts\n"
	f.Add(whole, whole)
	f.Add(whole, delta)
	f.Add(delta, whole)
	f.Add(live(1, 2, "", ""), live(0, 2, "", ""))
	f.Add(whole, strings.Replace(delta, "=4", "=9223372036854775807", 1))
	f.Fuzz(func(t *testing.T, before, then string) {
		read := func(s string) *Media {
			if p, _ := Parse(base, []byte(s)); p != nil {
				return p.Media
			}
			return nil
		}
		prev, m := read(before), read(then)
		if prev == nil || m == nil {
			return
		}
		_, err := m.Follow(prev)
		if err != nil && !errors.Is(err, ErrBackwards) && !errors.Is(err, ErrRewritten) && !errors.Is(err, ErrSkipped) {
			t.Fatalf("an error of no class: %v", err)
		}
		if err == nil && m.Skipped != 0 {
			t.Fatal("what was skipped is not filled in")
		}
		if err == nil {
			checkMedia(t, m)
		}
	})
}
