package run

import (
	"fmt"
	"time"
)

// Type is the type of a field's value.
type Type string

// The types of fields. On every wire Time is RFC 3339 in UTC with nanoseconds.
const (
	String Type = "string"
	Int    Type = "int64"
	Float  Type = "float64"
	Bool   Type = "bool"
	Time   Type = "time"
	Map    Type = "map" // string to string, at most MaxLabels entries
)

// Role says how a field is asked for.
type Role string

// The roles. Dimensions slice; measures are summed up; details are only shown
// with a run.
const (
	Dimension Role = "dimension"
	Measure   Role = "measure"
	Detail    Role = "detail"
)

// MaxLabels bounds a run's labels.
const MaxLabels = 16

// Field is one field of a [Run].
type Field struct {
	Name     string // in JSON, OTLP (behind "firstframe."), the store and queries
	Type     Type
	Unit     string // ms, B, kbit/s; empty where there is none
	Role     Role
	Nullable bool // false: always present
	Doc      string

	ptr func(*Run) any
}

// Fields is the one table of a run's fields, in the order of documentation and
// wire; steps are not among them. It is not to be changed.
var Fields = []Field{
	detail("run_id", "", "trace id: 32 hex digits, the first 12 the Unix milliseconds of started_at", func(r *Run) any { return &r.RunID }),
	detail("started_at", "", "when play was pressed", func(r *Run) any { return &r.StartedAt }),
	detail("scheduled_at", "", "when play should have been pressed", func(r *Run) any { return &r.ScheduledAt }),
	measure("duration_ms", "ms", "press play to verdict, of failed runs too; where it was to play on, to the end of that", func(r *Run) any { return &r.DurationMs }),
	dim("source", "why it was made: fleet, adhoc, control", func(r *Run) any { return &r.Source }),
	dim("agent", "the agent that made it", func(r *Run) any { return &r.Agent }),
	dim("agent_version", "the agent's version", func(r *Run) any { return &r.AgentVersion }),
	dim("region", "where the agent runs, as its operator calls it", func(r *Run) any { return &r.Region }),
	dim("round", "the same for all CDNs and apps probed together, so that they can be paired", func(r *Run) any { return &r.Round }),
	dim("plan_revision", "the plan it was made by", func(r *Run) any { return &r.PlanRevision }),
	detail("labels", "", "the operator's own, at most 16", func(r *Run) any { return &r.Labels }),

	dim("country", "ISO 3166-1 alpha-2, where the agent is", func(r *Run) any { return &r.Country }),
	dim("country_from", "how country is known: registered, geoip, claimed", func(r *Run) any { return &r.CountryFrom }),
	dim("subdivision", "ISO 3166-2, where the agent is", func(r *Run) any { return &r.Subdivision }),
	dim("city", "where the agent is", func(r *Run) any { return &r.City }),
	dim("asn", "autonomous system of the agent", func(r *Run) any { return &r.ASN }),
	dim("as_org", "name of that autonomous system", func(r *Run) any { return &r.ASOrg }),
	dim("client_ip", "the agent's address, as the collector saw it", func(r *Run) any { return &r.ClientIP }),
	dim("ip_version", "4 or 6, of the connection to the edge", func(r *Run) any { return &r.IPVersion }),

	dim("target", "what was played", func(r *Run) any { return &r.Target }),
	dim("format", "hls, dash", func(r *Run) any { return &r.Format }),
	dim("mode", "vod, live, low_latency", func(r *Run) any { return &r.Mode }),
	dim("cdn", "the CDN that was asked", func(r *Run) any { return &r.CDN }),
	dim("app", "the app that it was played as", func(r *Run) any { return &r.App }),
	dim("app_version", "that app's version", func(r *Run) any { return &r.AppVersion }),
	dim("player", "the player model, with its version", func(r *Run) any { return &r.Player }),
	dim("connection", "cold, warm", func(r *Run) any { return &r.Connection }),
	measure("threshold_ms", "ms", "a run that takes this long or longer is not good", func(r *Run) any { return &r.ThresholdMs }),
	measure("interval_ms", "ms", "the plan's interval between rounds", func(r *Run) any { return &r.IntervalMs }),

	dim("edge_ip", "address that served the first segment, or the last request of a failed run", func(r *Run) any { return &r.EdgeIP }),
	dim("edge_asn", "autonomous system of edge_ip", func(r *Run) any { return &r.EdgeASN }),
	dim("cdn_seen", "the CDN that answered: by headers, else by the host's names in DNS, else by edge_asn", func(r *Run) any { return &r.CDNSeen }),
	dim("pop", "the point of presence that the answers' headers show", func(r *Run) any { return &r.POP }),
	dim("pop_country", "ISO 3166-1 alpha-2, where that point of presence is", func(r *Run) any { return &r.POPCountry }),
	dim("pop_city", "the city of that point of presence, in English", func(r *Run) any { return &r.POPCity }),
	dim("pathway", "content steering pathway", func(r *Run) any { return &r.Pathway }),
	dim("manifest_cache_status", "hit, hit_remote, stale, revalidated, miss, bypass, error, unknown", func(r *Run) any { return &r.ManifestCacheStatus }),
	dim("segment_cache_status", "the same, of the first video segment; of sound only of its first", func(r *Run) any { return &r.SegmentCacheStatus }),
	dim("http_version", "1.1, 2, 3", func(r *Run) any { return &r.HTTPVersion }),
	dim("tls_version", "1.2, 1.3", func(r *Run) any { return &r.TLSVersion }),
	detail("tls_expires_at", "", "when the edge's certificate ends", func(r *Run) any { return &r.TLSExpiresAt }),

	dim("ok", "the first frame was reached, and where it was to play on that did not break off", func(r *Run) any { return &r.OK }),
	dim("good", "ok and ttff_ms below threshold_ms: the service level indicator", func(r *Run) any { return &r.Good }),
	dim("error_type", "why it failed", func(r *Run) any { return &r.ErrorType }),
	dim("error_step", "where it failed", func(r *Run) any { return &r.ErrorStep }),
	detail("error_detail", "", "what failed, on what, in words", func(r *Run) any { return &r.ErrorDetail }),
	measure("attempts", "", "request attempts, redirects, retries and those of playing on included", func(r *Run) any { return &r.Attempts }),
	measure("redirects", "", "redirects followed", func(r *Run) any { return &r.Redirects }),

	measure("ttff_ms", "ms", "press play to first frame, as this player would show it; of a stream of sound only, to when it would be heard first, which is startup_ms; null where there was none", func(r *Run) any { return &r.TTFFMs }),
	measure("first_keyframe_ms", "ms", "press play to the last byte of the first video keyframe: no player can be faster; null of sound only", func(r *Run) any { return &r.FirstKeyframeMs }),
	measure("startup_ms", "ms", "press play to this player starting to play", func(r *Run) any { return &r.StartupMs }),
	measure("queue_ms", "ms", "waiting for a connection, a retry's delay or a live part", func(r *Run) any { return &r.QueueMs }),
	measure("playback_api_ms", "ms", "the service's own API, without its dns, connect and tls", func(r *Run) any { return &r.PlaybackAPIMs }),
	measure("dns_ms", "ms", "resolving names", func(r *Run) any { return &r.DNSMs }),
	measure("connect_ms", "ms", "TCP handshakes; over QUIC until the server's first packet", func(r *Run) any { return &r.ConnectMs }),
	measure("tls_ms", "ms", "TLS handshakes; over QUIC from the server's first packet on", func(r *Run) any { return &r.TLSMs }),
	measure("manifest_ms", "ms", "multivariant playlist or MPD, with steering and clock", func(r *Run) any { return &r.ManifestMs }),
	measure("playlist_ms", "ms", "media playlists", func(r *Run) any { return &r.PlaylistMs }),
	measure("key_ms", "ms", "decryption keys", func(r *Run) any { return &r.KeyMs }),
	measure("init_ms", "ms", "initialization segments and indexes", func(r *Run) any { return &r.InitMs }),
	measure("segment_ttfb_ms", "ms", "waiting for the first byte of media segments", func(r *Run) any { return &r.SegmentTTFBMs }),
	measure("segment_ms", "ms", "receiving media segments", func(r *Run) any { return &r.SegmentMs }),
	measure("player_ms", "ms", "parsing, appending, decoding, rendering, as modelled", func(r *Run) any { return &r.PlayerMs }),

	measure("bytes", "B", "bodies received for the start", func(r *Run) any { return &r.Bytes }),
	measure("throughput_kbps", "kbit/s", "of media segments of the start, while they were received", func(r *Run) any { return &r.ThroughputKbps }),
	measure("bitrate_kbps", "kbit/s", "of the rendition that was shown, as its manifest says", func(r *Run) any { return &r.BitrateKbps }),
	measure("width", "px", "of the first frame; null of sound only, as height", func(r *Run) any { return &r.Width }),
	measure("height", "px", "of the first frame", func(r *Run) any { return &r.Height }),
	dim("codec", "of the first frame, of sound only of that, RFC 6381", func(r *Run) any { return &r.Codec }),

	measure("live_latency_ms", "ms", "how far behind the live edge the first frame is", func(r *Run) any { return &r.LiveLatencyMs }),
	measure("playlist_age_ms", "ms", "how long ago the live manifest's last segment ended", func(r *Run) any { return &r.PlaylistAgeMs }),

	measure("played_ms", "ms", "media played, where a target asks to play on and there was a first frame; holes in the stream, which players leap over, are not in it", func(r *Run) any { return &r.PlayedMs }),
	measure("stalls", "", "how often the picture stood still while playing on", func(r *Run) any { return &r.Stalls }),
	measure("stall_ms", "ms", "time for which it did", func(r *Run) any { return &r.StallMs }),
	measure("switches", "", "changes of rendition that were shown while playing on", func(r *Run) any { return &r.Switches }),

	measure("clock_offset_ms", "ms", "the agent's clock minus the collector's", func(r *Run) any { return &r.ClockOffsetMs }),
	measure("clock_uncertainty_ms", "ms", "how far clock_offset_ms may be off", func(r *Run) any { return &r.ClockUncertaintyMs }),
	dim("control_ok", "the agent's control targets were fine just before", func(r *Run) any { return &r.ControlOK }),
	detail("received_at", "", "when the collector had it on disk", func(r *Run) any { return &r.ReceivedAt }),
}

