package duck

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firstframe/firstframe/collector/query"
)

// statement is SQL in the making, with the parameters it refers to.
type statement struct {
	q     *query.Resolved
	dims  []string // names
	parts bool     // the rows of matching are told apart by the column part
	args  []any
}

// bind is the placeholder of a new parameter.
func (st *statement) bind(v any) string {
	st.args = append(st.args, v)
	return fmt.Sprintf("$%d", len(st.args))
}

// build is the statement that answers q from days, of which there is one at
// least. Its columns are, with a step, the rank of the series and the number of
// the bucket; then those of the answer. One row, or series, beyond the limit is
// answered, to tell that there are more.
func build(q *query.Resolved, days []*day) (text string, args []any) {
	st := &statement{q: q, parts: q.Compare > 0 || q.Covers()}
	for _, d := range q.Dims {
		st.dims = append(st.dims, d.Name)
	}
	with := "WITH matching AS " + st.materialized() + " (" + st.matching(days) + ")"
	switch {
	case q.Step == 0:
		text = fmt.Sprintf("%s\nSELECT %s FROM matching%s HAVING %s\nORDER BY %s LIMIT %d",
			with, st.selection(false), groupBy(st.dims), st.present(), st.orderBy("matching."), q.Limit+1)
	case len(st.dims) == 0:
		from := "matching"
		if q.Covers() {
			from = fmt.Sprintf("(FROM matching UNION ALL BY NAME SELECT unnest(range(%d)) AS bucket)", q.Buckets)
		}
		text = fmt.Sprintf("%s\nSELECT CAST(1 AS BIGINT) AS rank, bucket, %s FROM %s GROUP BY bucket ORDER BY bucket",
			with, st.selection(true), from)
	default:
		text = with + ",\n" + st.series()
	}
	return text, st.args
}

// series ranks the series by all of the range, and answers the limit's bucket by
// bucket.
func (st *statement) series() string {
	// The series' dimensions have names of their own, or those of cells would be
	// ambiguous.
	keys := make([]string, len(st.dims))
	back := make([]string, len(st.dims))
	same := make([]string, len(st.dims))
	for i, d := range st.dims {
		keys[i] = fmt.Sprintf("%s AS key%d", d, i)
		back[i] = fmt.Sprintf("key%d AS %s", i, d)
		same[i] = fmt.Sprintf("%s IS NOT DISTINCT FROM key%d", d, i)
	}
	from := "matching"
	if st.q.Covers() { // needs every bucket of each
		from = fmt.Sprintf("(FROM matching UNION ALL BY NAME SELECT %s, unnest(range(%d)) AS bucket FROM series)",
			strings.Join(back, ", "), st.q.Buckets)
	}
	var by []string // the measure that ranks
	if name, _ := st.orderColumn(); !slices.Contains(st.dims, name) {
		by = st.measures(false, name)
	}
	return fmt.Sprintf(`series AS (SELECT %s, row_number() OVER (ORDER BY %s) AS rank
	FROM (SELECT %s FROM matching%s HAVING %s) ORDER BY rank LIMIT %d),
cells AS (SELECT bucket, %s FROM %s GROUP BY bucket, %s)
SELECT rank, cells.* FROM cells JOIN series ON %s ORDER BY rank, bucket`,
		strings.Join(keys, ", "), st.orderBy(""),
		st.withDims(by...), groupBy(st.dims), st.present(), st.q.Limit+1,
		st.selection(true), from, strings.Join(st.dims, ", "),
		strings.Join(same, " AND "))
}

// materialized says whether matching, which series reads twice, is better kept
// than computed again. To keep most of the runs costs more than to read a few
// of their columns once more; not so when conditions beside that on source
// leave few of them, or when to compute matching is the larger part.
func (st *statement) materialized() string {
	keep := len(st.q.Filters) > 1 || st.q.PairBy != nil || st.q.Covers()
	if keep && st.q.Step > 0 && len(st.dims) > 0 {
		return "MATERIALIZED"
	}
	return "NOT MATERIALIZED"
}

// matching is the table of the runs that count, with the columns that are used,
// and of what coverage expects.
func (st *statement) matching(days []*day) string {
	q := st.q
	out := []string{"started_at"}
	for _, d := range q.Dims {
		out = add(out, d.Name)
	}
	for _, m := range q.Measures {
		out = add(out, inputs(m)...)
	}
	if q.Exemplars > 0 {
		out = add(out, "run_id", "ok", "ttff_ms")
	}
	in := slices.Clone(out)
	paired, window := "", ""
	if q.PairBy != nil {
		in = add(in, st.pairInputs()...)
		paired, window = st.paired()
		paired = ", " + paired
	}
	where := []string{"true"}
	for i := range q.Filters {
		in = add(in, q.Filters[i].Dim.Name)
		where = append(where, st.filter(&q.Filters[i]))
	}
	matches := strings.Join(where, " AND ")
	var parts []string
	for i, span := range q.Spans() {
		list := strings.Join(out, ", ") + paired
		if q.Step > 0 {
			list += fmt.Sprintf(", (epoch_ns(started_at) - %d) // %d AS bucket", q.Start.Add(-span.Shift).UnixNano(), int64(q.Step))
		}
		if st.parts {
			list += fmt.Sprintf(", %d AS part", i)
		}
		source := union(within(days, span.From, span.To), strings.Join(in, ", "))
		part := fmt.Sprintf("SELECT %s FROM (%s) WHERE %s AND %s%s", list, source, between(span.From, span.To), matches, window)
		if window != "" {
			part = "FROM (" + part + ")" // the name of a window is that of a whole union
		}
		parts = append(parts, part)
		if q.Covers() {
			parts = append(parts, st.expected(days, i, span, matches))
		}
	}
	return strings.Join(parts, "\nUNION ALL BY NAME ")
}

// add appends those of names that list lacks.
func add(list []string, names ...string) []string {
	for _, name := range names {
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// within are those of days, of which there is one at least, that can hold runs
// started from from until before to; one when none can, for its columns.
func within(days []*day, from, to time.Time) []*day {
	var in []*day
	for _, d := range days {
		if d.holds(from, to) {
			in = append(in, d)
		}
	}
	if len(in) == 0 {
		return days[:1]
	}
	return in
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

func groupBy(dims []string) string {
	if len(dims) == 0 {
		return ""
	}
	return " GROUP BY " + strings.Join(dims, ", ")
}

// orderColumn is the column that rows or series are ordered by, and how.
func (st *statement) orderColumn() (name, dir string) {
	name, dir = st.q.Columns[st.q.OrderBy].Name, "ASC"
	if st.q.Desc {
		dir = "DESC"
	}
	if name == query.TimeColumn && st.q.Step > 0 {
		name, dir = "runs", "DESC" // Fill turns the time
	}
	return name, dir
}

// orderBy is the order of rows or series: as asked, then by the dimensions. What
// comes before these tells them from measures: good is both.
func (st *statement) orderBy(before string) string {
	name, dir := st.orderColumn()
	if slices.Contains(st.dims, name) {
		name = before + name
	}
	keys := []string{name + " " + dir + " NULLS LAST"}
	for _, d := range st.dims {
		keys = append(keys, before+d+" ASC NULLS LAST")
	}
	return strings.Join(keys, ", ")
}
