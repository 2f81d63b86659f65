package duck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/firstframe/firstframe/collector/query"
)

// The numbers of the parts of matching: runs of the range, those of the range
// compared with, and what coverage expects of either.
const (
	partRuns     = 0 // of span i: partRuns + i
	partExpected = 2 // of span i: partExpected + i
)

// planned is the condition that a run has an interval that counts.
var planned = fmt.Sprintf("interval_ms BETWEEN %d AND %d", query.LeastInterval.Milliseconds(), query.Memory.Milliseconds())

// expected are rows that say how many runs coverage expects of span i, see
// query.Covered: without a step one row for each job, in the column expected;
// with a step also how much more than in the bucket before is expected from a
// bucket on, in the column delta. So there are at most four rows for each job,
// however many buckets.
func (st *statement) expected(days []*day, i int, span query.Span, matches string) string {
	list := st.withDims(fmt.Sprintf("%d AS part", partExpected+i))
	jobs := st.jobs(days, span, matches)
	if st.q.Step == 0 {
		return fmt.Sprintf("SELECT %s, (until - since) / every AS expected FROM (%s) WHERE until > since", list, jobs)
	}
	step := int64(st.q.Step)
	// In bucket b, and in all after it, a job that begins so long before b's end.
	cut := fmt.Sprintf(`SELECT *, (since - %[1]d) // %[2]d AS b0, (until - %[1]d) // %[2]d AS b1,
		%[1]d + (b0 + 1) * %[2]d - since AS rest0, %[1]d + (b1 + 1) * %[2]d - until AS rest1 FROM (%[3]s) WHERE until > since`,
		st.q.Start.Add(-span.Shift).UnixNano(), step, jobs)
	return fmt.Sprintf(`SELECT * FROM (SELECT %s, unnest([
		{'bucket': b0, 'delta': rest0 / every, 'expected': (until - since) / every},
		{'bucket': b0 + 1, 'delta': (%[2]d - rest0) / every, 'expected': NULL},
		{'bucket': b1, 'delta': -rest1 / every, 'expected': NULL},
		{'bucket': b1 + 1, 'delta': (rest1 - %[2]d) / every, 'expected': NULL}], recursive := true) FROM (%[3]s)) WHERE bucket < %[4]d`,
		list, step, cut, st.q.Buckets)
}

// jobs are the jobs of span, with the time in which they are expected to run,
// from since until until, and the interval every, in nanoseconds. All runs are
// read, so that a job is seen to have ended when it goes on beyond the filters.
func (st *statement) jobs(days []*day, span query.Span, matches string) string {
	from := span.From.Add(-query.Memory)
	until := span.To
	if until.After(st.q.Settled) {
		until = st.q.Settled
	}
	keys := add(slices.Clone(st.dims), query.JobKey...)
	in := add(slices.Clone(keys), "started_at", "interval_ms", "plan_revision")
	for i := range st.q.Filters {
		in = add(in, st.q.Filters[i].Dim.Name)
	}
	runs := fmt.Sprintf("SELECT *, (%s) AS mine FROM (%s) WHERE %s AND %s", matches,
		union(within(days, from, span.To), strings.Join(in, ", ")), between(from, span.To), planned)
	// By revision first: that leaves few rows to find the newest revision in.
	revisions := fmt.Sprintf(`SELECT %[1]s, min(started_at) FILTER (WHERE mine) AS begun, max(started_at) FILTER (WHERE mine) AS last,
		sum(interval_ms) FILTER (WHERE mine) AS intervals, count(*) FILTER (WHERE mine) AS runs, max(started_at) AS last_of_all
		FROM (%[2]s) GROUP BY %[1]s`, strings.Join(add(slices.Clone(keys), "plan_revision"), ", "), runs)
	summed := fmt.Sprintf(`SELECT %[1]s, epoch_ns(min(begun)) AS begun, epoch_ns(max(last)) AS last,
		sum(intervals) / sum(runs) * 1e6 AS every, CAST(every / 2 AS BIGINT) AS half,
		arg_max(plan_revision, last) AS revision, epoch_ns(max(last_of_all)) AS last_of_all,
		max(last_of_all) FILTER (WHERE plan_revision IS NOT NULL) AS revised, arg_max(plan_revision, last_of_all) AS newest
		FROM (%[2]s) GROUP BY %[1]s`, strings.Join(keys, ", "), revisions)
	told := fmt.Sprintf(`SELECT *, last < max(last_of_all) OVER (PARTITION BY %s)
		OR revision <> arg_max(newest, revised) OVER (PARTITION BY agent) AS ended FROM (%s)`, strings.Join(query.JobKey, ", "), summed)
	return fmt.Sprintf(`SELECT %s, greatest(%d, begun - half) AS since,
		least(%d, last + CASE WHEN ended THEN half ELSE %d END) AS until FROM (%s) WHERE begun IS NOT NULL`,
		st.withDims("every"), span.From.UnixNano(), until.UnixNano(), int64(query.Memory), told)
}
