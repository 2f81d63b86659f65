package query

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The service level objective: so large a share of the runs of any Period is to
// be good.
const (
	Objective   = 0.999
	ErrorBudget = 1 - Objective
	Period      = 28 * 24 * time.Hour
)

// BurnRate is how many times faster than the objective allows bad of runs burn
// the error budget; null when there are no runs (SRE Workbook, chapter 5).
func BurnRate(bad, runs int64) any {
	if runs == 0 {
		return nil
	}
	return float64(bad) / float64(runs) / ErrorBudget
}

// BudgetLeft is the share of a Period's error budget that is left when bad of
// the runs of a time that long were bad, and the rest of the Period has as many
// runs in the same time: 1 - BurnRate × elapsed / Period. Of more than a Period
// the budget is that of the whole time. It is below 0 when more was used than
// there is, and null when there are no runs.
//
// With a step the budget_left of a bucket is of the time from from until the
// bucket's end, so that it falls as the budget is used; a bucket without runs
// has none.
func BudgetLeft(bad, runs int64, elapsed time.Duration) any {
	burn, ok := BurnRate(bad, runs).(float64)
	if !ok {
		return nil
	}
	return 1 - burn*float64(min(elapsed, Period))/float64(Period)
}

// What coverage goes by, see Covered.
const (
	Memory        = 24 * time.Hour   // how long after its last run a job is expected to go on
	Grace         = time.Minute      // how late a run may arrive
	LeastInterval = time.Millisecond // an interval_ms below it, or above Memory, is none
	LeastRuns     = 0.99             // with less expected, nothing can be told; below 1, for the sake of rounding
)

// Covered is received runs as a share of the expected ones: at most 1, since
// having more than expected is the chance of where a bucket is cut, and null when less
// than one was expected.
//
// A job is what one agent does for one target, cdn, app and app_version, with
// one value for each dimension that the query groups by. Of the runs with an interval_ms those
// of the range and of the Memory before it tell which jobs there are: so one
// that is silent for all of the range is missed, and its group has a row with
// no runs and a coverage of 0. A job is expected to run every mean interval_ms
// of its runs
//
//   - from half an interval before its first run,
//   - until Memory after its last one; or half an interval after it, when its
//     agent has run by another plan_revision since, without the job, or has
//     done the same with other values of the query's dimensions, of group_by
//     or where (such as a newer agent_version): then the job was ended, and is
//     not missing.
//
// Expected is the sum over jobs of that time, as far as it lies in the bucket
// and before now - Grace, divided by the interval; received are the runs of
// jobs in the bucket and before now - Grace.
func Covered(received int64, expected float64) any {
	if expected < LeastRuns {
		return nil
	}
	return min(1, float64(received)/expected)
}

// JobKey are the dimensions that tell jobs apart, beside those of a query.
var JobKey = []string{"agent", "target", "cdn", "app", "app_version"}

// Planned are the dimensions that coverage can be told by: those that are known
// of a run before it is made. Others a run that is missing does not have.
var Planned = slices.Concat(JobKey, []string{
	"source", "agent_version", "region", "plan_revision", "country", "country_from", "subdivision", "city",
	"asn", "as_org", "client_ip", "connection",
})

// Covers tells whether coverage is among the measures.
func (q *Resolved) Covers() bool {
	return slices.ContainsFunc(q.Measures, func(m *Measure) bool { return m.Agg == AggCoverage })
}

// coverable refuses coverage by what a missing run does not have.
func (q *Resolved) coverable(r *Request) error {
	if !q.Covers() {
		return nil
	}
	check := func(field, name string) error {
		if slices.Contains(Planned, name) {
			return nil
		}
		return Errorf(CodeSlice, field, "coverage cannot be told by %s, which a run that is missing does not have; it can by: %s",
			name, strings.Join(Planned, ", "))
	}
	for i, name := range r.GroupBy {
		if err := check(fmt.Sprintf("group_by[%d]", i), name); err != nil {
			return err
		}
	}
	for i, c := range r.Where {
		if err := check(fmt.Sprintf("where[%d].dim", i), c.Dim); err != nil {
			return err
		}
	}
	return nil
}

// Span is a time in which runs count.
type Span struct {
	From, To time.Time     // from <= started_at < to
	Shift    time.Duration // how much later the buckets are that its runs belong to
}

// Spans are the query's range and, with Compare, the one before.
func (q *Resolved) Spans() []Span {
	spans := []Span{{From: q.From, To: q.To}}
	if q.Compare > 0 {
		spans = append(spans, Span{From: q.From.Add(-q.Compare), To: q.To.Add(-q.Compare), Shift: q.Compare})
	}
	return spans
}

// Reads is the time whose runs an answer may be computed from.
func (q *Resolved) Reads() (from, to time.Time) {
	from = q.From.Add(-q.Compare)
	if q.Covers() {
		from = from.Add(-Memory)
	}
	return from, q.To
}
