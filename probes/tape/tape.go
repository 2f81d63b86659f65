// Package tape records the exchanges of a run and plays them again. A
// [Recorder] stands before a client that makes exchanges and keeps what passes:
// requests, answers, the first bytes of bodies, when each byte came. A [Player]
// stands in place of such a client and answers from a recording: the same bytes
// at the same times by a clock of its own choice, and the same failures at the
// same points.
//
// Both stand between package player and package fetch, so that of a run played
// again all but the network is real: the player's requests, their order, its
// limits and retries, manifests, media, keys.
//
// Bounds: [Limits] for what a Recorder holds; what a Player holds is its
// recording.
package tape

import (
	"context"
	"errors"

	"github.com/firstframe/firstframe/probes/bundle"
	"github.com/firstframe/firstframe/probes/fetch"
)

// Client makes exchanges, as a [fetch.Client] does.
type Client interface {
	Do(ctx context.Context, req fetch.Request) *fetch.Exchange
}

// ErrMissing is what a [Player] was asked for and does not have.
var ErrMissing = errors.New("not in the recording")

// sentinels are the classes of failures that callers tell apart beside their
// types, by the names that recordings use.
var sentinels = map[string]error{
	"truncated":          fetch.ErrTruncated,
	"range":              fetch.ErrRange,
	"encoding":           fetch.ErrEncoding,
	"too_large":          fetch.ErrTooLarge,
	"blocked":            fetch.ErrBlocked,
	"first_byte_timeout": fetch.ErrFirstByteTimeout,
	"timeout":            fetch.ErrTimeout,
	"stall_timeout":      fetch.ErrStallTimeout,
	"connect_timeout":    fetch.ErrConnectTimeout,
}

// TailBytes are kept of the end of a body that is not kept whole: two blocks of
// AES, by which the last can be decrypted.
const TailBytes = 32

// Limits bound what a recorder holds. The zero value means the defaults.
type Limits struct {
	Body  int64 // bytes of one answer; 0: 4 MiB, which is also the most
	Total int64 // bytes of all answers, beside 4 KiB of each; 0: 16 MiB
}

// least is kept of each answer whatever the total, in bytes: it tells what it is.
const least = 4 << 10

// DefaultTotal is what a recorder holds of all answers unless told otherwise.
const DefaultTotal = 16 << 20

func (l Limits) withDefaults() Limits {
	if l.Body <= 0 || l.Body > bundle.MaxBody {
		l.Body = bundle.MaxBody
	}
	if l.Total <= 0 {
		l.Total = DefaultTotal
	}
	return l
}
