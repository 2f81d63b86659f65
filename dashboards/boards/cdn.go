package boards

import (
	"github.com/firstframe/firstframe/dashboards/board"
)

// cdn is the page to compare CDNs by, which an argument with a vendor survives:
// side by side, and run against run of the same round.
func cdn() board.Dashboard {
	return board.Dashboard{
		UID: UIDCDN, Title: "CDN comparison",
		Description: "Which CDN is better, where, and is that more than chance: side by side, and run against run of the same round.",
		From:        "now-6h", Refresh: "30s", Variables: variables(), Links: links(),
		Rows: []board.Row{
			{Height: 7, Panels: []board.Panel{cdnTable(), pairedTable("CDNs, run against run", "cdn", 12, []string{"cdn"})}},
			{Height: 12, Panels: []board.Panel{cdnCountries(), pairedTable("Country × CDN, run against run", "cdn", 14, []string{"country", "cdn"})}},
			{Title: "Over time", Height: 9, Panels: cdnOverTime()},
			{Height: 6, Panels: []board.Panel{phaseTable("cdn", "CDN")}},
		},
	}
}

func cdnTable() board.Panel {
	return board.Panel{Title: "CDNs side by side", Unit: "percentunit", Width: 12, View: board.Table{}, Scale: ratios,
		Query:       table([]string{"cdn"}, "sli", false, 100, "runs", "sli", "availability", "ttff_ms_p50", "ttff_ms_p95", "cache_hit_ratio", "agents"),
		Description: "Each CDN in the whole slice, the worst first. All of them are asked in each round, so they are comparable.",
		Fields:      []board.Field{fieldCDN, fieldRuns, fieldSLI, fieldOK, fieldP50, fieldP95, fieldHits, fieldAgents}}
}

func cdnCountries() board.Panel {
	return board.Panel{Title: "Country × CDN", Unit: "percentunit", Width: 10, View: board.Table{}, Scale: ratios,
		Query:       table([]string{"country", "cdn"}, "country", false, 500, "runs", "sli", "ttff_ms_p95", "cache_hit_ratio"),
		Description: "The CDNs of each country below each other.",
		Fields:      []board.Field{fieldCountry, linked(fieldCDN, "country", "cdn"), fieldRuns, fieldSLI, fieldP95, fieldHits}}
}

func cdnOverTime() []board.Panel {
	difference := series([]string{"cdn"}, "ttff_ms_paired_diff")
	difference.PairBy = "cdn"
	return []board.Panel{
		sliOver("SLI by CDN", "CDN", 6, "cdn"),
		waitOver("Time to first frame, p95, by CDN", 6, "cdn"),
		{Title: "Time to first frame against the other CDNs", Unit: "ms", Width: 6, View: board.Series{}, Query: difference, Scale: neutral,
			Description: "Median difference to the other CDNs, run against run of the same round: below 0 is faster."},
		hitsOver(6),
	}
}
