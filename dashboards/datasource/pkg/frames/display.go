package frames

import (
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/dashboards/datasource/pkg/model"
)

// units are Grafana's names for the units of measures.
var units = map[string]string{
	"ms": "ms", "B": "bytes", "kbit/s": "Kbits", "px": "suffix: px", "ratio": "percentunit", "": "short",
}

// display is how values of a column are shown.
func display(c query.Column) *data.FieldConfig {
	cfg := new(data.FieldConfig)
	if d := query.DimensionByName(c.Name); d != nil {
		cfg.Description = d.Doc
		filterable := c.Kind == query.KindDimension
		cfg.Filterable = &filterable
	}
	name, before := strings.CutSuffix(c.Name, query.BeforeSuffix)
	if m := query.MeasureByName(name); m != nil {
		cfg.Description = m.Doc
		if before {
			cfg.Description = "in the period compared with: " + m.Doc
		}
	}
	switch c.Kind {
	case query.KindMeasure:
	case query.KindDimension:
		cfg.Unit = "string" // or Grafana writes AS28573 as 28.6 K
		return cfg
	default:
		return cfg
	}
	cfg.Unit = c.Unit
	if u, ok := units[c.Unit]; ok {
		cfg.Unit = u
	}
	return cfg
}

// trace leads from a run's id to its waterfall.
func (s Source) trace() data.DataLink {
	return data.DataLink{Title: "Show the run", Internal: &data.InternalDataLink{
		DatasourceUID: s.UID, DatasourceName: s.Name,
		Query: map[string]any{"queryType": model.Trace, "run_id": "${__value.raw}"},
	}}
}

// shown are the columns of the list of runs that data points lead to.
var shown = []string{"started_at", "run_id", "country", "cdn", "app_version", "agent", "ok", "error_type"}

// runs leads from a data point to the runs of its series in its bucket: the
// slowest first or, where bad is set, the bad ones.
func (q Asked) runs(labels data.Labels, bad bool) data.DataLink {
	where := append([]query.Cond{}, q.Request.Where...)
	for _, dim := range q.Request.GroupBy {
		c := query.Cond{Dim: dim, Op: query.Eq, Values: []string{labels[dim]}}
		if _, ok := labels[dim]; !ok {
			c = query.Cond{Dim: dim, Op: query.Exists, Values: []string{"false"}}
		}
		where = append(where, c)
	}
	title := "Runs of this point"
	if bad {
		title = "Bad runs of this point"
		where = append(where, query.Cond{Dim: "good", Op: query.Eq, Values: []string{"false"}})
	}
	return data.DataLink{Title: title, Internal: &data.InternalDataLink{
		DatasourceUID: q.From.UID, DatasourceName: q.From.Name,
		Query: map[string]any{
			"queryType": model.Runs, "measures": []string{"duration_ms_avg"}, "group_by": shown, "where": where,
			"order_by": query.Order{Measure: "duration_ms_avg", Desc: true}, "limit": 100,
			"step": "", // or the editor takes its own
			"at":   "${__value.time}", "for": q.Request.Step.String(),
		},
	}}
}

// name is what a series is called: what the legend says, or the values of its
// dimensions, and the measure where there are several measures or no values.
func (q Asked) name(measure string, labels data.Labels) string {
	if q.Model.Legend != "" {
		return q.Model.Name(measure, labels)
	}
	var parts []string
	if len(q.measures()) > 1 || len(q.Request.GroupBy) == 0 {
		parts = append(parts, measure)
	}
	for _, dim := range q.Request.GroupBy {
		v, ok := labels[dim]
		if !ok {
			v = "no " + dim
		}
		parts = append(parts, v)
	}
	return strings.Join(parts, " · ")
}

// keyLinks is where [Carry] puts links in a field's custom config.
const keyLinks = "links"

// Carry puts the links of frames where they outlast their way: Grafana 9.4
// decodes what a plugin answers, and drops of a link what it did not know then,
// which is where it leads. The front end puts them back.
func Carry(made data.Frames) {
	for _, frame := range made {
		for _, f := range frame.Fields {
			if f.Config == nil || len(f.Config.Links) == 0 {
				continue
			}
			if f.Config.Custom == nil {
				f.Config.Custom = map[string]any{}
			}
			f.Config.Custom[keyLinks], f.Config.Links = f.Config.Links, nil
		}
	}
}
