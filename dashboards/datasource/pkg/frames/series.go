package frames

import (
	"fmt"
	"slices"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/firstframe/firstframe/collector/query"
)

// Series is an answer with a step as one wide frame. The collector gives
// series after series, each with every bucket in order.
func Series(q Asked, a *query.Answer) (*data.Frame, error) {
	frame, err := newFrame(q, a, data.FrameTypeTimeSeriesWide, data.VisTypeGraph)
	if err != nil || len(a.Rows) == 0 {
		return frame, err
	}
	if len(a.Columns) == 0 || a.Columns[0].Name != query.TimeColumn {
		return nil, fmt.Errorf("frames: the collector's answer does not begin with the column %s", query.TimeColumn)
	}
	times, err := buckets(a)
	if err != nil {
		return nil, err
	}
	field := data.NewField(query.TimeColumn, nil, times)
	field.Config = &data.FieldConfig{Interval: float64(time.Duration(q.Request.Step).Milliseconds())}
	frame.Fields = append(frame.Fields, field)
	for at := 0; at < len(a.Rows); at += len(times) {
		if at+len(times) > len(a.Rows) || a.Rows[at][0] != a.Rows[0][0] || a.Rows[at+len(times)-1][0] != a.Rows[len(times)-1][0] {
			return nil, fmt.Errorf("frames: row %d: the collector's series do not have the same buckets", at)
		}
		if err := q.addSeries(frame, a, a.Rows[at:at+len(times)]); err != nil {
			return nil, err
		}
	}
	return frame, nil
}

// buckets are the times of the first series: those before the first repeats.
func buckets(a *query.Answer) ([]time.Time, error) {
	n := 1
	for n < len(a.Rows) && a.Rows[n][0] != a.Rows[0][0] {
		n++
	}
	times := make([]time.Time, n)
	for i := range times {
		t, err := instant(a.Columns[0], a.Rows[i][0])
		if err != nil || t == nil {
			return nil, fmt.Errorf("frames: row %d: no time: %v", i, err)
		}
		times[i] = *t
	}
	return times, nil
}

// labels are the values of a series' dimensions; those that are null have none.
func (q Asked) labels(a *query.Answer, row []any) (data.Labels, error) {
	labels := data.Labels{}
	for i, c := range a.Columns {
		if i == 0 || !slices.Contains(q.Request.GroupBy, c.Name) {
			continue
		}
		v, err := text(c, row[i])
		if err != nil {
			return nil, err
		}
		if v != nil {
			labels[c.Name] = *v
		}
	}
	return labels, nil
}

// addSeries adds a field per asked measure for the rows of one series.
func (q Asked) addSeries(frame *data.Frame, a *query.Answer, rows [][]any) error {
	labels, err := q.labels(a, rows[0])
	if err != nil {
		return err
	}
	for _, name := range q.measures() {
		i, err := column(a, name)
		if err != nil {
			return err
		}
		c := a.Columns[i]
		read, unit := number, display(c).Unit
		if c.Kind == query.KindTime {
			read, unit = unixMs, "dateTimeAsIso"
		}
		values := make([]*float64, len(rows))
		for r, row := range rows {
			if values[r], err = read(c, row[i]); err != nil {
				return err
			}
		}
		field := data.NewField(name, labels, values)
		field.Config = display(c)
		field.Config.Unit = unit
		field.Config.DisplayNameFromDS = q.name(name, labels)
		field.Config.Links = []data.DataLink{q.runs(labels, false), q.runs(labels, true)}
		frame.Fields = append(frame.Fields, field)
	}
	return nil
}

// unixMs is a measure that is a time, as the number that Grafana shows as one.
func unixMs(c query.Column, v any) (*float64, error) {
	t, err := instant(c, v)
	if t == nil || err != nil {
		return nil, err
	}
	ms := float64(t.UnixMilli())
	return &ms, nil
}

// Exemplars is a frame that the time series panel draws as marks: for each
// point, at the height of the first measure, the runs to look at.
func Exemplars(q Asked, a *query.Answer) (*data.Frame, error) {
	at, err := column(a, query.ExemplarsColumn)
	if err != nil {
		return nil, err
	}
	height, err := column(a, q.Model.Asked()[0])
	if err != nil {
		return nil, err
	}
	var times []time.Time
	var heights []float64
	var ids, series []string
	for _, row := range a.Rows {
		runs, err := list(a.Columns[at], row[at])
		if err != nil {
			return nil, err
		}
		t, err := instant(a.Columns[0], row[0])
		if err != nil {
			return nil, err
		}
		labels, err := q.labels(a, row)
		if err != nil {
			return nil, err
		}
		y, ok := row[height].(float64)
		for _, id := range runs {
			if t != nil && ok {
				times, heights = append(times, *t), append(heights, y)
				ids, series = append(ids, id), append(series, q.name(q.Model.Asked()[0], labels))
			}
		}
	}
	id := data.NewField("run_id", nil, ids)
	id.Config = &data.FieldConfig{Links: []data.DataLink{q.From.trace()}}
	frame := data.NewFrame("exemplar", data.NewField("Time", nil, times), data.NewField("Value", nil, heights), data.NewField("series", nil, series), id)
	frame.Meta = &data.FrameMeta{DataTopic: data.DataTopicAnnotations, Custom: map[string]any{"resultType": "exemplar"}}
	return frame, nil
}
