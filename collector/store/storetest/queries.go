package storetest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/probes/run"
)

// approximately lets floats differ by the order in which they were summed up.
var approximately = cmpopts.EquateApprox(1e-9, 1e-9)

// check compares the store's answer with the plain evaluation over runs.
func check(t interface {
	Helper()
	Fatalf(string, ...any)
}, s store.Store, runs []*run.Run, r *query.Request, now time.Time) {
	t.Helper()
	q, err := r.Resolve(now)
	if err != nil {
		t.Fatalf("Resolve: %v", err)
	}
	got, err := s.Query(context.Background(), r, now)
	if err != nil {
		t.Fatalf("Query: %v", err)
	}
	rows, truncated := evaluate(q, runs)
	if !reflect.DeepEqual(rows, got.Rows) { // rarely, and quicker than to look for a difference
		if diff := cmp.Diff(rows, got.Rows, approximately); diff != "" {
			t.Fatalf("%+v\n(-want +got):\n%s", r, diff)
		}
	}
	if got.Meta.Truncated != truncated {
		t.Fatalf("truncated is %v, want %v", got.Meta.Truncated, truncated)
	}
	if got.Meta.Source != query.SourceRaw || got.Meta.MaxError != 0 {
		t.Fatalf("meta %+v, want exact answers from raw runs", got.Meta)
	}
}

func queries(t *testing.T, open Open) {
	s, _ := open(t)
	runs := Runs(5, 600, noon, 50*time.Hour)
	appended(t, s, runs[:400], store.Location{})
	appended(t, s, runs[400:], store.Location{})
	unpaired := slices.DeleteFunc(query.Measures(), func(m query.Measure) bool { return m.Paired })
	t.Run("every measure", func(t *testing.T) {
		var names []string
		for _, m := range unpaired {
			names = append(names, m.Name)
		}
		for len(names) > 0 {
			n := min(query.MaxMeasures, len(names))
			check(t, s, runs, &query.Request{From: query.Ago(48 * time.Hour), Measures: names[:n], GroupBy: []string{"cdn"}}, noon)
			names = names[n:]
		}
	})
	t.Run("every dimension", func(t *testing.T) {
		for _, d := range query.Dimensions() {
			check(t, s, runs, &query.Request{From: query.Ago(48 * time.Hour), GroupBy: []string{d.Name}, Limit: 20,
				OrderBy: &query.Order{Measure: d.Name, Desc: true}}, noon)
		}
	})
	t.Run("a dimension named like a measure", func(t *testing.T) {
		for _, step := range []time.Duration{0, 24 * time.Hour} {
			check(t, s, runs, &query.Request{From: query.Ago(48 * time.Hour), Step: query.Duration(step), Measures: []string{"good"},
				GroupBy: []string{"good", "cdn", "app"}, OrderBy: &query.Order{Measure: "good", Desc: true}, Limit: 1}, noon)
		}
	})
	t.Run("latest bad runs", func(t *testing.T) {
		check(t, s, runs, &query.Request{From: query.Ago(24 * time.Hour), GroupBy: []string{"run_id", "started_at", "country", "cdn", "error_type"},
			Where:    []query.Cond{{Dim: "good", Op: query.Eq, Values: []string{"false"}}},
			Measures: []string{"ttff_ms_avg", "duration_ms_avg"},
			OrderBy:  &query.Order{Measure: "started_at", Desc: true}, Limit: 50}, noon)
	})
	t.Run("one run by id and start", func(t *testing.T) {
		r := runs[17]
		check(t, s, runs, &query.Request{From: query.Ago(96 * time.Hour), Where: []query.Cond{
			{Dim: "run_id", Op: query.Eq, Values: []string{r.RunID}},
			{Dim: "started_at", Op: query.In, Values: []string{r.StartedAt.Format(time.RFC3339Nano)}},
			{Dim: "source", Op: query.Exists}}}, noon)
	})
	t.Run("random", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) { check(t, s, runs, request(t, query.Dimensions(), unpaired), noon) })
	})
}

