package fetch

import (
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// The classes of failures that callers tell apart by [errors.Is].
var (
	// ErrTruncated: a body, or the range asked for, ended early.
	ErrTruncated = errors.New("body shorter than announced")
	// ErrRange: a 206 answer holds other bytes than were asked for.
	ErrRange = errors.New("not the range that was asked for")
	// ErrEncoding: a body could not be decoded from gzip.
	ErrEncoding = errors.New("broken content coding")
	// ErrTooLarge: the body or its head passed its bound.
	ErrTooLarge = errors.New("too large")
	// ErrBlocked: no address of the host may be dialled.
	ErrBlocked = errors.New("address not allowed")
	// ErrOvertaken: another address was connected to first.
	ErrOvertaken = errors.New("another address was first")
	// ErrClosed: the client was closed.
	ErrClosed = errors.New("client closed")

	// ErrFirstByteTimeout, ErrTimeout, ErrStallTimeout and ErrConnectTimeout
	// say which limit ended an exchange.
	ErrFirstByteTimeout = errors.New("no first byte in time")
	ErrTimeout          = errors.New("not complete in time")
	ErrStallTimeout     = errors.New("body fell silent")
	ErrConnectTimeout   = errors.New("no connection in time")
)

// Error says why an exchange failed.
type Error struct {
	// Type is the failure's class. It is empty where the caller ended the
	// exchange: by cancelling its context or by a callback's error.
	Type   run.ErrorType
	Detail string // what failed, on what, why
	Err    error  // the cause; a callback's error unchanged; may be nil
}

// Error returns the detail.
func (e *Error) Error() string { return e.Detail }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Timing is a partition of an exchange, in the order in which the phases
// follow one another. A phase that did not occur is 0; one that failed ends at
// the failure.
type Timing struct {
	// Queue lasts until a connection was there, or until the connection that
	// the exchange got began to be made, be it for another exchange.
	Queue   time.Duration
	DNS     time.Duration // resolving; like Connect and TLS only what lies within the exchange
	Connect time.Duration // TCP handshakes; of QUIC until the server's first packet
	TLS     time.Duration // TLS handshake; of QUIC from that packet until the handshake is complete
	Wait    time.Duration // having the connection until the first byte of the answer
	Receive time.Duration // first byte until the last
}

// Sum is the length of the exchange.
func (t Timing) Sum() time.Duration {
	return t.Queue + t.DNS + t.Connect + t.TLS + t.Wait + t.Receive
}

// Exchange is what one request came to. What is not known is zero.
type Exchange struct {
	Start, End time.Time // End is the last byte, or the failure; End - Start is exactly Timing.Sum
	Timing     Timing
	FirstByte  time.Time // of the answer's head

	Status   int
	Header   http.Header
	Location string // of a 3xx answer, resolved against the request's URL
	Encoding string // the content coding that was received; "" is identity

	Proto      string         // "1.1", "2", "3"
	Remote     netip.AddrPort // the server's address, also where the handshake with it failed
	Names      []string       // of the URL's host, of which DNS was asked, and those that it led it through (CNAME), in order; at most MaxNames; none where DNS was not asked
	Reused     bool           // the connection was there before the exchange asked for one
	TLSVersion string         // "1.2", "1.3"; "" without TLS
	TLSExpires time.Time      // the end of the server's certificate, also of one that was refused
	Attempts   []Attempt      // to connect, by start; none on a reused connection

	Bytes int64  // of the body as received, before decoding
	Err   *Error // nil when the answer is 2xx or 3xx and complete
}
