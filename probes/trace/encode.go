package trace

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/firstframe/firstframe/probes/run"
)

type attr = attribute.KeyValue

// check finds what would keep the collector from taking r.
func check(r *run.Run) (oteltrace.TraceID, error) {
	fail := func(format string, args ...any) (oteltrace.TraceID, error) {
		return oteltrace.TraceID{}, fmt.Errorf("trace: run %.40q: %w: %s", r.RunID, ErrInvalid, fmt.Sprintf(format, args...))
	}
	id, err := run.ParseID(r.RunID)
	if err != nil {
		return fail("%v", err)
	}
	if err := valid(r); err != nil {
		return fail("%v", err)
	}
	if len(r.Steps) > MaxSteps {
		return fail("%d steps, at most %d", len(r.Steps), MaxSteps)
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		for _, ms := range [...]float64{s.StartMs, s.EndMs, s.QueueMs, s.DNSMs, s.ConnMs, s.TLSMs, s.WaitMs, s.RecvMs} {
			if !finite(ms) {
				return fail("step %d (%s): a time is %v", i, s.Name, ms)
			}
		}
		if len(s.Headers) > MaxHeaders {
			return fail("step %d (%s): %d headers, at most %d", i, s.Name, len(s.Headers), MaxHeaders)
		}
		if len(s.Connects) > run.MaxConnects {
			return fail("step %d (%s): %d attempts to connect, at most %d", i, s.Name, len(s.Connects), run.MaxConnects)
		}
		if len(s.CNAMEs) > run.MaxCNAMEs {
			return fail("step %d (%s): %d names, at most %d", i, s.Name, len(s.CNAMEs), run.MaxCNAMEs)
		}
		for name := range s.Headers {
			if len(name) > maxKey {
				return fail("step %d (%s): a header's name has %d bytes, at most %d", i, s.Name, len(name), maxKey)
			}
		}
	}
	return id, nil
}

// valid checks what must hold of a run's fields on both sides of the wire.
func valid(r *run.Run) error {
	made, err := run.IDTime(r.RunID)
	if err != nil {
		return err
	}
	if ms := r.StartedAt.UnixMilli(); ms != made.UnixMilli() || ms <= 0 || ms > math.MaxInt64/1_000_000 {
		return fmt.Errorf("started_at %s does not match run_id, which says %s",
			r.StartedAt.UTC().Format(timeLayout), made.Format(timeLayout))
	}
	switch r.Source {
	case run.SourceFleet, run.SourceAdhoc, run.SourceControl:
	default:
		return fmt.Errorf("source %.40q is none of %s, %s, %s", r.Source, run.SourceFleet, run.SourceAdhoc, run.SourceControl)
	}
	if len(r.Labels) > run.MaxLabels {
		return fmt.Errorf("%d labels, at most %d", len(r.Labels), run.MaxLabels)
	}
	for k := range r.Labels {
		if len(k) > maxKey {
			return fmt.Errorf("a label's name has %d bytes, at most %d", len(k), maxKey)
		}
	}
	for i := range run.Fields {
		if err := validField(&run.Fields[i], r); err != nil {
			return err
		}
	}
	if r.DurationMs < 0 {
		return fmt.Errorf("duration_ms is %v", r.DurationMs)
	}
	return nil
}

