package query

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBudget(t *testing.T) {
	const day = 24 * time.Hour
	for name, test := range map[string]struct {
		bad, runs  int64
		elapsed    time.Duration
		burn, left any
	}{
		"no runs":                        {0, 0, day, nil, nil},
		"all good":                       {0, 50, Period, 0.0, 1.0},
		"as the objective allows":        {1, 1000, Period, 1.0, 0.0},
		"half the period, twice as fast": {2, 1000, Period / 2, 2.0, 0.0},
		"overspent":                      {3, 1000, Period, 3.0, -2.0},
		"two periods have their own":     {1, 1000, 2 * Period, 1.0, 0.0},
		"all bad for 40 minutes":         {40, 40, 40 * time.Minute, 1000.0, 1 - 1000.0*40/40320},

		// The alerts of SRE Workbook, chapter 5, for 28 days: what they let go.
		"2% in 1 h":  {1344, 100_000, time.Hour, 13.44, 0.98},
		"5% in 6 h":  {56, 10_000, 6 * time.Hour, 5.6, 0.95},
		"10% in 1 d": {28, 10_000, day, 2.8, 0.9},
		"10% in 3 d": {28, 30_000, 3 * day, 2.8 / 3, 0.9},
	} {
		t.Run(name, func(t *testing.T) {
			closeTo(t, "burn rate", BurnRate(test.bad, test.runs), test.burn)
			closeTo(t, "budget left", BudgetLeft(test.bad, test.runs, test.elapsed), test.left)
		})
	}
}

func closeTo(t *testing.T, what string, got, want any) {
	t.Helper()
	g, isNumber := got.(float64)
	w, wanted := want.(float64)
	if isNumber != wanted || math.Abs(g-w) > 1e-9 {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestCovered(t *testing.T) {
	for name, test := range map[string]struct {
		received int64
		expected float64
		want     any
	}{
		"all":                        {60, 60, 1.0},
		"half":                       {30, 60, 0.5},
		"none":                       {0, 60, 0.0},
		"one more, by the cut":       {61, 60, 1.0},
		"nothing expected":           {0, 0, nil},
		"too little to tell":         {1, 0.5, nil},
		"one, but for the rounding":  {1, 1 - 1e-12, 1.0},
		"none of one, but as before": {0, 1 - 1e-12, 0.0},
	} {
		closeTo(t, name, Covered(test.received, test.expected), test.want)
	}
}

func TestCompareAndExemplars(t *testing.T) {
	const text = `{"from":"2026-11-23T10:00:00Z","to":"2026-11-23T12:00:00Z","step":"1h","measures":["sli","last_seen"],
		"group_by":["cdn"],"compare":"-7d","exemplars":2,"order_by":{"measure":"sli_before"}}`
	r, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	q, err := r.Resolve(now)
	if err != nil {
		t.Fatal(err)
	}
	want := []Column{{"time", KindTime, ""}, {"cdn", KindDimension, ""},
		{"runs", KindMeasure, ""}, {"sli", KindMeasure, "ratio"}, {"last_seen", KindTime, ""},
		{"runs_before", KindMeasure, ""}, {"sli_before", KindMeasure, "ratio"}, {"last_seen_before", KindTime, ""},
		{"exemplars", KindExemplars, ""}}
	if diff := cmp.Diff(want, q.Columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	if q.Columns[q.OrderBy].Name != "sli_before" {
		t.Errorf("ordered by %s", q.Columns[q.OrderBy].Name)
	}
	week := 7 * 24 * time.Hour
	spans := []Span{{From: q.From, To: q.To}, {From: q.From.Add(-week), To: q.To.Add(-week), Shift: week}}
	if diff := cmp.Diff(spans, q.Spans()); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	a := &Answer{Columns: q.Columns, Rows: q.Fill([][]any{
		{q.Start, "a", int64(2), 0.5, now, int64(4), 1.0, now.Add(-week), []string{"01", "02"}}})}
	if diff := cmp.Diff([]any{q.Start.Add(time.Hour), "a", int64(0), nil, nil, int64(0), nil, nil, nil}, a.Rows[1]); diff != "" {
		t.Errorf("empty bucket (-want +got):\n%s", diff)
	}
	var csv strings.Builder
	if err := WriteCSV(&csv, a); err != nil || !strings.Contains(csv.String(), ",2026-11-16T12:34:56Z,01 02\n") {
		t.Errorf("CSV %s (%v)", csv.String(), err)
	}
	row, err := json.Marshal(a.Rows)
	if wantRows := `[["2026-11-23T10:00:00Z","a",2,0.5,"2026-11-23T12:34:56Z",4,1,"2026-11-16T12:34:56Z",["01","02"]],` +
		`["2026-11-23T11:00:00Z","a",0,null,null,0,null,null,null]]`; err != nil || string(row) != wantRows {
		t.Errorf("JSON %s (%v)\nwant %s", row, err, wantRows)
	}
}

func TestCompareReachesNoFurtherThanRunsCan(t *testing.T) {
	r := Request{From: At(time.Unix(3600, 0)), To: At(time.Unix(7200, 0)), Compare: Offset(2 * time.Hour)}
	if _, err := r.Resolve(now); err == nil || !strings.Contains(err.Error(), "compare") {
		t.Errorf("%v, want an error about compare", err)
	}
}

func TestOffset(t *testing.T) {
	for text, want := range map[string]time.Duration{"-7d": 7 * 24 * time.Hour, "-1h30m": 90 * time.Minute, "-0s": 0} {
		var o Offset
		if err := o.UnmarshalText([]byte(text)); err != nil || time.Duration(o) != want {
			t.Errorf("%s: %v (%v), want %v", text, time.Duration(o), err, want)
		}
	}
	for _, text := range []string{"", "7d", "+7d", "-", "--7d", "- 7d", "-7 days"} {
		if err := new(Offset).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

// A name that ends as those of a period compared with do would be taken twice.
func TestColumnNamesAreTheirOwn(t *testing.T) {
	seen := map[string]bool{TimeColumn: true, ExemplarsColumn: true}
	for _, m := range Measures() {
		for _, name := range []string{m.Name, m.Name + BeforeSuffix} {
			if seen[name] {
				t.Errorf("%s names two columns", name)
			}
			seen[name] = true
		}
		if m.Doc == "" || m.Kind != KindMeasure && m.Kind != KindTime {
			t.Errorf("%s: kind %q, doc %q", m.Name, m.Kind, m.Doc)
		}
	}
	for _, name := range Planned {
		if DimensionByName(name) == nil {
			t.Errorf("%s is no dimension", name)
		}
	}
}
