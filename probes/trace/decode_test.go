package trace

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/firstframe/firstframe/probes/run"
)

// spoiled is example as a request that was changed on the way.
func spoiled(t testing.TB, change func(*otlp.TracesData)) []byte {
	t.Helper()
	var req otlp.TracesData
	if err := proto.Unmarshal(marshal(t, example()), &req); err != nil {
		t.Fatal(err)
	}
	change(&req)
	body, err := proto.Marshal(&req)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func scopeSpans(req *otlp.TracesData) *otlp.ScopeSpans { return req.ResourceSpans[0].ScopeSpans[0] }
func rootSpan(req *otlp.TracesData) *otlp.Span         { return scopeSpans(req).Spans[0] }

// setAttr changes or adds an attribute of the root; nil removes it.
func setAttr(key string, v *common.AnyValue) func(*otlp.TracesData) {
	return func(req *otlp.TracesData) {
		root := rootSpan(req)
		var kept []*common.KeyValue
		for _, kv := range root.Attributes {
			if kv.Key != key {
				kept = append(kept, kv)
			}
		}
		if v != nil {
			kept = append(kept, &common.KeyValue{Key: key, Value: v})
		}
		root.Attributes = kept
	}
}

func str(s string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: s}}
}

func num(f float64) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: f}}
}

func labels(n int) *common.AnyValue {
	list := &common.KeyValueList{}
	for i := range n {
		list.Values = append(list.Values, &common.KeyValue{Key: fmt.Sprint(i), Value: str("v")})
	}
	return &common.AnyValue{Value: &common.AnyValue_KvlistValue{KvlistValue: list}}
}

func TestRefusedRuns(t *testing.T) {
	tests := []struct {
		name     string
		change   func(*otlp.TracesData)
		rejected int
		message  string
	}{
		{"NaN", setAttr("firstframe.ttff_ms", num(math.NaN())), 9, "ttff_ms is NaN"},
		{"Inf", setAttr("firstframe.queue_ms", num(math.Inf(-1))), 9, "queue_ms is -Inf"},
		{"negative duration", setAttr("firstframe.duration_ms", num(-1)), 9, "duration_ms is -1"},
		{"unknown source", setAttr("firstframe.source", str("moon")), 9, `source "moon" is none of`},
		{"wrong type", setAttr("firstframe.ttff_ms", str("812")), 9, "firstframe.ttff_ms: is of type string, not double"},
		{"empty value", setAttr("firstframe.ok", &common.AnyValue{}), 9, "firstframe.ok: is of type empty, not bool"},
		{"missing field", setAttr("firstframe.bytes", nil), 9, "firstframe.bytes is missing"},
		{"other run_id", setAttr("firstframe.run_id", str(run.NewID(example().StartedAt))), 9, "is not the trace id"},
		{"id of another time", setAttr("firstframe.started_at", str("2026-11-23T09:30:01.000000000Z")), 9, "does not match run_id"},
		{"no time", setAttr("firstframe.scheduled_at", str("yesterday")), 9, "is not an RFC 3339 time"},
		{"string too long", setAttr("firstframe.city", str(strings.Repeat("x", 64<<10+1))), 9, "has 65537 bytes"},
		{"too many labels", setAttr("firstframe.labels", labels(run.MaxLabels+1)), 9, "more than 16 labels"},
		{"foreign scope", func(r *otlp.TracesData) { scopeSpans(r).Scope.Name = "other" }, 9, `scope "other" is not "firstframe"`},
		{"no scope", func(r *otlp.TracesData) { scopeSpans(r).Scope = nil }, 9, `scope "" is not "firstframe"`},
		{"other root", func(r *otlp.TracesData) { rootSpan(r).Name = "GET /" }, 1, `root span is named "GET /"`},
		{"short trace id", func(r *otlp.TracesData) { rootSpan(r).TraceId = []byte{1, 2} }, 1, "wrong size"},
		{"trace id 0", func(r *otlp.TracesData) { rootSpan(r).TraceId = make([]byte, 16) }, 1, "is 0"},
		{"no span id", func(r *otlp.TracesData) { rootSpan(r).SpanId = nil }, 1, "wrong size"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := append(spoiled(t, tt.change), marshal(t, example())...)
			rows, res := decodeAll(t, body)
			if len(rows) != 1 || res.Runs != 1 || res.Spans != 18 {
				t.Errorf("%d rows, result %+v; want the good run alone", len(rows), res)
			}
			if res.Rejected != tt.rejected || len(res.Messages) == 0 || !strings.Contains(res.Messages[0], tt.message) {
				t.Errorf("rejected %d: %q, want %d: %q", res.Rejected, res.Messages, tt.rejected, tt.message)
			}
			orphans := 0
			for _, o := range res.Orphans {
				orphans += o.Spans
			}
			if res.Rejected+orphans+9 != res.Spans {
				t.Errorf("spans do not add up: %+v", res)
			}
			if len(res.Messages) > maxMessages {
				t.Errorf("%d messages", len(res.Messages))
			}
		})
	}
}

