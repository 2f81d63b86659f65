package trace

import (
	"errors"
	"fmt"

	"github.com/VictoriaMetrics/easyproto"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/firstframe/firstframe/probes/run"
)

// Limits bound what a request may hold. The zero value means the defaults.
// Depth needs no bound: values are read two levels deep and never recursively.
type Limits struct {
	Runs       int // runs of a request; 0 means 10 000
	Spans      int // spans of a request; 0 means 250 000
	Attributes int // attributes of a span; 0 means 512
	String     int // bytes of one string; 0 means 64 KiB
}

func (l Limits) orDefault() Limits {
	set := func(p *int, n int) {
		if *p <= 0 {
			*p = n
		}
	}
	set(&l.Runs, 10_000)
	set(&l.Spans, 250_000)
	set(&l.Attributes, 512)
	set(&l.String, 64<<10)
	return l
}

// maxMessages bounds Result.Messages; the last then counts the others.
const maxMessages = 16

// Result is what became of the spans of a request. Runs' spans, those of
// Orphans and Rejected add up to Spans.
type Result struct {
	Spans    int      // in the request
	Runs     int      // handed out
	Rejected int      // spans that are no part of a run that was taken
	Messages []string // why, at most 16; for OTLP's partial success
	Orphans  []Orphan // steps whose root is not in this request
	Unknown  int      // "firstframe." attributes of roots that this version does not know; ignored
}

// Orphan is a trace whose steps came without their root. They belong to the
// run of that id, which may have come or may come in another request.
type Orphan struct {
	RunID string
	Spans int
}

// Decode reads the runs of an ExportTraceServiceRequest, without their steps,
// and calls fn for each; an error of fn ends Decode and is returned. fn is
// called only when all of body has proved to be well formed and within limits.
// Each run is fn's to keep, but its strings are parts of body, which must not
// be changed while they are in use.
//
// A run that cannot be taken is counted in Result.Rejected, with its reason in
// Result.Messages. The error is ErrMalformed or ErrLimit when the whole request
// is refused.
func Decode(body []byte, limits Limits, fn func(*run.Run) error) (Result, error) {
	d := decoder{limits: limits.orDefault(), index: map[oteltrace.TraceID]int{}}
	if err := eachSpan(body, d.span); err != nil {
		return Result{Spans: d.res.Spans}, err
	}
	d.settle()
	for _, r := range d.runs {
		if err := fn(r); err != nil {
			return d.res, err
		}
		d.res.Runs++
	}
	return d.res, nil
}

// decoder holds the state of one Decode.
type decoder struct {
	limits  Limits
	res     Result
	runs    []*run.Run
	groups  []group // one per trace
	index   map[oteltrace.TraceID]int
	last    int // the group of the span before
	spare   *slot
	refused int // calls of reject
}

// group counts the steps of a trace until all roots are known.
type group struct {
	id     oteltrace.TraceID
	state  state
	unsure int // step spans
}

type state uint8

const (
	rootless state = iota
	taken
	refused
)

// span takes one span of the given scope.
func (d *decoder) span(scope string, src []byte) error {
	d.res.Spans++
	if d.res.Spans > d.limits.Spans {
		return fmt.Errorf("trace: more than %d spans: %w", d.limits.Spans, ErrLimit)
	}
	h, err := parseHead(src)
	if err != nil {
		return err
	}
	switch {
	case scope != scopeName:
		d.reject(1, "scope %.60q is not %q", scope, scopeName)
	case !h.hasID || !h.id.IsValid() || len(h.span) != 8:
		d.reject(1, "a span's trace or span id has a wrong size or is 0")
	case h.attributes > d.limits.Attributes:
		return fmt.Errorf("trace: span with %d attributes, at most %d: %w", h.attributes, d.limits.Attributes, ErrLimit)
	case len(h.parent) > 0:
		d.group(h.id).unsure++
	case h.name != rootName:
		d.reject(1, "trace %s: root span is named %.60q, not %q", h.id, h.name, rootName)
	default:
		return d.root(&h, src)
	}
	return nil
}

