package report

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charmbracelet/lipgloss"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
	"github.com/muesli/termenv"
)

var update = flag.Bool("update", false, "write the golden files anew")

// played is a run as package probes makes it.
func played() run.Run {
	ttff, keyframe := 612.4, 540.2
	return run.Run{
		Target: "https://live.example/news/2026/channel/one/master.m3u8", CDN: "b", App: "web", AppVersion: "2.0.0", Player: "hlsjs@1.7.4",
		Format: "hls", Mode: "vod", OK: true, Good: true, TTFFMs: &ttff, FirstKeyframeMs: &keyframe, DurationMs: 612.4,
		CDNSeen: "fastly", POP: "GRU", POPCountry: "BR", POPCity: "São Paulo", EdgeIP: "203.0.113.7", HTTPVersion: "2", SegmentCacheStatus: run.CacheHit,
		Phases: run.Phases{DNSMs: 20, ConnectMs: 40, TLSMs: 42, ManifestMs: 61.4, PlaylistMs: 55, SegmentTTFBMs: 120, SegmentMs: 202, PlayerMs: 72},
		Steps: []run.Step{
			{Name: run.StepManifest, URL: "x", Attempt: 1, StartMs: 7, EndMs: 170.4, DNSMs: 20, ConnMs: 40, TLSMs: 42, WaitMs: 60, RecvMs: 1.4, Status: 200, Bytes: 1234},
			{Name: run.StepPlaylist, Track: run.TrackVideo, URL: "x", Attempt: 1, StartMs: 179.4, EndMs: 234.4, WaitMs: 54, RecvMs: 1, Status: 200, Bytes: 612},
			{Name: run.StepSegment, Track: run.TrackVideo, URL: "x", Attempt: 1, StartMs: 243.4, EndMs: 565.4, WaitMs: 120, RecvMs: 202, Status: 200, Bytes: 1_664_000},
			{Name: run.WaitPlayer, Track: run.TrackVideo, StartMs: 565.4, EndMs: 612.4},
		},
	}
}

// failed is a run that two tries at a segment ended.
func failed() run.Run {
	r := played()
	r.CDN, r.OK, r.Good, r.TTFFMs, r.FirstKeyframeMs = "c", false, false, nil, nil
	r.ErrorType, r.ErrorStep, r.ErrorDetail = run.ErrHTTP5xx, run.StepSegment, "GET https://live.example/news/2026/channel/one/360p/0.ts: 503 Service Unavailable"
	r.Steps = r.Steps[:2:2]
	r.Steps = append(r.Steps,
		run.Step{Name: run.StepSegment, Track: run.TrackVideo, URL: "x", Attempt: 1, StartMs: 243.4, EndMs: 303.4, WaitMs: 60, Status: 503, Error: run.ErrHTTP5xx},
		run.Step{Name: run.WaitRetry, Track: run.TrackVideo, StartMs: 303.4, EndMs: 1303.4},
		run.Step{Name: run.StepSegment, Track: run.TrackVideo, URL: "x", Attempt: 2, StartMs: 1303.4, EndMs: 1363.4, WaitMs: 60, Status: 503, Error: run.ErrHTTP5xx})
	r.DurationMs = 1363.4
	r.Phases = run.Phases{QueueMs: 1000, DNSMs: 20, ConnectMs: 40, TLSMs: 42, ManifestMs: 61.4, PlaylistMs: 55, SegmentTTFBMs: 120, PlayerMs: 25}
	return r
}

// raced is a run that connected to the second of two addresses at first, and
// then tried many.
func raced() run.Run {
	r := played()
	r.Steps[0].Connects = []string{"tcp [2001:db8::1]:443 20.0 82.1 overtaken", "tcp 203.0.113.7:443 42.0 82.0 connected"}
	for i := range 9 {
		r.Steps[1].Connects = append(r.Steps[1].Connects, fmt.Sprintf("quic 203.0.113.%d:443 %d.5 %d.5 connect: connection refused", i, 180+i, 181+i))
	}
	return r
}

