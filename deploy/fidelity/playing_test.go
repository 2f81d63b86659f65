package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	datum "github.com/firstframe/firstframe/probes/run"
)

// What a run tells of how it went on, of segments of 4 s: a stall of 5 s before the
// third and one of 1 s before the fourth, of another height each.
func TestReckoned(t *testing.T) {
	startup, media := 1000.0, 13_000.0
	r := datum.Run{StartupMs: &startup, PlayedMs: &media}
	step := func(path string, end float64) {
		r.Steps = append(r.Steps, datum.Step{Name: datum.StepSegment, URL: "http://x/play1/" + path, Status: http.StatusOK, EndMs: end})
	}
	step("cmaf/v360/0.m4s", 900)
	step("cmaf/v360/1.m4s", 920) // before there is sound
	step("cmaf/audio/0.m4s", 950)
	step("cmaf/v720/0.m4s", 1500) // too late to be seen
	step("cmaf/v720/1.m4s", 1600) // early enough
	step("cmaf/audio/1.m4s", 3000)
	step("cmaf/audio/2.m4s", 4000)
	step("cmaf/audio/3.m4s", 4500)
	step("cmaf/v1080/2.m4s", 14_000)
	step("cmaf/v360/3.m4s", 19_000)
	step("cmaf/audio/4.m4s", 20_100)
	step("cmaf/v360/4.m4s", 20_100) // when it was over
	r.Steps = append(r.Steps, datum.Step{Name: datum.WaitStall, StartMs: 9000, EndMs: 14_000}, datum.Step{Name: datum.WaitStall, StartMs: 18_020, EndMs: 19_020})
	want := &onwards{
		Media: 13_000, Stalls: 2, Stalled: 6000, Ahead: 6000, // at 3 s, with 8 s there and 2 played
		Heights: []shown{{0, 360}, {4000, 720}, {13_000, 1080}, {18_000, 360}},
	}
	got := reckoned(r, "http://x/play1/", 4000)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if share := got.ratio(); share != 6.0/19 {
		t.Errorf("stood still for %.3f of the time, want 6/19", share)
	}
}

// Segments by height, and those that were given up for the same of another.
func TestLoaded(t *testing.T) {
	var p play
	for _, r := range []struct{ path, end string }{
		{"cmaf/v360/init.mp4", ""}, {"cmaf/v360/0.m4s", ""}, {"cmaf/audio/0.m4s", ""}, {"cmaf/v1080/1.m4s", gone}, {"cmaf/v720/1.m4s", ""},
		{"cmaf/v720/2.m4s", ""}, {"cmaf/v1080/2.m4s", ""}, // replaced, not given up
		{"cmaf/v720/3.m4s", gone}, // under way at the end
	} {
		p.Requests = append(p.Requests, request{Path: r.path, Status: http.StatusOK, End: r.end})
	}
	if got := p.loaded(); got != "1+2+1, 1 given up" {
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
	for play, want := range map[int]time.Duration{0: time.Minute, 20: 2*time.Minute + 40*time.Second} {
		if got := (task{cell: cell{Play: play}}).limit(); got != want {
			t.Errorf("%d s are played on within %v, want %v", play, got, want)
		}
	}
	if want := 2 * 4 * len(playWays); len(names) != want || !names["hlsjs/cmaf 40/10, then 1.0, on 20 s 0"] {
		t.Errorf("%d plays, want %d: %v", len(names), want, names)
	}
	if c := (&command{Play: 5 * time.Second, Only: "shaka/cmaf 40/3,"}); len(c.plan()[1].tasks) != 1 {
		t.Errorf("%+v", c.plan())
	}
}

// The rate falls eight seconds after the play's first request, and is as before
// when it has ended.
func TestFall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates := make(chan float64, 2)
		w := &world{rate: func(kbps float64) error {
			rates <- kbps
			return nil
		}}
		s := newStage(t.TempDir())
		end := w.fall(t.Context(), task{cell: cell{way: way{40, 10}}}, s.begin(nil))
		if err := end(); err != nil || len(rates) > 0 {
			t.Errorf("%d, %v: this one does not fall", len(rates), err)
		}
		act := s.begin(nil)
		end = w.fall(t.Context(), task{cell: cell{way: way{40, 10}, Later: 1000}}, act)
		for _, tt := range []struct {
			name string
			then func()
			want float64 // 0: it stays
		}{
			{"before the first request", func() { time.Sleep(time.Minute) }, 0},
			{"soon after it", func() {
				act.note("v360/0.ts", httptest.NewRequest(http.MethodGet, "/", nil))
				time.Sleep(fallAfter - time.Millisecond)
			}, 0},
			{"eight seconds after it", func() { time.Sleep(time.Millisecond) }, 1000},
			{"at the end", func() {
				if err := end(); err != nil {
					t.Error(err)
				}
			}, 10_000},
		} {
			tt.then()
			synctest.Wait()
			got := 0.0
			if len(rates) > 0 {
				got = <-rates
			}
			if got != tt.want || len(rates) > 0 {
				t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			}
		}
	})
}

