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

// series are the runs of one group.
type series struct {
	key  []any
	runs []*run.Run
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
			rows = append(rows, slices.Concat(s.key, numbers(q, s.runs)))
			continue
		}
		first := len(rows)
		for at := q.Start; at.Before(q.To); at = at.Add(q.Step) {
			var bucket []*run.Run
			for _, r := range s.runs {
				if !r.StartedAt.Before(at) && r.StartedAt.Before(at.Add(q.Step)) {
					bucket = append(bucket, r)
				}
			}
			rows = append(rows, slices.Concat([]any{at}, s.key, numbers(q, bucket)))
		}
		if byTime && q.Desc {
			slices.Reverse(rows[first:])
		}
	}
	return rows, truncated
}

func group(q *query.Resolved, runs []*run.Run) []*series {
	var all []*series
	byKey := map[string]*series{}
	for _, r := range runs {
		if r.StartedAt.Before(q.From) || !r.StartedAt.Before(q.To) || !holds(q.Filters, r) {
			continue
		}
		var key []any
		for _, d := range q.Dims {
			key = append(key, d.Field.Get(r))
		}
		text := fmt.Sprintf("%#v", key)
		if byKey[text] == nil {
			byKey[text] = &series{key: key}
			all = append(all, byKey[text])
		}
		byKey[text].runs = append(byKey[text].runs, r)
	}
	return all
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
	rowA := slices.Concat(a.key, numbers(q, a.runs))
	rowB := slices.Concat(b.key, numbers(q, b.runs))
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

// numbers are the measures of a bucket.
func numbers(q *query.Resolved, runs []*run.Run) []any {
	var row []any
	for _, m := range q.Measures {
		v := number(m, runs)
		if len(runs) == 0 && m.Agg != query.AggRuns {
			v = nil
		}
		row = append(row, v)
	}
	return row
}

func number(m *query.Measure, runs []*run.Run) any {
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
	case query.AggCacheHitRatio:
		return ratio(n(func(r *run.Run) bool { return slices.Contains(query.CacheHits, r.SegmentCacheStatus) }),
			n(func(r *run.Run) bool { return slices.Contains(query.CacheKnown, r.SegmentCacheStatus) }))
	}
	return spread(m, runs)
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
	at := m.Quantile * float64(len(xs)-1)
	low := int(at)
	if low+1 == len(xs) {
		return xs[low]
	}
	return xs[low] + (xs[low+1]-xs[low])*(at-float64(low))
}
