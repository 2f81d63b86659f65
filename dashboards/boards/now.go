package boards

import (
	"github.com/firstframe/firstframe/dashboards/board"
)

// now is the page for the first look: is playback fine, and if not, where.
// Its first two rows fit on a screen of 1600 × 900.
func now() board.Dashboard {
	return board.Dashboard{
		UID: UIDNow, Title: "Playback now",
		Description: "Is playback fine, and if not, where: success, time to first frame and error budget by country, CDN and app version.",
		From:        "now-1h", Refresh: "5s", Variables: variables(), Links: links(),
		Rows: []board.Row{
			{Height: 4, Panels: totals()},
			{Height: 14, Panels: []board.Panel{nowMap(), nowTable(), nowWorst()}},
			{Title: "Over time", Height: 9, Panels: nowOverTime()},
			{Height: 9, Panels: nowCauses()},
		},
	}
}

// totals say how playback is in the whole slice, and what that rests on.
func totals() []board.Panel {
	return []board.Panel{
		{Title: "SLI", Unit: "percentunit", Width: 3, View: board.Stat{}, Query: total("sli"), Scale: ratios, Decimals: 2,
			Description: "Share of runs that are good: they started, and the first frame came before the target's threshold. The objective is 99.9 %."},
		{Title: "Started", Unit: "percentunit", Width: 3, View: board.Stat{}, Query: total("availability"), Scale: ratios, Decimals: 2,
			Description: "Share of runs that did not fail: the first frame came, however late, and playing on, where it is asked for, did not break off."},
		{Title: "Time to first frame", Unit: "ms", Width: 8, View: board.Stat{}, Query: total("ttff_ms_p50", "ttff_ms_p95", "ttff_ms_p99"), Scale: waits,
			Description: "Press play to first frame, of the runs that started: half of them took less than p50, 95 % less than p95, 99 % less than p99.",
			Fields:      []board.Field{{Name: "ttff_ms_p50", Title: "p50"}, {Name: "ttff_ms_p95", Title: "p95"}, {Name: "ttff_ms_p99", Title: "p99"}}},
		{Title: "Error budget left, 28 days", Unit: "percentunit", Width: 4, View: board.Stat{}, Query: total("budget_left"), Scale: budgets, Span: period, Decimals: 1,
			Fields:      []board.Field{fieldLeft},
			Description: "What is left of the bad runs that 99.9 % allows in 28 days, if the days without runs were like those with. Below 0: overspent."},
		{Title: "Coverage", Unit: "percentunit", Width: 3, View: board.Stat{}, Query: total("coverage"), Scale: coverages, Decimals: 1,
			Description: "Runs received of those expected by the plan's intervals. Where it is low, the other numbers say less than they seem to."},
		{Title: "Seen by", Unit: "short", Width: 3, View: board.Stat{}, Query: total("runs", "agents"), Scale: neutral,
			Description: "How many runs of how many agents all this rests on.",
			Fields:      []board.Field{{Name: "runs", Title: "runs"}, {Name: "agents", Title: "agents"}}},
	}
}

func nowMap() board.Panel {
	return board.Panel{Title: "SLI by country", Unit: "percentunit", Width: 7, Scale: ratios, Decimals: 2,
		View:  board.Map{Key: "country", Color: "sli", Size: "bad"},
		Query: table([]string{"country"}, "sli", false, 300, "sli", "bad", "runs", "agents", "ttff_ms_p95"),
		Description: "Where the agents are: coloured by the share of good runs, larger with more bad runs. " +
			"Green from 99.9 %, orange from 99 %, vermilion below. A country without runs has no mark.",
		Fields: []board.Field{
			{Name: "country", Title: "Country", Links: []board.Link{to("This country", UIDCountry, "country")}},
			{Name: "sli", Title: "SLI"}, {Name: "bad", Title: "Bad runs"}, {Name: "runs", Title: "Runs"},
			{Name: "agents", Title: "Agents"}, {Name: "ttff_ms_p95", Title: "TTFF p95"},
		}}
}

func nowTable() board.Panel {
	return board.Panel{Title: "Country × CDN", Unit: "percentunit", Width: 8, View: board.Table{}, Scale: ratios,
		Query:       table([]string{"country", "cdn"}, "sli", false, 500, "sli", "runs", "ttff_ms_p95"),
		Description: "Share of good runs of each country through each CDN, the worst first, with the number of runs that it rests on.",
		Fields:      []board.Field{fieldCountry, linked(fieldCDN, "country", "cdn"), fieldSLI, fieldRuns, fieldP95}}
}

func nowWorst() board.Panel {
	q := table([]string{"country", "cdn", "app_version"}, "bad", true, 12, "bad", "runs", "agents")
	q.Exemplars = 1
	return board.Panel{Title: "Worst slices", Unit: "short", Width: 9, View: board.Table{}, Scale: bads, Query: q,
		Description: "The slices with the most bad runs, how many agents see them, and a run to look at: a failed one, or the slowest.",
		Fields:      []board.Field{fieldCountry, fieldCDN, fieldVersion, filled(fieldBad, bads), fieldRuns, fieldAgents, fieldWorst}}
}

func nowOverTime() []board.Panel {
	return []board.Panel{
		sliOver("SLI by country, over time", "country", 12, "country"),
		{Title: "Time to first frame, over time", Unit: "ms", Width: 12, View: board.Series{Limits: true}, Scale: waits,
			Query:       series(nil, "ttff_ms_p50", "ttff_ms_p95", "ttff_ms_p99"),
			Description: "Press play to first frame over time. The dashed lines are where slow (1.5 s) and bad (2 s) begin.",
			Fields: []board.Field{{Name: "ttff_ms_p50", Title: "p50", Color: board.Palette[1]}, {Name: "ttff_ms_p95", Title: "p95", Color: board.Palette[4]},
				{Name: "ttff_ms_p99", Title: "p99", Color: board.Palette[5]}}},
	}
}

func nowCauses() []board.Panel {
	failed := series([]string{"error_type"}, "failed")
	failed.Where = slice(isNot("ok"))
	return []board.Panel{
		{Title: "Failed runs by cause", Unit: "short", Width: 12, View: board.Series{Columns: true, Stacked: true}, Query: failed, Scale: neutral,
			Description: "Runs that failed, by what did. Empty when none failed, or none ran: see the number of runs above."},
		phasesOver(12),
	}
}
