// Package run holds the one datum of Firstframe, a run, and the one table of
// its fields.
//
// A [Run] is one attempt to press play: one target, through one CDN, as one
// app version, from one agent. It is made by package probes, travels as one
// OpenTelemetry trace, is stored as one wide row, and every number that anyone
// sees is a query over runs. [Fields] declares each field once: name, type,
// unit, role and meaning; JSON, OTLP, the store's columns and the
// documentation derive from it.
//
// What is not known is null on every wire. In Go the empty string stands for
// null, and a nil pointer for an unknown number; a phase that did not occur is
// 0. Durations are milliseconds, sizes bytes, rates kbit/s (1000 bit/s), times
// UTC.
package run

import "time"

// Source tells why a run was made.
const (
	SourceFleet   = "fleet"   // scheduled by the plan; the only source that SLI, SLO and detection count
	SourceAdhoc   = "adhoc"   // asked for by a person
	SourceControl = "control" // against a control target, to tell an ill agent from an ill CDN
)

// Run is one attempt to press play. A failed run keeps every step up to the
// failure. The meaning, unit and bounds of each field stand in [Fields].
type Run struct {
	// Identity.
	RunID        string
	StartedAt    time.Time
	ScheduledAt  *time.Time
	DurationMs   float64
	Source       string
	Agent        string
	AgentVersion string
	Region       string
	Round        string
	PlanRevision string
	Labels       map[string]string

	// Where from.
	Country     string
	CountryFrom string
	Subdivision string
	City        string
	ASN         *int64
	ASOrg       string
	ClientIP    string
	IPVersion   *int64

	// What.
	Target      string
	Format      string
	Mode        string
	CDN         string
	App         string
	AppVersion  string
	Player      string
	Connection  string
	ThresholdMs float64
	IntervalMs  *float64

	// Served by.
	EdgeIP              string
	EdgeASN             *int64
	CDNSeen             string
	POP                 string
	POPCountry          string
	POPCity             string
	Pathway             string
	ManifestCacheStatus string
	SegmentCacheStatus  string
	HTTPVersion         string
	TLSVersion          string
	TLSExpiresAt        *time.Time

	// Outcome.
	OK          bool
	Good        bool
	ErrorType   ErrorType
	ErrorStep   StepName
	ErrorDetail string
	Attempts    int64
	Redirects   int64

	// Time.
	TTFFMs          *float64
	FirstKeyframeMs *float64
	StartupMs       *float64
	Phases

	// Media.
	Bytes          int64
	ThroughputKbps *float64
	BitrateKbps    *float64
	Width          *int64
	Height         *int64
	Codec          string

	// Live.
	LiveLatencyMs *float64
	PlaylistAgeMs *float64

	// Playing on.
	PlayedMs *float64
	Stalls   *int64
	StallMs  *float64
	Switches *int64

	// Trust.
	ClockOffsetMs      *float64
	ClockUncertaintyMs *float64
	ControlOK          *bool
	ReceivedAt         *time.Time

	// Steps are the run's request attempts and waits, by start.
	Steps []Step
}

// Phases are a partition of a run's critical path in milliseconds: every
// instant from press play to the first frame (without one: to the failure)
// belongs to exactly one of them. They add up to TTFFMs (without a first frame:
// DurationMs) within 0.1 ms.
type Phases struct {
	QueueMs       float64
	PlaybackAPIMs float64
	DNSMs         float64
	ConnectMs     float64
	TLSMs         float64
	ManifestMs    float64
	PlaylistMs    float64
	KeyMs         float64
	InitMs        float64
	SegmentTTFBMs float64
	SegmentMs     float64
	PlayerMs      float64
}

// Sum is the phases' total in milliseconds.
func (p Phases) Sum() float64 {
	return p.QueueMs + p.PlaybackAPIMs + p.DNSMs + p.ConnectMs + p.TLSMs + p.ManifestMs +
		p.PlaylistMs + p.KeyMs + p.InitMs + p.SegmentTTFBMs + p.SegmentMs + p.PlayerMs
}

// StepName says what a request was for, or what a wait waited for.
type StepName string

// The requests of a run, a closed list.
const (
	StepPlaybackAPI StepName = "playback_api"
	StepManifest    StepName = "manifest" // HLS multivariant playlist (or a media playlist given as the target), DASH MPD
	StepSteering    StepName = "steering"
	StepClock       StepName = "clock" // DASH UTCTiming
	StepPlaylist    StepName = "playlist"
	StepKey         StepName = "key"
	StepInit        StepName = "init"
	StepIndex       StepName = "index" // sidx
	StepSegment     StepName = "segment"
	StepPart        StepName = "part"
)

// The waits of a run, a closed list. A wait has no URL.
const (
	WaitRetry  StepName = "wait_retry"  // the delay that the player leaves before it tries again
	WaitLive   StepName = "wait_live"   // until a live playlist should hold something new
	WaitPlayer StepName = "wait_player" // the player's own work, as modelled
	WaitStall  StepName = "wait_stall"  // the picture stands still, for want of what comes next
)

// StepNames lists the names of requests: the values that error_step can take.
var StepNames = []StepName{StepPlaybackAPI, StepManifest, StepSteering, StepClock, StepPlaylist,
	StepKey, StepInit, StepIndex, StepSegment, StepPart}

// The tracks of a step.
const (
	TrackVideo = "video"
	TrackAudio = "audio"
)

