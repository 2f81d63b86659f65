package boards

import (
	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/dashboards/board"
	"github.com/firstframe/firstframe/dashboards/datasource/pkg/model"
)

// thisRun is the condition that a run is the one of the variable run_id. The
// value that no run has keeps an empty variable, whose condition would be left
// out, from standing for all runs. Runs that are not of the fleet count too.
var thisRun = []query.Cond{
	{Dim: "run_id", Op: query.In, Values: []string{"none", "${run_id}"}},
	{Dim: "source", Op: query.Exists},
}

// run is the page about one run: what it was, its steps, and where its time
// went.
func run() board.Dashboard {
	vars := variables()
	for i := range vars {
		vars[i].Hidden = true // kept for the way back
	}
	return board.Dashboard{
		UID: UIDRun, Title: "Run",
		Description: "One attempt to press play: who, through which edge, how it ended, and each of its requests. Links on other dashboards lead here; or type a run's id.",
		From:        "now-24h", Links: links(), Variables: append([]board.Variable{{Name: "run_id", Label: "Run"}}, vars...),
		Rows: []board.Row{
			{Height: 4, Panels: []board.Panel{
				runPart("Who played what", []string{"started_at", "country", "asn", "agent", "cdn", "target", "app", "app_version"}, "runs")}},
			{Height: 4, Panels: []board.Panel{
				runPart("Served by", []string{"cdn_seen", "pop", "pop_city", "pop_country", "edge_ip", "http_version", "manifest_cache_status", "segment_cache_status"}, "throughput_kbps_avg")}},
			{Height: 4, Panels: []board.Panel{
				runPart("How it ended", []string{"ok", "good", "error_type", "error_step", "tls_version"}, "ttff_ms_avg", "duration_ms_avg", "threshold_ms_avg", "attempts_avg", "bytes_avg")}},
			{Height: 16, Panels: []board.Panel{
				{Title: "Waterfall", Unit: "ms", Width: 17, View: board.Trace{}, Query: model.Query{QueryType: model.Trace, RunID: "${run_id}"}, Scale: neutral,
					Description: "The run and its steps: each request attempt and each wait. A step's details show DNS, connect, TLS, wait and receive times, status, edge address and the headers that identify it."},
				runPhases(),
			}},
		},
	}
}

// runTitles are the columns of the tables about a run that are not named like
// the field.
var runTitles = map[string]string{
	"started_at": "Started (UTC)", "asn": "ASN", "cdn": "CDN", "cdn_seen": "CDN seen", "pop": "POP", "pop_city": "POP's city", "pop_country": "POP's country", "edge_ip": "Edge",
	"http_version": "HTTP", "tls_version": "TLS", "manifest_cache_status": "Manifest's cache", "segment_cache_status": "Segment's cache",
	"ok": "Started", "good": "Good", "error_type": "Error", "error_step": "Step", "ttff_ms_avg": "First frame", "duration_ms_avg": "Verdict",
	"threshold_ms_avg": "Threshold", "attempts_avg": "Requests", "bytes_avg": "Received", "throughput_kbps_avg": "Throughput", "app_version": "App version",
	"country": "Country", "agent": "Agent", "target": "Target", "app": "App",
}

func runPart(title string, dims []string, measures ...string) board.Panel {
	var fields []board.Field
	for _, name := range append(dims, measures...) {
		fields = append(fields, board.Field{Name: name, Title: runTitles[name], Hidden: name == "runs"})
	}
	return board.Panel{Title: title, Unit: "short", Width: board.Columns, View: board.Table{}, Scale: neutral, Fields: fields,
		Description: "From the run named above. Empty: it is not in the time range above, or its id is wrong.",
		Query:       model.Query{GroupBy: dims, Measures: measures, Where: thisRun}}
}

func runPhases() board.Panel {
	measures, fields := phaseMeans()
	return board.Panel{Title: "Where the time went", Unit: "ms", Width: 7, View: board.Bars{}, Scale: neutral, Fields: fields,
		Description: "The phases of the critical path, from pressing play to the first frame or the failure. They add up to it.",
		Query:       model.Query{Measures: measures, Where: thisRun}}
}
