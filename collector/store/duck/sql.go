package duck

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/probes/run"
)

// statement is SQL in the making, with the parameters it refers to.
type statement struct {
	args []any
}

// bind is the placeholder of a new parameter.
func (st *statement) bind(v any) string {
	st.args = append(st.args, v)
	return fmt.Sprintf("$%d", len(st.args))
}

// build is the statement that answers q from days, of which there is one at
// least. Its columns are, with a step, the rank of the series and the number of
// the bucket; then dimensions and measures. One row, or series, beyond the
// limit is answered, to tell that there are more.
func build(q *query.Resolved, days []*day) (text string, args []any) {
	st := &statement{}
	matching := st.matching(q, days)
	dims := make([]string, len(q.Dims))
	for i, d := range q.Dims {
		dims[i] = d.Name
	}
	if q.Step == 0 {
		return fmt.Sprintf("%s\nSELECT %s FROM matching%s HAVING count(*) > 0\nORDER BY %s LIMIT %d",
			matching, selection(q), groupBy(dims), orderBy(q), q.Limit+1), st.args
	}
	if len(dims) == 0 {
		return fmt.Sprintf("%s\nSELECT CAST(1 AS BIGINT) AS rank, bucket, %s FROM matching GROUP BY bucket ORDER BY bucket",
			matching, selection(q)), st.args
	}
	// The series' dimensions have names of their own, or those of matching
	// would be ambiguous.
	keys := make([]string, len(dims))
	same := make([]string, len(dims))
	for i, d := range dims {
		keys[i] = fmt.Sprintf("%s AS key%d", d, i)
		same[i] = fmt.Sprintf("%s IS NOT DISTINCT FROM key%d", d, i)
	}
	return fmt.Sprintf(`%s,
series AS (SELECT %s, row_number() OVER (ORDER BY %s) AS rank
	FROM (SELECT %s FROM matching%s) ORDER BY rank LIMIT %d)
SELECT rank, bucket, %s FROM matching JOIN series ON %s
GROUP BY rank, bucket, %s ORDER BY rank, bucket`,
		matching, strings.Join(keys, ", "), orderBy(q),
		selection(q), groupBy(dims), q.Limit+1,
		selection(q), strings.Join(same, " AND "), strings.Join(dims, ", ")), st.args
}

// matching is the table of the runs that count, with the columns that are used.
func (st *statement) matching(q *query.Resolved, days []*day) string {
	columns := []string{"started_at"}
	need := func(name string) {
		if !slices.Contains(columns, name) {
			columns = append(columns, name)
		}
	}
	for _, d := range q.Dims {
		need(d.Name)
	}
	for _, m := range q.Measures {
		for _, name := range inputs(m) {
			need(name)
		}
	}
	out := strings.Join(columns, ", ")
	for _, f := range q.Filters {
		need(f.Dim.Name)
	}
	in := strings.Join(columns, ", ")
	if q.Step > 0 {
		out += fmt.Sprintf(", (epoch_ns(started_at) - %d) // %d AS bucket", q.Start.UnixNano(), int64(q.Step))
	}
	where := []string{between(q.From, q.To)}
	for i := range q.Filters {
		where = append(where, st.filter(&q.Filters[i]))
	}
	return fmt.Sprintf("WITH matching AS (SELECT %s FROM (%s) WHERE %s)", out, union(days, in), strings.Join(where, " AND "))
}

// union reads columns from days.
func union(days []*day, columns string) string {
	parts := make([]string, len(days))
	for i, d := range days {
		parts[i] = "SELECT " + columns + " FROM " + d.catalog + ".runs"
	}
	return strings.Join(parts, " UNION ALL ")
}

// between is written with numbers, not parameters: only constants let the
// engine skip row groups.
func between(from, to time.Time) string {
	return fmt.Sprintf("started_at >= make_timestamp_ns(%d) AND started_at < make_timestamp_ns(%d)", from.UnixNano(), to.UnixNano())
}

// selection is the list of dimensions and measures.
func selection(q *query.Resolved) string {
	var list []string
	for _, d := range q.Dims {
		list = append(list, d.Name)
	}
	for _, m := range q.Measures {
		list = append(list, fmt.Sprintf("%s AS %s", aggregate(m), m.Name))
	}
	return strings.Join(list, ", ")
}