// levels compares what is measured against objectives and expectations, over
// runs that come as a plan says.
func levels(t *testing.T, open Open) {
	s, _ := open(t)
	runs := Fleet(12, noon, 70*time.Hour)
	appended(t, s, runs, store.Location{})
	measures := slices.DeleteFunc(query.Measures(), func(m query.Measure) bool {
		return m.Agg != query.AggCoverage && m.Agg != query.AggBudgetLeft && m.Agg != query.AggSilent && m.Agg != query.AggExpiresIn && m.Agg != query.AggGood
	})
	rapid.Check(t, func(t *rapid.T) { check(t, s, runs, request(t, query.Dimensions(), measures), noon) })
}

// request draws a request over the runs of queries.
func request(t *rapid.T, dims []query.Dimension, measures []query.Measure) *query.Request {
	r := &query.Request{
		From: query.Ago(time.Duration(rapid.IntRange(1, 60*3600).Draw(t, "from")) * time.Second),
		Step: query.Duration(rapid.SampledFrom([]time.Duration{0, 0, 17 * time.Minute, time.Hour, 24 * time.Hour}).Draw(t, "step")),
	}
	columns := []string{"runs"}
	if r.Step > 0 {
		columns = append(columns, query.TimeColumn)
	}
	for range rapid.IntRange(0, 4).Draw(t, "measures") {
		name := rapid.SampledFrom(measures).Draw(t, "measure").Name
		r.Measures, columns = append(r.Measures, name), append(columns, name)
	}
	if slices.Contains(r.Measures, "coverage") {
		dims = slices.DeleteFunc(dims, func(d query.Dimension) bool { return !slices.Contains(query.Planned, d.Name) })
	}
	for range rapid.IntRange(0, 3).Draw(t, "dims") {
		name := rapid.SampledFrom(dims).Draw(t, "dim").Name
		r.GroupBy, columns = append(r.GroupBy, name), append(columns, name)
	}
	for range rapid.IntRange(0, 3).Draw(t, "conds") {
		r.Where = append(r.Where, cond(t, rapid.SampledFrom(dims).Draw(t, "where")))
	}
	if rapid.Bool().Draw(t, "compared") {
		r.Compare = query.Offset(rapid.SampledFrom([]time.Duration{time.Hour, 7 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}).Draw(t, "compare"))
		for _, name := range append([]string{"runs"}, r.Measures...) {
			columns = append(columns, name+query.BeforeSuffix)
		}
	}
	r.Exemplars = rapid.IntRange(0, query.MaxExemplar).Draw(t, "exemplars")
	if rapid.Bool().Draw(t, "ordered") {
		r.OrderBy = &query.Order{Measure: rapid.SampledFrom(columns).Draw(t, "order"), Desc: rapid.Bool().Draw(t, "desc")}
	}
	if rapid.Bool().Draw(t, "limited") {
		r.Limit = rapid.IntRange(1, 8).Draw(t, "limit")
	}
	return r
}

func cond(t *rapid.T, d query.Dimension) query.Cond {
	c := query.Cond{Dim: d.Name, Op: rapid.SampledFrom(query.Ops).Draw(t, "op")}
	one := func() string {
		switch d.Type {
		case run.Bool:
			return rapid.SampledFrom([]string{"true", "false"}).Draw(t, "bool")
		case run.Int:
			return fmt.Sprint(rapid.IntRange(-3, 20).Draw(t, "int"))
		case run.Time:
			return noon.Add(-time.Duration(rapid.IntRange(0, 1e6).Draw(t, "ago"))).Format(time.RFC3339Nano)
		}
		list := lists[d.Name]
		if list == nil {
			list = texts
		}
		return rapid.SampledFrom(list).Draw(t, "text")
	}
	switch {
	case c.Op == query.Exists:
		c.Values = []string{rapid.SampledFrom([]string{"true", "false"}).Draw(t, "exists")}
	case c.Op == query.Match || c.Op == query.NotMatch:
		if d.Type == run.Time {
			c.Op = query.Exists
			break
		}
		c.Values = []string{rapid.SampledFrom([]string{".*", "a|b", "[A-Z]{2}", "(?i)a", "1.*", "fl.*|true", "line.break", "S.o P.*", ""}).Draw(t, "pattern")}
	case c.Op == query.In || c.Op == query.NotIn:
		for range rapid.IntRange(1, 3).Draw(t, "values") {
			c.Values = append(c.Values, one())
		}
	default:
		c.Values = []string{one()}
	}
	return c
}

