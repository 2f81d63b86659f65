package hls

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const base = "https://cdn.example/live/ch1/index.m3u8?token=s3cret"

func lines(l ...string) string { return strings.Join(l, "\n") + "\n" }

// mustMedia parses a media playlist that has to be sound.
func mustMedia(t *testing.T, body string) *Media {
	t.Helper()
	p, err := Parse(base, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if p.Media == nil || p.Multivariant != nil {
		t.Fatalf("not exactly a media playlist: %+v", p)
	}
	return p.Media
}

func mustMulti(t *testing.T, body string) *Multivariant {
	t.Helper()
	p, err := Parse(base, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if p.Multivariant == nil || p.Media != nil {
		t.Fatalf("not exactly a multivariant playlist: %+v", p)
	}
	return p.Multivariant
}

func TestMultivariant(t *testing.T) {
	m := mustMulti(t, lines("#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-INDEPENDENT-SEGMENTS",
		"#EXT-X-START:TIME-OFFSET=-12.5,PRECISE=YES",
		`#EXT-X-CONTENT-STEERING:SERVER-URI="/steer?v=1",PATHWAY-ID="a"`,
		`#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="skd://k",KEYFORMAT="com.apple.streamingkeydelivery"`,
		`#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="English",LANGUAGE="en",AUTOSELECT=YES,URI="en.m3u8",CHANNELS="2"`,
		`#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="Portuguese",LANGUAGE="pt",DEFAULT=YES,AUTOSELECT=YES,URI="pt.m3u8"`,
		`#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC1",INSTREAM-ID="CC1"`,
		`#EXT-X-STREAM-INF:BANDWIDTH=2450000,AVERAGE-BANDWIDTH=2000000,RESOLUTION=1280x720,FRAME-RATE=29.970,CODECS="avc1.64001f, mp4a.40.2",AUDIO="aac",CLOSED-CAPTIONS="cc",PATHWAY-ID="a",VIDEO-RANGE=SDR,SCORE=2.5`,
		"720/index.m3u8",
		`#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS="mp4a.40.5",CLOSED-CAPTIONS=NONE`, "",
		"# a comment", "//b.example/audio.m3u8",
		`#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=100000,RESOLUTION=640x360,URI="../iframe.m3u8"`))
	want := &Multivariant{
		Version: 6, IndependentSegments: true,
		Start:    &Start{TimeOffset: -12500 * time.Millisecond, Precise: true},
		Steering: &Steering{ServerURI: "https://cdn.example/steer?v=1", PathwayID: "a"},
		Variants: []Variant{
			{URI: "https://cdn.example/live/ch1/720/index.m3u8", Bandwidth: 2450000, AverageBandwidth: 2000000, Score: 2.5,
				Width: 1280, Height: 720, Codecs: []string{"avc1.64001f", "mp4a.40.2"}, FrameRate: 29.97, VideoRange: "SDR",
				PathwayID: "a", AudioGroup: "aac", ClosedCaptions: "cc"},
			{URI: "https://b.example/audio.m3u8", Bandwidth: 64000, Codecs: []string{"mp4a.40.5"}, ClosedCaptions: "NONE"},
		},
		IFrames: []Variant{{URI: "https://cdn.example/live/iframe.m3u8", Bandwidth: 100000, Width: 640, Height: 360}},
		Renditions: []Rendition{
			{Type: "AUDIO", URI: "https://cdn.example/live/ch1/en.m3u8", Group: "aac", Name: "English", Language: "en", Autoselect: true, Channels: "2"},
			{Type: "AUDIO", URI: "https://cdn.example/live/ch1/pt.m3u8", Group: "aac", Name: "Portuguese", Language: "pt", Autoselect: true, Default: true},
			{Type: "CLOSED-CAPTIONS", Group: "cc", Name: "CC1", InstreamID: "CC1"},
		},
		SessionKeys: []Key{{Method: MethodSampleAES, URI: "skd://k", Format: "com.apple.streamingkeydelivery"}},
	}
	if d := cmp.Diff(want, m); d != "" {
		t.Error(d)
	}
	if a := m.AudioFor(&m.Variants[0]); a == nil || a.Name != "Portuguese" {
		t.Errorf("AudioFor: %+v", a)
	}
	if a := m.AudioFor(&m.Variants[1]); a != nil {
		t.Errorf("AudioFor without a group: %+v", a)
	}
	if m.Variants[0].AudioOnly() || !m.Variants[1].AudioOnly() {
		t.Error("AudioOnly")
	}
}

func TestMediaLowLatency(t *testing.T) {
	m := mustMedia(t, lines("#EXTM3U", "#EXT-X-TARGETDURATION:4", "#EXT-X-VERSION:9", "#EXT-X-PART-INF:PART-TARGET=0.5",
		"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5,HOLD-BACK=12.0,CAN-SKIP-UNTIL=24.0",
		"#EXT-X-MEDIA-SEQUENCE:266", "#EXT-X-DISCONTINUITY-SEQUENCE:3", `#EXT-X-MAP:URI="init.mp4"`,
		"#EXT-X-PROGRAM-DATE-TIME:2026-11-23T10:00:00.500Z",
		`#EXT-X-PART:DURATION=0.5,URI="266.0.mp4",INDEPENDENT=YES`, `#EXT-X-PART:DURATION=0.5,URI="266.1.mp4"`,
		"#EXTINF:4.00008,", "266.mp4",
		"#EXT-X-GAP", "#EXTINF:4,a title, with comma", "267.mp4",
		`#EXT-X-PART:DURATION=0.5,URI="268.0.mp4",INDEPENDENT=YES,GAP=YES`,
		`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="268.1.mp4"`,
		`#EXT-X-RENDITION-REPORT:URI="../1M/index.m3u8",LAST-MSN=267,LAST-PART=1`))
	const dir = "https://cdn.example/live/ch1/"
	at := time.Date(2026, 11, 23, 10, 0, 0, 5e8, time.UTC)
	init := &Map{URI: dir + "init.mp4"}
	want := &Media{
		Version: 9, TargetDuration: 4 * time.Second, MediaSequence: 266, DiscontinuitySequence: 3, PartTarget: 500 * time.Millisecond,
		ServerControl: ServerControl{CanBlockReload: true, PartHoldBack: 1500 * time.Millisecond, HoldBack: 12 * time.Second, CanSkipUntil: 24 * time.Second},
		Segments: []Segment{
			{URI: dir + "266.mp4", Duration: 4000080 * time.Microsecond, Sequence: 266, Map: init, ProgramDateTime: at,
				Parts: []Part{{URI: dir + "266.0.mp4", Duration: 5e8, Independent: true}, {URI: dir + "266.1.mp4", Duration: 5e8}}},
			{URI: dir + "267.mp4", Duration: 4 * time.Second, Title: "a title, with comma", Sequence: 267, Map: init, Gap: true, ProgramDateTime: at.Add(4000080 * time.Microsecond)},
		},
		Parts: []Part{{URI: dir + "268.0.mp4", Duration: 5e8, Independent: true, Gap: true}},
		Hints: []PreloadHint{{Type: "PART", URI: dir + "268.1.mp4"}},
		Partial: &Segment{Sequence: 268, Map: init, Parts: []Part{{URI: dir + "268.0.mp4", Duration: 5e8, Independent: true, Gap: true}},
			ProgramDateTime: at.Add(8000080 * time.Microsecond)},
		Reports: []Report{{URI: "https://cdn.example/live/1M/index.m3u8", LastMSN: 267, LastPart: 1}},
	}
	if d := cmp.Diff(want, m); d != "" {
		t.Error(d)
	}
	if !m.Live() || !m.LowLatency() || m.HoldBack() != 12*time.Second || m.Duration() != 8500080*time.Microsecond {
		t.Error("live, low latency, 12 s, 8.50008 s:", m.Live(), m.LowLatency(), m.HoldBack(), m.Duration())
	}
	if end, ok := m.EndTime(); !ok || !end.Equal(at.Add(8500080*time.Microsecond)) {
		t.Error("EndTime:", end, ok)
	}
	for offset, want := range map[time.Duration]int{-1: 0, 0: 0, 4000079 * time.Microsecond: 0, 4000080 * time.Microsecond: 1, time.Hour: 1} {
		if got := m.SegmentAt(offset); got != want {
			t.Errorf("SegmentAt(%v) = %d, want %d", offset, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	inf := "#EXTINF:4,\n"
	for _, tt := range []struct {
		name, body string
		class      error
		say        string
	}{
		{"nothing", "", ErrInvalid, "index.m3u8: the body is empty"},
		{"white space", " \n", ErrInvalid, "the body is empty"},
		{"HTML", "<!doctype html><html>", ErrInvalid, "HTML or XML"},
		{"JSON", `{"error":"not found"}`, ErrInvalid, "does not begin with #EXTM3U"},
		{"TS", "G\x00\x11\x10\x00", ErrInvalid, "binary"},
		{"longer first word", "#EXTM3U8\n", ErrInvalid, "does not begin"},
		{"head only", "#EXTM3U\n", ErrEmpty, "without segments"},
		{"plain M3U", "#EXTM3U\nsong.mp3\n", ErrInvalid, "without any tag"},
		{"no variants", "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"n\"\n", ErrEmpty, "without variants"},
		{"I-frames only are no variants", "#EXTM3U\n#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"i\"\n", ErrEmpty, "without variants"},
		{"live without segments", "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:7\n", ErrEmpty, "without segments"},
		{"gaps only", "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-GAP\n" + inf + "a.ts\n", ErrEmpty, "gaps only"},
		{"4.1 both kinds", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n" + inf + "a.ts\n", ErrInvalid, "both kinds"},
		{"4.4.4.1 EXTINF", "#EXTM3U\n#EXTINF:abc,\na.ts\n", ErrInvalid, `line 2: EXTINF is not a duration: "abc"`},
		{"EXTINF NaN", "#EXTM3U\n#EXTINF:NaN,\na.ts\n", ErrInvalid, "line 2"},
		{"EXTINF too long", "#EXTM3U\n#EXTINF:1e9,\na.ts\n", ErrInvalid, "line 2"},
		{"EXTINF negative", "#EXTM3U\n#EXTINF:-1,\na.ts\n", ErrInvalid, "line 2"},
		{"4.4.4.2 range without offset first", "#EXTM3U\n" + inf + "#EXT-X-BYTERANGE:10\na.ts\n", ErrInvalid, "line 4: a byte range without an offset"},
		{"4.4.4.2 range of another resource", "#EXTM3U\n" + inf + "#EXT-X-BYTERANGE:10@0\na.ts\n" + inf + "#EXT-X-BYTERANGE:10\nb.ts\n", ErrInvalid, "line 7"},
		{"4.4.4.2 range after the whole", "#EXTM3U\n" + inf + "#EXT-X-BYTERANGE:10@0\na.ts\n" + inf + "a.ts\n" + inf + "#EXT-X-BYTERANGE:10\na.ts\n", ErrInvalid, "line 9"},
		{"range not a number", "#EXTM3U\n" + inf + "#EXT-X-BYTERANGE:x@0\na.ts\n", ErrInvalid, "line 3"},
		{"range overflows", "#EXTM3U\n" + inf + "#EXT-X-BYTERANGE:9223372036854775807@1\na.ts\n", ErrInvalid, "line 3"},
		{"4.4.4.4 no METHOD", "#EXTM3U\n#EXT-X-KEY:URI=\"k\"\n" + inf + "a.ts\n", ErrInvalid, "line 2: EXT-X-KEY without METHOD"},
		{"4.4.4.4 no URI", "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128\n" + inf + "a.ts\n", ErrInvalid, "without URI"},
		{"4.4.4.4 IV", "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0xZZ\n" + inf + "a.ts\n", ErrInvalid, "IV"},
		{"4.4.4.5 no URI", "#EXTM3U\n#EXT-X-MAP:BYTERANGE=\"1@0\"\n" + inf + "a.ts\n", ErrInvalid, "EXT-X-MAP without URI"},
		{"4.3 variable not defined", "#EXTM3U\n" + inf + "{$host}/a.ts\n", ErrInvalid, `variable "{$host}" is not defined`},
		{"not a URI", "#EXTM3U\n" + inf + "http://[::1/a.ts\n", ErrInvalid, "not a URI"},
		{"long line", "#EXTM3U\n#" + strings.Repeat("x", MaxLine) + "\n", ErrTooLarge, "line 2"},
		{"attributes", "#EXTM3U\n#EXT-X-MAP:" + strings.Repeat("A=1,", MaxAttributes+1) + "\n", ErrTooLarge, "attributes"},
		{"bytes", "#EXTM3U\n" + strings.Repeat("\n", MaxBytes), ErrTooLarge, "bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse(base, []byte(tt.body))
			if !errors.Is(err, tt.class) {
				t.Fatalf("got %v, want %v", err, tt.class)
			}
			if !strings.Contains(err.Error(), tt.say) || !strings.HasPrefix(err.Error(), "hls: https://cdn.example/live/ch1/index.m3u8") {
				t.Errorf("%v does not say %q of the playlist", err, tt.say)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%v tells the token", err)
			}
			if (p != nil) != (tt.class == ErrEmpty) {
				t.Errorf("playlist %+v with %v", p, err)
			}
		})
	}
}