// root takes a run, or refuses it with a reason.
func (d *decoder) root(h *head, src []byte) error {
	if d.spare == nil {
		d.spare = new(slot)
	}
	g := d.group(h.id)
	err := d.spare.decode(h.id, src, d.limits, &d.res.Unknown)
	switch {
	case errors.Is(err, ErrMalformed):
		return err
	case err != nil:
		d.reject(1, "run %s: %v", h.id, err)
		*d.spare = slot{}
		if g.state == rootless {
			g.state = refused
		}
		return nil
	case len(d.runs) == d.limits.Runs:
		return fmt.Errorf("trace: more than %d runs: %w", d.limits.Runs, ErrLimit)
	}
	g.state = taken
	d.runs = append(d.runs, &d.spare.run)
	d.spare = nil
	return nil
}

// group is that of the trace. Spans of a trace mostly follow one another.
func (d *decoder) group(id oteltrace.TraceID) *group {
	if d.last < len(d.groups) && d.groups[d.last].id == id {
		return &d.groups[d.last]
	}
	i, ok := d.index[id]
	if !ok {
		i = len(d.groups)
		d.index[id] = i
		d.groups = append(d.groups, group{id: id})
	}
	d.last = i
	return &d.groups[i]
}

// settle decides about steps once all roots are known.
func (d *decoder) settle() {
	for _, g := range d.groups {
		switch {
		case g.unsure == 0 || g.state == taken:
		case g.state == refused:
			d.res.Rejected += g.unsure
		default:
			d.res.Orphans = append(d.res.Orphans, Orphan{RunID: g.id.String(), Spans: g.unsure})
		}
	}
	if more := d.refused - maxMessages; more > 0 {
		d.res.Messages[maxMessages-1] = fmt.Sprintf("and %d more", more+1)
	}
}

// reject counts n spans and keeps the reason while there is room.
func (d *decoder) reject(n int, format string, args ...any) {
	d.res.Rejected += n
	d.refused++
	if d.refused <= maxMessages {
		d.res.Messages = append(d.res.Messages, fmt.Sprintf(format, args...))
	}
}

// eachSpan walks ExportTraceServiceRequest > ResourceSpans > ScopeSpans.
func eachSpan(body []byte, fn func(scope string, span []byte) error) error {
	return eachMessage(body, 1, func(resource []byte) error {
		return eachMessage(resource, 2, func(spans []byte) error {
			scope, err := scopeOf(spans)
			if err != nil {
				return err
			}
			return eachMessage(spans, 2, func(span []byte) error { return fn(scope, span) })
		})
	})
}

// eachMessage calls fn for each message with the number num in src.
func eachMessage(src []byte, num uint32, fn func([]byte) error) error {
	var fc easyproto.FieldContext
	var err error
	for len(src) > 0 {
		if src, err = fc.NextField(src); err != nil {
			return malformed("%v", err)
		}
		if fc.FieldNum != num {
			continue
		}
		msg, ok := fc.MessageData()
		if !ok {
			return malformed("field %d is not a message", num)
		}
		if err := fn(msg); err != nil {
			return err
		}
	}
	return nil
}

// scopeOf is the name of the ScopeSpans' scope, wherever it stands.
func scopeOf(spans []byte) (name string, err error) {
	err = eachMessage(spans, 1, func(scope []byte) error {
		s, ok, err := easyproto.GetString(scope, 1)
		if err != nil {
			return malformed("scope: %v", err)
		}
		if ok {
			name = s
		}
		return nil
	})
	return name, err
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("trace: %w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// head is what must be known of a span before its attributes are read.
type head struct {
	id         oteltrace.TraceID
	hasID      bool
	span       []byte
	parent     []byte
	name       string
	attributes int
}

// parseHead reads opentelemetry.proto.trace.v1.Span but its attributes.
func parseHead(src []byte) (h head, err error) {
	var fc easyproto.FieldContext
	for len(src) > 0 {
		if src, err = fc.NextField(src); err != nil {
			return h, malformed("span: %v", err)
		}
		ok := true
		switch fc.FieldNum {
		case 1:
			var id []byte
			id, ok = fc.Bytes()
			h.hasID = len(id) == len(h.id)
			copy(h.id[:], id)
		case 2:
			h.span, ok = fc.Bytes()
		case 4:
			h.parent, ok = fc.Bytes()
		case 5:
			h.name, ok = fc.String()
		case 9:
			h.attributes++
		}
		if !ok {
			return h, malformed("span: field %d has a wrong type", fc.FieldNum)
		}
	}
	return h, nil
}

// parseRunID is id as a trace id.
func parseRunID(id string) (oteltrace.TraceID, error) {
	b, err := run.ParseID(id)
	return b, err
}
