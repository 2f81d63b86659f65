package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

var errNothing = errors.New("nothing has been measured")

// writeReport writes table.md and scatter.svg into a folder, and the table's
// head to w; of plays that went on playing.md, and to w.
func writeReport(dir string, all []play, wanted rounds, w io.Writer) error {
	plays := current(all)
	if len(plays) == 0 {
		return errNothing
	}
	var starts, on []play
	for _, p := range plays {
		if p.Play > 0 {
			on = append(on, p)
		} else {
			starts = append(starts, p)
		}
	}
	if len(on) > 0 {
		if err := writePlaying(dir, on, w); err != nil {
			return err
		}
	}
	if len(starts) == 0 {
		return nil
	}
	return writeStarts(dir, starts, wanted, w)
}

// writeStarts writes table.md and scatter.svg, and the table's head to w.
func writeStarts(dir string, plays []play, wanted rounds, w io.Writer) error {
	var cells, broken []comparison
	for _, c := range compare(plays) {
		if c.Fault == "" {
			cells = append(cells, c)
		} else {
			broken = append(broken, c)
		}
	}
	var text, picture bytes.Buffer
	head(&text, plays, cells, wanted.matrix)
	faultHead(&text, broken, wanted.faults)
	if _, err := w.Write(text.Bytes()); err != nil {
		return err
	}
	constants(&text, cells)
	apart(&text, cells)
	every(&text, cells)
	everyFault(&text, broken)
	scatter(&picture, cells)
	if err := os.WriteFile(filepath.Join(dir, "table.md"), text.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "scatter.svg"), picture.Bytes(), 0o644)
}

// head says what was measured under which conditions, and each player's verdict.
func head(w io.Writer, plays []play, cells []comparison, wanted int) {
	first, last := plays[0].At, plays[0].At
	var loads []float64
	var versions []string
	failed, realtime, busy := 0, 0, 0
	for _, p := range plays {
		if p.At.Before(first) {
			first = p.At
		}
		if p.At.After(last) {
			last = p.At
		}
		loads = append(loads, p.Load)
		if p.Realtime {
			realtime++
		} else if p.Load > float64(runtime.NumCPU()) {
			busy++
		}
		if p.Side == realSide && !slices.Contains(versions, p.Of) {
			versions = append(versions, p.Of)
		}
		if !p.told() {
			failed++
		}
	}
	slices.Sort(versions)
	complete := 0
	for _, c := range cells {
		if c.real.n >= wanted && c.probe.n >= wanted {
			complete++
		}
	}
	fmt.Fprintf(w, "# Probes beside the real players\n\n%s to %s, over the lab's %s. %d plays, %d of them failed; %d of %d cells have %d runs of each side.\n\n",
		first.Format(time.DateTime), last.Format(time.DateTime), plays[0].Over, len(plays), failed, complete, len(cells), wanted)
	for _, v := range versions {
		fmt.Fprintf(w, "- %s\n", v)
	}
	fmt.Fprintf(w, "- load average: median %.1f, largest %.1f, on %d cores\n- at real-time priority, before the machine's other work: %d of the plays\n\n",
		median(loads), slices.Max(loads), runtime.NumCPU(), realtime)
	if 2*busy > len(plays) {
		fmt.Fprint(w, "**The machine was busy with other work**, and most plays did not go before it: a browser needs far more of it than a probe, so the ratios below say little about the models.\n\n")
	}
	if plays[0].Over == overShaper {
		fmt.Fprint(w, "**Not over a link**: namespaces could not be had, so the lab's shaper stood in, which models handshake and slow start.\n\n")
	}
	fmt.Fprint(w, "| player | cells | median probe/player | within 10 % | worst cell | rank correlation | within the limits |\n|---|---|---|---|---|---|---|\n")
	for _, p := range players {
		name := p.name + "@" + p.version
		mine := slices.DeleteFunc(slices.Clone(cells), func(c comparison) bool { return c.Player != p.name })
		verdictRow(w, name, judge(p.name, mine))
		verdictRow(w, name+", lines not fitted", judge(p.name, slices.DeleteFunc(mine, func(c comparison) bool { return c.fitted() })))
	}
	fmt.Fprintf(w, "\nA cell's ratio is that of the medians. Limits: median %.2f to %.2f, %.0f %% of the cells within 10 %%, none outside %.2f to %.2f, rank correlation %.2f.\n\n",
		medianLow, medianHigh, 100*nearShare, worstLow, worstHigh, leastRank)
}

