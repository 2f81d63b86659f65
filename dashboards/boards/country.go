package boards

import (
	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/dashboards/board"
	"github.com/firstframe/firstframe/dashboards/datasource/pkg/model"
)

// country is the page about one country: which CDN, provider, point of
// presence or app version is it, and in which phase.
func country() board.Dashboard {
	vars := variables()
	for i := range vars {
		if vars[i].Name == "country" {
			vars[i].Single, vars[i].Default = true, "BR"
		}
	}
	return board.Dashboard{
		UID: UIDCountry, Title: "Country",
		Description: "One country: which CDN, provider, point of presence or app version is it, in which phase, from where is it served, and which runs show it.",
		From:        "now-1h", Refresh: "10s", Variables: vars, Links: links(),
		Rows: []board.Row{
			{Height: 4, Panels: totals()},
			{Height: 8, Panels: countryBy()},
			{Height: 9, Panels: countryOverTime()},
			{Title: "How it is served", Height: 9, Panels: countryServed()},
			{Title: "Runs to look at", Height: 12, Panels: []board.Panel{badRuns()}},
		},
	}
}

func countryBy() []board.Panel {
	measures := []string{"sli", "bad", "ttff_ms_p95"}
	by := func(title, description string, width int, dims []string, fields ...board.Field) board.Panel {
		return board.Panel{Title: title, Unit: "percentunit", Width: width, View: board.Table{}, Scale: ratios, Description: description,
			Query: table(dims, "sli", false, 100, measures...), Fields: append(fields, fieldSLI, filled(fieldBad, bads), fieldP95)}
	}
	return []board.Panel{
		by("By CDN", "The CDNs of this country side by side, the worst first. Only one is bad: that CDN, or its way here.", 5,
			[]string{"cdn"}, linked(fieldCDN, "cdn")),
		by("By provider", "The autonomous systems that the agents are in, the worst first. Only one is bad, through all CDNs: that provider.", 7,
			[]string{"asn", "as_org"}, board.Field{Name: "asn", Title: "ASN", Width: 70, Links: []board.Link{to("This slice", UIDCountry, "asn")}},
			board.Field{Name: "as_org", Title: "Name"}),
		by("By point of presence", "The points of presence that served, the worst first. Only one is bad: that one. Nothing in the first column: the CDN does not tell.", 6,
			[]string{"pop"}, board.Field{Name: "pop", Title: "POP", Width: 70}),
		by("By app version", "The app versions, the worst first. Only one is bad, through all CDNs: that release.", 6,
			[]string{"app", "app_version"}, board.Field{Name: "app", Title: "App", Width: 70},
			board.Field{Name: "app_version", Title: "Version", Width: 70, Links: []board.Link{to("This slice", UIDCountry, "app_version")}}),
	}
}

func countryOverTime() []board.Panel {
	return []board.Panel{
		sliOver("SLI by CDN", "CDN", 6, "cdn"),
		waitOver("Time to first frame, p95, by CDN", 6, "cdn"),
		phasesOver(6),
		{Title: "Standing still by CDN", Unit: "percentunit", Width: 6, View: board.Series{}, Query: series([]string{"cdn"}, "stall_ratio"), Scale: neutral, Decimals: 1,
			Description: "Of the time after the start, the share in which the picture stood still, for want of media. Known of targets that ask to play on (play)."},
	}
}

func countryServed() []board.Panel {
	edges := table([]string{"cdn", "pop", "pop_city", "pop_country", "edge_asn"}, "runs", true, 100, "runs", "sli", "connect_ms_p50", "segment_ttfb_ms_p50")
	places := table([]string{"pop_country"}, "runs", true, 100, "runs", "sli", "connect_ms_p50")
	places.Where = slice(query.Cond{Dim: "pop_country", Op: query.Exists})
	connect := board.Field{Name: "connect_ms_p50", Title: "Connect", Width: 80}
	return []board.Panel{
		hitsOver(7),
		{Title: "Where the edges are", Unit: "short", Width: 9, View: board.Table{}, Query: edges, Scale: neutral,
			Description: "The points of presence that serve this country, and their country. One far away has long times (medians here): a wrong mapping is the commonest cause of a bad country.",
			Fields: []board.Field{fieldCDN, {Name: "pop", Title: "POP"}, {Name: "pop_city", Title: "City"}, {Name: "pop_country", Title: "In", Width: 45},
				{Name: "edge_asn", Title: "ASN", Width: 65}, fieldRuns, fieldSLI, connect, {Name: "segment_ttfb_ms_p50", Title: "First byte", Width: 85}}},
		{Title: "Served from", Unit: "percentunit", Width: 8, View: board.Map{Key: "pop_country", Color: "sli", Size: "runs"}, Query: places, Scale: ratios, Decimals: 2,
			Description: "The countries of the points of presence that served: coloured by the share of good runs, larger with more runs. Those whose place is not known have no mark.",
			Fields: []board.Field{{Name: "pop_country", Title: "Served from"}, {Name: "sli", Title: "SLI"}, {Name: "runs", Title: "Runs"},
				{Name: "connect_ms_p50", Title: "Connect p50"}}},
	}
}

// badRuns is the list of the newest runs that failed or were slow.
func badRuns() board.Panel {
	return board.Panel{Title: "Failed and slow runs", Unit: "short", Width: board.Columns, View: board.Table{}, Scale: neutral,
		Description: "The newest runs that failed, with what (error) and where (step), or whose first frame came too late. " +
			"Empty when all were good, or none ran: see the numbers above.",
		Query: model.Query{
			GroupBy:  []string{"started_at", "run_id", "cdn", "asn", "pop", "app_version", "error_type", "error_step"},
			Measures: []string{"duration_ms_avg"}, Where: slice(isNot("good")), OrderBy: &query.Order{Measure: "started_at", Desc: true}, Limit: 100,
		},
		Fields: []board.Field{
			{Name: "started_at", Title: "Started (UTC)", Unit: seconds, Width: 160}, {Name: "run_id", Title: "Run", Width: 290, Links: []board.Link{toRun()}},
			fieldCDN, {Name: "asn", Title: "ASN", Width: 80}, {Name: "pop", Title: "POP", Width: 80}, fieldVersion,
			{Name: "error_type", Title: "Error", None: "slow", Width: 150}, {Name: "error_step", Title: "Step", None: "none", Width: 110},
			{Name: "duration_ms_avg", Title: "After"},
		}}
}
