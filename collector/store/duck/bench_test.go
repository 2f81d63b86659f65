package duck_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/collector/store/duck"
	"github.com/firstframe/firstframe/collector/store/storetest"
	"github.com/firstframe/firstframe/probes/run"
)

var benchEnd = time.Date(2026, 11, 23, 23, 0, 0, 0, time.UTC)

// fresh gives the rows of a made batch new ids and starts, in the second before
// end.
func fresh(rows []store.Row, end time.Time) {
	for i := range rows {
		r := rows[i].Run
		r.StartedAt = end.Add(-time.Duration(i) * time.Second / time.Duration(len(rows)))
		r.RunID = run.NewID(r.StartedAt)
	}
}

func makeRows(n int) []store.Row {
	rows := make([]store.Row, n)
	for i, r := range storetest.Runs(1, n, benchEnd, time.Hour) {
		rows[i].Run = r
	}
	return rows
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			s := open(b, duck.Config{Dir: b.TempDir()})
			rows := makeRows(size)
			at := benchEnd.Add(-20 * time.Hour)
			b.ReportAllocs()
			for b.Loop() {
				at = at.Add(time.Second)
				fresh(rows, at)
				if added, err := s.Append(b.Context(), rows, nil, store.Location{}); err != nil || added != size {
					b.Fatal(added, err)
				}
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkQuery asks 100 000 runs of four days.
func BenchmarkQuery(b *testing.B) {
	const total, size = 100_000, 10_000
	s := open(b, duck.Config{Dir: b.TempDir()})
	rows := makeRows(size)
	var some string
	for i := range total / size {
		fresh(rows, benchEnd.Add(-time.Duration(i)*9*time.Hour))
		if _, err := s.Append(b.Context(), rows, nil, store.Location{}); err != nil {
			b.Fatal(err)
		}
		some = rows[0].Run.RunID
	}
	day, month := query.Ago(24*time.Hour), query.Ago(28*24*time.Hour)
	all := []query.Cond{{Dim: "source", Op: query.Exists}}
	for name, r := range map[string]*query.Request{
		"24h 5m by country":     {From: day, Step: query.Duration(5 * time.Minute), GroupBy: []string{"country"}, Where: all},
		"24h 5m by country p95": {From: day, Step: query.Duration(5 * time.Minute), GroupBy: []string{"country"}, Where: all, Measures: []string{"ttff_ms_p95"}},
		"28d one country by cdn p95": {From: month, GroupBy: []string{"cdn"}, Measures: []string{"ttff_ms_p95"},
			Where: append(all[:1:1], query.Cond{Dim: "country", Op: query.Eq, Values: []string{"BR"}})},
		"28d sli":         {From: month, Where: all, Measures: []string{"sli"}},
		"28d percentiles": {From: month, Where: all, Measures: []string{"ttff_ms_p50", "ttff_ms_p95", "ttff_ms_p99"}},
		"20 worst of an hour": {From: query.Ago(time.Hour), Where: all, GroupBy: []string{"run_id"}, Measures: []string{"ttff_ms_avg"},
			OrderBy: &query.Order{Measure: "ttff_ms_avg", Desc: true}, Limit: 20},
		"28d burn rate, budget left by country":  {From: month, Where: all, GroupBy: []string{"country"}, Measures: []string{"burn_rate", "budget_left"}},
		"28d 1h budget left":                     {From: month, Step: query.Duration(time.Hour), Where: all, Measures: []string{"budget_left"}},
		"24h coverage by country":                {From: day, Where: all, GroupBy: []string{"country"}, Measures: []string{"coverage"}},
		"24h 5m coverage by country":             {From: day, Step: query.Duration(5 * time.Minute), Where: all, GroupBy: []string{"country"}, Measures: []string{"coverage"}},
		"24h last seen, silent, expiry by agent": {From: day, Where: all, GroupBy: []string{"agent"}, Measures: []string{"last_seen", "silent_ms", "tls_expires_in_ms"}},
		"24h playlist age max by target":         {From: day, Where: all, GroupBy: []string{"target"}, Measures: []string{"playlist_age_ms_max"}},
		"24h sli p95 by country, day before":     {From: day, Where: all, GroupBy: []string{"country"}, Measures: []string{"sli", "ttff_ms_p95"}, Compare: query.Offset(24 * time.Hour)},
		"24h 5m sli by country, day before":      {From: day, Step: query.Duration(5 * time.Minute), Where: all, GroupBy: []string{"country"}, Measures: []string{"sli"}, Compare: query.Offset(24 * time.Hour)},
		"24h p50 p95 p99":                        {From: day, Where: all, Measures: []string{"ttff_ms_p50", "ttff_ms_p95", "ttff_ms_p99"}},
		"24h pairs of cdns by country": {From: day, Where: all, GroupBy: []string{"country", "cdn"}, PairBy: "cdn",
			Measures: []string{"pairs", "ttff_ms_paired_diff_low", "ttff_ms_paired_diff_high", "bad_paired_diff_low", "bad_paired_diff_high"}},
		"24h by country and cdn, 5 exemplars": {From: day, Where: all, GroupBy: []string{"country", "cdn"}, Exemplars: 5},
		"24h 5m by country, 3 exemplars":      {From: day, Step: query.Duration(5 * time.Minute), Where: all, GroupBy: []string{"country"}, Exemplars: 3},
		"28d by country and cdn, 5 exemplars": {From: month, Where: all, GroupBy: []string{"country", "cdn"}, Exemplars: 5},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				a, err := s.Query(b.Context(), r, benchEnd.Add(time.Second))
				if err != nil || len(a.Rows) == 0 {
					b.Fatal(len(a.Rows), err)
				}
			}
		})
	}
	b.Run("run by id", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := s.Run(b.Context(), some); err != nil {
				b.Fatal(err)
			}
		}
	})
}
