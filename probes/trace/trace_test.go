package trace

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/firstframe/firstframe/probes/run"
)

func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyRun(t)
		body, err := Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeRun(body, want.RunID, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(&want, got); d != "" {
			t.Fatalf("run with steps (-want +got):\n%s", d)
		}
		rows, res := decodeAll(t, body)
		want.Steps = nil
		if d := cmp.Diff([]*run.Run{&want}, rows); d != "" {
			t.Fatalf("row (-want +got):\n%s", d)
		}
		if res.Runs != 1 || res.Rejected != 0 || res.Unknown != 0 || res.Orphans != nil {
			t.Fatalf("result %+v", res)
		}
	})
}

func decodeAll(t interface {
	Helper()
	Fatal(...any)
}, body []byte) ([]*run.Run, Result) {
	t.Helper()
	var rows []*run.Run
	res, err := Decode(body, Limits{}, func(r *run.Run) error {
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows, res
}

func TestConcatenatedRequests(t *testing.T) {
	var body []byte
	var want []string
	for range 20 {
		r := example()
		want = append(want, r.RunID)
		b := marshal(t, r)
		body = append(body, b...)
	}
	rows, res := decodeAll(t, body)
	var got []string
	for _, r := range rows {
		got = append(got, r.RunID)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if res.Spans != 20*9 {
		t.Errorf("%d spans, want %d", res.Spans, 20*9)
	}
	r, err := DecodeRun(body, want[7], Limits{})
	if err != nil || r.RunID != want[7] || len(r.Steps) != 8 {
		t.Errorf("DecodeRun: %v, %v", r, err)
	}
}

func TestSentTwiceInOneBodyHasItsStepsOnce(t *testing.T) {
	want := example()
	b := marshal(t, want)
	if !bytes.Equal(b, marshal(t, want)) {
		t.Error("the same run gives different bytes")
	}
	got, err := DecodeRun(append(bytes.Clone(b), b...), want.RunID, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&want, got); d != "" {
		t.Error(d)
	}
}

func marshal(t testing.TB, r run.Run) []byte {
	t.Helper()
	b, err := Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSpansAreAsTheContractSays(t *testing.T) {
	for _, env := range []string{"OTEL_TRACES_SAMPLER=always_off", "OTEL_SDK_DISABLED=true", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=3",
		"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT=2", "OTEL_SERVICE_NAME=other"} {
		k, v, _ := strings.Cut(env, "=")
		t.Setenv(k, v)
	}
	r := example()
	r.OK, r.Good, r.TTFFMs = false, false, nil
	r.ErrorType, r.ErrorStep, r.ErrorDetail = run.ErrHTTP5xx, run.StepSegment, "segment: 503"
	r.Steps[3].Status, r.Steps[3].Error, r.Steps[3].Attempt = 503, run.ErrHTTP5xx, 3
	var req otlp.TracesData
	if err := proto.Unmarshal(marshal(t, r), &req); err != nil {
		t.Fatal(err)
	}
	if len(req.ResourceSpans) != 1 || len(req.ResourceSpans[0].ScopeSpans) != 1 {
		t.Fatalf("want one resource and scope: %v", &req)
	}
	rs := req.ResourceSpans[0]
	want := map[string]string{"service.name": "firstframe-agent", "service.instance.id": "br-sp-1", "service.version": "0.1.0"}
	got := map[string]string{}
	for _, kv := range rs.Resource.Attributes {
		got[kv.Key] = kv.Value.GetStringValue()
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	ss := rs.ScopeSpans[0]
	if ss.Scope.Name != "firstframe" || ss.Scope.Version != "1" {
		t.Errorf("scope %v", ss.Scope)
	}
	root, failed, wait := ss.Spans[0], ss.Spans[4], ss.Spans[8]
	checkSpan(t, root, "playback", otlp.Span_SPAN_KIND_INTERNAL, r.StartedAt, 812_250_000, map[string]string{
		"firstframe.ok": "bool_value:false", "error.type": `string_value:"http_5xx"`, "firstframe.duration_ms": "double_value:812.25",
		"firstframe.attempts": "int_value:7", "firstframe.started_at": `string_value:"2026-11-23T09:30:00.123456789Z"`})
	if root.Status.GetCode() != otlp.Status_STATUS_CODE_ERROR || len(root.ParentSpanId) != 0 {
		t.Errorf("root: %v, parent %x", root.Status, root.ParentSpanId)
	}
	checkSpan(t, failed, "GET", otlp.Span_SPAN_KIND_CLIENT, r.StartedAt.Add(300_375_000), 98_062_500, map[string]string{
		"http.request.method": `string_value:"GET"`, "server.address": `string_value:"b.example"`, "server.port": "int_value:443",
		"http.response.status_code": "int_value:503", "error.type": `string_value:"503"`, "http.request.resend_count": "int_value:2",
		"network.peer.address": `string_value:"192.0.2.7"`, "network.peer.port": "int_value:443", "network.protocol.version": `string_value:"2"`,
		"http.response.header.x-cache": `array_value:{values:{string_value:"HIT"}}`, "firstframe.step": `string_value:"segment"`})
	checkSpan(t, wait, "wait_player", otlp.Span_SPAN_KIND_INTERNAL, r.StartedAt.Add(712_250_000), 100_000_000, map[string]string{
		"firstframe.step": `string_value:"wait_player"`})
	for i, s := range ss.Spans {
		if i > 0 && !bytes.Equal(s.ParentSpanId, root.SpanId) || len(s.SpanId) != 8 {
			t.Errorf("span %d: id %x, parent %x", i, s.SpanId, s.ParentSpanId)
		}
	}
}

func checkSpan(t *testing.T, s *otlp.Span, name string, kind otlp.Span_SpanKind, start time.Time, length uint64, want map[string]string) {
	t.Helper()
	if s.Name != name || s.Kind != kind {
		t.Errorf("span is %q %v, want %q %v", s.Name, s.Kind, name, kind)
	}
	if s.StartTimeUnixNano != uint64(start.UnixNano()) || s.EndTimeUnixNano-s.StartTimeUnixNano != length {
		t.Errorf("span %s starts at %d and takes %d, want %d and %d", name, s.StartTimeUnixNano, s.EndTimeUnixNano-s.StartTimeUnixNano, start.UnixNano(), length)
	}
	got := map[string]string{}
	for _, kv := range s.Attributes {
		if _, ok := want[kv.Key]; ok {
			got[kv.Key] = strings.ReplaceAll(kv.Value.String(), " ", "")
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("span %s (-want +got):\n%s", name, d)
	}
}

func TestRunsThatCannotBeExported(t *testing.T) {
	tests := map[string]func(*run.Run){
		"no id":                    func(r *run.Run) { r.RunID = "" },
		"upper-case id":            func(r *run.Run) { r.RunID = strings.ToUpper(run.NewID(r.StartedAt)[:31] + "a") },
		"id of another time":       func(r *run.Run) { r.RunID = run.NewID(r.StartedAt.Add(time.Second)) },
		"unknown source":           func(r *run.Run) { r.Source = "x" },
		"NaN":                      func(r *run.Run) { r.TTFFMs = new(math.NaN()) },
		"Inf in a phase":           func(r *run.Run) { r.QueueMs = math.Inf(1) },
		"NaN in a step":            func(r *run.Run) { r.Steps[2].WaitMs = math.NaN() },
		"negative duration":        func(r *run.Run) { r.DurationMs = -1 },
		"year 10000":               func(r *run.Run) { r.ScheduledAt = new(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)) },
		"too many labels":          func(r *run.Run) { r.Labels = manyLabels(run.MaxLabels + 1) },
		"too many steps":           func(r *run.Run) { r.Steps = make([]run.Step, MaxSteps+1) },
		"too many names":           func(r *run.Run) { r.Steps[0].CNAMEs = make([]string, run.MaxCNAMEs+1) },
		"too many connects":        func(r *run.Run) { r.Steps[0].Connects = make([]string, run.MaxConnects+1) },
		"a header's name too long": func(r *run.Run) { r.Steps[0].Headers = map[string][]string{strings.Repeat("x", 257): {"1"}} },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			r := example()
			spoil(&r)
			if _, err := Marshal(r); !errors.Is(err, ErrInvalid) {
				t.Errorf("got %v, want ErrInvalid", err)
			}
		})
	}
}

func manyLabels(n int) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[strings.Repeat("k", i+1)] = "v"
	}
	return m
}

func TestStringsAreMadeToFit(t *testing.T) {
	r := example()
	r.ErrorDetail = strings.Repeat("x", MaxString-1) + "ü and more"
	r.POP = "bad\xff\xfeutf"
	r.Steps[0].Headers = map[string][]string{"server": {"caf\xe9"}}
	got, err := DecodeRun(marshal(t, r), r.RunID, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("x", MaxString-1); got.ErrorDetail != want {
		t.Errorf("error_detail has %d bytes, want %d", len(got.ErrorDetail), len(want))
	}
	if got.POP != "bad\uFFFDutf" || got.Steps[0].Headers["server"][0] != "caf\uFFFD" {
		t.Errorf("got %q and %q", got.POP, got.Steps[0].Headers)
	}
}

func TestExportReturnsTheSinksError(t *testing.T) {
	full := errors.New("disk full")
	e := NewExporter(func(context.Context, []byte) error { return full })
	if err := e.Export(t.Context(), example()); !errors.Is(err, full) {
		t.Errorf("got %v, want the sink's error", err)
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.Export(t.Context(), example()); !errors.Is(err, ErrShutdown) {
		t.Errorf("got %v, want ErrShutdown", err)
	}
}
