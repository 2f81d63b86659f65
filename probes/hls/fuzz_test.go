package hls

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// seeds are playlists to begin from: those of testdata and some that are ill.
func seeds(tb testing.TB) [][]byte {
	tb.Helper()
	out := [][]byte{
		nil, []byte("#EXTM3U"), []byte("\xef\xbb\xbf \n#EXTM3U\r\n#EXTINF:1\na"), []byte("<html>"),
		[]byte("#EXTM3U\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"{$a}\"\n#EXTINF:1,\n{$a}{$a}"),
		[]byte("#EXTM3U\n#EXT-X-BYTERANGE:9223372036854775807\n#EXTINF:1,\na\n"),
		[]byte("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:18446744073709551615\n#EXT-X-SKIP:SKIPPED-SEGMENTS=9223372036854775807\n#EXTINF:1e308,\na\n"),
		[]byte("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x\n"),
		[]byte("#EXTM3U\n#EXT-X-STREAM-INF:A=\"\n%zz\n"),
	}
	files, err := filepath.Glob("testdata/*.m3u8")
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range files {
		body, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, body)
	}
	return out
}

// FuzzParse: whatever comes, exactly one kind of playlist or an error of one
// class, within the bounds, with sound numbers in it.
func FuzzParse(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := Parse(base, body)
		empty := errors.Is(err, ErrEmpty)
		if err != nil && !empty && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrTooLarge) {
			t.Fatalf("an error of no class: %v", err)
		}
		if err == nil || empty {
			if (p.Multivariant == nil) == (p.Media == nil) {
				t.Fatal("not exactly one kind")
			}
		} else if p != nil {
			t.Fatal("a playlist with an error")
		}
		switch {
		case p == nil:
		case p.Media != nil:
			checkMedia(t, p.Media)
		default:
			checkMultivariant(t, p.Multivariant)
		}
	})
}

func checkMedia(t *testing.T, m *Media) {
	if len(m.Faults) > MaxFaults || len(m.Segments) > MaxSegments || m.TargetDuration < 0 || m.Duration() < 0 {
		t.Fatalf("beyond its bounds: %d faults, %d segments, %v, %v", len(m.Faults), len(m.Segments), m.TargetDuration, m.Duration())
	}
	for i := range m.Segments {
		s := &m.Segments[i]
		if s.URI == "" || s.Duration < 0 || s.Sequence < 0 || s.ByteRange.Offset < 0 || s.ByteRange.Length < 0 ||
			i > 0 && s.Sequence != m.Segments[i-1].Sequence+1 || (s.Key == nil) != (len(s.Keys) == 0) {
			t.Fatalf("segment %d: %+v", i, s)
		}
		s.IV()
	}
	if got := m.SegmentAt(m.Duration() / 2); got < -1 || got >= len(m.Segments) {
		t.Fatal("SegmentAt", got)
	}
	m.EndTime()
	for _, at := range []time.Duration{-time.Hour, 0, m.Duration() / 2, m.Duration(), 1 << 62} {
		segment, part := m.PartAt(at)
		parts := m.Parts
		if segment < len(m.Segments) && len(m.Segments) > 0 {
			parts = m.Segments[max(segment, 0)].Parts
		}
		if segment < 0 || segment > len(m.Segments) || part >= len(parts) {
			t.Fatalf("PartAt(%v) is segment %d of %d, part %d of %d", at, segment, len(m.Segments), part, len(parts))
		}
	}
	if d, ok := m.TuneIn(time.Hour); ok && (d.MSN < 0 || d.Part < 0) {
		t.Fatalf("%+v", d)
	}
	if m.ReloadAfter(true) < 0 || m.StaleAfter() < 0 {
		t.Fatal("negative waits")
	}
	if m.Skipped == 0 {
		if advanced, err := m.Follow(m); advanced || err != nil {
			t.Fatalf("it does not follow itself: %v %v", advanced, err)
		}
	}
}

func checkMultivariant(t *testing.T, m *Multivariant) {
	for i := range m.Variants {
		v := &m.Variants[i]
		if v.URI == "" || v.Bandwidth < 0 || v.Width < 0 || v.Height < 0 || v.FrameRate < 0 {
			t.Fatalf("variant %+v", v)
		}
		if a := m.AudioFor(v); a != nil && a.URI == "" {
			t.Fatal("an audio rendition without a URI")
		}
	}
}

