package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	datum "github.com/firstframe/firstframe/probes/run"
)

// What a run tells of how it went on, of segments of 4 s: a stall of 2 s before the
// third, of another height.
func TestReckoned(t *testing.T) {
	startup, media := 1000.0, 9000.0
	r := datum.Run{StartupMs: &startup, PlayedMs: &media}
	step := func(path string, end float64) {
		r.Steps = append(r.Steps, datum.Step{Name: datum.StepSegment, URL: "http://x/play1/" + path, Status: http.StatusOK, EndMs: end})
	}
	step("cmaf/v360/0.m4s", 900)
	step("cmaf/audio/0.m4s", 950)
	step("cmaf/v720/0.m4s", 1500) // too late to be seen
	step("cmaf/v360/1.m4s", 2000)
	step("cmaf/audio/1.m4s", 3000)
	step("cmaf/audio/2.m4s", 4000)
	step("cmaf/v720/2.m4s", 11_000)
	r.Steps = append(r.Steps, datum.Step{Name: datum.WaitStall, StartMs: 9000, EndMs: 11_000})
	want := &onwards{
		Media: 9000, Stalls: 1, Stalled: 2000, Ahead: 6000, // at 3 s, with 8 s there and 2 played
		Heights: []shown{{0, 360}, {10_000, 720}},
	}
	got := reckoned(r, "http://x/play1/", 4000)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if share := got.ratio(); share < 0.181 || share > 0.182 {
		t.Errorf("stood still for %.3f of the time, want 2/11", share)
	}
}

// Segments by height, and those that were given up for the same of another.
func TestLoaded(t *testing.T) {
	var p play
	for _, r := range []struct{ path, end string }{
		{"cmaf/v360/init.mp4", ""}, {"cmaf/v360/0.m4s", ""}, {"cmaf/audio/0.m4s", ""}, {"cmaf/v1080/1.m4s", gone}, {"cmaf/v720/1.m4s", ""},
		{"cmaf/v720/2.m4s", ""}, {"cmaf/v720/3.m4s", gone}, // under way at the end
	} {
		p.Requests = append(p.Requests, request{Path: r.path, Status: http.StatusOK, End: r.end})
	}
	if got := p.loaded(); got != "1+2+0, 1 given up" {
		t.Error(got)
	}
}

// Each line is played by each player, and nothing twice.
func TestPlayPlan(t *testing.T) {
	names := map[string]bool{}
	for _, b := range playPlan(20, 2, "") {
		for _, task := range b.tasks {
			name := fmt.Sprint(task.cell, task.round)
			if names[name] || task.way != b.way || task.Play != 20 {
				t.Errorf("%s: %+v", name, task)
			}
			names[name] = true
		}
	}
	if want := 2 * 4 * len(playWays); len(names) != want || !names["hlsjs/cmaf 40/10, then 1.0, on 20 s 0"] {
		t.Errorf("%d plays, want %d: %v", len(names), want, names)
	}
	if c := (&command{Play: 5 * time.Second, Only: "shaka/cmaf 40/3,"}); len(c.plan()[1].tasks) != 1 {
		t.Errorf("%+v", c.plan())
	}
}

// The rate falls once the play has begun, and is as before when it has ended.
func TestFall(t *testing.T) {
	var rates []float64
	w := &world{rate: func(kbps float64) error {
		rates = append(rates, kbps)
		return nil
	}}
	s := newStage(t.TempDir())
	none := task{cell: cell{way: way{40, 10}}}
	if err := w.fall(t.Context(), none, s.begin(nil))(); err != nil || rates != nil {
		t.Errorf("%v, %v", rates, err)
	}
	falls := task{cell: cell{way: way{40, 10}, Later: 1000}}
	if err := w.fall(t.Context(), falls, s.begin(nil))(); err != nil || !cmp.Equal(rates, []float64{10_000}) {
		t.Errorf("%v, %v", rates, err)
	}
	w.rate = func(float64) error { return errFixed }
	ctx, end := context.WithCancel(t.Context())
	end()
	if err := w.fall(ctx, falls, s.begin(nil))(); !errors.Is(err, errFixed) {
		t.Error(err)
	}
}

// What played on has a report of its own.
func TestPlayingReport(t *testing.T) {
	c := cell{Player: "dashjs", Stream: "timeline", way: way{40, 10}, Play: 20, Later: 1000}
	plays := []play{
		{cell: c, Side: probeSide, TTFF: 1, Onwards: &onwards{Media: 20_000, Heights: []shown{{0, 360}}}},
		{cell: c, Side: realSide, TTFF: 1, Onwards: &onwards{Media: 18_000, Stalls: 1, Stalled: 2000, Waits: 1, Waited: 1900, Ahead: 9100, Heights: []shown{{0, 360}, {4100, 720}}}},
		{cell: c, Side: realSide, Round: 1, Error: "x"},
	}
	dir := t.TempDir()
	var out bytes.Buffer
	if err := writeReport(dir, plays, rounds{}, &out); err != nil {
		t.Fatal(err)
	}
	table := read(t, filepath.Join(dir, "playing.md"))
	for _, want := range []string{
		"| dashjs/timeline 40/10, then 1.0, on 20 s | real | 1, 2.0 s, 10 % | 1, 1.9 s | 0: 360, 4: 720 | 0+0+0 | 9 s |\n",
		"| dashjs/timeline 40/10, then 1.0, on 20 s | real | failed: x |",
		"| dashjs/timeline 40/10, then 1.0, on 20 s | probe | 0, 0.0 s, 0 % |  | 0: 360 | 0+0+0 | 0 s |\n",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("there is no %q in\n%s", want, table)
		}
	}
	if out.String() != table {
		t.Error(out.String())
	}
}
