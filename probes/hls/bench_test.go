package hls

import (
	"fmt"
	"strings"
	"testing"
)

// long is a live playlist of n segments.
func long(n int, ranges bool) []byte {
	var b strings.Builder
	b.WriteString("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:1000\n#EXT-X-PROGRAM-DATE-TIME:2026-11-23T10:00:00.000Z\n#EXT-X-MAP:URI=\"init.mp4\"\n")
	for i := range n {
		if ranges {
			fmt.Fprintf(&b, "#EXTINF:6.006,\n#EXT-X-BYTERANGE:100000@%d\nvideo/all.mp4\n", i*100000)
		} else {
			fmt.Fprintf(&b, "#EXTINF:6.006,\nvideo/1080p/segment-%09d.m4s?sid=0123456789abcdef\n", i)
		}
	}
	return []byte(b.String())
}

// TestLong: a live playlist of 100 000 segments is read whole, with at most one
// allocation a segment, that of its URL.
func TestLong(t *testing.T) {
	const n = 100_000
	body := long(n, false)
	m := mustMedia(t, string(body))
	if len(m.Segments) != n || m.Segments[n-1].Sequence != 1000+n-1 || m.Segments[n-1].URI != dir+"video/1080p/segment-000099999.m4s?sid=0123456789abcdef" {
		t.Errorf("%d segments, the last %+v", len(m.Segments), m.Segments[len(m.Segments)-1])
	}
	allocs := testing.AllocsPerRun(1, func() { mustMedia(t, string(body)) })
	if allocs > n+200 {
		t.Errorf("%.0f allocations for %d segments", allocs, n)
	}
}

func BenchmarkParse(b *testing.B) {
	for _, ranges := range []bool{false, true} {
		for _, n := range []int{10, 1000, 100_000} {
			name := "urls"
			if ranges {
				name = "ranges"
			}
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				body := long(n, ranges)
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					p, err := Parse(base, body)
					if err != nil || len(p.Media.Segments) != n {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/segment")
			})
		}
	}
}
