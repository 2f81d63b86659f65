package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/firstframe/firstframe/probes/run"
)

// comparison is a group's line on the page.
type comparison struct {
	Name, Where string // what it is, and who served it
	Good        string
	Tone        string // good, warn, bad
	P50, P95    string
	Trouble     string
	Dots        []dot
	Median      float64 // per cent
	HasMedian   bool
	Limit       float64 // the threshold, per cent; above 100 it is out of the picture
	Describe    string
	Stack       []block  // of the median run
	Cells       []string // its phases, as texts
}

// dot is a run in the picture of a group's spread: per cent across, pixels down.
type dot struct {
	X, Y float64
	Slow bool
}

// block is a stretch of a bar, per cent.
type block struct {
	Class, Text string
	X, Width    float64
}

// pairRow is a difference on the page.
type pairRow struct {
	Label, Pairs, Median, Interval, Verdict, Tone string
	At, From, Width                               float64 // per cent
	HasMedian, HasInterval                        bool
}

// lanes are how many dots fit above each other in the picture of a group's
// spread, laneStep pixels apart.
const (
	lanes    = 7
	laneStep = 4
)

// compare fills in what compares the groups.
func (p *page) compare(cells []*cell) {
	p.Compared = true
	end := 0.0
	for _, c := range cells {
		for _, r := range c.played() {
			end = max(end, *r.TTFFMs)
		}
	}
	end = max(end, 1) * 1.03
	p.Axis = ticks(end)
	longest := 1.0 // of the median runs
	for _, c := range cells {
		if middle := c.median(); middle != nil {
			longest = max(longest, *middle.TTFFMs)
		}
		p.Limited = p.Limited || c.runs[0].ThresholdMs <= end
	}
	longest *= 1.03
	p.StackAxis = ticks(longest)
	shown := shownColumns(cells)
	for _, c := range shown {
		p.Phases = append(p.Phases, c.name)
		p.Legend = append(p.Legend, legend{"p-" + c.name, c.name})
	}
	for _, c := range cells {
		p.Rows = append(p.Rows, comparisonOf(c, shown, end, longest))
	}
	p.pair(differences(cells))
}

// comparisonOf is a group's line: its spread on a scale up to end, its median run
// on one up to longest.
func comparisonOf(c *cell, shown []column, end, longest float64) comparison {
	row := comparison{
		Name: c.name(), Good: fmt.Sprintf("%d/%d", c.good(), len(c.runs)), P50: "–", P95: "–", Trouble: c.trouble(),
		Limit: percent(c.runs[0].ThresholdMs, end),
	}
	switch good := c.good(); {
	case good == len(c.runs):
		row.Tone = "good"
	case good == 0:
		row.Tone = "bad"
	default:
		row.Tone = "warn"
	}
	played := c.played()
	row.Dots = dotsOf(played, end)
	row.Describe = fmt.Sprintf("%d of %d runs reached the first frame", len(played), len(c.runs))
	middle := c.median()
	if middle == nil {
		return row
	}
	p95 := *played[rank(0.95, len(played))].TTFFMs
	row.P50, row.P95 = Millis(*middle.TTFFMs), Millis(p95)
	row.Median, row.HasMedian = percent(*middle.TTFFMs, end), true
	row.Describe += fmt.Sprintf(", from %s to %s, half of them in %s", Millis(*played[0].TTFFMs), Millis(*played[len(played)-1].TTFFMs), row.P50)
	row.Where = servedBy(middle)
	row.Stack = stack(middle, longest)
	for _, col := range shown {
		row.Cells = append(row.Cells, Millis(col.value(&middle.Phases)))
	}
	return row
}

// dotsOf are the runs as dots. Of those that would cover each other one is kept,
// so that their number is bounded.
func dotsOf(played []*run.Run, end float64) []dot {
	var dots []dot
	seen := map[[2]int]bool{}
	for i, r := range played {
		x, lane := math.Round(*r.TTFFMs/end*400), i*3%lanes
		if at := [2]int{int(x), lane}; !seen[at] {
			seen[at] = true
			dots = append(dots, dot{X: x / 4, Y: float64(6 + lane*laneStep), Slow: !r.Good})
		}
	}
	return dots
}

// stack is the run's critical path as one bar: the network's phases, then the
// player's.
func stack(r *run.Run, end float64) []block {
	var blocks []block
	at := 0.0
	for _, c := range columns {
		v := c.value(&r.Phases)
		if v <= 0 {
			continue
		}
		blocks = append(blocks, block{Class: "p-" + c.name, Text: c.name + " " + Millis(v), X: percent(at, end), Width: percent(v, end)})
		at += v
	}
	return blocks
}

// pair fills in the differences, on one scale that holds 0.
func (p *page) pair(list []difference) {
	if !paired(list) {
		return
	}
	low, high := 0.0, 0.0
	for i := range list {
		if v, ok := list[i].median(); ok {
			low, high = min(low, v), max(high, v)
		}
		if l, h, ok := list[i].interval(); ok {
			low, high = min(low, l), max(high, h)
		}
	}
	margin := max(high-low, 1) * 0.06
	low, high = low-margin, high+margin
	at := func(ms float64) float64 { return percent(ms-low, high-low) }
	p.Zero = at(0)
	for i := range list {
		d := &list[i]
		row := pairRow{Label: d.label, Verdict: d.verdict()}
		row.Pairs, row.Median, row.Interval = d.texts()
		if v, ok := d.median(); ok {
			row.At, row.HasMedian = at(v), true
		}
		if l, h, ok := d.interval(); ok {
			row.From, row.Width, row.HasInterval = at(l), percent(h-l, high-low), true
		}
		row.Tone = map[string]string{"slower": "warn", "faster": "good"}[row.Verdict]
		p.Pairs = append(p.Pairs, row)
	}
}

// ticks are the lines of an axis from 0 to end ms: four to nine.
func ticks(end float64) []tick {
	var list []tick
	for step, t := niceStep(end/8), 0.0; t <= end; t += step {
		list = append(list, tick{At: percent(t, end), Text: Millis(t), Last: t/end > 0.93, Minor: len(list)%3 != 0})
	}
	return list
}

// percent is v of end, to a hundredth: finer than a pixel.
func percent(v, end float64) float64 { return math.Round(v/end*1e4) / 100 }

// name is the group's name, of what sets it apart.
func (c *cell) name() string {
	parts := nonEmpty(c.targetName, c.cdn, c.app, c.connectionName)
	if len(parts) == 0 {
		return "all runs"
	}
	return strings.Join(parts, " · ")
}
