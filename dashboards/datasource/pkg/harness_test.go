package main

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"

	"github.com/firstframe/firstframe/dashboards/internal/harness"
)

// programs are the plugin and the collector, built by TestMain.
var programs *harness.Programs

func TestMain(m *testing.M) { os.Exit(harness.Main(m, func(p *harness.Programs) { programs = p })) }

// collector runs a collector with the given runs in it; stop ends it.
func collector(t *testing.T, runs ...map[string]any) (url string, stop func()) {
	t.Helper()
	c := programs.Collector(t)
	if len(runs) > 0 {
		body, err := json.Marshal(export(runs))
		if err != nil {
			t.Fatal(err)
		}
		c.Send(t, "application/json", body, len(runs))
	}
	return c.URL, c.Stop
}

// export is an OTLP request with a trace per run: the run's fields, and under
// "steps" its steps.
func export(runs []map[string]any) map[string]any {
	var resources []any
	for _, r := range runs {
		id := r["run_id"].(string)
		start, _ := time.Parse(time.RFC3339Nano, r["started_at"].(string))
		fields := map[string]any{}
		for k, v := range r {
			if k != "steps" {
				fields["firstframe."+k] = v
			}
		}
		spans := []any{spanOf(id, 1, "playback", 1, start, 0, r["duration_ms"].(float64), fields)}
		steps, _ := r["steps"].([]map[string]any)
		for i, s := range steps {
			attrs := map[string]any{"url.full": s["url"], "firstframe.step": s["name"], "firstframe.track": s["track"], "firstframe.attempt": 1, "firstframe.start_ms": s["start_ms"], "firstframe.end_ms": s["end_ms"],
				"http.request.method": "GET", "firstframe.wait_ms": s["wait_ms"], "http.response.status_code": s["status"]}
			spans = append(spans, spanOf(id, i+2, "GET", 3, start, s["start_ms"].(float64), s["end_ms"].(float64), attrs))
		}
		resources = append(resources, map[string]any{
			"resource":   map[string]any{"attributes": attributes(map[string]any{"service.name": "firstframe-agent", "service.instance.id": r["agent"]})},
			"scopeSpans": []any{map[string]any{"scope": map[string]any{"name": "firstframe", "version": "1"}, "spans": spans}},
		})
	}
	return map[string]any{"resourceSpans": resources}
}

func spanOf(trace string, id int, name string, kind int, start time.Time, from, to float64, attrs map[string]any) map[string]any {
	nano := func(ms float64) string {
		return fmt.Sprint(start.Add(time.Duration(ms * float64(time.Millisecond))).UnixNano())
	}
	s := map[string]any{"traceId": trace, "spanId": fmt.Sprintf("%016x", id), "name": name, "kind": kind,
		"startTimeUnixNano": nano(from), "endTimeUnixNano": nano(to), "attributes": attributes(attrs)}
	if id > 1 {
		s["parentSpanId"] = fmt.Sprintf("%016x", 1)
	}
	return s
}

func attributes(values map[string]any) []any {
	var list []any
	for k, v := range values {
		var value map[string]any
		switch v := v.(type) {
		case nil:
			continue
		case string:
			value = map[string]any{"stringValue": v}
		case bool:
			value = map[string]any{"boolValue": v}
		case int:
			value = map[string]any{"intValue": fmt.Sprint(v)}
		case float64:
			value = map[string]any{"doubleValue": v}
		}
		list = append(list, map[string]any{"key": k, "value": value})
	}
	return list
}

// running is the plugin's process.
type running struct{ harness.Plugin }

func start(t *testing.T) running { return running{programs.Plugin(t)} }

func settings(url string, options map[string]any, secrets map[string]string) *pluginv2.PluginContext {
	return harness.Settings(url, options, secrets)
}

// ask asks the queries, JSON of the editor each, as A, B, … for a range.
func (p running) ask(t *testing.T, at *pluginv2.PluginContext, from, to time.Time, queries ...string) backend.Responses {
	t.Helper()
	list := make([]harness.Query, len(queries))
	for i, q := range queries {
		list[i] = harness.Query{From: from, To: to, JSON: q, Interval: time.Second, Points: 1000}
	}
	return p.Ask(t, at, list...)
}

// call calls a resource.
func (p running) call(t *testing.T, at *pluginv2.PluginContext, method, path, body string) (status int32, text string) {
	t.Helper()
	return p.Call(t, at, method, path, body)
}
