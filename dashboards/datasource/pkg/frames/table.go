package frames

import (
	"fmt"
	"slices"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/firstframe/firstframe/collector/query"
)

// Table is an answer without a step as one frame, a field per column: the
// dimensions and the measures that were asked for.
func Table(q Asked, a *query.Answer) (*data.Frame, error) {
	frame, err := newFrame(q, a, data.FrameTypeNumericLong, data.VisTypeTable)
	if err != nil || len(a.Rows) == 0 {
		return frame, err
	}
	for i, c := range a.Columns {
		switch {
		case c.Kind == query.KindExemplars:
			if err := q.addExemplars(frame, c, i, a.Rows); err != nil {
				return nil, err
			}
			continue
		case !slices.Contains(q.Request.GroupBy, c.Name) && !slices.Contains(q.measures(), c.Name):
			continue // runs, which the collector always answers
		}
		field, err := tableField(c, i, a.Rows)
		if err != nil {
			return nil, err
		}
		if c.Kind == query.KindTime {
			frame.Meta.Type = data.FrameTypeTable // a time is neither a label nor a number
		}
		field.Config = display(c)
		if c.Name == "run_id" {
			field.Config.Links = []data.DataLink{q.From.trace()}
		}
		frame.Fields = append(frame.Fields, field)
	}
	return frame, nil
}

// addExemplars adds a column for each place in the lists of run ids, which are
// worst first.
func (q Asked) addExemplars(frame *data.Frame, c query.Column, i int, rows [][]any) error {
	for n := range q.Request.Exemplars {
		values := make([]*string, len(rows))
		for r, row := range rows {
			ids, err := list(c, row[i])
			if err != nil {
				return err
			}
			if n < len(ids) {
				values[r] = &ids[n]
			}
		}
		field := data.NewField(fmt.Sprintf("run_%d", n+1), nil, values)
		field.Config = &data.FieldConfig{Description: "a run to look at: failed ones first, then the slowest", Links: []data.DataLink{q.From.trace()}}
		frame.Fields = append(frame.Fields, field)
	}
	return nil
}

// list is a value of exemplars: run ids.
func list(c query.Column, v any) ([]string, error) {
	raw, ok := v.([]any)
	ids := make([]string, len(raw))
	for i, id := range raw {
		if ids[i], ok = id.(string); !ok {
			break
		}
	}
	if v != nil && !ok {
		return nil, fmt.Errorf("frames: %s: the collector answered %.40v, want a list of run ids", c.Name, v)
	}
	return ids, nil
}

// tableField is column i of rows.
func tableField(c query.Column, i int, rows [][]any) (*data.Field, error) {
	switch c.Kind {
	case query.KindTime:
		return fill(c, i, rows, instant)
	case query.KindMeasure:
		return fill(c, i, rows, number)
	}
	return fill(c, i, rows, text)
}

// fill makes a field of column i, its values read by read.
func fill[T any](c query.Column, i int, rows [][]any, read func(query.Column, any) (*T, error)) (*data.Field, error) {
	values := make([]*T, len(rows))
	for r, row := range rows {
		v, err := read(c, row[i])
		if err != nil {
			return nil, err
		}
		values[r] = v
	}
	return data.NewField(c.Name, nil, values), nil
}
