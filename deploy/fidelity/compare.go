package main

import (
	"cmp"
	"math"
	"slices"
)

// The limits that a model is held to, over the cells of a player.
const (
	medianLow, medianHigh = 0.95, 1.05 // the median ratio
	near                  = 0.10       // how far from 1 a ratio may be…
	nearShare             = 0.9        // …in this share of the cells
	worstLow, worstHigh   = 0.75, 1.33 // any ratio
	leastRank             = 0.98       // rank correlation
)

// runs are the plays of one side in one cell.
type runs struct {
	n, failed         int     // that came to a verdict, and that did not
	errors            int     // of n, whose verdict was an error
	median, low, high float64 // ms to the verdict
	heights           []int   // of the first pictures, each once, rising

	resumed map[int][]float64 // by height, ms from the last further try to the picture
}

// comparison is one cell played by both sides.
type comparison struct {
	cell
	real, probe runs
	differences []string // of what the sides have asked for
	known       bool     // what was
}

// ratio is the probe's median to the player's.
func (c comparison) ratio() float64 { return c.probe.median / c.real.median }

// counts says whether a cell counts: both sides have shown pictures, and the
// player always the same level.
func (c comparison) counts() bool {
	return c.real.n > 0 && c.probe.n > 0 && len(c.real.heights) == 1
}

// mixed says whether the player's own runs took different levels.
func (c comparison) mixed() bool { return len(c.real.heights) > 1 }

// current are the plays that belong to the newest of their side and player, of
// the same media and over the same kind of line as the newest of all, each play
// of the matrix once: one that succeeded, if any did.
func current(all []play) []play {
	if len(all) == 0 {
		return nil
	}
	byTime := slices.Clone(all)
	slices.SortStableFunc(byTime, func(a, b play) int { return a.At.Compare(b.At) })
	newest := byTime[len(byTime)-1]
	type who struct{ side, player string }
	of := map[who]string{}
	name := func(p play) who {
		if p.Side == probeSide {
			return who{probeSide, ""}
		}
		return who{p.Side, p.Player}
	}
	for _, p := range byTime {
		of[name(p)] = p.Of
	}
	chosen := map[string]int{}
	var out []play
	for _, p := range byTime {
		if p.Media != newest.Media || p.Over != newest.Over || p.Of != of[name(p)] {
			continue
		}
		if i, ok := chosen[p.key()]; ok {
			if !out[i].told() {
				out[i] = p
			}
			continue
		}
		chosen[p.key()] = len(out)
		out = append(out, p)
	}
	return out
}

// compare puts the two sides of each cell beside one another, in the order of
// the players, their streams and lines.
func compare(plays []play) []comparison {
	asked := func(plays []play) (all []asked) {
		for _, p := range plays {
			if a := p.asked(); a != nil {
				all = append(all, a)
			}
		}
		return all
	}
	type half struct {
		cell
		side string
	}
	halves, cells := map[half][]play{}, map[cell]bool{}
	for _, p := range plays {
		halves[half{p.cell, p.Side}] = append(halves[half{p.cell, p.Side}], p)
		cells[p.cell] = true
	}
	var out []comparison
	for c := range cells {
		real, probe := halves[half{c, realSide}], halves[half{c, probeSide}]
		x := comparison{cell: c, real: summarise(real), probe: summarise(probe)}
		x.differences, x.known = unlike(asked(real), asked(probe))
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b comparison) int {
		return cmp.Or(faultOrder(a.Fault)-faultOrder(b.Fault), order(a.cell)-order(b.cell), a.RTT-b.RTT, a.Mbps-b.Mbps)
	})
	return out
}

// faultOrder is where a fault is in their table; before all is none.
func faultOrder(name string) int {
	if name == "" {
		return -1
	}
	return slices.IndexFunc(faults, func(f fault) bool { return f.name == name })
}

// order is where a cell's player and stream are in the matrix.
func order(c cell) int {
	for i, p := range players {
		for k, s := range p.streams {
			if p.name == c.Player && s.name == c.Stream {
				return 100*i + k
			}
		}
	}
	return 100 * len(players)
}

func summarise(plays []play) runs {
	r := runs{resumed: map[int][]float64{}}
	var times []float64
	for _, p := range plays {
		if !p.told() {
			r.failed++
			continue
		}
		if p.Error != "" {
			r.errors++
			times = append(times, p.ErrorMs)
			continue
		}
		times = append(times, p.TTFF)
		if !slices.Contains(r.heights, p.Height) {
			r.heights = append(r.heights, p.Height)
		}
		if at, ok := p.triedAgain(); ok {
			r.resumed[p.Height] = append(r.resumed[p.Height], p.TTFF-at)
		}
	}
	slices.Sort(r.heights)
	if r.n = len(times); r.n > 0 {
		r.median, r.low, r.high = median(times), slices.Min(times), slices.Max(times)
	}
	return r
}

// verdict is how a player's model does over the cells that count.
type verdict struct {
	player string
	cells  int
	median float64
	within float64 // share of cells
	worst  comparison
	rank   float64 // NaN of fewer than three cells
}

func judge(name string, cells []comparison) verdict {
	v := verdict{player: name}
	var ratios, real, probe []float64
	for _, c := range cells {
		if !c.counts() {
			continue
		}
		r := c.ratio()
		ratios, real, probe = append(ratios, r), append(real, c.real.median), append(probe, c.probe.median)
		if math.Abs(r-1) <= near {
			v.within++
		}
		if v.cells == 0 || math.Abs(math.Log(r)) > math.Abs(math.Log(v.worst.ratio())) {
			v.worst = c
		}
		v.cells++
	}
	if v.cells > 0 {
		v.median, v.within = median(ratios), v.within/float64(v.cells)
	}
	v.rank = spearman(real, probe)
	return v
}

// holds says whether the limits are kept.
func (v verdict) holds() bool {
	return v.cells > 0 && v.median >= medianLow && v.median <= medianHigh && v.within >= nearShare &&
		v.worst.ratio() >= worstLow && v.worst.ratio() <= worstHigh && v.rank >= leastRank
}

// median of at least one number.
func median(all []float64) float64 {
	s := slices.Sorted(slices.Values(all))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// spearman is the correlation of the ranks of a and b, where equal numbers share
// their mean rank. NaN of fewer than three pairs, or when all of one side are equal.
func spearman(a, b []float64) float64 {
	if len(a) < 3 {
		return math.NaN()
	}
	x, y := ranks(a), ranks(b)
	mean := float64(len(a)+1) / 2
	var xy, xx, yy float64
	for i := range x {
		xy += (x[i] - mean) * (y[i] - mean)
		xx += (x[i] - mean) * (x[i] - mean)
		yy += (y[i] - mean) * (y[i] - mean)
	}
	return xy / math.Sqrt(xx*yy)
}

func ranks(all []float64) []float64 {
	out := make([]float64, len(all))
	for i, v := range all {
		below, same := 0, 0
		for _, w := range all {
			if w < v {
				below++
			} else if w == v {
				same++
			}
		}
		out[i] = float64(below) + float64(same+1)/2
	}
	return out
}
