package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var begin = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// measured makes the plays of one cell: the player's times and heights, then
// the probe's times.
func measured(c cell, real []float64, heights []int, probe []float64) (out []play) {
	for i, ms := range real {
		out = append(out, play{cell: c, Side: realSide, Round: i, Of: "p", Media: "m", Over: overLink, TTFF: ms, Height: heights[i%len(heights)], At: begin})
	}
	for i, ms := range probe {
		out = append(out, play{cell: c, Side: probeSide, Round: i, Of: "a", Media: "m", Over: overLink, TTFF: ms, Height: heights[0], At: begin})
	}
	return out
}

func TestJudge(t *testing.T) {
	ts := func(rtt, mbps int) cell { return cell{Player: "hlsjs", Stream: "ts", way: way{rtt, mbps}} }
	var plays []play
	for i := range 10 { // medians 100, 200 … 1000; the probe's one per cent more
		x := float64(100 * (i + 1))
		plays = append(plays, measured(ts(i, 3), []float64{x, x - 1, x + 9}, []int{360}, []float64{1.01 * x})...)
	}
	v := judge("hlsjs", compare(plays))
	if v.cells != 10 || math.Abs(v.median-1.01) > 1e-9 || v.within != 1 || math.Abs(v.rank-1) > 1e-9 || !v.holds() {
		t.Errorf("%+v", v)
	}
	// One cell in eleven is a third too fast, which is out of all bounds though
	// nine in ten are near.
	plays = append(plays, measured(ts(40, 50), []float64{1500}, []int{360}, []float64{1000})...)
	if v = judge("hlsjs", compare(plays)); v.cells != 11 || math.Abs(v.within-10.0/11) > 1e-9 || v.worst.cell != ts(40, 50) || v.holds() {
		t.Errorf("%+v", v)
	}
	// A cell in which the player takes two levels does not count, nor one without a picture.
	plays = append(plays, measured(ts(40, 3), []float64{1500, 3000}, []int{360, 720}, []float64{9000})...)
	plays = append(plays, play{cell: ts(120, 3), Side: realSide, Error: "no picture", Of: "p", Media: "m", Over: overLink, At: begin})
	if again := judge("hlsjs", compare(plays)); !cmp.Equal(again, v, cmp.AllowUnexported(verdict{}, comparison{}, cell{}, runs{})) {
		t.Errorf("%+v", again)
	}
	if v = judge("dashjs", nil); v.holds() || v.cells != 0 {
		t.Errorf("%+v", v)
	}
}

