package trace

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	oteltrace "go.opentelemetry.io/otel/trace"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/firstframe/firstframe/probes/run"
)

// Exporter turns runs into OTLP requests, one per run, and hands each to its
// sink before Export returns. It batches, samples and drops nothing, whatever
// OTEL_* says. It is safe for concurrent use; the sink is called concurrently.
type Exporter struct {
	out *otlptrace.Exporter

	mu       sync.Mutex // one run at a time is made into spans; sinks run outside
	agent    [2]string  // name and version that the provider was made for
	provider *sdk.TracerProvider
	spans    collector
	down     bool
}

// NewExporter makes an Exporter whose runs go to sink as marshalled
// ExportTraceServiceRequests. The body is the sink's to keep.
func NewExporter(sink func(ctx context.Context, body []byte) error) *Exporter {
	e := &Exporter{out: otlptrace.NewUnstarted(client{sink})}
	e.out.Start(context.Background()) // fails only when called twice
	return e
}

// Export hands r to the sink as one request and returns the sink's error.
// ErrInvalid says that r cannot be exported at all, ErrShutdown that the
// Exporter is shut down.
func (e *Exporter) Export(ctx context.Context, r run.Run) error {
	spans, err := e.record(&r)
	if err != nil {
		return err
	}
	if err := e.out.ExportSpans(ctx, spans); err != nil {
		return fmt.Errorf("trace: run %s: %w", r.RunID, err)
	}
	return nil
}

// Shutdown makes every later Export fail with ErrShutdown. It does not wait
// for those under way.
func (e *Exporter) Shutdown(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.down {
		return nil
	}
	e.down = true
	if e.provider != nil {
		if err := e.provider.Shutdown(ctx); err != nil {
			return fmt.Errorf("trace: %w", err)
		}
	}
	return e.out.Shutdown(ctx)
}

// Marshal is r as an OTLP ExportTraceServiceRequest in protobuf. It fails with
// ErrInvalid.
func Marshal(r run.Run) ([]byte, error) {
	var body []byte
	e := NewExporter(func(_ context.Context, b []byte) error {
		body = b
		return nil
	})
	if err := e.Export(context.Background(), r); err != nil {
		return nil, err
	}
	return body, e.Shutdown(context.Background())
}

// record makes the run's spans, the root first.
func (e *Exporter) record(r *run.Run) ([]sdk.ReadOnlySpan, error) {
	id, err := check(r)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.down {
		return nil, fmt.Errorf("trace: run %s: %w", r.RunID, ErrShutdown)
	}
	tracer := e.tracer(r)
	e.spans.reset(len(r.Steps) + 1)
	ctx := context.WithValue(context.Background(), idsKey{}, &ids{trace: id})
	ctx, root := tracer.Start(ctx, rootName, oteltrace.WithNewRoot(), oteltrace.WithTimestamp(r.StartedAt))
	root.SetAttributes(rootAttributes(r)...)
	if !r.OK {
		root.SetStatus(codes.Error, text(r.ErrorDetail))
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		_, span := tracer.Start(ctx, stepSpanName(s), oteltrace.WithSpanKind(stepKind(s)), oteltrace.WithTimestamp(at(r.StartedAt, s.StartMs)))
		span.SetAttributes(stepAttributes(s, i)...)
		if s.Error != "" {
			span.SetStatus(codes.Error, text(s.Detail))
		}
		span.End(oteltrace.WithTimestamp(at(r.StartedAt, s.EndMs)))
	}
	root.End(oteltrace.WithTimestamp(at(r.StartedAt, r.DurationMs)))
	return e.spans.take(), nil
}

// tracer is that of a provider for the run's agent, which is part of the
// resource. An agent exports its own runs, so one is kept.
func (e *Exporter) tracer(r *run.Run) oteltrace.Tracer {
	agent := [2]string{r.Agent, r.AgentVersion}
	if e.provider == nil || e.agent != agent {
		e.agent = agent
		attrs := []attr{semconv.ServiceName(serviceName)}
		attrs = appendString(attrs, semconv.ServiceInstanceIDKey, r.Agent)
		attrs = appendString(attrs, semconv.ServiceVersionKey, r.AgentVersion)
		e.provider = sdk.NewTracerProvider(
			sdk.WithResource(resource.NewWithAttributes(semconv.SchemaURL, attrs...)),
			sdk.WithSampler(sdk.AlwaysSample()),
			sdk.WithRawSpanLimits(sdk.SpanLimits{
				AttributeValueLengthLimit: -1, AttributeValueDepthLimit: -1, AttributeCountLimit: -1,
				EventCountLimit: -1, LinkCountLimit: -1, AttributePerEventCountLimit: -1, AttributePerLinkCountLimit: -1,
			}),
			sdk.WithIDGenerator(idGenerator{}),
			sdk.WithSpanProcessor(&e.spans),
		)
	}
	return e.provider.Tracer(scopeName, oteltrace.WithInstrumentationVersion(Version),
		oteltrace.WithSchemaURL(semconv.SchemaURL))
}

// at is ms after t, as far as span times reach.
func at(t time.Time, ms float64) time.Time {
	const most = float64(1 << 62)
	return t.Add(time.Duration(min(max(ms*1e6, -most), most)))
}

// collector is a span processor that keeps the spans of the run at hand.
// Exporter.mu guards it.
type collector struct{ spans []sdk.ReadOnlySpan }

func (c *collector) reset(n int) { c.spans = make([]sdk.ReadOnlySpan, 1, n) }

// take is the spans with the root, which ends last, in front.
func (c *collector) take() []sdk.ReadOnlySpan {
	s := c.spans
	c.spans = nil
	last := len(s) - 1
	s[0] = s[last]
	return s[:last]
}

// OnEnd keeps the span.
func (c *collector) OnEnd(s sdk.ReadOnlySpan) { c.spans = append(c.spans, s) }

// OnStart does nothing, as do Shutdown and ForceFlush: no span waits here.
func (*collector) OnStart(context.Context, sdk.ReadWriteSpan) {}

func (*collector) Shutdown(context.Context) error   { return nil }
func (*collector) ForceFlush(context.Context) error { return nil }

// ids are those of the run whose spans are made under a context.
type ids struct {
	trace oteltrace.TraceID
	next  uint32
}

type idsKey struct{}

// idGenerator takes the run's ids from the context.
type idGenerator struct{}

// NewIDs is the run's id and the root's span id.
func (g idGenerator) NewIDs(ctx context.Context) (oteltrace.TraceID, oteltrace.SpanID) {
	id := ctx.Value(idsKey{}).(*ids).trace
	return id, g.NewSpanID(ctx, id)
}

// NewSpanID is the next span id of the run.
func (idGenerator) NewSpanID(ctx context.Context, id oteltrace.TraceID) oteltrace.SpanID {
	n := ctx.Value(idsKey{}).(*ids)
	n.next++
	return spanID(id, n.next-1)
}

// client hands what otlptrace would send to the sink.
type client struct {
	sink func(context.Context, []byte) error
}

// Start and Stop do nothing: there is no connection.
func (client) Start(context.Context) error { return nil }

func (client) Stop(context.Context) error { return nil }

// UploadTraces marshals one request and hands it on. TracesData is the same on
// the wire as ExportTraceServiceRequest, whose package would link a gateway.
func (c client) UploadTraces(ctx context.Context, spans []*otlp.ResourceSpans) error {
	body, err := proto.Marshal(&otlp.TracesData{ResourceSpans: spans})
	if err != nil {
		return fmt.Errorf("marshal: %w", err)
	}
	return c.sink(ctx, body)
}
