package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// leastPairs is how many pairs an interval is told for: of fewer, even the
// least and the greatest difference hold the median with less than 95 %.
const leastPairs = 6

// difference is how much longer one group takes to the first frame than
// another, round by round: what a round's network did to both goes out of it.
type difference struct {
	cell, against *cell
	label         string
	rounds        int       // in which both were played
	values        []float64 // ms, of the rounds in which both reached the first frame, least first
}

// differences compares each group with the first that differs from it in
// nothing but the CDN, in nothing but the app, and in nothing but the
// connection.
func differences(cells []*cell) []difference {
	var all []difference
	for i, c := range cells {
		for _, leave := range []func(k *key){
			func(k *key) { k.cdn = "" },
			func(k *key) { k.app = "" },
			func(k *key) { k.connection = "" },
		} {
			first := slices.IndexFunc(cells[:i], func(b *cell) bool {
				mine, its := c.key, b.key
				leave(&mine)
				leave(&its)
				return mine == its
			})
			if first < 0 {
				continue
			}
			d := pair(c, cells[first])
			d.label = d.name(cells)
			all = append(all, d)
		}
	}
	return all
}

// pair takes the differences of c to b, round by round.
func pair(c, b *cell) difference {
	d := difference{cell: c, against: b}
	partner := map[string]int{}
	for i := range b.runs {
		partner[b.runs[i].Round] = i
	}
	for i := range c.runs {
		r := c.runs[i]
		k, ok := partner[r.Round]
		if !ok || r.Round == "" {
			continue
		}
		d.rounds++
		if other := b.runs[k]; r.TTFFMs != nil && other.TTFFMs != nil {
			d.values = append(d.values, *r.TTFFMs-*other.TTFFMs)
		}
	}
	slices.Sort(d.values)
	return d
}

// name says what is compared: what differs, then what both have in common
// where there are others.
func (d *difference) name(cells []*cell) string {
	c, b := d.cell, d.against
	var differ string
	var common []string
	for _, part := range []struct{ c, b string }{{c.cdn, b.cdn}, {c.app, b.app}, {c.connectionName, b.connectionName}} {
		switch {
		case part.c != part.b:
			differ = orDash(part.c) + " − " + orDash(part.b)
		case part.c != "":
			common = append(common, part.c)
		}
	}
	if oneApp(cells) {
		common = slices.DeleteFunc(common, func(s string) bool { return s == c.app })
	}
	if c.targetName != "" {
		common = append(common, c.targetName)
	}
	return strings.Join(append([]string{differ}, common...), " · ")
}

func oneApp(cells []*cell) bool {
	return !slices.ContainsFunc(cells, func(c *cell) bool { return c.app != cells[0].app })
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// median is the middle of the differences; ok is false when there is none.
func (d *difference) median() (v float64, ok bool) {
	n := len(d.values)
	if n == 0 {
		return 0, false
	}
	return (d.values[(n-1)/2] + d.values[n/2]) / 2, true
}

// interval holds the median of all the differences that there could be with
// 95 % at least, whatever their distribution: it reaches from the k-th least to
// the k-th greatest of those there are. ok is false when they are too few.
func (d *difference) interval() (low, high float64, ok bool) {
	n := len(d.values)
	if n < leastPairs {
		return 0, 0, false
	}
	k := medianRank(n)
	return d.values[k-1], d.values[n-k], true
}

// medianRank is the greatest k for which fewer than k of n values lie below
// their distribution's median with a probability of 2.5 % at most: the sign
// test's (Conover, Practical Nonparametric Statistics, 3rd ed., section 3.2). n
// is leastPairs at least. The binomial's terms are taken by their logarithms,
// so that no n is too large for them.
func medianRank(n int) int {
	log := float64(-n) * math.Ln2 // of the probability that none lies below
	below := 0.0
	for k := 0; ; k++ {
		below += math.Exp(log)
		if below > 0.025 {
			return k
		}
		log += math.Log(float64(n-k)) - math.Log(float64(k+1))
	}
}

// verdict says in words what the differences show.
func (d *difference) verdict() string {
	low, high, ok := d.interval()
	switch {
	case !ok:
		return fmt.Sprintf("needs %d pairs", leastPairs)
	case low > 0:
		return "slower"
	case high < 0:
		return "faster"
	}
	return "not told apart"
}

// texts are the difference as the tables show it.
func (d *difference) texts() (pairs, median, interval string) {
	pairs, median, interval = fmt.Sprintf("%d/%d", len(d.values), d.rounds), "–", "–"
	if v, ok := d.median(); ok {
		median = signed(v)
	}
	if low, high, ok := d.interval(); ok {
		interval = signed(low) + " … " + signed(high)
	}
	return pairs, median, interval
}

// signed is a difference of times for people: +34 ms, −1.20 s.
func signed(ms float64) string {
	switch {
	case math.Abs(ms) < 0.05:
		return "0 ms"
	case ms > 0:
		return "+" + Millis(ms)
	}
	return "−" + Millis(-ms)
}
