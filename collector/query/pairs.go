package query

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Paired maps each dimension that pair_by can name to the others that two runs
// must have in common, beside those of PairKey, to be compared. What belongs to
// the dimension itself is not among them: two versions of an app may have
// different players, and two apps have versions of their own.
var Paired = map[string][]string{
	"cdn":         {"app", "app_version", "player"},
	"app":         {"cdn"},
	"app_version": {"cdn", "app"},
	"player":      {"cdn"},
}

// PairKey are the dimensions that runs of one pair group have in common,
// whatever they are paired by: what one agent played in one round.
var PairKey = []string{"round", "agent", "target"}

// LeastPairs is how many pairs an interval is told for: of fewer, even the
// least and the greatest hold the median with less than 95 %.
const LeastPairs = 6

// Z95 is how many standard deviations an interval of 95 % of the normal
// distribution reaches to either side.
const Z95 = 1.959963984540054

// MedianRank is the rank k, counted from 1, of the ends of the 95 % interval of
// the median of n values in order: the k-th from below and the k-th from above.
// No distribution is supposed, only that the values are independent. It is the
// normal approximation of the sign test's binomial, which for n from LeastPairs
// is the exact rank or, seldom, one beside it (Conover, Practical
// Nonparametric Statistics, 3rd ed., section 3.2).
func MedianRank(n int64) int64 {
	half := float64(Z95 / 2 * math.Sqrt(float64(n))) // rounded, so that all machines agree
	return int64(math.Floor(float64(n+1)/2 - half))
}

// MeanError is half the width of the 95 % interval of the mean of n values with
// the standard deviation sd.
func MeanError(sd float64, n int64) float64 { return Z95 * sd / math.Sqrt(float64(n)) }

// pairMeasures are the measures that need pair_by.
func pairMeasures() []Measure {
	const (
		pair   = "a run and the mean of the runs of the other values of pair_by in its pair group"
		ttff   = "own ttff_ms - mean ttff_ms of the others, where both are known: below 0, this one is faster"
		bad    = "own bad (0 or 1) - mean bad of the others: below 0, this one is better; -1 to 1"
		median = "of 95 % of the median of differences, by order statistics; null under 6 pairs"
		mean   = "of 95 % of the mean of differences, by the normal distribution; null under 6 pairs"
	)
	return []Measure{
		{Name: "pairs", Agg: AggPairs, Doc: "runs with a partner, see pair_by: " + pair},
		{Name: "ttff_ms_paired_diff", Unit: "ms", Agg: AggTTFFDiff, Doc: "median of paired differences: " + ttff},
		{Name: "ttff_ms_paired_diff_low", Unit: "ms", Agg: AggTTFFDiffLow, Doc: "lower end " + median},
		{Name: "ttff_ms_paired_diff_high", Unit: "ms", Agg: AggTTFFDiffHigh, Doc: "upper end " + median},
		{Name: "bad_paired_diff", Unit: "ratio", Agg: AggBadDiff, Doc: "mean of paired differences: " + bad},
		{Name: "bad_paired_diff_low", Unit: "ratio", Agg: AggBadDiffLow, Doc: "lower end " + mean},
		{Name: "bad_paired_diff_high", Unit: "ratio", Agg: AggBadDiffHigh, Doc: "upper end " + mean},
	}
}

// PairedBy are the dimensions that the runs of a pair group have in common, nil
// when q does not pair.
func (q *Resolved) PairedBy() []string {
	if q.PairBy == nil {
		return nil
	}
	return slices.Concat(PairKey, Paired[q.PairBy.Name])
}

// pair checks pair_by, and that it is there when a measure needs it.
func (q *Resolved) pair(r *Request) error {
	if r.PairBy == "" {
		for i, name := range r.Measures {
			if MeasureByName(name).Paired {
				return Errorf(CodePair, fmt.Sprintf("measures[%d]", i),
					"%s compares runs of one round with each other: pair_by says by what; it is one of: %s", name, strings.Join(pairNames, ", "))
			}
		}
		return nil
	}
	if !slices.Contains(pairNames, r.PairBy) {
		return unknown(CodeDimension, "pair_by", "dimension that a round has several values of", r.PairBy, pairNames)
	}
	if !slices.Contains(r.GroupBy, r.PairBy) {
		return Errorf(CodePair, "pair_by", "group_by lacks %s: over all of its values the differences between them add up to nothing", r.PairBy)
	}
	q.PairBy = DimensionByName(r.PairBy)
	return nil
}
