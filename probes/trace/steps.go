package trace

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/firstframe/firstframe/probes/run"
)

// DecodeRun reads the run of that id from a request, with its steps. Strings
// are parts of body. It fails with ErrNotFound when the run's root is not
// there, else as Decode does; a reason for which Decode would have refused the
// run is an ErrInvalid.
func DecodeRun(body []byte, runID string, limits Limits) (*run.Run, error) {
	d, err := decodeTrace(body, runID, limits)
	if err != nil {
		return nil, err
	}
	if d.root == nil {
		return nil, fmt.Errorf("trace: run %s: %w", runID, ErrNotFound)
	}
	s := new(slot)
	var unknown int
	if err := s.decode(d.id, d.root, d.limits, &unknown); err != nil {
		return nil, invalid(runID, err)
	}
	s.run.Steps = d.steps()
	return &s.run, nil
}

// DecodeSteps reads the steps of the run of that id from a request that need
// not hold its root, in their order: see Result.Orphans. None is no error.
func DecodeSteps(body []byte, runID string, limits Limits) ([]run.Step, error) {
	d, err := decodeTrace(body, runID, limits)
	if err != nil {
		return nil, err
	}
	return d.steps(), nil
}

// oneTrace collects the spans of one run.
type oneTrace struct {
	id     oteltrace.TraceID
	limits Limits
	spans  int
	root   []byte
	seen   map[oteltrace.SpanID]bool // a run that was sent twice has each span twice
	parts  []part
}

type part struct {
	index int64
	step  run.Step
}

func decodeTrace(body []byte, runID string, limits Limits) (*oneTrace, error) {
	id, err := parseRunID(runID)
	if err != nil {
		return nil, fmt.Errorf("trace: %w: %w", ErrInvalid, err)
	}
	d := &oneTrace{id: id, limits: limits.orDefault(), seen: map[oteltrace.SpanID]bool{}}
	return d, eachSpan(body, d.span)
}

// steps are those that were found, by their index.
func (d *oneTrace) steps() []run.Step {
	slices.SortStableFunc(d.parts, func(a, b part) int { return cmp.Compare(a.index, b.index) })
	var steps []run.Step
	for _, p := range d.parts {
		steps = append(steps, p.step)
	}
	return steps
}

func (d *oneTrace) span(scope string, src []byte) error {
	if d.spans++; d.spans > d.limits.Spans {
		return fmt.Errorf("trace: more than %d spans: %w", d.limits.Spans, ErrLimit)
	}
	h, err := parseHead(src)
	if err != nil {
		return err
	}
	if scope != scopeName || !h.hasID || h.id != d.id || len(h.span) != 8 {
		return nil
	}
	if h.attributes > d.limits.Attributes {
		return fmt.Errorf("trace: span with %d attributes, at most %d: %w", h.attributes, d.limits.Attributes, ErrLimit)
	}
	if len(h.parent) == 0 {
		if h.name == rootName && d.root == nil {
			d.root = src
		}
		return nil
	}
	id := oteltrace.SpanID(h.span)
	if d.seen[id] {
		return nil
	}
	d.seen[id] = true
	if len(d.parts) == MaxSteps {
		return fmt.Errorf("trace: run %s: more than %d steps: %w", d.id, MaxSteps, ErrLimit)
	}
	return d.step(src)
}

