package hls

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// write is a media playlist as a packager would write it.
func write(m *Media) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-TARGETDURATION:%d\n#EXT-X-MEDIA-SEQUENCE:%d\n", m.Version, m.TargetDuration/time.Second, m.MediaSequence)
	var key *Key
	var init *Map
	for i := range m.Segments {
		s := &m.Segments[i]
		if s.Key != key {
			if key = s.Key; key == nil {
				b.WriteString("#EXT-X-KEY:METHOD=NONE\n")
			} else {
				fmt.Fprintf(&b, "#EXT-X-KEY:METHOD=%s,URI=%q,IV=0x%X\n", key.Method, key.URI, key.IV)
			}
		}
		if s.Map != init {
			init = s.Map
			fmt.Fprintf(&b, "#EXT-X-MAP:URI=%q,BYTERANGE=\"%d@%d\"\n", init.URI, init.ByteRange.Length, init.ByteRange.Offset)
		}
		if s.Discontinuity {
			b.WriteString("#EXT-X-DISCONTINUITY\n")
		}
		if s.Gap {
			b.WriteString("#EXT-X-GAP\n")
		}
		if !s.ByteRange.IsWhole() {
			fmt.Fprintf(&b, "#EXT-X-BYTERANGE:%d", s.ByteRange.Length)
			prev := &m.Segments[max(i-1, 0)]
			if i == 0 || prev.URI != s.URI || prev.ByteRange.IsWhole() || prev.ByteRange.Offset+prev.ByteRange.Length != s.ByteRange.Offset {
				fmt.Fprintf(&b, "@%d", s.ByteRange.Offset)
			}
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "#EXTINF:%.6f,%s\n%s\n", s.Duration.Seconds(), s.Title, s.URI)
	}
	if m.EndList {
		b.WriteString("#EXT-X-ENDLIST\n")
	}
	return b.String()
}

// model draws a media playlist.
func model(t *rapid.T) *Media {
	m := &Media{
		Version: rapid.IntRange(1, 12).Draw(t, "version"), TargetDuration: 10 * time.Second,
		MediaSequence: rapid.Int64Range(0, 1<<60).Draw(t, "sequence"), EndList: rapid.Bool().Draw(t, "end"),
	}
	var key *Key
	var init *Map
	offset := int64(0)
	for i := range rapid.IntRange(1, 20).Draw(t, "segments") {
		if rapid.IntRange(0, 3).Draw(t, "key") == 0 {
			key = nil
			if rapid.Bool().Draw(t, "encrypted") {
				key = &Key{Method: MethodAES128, URI: fmt.Sprintf("https://k.example/%d", i), Format: KeyFormatIdentity, HasIV: true}
				copy(key.IV[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "iv"))
			}
		}
		if rapid.IntRange(0, 3).Draw(t, "map") == 0 {
			init = &Map{URI: "https://m.example/init.mp4", ByteRange: ByteRange{int64(i), rapid.Int64Range(1, 1<<40).Draw(t, "map length")}, Key: key}
		}
		s := Segment{
			URI:      "https://m.example/" + rapid.StringMatching(`[a-z]{1,2}`).Draw(t, "uri") + ".mp4?t=a%20b",
			Title:    rapid.StringMatching(`[a-z,= ]{0,8}[a-z]`).Draw(t, "title"),
			Duration: time.Duration(rapid.Int64Range(0, 10_000_000).Draw(t, "µs")) * time.Microsecond,
			Sequence: m.MediaSequence + int64(i), Map: init, Key: key,
			Discontinuity: rapid.Bool().Draw(t, "discontinuity"), Gap: i > 0 && rapid.Bool().Draw(t, "gap"),
		}
		if key != nil {
			s.Keys = []*Key{key}
		}
		if rapid.Bool().Draw(t, "range") {
			s.ByteRange = ByteRange{offset, rapid.Int64Range(1, 1<<40).Draw(t, "length")}
			offset += s.ByteRange.Length
		}
		m.Segments = append(m.Segments, s)
	}
	return m
}

// TestRoundTrip: what a packager wrote is what is read.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := model(t)
		text := write(want)
		p, err := Parse(base, []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if d := cmp.Diff(want, p.Media, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("%s\n%s", d, text)
		}
	})
}
