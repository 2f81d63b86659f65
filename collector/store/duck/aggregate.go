package duck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/probes/run"
)

// scope is what is summed up in a cell: a span's runs, of all of it or of a
// bucket.
type scope struct {
	st     *statement
	span   query.Span
	number int // of the span
	bucket bool
}

// selection is the list of dimensions, measures and exemplars, of buckets or
// of all of the range.
func (st *statement) selection(buckets bool) string {
	return st.withDims(slices.Concat(st.measures(buckets, ""), st.exemplars())...)
}

// measures are those that are answered, or only the column of that name.
func (st *statement) measures(buckets bool, only string) []string {
	var list []string
	for i, span := range st.q.Spans() {
		s := scope{st, span, i, buckets}
		suffix := ""
		if i > 0 {
			suffix = query.BeforeSuffix
		}
		for _, m := range st.q.Measures {
			if name := m.Name + suffix; only == "" || only == name {
				list = append(list, s.measure(m)+" AS "+name)
			}
		}
	}
	return list
}

// exemplars is the column of these, if it is asked for.
func (st *statement) exemplars() []string {
	if st.q.Exemplars == 0 {
		return nil
	}
	s := scope{st: st}
	return []string{fmt.Sprintf(`[x.id FOR x IN max({'failed': CASE WHEN ok THEN 0 ELSE epoch_ns(started_at) END,
		'ttff': coalesce(ttff_ms, -1), 'id': run_id}, %d)%s] AS %s`, st.q.Exemplars, s.only(), query.ExemplarsColumn)}
}

// withDims lists the dimensions, then columns.
func (st *statement) withDims(columns ...string) string {
	return strings.Join(slices.Concat(st.dims, columns), ", ")
}

// present is the condition that a group has a row.
func (st *statement) present() string {
	if !st.parts {
		return "count(*) > 0"
	}
	conds := []string{fmt.Sprintf("count(*) FILTER (WHERE part < %d) > 0", partExpected)}
	if st.q.Covers() {
		for i := range st.q.Spans() {
			s := scope{st: st, number: i}
			conds = append(conds, fmt.Sprintf("%s >= %g", s.expected(), query.LeastRuns))
		}
	}
	return strings.Join(conds, " OR ")
}

// only is the clause that leaves an aggregate those of the scope's runs for
// which conds hold.
func (s scope) only(conds ...string) string {
	if s.st.parts {
		conds = append(conds, fmt.Sprintf("part = %d", partRuns+s.number))
	}
	if len(conds) == 0 {
		return ""
	}
	return " FILTER (WHERE " + strings.Join(conds, " AND ") + ")"
}

func (s scope) count(conds ...string) string { return "count(*)" + s.only(conds...) }

// running is the sum of a count from the range's start to the bucket's end.
func (s scope) running(count string) string {
	if !s.bucket {
		return count
	}
	return "CAST(sum(" + count + ")" + s.window() + " AS DOUBLE)"
}

func (s scope) window() string {
	if len(s.st.dims) == 0 {
		return " OVER (ORDER BY bucket)"
	}
	return " OVER (PARTITION BY " + strings.Join(s.st.dims, ", ") + " ORDER BY bucket)"
}

// end is the end of the bucket, in Unix nanoseconds.
func (s scope) end() string {
	if !s.bucket {
		return fmt.Sprint(s.span.To.UnixNano())
	}
	return fmt.Sprintf("least(%d, %d + (bucket + 1) * %d)",
		s.span.To.UnixNano(), s.st.q.Start.Add(-s.span.Shift).UnixNano(), int64(s.st.q.Step))
}

// expected is how many runs coverage expects.
func (s scope) expected() string {
	only := fmt.Sprintf(" FILTER (WHERE part = %d)", partExpected+s.number)
	if s.bucket {
		return "sum(sum(delta)" + only + ")" + s.window()
	}
	return "sum(expected)" + only
}

// measure is m in SQL. Beside the rows of runs there may be others; what is of
// runs is null when there are none.
func (s scope) measure(m *query.Measure) string {
	text := s.aggregate(m)
	if !s.st.parts || m.Agg == query.AggRuns || m.Agg == query.AggCoverage {
		return text
	}
	return fmt.Sprintf("CASE WHEN %s > 0 THEN %s END", s.count(), text)
}

