package main

import (
	"fmt"
	"io"
	"math"
)

// agreement says what the two sides of a fault have in common.
type agreement struct{ requests, verdict, time bool }

func (c comparison) agree() agreement {
	if c.real.n == 0 || c.probe.n == 0 {
		return agreement{}
	}
	a := agreement{
		requests: c.known && len(c.differences) == 0,
		verdict:  c.real.fails() == c.probe.fails(),
	}
	a.time = a.verdict && (math.Abs(c.ratio()-1) <= near || c.draws() && (c.resumes() || c.overlap()))
	return a
}

// resumed is the ratio of the probe's time to the player's from the last further
// try to the picture, with which no drawn delay interferes: the median of those
// plays that showed the same level, of several levels the ratio that is farthest
// from one. ok is false where the two have no such plays in common.
func (c comparison) resumed() (ratio float64, ok bool) {
	for height, real := range c.real.resumed {
		probe := c.probe.resumed[height]
		if len(probe) == 0 {
			continue
		}
		if r := median(probe) / median(real); !ok || math.Abs(r-1) > math.Abs(ratio-1) {
			ratio, ok = r, true
		}
	}
	return ratio, ok
}

// resumes says whether the two take the same time once the drawn delays are over.
func (c comparison) resumes() bool {
	ratio, ok := c.resumed()
	return ok && math.Abs(ratio-1) <= near
}

// fails says whether most plays end in an error.
func (r runs) fails() bool { return 2*r.errors > r.n }

// overlap says whether some play of the one side took no longer than one of the
// other, and the other way round.
func (c comparison) overlap() bool {
	return c.real.low <= c.probe.high && c.probe.low <= c.real.high
}

// draws says whether the player waits for times that it draws at random, so that
// the medians of a few plays are not to be compared.
func (c comparison) draws() bool {
	p := playerNamed(c.Player)
	return p != nil && p.draws
}

// faultHead says of each player in how many faults its model agrees.
func faultHead(w io.Writer, cells []comparison, wanted int) {
	if len(cells) == 0 {
		return
	}
	complete := 0
	for _, c := range cells {
		n := wanted
		if f, p := faultNamed(c.Fault), playerNamed(c.Player); f != nil && p != nil && f.once(*p) {
			n = 1
		}
		if c.real.n >= n && c.probe.n >= n {
			complete++
		}
	}
	fmt.Fprintf(w, "## Faults\n\nOver %d ms and %d Mbit/s; %d of %d have %d runs of each side, or one where nothing is ever shown and no delay is drawn.\n\n", faultWay.RTT, faultWay.Mbps, complete, len(cells), wanted)
	fmt.Fprint(w, "| player | faults | same requests | same verdict | same time | median probe/player |\n|---|---|---|---|---|---|\n")
	for _, p := range players {
		var n, requests, verdict, time int
		var ratios []float64
		for _, c := range cells {
			if c.Player != p.name {
				continue
			}
			a := c.agree()
			n, requests, verdict, time = n+1, requests+count(a.requests), verdict+count(a.verdict), time+count(a.time)
			if a.verdict {
				ratios = append(ratios, c.ratio())
			}
		}
		middle := ""
		if len(ratios) > 0 {
			middle = fmt.Sprintf("%.3f", median(ratios))
		}
		fmt.Fprintf(w, "| %s@%s | %d | %d | %d | %d | %s |\n", p.name, p.version, n, requests, verdict, time, middle)
	}
	fmt.Fprintf(w, "\nThe time is that to the picture or to the error, and the same when the medians are within %.0f %%; of Shaka, which draws its delays at random (half to one and a half of them), also when the time from the last further try to the picture is, of plays that show the same level, or when the ranges overlap.\n\n", 100*near)
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// everyFault lists all faults.
func everyFault(w io.Writer, cells []comparison) {
	if len(cells) == 0 {
		return
	}
	fmt.Fprint(w, "\n## All faults\n\nMedian (least to largest) in ms to the picture or error, runs, height of the first picture. “One” is the first segment of the lowest video rendition, “each” any segment at its first request, “all” any segment always.\n\n| fault | player/stream | player | probe | probe/player | verdict | requests |\n|---|---|---|---|---|---|---|\n")
	for _, c := range cells {
		ratio, verdict := "", ""
		if c.real.n > 0 && c.probe.n > 0 {
			a := c.agree()
			ratio = fmt.Sprintf("%.2f", c.ratio())
			if r, ok := c.resumed(); ok && c.draws() {
				ratio += fmt.Sprintf(", after the last delay %.2f", r)
			}
			if c.draws() && !c.resumes() && c.overlap() && math.Abs(c.ratio()-1) > near {
				ratio += ", ranges overlap"
			}
			if verdict = "same"; !a.verdict {
				verdict = "**not the same**"
			}
		}
		fmt.Fprintf(w, "| %s | %s/%s | %s | %s | %s | %s | %s |\n", c.Fault, c.Player, c.Stream, c.real, c.probe, ratio, verdict, c.requests())
	}
}