func TestNewerAgentsFieldsAreIgnoredAndCounted(t *testing.T) {
	rows, res := decodeAll(t, spoiled(t, setAttr("firstframe.newer", labels(3))))
	if len(rows) != 1 || res.Unknown != 1 || res.Rejected != 0 {
		t.Errorf("%d rows, %+v", len(rows), res)
	}
}

func TestStepsApartFromTheirRoot(t *testing.T) {
	var id string
	var root []byte
	steps := spoiled(t, func(r *otlp.TracesData) { // the steps alone, the last first
		s := scopeSpans(r)
		all := s.Spans
		id = hex.EncodeToString(all[0].TraceId)
		s.Spans = all[:1]
		var err error
		if root, err = proto.Marshal(r); err != nil {
			t.Fatal(err)
		}
		s.Spans = all[1:]
		slices.Reverse(s.Spans)
	})
	rows, res := decodeAll(t, steps)
	if d := cmp.Diff([]Orphan{{id, 8}}, res.Orphans); len(rows) != 0 || res.Rejected != 0 || d != "" {
		t.Errorf("%d rows, %+v", len(rows), res)
	}
	if _, err := DecodeRun(steps, id, Limits{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("DecodeRun: %v, want ErrNotFound", err)
	}
	got, err := DecodeSteps(steps, id, Limits{})
	if d := cmp.Diff(example().Steps, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	// In one body they join, whatever comes first.
	for _, body := range [][]byte{append(bytes.Clone(steps), root...), append(bytes.Clone(root), steps...)} {
		if rows, res := decodeAll(t, body); len(rows) != 1 || res.Orphans != nil {
			t.Errorf("%d rows, %+v", len(rows), res)
		}
		if r, err := DecodeRun(body, id, Limits{}); err != nil || len(r.Steps) != 8 {
			t.Errorf("%v, %v", r, err)
		}
	}
}

func TestBrokenBodiesGiveNothing(t *testing.T) {
	whole := append(marshal(t, example()), marshal(t, example())...)
	called := func(*run.Run) error { t.Error("fn was called"); return nil }
	for cut := len(whole) - 1; cut > len(whole)/2; cut -= 97 {
		if _, err := Decode(whole[:cut], Limits{}, called); !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut at %d: %v, want ErrMalformed", cut, err)
		}
	}
	for _, body := range []string{"<html>", "\x0a\xff\xff\xff\xff\x7f", "\x08\x01\x0b"} {
		if _, err := Decode([]byte(body), Limits{}, called); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v, want ErrMalformed", body, err)
		}
	}
	for name, l := range map[string]Limits{"runs": {Runs: 1}, "spans": {Spans: 17}, "attributes": {Attributes: 60}} {
		if _, err := Decode(whole, l, called); !errors.Is(err, ErrLimit) {
			t.Errorf("limit of %s: %v, want ErrLimit", name, err)
		}
	}
	stop := errors.New("stop")
	if _, err := Decode(whole, Limits{}, func(*run.Run) error { return stop }); err != stop {
		t.Errorf("%v, want fn's error", err)
	}
	if _, err := Decode(nil, Limits{}, called); err != nil {
		t.Errorf("empty request: %v", err)
	}
}

