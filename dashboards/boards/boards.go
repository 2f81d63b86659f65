// Package boards is Firstframe's dashboards: what an SRE opens first.
//
// [All] lists them. They have the same variables, links and colours, so that a
// reader who goes from one to the next keeps his slice and his time range. What
// counts as good, slow and bad is decided here once, in scales.
package boards

import (
	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/dashboards/board"
	"github.com/firstframe/firstframe/dashboards/datasource/pkg/model"
)

// The uids of the dashboards, which are their addresses too.
const (
	UIDNow      = "firstframe-now"
	UIDCountry  = "firstframe-country"
	UIDCDN      = "firstframe-cdn"
	UIDVersions = "firstframe-versions"
	UIDSLO      = "firstframe-slo"
	UIDFleet    = "firstframe-fleet"
	UIDRun      = "firstframe-run"
)

// All are the dashboards, in the order in which they are linked.
func All() []board.Dashboard {
	return []board.Dashboard{now(), country(), cdn(), versions(), slo(), fleet(), run()}
}

// filters are the dimensions that every dashboard can be narrowed by; each has
// a variable of its name.
var filters = []struct{ dim, label string }{
	{"country", "Country"}, {"cdn", "CDN"}, {"app", "App"}, {"app_version", "App version"},
	{"target", "Target"}, {"agent", "Agent"}, {"asn", "ASN"},
}

// within are the values offered by a variable that depends on another one.
var within = map[string]string{"app_version": "app", "agent": "country", "asn": "country"}

// slice is the conditions that the variables set; a variable on All sets none.
func slice(more ...query.Cond) []query.Cond {
	var where []query.Cond
	for _, f := range filters {
		where = append(where, query.Cond{Dim: f.dim, Op: query.In, Values: []string{"${" + f.dim + "}"}})
	}
	return append(where, more...)
}

// variables are one for each filter.
func variables() []board.Variable {
	var list []board.Variable
	for _, f := range filters {
		v := board.Variable{Name: f.dim, Label: f.label, Dim: f.dim}
		if by := within[f.dim]; by != "" {
			v.Where = []query.Cond{{Dim: by, Op: query.In, Values: []string{"${" + by + "}"}}}
		}
		list = append(list, v)
	}
	return list
}

// links lead to the other dashboards.
func links() []board.Link {
	return []board.Link{
		{Title: "Playback now", UID: UIDNow}, {Title: "Country", UID: UIDCountry}, {Title: "CDN comparison", UID: UIDCDN},
		{Title: "App versions", UID: UIDVersions}, {Title: "SLO", UID: UIDSLO}, {Title: "Fleet", UID: UIDFleet}, {Title: "Run", UID: UIDRun},
	}
}

// keep are the variables that a link from a value takes along, but those that
// it sets.
func keep(set ...board.Set) []string {
	var names []string
next:
	for _, f := range filters {
		for _, s := range set {
			if s.Variable == f.dim {
				continue next
			}
		}
		names = append(names, f.dim)
	}
	return names
}

// to is a link from a row's fields, which have the names of variables, to a
// dashboard.
func to(title, uid string, fields ...string) board.Link {
	var set []board.Set
	for _, f := range fields {
		set = append(set, board.Set{Variable: f, Field: f})
	}
	return board.Link{Title: title, UID: uid, Set: set, Keep: keep(set...)}
}

// toRun is the link from a run's id to the run.
func toRun() board.Link {
	return board.Link{Title: "Waterfall of this run", UID: UIDRun, Set: []board.Set{{Variable: "run_id"}}, Keep: keep()}
}

// table asks for a row for each value of the dimensions, in the order of a
// column.
func table(by []string, order string, desc bool, limit int, measures ...string) model.Query {
	return model.Query{GroupBy: by, Measures: measures, Where: slice(), OrderBy: &query.Order{Measure: order, Desc: desc}, Limit: limit}
}

// series asks for a line for each value of the dimensions, in the order of
// their names, so that the same value has the same colour in all panels.
func series(by []string, measures ...string) model.Query {
	q := model.Query{GroupBy: by, Measures: measures, Where: slice(), Step: model.Auto, Limit: 50}
	if len(by) > 0 {
		q.OrderBy = &query.Order{Measure: by[0]}
	}
	return q
}

// total asks for one row about the whole slice.
func total(measures ...string) model.Query { return model.Query{Measures: measures, Where: slice()} }

// isNot is the condition that a truth value is false.
func isNot(dim string) query.Cond {
	return query.Cond{Dim: dim, Op: query.Eq, Values: []string{"false"}}
}