// verdictRow is a line of the table of verdicts.
func verdictRow(w io.Writer, name string, v verdict) {
	if v.cells == 0 {
		fmt.Fprintf(w, "| %s | 0 | | | | | no |\n", name)
		return
	}
	rank, holds := "", "no"
	if !math.IsNaN(v.rank) {
		rank = fmt.Sprintf("%.3f", v.rank)
	}
	if v.holds() {
		holds = "yes"
	}
	fmt.Fprintf(w, "| %s | %d | %.3f | %.0f %% | %.2f, %s | %s | %s |\n",
		name, v.cells, v.median, 100*v.within, v.worst.ratio(), v.worst.cell, rank, holds)
}

// constants says how much of each player's time is not in its model, by the
// container of its streams, over the lines that the models' constants are fitted
// on. It is the machine's and the browser's as much as the player's.
func constants(w io.Writer, cells []comparison) {
	fmt.Fprint(w, "## What remains\n\nMedian of the player's time less the probe's, in ms, over the fitted lines and over the others. A model's constant from the last byte to the picture would be right if it were larger by so much.\n\n| player | container | fitted lines | other lines |\n|---|---|---|---|\n")
	for _, p := range players {
		for _, kind := range []string{"TS", "fMP4"} {
			var fitted, others []float64
			for _, c := range cells {
				if c.Player != p.name || c.container() != kind || !c.counts() || !slices.Equal(c.real.heights, c.probe.heights) {
					continue
				}
				if c.fitted() {
					fitted = append(fitted, c.real.median-c.probe.median)
				} else {
					others = append(others, c.real.median-c.probe.median)
				}
			}
			if len(fitted) > 0 && len(others) > 0 {
				fmt.Fprintf(w, "| %s | %s | %+.0f | %+.0f |\n", p.name, kind, median(fitted), median(others))
			}
		}
	}
	fmt.Fprint(w, "\n")
}

// apart lists the cells that do not count.
func apart(w io.Writer, cells []comparison) {
	fmt.Fprint(w, "## Apart: the player's own runs take different levels\n\n")
	n := 0
	for _, c := range cells {
		if !c.mixed() {
			continue
		}
		if n++; n == 1 {
			fmt.Fprint(w, "| cell | player | probe |\n|---|---|---|\n")
		}
		fmt.Fprintf(w, "| %s | %s | %s |\n", c.cell, c.real, c.probe)
	}
	if n == 0 {
		fmt.Fprint(w, "None.\n")
	}
	fmt.Fprint(w, "\n")
}

// every lists all cells.
func every(w io.Writer, cells []comparison) {
	fmt.Fprint(w, "## All cells\n\nRound-trip time in ms / Mbit/s; median (least to largest) in ms, runs, height of the first picture. Requests are those before the last answer that the picture needs.\n\n| cell | player | probe | probe/player | requests |\n|---|---|---|---|---|\n")
	for _, c := range cells {
		ratio := ""
		if c.real.n > 0 && c.probe.n > 0 {
			ratio = fmt.Sprintf("%.3f", c.ratio())
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", c.cell, c.real, c.probe, ratio, c.requests())
	}
}

// requests says in what the requests of the two sides differ.
func (c comparison) requests() string {
	switch {
	case !c.known:
		return "not known"
	case len(c.differences) == 0:
		return "same"
	}
	return strings.Join(c.differences, "; ")
}

func (r runs) String() string {
	var parts []string
	if r.n > 0 {
		parts = append(parts, fmt.Sprintf("%.0f (%.0f to %.0f), %d ×", r.median, r.low, r.high, r.n))
	}
	for i, h := range r.heights {
		if i == 0 {
			parts[0] += ","
		}
		parts[0] += fmt.Sprintf(" %dp", h)
	}
	if r.errors > 0 {
		parts = append(parts, fmt.Sprintf("%d × an error", r.errors))
	}
	if r.failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", r.failed))
	}
	return strings.Join(parts, "; ")
}
