package boards

import (
	"fmt"

	"github.com/firstframe/firstframe/dashboards/board"
)

// period is that of the objective, as a panel's span.
const period = "28d"

// slo is the page about the objective: how much of the budget of 28 days is
// left, how fast it burns, and whose fault that is.
func slo() board.Dashboard {
	return board.Dashboard{
		UID: UIDSLO, Title: "SLO and error budget",
		Description: "99.9 % of runs good over 28 days: what is left of the budget, how fast it burns, and which slice burns it.",
		From:        "now-24h", Refresh: "1m", Variables: variables(), Links: links(),
		Rows: []board.Row{
			{Height: 6, Panels: sloPeriod()},
			{Title: "Burn rate", Height: 4, Panels: sloBurn()},
			{Height: 9, Panels: sloBurning()},
			{Title: "Budget by slice, 28 days", Height: 11, Panels: sloSlices()},
		},
	}
}

func sloPeriod() []board.Panel {
	left := series(nil, "budget_left")
	left.Step = "1d"
	return []board.Panel{
		{Title: "SLI, 28 days", Unit: "percentunit", Width: 4, View: board.Stat{}, Query: total("sli"), Scale: ratios, Span: period, Decimals: 3,
			Description: "Share of good runs of the last 28 days. The objective is 99.9 %."},
		{Title: "Error budget left, 28 days", Unit: "percentunit", Width: 4, View: board.Stat{}, Query: total("budget_left"), Scale: budgets, Span: period, Decimals: 1,
			Fields:      []board.Field{fieldLeft},
			Description: "What is left of the bad runs that 99.9 % allows in 28 days, if the days without runs were like those with. Below 0: overspent."},
		{Title: "Bad of all runs, 28 days", Unit: "short", Width: 5, View: board.Stat{}, Query: total("bad", "runs"), Scale: neutral, Span: period,
			Description: "How many runs were bad, and how many there were.",
			Fields:      []board.Field{{Name: "bad", Title: "bad"}, {Name: "runs", Title: "runs"}}},
		{Title: "Error budget left over the last 28 days", Unit: "percentunit", Width: 11, View: board.Series{Limits: true}, Query: left, Scale: budgets, Span: period,
			Description: "The budget at the end of each day, whole 28 days ago: it falls as bad runs use it. A day without runs has no value.",
			Fields:      []board.Field{{Name: "budget_left", Title: "budget left", Unit: "percentunit", Color: board.Palette[0]}}},
	}
}

// windows are the windows of the burn rates, with the rates from which the
// alerts come, as they follow for 28 days from the SRE Workbook, chapter 5.
// Page and Ticket are 0 where a window has none.
var windows = []struct {
	span         string
	page, ticket float64
}{
	{"5m", 13.44, 0}, {"30m", 5.6, 0}, {"1h", 13.44, 0}, {"2h", 0, 2.8}, {"6h", 5.6, 0.933}, {"1d", 0, 2.8}, {"3d", 0, 0.933},
}

func sloBurn() []board.Panel {
	var panels []board.Panel
	for i, w := range windows {
		s := board.Scale{Base: board.Good}
		text := fmt.Sprintf("How many times faster than 99.9 %% over 28 days allows the budget was burnt in the last %s.", w.span)
		if w.ticket > 0 {
			s.Steps = append(s.Steps, board.Step{From: w.ticket, Color: board.Warn})
			text += fmt.Sprintf(" Orange from %g on, where a ticket comes if the other window agrees.", w.ticket)
		}
		if w.page > 0 {
			s.Steps = append(s.Steps, board.Step{From: w.page, Color: board.Bad})
			text += fmt.Sprintf(" Vermilion from %g on, where a page comes if the other window agrees.", w.page)
		}
		width := 3
		if i < board.Columns-3*len(windows) {
			width = 4
		}
		panels = append(panels, board.Panel{Title: "Last " + w.span, Description: text, Unit: "suffix: ×", Width: width, View: board.Stat{},
			Query: total("burn_rate"), Scale: s, Span: w.span, Decimals: 2, Fields: []board.Field{{Name: "burn_rate", Unit: "suffix: ×"}}})
	}
	return panels
}

var burns = board.Scale{Base: board.Good, Steps: []board.Step{{From: 1, Color: board.Warn}, {From: 13.44, Color: board.Bad}}}

func sloBurning() []board.Panel {
	return []board.Panel{
		{Title: "Burning in the last hour", Unit: "short", Width: 10, View: board.Table{}, Scale: burns, Span: "1h",
			Query:       table([]string{"country", "cdn"}, "burn_rate", true, 100, "burn_rate", "bad", "runs", "agents"),
			Description: "The slices that burn the fastest. A single agent, or few bad runs, prove little.",
			Fields: []board.Field{fieldCountry, linked(fieldCDN, "country", "cdn"),
				filled(board.Field{Name: "burn_rate", Title: "Burn rate", Width: 100, Decimals: 1}, burns), fieldBad, fieldRuns, fieldAgents}},
		{Title: "Burn rate over time, by country", Unit: "short", Width: 14, View: board.History{}, Scale: burns, Query: series([]string{"country"}, "burn_rate"), Decimals: 1,
			Description: "A line for each country: green burns slower than allowed, orange faster, vermilion from 13.44 times on. A gap is a time without runs."},
	}
}

func sloSlices() []board.Panel {
	by := func(title string, width int, dims []string, fields ...board.Field) board.Panel {
		return board.Panel{Title: title, Unit: "percentunit", Width: width, View: board.Table{}, Scale: budgets, Span: period,
			Query:       table(dims, "budget_left", false, 200, "budget_left", "sli", "bad", "runs"),
			Description: "What is left of the budget that each slice would have of its own, the least first. Below 0: overspent.",
			Fields: append(fields, filled(fieldLeft, budgets),
				board.Field{Name: "sli", Title: "SLI", Width: 85, Decimals: 3}, fieldBad, fieldRuns)}
	}
	return []board.Panel{
		by("Country × CDN", 9, []string{"country", "cdn"}, fieldCountry, linked(fieldCDN, "country", "cdn")),
		by("App version", 8, []string{"app", "app_version"}, board.Field{Name: "app", Title: "App", Width: 80}, fieldVersion),
		by("Target", 7, []string{"target"}, board.Field{Name: "target", Title: "Target"}),
	}
}