// FuzzResolve: the short way to an absolute URL and net/url's long way agree.
func FuzzResolve(f *testing.F) {
	bases := []string{base, "http://a.example", "http://u:p@a.example:8080/x/../y/m?q#f", "https://a.example/a%2Fb/c d/e.m3u8", "/local/x.m3u8", "file:///a/b"}
	for _, ref := range []string{"a.ts", "/a.ts", "//b.example/a", "../a", "./a", "?q", "#f", "", "a:b", "a/b:c", "https://b.example/x/../y", "http://b.example", "a%20b", "a%2", "a b", "a?x=a/../b", "a/..", "...", "data:,x", "é", "a//b", "http://b.example:99/a?b#c", "//", "///a", "[::1]", "a;b='c'", "http://B.example/x", "http://b.example/a:b"} {
		for i := range bases {
			f.Add(i, ref)
		}
	}
	f.Fuzz(func(t *testing.T, i int, ref string) {
		u := bases[uint(i)%uint(len(bases))]
		r, err := newResolver(u)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := r.resolve(ref)
		clean, _ := escape(ref)
		parsed, perr := url.Parse(clean)
		switch {
		case (err == nil) != (perr == nil):
			t.Fatalf("%q against %q: %q, %v; net/url says %v", ref, u, got, err, perr)
		case perr != nil:
		case parsed.Path == "*": // of which net/url forgets whether it was escaped
		case got != r.base.ResolveReference(parsed).String():
			t.Fatalf("%q against %q: %q; want %q", ref, u, got, r.base.ResolveReference(parsed))
		}
	})
}

// TestResolveEscapes: what is escaped stays so, and what must be is, beside it too.
func TestResolveEscapes(t *testing.T) {
	for _, tt := range []struct {
		base, ref, want string
		fixed           bool
	}{
		{"https://a.example/a%2Fb/c d/e.m3u8", "%2A", "https://a.example/a%2Fb/c%20d/%2A", false},
		{"https://a.example/x/e.m3u8", "a%2Fb c.ts", "https://a.example/x/a%2Fb%20c.ts", true},
		{"https://a.example/x/e.m3u8", "100%.ts?t={1|2}&n=a b", "https://a.example/x/100%25.ts?t={1|2}&n=a%20b", true},
		{"https://a.example/é/e.m3u8", "ü.ts", "https://a.example/%C3%A9/%C3%BC.ts", false},
		{"https://a.example/x/e.m3u8", "a\tb", "https://a.example/x/a%09b", true},
	} {
		r, err := newResolver(tt.base)
		if err != nil {
			t.Fatal(err)
		}
		if got, fixed, err := r.resolve(tt.ref); got != tt.want || fixed != tt.fixed || err != nil {
			t.Errorf("%q against %q: %q, %v, %v; want %q, %v", tt.ref, tt.base, got, fixed, err, tt.want, tt.fixed)
		}
	}
}

// TestHostile: what would blow up a careless parser.
func TestHostile(t *testing.T) {
	many := func(line string, n int) string { return "#EXTM3U\n" + strings.Repeat(line+"\n", n) }
	for _, tt := range []struct{ name, body string }{
		{"variants", many("#EXT-X-STREAM-INF:BANDWIDTH=1\na", MaxVariants+1)},
		{"I-frame streams", many(`#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="a"`, MaxVariants+1)},
		{"renditions", many(`#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g"`, MaxVariants+1)},
		{"session keys", many(`#EXT-X-SESSION-KEY:METHOD=AES-128,URI="k"`, MaxVariants+1)},
		{"segments", many("#EXTINF:1,\na", MaxSegments+1)},
		{"parts", many(`#EXT-X-PART:DURATION=1,URI="a"`, MaxSegments+1)},
		{"lines", many("", MaxLines)},
		{"a long variable in many lines", "#EXTM3U\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"" + strings.Repeat("x", MaxLine/2) + "\"\n" + strings.Repeat("#EXTINF:1,\n{$a}\n", 1000)},
		{"variables by substitution", "#EXTM3U\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"" + strings.Repeat("x", MaxLine/2) + "\"\n#EXTINF:1,\n{$a}{$a}{$a}\n"},
	} {
		if _, err := Parse(base, []byte(tt.body)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v, want %v", tt.name, err, ErrTooLarge)
		}
	}
	far := "https://cdn.example/" + strings.Repeat("x", 1<<20) + "/index.m3u8"
	if _, err := Parse(far, []byte(many("#EXTINF:1,\na", 1000))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("relative to a long URL: %.100v, want %v", err, ErrTooLarge)
	}
	// Each reference is looked at once: without that this takes minutes.
	if _, err := Parse(base, []byte(many("#EXTINF:1,\n"+strings.Repeat("{$", MaxLine/2), 20))); err != nil {
		t.Errorf("references without an end: %.100v", err)
	}
}