// validField checks that a number is finite and that a time can be written.
func validField(f *run.Field, r *run.Run) error {
	var number float64
	at := r.StartedAt
	switch p := f.Ptr(r).(type) {
	case *float64:
		number = *p
	case **float64:
		if *p != nil {
			number = **p
		}
	case *time.Time:
		at = *p
	case **time.Time:
		if *p != nil {
			at = **p
		}
	}
	if !finite(number) {
		return fmt.Errorf("%s is %v", f.Name, number)
	}
	if y := at.UTC().Year(); y < 0 || y > 9999 {
		return fmt.Errorf("%s is in the year %d", f.Name, y)
	}
	return nil
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// rootAttributes are the known fields of r in the table's order, and error.type.
func rootAttributes(r *run.Run) []attr {
	attrs := make([]attr, 0, len(run.Fields)+1)
	for i := range run.Fields {
		f := &run.Fields[i]
		attrs = appendField(attrs, fieldKeys[i], f.Ptr(r))
	}
	if !r.OK {
		attrs = appendString(attrs, semconv.ErrorTypeKey, string(r.ErrorType))
	}
	return attrs
}

// fieldKeys are the attribute keys of run.Fields.
var fieldKeys = func() []attribute.Key {
	keys := make([]attribute.Key, len(run.Fields))
	for i, f := range run.Fields {
		keys[i] = attribute.Key(prefix + f.Name)
	}
	return keys
}()

func appendField(attrs []attr, key attribute.Key, ptr any) []attr {
	switch p := ptr.(type) {
	case *string:
		return appendString(attrs, key, *p)
	case *run.ErrorType:
		return appendString(attrs, key, string(*p))
	case *run.StepName:
		return appendString(attrs, key, string(*p))
	case *int64:
		return append(attrs, key.Int64(*p))
	case **int64:
		if *p != nil {
			return append(attrs, key.Int64(**p))
		}
	case *float64:
		return append(attrs, key.Float64(*p))
	case **float64:
		if *p != nil {
			return append(attrs, key.Float64(**p))
		}
	case *bool:
		return append(attrs, key.Bool(*p))
	case **bool:
		if *p != nil {
			return append(attrs, key.Bool(**p))
		}
	case *time.Time:
		return append(attrs, key.String(p.UTC().Format(timeLayout)))
	case **time.Time:
		if *p != nil {
			return append(attrs, key.String((*p).UTC().Format(timeLayout)))
		}
	case *map[string]string:
		return appendLabels(attrs, key, *p)
	}
	return attrs
}

func appendLabels(attrs []attr, key attribute.Key, labels map[string]string) []attr {
	if len(labels) == 0 {
		return attrs
	}
	kvs := make([]attr, 0, len(labels))
	for k, v := range labels {
		kvs = append(kvs, attribute.String(text(k), text(v)))
	}
	return append(attrs, key.Map(kvs...))
}

func appendString(attrs []attr, key attribute.Key, s string) []attr {
	if s == "" {
		return attrs
	}
	return append(attrs, key.String(text(s)))
}

func appendInt(attrs []attr, key attribute.Key, n int64) []attr {
	if n == 0 {
		return attrs
	}
	return append(attrs, key.Int64(n))
}

// text is s as protobuf can carry it: at most MaxString bytes of UTF-8, each
// wrong byte run replaced by U+FFFD.
func text(s string) string {
	if len(s) > MaxString {
		cut := MaxString
		for cut > MaxString-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// texts is each string as text makes it.
func texts(all []string) []string {
	clean := make([]string, len(all))
	for i, s := range all {
		clean[i] = text(s)
	}
	return clean
}

func stepSpanName(s *run.Step) string {
	if s.IsWait() {
		return text(string(s.Name))
	}
	return method(s)
}

// method is a request's.
func method(s *run.Step) string { return text(cmp.Or(s.Method, getMethod)) }

// getMethod is that of a step without one: nearly every request only reads.
const getMethod = "GET"

func stepKind(s *run.Step) oteltrace.SpanKind {
	if s.IsWait() {
		return oteltrace.SpanKindInternal
	}
	return oteltrace.SpanKindClient
}

// stepAttributes are those of the step at place i.
func stepAttributes(s *run.Step, i int) []attr {
	attrs := make([]attr, 0, 32)
	attrs = append(attrs, keyIndex.Int(i))
	attrs = appendString(attrs, keyStep, string(s.Name))
	attrs = appendString(attrs, keyTrack, s.Track)
	attrs = appendInt(attrs, keyAttempt, s.Attempt)
	attrs = append(attrs,
		keyStart.Float64(s.StartMs), keyEnd.Float64(s.EndMs), keyQueue.Float64(s.QueueMs),
		keyDNS.Float64(s.DNSMs), keyConnect.Float64(s.ConnMs), keyTLS.Float64(s.TLSMs),
		keyWait.Float64(s.WaitMs), keyReceive.Float64(s.RecvMs), keyBytes.Int64(s.Bytes))
	if s.Reused {
		attrs = append(attrs, keyReused.Bool(true))
	}
	attrs = appendString(attrs, keyError, string(s.Error))
	attrs = appendString(attrs, keyDetail, s.Detail)
	attrs = appendString(attrs, semconv.ErrorTypeKey, conventionalError(s))
	if !s.IsWait() {
		attrs = append(attrs, semconv.HTTPRequestMethodKey.String(method(s)))
		attrs = appendServer(attrs, s.URL)
		if s.Attempt > 1 {
			attrs = append(attrs, semconv.HTTPRequestResendCountKey.Int64(s.Attempt-1))
		}
	}
	attrs = appendInt(attrs, semconv.HTTPResponseStatusCodeKey, s.Status)
	attrs = appendString(attrs, semconv.NetworkProtocolVersionKey, s.Proto)
	attrs = appendPeer(attrs, s.Remote)
	if len(s.Connects) > 0 {
		attrs = append(attrs, keyConnects.StringSlice(texts(s.Connects)))
	}
	if len(s.CNAMEs) > 0 {
		attrs = append(attrs, keyCNAMEs.StringSlice(texts(s.CNAMEs)))
	}
	return appendHeaders(attrs, s.Headers)
}

// conventionalError is error.type as the conventions want it: the status where
// that is the error.
func conventionalError(s *run.Step) string {
	if s.Error != "" && s.Status >= 400 {
		return strconv.FormatInt(s.Status, 10)
	}
	return string(s.Error)
}

// appendServer writes the URL, and its host and port where it has them.
func appendServer(attrs []attr, raw string) []attr {
	attrs = append(attrs, semconv.URLFullKey.String(text(raw)))
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return attrs
	}
	attrs = append(attrs, semconv.ServerAddressKey.String(text(u.Hostname())))
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case err == nil:
	case u.Scheme == "https":
		port = 443
	case u.Scheme == "http":
		port = 80
	default:
		return attrs
	}
	return append(attrs, semconv.ServerPortKey.Int64(int64(port)))
}

// appendPeer writes an address with port as the conventions' two attributes,
// and anything else as the address alone.
func appendPeer(attrs []attr, remote string) []attr {
	if ap, err := netip.ParseAddrPort(remote); err == nil && ap.String() == remote {
		return append(attrs, semconv.NetworkPeerAddressKey.String(ap.Addr().String()),
			semconv.NetworkPeerPortKey.Int64(int64(ap.Port())))
	}
	return appendString(attrs, semconv.NetworkPeerAddressKey, remote)
}

// appendHeaders writes the headers that have values, by name.
func appendHeaders(attrs []attr, headers map[string][]string) []attr {
	first := len(attrs)
	for name, values := range headers {
		if len(values) == 0 {
			continue
		}
		attrs = append(attrs, attribute.StringSlice(headerKey+text(name), texts(values)))
	}
	slices.SortFunc(attrs[first:], func(a, b attr) int { return strings.Compare(string(a.Key), string(b.Key)) })
	return attrs
}