func groupBy(dims []string) string {
	if len(dims) == 0 {
		return ""
	}
	return " GROUP BY " + strings.Join(dims, ", ")
}

// orderBy is the order of rows or series: as asked, then by the dimensions.
func orderBy(q *query.Resolved) string {
	name, dir := q.Columns[q.OrderBy].Name, "ASC"
	if q.Desc {
		dir = "DESC"
	}
	if name == query.TimeColumn && q.Step > 0 {
		name, dir = "runs", "DESC" // Fill turns the time
	}
	keys := []string{name + " " + dir + " NULLS LAST"}
	for _, d := range q.Dims {
		keys = append(keys, d.Name+" ASC NULLS LAST")
	}
	return strings.Join(keys, ", ")
}

// inputs are the columns that m is computed from.
func inputs(m *query.Measure) []string {
	switch m.Agg {
	case query.AggGood, query.AggBad, query.AggSLI:
		return []string{"good"}
	case query.AggFailed, query.AggAvailability:
		return []string{"ok"}
	case query.AggAgents:
		return []string{"agent"}
	case query.AggCacheHitRatio:
		return []string{"segment_cache_status"}
	case query.AggQuantile, query.AggAvg:
		return []string{m.Field.Name}
	}
	return nil
}

// aggregate is m in SQL, of a group that has at least one run.
func aggregate(m *query.Measure) string {
	switch m.Agg {
	case query.AggGood:
		return "count(*) FILTER (WHERE good)"
	case query.AggBad:
		return "count(*) - count(*) FILTER (WHERE good)"
	case query.AggFailed:
		return "count(*) - count(*) FILTER (WHERE ok)"
	case query.AggSLI:
		return "count(*) FILTER (WHERE good) / count(*)"
	case query.AggAvailability:
		return "count(*) FILTER (WHERE ok) / count(*)"
	case query.AggAgents:
		return "count(DISTINCT agent)"
	case query.AggCacheHitRatio:
		return fmt.Sprintf("count(*) FILTER (WHERE segment_cache_status IN (%s)) / nullif(count(*) FILTER (WHERE segment_cache_status IN (%s)), 0)",
			constants(query.CacheHits), constants(query.CacheKnown))
	case query.AggQuantile:
		return fmt.Sprintf("quantile_cont(CAST(%s AS DOUBLE), %g)", m.Field.Name, m.Quantile)
	case query.AggAvg:
		return fmt.Sprintf("avg(CAST(%s AS DOUBLE))", m.Field.Name)
	}
	return "count(*)"
}

// constants lists words of our own.
func constants(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quoteText(w)
	}
	return strings.Join(quoted, ", ")
}

// filter is f in SQL.
func (st *statement) filter(f *query.Filter) string {
	expr := f.Dim.Name
	switch f.Op {
	case query.Exists:
		if f.Values[0] == true {
			return expr + " IS NOT NULL"
		}
		return expr + " IS NULL"
	case query.Match, query.NotMatch:
		expr = fmt.Sprintf("regexp_matches(%s, %s)", asText(f.Dim), st.bind(f.Pattern()))
	default:
		list := make([]string, len(f.Values))
		for i, v := range f.Values {
			if t, ok := v.(time.Time); ok {
				v = t.UnixNano()
			}
			list[i] = st.bind(v)
		}
		expr = fmt.Sprintf("%s IN (%s)", comparable(f.Dim), strings.Join(list, ", "))
	}
	switch f.Op {
	case query.Ne, query.NotIn, query.NotMatch:
		return "NOT coalesce(" + expr + ", false)"
	}
	return expr
}

// comparable is d as what a filter's value is bound as.
func comparable(d *query.Dimension) string {
	switch {
	case d.Name == "run_id":
		return asText(d)
	case d.Type == run.Time:
		return "epoch_ns(" + d.Name + ")"
	}
	return d.Name
}

// asText is d as a condition's value is written.
func asText(d *query.Dimension) string {
	if d.Name == "run_id" {
		return "replace(CAST(run_id AS VARCHAR), '-', '')"
	}
	return "CAST(" + d.Name + " AS VARCHAR)"
}
