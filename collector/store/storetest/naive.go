package storetest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/probes/run"
)

// series are the runs of one group, and the jobs that coverage expects, of the
// range and of the one compared with.
type series struct {
	key   []any
	runs  [2][]*run.Run
	pairs [2]map[*run.Run]pair // of all groups
	jobs  [2][]job
}

// evaluate answers q over runs in the plainest way.
func evaluate(q *query.Resolved, runs []*run.Run) (rows [][]any, truncated bool) {
	all := group(q, runs)
	if len(all) == 0 && len(q.Dims) == 0 {
		all = []*series{{}}
	}
	byTime := q.Step > 0 && q.OrderBy == 0
	slices.SortStableFunc(all, func(a, b *series) int { return order(q, a, b, byTime) })
	if len(all) > q.Limit {
		all, truncated = all[:q.Limit], true
	}
	rows = [][]any{}
	for _, s := range all {
		if q.Step == 0 {
			rows = append(rows, slices.Concat(s.key, numbers(q, s, q.From, q.To)))
			continue
		}
		first := len(rows)
		for at := q.Start; at.Before(q.To); at = at.Add(q.Step) {
			from, to := at, at.Add(q.Step)
			if from.Before(q.From) {
				from = q.From
			}
			if to.After(q.To) {
				to = q.To
			}
			rows = append(rows, slices.Concat([]any{at}, s.key, numbers(q, s, from, to)))
		}
		if byTime && q.Desc {
			slices.Reverse(rows[first:])
		}
	}
	return rows, truncated
}

func group(q *query.Resolved, runs []*run.Run) []*series {
	byKey := map[string]*series{}
	of := func(key []any) *series {
		text := fmt.Sprintf("%#v", key)
		if byKey[text] == nil {
			byKey[text] = &series{key: key}
		}
		return byKey[text]
	}
	for i, span := range q.Spans() {
		matching := slices.DeleteFunc(between(runs, span.From, span.To), func(r *run.Run) bool { return !holds(q.Filters, r) })
		compared := pairs(q, matching)
		for _, r := range matching {
			s := of(key(q.Dims, r))
			s.runs[i], s.pairs[i] = append(s.runs[i], r), compared
		}
		if q.Covers() {
			for _, j := range jobs(q, runs, span) {
				s := of(j.key)
				s.jobs[i] = append(s.jobs[i], j)
			}
		}
	}
	var all []*series
	for _, s := range byKey {
		there := len(s.runs[0])+len(s.runs[1]) > 0
		for i, span := range q.Spans() {
			there = there || expected(s.jobs[i], span.From, span.To) >= query.LeastRuns
		}
		if there {
			all = append(all, s)
		}
	}
	return all
}

func key(dims []*query.Dimension, r *run.Run) []any {
	var key []any
	for _, d := range dims {
		key = append(key, d.Field.Get(r))
	}
	return key
}

// between are those of runs that started from from until before to.
func between(runs []*run.Run, from, to time.Time) []*run.Run {
	var in []*run.Run
	for _, r := range runs {
		if !r.StartedAt.Before(from) && r.StartedAt.Before(to) {
			in = append(in, r)
		}
	}
	return in
}

func holds(filters []query.Filter, r *run.Run) bool {
	for i := range filters {
		f := &filters[i]
		v := f.Dim.Field.Get(r)
		var ok bool
		switch f.Op {
		case query.Exists:
			ok = (v != nil) == f.Values[0].(bool)
		case query.Eq, query.In:
			ok = slices.Contains(f.Values, v)
		case query.Ne, query.NotIn:
			ok = !slices.Contains(f.Values, v)
		case query.Match:
			ok = matches(f, v)
		case query.NotMatch:
			ok = !matches(f, v)
		}
		if !ok {
			return false
		}
	}
	return true
}

func matches(f *query.Filter, v any) bool {
	re, err := f.Regexp()
	return err == nil && v != nil && re.MatchString(fmt.Sprint(v))
}

// order compares two series by a column, then by their keys.
func order(q *query.Resolved, a, b *series, byTime bool) int {
	dims := len(q.Dims)
	column, desc := q.OrderBy, q.Desc
	if q.Step > 0 {
		column--
	}
	if byTime {
		column, desc = dims, true // runs
	}
	rowA := slices.Concat(a.key, numbers(q, a, q.From, q.To))
	rowB := slices.Concat(b.key, numbers(q, b, q.From, q.To))
	if c := nullsLast(rowA[column], rowB[column], desc); c != 0 {
		return c
	}
	for i := range dims {
		if c := nullsLast(rowA[i], rowB[i], false); c != 0 {
			return c
		}
	}
	return 0
}

func nullsLast(a, b any, desc bool) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	c := 0
	switch a := a.(type) {
	case string:
		c = strings.Compare(a, b.(string))
	case int64:
		c = cmp.Compare(a, b.(int64))
	case float64:
		c = cmp.Compare(a, b.(float64))
	case time.Time:
		c = a.Compare(b.(time.Time))
	case bool:
		if b := b.(bool); a != b {
			c = 1
			if b {
				c = -1
			}
		}
	}
	if desc {
		return -c
	}
	return c
}

// numbers are the measures and exemplars of the bucket from from until before to.
func numbers(q *query.Resolved, s *series, from, to time.Time) []any {
	var row []any
	for i, span := range q.Spans() {
		b := bucket{from: from.Add(-span.Shift), to: to.Add(-span.Shift), settled: q.Settled, jobs: s.jobs[i], pairs: s.pairs[i]}
		b.runs = between(s.runs[i], b.from, b.to)
		b.since, b.start = between(s.runs[i], span.From, b.to), span.From
		for _, m := range q.Measures {
			v := b.number(m)
			if len(b.runs) == 0 && m.Agg != query.AggRuns && m.Agg != query.AggCoverage {
				v = nil
			}
			row = append(row, v)
		}
	}
	if q.Exemplars > 0 {
		row = append(row, worst(between(s.runs[0], from, to), q.Exemplars))
	}
	return row
}