func golden(t *testing.T, name string, draw func(*Printer) error, width int) {
	t.Helper()
	var b bytes.Buffer
	if err := draw(New(&b, width)); err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(b.String(), "\n") {
		if w := lipgloss.Width(line); w > max(width, minWidth) {
			t.Errorf("line %d is %d cells wide, more than %d: %q", i+1, w, width, line)
		}
	}
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestWaterfall(t *testing.T) {
	good, bad := played(), failed()
	golden(t, "good", func(p *Printer) error { return p.Waterfall(&good) }, 100)
	golden(t, "good-narrow", func(p *Printer) error { return p.Waterfall(&good) }, 60)
	golden(t, "good-40", func(p *Printer) error { return p.Waterfall(&good) }, 40)
	tried := raced()
	golden(t, "raced", func(p *Printer) error { return p.Waterfall(&tried) }, 100)
	golden(t, "raced-40", func(p *Printer) error { return p.Waterfall(&tried) }, 40)
	golden(t, "failed-60", func(p *Printer) error { return p.Waterfall(&bad) }, 60)
	golden(t, "failed", func(p *Printer) error { return p.Waterfall(&bad) }, 100)
	none := run.Run{Target: "film", CDN: "b", Connection: "cold", ErrorType: run.ErrInternal, ErrorStep: run.StepPlaybackAPI, ErrorDetail: "playback API: header Authorization cannot be sent: no FIRSTFRAME_SECRET_API in the environment"}
	golden(t, "not-begun", func(p *Printer) error { return p.Waterfall(&none) }, 100)
}

// Who asks for a private address is told how to allow it.
func TestHint(t *testing.T) {
	r := failed()
	r.ErrorType = run.ErrBlockedAddress
	var b bytes.Buffer
	if err := New(&b, 100).Waterfall(&r); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "--allow-private") {
		t.Errorf("no hint:\n%s", b.String())
	}
}

// Who asks DNS for another network sees whether it was heeded.
func TestClientSubnet(t *testing.T) {
	for scope, want := range map[string]string{
		"24":           "DNS asked for 200.147.3.0/24",
		"not answered": "DNS asked for 200.147.3.0/24, which it did not heed",
	} {
		r := played()
		r.Labels = map[string]string{"ecs": "200.147.3.0/24", "ecs_scope": scope}
		if got := about(&r); got[len(got)-1] != want {
			t.Errorf("scope %s: %q, want %q", scope, got[len(got)-1], want)
		}
	}
}

