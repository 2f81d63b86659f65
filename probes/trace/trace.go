// Package trace carries a run as one OpenTelemetry trace and back.
//
// [Marshal] and [Exporter] write a run with the OpenTelemetry SDK as one OTLP
// ExportTraceServiceRequest; [Decode] reads the runs of a request without
// their steps, [DecodeRun] one run with them. Requests may be concatenated:
// the result is a request that holds the runs of both.
//
// The root span "playback" is INTERNAL and alone enough for the row of a run:
// every field of [run.Fields] that is known is its attribute
// "firstframe.<name>"; times are RFC 3339 strings in UTC with nanoseconds,
// labels a map of strings. Each step is a child: a request attempt is a CLIENT
// span by the semantic conventions for HTTP client spans 1.43
// (opentelemetry.io/docs/specs/semconv/http/http-spans), a wait an INTERNAL
// span; what the conventions have no name for stands in "firstframe."
// attributes. Numbers are kept exactly: offsets and durations of steps as
// attributes in milliseconds, span times (whole nanoseconds) are for viewers.
//
// Span ids follow from the run's id and the step's place, so that the same run
// always gives the same bytes and a span that arrives twice is told by its id.
package trace

import (
	"errors"

	"go.opentelemetry.io/otel/attribute"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// Version is the version of the datum: that of the instrumentation scope.
const Version = "1"

// The bounds of a run on the wire.
const (
	MaxString  = 16 << 10 // bytes of a string; the encoder cuts longer ones at a rune
	MaxSteps   = 4096     // steps of a run
	MaxHeaders = 64       // header names of a step
	maxKey     = 256      // bytes of a label's or a header's name
)

var (
	// ErrInvalid: the run cannot be a trace, such as one with a bad id, with
	// NaN in a field, or beyond a bound.
	ErrInvalid = errors.New("invalid run")
	// ErrMalformed: the body is not an ExportTraceServiceRequest.
	ErrMalformed = errors.New("malformed OTLP")
	// ErrLimit: the body goes beyond one of the Limits.
	ErrLimit = errors.New("over the limit")
	// ErrNotFound: the body does not hold the run that was asked for.
	ErrNotFound = errors.New("run not found")
	// ErrShutdown: the Exporter was shut down.
	ErrShutdown = errors.New("exporter is shut down")
)

// The names of the contract.
const (
	scopeName   = "firstframe"
	rootName    = "playback"
	serviceName = "firstframe-agent"
	prefix      = "firstframe."
	headerKey   = "http.response.header."
	timeLayout  = "2006-01-02T15:04:05.000000000Z"
)

// The attributes of a step that the semantic conventions do not name.
const (
	keyIndex   = attribute.Key(prefix + "index") // place among the run's steps, from 0
	keyStep    = attribute.Key(prefix + "step")
	keyTrack   = attribute.Key(prefix + "track")
	keyAttempt = attribute.Key(prefix + "attempt")
	keyStart   = attribute.Key(prefix + "start_ms")
	keyEnd     = attribute.Key(prefix + "end_ms")
	keyQueue   = attribute.Key(prefix + "queue_ms")
	keyDNS     = attribute.Key(prefix + "dns_ms")
	keyConnect = attribute.Key(prefix + "connect_ms")
	keyTLS     = attribute.Key(prefix + "tls_ms")
	keyWait    = attribute.Key(prefix + "wait_ms")
	keyReceive = attribute.Key(prefix + "receive_ms")
	keyBytes   = attribute.Key(prefix + "bytes")
	keyReused  = attribute.Key(prefix + "reused")
	keyError   = attribute.Key(prefix + "error_type") // as conventions want error.type to be the status where there is one
	keyDetail  = attribute.Key(prefix + "error")

	keyConnects = attribute.Key(prefix + "connects")
	keyCNAMEs   = attribute.Key(prefix + "cnames")
)

// spanID is the id of the root (place 0) or of a step (its index + 1).
func spanID(id oteltrace.TraceID, place uint32) (s oteltrace.SpanID) {
	copy(s[:4], id[8:12])
	place++
	s[4], s[5], s[6], s[7] = byte(place>>24), byte(place>>16), byte(place>>8), byte(place)
	return s
}