var byName = func() map[string]*Field {
	m := make(map[string]*Field, len(Fields))
	for i := range Fields {
		m[Fields[i].Name] = &Fields[i]
	}
	return m
}()

// FieldByName is the field of that name, nil when there is none.
func FieldByName(name string) *Field { return byName[name] }

func dim(name, doc string, ptr func(*Run) any) Field { return field(name, "", Dimension, doc, ptr) }
func detail(name, unit, doc string, ptr func(*Run) any) Field {
	return field(name, unit, Detail, doc, ptr)
}
func measure(name, unit, doc string, ptr func(*Run) any) Field {
	return field(name, unit, Measure, doc, ptr)
}

func field(name, unit string, role Role, doc string, ptr func(*Run) any) Field {
	f := Field{Name: name, Unit: unit, Role: role, Doc: doc, ptr: ptr}
	switch p := ptr(new(Run)).(type) {
	case *string, *ErrorType, *StepName:
		f.Type, f.Nullable = String, true
	case *int64:
		f.Type = Int
	case **int64:
		f.Type, f.Nullable = Int, true
	case *float64:
		f.Type = Float
	case **float64:
		f.Type, f.Nullable = Float, true
	case *bool:
		f.Type = Bool
	case **bool:
		f.Type, f.Nullable = Bool, true
	case *time.Time:
		f.Type = Time
	case **time.Time:
		f.Type, f.Nullable = Time, true
	case *map[string]string:
		f.Type, f.Nullable = Map, true
	default:
		panic(fmt.Sprintf("run: field %s has type %T", name, p))
	}
	if name == "run_id" {
		f.Nullable = false
	}
	return f
}

