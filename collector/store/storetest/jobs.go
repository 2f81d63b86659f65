package storetest

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/probes/run"
)

// job is one that coverage expects, see query.Covered.
type job struct {
	key          []any // the dimensions of its group
	since, until time.Time
	every        float64 // ns
}

// expected is how many runs jobs make from from until to.
func expected(jobs []job, from, to time.Time) float64 {
	sum := 0.0
	for _, j := range jobs {
		begin, end := latest(from, j.since), earliest(to, j.until)
		if end.After(begin) {
			sum += float64(end.Sub(begin)) / j.every
		}
	}
	return sum
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// interval is r's interval in milliseconds, 0 when it has none that counts.
func interval(r *run.Run) float64 {
	if r.IntervalMs == nil || *r.IntervalMs < ms(query.LeastInterval) || *r.IntervalMs > ms(query.Memory) {
		return 0
	}
	return *r.IntervalMs
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// jobs are those that the runs of span and of the time before it show.
func jobs(q *query.Resolved, runs []*run.Run, span query.Span) []job {
	known := slices.DeleteFunc(between(runs, span.From.Add(-query.Memory), span.To), func(r *run.Run) bool { return interval(r) == 0 })
	slices.SortStableFunc(known, func(a, b *run.Run) int { return a.StartedAt.Compare(b.StartedAt) })
	byJob := map[string][]*run.Run{}
	newest := map[string]*run.Run{} // of what an agent does, whatever the query's dimensions
	plan := map[string]string{}     // newest of each agent
	same := func(r *run.Run) string {
		return fmt.Sprintf("%q", []string{r.Agent, r.Target, r.CDN, r.App, r.AppVersion})
	}
	for _, r := range known {
		newest[same(r)] = r
		if r.PlanRevision != "" {
			plan[r.Agent] = r.PlanRevision
		}
		if holds(q.Filters, r) {
			id := same(r) + fmt.Sprintf("%#v", key(q.Dims, r))
			byJob[id] = append(byJob[id], r)
		}
	}
	var all []job
	for _, runs := range byJob {
		first, last := runs[0], runs[len(runs)-1]
		sum, revision := 0.0, ""
		for _, r := range runs {
			sum += interval(r)
			if r.PlanRevision != "" {
				revision = r.PlanRevision
			}
		}
		every := sum / float64(len(runs)) * 1e6
		half := time.Duration(math.RoundToEven(every / 2))
		ended := newest[same(last)] != last || revision != "" && revision != plan[last.Agent]
		end := last.StartedAt.Add(query.Memory)
		if ended {
			end = last.StartedAt.Add(half)
		}
		all = append(all, job{key: key(q.Dims, last), every: every,
			since: latest(span.From, first.StartedAt.Add(-half)), until: earliest(earliest(span.To, q.Settled), end)})
	}
	return all
}
