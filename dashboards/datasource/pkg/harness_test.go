package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/grpcplugin"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
)

// programs is where TestMain has built the plugin and the collector.
var programs string

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// buildAndRun builds the two programs as they are shipped, so that the tests
// drive what Grafana would.
func buildAndRun(m *testing.M) (code int, err error) {
	if programs, err = os.MkdirTemp("", "firstframe-plugin"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(programs)
	for name, b := range map[string]struct{ path, cgo string }{"gpx_firstframe": {".", "0"}, "collector": {"../../../collector", "1"}} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(programs, name), b.path)
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+b.cgo)
		if text, err := cmd.CombinedOutput(); err != nil {
			return 1, fmt.Errorf("build %s: %w\n%s", name, err, text)
		}
	}
	return m.Run(), nil
}

// collector runs a collector with the given runs in it; stop ends it.
func collector(t *testing.T, runs ...map[string]any) (url string, stop func()) {
	t.Helper()
	cmd := exec.Command(filepath.Join(programs, "collector"), "serve", "--data", t.TempDir(), "--print-addresses",
		"--http", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
	t.Cleanup(stop)
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the collector's addresses: %v\n%s", err, &log)
	}
	var at struct {
		HTTP string `json:"http"`
		OTLP string `json:"otlp_http"`
	}
	if err := json.Unmarshal(line, &at); err != nil {
		t.Fatal(err)
	}
	if len(runs) > 0 {
		post(t, "http://"+at.OTLP+"/v1/traces", export(runs))
	}
	awaitRuns(t, "http://"+at.HTTP, len(runs))
	return "http://" + at.HTTP, stop
}

// post sends JSON and gives the answer, which must be good.
func post(t *testing.T, url string, v any) []byte {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || bytes.Contains(text, []byte("rejected")) {
		t.Fatalf("%s: %d %s %v", url, res.StatusCode, text, err)
	}
	return text
}

// awaitRuns waits until the collector counts n runs.
func awaitRuns(t *testing.T, url string, n int) {
	t.Helper()
	want := fmt.Sprintf(`"rows":[[%d]]`, n)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		text := post(t, url+"/api/v1/query", map[string]any{"from": "now-3d", "where": []any{map[string]any{"dim": "source", "op": "exists"}}})
		if bytes.Contains(text, []byte(want)) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("want %s, got %s", want, text)
		}
	}
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

// running is the plugin as Grafana has it: a process, spoken to by gRPC.
type running struct {
	data   grpcplugin.DataClient
	res    grpcplugin.ResourceClient
	health grpcplugin.DiagnosticsClient
}

// start starts the plugin's binary with the handshake of Grafana.
func start(t *testing.T) running {
	t.Helper()
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: plugin.HandshakeConfig{ProtocolVersion: grpcplugin.ProtocolVersion,
			MagicCookieKey: grpcplugin.MagicCookieKey, MagicCookieValue: grpcplugin.MagicCookieValue},
		VersionedPlugins: map[int]plugin.PluginSet{grpcplugin.ProtocolVersion: {
			"data": &grpcplugin.DataGRPCPlugin{}, "resource": &grpcplugin.ResourceGRPCPlugin{}, "diagnostics": &grpcplugin.DiagnosticsGRPCPlugin{}}},
		Cmd:              exec.Command(filepath.Join(programs, "gpx_firstframe")),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
	})
	t.Cleanup(client.Kill)
	rpc, err := client.Client()
	if err != nil {
		t.Fatal(err)
	}
	dispense := func(name string) any {
		raw, err := rpc.Dispense(name)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	return running{dispense("data").(grpcplugin.DataClient), dispense("resource").(grpcplugin.ResourceClient),
		dispense("diagnostics").(grpcplugin.DiagnosticsClient)}
}

// settings are a data source's, as Grafana hands them to the plugin.
func settings(url string, options map[string]any, secrets map[string]string) *pluginv2.PluginContext {
	text, err := json.Marshal(options)
	if err != nil {
		panic(err)
	}
	return &pluginv2.PluginContext{OrgId: 1, PluginId: "firstframe-datasource",
		DataSourceInstanceSettings: &pluginv2.DataSourceInstanceSettings{Uid: "ff", Name: "Firstframe", Url: url,
			JsonData: text, DecryptedSecureJsonData: secrets, LastUpdatedMS: time.Now().UnixNano()}}
}

// ask asks the queries, JSON of the editor each, as A, B, … for a range.
func (p running) ask(t *testing.T, at *pluginv2.PluginContext, from, to time.Time, queries ...string) backend.Responses {
	t.Helper()
	req := &pluginv2.QueryDataRequest{PluginContext: at}
	for i, q := range queries {
		if !json.Valid([]byte(q)) {
			t.Fatalf("not JSON: %s", q)
		}
		req.Queries = append(req.Queries, &pluginv2.DataQuery{RefId: string(rune('A' + i)), Json: []byte(q), IntervalMS: 1000, MaxDataPoints: 1000,
			TimeRange: &pluginv2.TimeRange{FromEpochMS: from.UnixMilli(), ToEpochMS: to.UnixMilli()}})
	}
	res, err := p.data.QueryData(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := backend.FromProto().QueryDataResponse(res)
	if err != nil {
		t.Fatal(err)
	}
	for ref, raw := range res.Responses { // which the conversion leaves out
		r := answer.Responses[ref]
		r.ErrorSource = backend.ErrorSource(raw.ErrorSource)
		answer.Responses[ref] = r
	}
	return answer.Responses
}

// call calls a resource.
func (p running) call(t *testing.T, at *pluginv2.PluginContext, method, path, body string) (status int32, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	stream, err := p.res.CallResource(ctx, &pluginv2.CallResourceRequest{PluginContext: at, Method: method, Path: path, Url: path, Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	res, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return res.Code, strings.TrimSpace(string(res.Body))
}