// worst are the ids of the n runs to look at first.
func worst(runs []*run.Run, n int) any {
	if len(runs) == 0 {
		return nil
	}
	ttff := func(r *run.Run) float64 {
		if r.TTFFMs == nil {
			return -1
		}
		return *r.TTFFMs
	}
	runs = slices.SortedFunc(slices.Values(runs), func(a, b *run.Run) int {
		switch {
		case a.OK != b.OK && b.OK:
			return -1
		case a.OK != b.OK:
			return 1
		case !a.OK:
			return b.StartedAt.Compare(a.StartedAt)
		}
		return cmp.Or(cmp.Compare(ttff(b), ttff(a)), strings.Compare(b.RunID, a.RunID))
	})
	var ids []string
	for _, r := range runs[:min(n, len(runs))] {
		ids = append(ids, r.RunID)
	}
	return ids
}

// bucket is what numbers are computed from.
type bucket struct {
	from, to       time.Time
	runs           []*run.Run
	start, settled time.Time
	since          []*run.Run // from start until to
	jobs           []job
	pairs          map[*run.Run]pair
}

func (b bucket) number(m *query.Measure) any {
	if m.Paired {
		return b.paired(m)
	}
	runs := b.runs
	n := func(is func(*run.Run) bool) (n int64) {
		for _, r := range runs {
			if is(r) {
				n++
			}
		}
		return n
	}
	isGood := func(r *run.Run) bool { return r.Good }
	isOK := func(r *run.Run) bool { return r.OK }
	total := int64(len(runs))
	switch m.Agg {
	case query.AggRuns:
		return total
	case query.AggGood:
		return n(isGood)
	case query.AggBad:
		return total - n(isGood)
	case query.AggFailed:
		return total - n(isOK)
	case query.AggSLI:
		return ratio(n(isGood), total)
	case query.AggAvailability:
		return ratio(n(isOK), total)
	case query.AggAgents:
		seen := map[string]bool{}
		for _, r := range runs {
			if r.Agent != "" {
				seen[r.Agent] = true
			}
		}
		return int64(len(seen))
	case query.AggBurnRate:
		return query.BurnRate(total-n(isGood), total)
	case query.AggBudgetLeft:
		runs = b.since
		return query.BudgetLeft(int64(len(runs))-n(isGood), int64(len(runs)), b.to.Sub(b.start))
	case query.AggCoverage:
		received := n(func(r *run.Run) bool { return interval(r) > 0 && r.StartedAt.Before(b.settled) })
		return query.Covered(received, expected(b.jobs, b.from, b.to))
	case query.AggSilent, query.AggExpiresIn, query.AggMin, query.AggMax:
		return b.extreme(m)
	case query.AggStallRatio:
		return stallRatio(runs)
	case query.AggCacheHitRatio:
		return ratio(n(func(r *run.Run) bool { return slices.Contains(query.CacheHits, r.SegmentCacheStatus) }),
			n(func(r *run.Run) bool { return slices.Contains(query.CacheKnown, r.SegmentCacheStatus) }))
	}
	return spread(m, runs)
}

// stallRatio is the share of the time after the start in which nothing moved.
func stallRatio(runs []*run.Run) any {
	stood, all := 0.0, 0.0
	for _, r := range runs {
		if r.PlayedMs != nil && r.StallMs != nil && *r.PlayedMs+*r.StallMs > 0 {
			stood, all = stood+*r.StallMs, all+*r.PlayedMs+*r.StallMs
		}
	}
	if all == 0 {
		return nil
	}
	return stood / all
}

func ratio(a, b int64) any {
	if b == 0 {
		return nil
	}
	return float64(a) / float64(b)
}

// spread is a mean or a percentile.
func spread(m *query.Measure, runs []*run.Run) any {
	var xs []float64
	sum := 0.0
	for _, r := range runs {
		x := math.NaN()
		switch v := m.Field.Get(r).(type) {
		case nil:
			continue
		case int64:
			x = float64(v)
		case float64:
			x = v
		}
		xs = append(xs, x)
		sum += x
	}
	if len(xs) == 0 {
		return nil
	}
	if m.Agg == query.AggAvg {
		return sum / float64(len(xs))
	}
	slices.Sort(xs)
	return quantile(xs, m.Quantile)
}

// quantile is that of sorted numbers, nil when there are none.
func quantile(xs []float64, q float64) any {
	if len(xs) == 0 {
		return nil
	}
	at := q * float64(len(xs)-1)
	low := int(at)
	if low+1 == len(xs) {
		return xs[low]
	}
	return xs[low] + (xs[low+1]-xs[low])*(at-float64(low))
}

// extreme is the least or greatest of a field, or how far it lies from the end.
func (b bucket) extreme(m *query.Measure) any {
	field := m.Field
	if m.Agg == query.AggSilent {
		field = run.FieldByName("started_at")
	}
	var best any
	for _, r := range b.runs {
		v := field.Get(r)
		if n, ok := v.(int64); ok {
			v = float64(n)
		}
		greatest := m.Agg == query.AggMax || m.Agg == query.AggSilent
		if v != nil && (best == nil || nullsLast(v, best, greatest) < 0) {
			best = v
		}
	}
	at, _ := best.(time.Time)
	switch {
	case best == nil:
		return nil
	case m.Agg == query.AggSilent:
		return ms(b.to.Sub(at))
	case m.Agg == query.AggExpiresIn:
		return ms(at.Sub(b.to))
	}
	return best
}