// step reads a child span.
func (d *oneTrace) step(src []byte) error {
	var p part
	port := int64(-1)
	err := eachMessage(src, 9, func(kv []byte) error {
		key, v, err := parseKeyValue(kv)
		if err != nil {
			return err
		}
		if v.kind == kindString {
			if err := checkString(v.str, d.limits); err != nil {
				return invalid(d.id.String(), fmt.Errorf("%.60q %w", key, err))
			}
		}
		if name, ok := strings.CutPrefix(key, headerKey); ok && v.kind == kindArray {
			return d.header(&p.step, name, v.sub)
		}
		switch key {
		case string(keyConnects):
			if v.kind == kindArray {
				p.step.Connects, err = d.texts(key, v.sub, run.MaxConnects)
			}
			return err
		case string(keyCNAMEs):
			if v.kind == kindArray {
				p.step.CNAMEs, err = d.texts(key, v.sub, run.MaxCNAMEs)
			}
			return err
		case string(keyIndex):
			p.index = v.num
		case string(semconv.NetworkPeerPortKey):
			port = v.num
		default:
			setStep(&p.step, key, v)
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.step.Remote = joinPeer(p.step.Remote, port)
	d.parts = append(d.parts, p)
	return nil
}

// setStep puts an attribute into its field. Others, and values of another type
// than the contract's, are not of this version and ignored.
func setStep(s *run.Step, key string, v value) {
	switch v.kind {
	case kindString:
		setStepString(s, key, v.str)
	case kindFloat:
		setStepFloat(s, key, v.float)
	case kindInt:
		switch key {
		case string(keyAttempt):
			s.Attempt = v.num
		case string(keyBytes):
			s.Bytes = v.num
		case string(semconv.HTTPResponseStatusCodeKey):
			s.Status = v.num
		}
	case kindBool:
		if key == string(keyReused) {
			s.Reused = v.num != 0
		}
	}
}

func setStepString(s *run.Step, key, v string) {
	switch key {
	case string(keyStep):
		s.Name = run.StepName(v)
	case string(keyTrack):
		s.Track = v
	case string(keyError):
		s.Error = run.ErrorType(v)
	case string(keyDetail):
		s.Detail = v
	case string(semconv.HTTPRequestMethodKey):
		if v != getMethod {
			s.Method = v
		}
	case string(semconv.URLFullKey):
		s.URL = v
	case string(semconv.NetworkProtocolVersionKey):
		s.Proto = v
	case string(semconv.NetworkPeerAddressKey):
		s.Remote = v
	}
}

// setStepFloat leaves out what is not a number: one step's bad figure must not
// hide the others.
func setStepFloat(s *run.Step, key string, v float64) {
	if !finite(v) {
		return
	}
	switch key {
	case string(keyStart):
		s.StartMs = v
	case string(keyEnd):
		s.EndMs = v
	case string(keyQueue):
		s.QueueMs = v
	case string(keyDNS):
		s.DNSMs = v
	case string(keyConnect):
		s.ConnMs = v
	case string(keyTLS):
		s.TLSMs = v
	case string(keyWait):
		s.WaitMs = v
	case string(keyReceive):
		s.RecvMs = v
	}
}

// header reads an ArrayValue of strings.
func (d *oneTrace) header(s *run.Step, name string, array []byte) error {
	if len(s.Headers) == MaxHeaders {
		return fmt.Errorf("trace: run %s: step with more than %d headers: %w", d.id, MaxHeaders, ErrLimit)
	}
	if err := checkString(name, d.limits); err != nil {
		return invalid(d.id.String(), fmt.Errorf("a header's name %w", err))
	}
	values, err := d.texts("header "+name, array, math.MaxInt)
	if err != nil {
		return err
	}
	if s.Headers == nil {
		s.Headers = make(map[string][]string, 8)
	}
	s.Headers[name] = values
	return nil
}

// texts reads the strings of an ArrayValue, at most that many.
func (d *oneTrace) texts(what string, array []byte, most int) (values []string, err error) {
	err = eachMessage(array, 1, func(src []byte) error {
		v, err := parseValue(src)
		if err != nil || v.kind != kindString {
			return err
		}
		if err := checkString(v.str, d.limits); err != nil {
			return invalid(d.id.String(), fmt.Errorf("%.60q %w", what, err))
		}
		if len(values) == most {
			return fmt.Errorf("trace: run %s: %.60q of more than %d: %w", d.id, what, most, ErrLimit)
		}
		values = append(values, v.str)
		return nil
	})
	return values, err
}

// joinPeer undoes appendPeer.
func joinPeer(address string, port int64) string {
	addr, err := netip.ParseAddr(address)
	if err != nil || port < 0 || port > 65535 {
		return address
	}
	return netip.AddrPortFrom(addr, uint16(port)).String()
}

func invalid(runID string, err error) error {
	return fmt.Errorf("trace: run %s: %w: %w", runID, ErrInvalid, err)
}
