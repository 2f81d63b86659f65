package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/probes/run"
)

// every makes a run of an agent each minute, half a minute past, from from
// until before to before noon.
func every(agent, country, version, revision string, from, to time.Duration) []*run.Run {
	var runs []*run.Run
	interval := 60_000.0
	for at := noon.Add(-from + 30*time.Second); at.Before(noon.Add(-to)); at = at.Add(time.Minute) {
		runs = append(runs, &run.Run{RunID: run.NewID(at), StartedAt: at, Source: run.SourceFleet, Agent: agent, Country: country,
			Target: "news", CDN: "a", App: "tv", AppVersion: version, PlanRevision: revision, IntervalMs: &interval, OK: true, Good: true})
	}
	return runs
}

// fleet is one in which something of every kind is missing, ended or new.
func fleet() []*run.Run {
	var runs []*run.Run
	for _, part := range [][]*run.Run{
		every("br-1", "BR", "1", "p1", 3*time.Hour, 0),
		every("br-2", "BR", "1", "p1", 3*time.Hour, 2*time.Hour),       // silent since
		every("de-1", "DE", "1", "p1", 3*time.Hour, 40*time.Minute),    // until the plan
		every("de-1", "DE", "2", "p2", 40*time.Minute, 0),              // has a new app version
		every("fr-1", "FR", "1", "p1", 15*time.Minute, 0),              // new
		every("jp-1", "JP", "1", "p1", 3*time.Hour, 90*time.Minute),    // silent, all of the country
		every("us-1", "US", "1", "p1", 27*time.Hour, 25*time.Hour),     // gone for good
		every("move", "AR", "1", "p1", 2*time.Hour, 90*time.Minute),    // found to be
		every("move", "CL", "1", "p1", 90*time.Minute, 0),              // somewhere else
		every("pause", "ZA", "1", "p1", 2*time.Hour, 45*time.Minute),   // back after
		every("pause", "ZA", "1", "p1", 30*time.Minute, 0),             // a quarter of an hour
		every("plans", "ES", "1", "", 2*time.Hour, 30*time.Minute),     // silent, no plan known
		every("plans", "ES", "1", "p1", 3*time.Hour, 170*time.Minute),  // but long ago
		every("once", "IT", "1", "", 30*time.Minute, 29*time.Minute)} { // one run, then none
		runs = append(runs, part...)
	}
	// Intervals that say nothing, or would break a sum.
	for i, r := range every("odd", "MX", "1", "p1", 5*time.Minute, 0) {
		r.IntervalMs = &[]float64{1e300, -60_000, 0, 1e-300, 86_400_001}[i]
		runs = append(runs, r)
	}
	return runs
}

func coverage(t *testing.T, open Open) {
	s, _ := open(t)
	runs := fleet()
	appended(t, s, runs, store.Location{})
	hour := query.Ago(time.Hour)
	for _, test := range []struct {
		name string
		r    query.Request
		want [][]any
	}{
		// Runs of the last minute may still be under way.
		{"by country", query.Request{From: hour, GroupBy: []string{"country"}}, [][]any{
			{"BR", int64(60), 59 / 118.0}, {"CL", int64(60), 1.0}, {"DE", int64(60), 1.0}, {"ZA", int64(45), 44 / 59.0},
			{"ES", int64(30), 30 / 59.0}, {"FR", int64(15), 1.0}, {"MX", int64(5), nil}, {"IT", int64(1), 1 / 29.0}, {"JP", int64(0), 0.0}}},
		{"of a silent country", query.Request{From: hour, Step: query.Duration(30 * time.Minute),
			Where: []query.Cond{{Dim: "country", Op: query.Eq, Values: []string{"JP"}}}}, [][]any{
			{noon.Add(-time.Hour), int64(0), 0.0}, {noon.Add(-30 * time.Minute), int64(0), 0.0}}},
		{"of an app version that is no more", query.Request{From: hour, Step: query.Duration(20 * time.Minute), GroupBy: []string{"app_version"},
			Where: []query.Cond{{Dim: "country", Op: query.Eq, Values: []string{"DE"}}}}, [][]any{
			{noon.Add(-time.Hour), "2", int64(0), nil}, {noon.Add(-40 * time.Minute), "2", int64(20), 1.0}, {noon.Add(-20 * time.Minute), "2", int64(20), 1.0},
			{noon.Add(-time.Hour), "1", int64(20), 1.0}, {noon.Add(-40 * time.Minute), "1", int64(0), nil}, {noon.Add(-20 * time.Minute), "1", int64(0), nil}}},
		{"of who moved, where it was", query.Request{From: query.Ago(2 * time.Hour), Where: []query.Cond{{Dim: "country", Op: query.Eq, Values: []string{"AR"}}}},
			[][]any{{int64(30), 1.0}}},
		{"of one that went a day ago", query.Request{From: hour, Where: []query.Cond{{Dim: "country", Op: query.Eq, Values: []string{"US"}}}},
			[][]any{{int64(0), nil}}},
		{"with the hour before", query.Request{From: hour, GroupBy: []string{"country"}, Compare: query.Offset(time.Hour),
			Where: []query.Cond{{Dim: "country", Op: query.In, Values: []string{"JP", "ZA"}}}}, [][]any{
			{"ZA", int64(45), 44 / 59.0, int64(60), 1.0}, {"JP", int64(0), 0.0, int64(30), 0.5}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.r.Measures = []string{"coverage"}
			a, err := s.Query(t.Context(), &test.r, noon)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, a.Rows, approximately); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			check(t, s, runs, &test.r, noon)
		})
	}
}