// Step is one request attempt or one wait. A redirect is followed in a step of
// its own. Offsets count from the run's StartedAt on the monotonic clock.
type Step struct {
	Name    StepName  `json:"name"`
	Track   string    `json:"track,omitempty"`   // video, audio; empty where the step serves both
	Method  string    `json:"method,omitempty"`  // of the request; empty is GET
	URL     string    `json:"url,omitempty"`     // as requested; empty for a wait
	Attempt int64     `json:"attempt,omitempty"` // 1 is the first try; 0 for a wait
	StartMs float64   `json:"start_ms"`          // asked for: before it waits for a connection
	EndMs   float64   `json:"end_ms"`            // last byte, or failure, or given up
	QueueMs float64   `json:"queue_ms"`          // until a connection was free or began to be made
	DNSMs   float64   `json:"dns_ms"`            // resolving; 0 on a reused connection
	ConnMs  float64   `json:"connect_ms"`        // TCP handshake, of QUIC until the server's first packet; 0 on a reused connection
	TLSMs   float64   `json:"tls_ms"`            // TLS handshake, of QUIC from that packet on; 0 on a reused connection
	WaitMs  float64   `json:"wait_ms"`           // request sent until the first byte of the answer's head
	RecvMs  float64   `json:"receive_ms"`        // first byte until last byte
	Status  int64     `json:"status,omitempty"`  // HTTP status; 0 when none came
	Bytes   int64     `json:"bytes"`             // of the body, as they came over the connection's content coding
	Remote  string    `json:"remote_address,omitempty"`
	Proto   string    `json:"protocol,omitempty"`   // 1.1, 2, 3
	Reused  bool      `json:"reused,omitempty"`     // the connection had served an earlier request
	Error   ErrorType `json:"error_type,omitempty"` // empty when this attempt did not fail
	Detail  string    `json:"error,omitempty"`      // what failed, on what

	// Connects are the attempts to connect, by start, where there were several
	// or one failed. Each is NETWORK ADDRESS START END OUTCOME, such as
	// "tcp [2001:db8::1]:443 12.3 312.5 overtaken": tcp or quic; from and to as
	// StartMs; connected, overtaken (another was first), pending (when the
	// request was given up), or why it failed. At most MaxConnects.
	Connects []string `json:"connects,omitempty"`

	// CNAMEs are the names that DNS led the URL's host through to its addresses,
	// in order and in lower case; none on a reused connection. At most MaxCNAMEs.
	CNAMEs []string `json:"cnames,omitempty"`

	// Headers are the few of the answer that identify CDN, POP and cache, by
	// lower-case name.
	Headers map[string][]string `json:"headers,omitempty"`
}

// MaxConnects bounds a step's Connects.
const MaxConnects = 64

// MaxCNAMEs bounds a step's CNAMEs.
const MaxCNAMEs = 16

// IsWait tells a wait from a request attempt.
func (s Step) IsWait() bool { return s.URL == "" }

// ErrorType says why a run or a step failed. The list is closed.
type ErrorType string

// The error types.
const (
	ErrDNS              ErrorType = "dns"               // the name did not resolve, or not in time
	ErrConnect          ErrorType = "connect"           // no TCP connection, over QUIC no answer, or not in time
	ErrTLS              ErrorType = "tls"               // no TLS session, or not in time
	ErrTimeout          ErrorType = "timeout"           // no first byte in time, or the run's deadline
	ErrStalled          ErrorType = "stalled"           // a body fell silent
	ErrReset            ErrorType = "reset"             // the connection broke
	ErrHTTP4xx          ErrorType = "http_4xx"          // the answer's status
	ErrHTTP5xx          ErrorType = "http_5xx"          // the answer's status
	ErrRedirect         ErrorType = "redirect"          // a loop, too many, or to a scheme other than http and https
	ErrTooLarge         ErrorType = "too_large"         // beyond the bound for what was asked
	ErrBlockedAddress   ErrorType = "blocked_address"   // an address that the operator does not allow
	ErrManifestInvalid  ErrorType = "manifest_invalid"  // not a manifest, or a broken one
	ErrManifestEmpty    ErrorType = "manifest_empty"    // a manifest without anything to play
	ErrManifestStale    ErrorType = "manifest_stale"    // a live manifest that stopped moving
	ErrSegmentTruncated ErrorType = "segment_truncated" // fewer bytes than announced
	ErrMediaInvalid     ErrorType = "media_invalid"     // neither fMP4 nor MPEG-TS, or a broken one
	ErrNoKeyframe       ErrorType = "no_keyframe"       // a whole segment without a place to start
	ErrDecrypt          ErrorType = "decrypt"           // a key of a wrong size, or one that does not fit
	ErrUnsupported      ErrorType = "unsupported"       // what this player model cannot play
	ErrPlaybackAPI      ErrorType = "playback_api"      // answered well, but without a usable URL or token
	ErrInternal         ErrorType = "internal"          // a fault of ours
)

// ErrorTypes is the closed list, in the order of the documentation.
var ErrorTypes = []ErrorType{ErrDNS, ErrConnect, ErrTLS, ErrTimeout, ErrStalled, ErrReset, ErrHTTP4xx,
	ErrHTTP5xx, ErrRedirect, ErrTooLarge, ErrBlockedAddress, ErrManifestInvalid, ErrManifestEmpty,
	ErrManifestStale, ErrSegmentTruncated, ErrMediaInvalid, ErrNoKeyframe, ErrDecrypt, ErrUnsupported,
	ErrPlaybackAPI, ErrInternal}

// The normalised cache statuses of manifest_cache_status and
// segment_cache_status.
const (
	CacheHit         = "hit"
	CacheHitRemote   = "hit_remote" // from another tier of the same CDN
	CacheStale       = "stale"
	CacheRevalidated = "revalidated"
	CacheMiss        = "miss"
	CacheBypass      = "bypass"
	CacheError       = "error"
	CacheUnknown     = "unknown"
)
