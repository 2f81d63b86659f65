package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// broken makes plays of one fault by one side: times of pictures, and below 0 of
// errors.
func broken(c cell, side string, names string, times ...float64) (out []play) {
	for i, ms := range times {
		p := play{cell: c, Side: side, Round: i, Of: side, Media: "m", Over: overLink, TTFF: ms, Height: 360, At: begin, Load: 1e6, Realtime: true, Needed: max(ms, -ms)}
		if ms < 0 {
			p.TTFF, p.Height, p.Error, p.ErrorMs = 0, 0, "fragLoadError", -ms
		}
		for k, name := range strings.Fields(names) {
			p.Requests = append(p.Requests, request{Path: name, At: float64(20 * k)})
		}
		out = append(out, p)
	}
	return out
}

// Of each fault the report says whether requests, verdict and time are the same;
// Shaka's times may be within one another's range, or the same after its delays.
func TestFaultReport(t *testing.T) {
	of := func(player, stream, fault string) cell {
		return cell{Player: player, Stream: stream, way: faultWay, Fault: fault}
	}
	same, late := of("hlsjs", "cmaf", "one 404"), of("hlsjs", "ts", "one 404")
	drawn, far, over := of("shaka", "ts", "one 503"), of("shaka", "cmaf", "one 503"), of("dashjs", "timeline", "all 404")
	waited := of("shaka", "timeline", "one 404")
	retried := func(side string, at float64, times ...float64) []play {
		plays := broken(waited, side, "m v v", times...)
		for i := range plays {
			plays[i].Requests[2].At = plays[i].TTFF - at
			plays[i].Height = 360 + 360*(i%2)
		}
		return plays
	}
	var plays []play
	for _, one := range [][]play{
		retried(realSide, 500, 1000, 1001, 2100), retried(probeSide, 520, 2000, 2001, 2002),
		broken(same, realSide, "m v v", 2200, 2210, 2220), broken(same, probeSide, "m v v", 2180, 2190, 2200),
		broken(late, realSide, "m v w", 2200), broken(late, probeSide, "m v v w", 2600),
		broken(drawn, realSide, "m v v", 1200, 1300, 1900), broken(drawn, probeSide, "m v v", 1700, 1800, 2100),
		broken(far, realSide, "m v v", 1200, 1300), broken(far, probeSide, "m v v", 1700, 1800),
		broken(over, realSide, "m v v", -3400), broken(over, probeSide, "m v v", 3400),
	} {
		plays = append(plays, one...)
	}
	var head bytes.Buffer
	dir := t.TempDir()
	if err := writeReport(dir, plays, rounds{7, 3}, &head); err != nil {
		t.Fatal(err)
	}
	text := read(t, filepath.Join(dir, "table.md"))
	for _, want := range []string{
		"26 plays, 0 of them failed; 0 of 0 cells",
		"at real-time priority, before the machine's other work: 26 of the plays",
		"4 of 6 have 3 runs of each side",
		"| hlsjs@1.7.4 | 2 | 1 | 2 | 1 | 1.086 |\n", "| shaka@5.2.12 | 3 | 3 | 3 | 2 | 1.400 |\n", "| dashjs@5.2.1 | 1 | 1 | 0 | 0 |  |\n",
		"| one 404 | hlsjs/ts | 2200 (2200 to 2200), 1 ×, 360p | 2600 (2600 to 2600), 1 ×, 360p | 1.18 | same | v 1 ×, probe 2 × |\n" +
			"| one 404 | hlsjs/cmaf | 2210 (2200 to 2220), 3 ×, 360p | 2190 (2180 to 2200), 3 ×, 360p | 0.99 | same | same |\n",
		"| 2.00, after the last delay 1.04 | same | same |",
		"| 1.38, after the last delay 1.40, ranges overlap | same | same |", "| 1.40, after the last delay 1.41 | same | same |",
		"| all 404 | dashjs/timeline | 3400 (3400 to 3400), 1 ×; 1 × an error | 3400 (3400 to 3400), 1 ×, 360p | 1.00 | **not the same** | same |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "machine was busy") {
		t.Error("what goes before other work does not care for it")
	}
}

// The time is the same when the medians are near; of Shaka also when what is left
// after its delays is, by level, or when the ranges overlap.
func TestAgree(t *testing.T) {
	by := func(low, median, high float64, resumed map[int][]float64) runs {
		return runs{n: 3, low: low, median: median, high: high, resumed: resumed}
	}
	type left = map[int][]float64
	for _, tt := range []struct {
		name, player string
		real, probe  runs
		want         bool
	}{
		{"near", "hlsjs", by(990, 1000, 1010, nil), by(1080, 1090, 1100, nil), true},
		{"apart", "hlsjs", by(990, 1000, 1300, nil), by(900, 1200, 1210, nil), false},
		{"drawn, and the ranges overlap", "shaka", by(990, 1000, 1300, nil), by(900, 1200, 1210, nil), true},
		{"drawn, and they do not", "shaka", by(990, 1000, 1010, nil), by(1190, 1200, 1210, nil), false},
		{"drawn, and the same after that", "shaka", by(990, 1000, 1010, left{360: {100, 110, 120}}), by(1190, 1200, 1210, left{360: {104, 114, 124}}), true},
		{"the same after what is not drawn", "hlsjs", by(990, 1000, 1010, left{360: {100}}), by(1190, 1200, 1210, left{360: {104}}), false},
		{"drawn, and the same at one level of two", "shaka", by(990, 1000, 1010, left{360: {100}, 720: {400}}), by(1190, 1200, 1210, left{360: {104}, 720: {450}}), false},
		{"drawn, and of other levels", "shaka", by(990, 1000, 1010, left{360: {100}}), by(1190, 1200, 1210, left{720: {100}}), false},
	} {
		for range 20 { // levels come in any order
			c := comparison{cell: cell{Player: tt.player}, real: tt.real, probe: tt.probe}
			if got := c.agree(); got.time != tt.want || !got.verdict {
				t.Errorf("%s: %+v, want %v", tt.name, got, tt.want)
				break
			}
		}
	}
	plays := []play{
		{TTFF: 100, Height: 360, Needed: 99, Requests: []request{{Path: "v"}, {Path: "v", At: 40}}},
		{TTFF: 300, Height: 720, Needed: 99, Requests: []request{{Path: "v"}, {Path: "v", At: 50}}},
		{TTFF: 400, Height: 720, Needed: 99, Requests: []request{{Path: "v"}}},
	}
	if got, want := summarise(plays).resumed, (left{360: {60}, 720: {250}}); !cmp.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// An error is a verdict where there was a fault, and where it was the player that
// gave it.
func TestTold(t *testing.T) {
	for _, tt := range []struct {
		name string
		p    play
		want bool
	}{
		{"a picture", play{TTFF: 1}, true},
		{"an error without a fault", play{Error: "x", ErrorMs: 5}, false},
		{"an error after a fault", play{cell: cell{Fault: "one 404"}, Error: "x", ErrorMs: 5}, true},
		{"no browser", play{cell: cell{Fault: "one 404"}, Error: "x"}, false},
	} {
		if got := tt.p.told(); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
