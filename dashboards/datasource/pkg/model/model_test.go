package model

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firstframe/firstframe/collector/query"
)

var (
	from = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	hour = Range{From: from, To: from.Add(time.Hour), Interval: 7 * time.Second, Points: 500}
)

func TestRequest(t *testing.T) {
	whole := func(r query.Request) *query.Request {
		r.From, r.To = query.At(hour.From), query.At(hour.To)
		if r.Measures == nil {
			r.Measures = []string{"runs"}
		}
		return &r
	}
	for _, c := range []struct {
		name, text string
		want       *query.Request
	}{
		{"empty", `{"refId":"A","datasource":{"uid":"x"}}`, whole(query.Request{})},
		{"all", `{"measures":["sli"],"group_by":["cdn"],"where":[{"dim":"country","op":"in","values":["BR"]}],"order_by":{"measure":"sli"},
			"limit":5,"step":"5m","compare":"-7d","pair_by":"cdn","exemplars":2}`,
			whole(query.Request{Measures: []string{"sli"}, GroupBy: []string{"cdn"}, Where: []query.Cond{{Dim: "country", Op: query.In, Values: []string{"BR"}}},
				OrderBy: &query.Order{Measure: "sli"}, Limit: 5, Step: query.Duration(5 * time.Minute), Compare: query.Offset(7 * 24 * time.Hour), PairBy: "cdn", Exemplars: 2})},
		{"automatic step", `{"step":"auto"}`, whole(query.Request{Step: query.Duration(10 * time.Second)})},
		{"order by time", `{"step":"1m","order_by":{"measure":"time","desc":true}}`, whole(query.Request{Step: query.Duration(time.Minute)})},
		{"bucket", `{"at":"1795424400000","for":"5m"}`,
			&query.Request{From: query.At(time.UnixMilli(1795424400000)), To: query.At(time.UnixMilli(1795424700000)), Measures: []string{"runs"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, err := Parse([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			got, err := q.Request(hour)
			if d := cmp.Diff(c.want, got); err != nil || d != "" {
				t.Errorf("%v (-want +got):\n%s", err, d)
			}
		})
	}
}

func TestAutoStep(t *testing.T) {
	for _, c := range []struct {
		length, interval time.Duration
		points           int64
		want             time.Duration
	}{
		{time.Minute, 0, 0, time.Second},
		{time.Hour, time.Second, 100, time.Minute},
		{24 * time.Hour, time.Minute, 1000, 2 * time.Minute},
		{24 * time.Hour, 15 * time.Minute, 1000, 15 * time.Minute},
		{30 * 24 * time.Hour, time.Second, 43200, 5 * time.Minute}, // no more than the collector allows
		{400 * 24 * time.Hour, 0, 10, 7 * 24 * time.Hour},
	} {
		if got := autoStep(Range{From: from, To: from.Add(c.length), Interval: c.interval, Points: c.points}); got != c.want {
			t.Errorf("%s, interval %s, %d points: %s, want %s", c.length, c.interval, c.points, got, c.want)
		}
	}
}

func TestName(t *testing.T) {
	q := Query{Legend: "{{measure}} in {{country}} by {{cdn}}"}
	if got, want := q.Name("sli", map[string]string{"country": "BR"}), "sli in BR by {{cdn}}"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// FuzzParse feeds the model what a dashboard's JSON may hold: what it lets
// through must be a request that can be sent.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{}`, `{"measures":["sli"],"step":"auto"}`, `{"at":"1","for":"1w"}`, `{"queryType":"trace","run_id":" 1 "}`,
		`{"step":"1s","compare":"-1d"}`, `{"where":[{"dim":"","op":"","values":[""]}]}`, `null`, `[]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		q, err := Parse(text)
		if err != nil {
			return
		}
		req, err := q.Request(hour)
		if err != nil {
			return
		}
		if req.Step < 0 || !req.From.In(from).Before(req.To.In(from)) {
			t.Errorf("step %s, from %s to %s", req.Step, req.From, req.To)
		}
		if _, err := json.Marshal(req); err != nil {
			t.Error(err)
		}
	})
}
