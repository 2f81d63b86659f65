package duck

import (
	"fmt"
	"strings"

	"github.com/firstframe/firstframe/collector/query"
)

// The columns that compare a run with its partners, null when it has none.
const (
	ttffDiff = "ttff_diff"
	badDiff  = "bad_diff"
)

// pairInputs are the columns that pairing reads.
func (st *statement) pairInputs() []string {
	return append(st.q.PairedBy(), "ttff_ms", "good")
}

// paired are the columns ttffDiff and badDiff of a SELECT, and the window that
// they need: of each run, those of its pair group that have another value.
//
// Groups are told apart by a hash of 64 bits, which is twice as fast as by the
// texts: among a million of them, any two are mixed up once in 40 million
// queries.
func (st *statement) paired() (columns, window string) {
	by := st.q.PairBy.Name
	known := fmt.Sprintf("round IS NOT NULL AND agent IS NOT NULL AND %s IS NOT NULL", by)
	diff := func(own string) string {
		return fmt.Sprintf("CASE WHEN %[2]s THEN %[1]s - avg(%[1]s) FILTER (WHERE %[2]s) OVER others END", own, known)
	}
	window = fmt.Sprintf(` WINDOW others AS (PARTITION BY hash(%s) ORDER BY %s
		RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE GROUP)`, strings.Join(st.q.PairedBy(), ", "), by)
	return fmt.Sprintf("%s AS %s, %s AS %s", diff("ttff_ms"), ttffDiff, diff("CAST(NOT good AS DOUBLE)"), badDiff), window
}

// pair is a measure of pairs in SQL.
func (s scope) pair(m *query.Measure) string {
	pairs, known := s.count(badDiff+" IS NOT NULL"), s.count(ttffDiff+" IS NOT NULL")
	sorted := "list_sort(list(" + ttffDiff + ")" + s.only(ttffDiff+" IS NOT NULL") + ")"
	mean, half := "avg("+badDiff+")"+s.only(), fmt.Sprintf("%g * stddev_samp(%s)%s / sqrt(%s)", query.Z95, badDiff, s.only(), pairs)
	rank := fmt.Sprintf("CAST(floor((%[1]s + 1) / 2 - %[2]g * sqrt(%[1]s)) AS BIGINT)", known, query.Z95/2)
	switch m.Agg {
	case query.AggTTFFDiff:
		return "quantile_cont(" + ttffDiff + ", 0.5)" + s.only()
	case query.AggTTFFDiffLow:
		return enough(known, sorted+"["+rank+"]")
	case query.AggTTFFDiffHigh:
		return enough(known, sorted+"["+known+" + 1 - "+rank+"]")
	case query.AggBadDiff:
		return mean
	case query.AggBadDiffLow:
		return enough(pairs, mean+" - "+half)
	case query.AggBadDiffHigh:
		return enough(pairs, mean+" + "+half)
	}
	return pairs
}

// enough is value, null when there are too few pairs for an interval.
func enough(pairs, value string) string {
	return fmt.Sprintf("CASE WHEN %s >= %d THEN %s END", pairs, query.LeastPairs, value)
}