func TestLabel(t *testing.T) {
	for want, s := range map[string]run.Step{
		"manifest":          {Name: run.StepManifest, Track: "video", Attempt: 1},
		"segment audio #2":  {Name: run.StepSegment, Track: "audio", Attempt: 2},
		"… preflight":       {Name: run.StepManifest, Method: "OPTIONS", Attempt: 1},
		"… preflight video": {Name: run.StepSegment, Track: "video", Method: "OPTIONS", Attempt: 1},
		"playback_api":      {Name: run.StepPlaybackAPI, Method: "POST", Attempt: 1},
		"… retry delay":     {Name: run.WaitRetry},
	} {
		if got := label(&s); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAttempt(t *testing.T) {
	for text, want := range map[string]string{
		"tcp [2001:db8::1]:443 12.3 312.5 overtaken":               "[2001:db8::1]:443 overtaken 300 ms",
		"tcp 203.0.113.7:443 1 13 connect: connection refused":     "203.0.113.7:443 connection refused 12 ms",
		"quic 203.0.113.7:443 0 0 connected":                       "203.0.113.7:443 quic connected 0",
		"tcp 203.0.113.7:443 5 1 connected":                        "tcp 203.0.113.7:443 5 1 connected",
		"tcp 203.0.113.7:443 NaN +Inf connected":                   "tcp 203.0.113.7:443 NaN +Inf connected",
		"":                                                         "",
		"whatever a later version says":                            "whatever a later version says",
		"tcp 203.0.113.7:443 1 2 connect: host is down: no answer": "203.0.113.7:443 host is down: no answer 1.0 ms",
	} {
		if got := attempts(&run.Step{Connects: []string{text}}); got[0] != want {
			t.Errorf("%q: %q, want %q", text, got[0], want)
		}
	}
}

func TestTable(t *testing.T) {
	slow := played()
	slow.CDN, slow.Good = "b", false
	ttff := 2612.4
	slow.TTFFMs = &ttff
	runs := []run.Run{played(), slow, failed(), failed()}
	golden(t, "table", func(p *Printer) error { return p.Table(runs) }, 160)
	golden(t, "table-narrow", func(p *Printer) error { return p.Table(runs) }, 80)
	golden(t, "pairs", func(p *Printer) error { return p.Table(rounds(20)) }, 100)
	golden(t, "pairs-narrow", func(p *Printer) error { return p.Table(rounds(20)) }, 60)
	golden(t, "pairs-40", func(p *Printer) error { return p.Table(rounds(20)) }, 40)
}

// A pipe gets no escape sequences; a terminal gets colours.
func TestColoursOnlyForATerminal(t *testing.T) {
	var b bytes.Buffer
	r := played()
	if err := New(&b, 100).Waterfall(&r); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "\x1b") {
		t.Error("a pipe got escape sequences")
	}
	b.Reset()
	renderer := lipgloss.NewRenderer(&b)
	renderer.SetColorProfile(termenv.ANSI256)
	p := &Printer{w: &b, width: 100, style: newStyles(renderer)}
	if err := p.Waterfall(&r); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "\x1b[") {
		t.Error("a terminal got no colours")
	}
}

// Every colour can be read on black and on white: WCAG asks for a contrast of
// three to one of what is no text, and of large text.
func TestColoursOnAnyGround(t *testing.T) {
	luminance := func(c lipgloss.Color) float64 {
		r, g, b := termenv.ConvertToRGB(termenv.ANSI256.Color(string(c))).LinearRgb()
		return 0.2126*r + 0.7152*g + 0.0722*b
	}
	colors := map[string]lipgloss.Color{"dim": dimColor, "mark": markColor, "good": goodColor, "warn": warnColor, "bad": badColor}
	for k, c := range kindColors {
		colors["stretch "+stageNames[k]] = c
	}
	for _, c := range columns {
		colors["phase "+c.name] = c.color
		if contrast := (luminance(blockColor) + 0.05) / (luminance(c.color) + 0.05); contrast < 3 {
			t.Errorf("text on %s: %.1f", c.name, contrast)
		}
	}
	for name, c := range colors {
		l := luminance(c)
		if onBlack, onWhite := (l+0.05)/0.05, 1.05/(l+0.05); onBlack < 3 || onWhite < 3 {
			t.Errorf("%s, %s: %.1f on black, %.1f on white", name, c, onBlack, onWhite)
		}
	}
}

func TestUnits(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 3.44: "3.4 ms", 9.96: "10 ms", 612.4: "612 ms", 999.6: "1.00 s", 2412: "2.41 s"} {
		if got := Millis(v); got != want {
			t.Errorf("Millis(%v) = %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{0: "0 ms", -0.04: "0 ms", 0.06: "+0.1 ms", -88: "−88 ms", 1204: "+1.20 s"} {
		if got := signed(v); got != want {
			t.Errorf("signed(%v) = %q, want %q", v, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1234: "1.2 kB", 999_950: "1.0 MB", 1_664_000: "1.7 MB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}

// The page says of a request which addresses were tried.
func TestHTMLAttempts(t *testing.T) {
	page, root := written(t, []run.Run{raced()})
	if n := strings.Count(page, "Addresses tried:"); n != 2 {
		t.Errorf("%d requests tell of addresses, want 2", n)
	}
	const want = "Addresses tried: [2001:db8::1]:443 overtaken 62 ms · +22 ms 203.0.113.7:443 connected 40 ms"
	if text := textOf(root); !strings.Contains(text, want) {
		t.Errorf("no %q", want)
	}
}