// Ptr points at the field's place in r: *string, *ErrorType, *StepName, *int64,
// **int64, *float64, **float64, *bool, **bool, *time.Time, **time.Time or
// *map[string]string. It is for encoders that must not allocate; others use
// Get and Set.
func (f *Field) Ptr(r *Run) any { return f.ptr(r) }

// Get is the field's value in r: nil when it is not known, else a string,
// int64, float64, bool, time.Time or map[string]string.
func (f *Field) Get(r *Run) any {
	switch p := f.ptr(r).(type) {
	case *string:
		return orNil(*p)
	case *ErrorType:
		return orNil(string(*p))
	case *StepName:
		return orNil(string(*p))
	case *int64:
		return *p
	case **int64:
		return deref(*p)
	case *float64:
		return *p
	case **float64:
		return deref(*p)
	case *bool:
		return *p
	case **bool:
		return deref(*p)
	case *time.Time:
		return *p
	case **time.Time:
		return deref(*p)
	case *map[string]string:
		if len(*p) == 0 {
			return nil
		}
		return *p
	}
	return nil
}

// Set puts v, of one of the types that Get answers with, or nil, into r. It
// fails when v is of another type than the field.
func (f *Field) Set(r *Run, v any) error {
	ok := false
	switch p := f.ptr(r).(type) {
	case *string:
		ok = assign(p, v)
	case *ErrorType:
		ok = assign((*string)(p), v)
	case *StepName:
		ok = assign((*string)(p), v)
	case *int64:
		ok = assign(p, v)
	case **int64:
		ok = assignPtr(p, v)
	case *float64:
		ok = assign(p, v)
	case **float64:
		ok = assignPtr(p, v)
	case *bool:
		ok = assign(p, v)
	case **bool:
		ok = assignPtr(p, v)
	case *time.Time:
		ok = assign(p, v)
	case **time.Time:
		ok = assignPtr(p, v)
	case *map[string]string:
		ok = assign(p, v)
	}
	if !ok {
		return fmt.Errorf("run: field %s is %s, got %T", f.Name, f.Type, v)
	}
	return nil
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func deref[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

func assign[T any](p *T, v any) bool {
	if v == nil {
		var zero T
		*p = zero
		return true
	}
	x, ok := v.(T)
	if ok {
		*p = x
	}
	return ok
}

func assignPtr[T any](p **T, v any) bool {
	if v == nil {
		*p = nil
		return true
	}
	x, ok := v.(T)
	if ok {
		*p = &x
	}
	return ok
}
