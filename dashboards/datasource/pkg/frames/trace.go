package frames

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// Run is what a collector tells of one run.
type Run struct {
	RunID      string    `json:"run_id"`
	StartedAt  time.Time `json:"started_at"`
	DurationMs float64   `json:"duration_ms"`
	OK         bool      `json:"ok"`
	ErrorType  string    `json:"error_type"`
	Detail     string    `json:"error_detail"`
	Target     string    `json:"target"`
	CDN        string    `json:"cdn"`
	Player     string    `json:"player"`
	Steps      []step    `json:"steps"`
	Expired    bool      `json:"steps_expired"` // some steps are kept no longer

	fields map[string]any // all but the steps
}

// step is one request or wait of a run.
type step struct {
	Name    string  `json:"name"`
	Track   string  `json:"track"`
	URL     string  `json:"url"`
	StartMs float64 `json:"start_ms"`
	EndMs   float64 `json:"end_ms"`
	Error   string  `json:"error_type"`
	Detail  string  `json:"error"`

	fields map[string]any
}

// UnmarshalJSON reads a run as the collector writes it.
func (r *Run) UnmarshalJSON(text []byte) error {
	type plain Run
	if err := json.Unmarshal(text, (*plain)(r)); err != nil {
		return fmt.Errorf("frames: run: %w", err)
	}
	var raw struct {
		Steps []map[string]any `json:"steps"`
	}
	if err := json.Unmarshal(text, &r.fields); err != nil {
		return fmt.Errorf("frames: run: %w", err)
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return fmt.Errorf("frames: run: %w", err)
	}
	delete(r.fields, "steps")
	for i := range r.Steps {
		r.Steps[i].fields = raw.Steps[i]
	}
	return nil
}

// tag is a key with a value of a span.
type tag struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
}

// span is a row of a trace's frame.
type span struct {
	id, parent, operation, service string
	start, duration                float64 // ms
	failed, detail                 string
	tags                           []tag
	kind                           string
}

// Trace is one run as the frame that Grafana's trace view draws: a span for
// the run and one for each step. Times are Unix milliseconds, durations
// milliseconds.
func Trace(r *Run) (*data.Frame, error) {
	start := float64(r.StartedAt.UnixMicro()) / 1e3
	root := span{id: id(0), operation: "playback " + r.Target, service: service(r.Player, "player"), start: start, duration: r.DurationMs,
		failed: r.ErrorType, detail: r.Detail, tags: tags(r.fields), kind: "internal"}
	if !r.OK && root.failed == "" {
		root.failed = "failed"
	}
	spans := []span{root}
	for i, s := range r.Steps {
		sp := span{id: id(i + 1), parent: root.id, operation: strings.TrimSpace(s.Name + " " + s.Track), service: root.service,
			start: start + s.StartMs, duration: s.EndMs - s.StartMs, failed: s.Error, detail: s.Detail, tags: tags(s.fields), kind: "internal"}
		if s.URL != "" {
			sp.kind, sp.service = "client", service(r.CDN, host(s.URL))
		}
		spans = append(spans, sp)
	}
	frame, err := traceFrame(r.RunID, spans)
	if err != nil {
		return nil, err
	}
	if r.Expired {
		frame.AppendNotices(data.Notice{Severity: data.NoticeSeverityInfo,
			Text: "The collector keeps this run's steps no longer; the run itself is whole."})
	}
	return frame, nil
}

// traceFrame lays spans out in the columns that Grafana's trace view reads.
func traceFrame(runID string, spans []span) (*data.Frame, error) {
	n := len(spans)
	strs := func(name string) *data.Field { return data.NewField(name, nil, make([]string, n)) }
	traceID, spanID, parent := strs("traceID"), strs("spanID"), data.NewField("parentSpanID", nil, make([]*string, n))
	operation, service, kind := strs("operationName"), strs("serviceName"), strs("kind")
	start, duration := data.NewField("startTime", nil, make([]float64, n)), data.NewField("duration", nil, make([]float64, n))
	status, message := data.NewField("statusCode", nil, make([]int64, n)), strs("statusMessage")
	tagged, serviceTags := data.NewField("tags", nil, make([]json.RawMessage, n)), data.NewField("serviceTags", nil, make([]json.RawMessage, n))
	for i, s := range spans {
		traceID.Set(i, runID)
		spanID.Set(i, s.id)
		if s.parent != "" {
			parent.Set(i, &s.parent)
		}
		operation.Set(i, s.operation)
		service.Set(i, s.service)
		kind.Set(i, s.kind)
		start.Set(i, s.start)
		duration.Set(i, s.duration)
		if s.failed != "" {
			status.Set(i, int64(2)) // as OpenTelemetry numbers it: error
			message.Set(i, strings.TrimSuffix(s.failed+": "+s.detail, ": "))
			s.tags = append(s.tags, tag{"error", true}) // what the trace view marks red
		}
		text, err := json.Marshal(s.tags)
		if err != nil {
			return nil, fmt.Errorf("frames: tags of span %s: %w", s.id, err)
		}
		tagged.Set(i, json.RawMessage(text))
		serviceTags.Set(i, json.RawMessage("[]"))
	}
	frame := data.NewFrame("Run "+runID, traceID, spanID, parent, operation, service, serviceTags, start, duration, kind, status, message, tagged)
	frame.Meta = &data.FrameMeta{PreferredVisualization: data.VisTypeTrace, Custom: map[string]any{"traceFormat": "otlp"}}
	return frame, nil
}

// id numbers a run's spans; they have no ids of their own in the collector's
// answer.
func id(i int) string { return fmt.Sprintf("%016x", i+1) }

// service is name, or instead when there is none.
func service(name, instead string) string {
	if name == "" {
		return instead
	}
	return name
}

func host(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "request"
	}
	return u.Host
}

// tags are the fields that are known, in alphabetical order; maps and lists as
// JSON.
func tags(fields map[string]any) []tag {
	list := []tag{}
	for key, v := range fields {
		if v == nil || key == "error" { // whose name the trace view takes for a mark
			continue
		}
		switch v.(type) {
		case map[string]any, []any:
			text, _ := json.Marshal(v) // cannot fail: it was JSON just before
			v = string(text)
		}
		list = append(list, tag{key, v})
	}
	slices.SortFunc(list, func(a, b tag) int { return strings.Compare(a.Key, b.Key) })
	return list
}
