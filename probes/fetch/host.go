package fetch

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"
)

// host is a target with its connections and those who wait for one. The pool's
// mutex guards it.
type host struct {
	target
	conns   []*conn   // those that were given back last are last
	dials   []*dial   // under way, oldest first
	waiters []*waiter // oldest first
	many    bool      // a connection serves many at once (HTTP/2, HTTP/3): one dial at a time will do
	streams int       // that an HTTP/2 connection may have, once an exchange has shown it; a new connection assumes 100
	hold    bool      // TCP waits for QUIC, which is being dialled
}

// transport is a connection: [http.ClientConn] or [quicConn].
type transport interface {
	RoundTrip(*http.Request) (*http.Response, error)
	Close() error
	Err() error     // why it is at its end
	Available() int // requests more that it takes
	InFlight() int
}

// conn is one connection.
type conn struct {
	transport
	rec   *record
	proto string // "1.1", "2", "3"
	users int    // exchanges
	fresh bool   // while it serves those who waited for its dial
	used  bool   // an exchange has given it back
}

// many says that the connection serves many exchanges at once.
func (c *conn) many() bool { return c.proto != "1.1" }

// errSpare ends a dial that an HTTP/2 or HTTP/3 connection to the same host made
// needless.
var errSpare = errors.New("another connection serves")

// dial is a connection in the making.
type dial struct {
	rec    *record
	cancel context.CancelCauseFunc

	beside bool        // of an alternative: for whoever comes, beside the dials of TCP
	delay  *time.Timer // until TCP is dialled too; nil where it does not wait

	second bool        // beside another to the same address, see [pool.secondBeside]
	backup *time.Timer // until there is such a one beside this; nil where there is none to be
}

// unanswered says that the server was asked for longer than that and has said
// nothing.
func (d *dial) unanswered(longer time.Duration) bool {
	is, began := d.rec.load()
	return is <= phaseConnect && time.Since(began[phaseDNS]) > longer
}

// count is the number of connections that count against the limit: of those
// over QUIC there is one beside.
func (h *host) count() (n int) {
	for _, c := range h.conns {
		if c.proto != "3" {
			n++
		}
	}
	return n
}

// dialling is the number of dials that exchanges have of their own.
func (h *host) dialling() (n int) {
	for _, d := range h.dials {
		if !d.beside && !d.second {
			n++
		}
	}
	return n
}

// take returns a connection with room, now used by one exchange more, or nil:
// before others one over QUIC, then the one used most recently, then the oldest
// of those not used yet, as Chromium does
// (TransportClientSocketPool::AssignIdleSocketToRequest).
func (h *host) take() *conn {
	h.prune()
	var best *conn
	for _, c := range h.conns {
		switch {
		case !c.room(h.streams):
		case best == nil, c.proto == "3" && best.proto != "3", c.used && (c.proto == "3" || best.proto != "3"):
			best = c
		}
	}
	if best != nil {
		best.users++
	}
	return best
}

// room says whether c can serve one exchange more; streams is as in [host].
func (c *conn) room(streams int) bool {
	if !c.many() {
		return c.users == 0 && c.Available() > 0
	}
	if c.proto == "2" && streams > 0 && c.users >= streams {
		return false
	}
	// Users that are not in flight have yet to send their request. They are
	// counted first: one that sends it meanwhile is then counted twice, not
	// never.
	unsent := c.users - c.InFlight()
	return c.Available() > max(0, unsent)
}

// prune drops the connections that can serve no more: closed ones, and those
// that the server is closing (GOAWAY) when their last exchange has ended.
func (h *host) prune() {
	h.conns = slices.DeleteFunc(h.conns, func(c *conn) bool {
		if c.Err() != nil {
			c.Close() // frees what a connection over QUIC holds
			return true
		}
		if c.users > 0 || c.InFlight()+c.Available() > 0 {
			return false
		}
		c.Close() // of no use to anyone, whatever it says
		return true
	})
}
