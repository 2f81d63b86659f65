package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// base is the start of the two buckets of ten minutes that the tests' runs lie in.
var base = time.Now().UTC().Truncate(time.Hour).Add(-3 * time.Hour)

// probe is a run at so many minutes after base; a ttff of 0 is a failure.
func probe(n int, minute float64, country, cdn string, ttff float64) map[string]any {
	at := base.Add(time.Duration(minute * float64(time.Minute)))
	r := map[string]any{
		"run_id": fmt.Sprintf("%012x%020x", at.UnixMilli(), n), "started_at": at.Format(time.RFC3339Nano), "round": fmt.Sprint(n),
		"source": "fleet", "agent": "agent-" + country, "cdn": cdn, "target": "news", "player": "hlsjs@1.5", "app_version": "4.1.3", "asn": 64500,
		"ok": ttff > 0, "good": ttff > 0 && ttff < 2000, "threshold_ms": 2000.0, "duration_ms": 4000.0, "attempts": 1, "redirects": 0, "bytes": 1000,
	}
	for _, phase := range []string{"queue", "playback_api", "dns", "connect", "tls", "manifest", "playlist", "key", "init", "segment_ttfb", "player"} {
		r[phase+"_ms"] = 0.0
	}
	if country != "" {
		r["country"] = country
	}
	if ttff > 0 {
		r["ttff_ms"], r["duration_ms"] = ttff, ttff
	} else {
		r["error_type"], r["error_step"], r["error_detail"] = "http_5xx", "segment", "segment: 503"
	}
	r["segment_ms"] = r["duration_ms"]
	return r
}

// failedRun is the one whose steps are looked at.
func failedRun() map[string]any {
	r := probe(3, 12, "BR", "b", 0)
	r["steps"] = []map[string]any{
		{"name": "manifest", "url": "https://b.example/live.m3u8", "start_ms": 0.0, "end_ms": 120.0, "wait_ms": 80.0, "status": 200},
		{"name": "segment", "track": "video", "url": "https://b.example/1.ts", "start_ms": 150.0, "end_ms": 4000.0, "wait_ms": 3850.0, "status": 503},
	}
	return r
}

func testRuns() []map[string]any {
	adhoc := probe(6, 4, "FR", "a", 800)
	adhoc["source"] = "adhoc"
	return []map[string]any{
		probe(1, 1, "BR", "a", 1000), probe(2, 2, "BR", "a", 3000), failedRun(), probe(4, 3, "DE", "a", 500), probe(5, 13, "", "a", 700), adhoc,
	}
}

// values are a field's, null as nil.
func values(f *data.Field) []any {
	var list []any
	for i := range f.Len() {
		v, ok := f.ConcreteAt(i)
		if !ok {
			v = nil
		}
		if at, ok := v.(time.Time); ok {
			v = at.Sub(base).String()
		}
		list = append(list, v)
	}
	return list
}