func TestJSON(t *testing.T) {
	want := example()
	req := ptraceotlp.NewExportRequest()
	if err := req.UnmarshalProto(marshal(t, want)); err != nil {
		t.Fatal(err)
	}
	text, err := req.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(want.RunID)) {
		t.Error("the trace id is not in hex")
	}
	body, err := JSONToProto(text)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeRun(body, want.RunID, Limits{})
	if d := cmp.Diff(&want, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	deep := `{"x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "}"
	if _, err := JSONToProto([]byte(deep)); !errors.Is(err, ErrLimit) {
		t.Errorf("deep: %v, want ErrLimit", err)
	}
	for _, bad := range []string{"", "<html>", `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}`, `{"resourceSpans":`} {
		if _, err := JSONToProto([]byte(bad)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v, want ErrMalformed", bad, err)
		}
	}
}

// small is a run with few fields and always the same id: fuzzing gets on best
// with short seeds.
func small() run.Run {
	r := run.Run{
		RunID: "019fae4fa9c000112233445566778899", Source: run.SourceFleet, OK: true, TTFFMs: new(1.5),
		Steps: []run.Step{{Name: run.StepSegment, URL: "http://a/b", Remote: "[::1]:80", Headers: map[string][]string{"age": {"3"}}}, {Name: run.WaitRetry}},
	}
	r.StartedAt, _ = run.IDTime(r.RunID)
	return r
}

func FuzzDecode(f *testing.F) {
	r := small()
	body := marshal(f, r)
	f.Add(body)
	f.Add(append(bytes.Clone(body), body...))
	f.Add(body[:len(body)-1])
	r.Steps = r.Steps[:1]
	r.Labels = map[string]string{"a": "b"}
	f.Add(marshal(f, r))
	f.Add([]byte("\x0a\xff\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var ids []string
		res, err := Decode(body, Limits{}, func(r *run.Run) error {
			ids = append(ids, r.RunID)
			if _, err := Marshal(*r); err != nil {
				t.Errorf("a run that was taken cannot be written again: %v", err)
			}
			return nil
		})
		orphans := 0
		for _, o := range res.Orphans {
			orphans += o.Spans
		}
		if err == nil && res.Runs+res.Rejected+orphans > res.Spans {
			t.Errorf("more spans came out than in: %+v", res)
		}
		for _, id := range ids {
			if _, err := DecodeRun(body, id, Limits{}); err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrLimit) {
				t.Errorf("run %s: %v", id, err)
			}
		}
	})
}

func FuzzJSONToProto(f *testing.F) {
	req := ptraceotlp.NewExportRequest()
	if err := req.UnmarshalProto(marshal(f, small())); err != nil {
		f.Fatal(err)
	}
	text, err := req.MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"resourceSpans":[{"resource":null}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		body, err := JSONToProto(text)
		if err != nil {
			return
		}
		if _, err := Decode(body, Limits{}, func(*run.Run) error { return nil }); errors.Is(err, ErrMalformed) {
			t.Errorf("what was made of the JSON is malformed: %v", err)
		}
	})
}

// BenchmarkDecode reads the same request, of 20 runs of 9 spans, with this
// package and with two others that only build their own values.
func BenchmarkDecode(b *testing.B) {
	var body []byte
	for range 20 {
		body = append(body, marshal(b, example())...)
	}
	const spans = 20 * 9
	report := func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/spans, "ns/span")
	}
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if res, err := Decode(body, Limits{}, func(*run.Run) error { return nil }); err != nil || res.Runs != 20 {
				b.Fatal(res, err)
			}
		}
		report(b)
	})
	b.Run("pdata", func(b *testing.B) {
		for b.Loop() {
			req := ptraceotlp.NewExportRequest()
			if err := req.UnmarshalProto(body); err != nil || req.Traces().SpanCount() != spans {
				b.Fatal(err)
			}
		}
		report(b)
	})
	b.Run("protobuf-go", func(b *testing.B) {
		for b.Loop() {
			var req otlp.TracesData
			if err := proto.Unmarshal(body, &req); err != nil || len(req.ResourceSpans) != 20 {
				b.Fatal(err)
			}
		}
		report(b)
	})
}

func BenchmarkExport(b *testing.B) {
	var size int
	e := NewExporter(func(_ context.Context, body []byte) error {
		size = len(body)
		return nil
	})
	r := example()
	b.ReportAllocs()
	for b.Loop() {
		if err := e.Export(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size), "B/run")
}
