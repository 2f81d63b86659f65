package boards

import (
	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/dashboards/board"
)

// versions is the page to judge a release by: new against old.
func versions() board.Dashboard {
	return board.Dashboard{
		UID: UIDVersions, Title: "App versions",
		Description: "Is the new release as good as the old one: side by side, and run against run of the same round.",
		From:        "now-6h", Refresh: "30s", Variables: variables(), Links: links(),
		Rows: []board.Row{
			{Height: 8, Panels: []board.Panel{versionTable(), pairedTable("New against old, run against run", "app_version", 12, []string{"app", "app_version"})}},
			{Height: 9, Panels: []board.Panel{
				sliOver("SLI by app version", "app version", 12, "app_version", "app"),
				waitOver("Time to first frame, p95, by app version", 12, "app_version", "app"),
			}},
			{Title: "Where and why", Height: 10, Panels: []board.Panel{versionCountries(), versionErrors()}},
			{Height: 7, Panels: []board.Panel{phaseTable("app_version", "App version")}},
		},
	}
}

func versionTable() board.Panel {
	return board.Panel{Title: "App versions side by side", Unit: "percentunit", Width: 12, View: board.Table{}, Scale: ratios,
		Query:       table([]string{"app", "app_version", "player"}, "app_version", true, 100, "runs", "sli", "availability", "ttff_ms_p50", "ttff_ms_p95", "agents"),
		Description: "Each app version, by name from the last. They are comparable only where they ran in the same places: see the pairs.",
		Fields: []board.Field{{Name: "app", Title: "App", Width: 90}, fieldVersion, {Name: "player", Title: "Player"},
			fieldRuns, fieldSLI, fieldOK, fieldP50, fieldP95, fieldAgents}}
}

func versionCountries() board.Panel {
	return board.Panel{Title: "App version × country", Unit: "percentunit", Width: 12, View: board.Table{}, Scale: ratios,
		Query:       table([]string{"app_version", "country"}, "sli", false, 500, "runs", "sli", "bad", "ttff_ms_p95"),
		Description: "Each app version in each country, the worst first. Bad everywhere: the release. Bad in one country, in all versions: not the release.",
		Fields:      []board.Field{fieldVersion, fieldCountry, fieldRuns, fieldSLI, filled(fieldBad, bads), fieldP95}}
}

func versionErrors() board.Panel {
	q := table([]string{"app_version", "error_type", "error_step"}, "failed", true, 100, "failed", "agents")
	q.Where, q.Exemplars = slice(isNot("ok")), 1
	return board.Panel{Title: "Why runs failed", Unit: "short", Width: 12, View: board.Table{}, Scale: bads, Query: q,
		Description: "What failed and where, by app version, the most frequent first. Empty when none failed, or none ran: see the numbers above.",
		Fields: []board.Field{fieldVersion, {Name: "error_type", Title: "Error", Width: 140}, {Name: "error_step", Title: "Step", Width: 100},
			filled(board.Field{Name: "failed", Title: "Failed", Width: 70}, bads), fieldAgents, fieldWorst}}
}

// phaseTable shows the mean of each phase for each value of a dimension.
func phaseTable(dim, title string) board.Panel {
	measures, fields := phaseMeans()
	for i := range fields {
		fields[i].Color = ""
	}
	q := table([]string{dim}, dim, false, 100, measures...)
	q.OrderBy = &query.Order{Measure: dim}
	return board.Panel{Title: "Where the time goes", Unit: "ms", Width: board.Columns, View: board.Table{}, Query: q, Scale: neutral,
		Description: "Mean time of each phase of the critical path, of failed runs too. They add up to the mean time from pressing play to the first frame or the failure.",
		Fields:      append([]board.Field{{Name: dim, Title: title, Width: 110}}, fields...)}
}
