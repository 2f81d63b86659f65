// Package storetest is the one suite that every engine of package store passes.
// What an engine answers is compared with a plain evaluation of the same
// request over the same runs, written as simply as can be.
package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/probes/run"
)

// Open makes a new, empty store; reopen closes it and opens it again with what
// it holds. It is closed when the test ends.
type Open func(t *testing.T) (s store.Store, reopen func() store.Store)

// Run runs the suite, each part with a store of its own beside the others.
func Run(t *testing.T, open Open) {
	for _, part := range []struct {
		name string
		test func(*testing.T, Open)
	}{
		{"round trip", roundTrip},
		{"a run sent twice counts once", twice},
		{"position and orphans", position},
		{"invalid runs store nothing", invalid},
		{"nothing stored", nothing},
		{"queries", queries},
		{"coverage", coverage},
		{"exemplars", exemplars},
		{"last seen and certificates", ends},
		{"levels", levels},
		{"pairs", paired},
		{"only the fleet unless asked", sources},
		{"limit", limits},
		{"values", values},
		{"retention", retention},
		{"cancelled", cancelled},
		{"closed", closed},
		{"reads beside writes", concurrent},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			part.test(t, open)
		})
	}
}

// noon is a day's middle, from which the runs of these tests are made.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func appended(t *testing.T, s store.Store, runs []*run.Run, next store.Location) int {
	t.Helper()
	rows := make([]store.Row, len(runs))
	for i, r := range runs {
		rows[i] = store.Row{Run: r, At: store.Location{Segment: 7, Offset: int64(i)}}
	}
	added, err := s.Append(t.Context(), rows, nil, next)
	if err != nil {
		t.Fatalf("Append: %v", err)
	}
	return added
}

func roundTrip(t *testing.T, open Open) {
	s, reopen := open(t)
	runs := Runs(1, 80, noon, 30*time.Hour)
	appended(t, s, runs, store.Location{})
	for range 2 {
		for i, want := range runs {
			got, at, err := s.Run(t.Context(), want.RunID)
			if err != nil {
				t.Fatalf("Run(%s): %v", want.RunID, err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("run %d (-stored +read):\n%s", i, diff)
			}
			if want := []store.Location{{Segment: 7, Offset: int64(i)}}; !slices.Equal(at, want) {
				t.Fatalf("run %d lies at %v, want %v", i, at, want)
			}
		}
		s = reopen()
	}
}

func twice(t *testing.T, open Open) {
	s, reopen := open(t)
	runs := Runs(2, 100, noon, 40*time.Hour)
	if got := appended(t, s, append(runs[:50:50], runs[:10]...), store.Location{}); got != 50 {
		t.Errorf("twice in one batch: %d added, want 50", got)
	}
	if got := appended(t, s, runs, store.Location{}); got != 50 {
		t.Errorf("half of them known: %d added, want 50", got)
	}
	s = reopen()
	if got := appended(t, s, runs, store.Location{}); got != 0 {
		t.Errorf("all known, after reopening: %d added, want 0", got)
	}
	if st := stats(t, s); st.Runs != 100 || st.Bytes == 0 {
		t.Errorf("stats %+v, want 100 runs and some bytes", st)
	}
}

func stats(t *testing.T, s store.Store) store.Stats {
	t.Helper()
	st, err := s.Stats(t.Context())
	if err != nil {
		t.Fatalf("Stats: %v", err)
	}
	return st
}

func position(t *testing.T, open Open) {
	s, reopen := open(t)
	r := Runs(3, 1, noon, time.Hour)[0]
	orphans := []store.OrphanSpans{
		{TraceID: r.RunID, At: store.Location{Segment: 8, Offset: 40}},
		{TraceID: r.RunID, At: store.Location{Segment: 8, Offset: 9}},
		{TraceID: run.NewID(noon), At: store.Location{Segment: 9}},
	}
	next := store.Location{Segment: 1 << 63, Offset: 1 << 40}
	if _, err := s.Append(t.Context(), []store.Row{{Run: r, At: store.Location{Segment: 8, Offset: 20}}}, orphans, next); err != nil {
		t.Fatal(err)
	}
	s = reopen()
	if got, err := s.Position(t.Context()); err != nil || got != next {
		t.Errorf("position %v (%v), want %v", got, err, next)
	}
	_, at, err := s.Run(t.Context(), r.RunID)
	want := []store.Location{{Segment: 8, Offset: 20}, {Segment: 8, Offset: 9}, {Segment: 8, Offset: 40}}
	if err != nil || !slices.Equal(at, want) {
		t.Errorf("spans lie at %v (%v), want %v", at, err, want)
	}
}

func invalid(t *testing.T, open Open) {
	s, _ := open(t)
	for name, spoil := range map[string]func(*run.Run){
		"id":                  func(r *run.Run) { r.RunID = "x'; DROP TABLE runs; --" },
		"start beside the id": func(r *run.Run) { r.StartedAt = r.StartedAt.Add(time.Hour) },
		"year":                func(r *run.Run) { r.StartedAt = store.Latest; r.RunID = run.NewID(store.Latest) },
	} {
		runs := Runs(4, 2, noon, time.Hour)
		spoil(runs[1])
		_, err := s.Append(t.Context(), []store.Row{{Run: runs[0]}, {Run: runs[1]}}, nil, store.Location{Segment: 1})
		if !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: error %v, want ErrInvalid", name, err)
		}
	}
	if st := stats(t, s); st.Runs != 0 {
		t.Errorf("%d runs stored, want none", st.Runs)
	}
	if at, err := s.Position(t.Context()); err != nil || at != (store.Location{}) {
		t.Errorf("position %v (%v) moved", at, err)
	}
}

