package dash

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// long is a live MPD whose timeline lists n segments one by one.
func long(n int) []byte {
	var b strings.Builder
	b.WriteString(`<AdaptationSet mimeType="video/mp4"><SegmentTemplate timescale="90000" media="$RepresentationID$/$Time$.m4s"><SegmentTimeline>`)
	for i := range n {
		fmt.Fprintf(&b, "<S t=\"%d\" d=\"%d\"/>\n", i*180000, 180000-i%2)
	}
	b.WriteString(`</SegmentTimeline></SegmentTemplate><Representation id="v1" bandwidth="800000"/><Representation id="v2" bandwidth="2400000"/></AdaptationSet>`)
	return []byte(mpd(`type="dynamic" availabilityStartTime="2026-11-01T00:00:00Z"`, b.String()))
}

// TestLong: a window of 100 000 segments, each an element of its own.
func TestLong(t *testing.T) {
	const n = 100_000
	m := mustParse(t, string(long(n)))
	r := &m.Periods[0].AdaptationSets[0].Representations[1]
	s, err := r.Last()
	if err != nil || s.Number != n || s.Start != (n-1)*2*time.Second {
		t.Errorf("%+v, %v", s, err)
	}
}

func BenchmarkParse(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			body := long(n)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(base, body); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/segment")
		})
	}
}

// BenchmarkLiveEdge: finding a segment does not depend on how many there are.
func BenchmarkLiveEdge(b *testing.B) {
	for _, n := range []int{10, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m, err := Parse(base, long(n))
			if err != nil {
				b.Fatal(err)
			}
			r := &m.Periods[0].AdaptationSets[0].Representations[0]
			now := m.AvailabilityStart.Add(time.Duration(n) * time.Second)
			b.ReportAllocs()
			for b.Loop() {
				if s, err := r.LiveEdge(now); err != nil || s.Number != int64(n)/2 {
					b.Fatal(s, err)
				}
			}
		})
	}
}
