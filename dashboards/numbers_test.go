package dashboards_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// pick is the row of a table in which the dimensions have the given values, as
// the values of the fields that are named.
func pick(t *testing.T, frames data.Frames, where map[string]string, fields ...string) []any {
	t.Helper()
	frame := frames[0]
next:
	for i := range frame.Rows() {
		for name, want := range where {
			f, _ := frame.FieldByName(name)
			if f == nil {
				t.Fatalf("no field %s", name)
			}
			if v, _ := f.ConcreteAt(i); fmt.Sprint(v) != want {
				continue next
			}
		}
		row := make([]any, len(fields))
		for n, name := range fields {
			f, _ := frame.FieldByName(name)
			if f == nil {
				t.Fatalf("no field %s", name)
			}
			if v, ok := f.ConcreteAt(i); ok {
				row[n] = v
			}
		}
		return row
	}
	t.Fatalf("no row with %v", where)
	return nil
}

// find is a panel by the names of its page and its own.
func find(t *testing.T, uid, title string) (*dashboard, *panel) {
	t.Helper()
	for _, d := range load(t) {
		for i := range d.Panels {
			if d.UID == uid && d.Panels[i].Title == title {
				return &d, &d.Panels[i]
			}
		}
	}
	t.Fatalf("no panel %q in %s", title, uid)
	return nil, nil
}

// testNumbers compares what panels show with what was put into the worlds.
func testNumbers(t *testing.T, bad, slower page) {
	slice := map[string]string{"country": "BR", "cdn": "cdn-b"}
	for _, c := range []struct {
		name       string
		page       page
		uid, panel string
		set        values
		row        map[string]string
		fields     []string
		want       []any
	}{
		// Of the 59 rounds of the last hour, with 4 agents and 2 versions, the last 20 are bad.
		{"the worst is first", bad, "firstframe-now", "Country × CDN", nil, nil, []string{"country", "cdn", "sli", "runs"},
			[]any{"BR", "cdn-b", 1 - 160.0/472, 472.0}},
		{"others are good", bad, "firstframe-now", "Country × CDN", nil, map[string]string{"country": "BR", "cdn": "cdn-a"}, []string{"sli", "runs"}, []any{1.0, 472.0}},
		{"worst slice", bad, "firstframe-now", "Worst slices", nil, nil, []string{"country", "cdn", "app_version", "bad", "agents", "run_1"},
			[]any{"BR", "cdn-b", "4.1.3", 80.0, 4.0, nil}},
		{"the map", bad, "firstframe-now", "SLI by country", nil, map[string]string{"country": "BR"}, []string{"sli", "bad", "agents"}, []any{1 - 160.0/1416, 160.0, 4.0}},
		{"served from abroad", bad, "firstframe-country", "Where the edges are", values{"country": {"BR"}}, map[string]string{"pop": "MIA"},
			[]string{"pop_country", "runs", "sli", "connect_ms_p50", "segment_ttfb_ms_p50"}, []any{"US", 160.0, 0.0, 120.0, 2400.0}},
		// 5 rounds more, one an hour, in the 6 hours of these pages.
		{"CDN against the others", bad, "firstframe-cdn", "Country × CDN, run against run", nil, slice, []string{"bad_paired_diff", "pairs"}, []any{160.0 / 512, 512.0}},
		{"budget", bad, "firstframe-slo", "Burning in the last hour", nil, slice, []string{"burn_rate", "bad"}, []any{160.0 / 472 / 0.001, 160.0}},
		{"new against old", slower, "firstframe-versions", "New against old, run against run", nil, map[string]string{"app_version": "4.2.0"},
			[]string{"ttff_ms_paired_diff", "ttff_ms_paired_diff_low", "ttff_ms_paired_diff_high", "bad_paired_diff"}, []any{300.0, 300.0, 300.0, 0.0}},
		{"a failed run has no first frame", bad, "firstframe-run", "How it ended", values{"run_id": {broken().RunID}}, nil,
			[]string{"ok", "error_type", "error_step", "ttff_ms_avg", "threshold_ms_avg"}, []any{"false", "http_5xx", "segment", nil, 2000.0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, p := find(t, c.uid, c.panel)
			got := pick(t, c.page.ask(t, d, p, c.set), c.row, c.fields...)
			if c.name == "worst slice" {
				if id, _ := got[5].(string); len(id) != 32 {
					t.Errorf("run %q", id)
				}
				got[5] = nil
			}
			if d := cmp.Diff(c.want, got, cmpopts.EquateApprox(1e-9, 1e-9)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// testNothing asks for a time without runs, and for a run that is not named:
// no panel may show a number then.
func testNothing(t *testing.T, p page) {
	for _, d := range load(t) {
		for i := range d.Panels {
			panel := &d.Panels[i]
			if panel.Type == "row" {
				continue
			}
			set := values{"run_id": {}}
			if d.UID == "firstframe-country" {
				set["country"] = []string{"BR"}
			}
			if panel.Type == "traces" {
				set["run_id"] = []string{""}
				if r := p.answer(t, &d, panel, set); r.Error == nil || r.Status != 400 {
					t.Errorf("%s, %s: status %d, %v", d.Title, panel.Title, r.Status, r.Error)
				}
				continue
			}
			for _, frame := range p.ask(t, &d, panel, set) {
				for _, f := range frame.Fields {
					counts := f.Name == "runs" || f.Name == "bad" || f.Name == "agents" // of nothing there are none
					for n := range f.Len() {
						if v, ok := f.ConcreteAt(n); ok && f.Name != "time" && !(counts && v == 0.0) {
							t.Errorf("%s, %s: %s is %v", d.Title, panel.Title, f.Name, v)
						}
					}
				}
			}
		}
	}
}
