package boards

import (
	"slices"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/dashboards/board"
	"github.com/firstframe/firstframe/dashboards/datasource/pkg/model"
)

// Differences between runs of the same round, below 0 better. Only where the
// whole interval lies to one side of 0 is anything proved: so the ends of
// intervals are coloured, and not the differences.
var (
	lows  = board.Scale{Base: board.Plain, Steps: []board.Step{{From: 1e-9, Color: board.Bad}}}
	highs = board.Scale{Base: board.Good, Steps: []board.Step{{From: 0, Color: board.Plain}}}
)

const pairedText = "Each run against those of the others in the same round, from the same agent: what is bad for all makes no difference. " +
	"Below 0 is better. The interval holds the true difference with 95 %; its lower end is vermilion where it is surely worse, its upper end green where it is surely better. " +
	"A variable that is set to one value leaves nothing to compare with."

// paired asks for the difference of each value of a dimension to its others.
func paired(dim string, by []string, measures ...string) model.Query {
	q := table(by, measures[0], true, 300, measures...)
	q.PairBy = dim
	return q
}

// pairedTable shows differences with their uncertainty.
func pairedTable(title, dim string, width int, by []string) board.Panel {
	fields := []board.Field{
		{Name: "country", Title: "Country", Width: 75, Links: fieldCountry.Links}, {Name: "cdn", Title: "CDN", Width: 80}, {Name: "app", Title: "App", Width: 80},
		{Name: "app_version", Title: "App version", Width: 95},
		{Name: "pairs", Title: "Pairs", Width: 65},
		{Name: "ttff_ms_paired_diff", Title: "TTFF ±", Width: 85},
		{Name: "ttff_ms_paired_diff_low", Title: "from", Width: 80, Fill: &lows}, {Name: "ttff_ms_paired_diff_high", Title: "to", Width: 80, Fill: &highs},
		{Name: "bad_paired_diff", Title: "Bad ±", Width: 75, Decimals: 1},
		{Name: "bad_paired_diff_low", Title: "from", Width: 75, Decimals: 1, Fill: &lows}, {Name: "bad_paired_diff_high", Title: "to", Width: 75, Decimals: 1, Fill: &highs},
	}
	return board.Panel{Title: title, Unit: "ms", Width: width, View: board.Table{}, Scale: neutral, Description: pairedText, Fields: named(fields, by),
		Query: paired(dim, by, "ttff_ms_paired_diff", "ttff_ms_paired_diff_low", "ttff_ms_paired_diff_high",
			"bad_paired_diff", "bad_paired_diff_low", "bad_paired_diff_high", "pairs")}
}

// named are the fields of dimensions in by, and all that are no dimensions.
func named(fields []board.Field, by []string) []board.Field {
	var list []board.Field
	for _, f := range fields {
		if query.DimensionByName(f.Name) == nil || slices.Contains(by, f.Name) {
			list = append(list, f)
		}
	}
	return list
}