// table is a frame as name{labels} to values.
func table(t *testing.T, r backend.DataResponse) map[string][]any {
	t.Helper()
	if r.Error != nil || r.Status != backend.StatusOK || len(r.Frames) != 1 {
		t.Fatalf("status %d, error %v, %d frames", r.Status, r.Error, len(r.Frames))
	}
	columns := map[string][]any{}
	for _, f := range r.Frames[0].Fields {
		columns[f.Name+strings.Trim("{"+f.Labels.String()+"}", "{}")] = values(f)
	}
	return columns
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestQueriesOverTheProtocol(t *testing.T) {
	address, _ := collector(t, testRuns()...)
	p, at := start(t), settings(address, nil, nil)
	to := base.Add(20 * time.Minute)
	res := p.ask(t, at, base, to,
		`{"measures":["sli"],"group_by":["country"],"step":"10m","order_by":{"measure":"country"}}`,
		`{"measures":["ttff_ms_p50","bad"],"step":"10m","legend":"{{measure}} of all"}`,
		`{"measures":["runs"],"group_by":["country","asn"],"order_by":{"measure":"country"}}`,
		`{"measures":["ttff_ms_avg"],"group_by":["run_id","started_at","ok"],"where":[{"dim":"good","op":"eq","values":["false"]}],"order_by":{"measure":"started_at"}}`,
		`{"queryType":"trace","run_id":"`+failedRun()["run_id"].(string)+`"}`,
		`{"measures":["runs"],"step":"auto"}`,
		fmt.Sprintf(`{"measures":["runs"],"at":"%d","for":"10m"}`, base.UnixMilli()),
		fmt.Sprintf(`{"measures":["sli","last_seen"],"group_by":["country"],"compare":"-1d","exemplars":1,"at":"%d","for":"10m"}`, base.UnixMilli()),
		`{"measures":["ttff_ms_p95","last_seen"],"step":"10m","exemplars":2}`,
	)
	buckets := []any{"0s", "10m0s"}
	same(t, "series by country", map[string][]any{"time": buckets,
		"slicountry=BR": {0.5, 0.0}, "slicountry=DE": {1.0, nil}, "sli": {nil, 1.0}}, table(t, res["A"]))
	same(t, "two measures", map[string][]any{"time": buckets, "ttff_ms_p50": {1000.0, 700.0}, "bad": {1.0, 1.0}}, table(t, res["B"]))
	same(t, "table", map[string][]any{"country": {"BR", "DE", nil}, "asn": {"64500", "64500", "64500"}, "runs": {3.0, 1.0, 1.0}}, table(t, res["C"]))
	same(t, "runs", map[string][]any{"run_id": {probe(2, 2, "", "", 1)["run_id"], failedRun()["run_id"]},
		"started_at": {"2m0s", "12m0s"}, "ok": {"true", "false"}, "ttff_ms_avg": {3000.0, nil}}, table(t, res["D"]))
	checkTrace(t, res["E"])
	if n := len(table(t, res["F"])["time"]); n != 600 { // 20 minutes in 1000 points, in round steps: 2 s
		t.Errorf("%d automatic buckets, want 600", n)
	}
	same(t, "one bucket", map[string][]any{"runs": {3.0}}, table(t, res["G"]))

	last := table(t, res["H"])
	same(t, "last seen", []any{"2m0s", "3m0s"}, []any{last["last_seen"][0], last["last_seen"][1]})
	same(t, "exemplars", []any{probe(2, 2, "", "", 1)["run_id"], probe(4, 3, "", "", 1)["run_id"]}, last["run_1"])
	same(t, "compared", []any{nil, nil}, last["sli_before"])

	// As alert rules read it.
	wide := res["A"].Frames[0]
	if schema := wide.TimeSeriesSchema(); schema.Type != data.TimeSeriesTypeWide {
		t.Errorf("schema %v, want wide", schema.Type)
	}
	same(t, "name", "BR", wide.Fields[1].Config.DisplayNameFromDS)
	same(t, "unit", "percentunit", wide.Fields[1].Config.Unit)
	checkExemplars(t, res["I"])
	same(t, "legend", "bad of all", res["B"].Frames[0].Fields[2].Config.DisplayNameFromDS)
	same(t, "link", "ff", links(t, res["D"].Frames[0].Fields[0])[0].Internal.DatasourceUID)
}

// links are those of a field, as the front end finds them.
func links(t *testing.T, f *data.Field) []data.DataLink {
	t.Helper()
	text, err := json.Marshal(f.Config.Custom["links"])
	if err != nil {
		t.Fatal(err)
	}
	var found []data.DataLink
	if err := json.Unmarshal(text, &found); err != nil || len(f.Config.Links) > 0 {
		t.Fatalf("%s: %v; %v", f.Name, err, f.Config.Links)
	}
	return found
}

// checkExemplars wants marks in a second frame, so that the first stays what
// panels and rules draw.
func checkExemplars(t *testing.T, r backend.DataResponse) {
	t.Helper()
	if r.Error != nil || len(r.Frames) != 2 {
		t.Fatalf("error %v, %d frames", r.Error, len(r.Frames))
	}
	same(t, "time as number", []any{float64(base.Add(3 * time.Minute).UnixMilli()), float64(base.Add(13 * time.Minute).UnixMilli())},
		values(r.Frames[0].Fields[2]))
	marks := r.Frames[1]
	if marks.Meta.DataTopic != data.DataTopicAnnotations || marks.Name != "exemplar" {
		t.Errorf("marks are %q, topic %q", marks.Name, marks.Meta.DataTopic)
	}
	id := func(n int, minute float64) any { return probe(n, minute, "", "", 1)["run_id"] }
	same(t, "times of marks", []any{"0s", "0s", "10m0s", "10m0s"}, values(marks.Fields[0]))
	same(t, "marks", []any{id(2, 2), id(1, 1), failedRun()["run_id"], id(5, 13)}, values(marks.Fields[3]))
}

func checkTrace(t *testing.T, r backend.DataResponse) {
	t.Helper()
	got := table(t, r)
	id := failedRun()["run_id"]
	ms := float64(base.Add(12 * time.Minute).UnixMilli())
	same(t, "trace", []any{id, id, id}, got["traceID"])
	same(t, "parents", []any{nil, got["spanID"][0], got["spanID"][0]}, got["parentSpanID"])
	same(t, "operations", []any{"playback news", "manifest", "segment video"}, got["operationName"])
	same(t, "services", []any{"hlsjs@1.5", "b", "b"}, got["serviceName"])
	same(t, "starts", []any{ms, ms, ms + 150}, got["startTime"])
	same(t, "durations", []any{4000.0, 120.0, 3850.0}, got["duration"])
	same(t, "messages", "http_5xx: segment: 503", got["statusMessage"][0])
	var tags []struct {
		Key   string
		Value any
	}
	if err := json.Unmarshal(got["tags"][0].(json.RawMessage), &tags); err != nil {
		t.Fatal(err)
	}
	seen := map[string]any{}
	for _, tag := range tags {
		seen[tag.Key] = tag.Value
	}
	same(t, "tags", []any{"BR", true, 4000.0}, []any{seen["country"], seen["error"], seen["duration_ms"]})
	if vis := r.Frames[0].Meta.PreferredVisualization; vis != data.VisTypeTrace {
		t.Errorf("to be shown as %q", vis)
	}
}

// TestPointsLeadToTheirRuns follows the link of a data point as Explore would.
func TestPointsLeadToTheirRuns(t *testing.T) {
	address, _ := collector(t, testRuns()...)
	p, at := start(t), settings(address, nil, nil)
	res := p.ask(t, at, base, base.Add(20*time.Minute),
		`{"measures":["sli"],"group_by":["country"],"step":"10m","order_by":{"measure":"country"}}`)
	for _, c := range []struct {
		series, link, bucket int
		want                 []any
	}{
		{1, 0, 0, []any{probe(2, 2, "", "", 1)["run_id"], probe(1, 1, "", "", 1)["run_id"]}},
		{1, 1, 0, []any{probe(2, 2, "", "", 1)["run_id"]}},
		{3, 0, 1, []any{probe(5, 13, "", "", 1)["run_id"]}}, // of no country
	} {
		field := res["A"].Frames[0].Fields[c.series]
		text, err := json.Marshal(links(t, field)[c.link].Internal.Query)
		if err != nil {
			t.Fatal(err)
		}
		ms := fmt.Sprint(base.Add(time.Duration(c.bucket) * 10 * time.Minute).UnixMilli())
		followed := p.ask(t, at, base.Add(-24*time.Hour), base.Add(time.Hour), strings.ReplaceAll(string(text), "${__value.time}", ms))
		same(t, fmt.Sprintf("series %d, link %d", c.series, c.link), c.want, table(t, followed["A"])["run_id"])
	}
}

func TestNoDataIsSaidSo(t *testing.T) {
	address, _ := collector(t, testRuns()...)
	p, at := start(t), settings(address, nil, nil)
	res := p.ask(t, at, base.Add(-20*time.Minute), base.Add(-10*time.Minute),
		`{"measures":["sli"],"group_by":["country"],"step":"10m"}`, `{"measures":["sli"],"group_by":["country"]}`, `{"measures":["sli"],"step":"10m"}`)
	for ref, want := range map[string]map[string][]any{"A": {}, "B": {}, "C": {"time": {"-20m0s"}, "sli": {nil}}} {
		same(t, ref, want, table(t, res[ref]))
		n := res[ref].Frames[0].Meta.Notices
		if len(n) != 1 || !strings.HasPrefix(n[0].Text, "No runs from ") || !strings.Contains(n[0].Text, "widen the range") {
			t.Errorf("%s: notices %v", ref, n)
		}
	}
}

func TestMistakesAreExplained(t *testing.T) {
	address, stop := collector(t)
	p := start(t)
	good := settings(address, nil, nil)
	for _, c := range []struct {
		name, query string
		status      backend.Status
		want        string
	}{
		{"measure", `{"measures":["ttf_ms_p95"]}`, 400, `measures[0]: "ttf_ms_p95" is not a measure; did you mean ttff_ms_p95`},
		{"dimension", `{"group_by":["contry"]}`, 400, `did you mean country`},
		{"operator", `{"where":[{"dim":"cdn","op":"equals","values":["a"]}]}`, 400, `"equals" is not a operator; there are: eq, ne`},
		{"step", `{"step":"5 minutes"}`, 400, `step: "5 minutes" is neither auto nor a duration such as 5m`},
		{"too many buckets", `{"step":"1s"}`, 400, `at most 11000 are allowed`},
		{"bucket", `{"at":"${__value.time}","for":"10m"}`, 400, `no time in Unix milliseconds`},
		{"type", `{"queryType":"logs"}`, 400, `there are: runs, trace`},
		{"shape", `{"measures":"sli"}`, 400, `the query cannot be read`},
		{"run", `{"queryType":"trace","run_id":"` + strings.Repeat("0", 32) + `"}`, 404, `there is no such run`},
		{"no run", `{"queryType":"trace"}`, 400, `which run?`},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkError(t, p.ask(t, good, base.Add(-24*time.Hour), base, c.query)["A"], c.status, c.want)
		})
	}
	stop()
	checkError(t, p.ask(t, good, base, base.Add(time.Hour), `{}`)["A"], 502, "nothing listens at "+address)
	checkHealth(t, p, good, 2, "nothing listens at "+address+": is collector serve running")
}

// checkError wants an error that is not the plugin's fault.
func checkError(t *testing.T, r backend.DataResponse, status backend.Status, text string) {
	t.Helper()
	if r.Error == nil || r.Status != status || r.ErrorSource != backend.ErrorSourceDownstream || !strings.Contains(r.Error.Error(), text) {
		t.Errorf("status %d, source %s, error %v; want %d, downstream, %q", r.Status, r.ErrorSource, r.Error, status, text)
	}
}

// behind is a proxy that asks for a token before the collector.
func behind(t *testing.T, address, token string) *httptest.Server {
	t.Helper()
	to, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}
