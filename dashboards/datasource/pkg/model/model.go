// Package model is what the query editor saves with a panel, a variable or an
// alert rule, and the request to the collector that it stands for.
//
// [Parse] reads it, [Query.Request] makes the request. The keys are those of
// the collector's own requests; what is added says how the answer is to be
// shown. The collector alone judges names and values, so that a newer one can
// be asked for more than this plugin knows.
package model

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firstframe/firstframe/collector/query"
)

// The types of a query, the editor's queryType.
const (
	Runs  = "runs"  // measures of runs, as series or as a table; also what "" means
	Trace = "trace" // one run with its steps
)

// types are the valid query types.
var types = []string{Runs, Trace}

// Auto is the Step that follows the width of the panel.
const Auto = "auto"

// Query is the editor's model.
type Query struct {
	QueryType string `json:"queryType"` // Runs or Trace

	Measures []string     `json:"measures"`
	GroupBy  []string     `json:"group_by"`
	Where    []query.Cond `json:"where"`
	OrderBy  *query.Order `json:"order_by"`
	Limit    int          `json:"limit"`

	// Compare asks for the same range so much earlier too: -7d. Empty means no.
	Compare string `json:"compare"`
	// PairBy is the dimension whose values are compared with each other, run
	// by run of one round: cdn, app, app_version or player. Empty means none.
	PairBy string `json:"pair_by"`

	// Exemplars is how many runs are named for each row or point.
	Exemplars int `json:"exemplars"`

	// Step is the length of a bucket: Auto, a duration such as 5m, or empty
	// for one bucket, which makes a table.
	Step string `json:"step"`

	// Legend names series: {{country}} stands for that dimension's value,
	// {{measure}} for the measure. Empty means the values, and the measure
	// when there are several.
	Legend string `json:"legend"`

	// At narrows the time range to the bucket of length For that begins
	// there, in Unix milliseconds. Links from data points set both. Empty
	// means the whole range.
	At  string `json:"at"`
	For string `json:"for"`

	RunID string `json:"run_id"` // of Trace
}

// Range is the time that a query is asked for.
type Range struct {
	From, To time.Time
	Interval time.Duration // Grafana's wish for an automatic step
	Points   int64         // at most so many buckets, if positive
}

// Parse reads the editor's model. Keys that it does not know are Grafana's. An
// error is the user's to mend.
func Parse(text []byte) (*Query, error) {
	var q Query
	if err := json.Unmarshal(text, &q); err != nil {
		return nil, query.Errorf(query.CodeJSON, "", "the query cannot be read: %v", err)
	}
	if q.QueryType == "" {
		q.QueryType = Runs
	}
	if !slices.Contains(types, q.QueryType) {
		return nil, query.Errorf(query.CodeValue, "queryType", "%.40q is no type of query; there are: %s", q.QueryType, strings.Join(types, ", "))
	}
	q.RunID = strings.TrimSpace(q.RunID)
	return &q, nil
}

// Request is what the collector is asked for q within r. The collector's
// answer always has runs; [Query.Asked] says which measures were asked for. An
// error is the user's to mend.
func (q *Query) Request(r Range) (*query.Request, error) {
	req := &query.Request{
		From: query.At(r.From), To: query.At(r.To),
		Measures: q.Asked(), GroupBy: q.GroupBy, Where: q.Where, OrderBy: q.OrderBy, Limit: q.Limit,
		PairBy: q.PairBy, Exemplars: q.Exemplars,
	}
	if q.Compare != "" {
		if err := req.Compare.UnmarshalText([]byte(q.Compare)); err != nil {
			return nil, query.Errorf(query.CodeTime, "compare", "%v", err)
		}
	}
	if q.At != "" {
		from, to, err := q.bucket()
		if err != nil {
			return nil, err
		}
		req.From, req.To = query.At(from), query.At(to)
	}
	switch q.Step {
	case "":
		return req, nil
	case Auto:
		req.Step = query.Duration(autoStep(r))
	default:
		step, err := query.ParseDuration(q.Step)
		if err != nil || step <= 0 {
			return nil, query.Errorf(query.CodeTime, "step", "%.40q is neither auto nor a duration such as 5m", q.Step)
		}
		req.Step = query.Duration(step)
	}
	if o := req.OrderBy; o != nil && o.Measure == query.TimeColumn {
		req.OrderBy = nil // Grafana wants the oldest bucket first
	}
	return req, nil
}

// Asked are the measures of the query: runs when it names none.
func (q *Query) Asked() []string {
	if len(q.Measures) == 0 {
		return []string{"runs"}
	}
	return q.Measures
}

// bucket is the time that At and For name.
func (q *Query) bucket() (from, to time.Time, err error) {
	ms, err := strconv.ParseInt(q.At, 10, 64)
	if err != nil {
		return from, to, query.Errorf(query.CodeTime, "at", "%.40q is no time in Unix milliseconds", q.At)
	}
	length, err := query.ParseDuration(q.For)
	if err != nil || length <= 0 {
		return from, to, query.Errorf(query.CodeTime, "for", "%.40q is no duration such as 5m", q.For)
	}
	from = time.UnixMilli(ms).UTC()
	return from, from.Add(length), nil
}

// steps are the automatic steps: those that divide the next larger ones, so
// that buckets stay where they are while a dashboard refreshes.
var steps = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour,
}

// autoStep is the shortest of steps that is at least r.Interval and gives no
// more buckets than the panel has points and the collector allows.
func autoStep(r Range) time.Duration {
	most := int64(query.MaxBuckets - 2) // the first and the last are cut
	if r.Points > 0 {
		most = min(most, r.Points)
	}
	least := max(r.Interval, query.MinStep, r.To.Sub(r.From)/time.Duration(most))
	for _, s := range steps {
		if s >= least {
			return s
		}
	}
	return steps[len(steps)-1]
}

// Name fills the legend with a series' measure and its dimensions' values.
// Unknown names stay as they are, so that a mistake is seen.
func (q *Query) Name(measure string, values map[string]string) string {
	pairs := []string{"{{measure}}", measure}
	for name, v := range values {
		pairs = append(pairs, fmt.Sprintf("{{%s}}", name), v)
	}
	return strings.NewReplacer(pairs...).Replace(q.Legend)
}
