package boards

import (
	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/dashboards/board"
)

// The scales: what counts as good, slow and bad.
var (
	// ratios are sli and availability.
	ratios = board.Scale{Base: board.Bad, Steps: []board.Step{{From: 0.99, Color: board.Warn}, {From: query.Objective, Color: board.Good}}}

	// coverages are shares of the runs that were planned; a few are always under way.
	coverages = board.Scale{Base: board.Bad, Steps: []board.Step{{From: 0.9, Color: board.Warn}, {From: 0.98, Color: board.Good}}}

	// waits are times to first frame, in ms; the default threshold of a target
	// is 2 s.
	waits = board.Scale{Base: board.Good, Steps: []board.Step{{From: 1500, Color: board.Warn}, {From: 2000, Color: board.Bad}}}

	// budgets are budget_left.
	budgets = board.Scale{Base: board.Bad, Steps: []board.Step{{From: 0, Color: board.Warn}, {From: 0.25, Color: board.Good}}}

	// bads are counts of bad runs.
	bads = board.Scale{Base: board.Good, Steps: []board.Step{{From: 1, Color: board.Warn}, {From: 5, Color: board.Bad}}}

	// hits are cache hit ratios, which differ by kind of stream: no red.
	hits = board.Scale{Base: board.Warn, Steps: []board.Step{{From: 0.8, Color: board.Good}}}

	// votes are counts of agents: what one alone says proves nothing.
	votes = board.Scale{Base: board.Warn, Steps: []board.Step{{From: 2, Color: board.Good}}}

	neutral = board.Scale{Base: board.Neutral}
)

// phase is a part of the time to first frame.
type phase struct{ name, title string }

// phases are those that a run's time is divided into, in the order in which
// they come.
var phases = []phase{
	{"queue_ms", "Queue"}, {"playback_api_ms", "Playback API"}, {"dns_ms", "DNS"}, {"connect_ms", "Connect"}, {"tls_ms", "TLS"},
	{"manifest_ms", "Manifest"}, {"playlist_ms", "Playlist"}, {"key_ms", "Key"}, {"init_ms", "Init"},
	{"segment_ttfb_ms", "First byte"}, {"segment_ms", "Segment"}, {"player_ms", "Player"},
}

// phaseMeans are the measures and fields that show phases. Means add up to the
// mean of the whole; percentiles would not.
func phaseMeans() (measures []string, fields []board.Field) {
	for i, p := range phases {
		measures = append(measures, p.name+"_avg")
		fields = append(fields, board.Field{Name: p.name + "_avg", Title: p.title, Color: board.Palette[i]})
	}
	return measures, fields
}

// The fields of tables, as every dashboard shows them.
var (
	fieldCountry = board.Field{Name: "country", Title: "Country", Width: 80, Links: []board.Link{to("This country", UIDCountry, "country")}}
	fieldCDN     = board.Field{Name: "cdn", Title: "CDN", Width: 80}
	fieldVersion = board.Field{Name: "app_version", Title: "App version", Width: 100}
	fieldSLI     = board.Field{Name: "sli", Title: "SLI", Width: 85, Decimals: 2, Fill: &ratios}
	fieldOK      = board.Field{Name: "availability", Title: "Started", Width: 85, Decimals: 2, Fill: &ratios}
	fieldLeft    = board.Field{Name: "budget_left", Title: "Left", Unit: "percentunit", Width: 90, Decimals: 1}
	fieldBad     = board.Field{Name: "bad", Title: "Bad", Width: 60}
	fieldRuns    = board.Field{Name: "runs", Title: "Runs", Width: 65}
	fieldAgents  = board.Field{Name: "agents", Title: "Agents", Width: 70, Fill: &votes}
	fieldP50     = board.Field{Name: "ttff_ms_p50", Title: "TTFF p50", Width: 90}
	fieldP95     = board.Field{Name: "ttff_ms_p95", Title: "TTFF p95", Width: 90, Fill: &waits}
	fieldHits    = board.Field{Name: "cache_hit_ratio", Title: "Cache hits", Width: 90, Fill: &hits}
	fieldWorst   = board.Field{Name: "run_1", Title: "Worst run", None: "none", Links: []board.Link{toRun()}}
)

// linked is f with a link to the country's page, which takes fields of the row
// along.
func linked(f board.Field, fields ...string) board.Field {
	f.Links = []board.Link{to("This slice", UIDCountry, fields...)}
	return f
}

// filled is f with its cells coloured by s.
func filled(f board.Field, s board.Scale) board.Field {
	f.Fill = &s
	return f
}
