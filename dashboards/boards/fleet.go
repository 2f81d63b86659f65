package boards

import (
	"time"

	"github.com/firstframe/firstframe/dashboards/board"
)

// silences are silent_ms, certificates tls_expires_in_ms.
var (
	silences = board.Scale{Base: board.Good, Steps: []board.Step{{From: ms(5 * time.Minute), Color: board.Warn}, {From: ms(15 * time.Minute), Color: board.Bad}}}

	certificates = board.Scale{Base: board.Bad, Steps: []board.Step{{From: ms(24 * time.Hour), Color: board.Warn}, {From: ms(14 * 24 * time.Hour), Color: board.Good}}}

	fieldSilent   = board.Field{Name: "silent_ms", Title: "Silent for", Width: 100, Fill: &silences}
	fieldSeen     = board.Field{Name: "last_seen", Title: "Last run (UTC)", Unit: seconds, Width: 160}
	fieldCoverage = board.Field{Name: "coverage", Title: "Coverage", Width: 90, Decimals: 1, Fill: &coverages}
)

// seconds is the unit of times that need no milliseconds.
const seconds = "time:YYYY-MM-DD HH:mm:ss"

func ms(d time.Duration) float64 { return float64(d.Milliseconds()) }

// memory is how far the collector looks back for agents that are silent.
const memory = "24h"

// fleet is the page about those who measure: what they do not see, no other
// page shows.
func fleet() board.Dashboard {
	return board.Dashboard{
		UID: UIDFleet, Title: "Fleet health",
		Description: "Who measures, who has fallen silent, how much of what was planned has come, and which certificates end.",
		From:        "now-6h", Refresh: "30s", Variables: variables(), Links: links(),
		Rows: []board.Row{
			{Height: 4, Panels: fleetTotals()},
			{Height: 11, Panels: fleetTables()},
			{Title: "Coverage and versions", Height: 9, Panels: fleetCoverage()},
			{Height: 9, Panels: fleetMore()},
		},
	}
}

func fleetTotals() []board.Panel {
	stat := func(title, description, unit, measure, span string, width int, s board.Scale) board.Panel {
		return board.Panel{Title: title, Description: description, Unit: unit, Width: width, View: board.Stat{}, Query: total(measure), Scale: s, Span: span}
	}
	return []board.Panel{
		stat("Agents, last 5 min", "Agents that sent a run which started in the last 5 minutes.", "short", "agents", "5m", 5, votes),
		stat("Agents, last 24 h", "Agents that sent a run which started in the last 24 hours. Those above that are missing have fallen silent, or have ended.", "short", "agents", memory, 5, votes),
		stat("Last run", "How long ago the newest run started. Long: the collector is not reached by any agent.", "ms", "silent_ms", memory, 5, silences),
		stat("Coverage", "Runs received of those expected by the plan's intervals, in the range above.", "percentunit", "coverage", "", 5, coverages),
		stat("First certificate to end", "How long the first of the edges' certificates is still valid, of those seen in the last 24 hours. Below 0: expired.", "ms", "tls_expires_in_ms", memory, 4, certificates),
	}
}

func fleetTables() []board.Panel {
	return []board.Panel{
		{Title: "Agents of the last 24 h", Unit: "short", Width: 15, View: board.Table{}, Scale: neutral, Span: memory,
			Query:       table([]string{"agent", "country", "asn", "agent_version"}, "silent_ms", true, 1000, "silent_ms", "last_seen", "coverage", "sli"),
			Description: "Agents seen in the last 24 hours, the longest silent first. One that alone sees bad runs may be ill itself.",
			Fields: []board.Field{{Name: "agent", Title: "Agent", Links: []board.Link{to("This agent's runs", UIDNow, "agent")}}, fieldCountry,
				{Name: "asn", Title: "ASN", Width: 75}, {Name: "agent_version", Title: "Version", Width: 90}, fieldSilent, fieldSeen, fieldCoverage, fieldSLI}},
		{Title: "Countries of the last 24 h", Unit: "short", Width: 9, View: board.Table{}, Scale: neutral, Span: memory,
			Query:       table([]string{"country"}, "silent_ms", true, 300, "silent_ms", "agents", "coverage"),
			Description: "Countries seen in the last 24 hours, the longest silent first. Fewer than two agents prove nothing about a country.",
			Fields:      []board.Field{fieldCountry, fieldSilent, fieldAgents, fieldCoverage}},
	}
}

func fleetCoverage() []board.Panel {
	return []board.Panel{
		{Title: "Coverage by country", Unit: "percentunit", Width: 14, View: board.History{}, Query: series([]string{"country"}, "coverage"), Scale: coverages, Decimals: 1,
			Description: "Runs received of those expected by the plan's intervals, a line for each country. A gap is a time in which none was expected."},
		{Title: "Agent versions of the last 24 h", Unit: "short", Width: 10, View: board.Table{}, Scale: neutral, Span: memory,
			Query:       table([]string{"agent_version"}, "agents", true, 100, "agents", "runs", "coverage", "sli"),
			Description: "Which versions of the agent are out. Only one of them silent or bad: it is the release.",
			Fields:      []board.Field{{Name: "agent_version", Title: "Version"}, {Name: "agents", Title: "Agents", Width: 80}, fieldRuns, fieldCoverage, fieldSLI}},
	}
}

func fleetMore() []board.Panel {
	return []board.Panel{
		{Title: "Runs by country", Unit: "short", Width: 12, View: board.Series{Columns: true, Stacked: true}, Query: series([]string{"country"}, "runs"), Scale: neutral,
			Description: "Runs received, by the time at which they started. A country that disappears has fallen silent."},
		{Title: "Certificates of the last 24 h", Unit: "ms", Width: 12, View: board.Table{}, Scale: certificates, Span: memory,
			Query:       table([]string{"cdn", "target"}, "tls_expires_in_ms", false, 200, "tls_expires_in_ms", "tls_expires_at_min", "agents"),
			Description: "When the first certificate of each CDN and target ends, of those that edges showed in the last 24 hours. No value: no TLS.",
			Fields: []board.Field{fieldCDN, {Name: "target", Title: "Target"},
				filled(board.Field{Name: "tls_expires_in_ms", Title: "Ends in", Width: 110}, certificates),
				{Name: "tls_expires_at_min", Title: "Ends (UTC)", Unit: seconds, Width: 160}, {Name: "agents", Title: "Seen by", Width: 80}}},
	}
}