// A line whose rate cannot change says so, and a play that ends early ends the
// waiting.
func TestFallFails(t *testing.T) {
	w := &world{rate: func(float64) error { return errFixed }}
	end := w.fall(t.Context(), task{cell: cell{way: way{40, 10}, Later: 1000}}, newStage(t.TempDir()).begin(nil))
	if err := end(); !errors.Is(err, errFixed) {
		t.Error(err)
	}
}

// A play that goes on begins when nothing of the one before is on its way.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		w := &world{sent: func() int64 { return int64(min(time.Since(begun), 2500*time.Millisecond)) }}
		if err := w.rest(t.Context()); err != nil || time.Since(begun) != 4*time.Second {
			t.Errorf("%v after %v, want none after 4 s", err, time.Since(begun))
		}
		begun = time.Now()
		w.sent = func() int64 { return int64(time.Since(begun)) }
		if err := w.rest(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v of a line that never rests", err)
		}
	})
}

// What played on has a report of its own.
func TestPlayingReport(t *testing.T) {
	c := cell{Player: "dashjs", Stream: "timeline", way: way{40, 10}, Play: 20, Later: 1000}
	steady, slow := c, c
	steady.Later, slow.Later, slow.Mbps = 0, 0, 1
	plays := []play{
		{cell: slow, Side: probeSide, Error: "x"}, {cell: steady, Side: probeSide, Error: "x"},
		{cell: c, Side: probeSide, TTFF: 1, Onwards: &onwards{Media: 20_000, Heights: []shown{{0, 360}}}},
		{cell: c, Side: realSide, TTFF: 1, Onwards: &onwards{Media: 18_000, Stalls: 1, Stalled: 2000, Waits: 1, Waited: 1900, Ahead: 9100, Heights: []shown{{0, 360}, {4100, 720}}}},
		{cell: c, Side: realSide, Round: 1, Error: "x\ny"},
	}
	dir := t.TempDir()
	var out bytes.Buffer
	if err := writeReport(dir, plays, rounds{}, &out); err != nil {
		t.Fatal(err)
	}
	table := read(t, filepath.Join(dir, "playing.md"))
	want := "" +
		"| dashjs/timeline 40/10, on 20 s | probe | failed: x | | | 0+0+0 | |\n" +
		"| dashjs/timeline 40/10, then 1.0, on 20 s | real | 1, 2.0 s, 10 % | 1, 1.9 s | 0: 360, 4: 720 | 0+0+0 | 9 s |\n" +
		"| dashjs/timeline 40/10, then 1.0, on 20 s | real | failed: x; y | | | 0+0+0 | |\n" +
		"| dashjs/timeline 40/10, then 1.0, on 20 s | probe | 0, 0.0 s, 0 % |  | 0: 360 | 0+0+0 | 0 s |\n" +
		"| dashjs/timeline 40/1, on 20 s | probe | failed: x | | | 0+0+0 | |\n"
	if !strings.HasSuffix(table, "|\n"+want) {
		t.Errorf("there is no\n%s at the end of\n%s", want, table)
	}
	if out.String() != table {
		t.Error(out.String())
	}
}
