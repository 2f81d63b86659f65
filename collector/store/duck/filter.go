package duck

import (
	"fmt"
	"strings"
	"time"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/probes/run"
)

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