func nothing(t *testing.T, open Open) {
	s, _ := open(t)
	for _, id := range []string{run.NewID(noon), "", "' OR 1=1 --"} {
		if _, _, err := s.Run(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Run(%q): %v, want ErrNotFound", id, err)
		}
	}
	a, err := s.Query(t.Context(), &query.Request{From: query.Ago(time.Hour), Measures: []string{"sli", "good"}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]any{{int64(0), nil, nil}}, a.Rows); diff != "" {
		t.Errorf("an empty bucket is there and null (-want +got):\n%s", diff)
	}
	if a.Meta.CompleteUntil != nil {
		t.Errorf("complete until %v, want null", a.Meta.CompleteUntil)
	}
	_, err = s.Query(t.Context(), &query.Request{From: query.Ago(time.Hour), Measures: []string{"nope"}}, noon)
	if qe := (*query.Error)(nil); !errors.As(err, &qe) || qe.Code != query.CodeMeasure {
		t.Errorf("unknown measure: %v", err)
	}
	if st := stats(t, s); st.Runs != 0 || st.Days != 0 {
		t.Errorf("stats of an empty store: %+v", st)
	}
}

func cancelled(t *testing.T, open Open) {
	s, _ := open(t)
	runs := Runs(6, 10, noon, time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Append(ctx, []store.Row{{Run: runs[0]}}, nil, store.Location{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Append: %v, want Canceled", err)
	}
	appended(t, s, runs, store.Location{})
	if _, err := s.Query(ctx, &query.Request{From: query.Ago(time.Hour)}, noon); !errors.Is(err, context.Canceled) {
		t.Errorf("Query: %v, want Canceled", err)
	}
	if got := count(t, s, noon.Add(48*time.Hour)); got != int64(len(runs)) {
		t.Errorf("%d runs afterwards, want %d", got, len(runs))
	}
}

// count are the runs of all sources in the 4 days before now.
func count(t *testing.T, s store.Store, now time.Time) int64 {
	t.Helper()
	a, err := s.Query(t.Context(), &query.Request{From: query.Ago(96 * time.Hour),
		Where: []query.Cond{{Dim: "source", Op: query.Match, Values: []string{".*"}}}}, now)
	if err != nil {
		t.Fatalf("Query: %v", err)
	}
	return a.Rows[0][0].(int64)
}

func closed(t *testing.T, open Open) {
	s, _ := open(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := s.Stats(t.Context()); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Stats: %v, want ErrClosed", err)
	}
	if _, err := s.Append(t.Context(), nil, nil, store.Location{}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Append: %v, want ErrClosed", err)
	}
}
