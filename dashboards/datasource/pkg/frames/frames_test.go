package frames

import (
	"encoding/json"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/experimental"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/dashboards/datasource/pkg/model"
)

var update = flag.Bool("update", false, "write the golden frames anew")

// asked is the question that the editor's text asks for the hour before ten.
func asked(t testing.TB, text string) Asked {
	t.Helper()
	q, err := model.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	to := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	req, err := q.Request(model.Range{From: to.Add(-time.Hour), To: to})
	if err != nil {
		t.Fatal(err)
	}
	return Asked{Model: q, Request: req, From: Source{UID: "ff", Name: "Firstframe"}}
}

func answer(t testing.TB, text string) *query.Answer {
	t.Helper()
	var a query.Answer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatal(err)
	}
	return &a
}

const series = `{"columns":[{"name":"time","kind":"time"},{"name":"country","kind":"dimension"},{"name":"runs","kind":"measure"},
	{"name":"sli","kind":"measure","unit":"ratio"},{"name":"ttff_ms_p95","kind":"measure","unit":"ms"}],
	"rows":[["2026-11-23T09:00:00Z","BR",4,0.5,2900.5],["2026-11-23T09:30:00Z","BR",0,null,null],
	["2026-11-23T09:00:00Z",null,1,1,400],["2026-11-23T09:30:00Z",null,2,1,410]],
	"meta":{"source":"raw","max_error":0.01,"complete_until":"2026-11-23T09:59:58Z","took_ms":3.5,"truncated":true}}`

const rows = `{"columns":[{"name":"asn","kind":"dimension"},{"name":"ok","kind":"dimension"},{"name":"run_id","kind":"dimension"},
	{"name":"started_at","kind":"time"},{"name":"runs","kind":"measure"},{"name":"bytes_avg","kind":"measure","unit":"B"},
	{"name":"bytes_avg_before","kind":"measure","unit":"B"},{"name":"exemplars","kind":"exemplars"}],
	"rows":[[64500,true,"01","2026-11-23T09:00:00.5Z",1,1024,null,["01","02"]],[null,null,"02",null,1,null,5,null]],
	"meta":{"source":"raw"}}`

// TestFrames compares all of the frames, as Grafana gets them, with those in
// testdata; -update writes them anew.
func TestFrames(t *testing.T) {
	for name, c := range map[string]struct{ asked, answer string }{
		"series": {`{"measures":["sli","ttff_ms_p95"],"group_by":["country"],"step":"30m"}`, series},
		"table":  {`{"measures":["bytes_avg"],"group_by":["asn","ok","run_id","started_at"],"compare":"-1d","exemplars":2}`, rows},
		"empty":  {`{"measures":["sli"],"group_by":["country"],"step":"30m"}`, `{"columns":[{"name":"time","kind":"time"},{"name":"runs","kind":"measure"}],"rows":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			made, err := Make(asked(t, c.asked), answer(t, c.answer))
			if err != nil {
				t.Fatal(err)
			}
			experimental.CheckGoldenJSONResponse(t, "testdata", name, &backend.DataResponse{Frames: made}, *update)
		})
	}
}

func TestTraceFrame(t *testing.T) {
	var r Run
	text := `{"run_id":"019fae4fa9c000112233445566778899","started_at":"2026-11-23T09:00:00.25Z","duration_ms":812.5,"ok":false,"error_type":"stalled",
		"error_detail":"segment: silent","target":"news","cdn":"b","player":null,"country":"BR","labels":{"rack":"7"},"asn":64500,"steps":[
		{"name":"manifest","url":"https://b.example/m","start_ms":0,"end_ms":100.5,"status":200,"headers":{"age":["3"]}},
		{"name":"wait_retry","start_ms":100.5,"end_ms":200},
		{"name":"segment","track":"video","url":"https://b.example/1","start_ms":200,"end_ms":812.5,"error_type":"stalled","error":"silent"}],"steps_expired":true}`
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	frame, err := Trace(&r)
	if err != nil {
		t.Fatal(err)
	}
	experimental.CheckGoldenJSONResponse(t, "testdata", "trace", &backend.DataResponse{Frames: data.Frames{frame}}, *update)
}

func TestStrangeAnswers(t *testing.T) {
	for _, c := range []struct{ name, answer, want string }{
		{"no time", `{"columns":[{"name":"runs","kind":"measure"}],"rows":[[1]]}`, "does not begin with the column time"},
		{"not a time", `{"columns":[{"name":"time","kind":"time"},{"name":"sli","kind":"measure"}],"rows":[["today",1]]}`, "want an RFC 3339 time"},
		{"not a number", `{"columns":[{"name":"time","kind":"time"},{"name":"sli","kind":"measure"}],"rows":[["2026-11-23T09:00:00Z","1"]]}`, "want a number"},
		{"no measure", `{"columns":[{"name":"time","kind":"time"},{"name":"bad","kind":"measure"}],"rows":[["2026-11-23T09:00:00Z",1]]}`, `lacks the column "sli"`},
		{"uneven series", `{"columns":[{"name":"time","kind":"time"},{"name":"sli","kind":"measure"}],"rows":[["2026-11-23T09:00:00Z",1],
			["2026-11-23T09:30:00Z",1],["2026-11-23T09:00:00Z",1]]}`, "do not have the same buckets"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Make(asked(t, `{"measures":["sli"],"step":"30m"}`), answer(t, c.answer)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// FuzzMake feeds answers that no collector gives: an error, never a panic.
func FuzzMake(f *testing.F) {
	f.Add(series, true)
	f.Add(rows, false)
	f.Fuzz(func(t *testing.T, text string, step bool) {
		var a query.Answer
		if json.Unmarshal([]byte(text), &a) != nil {
			return
		}
		for _, row := range a.Rows {
			if len(row) != len(a.Columns) {
				return // which package client refuses
			}
		}
		q := `{"measures":["sli"],"group_by":["country"],"exemplars":1}`
		if step {
			q = strings.Replace(q, "{", `{"step":"30m",`, 1)
		}
		made, err := Make(asked(t, q), &a)
		if err == nil && len(made) == 0 {
			t.Error("neither frames nor an error")
		}
	})
}

// BenchmarkSeries makes 100 series of 1000 buckets.
func BenchmarkSeries(b *testing.B) {
	q := asked(b, `{"measures":["sli"],"group_by":["country"],"step":"1s"}`)
	a := &query.Answer{Columns: []query.Column{{Name: "time", Kind: query.KindTime}, {Name: "country", Kind: query.KindDimension},
		{Name: "runs", Kind: query.KindMeasure}, {Name: "sli", Kind: query.KindMeasure, Unit: "ratio"}}}
	start := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for s := range 100 {
		for i := range 1000 {
			a.Rows = append(a.Rows, []any{start.Add(time.Duration(i) * time.Second).Format(time.RFC3339Nano), fmt.Sprint(s), 1.0, 0.5})
		}
	}
	for b.Loop() {
		frame, err := Series(q, a)
		if err != nil || len(frame.Fields) != 101 {
			b.Fatalf("%d fields, %v", len(frame.Fields), err)
		}
	}
	b.ReportMetric(float64(len(a.Rows))*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
