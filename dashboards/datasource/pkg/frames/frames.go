// Package frames turns a collector's answers into Grafana's data frames: it
// adds names, units, labels, descriptions, links and notices, and computes
// nothing.
//
//   - [Series] makes of an answer with a step one wide frame: the time, and a
//     field per series and measure, labelled with the series' dimensions, as
//     panels and alert rules take it.
//   - [Table] makes of an answer without a step one frame with a column each.
//     Dimensions are text, so that a row with one measure is an alert's
//     instance, labelled by them.
//   - [Exemplars] names the runs behind the points of series.
//   - [Trace] makes of one run what Grafana's trace view draws.
//
// Null stays null. An answer in which nothing was counted is a frame without
// fields, which alert rules take as "no data", or keeps its nulls; either way
// it has a notice that says so.
package frames

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/dashboards/datasource/pkg/model"
)

// Source is the data source that links lead to.
type Source struct{ UID, Name string }

// Asked is a question with what its answer is to look like.
type Asked struct {
	Model   *model.Query
	Request *query.Request
	From    Source
}

// version is that of the data plane contract, by which frames declare what
// they are.
var version = data.FrameTypeVersion{0, 1}

// Make turns an answer into frames: one, and with exemplars of series a second
// that names runs to look at.
func Make(q Asked, a *query.Answer) (data.Frames, error) {
	if q.Request.Step == 0 {
		f, err := Table(q, a)
		return data.Frames{f}, err
	}
	f, err := Series(q, a)
	if err != nil || q.Request.Exemplars == 0 || len(a.Rows) == 0 {
		return data.Frames{f}, err
	}
	e, err := Exemplars(q, a)
	return data.Frames{f, e}, err
}

// measures are the columns that were asked for, those of the period compared
// with included.
func (q Asked) measures() []string {
	names := slices.Clone(q.Model.Asked())
	if q.Request.Compare != 0 {
		for _, n := range q.Model.Asked() {
			names = append(names, n+query.BeforeSuffix)
		}
	}
	return names
}

// column finds a column of the answer by name.
func column(a *query.Answer, name string) (int, error) {
	for i, c := range a.Columns {
		if c.Name == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("frames: the collector's answer lacks the column %.40q", name)
}

// newFrame is a frame without fields, which says what a person must know about
// its numbers.
func newFrame(q Asked, a *query.Answer, kind data.FrameType, vis data.VisType) (*data.Frame, error) {
	text, err := json.Marshal(q.Request)
	if err != nil {
		return nil, fmt.Errorf("frames: encode request: %w", err)
	}
	m := &data.FrameMeta{
		Type: kind, TypeVersion: version, PreferredVisualization: vis, ExecutedQueryString: string(text),
		Custom: map[string]any{"source": a.Meta.Source, "max_error": a.Meta.MaxError, "complete_until": a.Meta.CompleteUntil},
		Stats: []data.QueryStat{{Value: a.Meta.TookMs,
			FieldConfig: data.FieldConfig{DisplayName: "Time in the collector", Unit: "ms"}}},
	}
	if a.Meta.Truncated && (q.Request.Limit == 0 || q.Request.OrderBy == nil) { // the first so many were not asked for
		what := "rows"
		if q.Request.Step > 0 {
			what = "series"
		}
		m.Notices = append(m.Notices, data.Notice{Severity: data.NoticeSeverityWarning,
			Text: fmt.Sprintf("Only the first %s are shown: raise the limit, or narrow the filters.", what)})
	}
	if a.Meta.MaxError > 0 {
		m.Notices = append(m.Notices, data.Notice{Severity: data.NoticeSeverityInfo,
			Text: fmt.Sprintf("Percentiles are estimates, off by at most %.2g %%.", 100*a.Meta.MaxError)})
	}
	if !counted(a) {
		now := time.Now()
		m.Notices = append(m.Notices, data.Notice{Severity: data.NoticeSeverityInfo,
			Text: fmt.Sprintf("No runs from %s to %s match: widen the range or loosen the filters. This is no data, not a good value.",
				q.Request.From.In(now).Format(time.DateTime), q.Request.To.In(now).Format(time.DateTime)+" UTC")})
	}
	return data.NewFrame("").SetMeta(m), nil
}

// counted tells whether the answer counts any run.
func counted(a *query.Answer) bool {
	i, err := column(a, "runs")
	if err != nil {
		return len(a.Rows) > 0
	}
	for _, row := range a.Rows {
		if n, ok := row[i].(float64); ok && n > 0 {
			return true
		}
	}
	return false
}

// number is a measure's value.
func number(c query.Column, v any) (*float64, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case float64:
		return &v, nil
	}
	return nil, fmt.Errorf("frames: %s: the collector answered %.40v, want a number or null", c.Name, v)
}

// text is a dimension's value as text: numbers such as asn are names, not
// quantities.
func text(c query.Column, v any) (*string, error) {
	var s string
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		s = v
	case float64:
		s = fmt.Sprintf("%.0f", v)
	case bool:
		s = fmt.Sprint(v)
	default:
		return nil, fmt.Errorf("frames: %s: the collector answered %.40v, want a value or null", c.Name, v)
	}
	return &s, nil
}

// instant is a time's value.
func instant(c query.Column, v any) (*time.Time, error) {
	s, ok := v.(string)
	if v == nil {
		return nil, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if !ok || err != nil {
		return nil, fmt.Errorf("frames: %s: the collector answered %.40v, want an RFC 3339 time", c.Name, v)
	}
	return &t, nil
}