// inputs are the columns that m is computed from.
func inputs(m *query.Measure) []string {
	switch m.Agg {
	case query.AggGood, query.AggBad, query.AggSLI, query.AggBurnRate, query.AggBudgetLeft:
		return []string{"good"}
	case query.AggFailed, query.AggAvailability:
		return []string{"ok"}
	case query.AggAgents:
		return []string{"agent"}
	case query.AggCacheHitRatio:
		return []string{"segment_cache_status"}
	case query.AggStallRatio:
		return []string{"stall_ms", "played_ms"}
	case query.AggCoverage:
		return []string{"interval_ms"}
	case query.AggQuantile, query.AggAvg, query.AggMin, query.AggMax, query.AggExpiresIn:
		return []string{m.Field.Name}
	}
	return nil
}

// aggregate is m in SQL, of a group that has at least one run.
func (s scope) aggregate(m *query.Measure) string {
	if m.Paired {
		return s.pair(m)
	}
	runs, good, ok := s.count(), s.count("good"), s.count("ok")
	switch m.Agg {
	case query.AggGood:
		return good
	case query.AggBad:
		return runs + " - " + good
	case query.AggFailed:
		return runs + " - " + ok
	case query.AggSLI:
		return good + " / " + runs
	case query.AggAvailability:
		return ok + " / " + runs
	case query.AggBurnRate:
		return fmt.Sprintf("(%s - %s) / %s / %g", runs, good, runs, query.ErrorBudget)
	case query.AggBudgetLeft:
		return fmt.Sprintf("1 - %s / %s / %g * least(%s - %d, %[6]d) / %[6]d", s.running("("+runs+" - "+good+")"), s.running(runs),
			query.ErrorBudget, s.end(), s.span.From.UnixNano(), int64(query.Period))
	case query.AggAgents:
		return "count(DISTINCT agent)" + s.only()
	case query.AggCacheHitRatio:
		in := "segment_cache_status IN (%s)"
		return fmt.Sprintf("%s / nullif(%s, 0)",
			s.count(fmt.Sprintf(in, constants(query.CacheHits))), s.count(fmt.Sprintf(in, constants(query.CacheKnown))))
	case query.AggStallRatio:
		return "sum(stall_ms)" + s.only("played_ms + stall_ms > 0") + " / sum(played_ms + stall_ms)" + s.only("played_ms + stall_ms > 0")
	case query.AggCoverage:
		received := s.count(planned, fmt.Sprintf("started_at < make_timestamp_ns(%d)", s.st.q.Settled.UnixNano()))
		return fmt.Sprintf("CASE WHEN %[1]s >= %[2]g THEN least(1, %[3]s / %[1]s) END", s.expected(), query.LeastRuns, received)
	case query.AggSilent:
		return fmt.Sprintf("(%s - epoch_ns(max(started_at)%s)) / 1e6", s.end(), s.only())
	case query.AggExpiresIn:
		// Centuries apart, two times are further than 64 bits of nanoseconds.
		return fmt.Sprintf("(CAST(epoch_ns(min(%s)%s) AS HUGEINT) - %s) / 1e6", m.Field.Name, s.only(), s.end())
	case query.AggQuantile:
		return s.quantile(m)
	case query.AggAvg:
		return "avg(" + number(m.Field) + ")" + s.only()
	case query.AggMin:
		return "min(" + number(m.Field) + ")" + s.only()
	case query.AggMax:
		return "max(" + number(m.Field) + ")" + s.only()
	}
	return runs
}

// quantile is one of a field's. All that are asked for of the field are written
// as one aggregate, so that the engine collects and sorts its values once.
func (s scope) quantile(m *query.Measure) string {
	var all []string
	index := 0
	for _, other := range s.st.q.Measures {
		if other.Agg == query.AggQuantile && other.Field == m.Field {
			all = append(all, fmt.Sprint(other.Quantile))
			if other == m {
				index = len(all)
			}
		}
	}
	if len(all) == 1 {
		return fmt.Sprintf("quantile_cont(%s, %s)%s", number(m.Field), all[0], s.only())
	}
	return fmt.Sprintf("(quantile_cont(%s, [%s])%s)[%d]", number(m.Field), strings.Join(all, ", "), s.only(), index)
}

// number is a field as it is computed with; a time stays one.
func number(f *run.Field) string {
	if f.Type == run.Time {
		return f.Name
	}
	return "CAST(" + f.Name + " AS DOUBLE)"
}

// constants lists words of our own.
func constants(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quoteText(w)
	}
	return strings.Join(quoted, ", ")
}