func sources(t *testing.T, open Open) {
	s, _ := open(t)
	runs := Runs(8, 90, noon, time.Hour)
	fleet := 0
	for i, r := range runs {
		r.Source = []string{run.SourceFleet, run.SourceAdhoc, run.SourceControl}[i%3]
		if i%3 == 0 {
			fleet++
		}
	}
	appended(t, s, runs, store.Location{})
	a, err := s.Query(t.Context(), &query.Request{From: query.Ago(time.Hour), GroupBy: []string{"source"}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]any{{"fleet", int64(fleet)}}, a.Rows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := count(t, s, noon); got != 90 {
		t.Errorf("all sources: %d runs, want 90", got)
	}
	newest := time.Time{}
	for _, r := range runs {
		if r.ReceivedAt != nil && r.ReceivedAt.After(newest) {
			newest = *r.ReceivedAt
		}
	}
	if a.Meta.CompleteUntil == nil || !a.Meta.CompleteUntil.Equal(newest) {
		t.Errorf("complete until %v, want %v", a.Meta.CompleteUntil, newest)
	}
}

// exemplars are the failed runs, newest first, then the slowest.
func exemplars(t *testing.T, open Open) {
	s, _ := open(t)
	runs := Runs(13, 5, noon, time.Hour)
	slices.SortFunc(runs, func(a, b *run.Run) int { return a.StartedAt.Compare(b.StartedAt) })
	slow, quick := 2500.0, 300.0
	for i, r := range runs {
		r.Source, r.CDN, r.OK, r.TTFFMs = run.SourceFleet, "a", i%2 == 0, &quick
	}
	runs[2].TTFFMs, runs[4].TTFFMs = &slow, nil
	appended(t, s, runs, store.Location{})
	a, err := s.Query(t.Context(), &query.Request{From: query.Ago(time.Hour), To: query.At(noon.Add(time.Hour)), Step: query.Duration(time.Hour),
		GroupBy: []string{"cdn"}, Exemplars: 4}, noon)
	if err != nil {
		t.Fatal(err)
	}
	id := func(i int) string { return runs[i].RunID }
	want := [][]any{{noon.Add(-time.Hour), "a", int64(5), []string{id(3), id(1), id(2), id(0)}}, {noon, "a", int64(0), nil}}
	if diff := cmp.Diff(want, a.Rows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if last := a.Columns[len(a.Columns)-1]; last != (query.Column{Name: "exemplars", Kind: query.KindExemplars}) {
		t.Errorf("last column %+v", last)
	}
}

// ends are told as times, and as numbers from the end of the bucket.
func ends(t *testing.T, open Open) {
	s, _ := open(t)
	at := func(d time.Duration) *time.Time { t := noon.Add(d); return &t }
	long := noon.AddDate(-500, 0, 0)
	runs := Runs(14, 5, noon, time.Hour)
	for i, end := range []*time.Time{at(48 * time.Hour), at(24 * time.Hour), nil, at(-time.Minute), &long} {
		r := runs[i]
		r.StartedAt = noon.Add(-time.Duration(90-10*i) * time.Minute)
		r.RunID = run.NewID(r.StartedAt)
		r.Source, r.CDN, r.TLSExpiresAt = run.SourceFleet, []string{"a", "a", "b", "c", "d"}[i], end
	}
	appended(t, s, runs, store.Location{})
	a, err := s.Query(t.Context(), &query.Request{From: query.Ago(2 * time.Hour), To: query.At(noon.Add(-30 * time.Minute)), GroupBy: []string{"cdn"},
		Measures: []string{"last_seen", "silent_ms", "tls_expires_at_min", "tls_expires_in_ms"}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	const minute = 60_000.0
	ancient := time.Date(1678, 1, 1, 0, 0, 0, 0, time.UTC) // the first that can be stored
	want := [][]any{
		{"a", int64(2), *at(-80 * time.Minute), 50 * minute, *at(24 * time.Hour), (24*60 + 30) * minute},
		{"b", int64(1), *at(-70 * time.Minute), 40 * minute, nil, nil},
		{"c", int64(1), *at(-60 * time.Minute), 30 * minute, *at(-time.Minute), 29 * minute},
		{"d", int64(1), *at(-50 * time.Minute), 20 * minute, ancient, float64(ancient.Unix()-noon.Unix()+30*60) * 1000},
	}
	if diff := cmp.Diff(want, a.Rows, approximately); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func limits(t *testing.T, open Open) {
	s, _ := open(t)
	runs := Runs(9, 100, noon, 3*time.Hour)
	appended(t, s, runs, store.Location{})
	for _, step := range []time.Duration{0, time.Hour} {
		for limit := 1; limit <= 6; limit++ {
			check(t, s, runs, &query.Request{From: query.Ago(3 * time.Hour), Step: query.Duration(step),
				GroupBy: []string{"country"}, Limit: limit}, noon)
		}
	}
}

func values(t *testing.T, open Open) {
	s, _ := open(t)
	runs := Runs(10, 60, noon, time.Hour)
	for i, r := range runs {
		r.City = []string{"Berlin", "Bern", "Bern", "Rio", "", "B%"}[i%6]
	}
	appended(t, s, runs, store.Location{})
	ask := func(dim, prefix string, limit int) []store.Value {
		vs, err := s.Values(t.Context(), dim, noon.Add(-time.Hour), noon, prefix, limit)
		if err != nil {
			t.Fatalf("Values(%s): %v", dim, err)
		}
		return vs
	}
	want := []store.Value{{Value: "Bern", Runs: 20}, {Value: "B%", Runs: 10}, {Value: "Berlin", Runs: 10}}
	if diff := cmp.Diff(want, ask("city", "B", 0)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[:1], ask("city", "", 1)); diff != "" {
		t.Errorf("limit 1 (-want +got):\n%s", diff)
	}
	for _, d := range query.Dimensions() {
		for _, v := range ask(d.Name, "", 3) {
			if v.Runs < 1 || v.Value == "" {
				t.Errorf("%s: %+v", d.Name, v)
			}
		}
	}
	if _, err := s.Values(t.Context(), "contry", noon, noon, "", 0); err == nil || !strings.Contains(err.Error(), "contry") {
		t.Errorf("unknown dimension: %v", err)
	}
}

func retention(t *testing.T, open Open) {
	s, reopen := open(t)
	var runs []*run.Run
	for day := range 3 {
		runs = append(runs, Runs(uint64(day), 20, noon.AddDate(0, 0, -day), time.Hour)...)
	}
	appended(t, s, runs, store.Location{Segment: 5})
	s = reopen() // so that all is written to its final place
	before := stats(t, s)
	// The day before yesterday ends here; yesterday does not.
	if err := s.Retain(t.Context(), noon.AddDate(0, 0, -1)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		st := stats(t, s)
		if want := noon.Truncate(24*time.Hour).AddDate(0, 0, -1); st.Days != 2 || st.Runs != 40 || !st.Oldest.Equal(want) || st.Bytes >= before.Bytes {
			t.Errorf("stats %+v after %+v, want 2 days, 40 runs, oldest %s, fewer bytes", st, before, want)
		}
		if got := count(t, s, noon); got != 40 {
			t.Errorf("%d runs counted, want 40", got)
		}
		s = reopen()
	}
	// A run of a day that went is stored again, as any other.
	if got := appended(t, s, runs[40:], store.Location{}); got != 20 {
		t.Errorf("%d added to the removed day, want 20", got)
	}
}

func concurrent(t *testing.T, open Open) {
	const batches, size = 12, 20
	s, _ := open(t)
	runs := Runs(11, batches*size, noon, 30*time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	everything := &query.Request{From: query.Ago(48 * time.Hour), Where: []query.Cond{{Dim: "source", Op: query.Exists}}}
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for last := int64(0); ctx.Err() == nil; {
				a, err := s.Query(ctx, everything, noon)
				if err != nil {
					if ctx.Err() == nil {
						t.Errorf("Query: %v", err)
					}
					return
				}
				got := a.Rows[0][0].(int64)
				if got < last {
					t.Errorf("%d runs after %d", got, last)
					return
				}
				last = got
			}
		})
	}
	for i := range batches {
		appended(t, s, runs[i*size:(i+1)*size], store.Location{})
	}
	cancel()
	readers.Wait()
	if got := count(t, s, noon); got != batches*size {
		t.Errorf("%d runs in the end, want %d", got, batches*size)
	}
}
