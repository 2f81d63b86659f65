package model

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firstframe/firstframe/collector/query"
)

// emitted is where the models are that the editors made in a browser.
const emitted = "../../testdata/emitted"

// TestEmitted reads what the query editor emits: the question to the collector
// is the one that was clicked and typed.
func TestEmitted(t *testing.T) {
	in := func(dim string, values ...string) query.Cond {
		return query.Cond{Dim: dim, Op: query.In, Values: values}
	}
	wants := map[string]query.Request{
		"series": {
			Measures: []string{"ttff_ms_p95"}, GroupBy: []string{"cdn"}, Where: []query.Cond{in("country", "DE", "$country")},
			Step: query.Duration(5 * time.Minute), OrderBy: &query.Order{Measure: "ttff_ms_p95"}, Limit: 5,
			Compare: query.Offset(7 * 24 * time.Hour), PairBy: "cdn", Exemplars: 2,
		},
		"table": {
			Measures: []string{"sli", "runs"}, GroupBy: []string{"country", "app_version"},
			Where: []query.Cond{
				{Dim: "app_version", Op: query.Match, Values: []string{`4\.1\..*`}},
				{Dim: "pop", Op: query.Exists, Values: []string{"false"}},
				{Dim: "cdn", Op: query.NotIn, Values: []string{"b"}},
				{Dim: "target", Op: query.NotMatch, Values: []string{"test-.*"}},
			},
		},
		"keyboard": {
			Measures: []string{"sli"}, GroupBy: []string{"country"}, Where: []query.Cond{in("cdn", "a")},
			Step: query.Duration(10 * time.Second), Limit: 7,
		},
		"whole": {Measures: []string{"bad"}, GroupBy: []string{}, Where: []query.Cond{}},
		"asked": { // by the data source, with variables and an ad hoc filter
			Measures: []string{"sli", "runs"}, GroupBy: []string{"country"},
			Where: []query.Cond{in("country", "DE", "BR", "DE"), {Dim: "app", Op: query.Ne, Values: []string{"tv"}}},
		},
	}
	for name, want := range wants {
		t.Run(name, func(t *testing.T) {
			q := parseFile(t, name)
			want.From, want.To = query.At(hour.From), query.At(hour.To)
			got, err := q.Request(hour)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(&want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if name == "series" && q.Legend != "{{cdn}}" {
				t.Errorf("legend %q", q.Legend)
			}
		})
	}
	if q := parseFile(t, "trace"); q.QueryType != Trace || q.RunID != "019aaf3c6a00f00dcafe5eed00000001" {
		t.Errorf("%s of run %q", q.QueryType, q.RunID)
	}
	other := map[string]bool{"trace": true, "variable": true, "config": true} // read above, by the page, and by package client
	files, err := filepath.Glob(emitted + "/*.json")
	if err != nil || len(files) != len(wants)+len(other) {
		t.Errorf("%d files, want %d: %v", len(files), len(wants)+len(other), err)
	}
}

func parseFile(t *testing.T, name string) *Query {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(emitted, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(text, &keys); err != nil {
		t.Fatal(err)
	}
	if len(keys) < 3 {
		t.Errorf("%s has only %d keys", name, len(keys))
	}
	q, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return q
}
