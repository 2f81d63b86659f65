package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/firstframe/firstframe/probes/run"
)

// playedOn is a run that played on for 30 s, with two stalls.
func playedOn() run.Run {
	r := played()
	startup, media, stalled, stalls, switches := 620.0, 30_000.0, 1200.0, int64(2), int64(1)
	r.StartupMs, r.PlayedMs, r.StallMs, r.Stalls, r.Switches = &startup, &media, &stalled, &stalls, &switches
	r.DurationMs = startup + media + stalled
	for i := range 8 {
		at := 570 + 3000*float64(i)
		r.Steps = append(r.Steps, run.Step{Name: run.StepSegment, Track: run.TrackVideo, URL: "x", Attempt: 1, StartMs: at, EndMs: at + 900, WaitMs: 100, RecvMs: 800, Status: 200, Bytes: 1_000_000})
	}
	r.Steps = append(r.Steps,
		run.Step{Name: run.WaitStall, Track: run.TrackVideo, StartMs: 10_000, EndMs: 11_000},
		run.Step{Name: run.WaitStall, Track: run.TrackVideo, StartMs: 20_000, EndMs: 20_200})
	return r
}

func TestPlayedOn(t *testing.T) {
	r, broken := playedOn(), playedOn()
	golden(t, "played-on", func(p *Printer) error { return p.Waterfall(&r) }, 100)
	golden(t, "played-on-40", func(p *Printer) error { return p.Waterfall(&r) }, 40)
	broken.OK, broken.Good, broken.ErrorType, broken.ErrorStep, broken.ErrorDetail = false, false, run.ErrHTTP4xx, run.StepSegment, "GET https://live.example/news/2026/channel/one/360p/9.ts: 404 Not Found"
	golden(t, "broke-off", func(p *Printer) error { return p.Waterfall(&broken) }, 100)
}

func TestPlaying(t *testing.T) {
	for want, set := range map[string]func(r *run.Run){
		"played 30 s: 2 stalls of 1.20 s together, 1 switch": func(*run.Run) {},
		"played 12.4 s: 1 stall of 80 ms, 3 switches": func(r *run.Run) {
			*r.PlayedMs, *r.Stalls, *r.StallMs, *r.Switches = 12_400, 1, 80, 3
		},
		"played 30 s: no stall":                   func(r *run.Run) { *r.Stalls, *r.StallMs, *r.Switches = 0, 0, 0 },
		"played 0 s: no stall, then it broke off": func(r *run.Run) { *r.PlayedMs, *r.Stalls, *r.Switches, r.OK = 0, 0, 0, false },
	} {
		r := playedOn()
		set(&r)
		if got := playing(&r); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Side by side, the share of the time in which each stood still.
func TestPlayedOnTable(t *testing.T) {
	a, b, c := playedOn(), playedOn(), playedOn()
	a.CDN, b.CDN, c.CDN = "a", "b", "c"
	*a.StallMs, *b.StallMs, *c.PlayedMs, *c.StallMs = 0, 600, 10_000, 10_000
	golden(t, "table-played", func(p *Printer) error { return p.Table([]run.Run{a, b, c}) }, 160)
	golden(t, "table-played-60", func(p *Printer) error { return p.Table([]run.Run{a, b, c}) }, 60)
}

// The page shows when it played and when it stood still; the start request by
// request, and what followed folded.
func TestPlayedOnPage(t *testing.T) {
	r := playedOn()
	page, root := written(t, []run.Run{r})
	if !strings.Contains(page, playing(&r)) {
		t.Error("the page does not say what came of playing on")
	}
	if n := len(find(root, "p-stall")); n != 2+2 {
		t.Fatalf("%d stalls are drawn, want 2, on the line and in its rows", n)
	}
	after := find(root, "after")
	if len(after) != 1 || !strings.Contains(page, "<summary>7 requests while playing on</summary>") {
		t.Fatalf("%d folds, want one, of 7 requests", len(after))
	}
	if n := len(find(after[0], "step")); n != 7+2+1 {
		t.Errorf("%d rows while playing on, want seven requests, two stalls, and the axis", n)
	}
	if n := len(find(root, "step")) - len(find(after[0], "step")); n != 4+1+1 {
		t.Errorf("%d rows, want the start's four, what was asked for before the picture, and the axis", n)
	}
	// A stall lies in its row where it lies on the line.
	stalls := find(root, "p-stall")
	for i := range 2 {
		if line, row := stalls[i], stalls[2+i]; attr(line, "x") != attr(row, "x") || attr(line, "width") != attr(row, "width") {
			t.Errorf("a stall from %s, %s wide, on the line; in its row from %s, %s wide", attr(line, "x"), attr(line, "width"), attr(row, "x"), attr(row, "width"))
		}
	}
	for _, row := range find(root, "step") {
		for _, bar := range find(row, "rect") {
			x, errX := strconv.ParseFloat(strings.TrimSuffix(attr(bar, "x"), "%"), 64)
			width, errWidth := strconv.ParseFloat(strings.TrimSuffix(attr(bar, "width"), "%"), 64)
			if errX != nil || errWidth != nil || x+width > 100.02 {
				t.Errorf("a bar from %s, %s wide", attr(bar, "x"), attr(bar, "width"))
			}
		}
	}
}

// Of very many requests some are drawn, and all are counted; of one it is said in
// the singular.
func TestPlayedOnBounds(t *testing.T) {
	r := playedOn()
	last := r.Steps[len(r.Steps)-3]
	for range 1000 {
		r.Steps = append(r.Steps, last)
	}
	page, root := written(t, []run.Run{r})
	if n := len(find(root, "step")); n != maxRows+2 {
		t.Errorf("%d rows, want %d and two axes", n, maxRows)
	}
	for _, want := range []string{"<summary>1007 requests while playing on</summary>", fmt.Sprintf("%d more steps.", len(r.Steps)-maxRows)} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for want, steps := range map[string][]run.Step{
		"no request while playing on": {{Name: run.WaitStall}},
		"1 request while playing on":  {{Name: run.StepSegment, URL: "u"}, {Name: run.WaitStall}},
	} {
		if got := asked(steps); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Playing and standing still fill the time from where playback started to the end.
func TestStretches(t *testing.T) {
	ttff, media := 1000.0, 9000.0
	r := run.Run{TTFFMs: &ttff, PlayedMs: &media, DurationMs: 11_000}
	for _, at := range []struct{ from, to float64 }{{200, 600}, {800, 1500}, {1500, 2000}, {7000, 7500}} {
		r.Steps = append(r.Steps, run.Step{Name: run.WaitStall, StartMs: at.from, EndMs: at.to})
	}
	want := []stretch{{1000, 1500, true}, {1500, 2000, true}, {2000, 7000, false}, {7000, 7500, true}, {7500, 11_000, false}}
	if got := stretches(&r); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
