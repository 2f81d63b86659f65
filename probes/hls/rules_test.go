package hls

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const dir = "https://cdn.example/live/ch1/"

// show writes down what matters of a segment, for the tables below.
func show(s *Segment) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %v %s", s.Sequence, s.Duration, strings.TrimPrefix(s.URI, dir))
	if !s.ByteRange.IsWhole() {
		fmt.Fprintf(&b, " [%d+%d]", s.ByteRange.Offset, s.ByteRange.Length)
	}
	if s.Map != nil {
		fmt.Fprintf(&b, " map=%s[%d+%d]", strings.TrimPrefix(s.Map.URI, dir), s.Map.ByteRange.Offset, s.Map.ByteRange.Length)
		if s.Map.Key != nil {
			fmt.Fprintf(&b, "/%s", strings.TrimPrefix(s.Map.Key.URI, dir))
		}
	}
	if s.Key != nil {
		fmt.Fprintf(&b, " key=%s %s of %d iv=%x", s.Key.Method, strings.TrimPrefix(s.Key.URI, dir), len(s.Keys), s.IV())
	}
	if s.Discontinuity {
		b.WriteString(" disc")
	}
	if s.Gap {
		b.WriteString(" gap")
	}
	return b.String()
}

// TestSegments holds the rules of sections 4.4.4 and 6.3, one a row.
func TestSegments(t *testing.T) {
	for _, tt := range []struct {
		name string
		body []string
		want []string
	}{
		{"4.4.3.2 sequence numbers count up from EXT-X-MEDIA-SEQUENCE",
			[]string{"#EXT-X-MEDIA-SEQUENCE:41", "#EXTINF:4,", "a.ts", "#EXTINF:3.5,", "b.ts"},
			[]string{"41 4s a.ts", "42 3.5s b.ts"}},
		{"4.4.3.2 without the tag from 0", []string{"#EXTINF:4,", "a.ts"}, []string{"0 4s a.ts"}},
		{"4.4.3.2 a late EXT-X-MEDIA-SEQUENCE still counts",
			[]string{"#EXTINF:4,", "a.ts", "#EXT-X-MEDIA-SEQUENCE:9"}, []string{"9 4s a.ts"}},
		{"4.4.5.2 skipped segments are counted",
			[]string{"#EXT-X-MEDIA-SEQUENCE:10", "#EXT-X-SKIP:SKIPPED-SEGMENTS=3", "#EXTINF:4,", "d.ts"}, []string{"13 4s d.ts"}},
		{"4.4.4.2 a range continues the one before it",
			[]string{"#EXTINF:4,", "#EXT-X-BYTERANGE:100@20", "a.ts", "#EXTINF:4,", "#EXT-X-BYTERANGE:50", "a.ts", "#EXTINF:4,", "#EXT-X-BYTERANGE:7@0", "a.ts", "#EXTINF:4,", "#EXT-X-BYTERANGE:1", "a.ts"},
			[]string{"0 4s a.ts [20+100]", "1 4s a.ts [120+50]", "2 4s a.ts [0+7]", "3 4s a.ts [7+1]"}},
		{"4.4.4.2 a range is of one segment only",
			[]string{"#EXTINF:4,", "#EXT-X-BYTERANGE:100@20", "a.ts", "#EXTINF:4,", "b.ts"},
			[]string{"0 4s a.ts [20+100]", "1 4s b.ts"}},
		{"4.4.4.3 a discontinuity leaves map and key in force",
			[]string{`#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x1`, `#EXT-X-MAP:URI="i"`, "#EXTINF:4,", "a", "#EXT-X-DISCONTINUITY", "#EXTINF:4,", "b"},
			[]string{"0 4s a map=i[0+0]/k key=AES-128 k of 1 iv=00000000000000000000000000000001",
				"1 4s b map=i[0+0]/k key=AES-128 k of 1 iv=00000000000000000000000000000001 disc"}},
		{"5.2 without IV the media sequence number, big endian",
			[]string{"#EXT-X-MEDIA-SEQUENCE:258", `#EXT-X-KEY:METHOD=AES-128,URI="k"`, "#EXTINF:4,", "a"},
			[]string{"258 4s a key=AES-128 k of 1 iv=00000000000000000000000000000102"}},
		{"4.4.4.4 NONE ends encryption, and a map keeps the key it was under",
			[]string{`#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0xF`, `#EXT-X-MAP:URI="i",BYTERANGE="800@0"`, "#EXTINF:4,", "a", "#EXT-X-KEY:METHOD=NONE", "#EXTINF:4,", "b"},
			[]string{"0 4s a map=i[0+800]/k key=AES-128 k of 1 iv=0000000000000000000000000000000f", "1 4s b map=i[0+800]/k"}},
		{"4.4.4.4 a clear map before the key is clear",
			[]string{`#EXT-X-MAP:URI="i"`, `#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0xF`, "#EXTINF:4,", "a"},
			[]string{"0 4s a map=i[0+0] key=AES-128 k of 1 iv=0000000000000000000000000000000f"}},
		{"4.4.4.4 formats stand side by side, the identity one is usable",
			[]string{`#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://x",KEYFORMAT="com.apple.streamingkeydelivery"`, `#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k1",IV=0x1`, "#EXTINF:4,", "a",
				`#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k2",IV=0x2`, "#EXTINF:4,", "b"},
			[]string{"0 4s a key=SAMPLE-AES k1 of 2 iv=00000000000000000000000000000001", "1 4s b key=SAMPLE-AES k2 of 2 iv=00000000000000000000000000000002"}},
		{"4.4.4.7 a gap is of one segment", []string{"#EXT-X-GAP", "#EXTINF:4,", "a", "#EXTINF:4,", "b"}, []string{"0 4s a gap", "1 4s b"}},
		{"4.4.2.3 and 4.3 variables in URI lines, quoted and hexadecimal values",
			[]string{`#EXT-X-DEFINE:NAME="h",VALUE="//b.example"`, `#EXT-X-DEFINE:NAME="n-_1",VALUE="{$h}"`, `#EXT-X-DEFINE:NAME="iv",VALUE="AB"`, `#EXT-X-DEFINE:QUERYPARAM="token"`,
				`#EXT-X-KEY:METHOD=AES-128,URI="{$h}/k",IV=0x{$iv}`, "#EXTINF:4,", "{$n-_1}/a?t={$token}&x={$}"},
			[]string{"0 4s https://b.example/a?t=s3cret&x={$} key=AES-128 https://b.example/k of 1 iv=000000000000000000000000000000ab"}},
		{"6.3.1 unknown tags and comments are ignored",
			[]string{"#EXT-X-FUTURE:A=1", "# comment", "#EXTINF:4,", "#EXT-OATCLS-SCTE35:abc", "", "a"}, []string{"0 4s a"}},
		{"4.4.4.1 an EXTINF without a comma", []string{"#EXTINF:4", "a"}, []string{"0 4s a"}},
		{"a URI without its EXTINF is left out", []string{"stray.ts", "#EXTINF:4,", "a"}, []string{"0 4s a"}},
		{"CRLF and trailing space", []string{"#EXTINF:4,\r", "a.ts \r"}, []string{"0 4s a.ts"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := mustMedia(t, lines(append([]string{"#EXTM3U", "#EXT-X-TARGETDURATION:4"}, tt.body...)...))
			var got []string
			for i := range m.Segments {
				got = append(got, show(&m.Segments[i]))
			}
			if strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// TestFaults: what players play is played, and what was wrong is said.
func TestFaults(t *testing.T) {
	const rest = "#EXTINF:4,\na\n"
	const td = "#EXT-X-TARGETDURATION:4\n"
	for _, tt := range []struct {
		name, body string
		kind       FaultKind // empty: none
		line       int
	}{
		{"sound", "#EXTM3U\n" + td + rest, "", 0},
		{"byte order mark", "\xef\xbb\xbf#EXTM3U\n" + td + rest, FaultBOM, 0},
		{"leading space", "\n \n#EXTM3U\n" + td + rest, FaultLeadingSpace, 2},
		{"latin-1", "#EXTM3U\n" + td + "#EXTINF:4,caf\xe9\na\n", FaultEncoding, 0},
		{"space in a URI", "#EXTM3U\n" + td + "#EXTINF:4,\na b.ts\n", FaultEncoding, 4},
		{"stray percent", "#EXTM3U\n" + td + "#EXTINF:4,\n100%.ts\n", FaultEncoding, 4},
		{"4.4.3.1 no target duration", "#EXTM3U\n" + rest, FaultTargetDuration, 0},
		{"4.4.3.1 unreadable target duration", "#EXTM3U\n#EXT-X-TARGETDURATION:soon\n" + rest, FaultTargetDuration, 2},
		{"4.4.3.1 a segment rounds above it", "#EXTM3U\n" + td + "#EXTINF:4.5,\na\n", FaultLongSegment, 4},
		{"4.4.3.1 a segment rounds down to it", "#EXTM3U\n" + td + "#EXTINF:4.499,\na\n", "", 0},
		{"target duration twice", "#EXTM3U\n" + td + td + rest, FaultRepeated, 3},
		{"media sequence twice", "#EXTM3U\n" + td + "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-MEDIA-SEQUENCE:2\n" + rest, FaultRepeated, 4},
		{"target duration of nothing", "#EXTM3U\n#EXT-X-TARGETDURATION:0\n" + rest, FaultValue, 2},
		{"version twice", "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-VERSION:3\n" + td + rest, FaultRepeated, 3},
		{"end twice", "#EXTM3U\n" + td + rest + "#EXT-X-ENDLIST\n#EXT-X-ENDLIST\n", FaultRepeated, 6},
		{"late discontinuity sequence", "#EXTM3U\n" + td + rest + "#EXT-X-DISCONTINUITY-SEQUENCE:1\n", FaultDisorder, 5},
		{"4.4.3.2 late media sequence", "#EXTM3U\n" + td + rest + "#EXT-X-MEDIA-SEQUENCE:1\n", FaultLate, 5},
		{"4.4.2.3 defined twice", "#EXTM3U\n" + td + "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"1\"\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"2\"\n" + rest, FaultDefine, 4},
		{"4.4.2.3 import from nowhere", "#EXTM3U\n" + td + "#EXT-X-DEFINE:IMPORT=\"a\"\n" + rest, FaultDefine, 3},
		{"4.4.2.3 no such query parameter", "#EXTM3U\n" + td + "#EXT-X-DEFINE:QUERYPARAM=\"a\"\n" + rest, FaultDefine, 3},
		{"4.4.4.5 map range without offset", "#EXTM3U\n" + td + "#EXT-X-MAP:URI=\"i\",BYTERANGE=\"9\"\n" + rest, FaultValue, 3},
		{"4.4.4.5 encrypted map without IV", "#EXTM3U\n" + td + "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-MAP:URI=\"i\"\n" + rest, FaultValue, 4},
		{"date without zone", "#EXTM3U\n" + td + "#EXT-X-PROGRAM-DATE-TIME:2026-11-23T10:00:00\n" + rest, FaultValue, 3},
		{"quote without end", "#EXTM3U\n" + td + "#EXT-X-MAP:URI=\"i\n" + rest, FaultValue, 3},
		{"EXTINF without URI", "#EXTM3U\n" + td + "#EXTINF:3,\n" + rest, FaultOrphan, 4},
		{"variant without BANDWIDTH", "#EXTM3U\n#EXT-X-STREAM-INF:RESOLUTION=1x1\na\n", FaultValue, 2},
		{"variant without URI", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n", FaultOrphan, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse(base, []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			var got Faults
			if p.Media != nil {
				got = p.Media.Faults
			} else {
				got = p.Multivariant.Faults
			}
			switch {
			case tt.kind == "" && len(got) > 0:
				t.Errorf("faults %v", got)
			case tt.kind != "" && (len(got) != 1 || !got.Has(tt.kind) || got[0].Line != tt.line):
				t.Errorf("got %v, want one %s in line %d", got, tt.kind, tt.line)
			}
		})
	}
	m := mustMedia(t, "#EXTM3U\n"+td+strings.Repeat("stray\n", 10*MaxFaults)+rest)
	if len(m.Faults) != MaxFaults {
		t.Errorf("%d faults kept, want %d", len(m.Faults), MaxFaults)
	}
}

// TestTargetDurationMissing: the longest segment stands in for it.
func TestTargetDurationMissing(t *testing.T) {
	m := mustMedia(t, "#EXTM3U\n#EXTINF:5.6,\na\n#EXTINF:3,\nb\n")
	if m.TargetDuration != 6*time.Second || m.HoldBack() != 18*time.Second {
		t.Error(m.TargetDuration, m.HoldBack())
	}
}

// TestProgramDateTime: 4.4.4.6, reckoned forwards and backwards by durations.
func TestProgramDateTime(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	m := mustMedia(t, lines("#EXTM3U", "#EXT-X-TARGETDURATION:4", "#EXTINF:4,", "a", "#EXTINF:2,", "b",
		"#EXT-X-PROGRAM-DATE-TIME:2026-11-23T12:00:00.000+02:00", "#EXTINF:4,", "c", "#EXTINF:4,", "d",
		"#EXT-X-DISCONTINUITY", "#EXT-X-PROGRAM-DATE-TIME:2026-11-23T11:00:00Z", "#EXTINF:4,", "e"))
	for i, want := range []time.Duration{-6 * time.Second, -2 * time.Second, 0, 4 * time.Second, time.Hour} {
		if got := m.Segments[i].ProgramDateTime; !got.Equal(at.Add(want)) {
			t.Errorf("segment %d at %v, want %v", i, got, at.Add(want))
		}
	}
}

// TestParseMedia: what a media playlist has from its multivariant playlist.
func TestParseMedia(t *testing.T) {
	multi := mustMulti(t, lines("#EXTM3U", "#EXT-X-INDEPENDENT-SEGMENTS", "#EXT-X-START:TIME-OFFSET=5",
		`#EXT-X-DEFINE:NAME="auth",VALUE="k=1"`, "#EXT-X-STREAM-INF:BANDWIDTH=1", "v.m3u8?{$auth}"))
	if got := multi.Variants[0].URI; got != dir+"v.m3u8?k=1" {
		t.Error(got)
	}
	body := lines("#EXTM3U", "#EXT-X-TARGETDURATION:4", `#EXT-X-DEFINE:IMPORT="auth"`, "#EXTINF:4,", "a.ts?{$auth}")
	m, err := multi.ParseMedia(multi.Variants[0].URI, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if m.Segments[0].URI != dir+"a.ts?k=1" || !m.IndependentSegments || m.Start == nil || m.Start.TimeOffset != 5*time.Second {
		t.Errorf("%+v", m)
	}
	if _, err := Parse(base, []byte(body)); err == nil {
		t.Error("an import without a multivariant playlist was used without an error")
	}
	if _, err := multi.ParseMedia(base, []byte("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n")); err == nil {
		t.Error("a multivariant playlist passed for a media playlist")
	}
}

// TestAudioFor: which rendition a player without preferences plays (4.4.6.1).
func TestAudioFor(t *testing.T) {
	const a = `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",`
	for _, tt := range []struct {
		name string
		list []string
		want string // name, empty: none
	}{
		{"the default", []string{a + `NAME="1",URI="1"`, a + `NAME="2",URI="2",DEFAULT=YES`}, "2"},
		{"else one selected automatically", []string{a + `NAME="1",URI="1"`, a + `NAME="2",URI="2",AUTOSELECT=YES`}, "2"},
		{"else the first", []string{a + `NAME="1",URI="1"`, a + `NAME="2",URI="2"`}, "1"},
		{"a default without URI is in the variant", []string{a + `NAME="1",DEFAULT=YES`, a + `NAME="2",URI="2"`}, ""},
		{"of its own group only", []string{`#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="h",NAME="1",URI="1"`}, ""},
		{"of audio only", []string{`#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="g",NAME="1",URI="1"`}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := mustMulti(t, lines(append(append([]string{"#EXTM3U"}, tt.list...), `#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="g"`, "v")...))
			got := ""
			if r := m.AudioFor(&m.Variants[0]); r != nil {
				got = r.Name
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