func TestSpearman(t *testing.T) {
	for _, tc := range []struct {
		name string
		a, b []float64
		want float64
	}{
		{"alike", []float64{1, 2, 3}, []float64{10, 100, 1000}, 1},
		{"opposite", []float64{1, 2, 3}, []float64{3, 2, 1}, -1},
		{"two swapped", []float64{1, 2, 3, 4, 5}, []float64{1, 3, 2, 4, 5}, 0.9}, // 1 − 6·2/(5·24)
		{"ties", []float64{1, 2, 2, 3}, []float64{1, 2, 3, 4}, 4.5 / math.Sqrt(4.5*5)},
		{"two", []float64{1, 2}, []float64{1, 2}, math.NaN()},
		{"all equal", []float64{1, 1, 1}, []float64{1, 2, 3}, math.NaN()},
	} {
		got := spearman(tc.a, tc.b)
		if math.IsNaN(got) != math.IsNaN(tc.want) || math.Abs(got-tc.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
	if median([]float64{3, 1, 2}) != 2 || median([]float64{4, 1, 2, 3}) != 2.5 {
		t.Error("median")
	}
}

// Plays of another agent, player, media or line do not count; of a failed one
// and its repetition the good one does.
func TestCurrent(t *testing.T) {
	at := func(seconds int, p play) play {
		p.At = begin.Add(time.Duration(seconds) * time.Second)
		return p
	}
	base := play{cell: cell{Player: "shaka", Stream: "ts", way: way{0, 3}}, Media: "m", Over: overLink, TTFF: 1}
	real, probe := base, base
	real.Side, real.Of = realSide, "shaka 2"
	probe.Side, probe.Of = probeSide, "agent 2"
	old, older, shaped, other, failed := real, probe, real, real, real
	old.Of, older.Of, shaped.Over, other.Media = "shaka 1", "agent 1", overShaper, "n"
	failed.Error, failed.Round = "no picture", 1
	mended, secondFailure := failed, probe
	mended.Error = ""
	secondFailure.Error, secondFailure.Round = "x", 4
	got := current([]play{at(9, real), at(1, old), at(2, older), at(3, shaped), at(4, other), at(5, failed), at(6, mended), at(7, secondFailure), at(8, probe)})
	want := []play{at(6, mended), at(7, secondFailure), at(8, probe), at(9, real)}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(play{}, cell{})); diff != "" {
		t.Error(diff)
	}
}

func TestPlan(t *testing.T) {
	count := func(all []batch) (batches, tasks int) {
		seen := map[string]bool{}
		for _, b := range all {
			for _, k := range b.tasks {
				tasks++
				seen[k.String()+string(rune('0'+k.round))] = true
				if k.way != b.way {
					t.Errorf("%s over %v", k, b.way)
				}
			}
		}
		if len(seen) != tasks {
			t.Errorf("%d of %d are twins", tasks-len(seen), tasks)
		}
		return len(all), tasks
	}
	for _, tc := range []struct {
		name           string
		quick          bool
		rounds         int
		only           string
		batches, tasks int
	}{
		{"all", false, 7, "", 63, 756},
		{"quick", true, 3, "", 6, 72},
		{"one line", false, 1, " 40/10", 9, 12},
		{"one stream", false, 2, "shaka/ts", 18, 18},
	} {
		if b, n := count(plan(tc.quick, tc.rounds, tc.only)); b != tc.batches || n != tc.tasks {
			t.Errorf("%s: %d batches, %d tasks", tc.name, b, n)
		}
	}
	if a, b := plan(false, 2, ""), plan(false, 2, ""); !cmp.Equal(a, b, cmp.AllowUnexported(batch{}, task{}, cell{}, player{}, stream{})) {
		t.Error("no two plans are alike")
	}
}

// What was measured is there again, but for a line that was cut short and for
// what failed.
func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plays.jsonl")
	j, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	all := measured(cell{Player: "hlsjs", Stream: "ts", way: way{40, 10}}, []float64{100, 101}, []int{360}, []float64{99})
	all[1].TTFF, all[1].Error = 0, "no picture"
	for _, p := range all {
		if err := j.add(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(j.close(), appendTo(path, `{"player":"hl`)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if j, err = openJournal(path); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(all, j.plays, cmp.AllowUnexported(play{}, cell{})); diff != "" {
			t.Error(diff)
		}
		if !j.have[all[0].key()] || j.have[all[1].key()] || !j.have[all[2].key()] {
			t.Errorf("%v", j.have)
		}
		if err := j.close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := appendTo(path, "{\"playre\":1}\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := openJournal(path); err == nil || !strings.Contains(err.Error(), "line 4") {
		t.Error(err)
	}
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReport(t *testing.T) {
	dir := t.TempDir()
	plays := measured(cell{Player: "hlsjs", Stream: "ts", way: way{40, 10}}, []float64{1000, 1010, 990}, []int{360}, []float64{980, 990, 985})
	plays = append(plays, measured(cell{Player: "shaka", Stream: "ts", way: way{40, 10}}, []float64{700, 3500}, []int{360, 720}, []float64{3400})...)
	plays = append(plays, measured(cell{Player: "hlsjs", Stream: "aes", way: way{40, 3}}, []float64{1000}, []int{360}, []float64{1080})...)
	for i := range plays {
		plays[i].Load = 1e6
	}
	var head bytes.Buffer
	if err := writeReport(dir, plays, rounds{3, 3}, &head); err != nil {
		t.Fatal(err)
	}
	table := read(t, filepath.Join(dir, "table.md"))
	for _, want := range []string{
		"11 plays, 0 of them failed; 1 of 3 cells have 3 runs",
		"**The machine was busy",
		"| hlsjs@1.7.4 | 2 | 1.032 | 100 % | 1.08, hlsjs/aes 40/3 |  | no |",
		"| hlsjs@1.7.4, lines not fitted | 1 | 1.080 | 100 % | 1.08, hlsjs/aes 40/3 |  | no |",
		"| hlsjs | TS | +15 | -80 |\n",
		"| shaka@5.2.12 | 0 |",
		"| shaka/ts 40/10 | 2100 (700 to 3500), 2 ×, 360p 720p | 3400 (3400 to 3400), 1 ×, 360p |\n",
		"| hlsjs/ts 40/10 | 1000 (990 to 1010), 3 ×, 360p | 985 (980 to 990), 3 ×, 360p | 0.985 |",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("there is no %q in\n%s", want, table)
		}
	}
	if !strings.HasPrefix(table, head.String()) {
		t.Errorf("%s", head.String())
	}
	decoder := xml.NewDecoder(strings.NewReader(read(t, filepath.Join(dir, "scatter.svg"))))
	circles := 0
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "circle" {
			circles++
		}
	}
	if circles != len(players)+3 {
		t.Errorf("%d circles", circles)
	}
	if err := writeReport(dir, nil, rounds{3, 3}, &head); !errors.Is(err, errNothing) {
		t.Error(err)
	}
}
