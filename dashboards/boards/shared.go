package boards

import "github.com/firstframe/firstframe/dashboards/board"

// sliOver shows the share of good runs over time, a line for each value of the
// dimensions.
func sliOver(title, each string, width int, dims ...string) board.Panel {
	return board.Panel{Title: title, Unit: "percentunit", Width: width, View: board.History{}, Query: series(dims, "sli"), Scale: ratios, Decimals: 2,
		Description: "Share of good runs over time, a line for each " + each + ". A gap is a time without runs: nothing is known about it."}
}

// waitOver shows the time to first frame over time, a line for each value of
// the dimensions.
func waitOver(title string, width int, dims ...string) board.Panel {
	return board.Panel{Title: title, Unit: "ms", Width: width, View: board.Series{Limits: true}, Query: series(dims, "ttff_ms_p95"), Scale: waits,
		Description: "95 % of the runs that started took less. The dashed lines are where slow (1.5 s) and bad (2 s) begin."}
}

// hitsOver shows each CDN's cache hit ratio over time.
func hitsOver(width int) board.Panel {
	return board.Panel{Title: "Cache hits by CDN", Unit: "percentunit", Width: width, View: board.Series{}, Query: series([]string{"cdn"}, "cache_hit_ratio"),
		Scale: hits, Decimals: 1, Description: "Of the runs whose first segment's cache status is known, those that the CDN served from its caches."}
}

// phasesOver shows the mean of each phase over time, on top of each other.
func phasesOver(width int) board.Panel {
	measures, fields := phaseMeans()
	return board.Panel{Title: "Where the time goes", Unit: "ms", Width: width, View: board.Series{Stacked: true}, Query: series(nil, measures...), Scale: neutral, Fields: fields,
		Description: "Mean time of each phase of the critical path, of failed runs too; stacked, they are the mean time from pressing play to the first frame or the failure."}
}
