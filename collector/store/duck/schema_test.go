package duck_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // to change a file behind the store's back
	"github.com/google/go-cmp/cmp"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/collector/store/duck"
	"github.com/firstframe/firstframe/collector/store/storetest"
)

// TestSchemaGrows opens a file that lacks columns, has one too many, and has
// them in another order than the table of fields.
func TestSchemaGrows(t *testing.T) {
	cfg := duck.Config{Dir: t.TempDir()}
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	runs := storetest.Runs(1, 2, noon, time.Hour)
	runs[0].POPCity, runs[1].City, runs[1].POPCity = "Lost", "Rio", "Rio"
	s := open(t, cfg)
	if _, err := s.Append(t.Context(), []store.Row{{Run: runs[0]}}, nil, store.Location{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	change(t, cfg, "ALTER TABLE runs DROP COLUMN city; ALTER TABLE runs DROP COLUMN pop_city; ALTER TABLE runs DROP COLUMN good; ALTER TABLE runs ADD COLUMN future VARCHAR")

	s = open(t, cfg)
	if _, err := s.Append(t.Context(), []store.Row{{Run: runs[1]}}, nil, store.Location{}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "Rio"} {
		r, _, err := s.Run(t.Context(), runs[i].RunID)
		if err != nil || r.City != want || r.POPCity != want || r.Agent != runs[i].Agent || r.DurationMs != runs[i].DurationMs {
			t.Errorf("run %d: city %q, of the POP %q (%v), want %q and the other fields as they were", i, r.City, r.POPCity, err, want)
		}
	}
	got, err := s.Query(t.Context(), &query.Request{From: query.Ago(48 * time.Hour), GroupBy: []string{"pop_city"}, OrderBy: &query.Order{Measure: "pop_city"}}, noon.Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]any{{"Rio", int64(1)}, {nil, int64(1)}}, got.Rows); diff != "" {
		t.Errorf("runs by the city of the POP (-want +got):\n%s", diff)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	change(t, cfg, "ALTER TABLE runs ALTER COLUMN asn TYPE VARCHAR")
	if s, err := duck.Open(t.Context(), cfg); err == nil {
		s.Close()
		t.Error("a column of another type was taken")
	}
}

func change(t *testing.T, cfg duck.Config, text string) {
	t.Helper()
	db, err := sql.Open("duckdb", filepath.Join(cfg.Dir, "2026-11-23.duckdb"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), text); err != nil {
		t.Fatal(err)
	}
}

// TestTooExpensive gives a query no time: that is the asker's to mend, unlike
// the asker's own deadline.
func TestTooExpensive(t *testing.T) {
	cfg := duck.Config{Dir: t.TempDir(), QueryTimeout: time.Nanosecond}
	s := open(t, cfg)
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	rows := []store.Row{{Run: storetest.Runs(1, 1, noon, time.Hour)[0]}}
	if _, err := s.Append(t.Context(), rows, nil, store.Location{}); err != nil {
		t.Fatal(err)
	}
	r := &query.Request{From: query.Ago(time.Hour)}
	_, err := s.Query(t.Context(), r, noon)
	if e := (*query.Error)(nil); !errors.As(err, &e) || e.Code != query.CodeCost {
		t.Errorf("no time: %v, want %s", err, query.CodeCost)
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	if _, err := s.Query(ctx, r, noon); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the asker's deadline: %v", err)
	}
}
