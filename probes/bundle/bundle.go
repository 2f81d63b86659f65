// Package bundle is a run in one file, so that it can be looked at and played
// again where there is no network: what came of it, what was played, each
// exchange with its times, and what was received, as far as the verdict needs
// it. The file is a zip archive that ordinary tools open:
//
//	run.json         the run
//	probe.json       what was played, through which CDN, as which app
//	exchanges.jsonl  one line for each request: what was asked and answered, and when each byte came
//	bodies/0001.ts   what the answer of line 1 held, or its beginning and end
//
// The entries are [Open] and [Bundle.Write].
//
// A bundle holds no secret that a run may not hold: whoever makes one has taken
// them out of URLs, headers and bodies before (see package redact), and has put
// other keys in the place of content keys ([Body.Rekeyed]).
//
// Bounds, of what is written and of what is read: a file has [MaxFile] bytes,
// unpacked [MaxContent]; a body [MaxBody]; a bundle [MaxExchanges] exchanges, one
// exchange [MaxPieces] pieces. What is read is not trusted: names are those
// above, nothing is written to disk, unknown keys are errors.
package bundle

import (
	"errors"

	"github.com/firstframe/firstframe/probes/run"
)

// Version is that of the format.
const Version = 1

// Ext is how a bundle's name ends.
const Ext = ".zip"

// The bounds.
const (
	MaxFile      = 24 << 20 // bytes
	MaxContent   = 48 << 20 // bytes, unpacked
	MaxBody      = 4 << 20  // bytes kept of an answer
	MaxExchanges = 1000
	MaxPieces    = 4096    // of a body
	maxPart      = 8 << 20 // bytes of a file that is no body

	maxObjects  = 20_000 // of JSON, in the run and in what was played
	leastObject = 16     // bytes of an object of an exchange, on average: a piece has more
)

// ErrInvalid is the class of errors of a file that is no bundle, or one that is
// broken or beyond the bounds.
var ErrInvalid = errors.New("not a bundle")

// Bundle is one run and all that is needed to play it again.
type Bundle struct {
	Run       run.Run
	Probe     Probe
	Exchanges []Exchange // by start
}

// Exchange is one request and what it came to. Times are in milliseconds.
type Exchange struct {
	Step    run.StepName `json:"step"` // what it was for
	Track   string       `json:"track,omitempty"`
	Attempt int64        `json:"attempt,omitempty"`
	StartMs float64      `json:"start_ms"` // since press play

	Request Request `json:"request"`

	QueueMs     float64  `json:"queue_ms"` // these add up to the exchange's length
	DNSMs       float64  `json:"dns_ms"`
	ConnectMs   float64  `json:"connect_ms"`
	TLSMs       float64  `json:"tls_ms"`
	WaitMs      float64  `json:"wait_ms"`
	ReceiveMs   float64  `json:"receive_ms"`
	FirstByteMs *float64 `json:"first_byte_ms,omitempty"` // since StartMs; nil: none came

	Names      []string  `json:"names,omitempty"` // the host's name and those that DNS led through (CNAME)
	Remote     string    `json:"remote_address,omitempty"`
	Attempts   []Connect `json:"connects,omitempty"`
	Reused     bool      `json:"reused,omitempty"`
	Protocol   string    `json:"protocol,omitempty"` // 1.1, 2, 3
	TLSVersion string    `json:"tls_version,omitempty"`
	TLSExpires string    `json:"tls_expires_at,omitempty"` // RFC 3339

	Status   int                 `json:"status,omitempty"` // 0: there was no answer
	Headers  map[string][]string `json:"headers,omitempty"`
	Location string              `json:"location,omitempty"` // of a redirect, absolute
	Encoding string              `json:"encoding,omitempty"` // content coding
	Bytes    int64               `json:"bytes"`              // of the body as received, before decoding

	Error *Failure `json:"failure,omitempty"` // nil: the answer was complete
	Body  *Body    `json:"body,omitempty"`    // nil: nothing of a body was taken
}

// Request is what was asked for.
type Request struct {
	Method  string              `json:"method"`
	URL     string              `json:"url"`
	Headers map[string][]string `json:"headers,omitempty"` // beside those that HTTP itself needs
	Range   *Range              `json:"range,omitempty"`
	Payload int64               `json:"payload_bytes,omitempty"` // the request's own body, which is not kept
}

// Range is a part of a resource; Length 0 is up to the end.
type Range struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length,omitempty"`
}

// Connect is one attempt to connect. Times are since the exchange's start.
type Connect struct {
	Network string   `json:"network"` // tcp, quic
	Address string   `json:"address"`
	StartMs float64  `json:"start_ms"`
	EndMs   *float64 `json:"end_ms,omitempty"` // nil: it was given up
	Error   string   `json:"error,omitempty"`
}

// Failure is why an exchange failed.
type Failure struct {
	Type   run.ErrorType `json:"type,omitempty"` // empty: whoever asked ended it
	Detail string        `json:"detail"`
	Is     []string      `json:"is,omitempty"` // what it is beside its type, by the names that package tape has
}

// Body is what was taken of an answer: decoded, and within the range asked for;
// of one that is not 2xx as it was received.
type Body struct {
	File   string  `json:"file,omitempty"` // of what is kept; empty: nothing
	Size   int64   `json:"size"`           // of all of it
	Cut    bool    `json:"cut,omitempty"`  // only a part is kept: its beginning, and the Tail bytes at its end
	Tail   int64   `json:"tail,omitempty"` // of the kept bytes
	Pieces []Piece `json:"pieces"`         // as it came; they add up to Size

	Text    bool   `json:"text,omitempty"`    // secrets are taken out, by which its length may have changed
	Rekeyed bool   `json:"rekeyed,omitempty"` // under a key of the bundle's own; of a key: it is that
	SHA256  string `json:"sha256,omitempty"`  // of the content key that was received, in place of it

	Data []byte `json:"-"` // what is kept
}

// Piece is bytes that came together.
type Piece struct {
	AtMs  float64 `json:"at_ms"` // since the exchange's start
	Bytes int64   `json:"bytes"`
}
