package edge

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/shaper"
)

const (
	// patience is how long the reset of a connection waits for what else is under
	// way on it.
	patience = time.Second
	// settle is how long a connection is left alone before it is reset: a client
	// that writes while the reset comes may see the end of the stream in its place.
	settle = 20 * time.Millisecond
)

// aborter is a connection that can be reset.
type aborter interface {
	Drain(context.Context) error // waits until what was written has come
	Abort() error
}

// conn is a client's connection, with what is under way on it.
type conn struct {
	aborter
	number int64 // which the ledger knows it by

	mu    sync.Mutex
	begun int           // requests so far
	under int           // those under way, but for those that a reset was ordered for
	idle  chan struct{} // closed when there is none; nil: nobody waits
}

type connKey struct{}

// withConn lets a request find its connection.
func (e *Edge) withConn(ctx context.Context, a aborter) context.Context {
	return context.WithValue(ctx, connKey{}, &conn{aborter: a, number: e.conns.Add(1)})
}

// connOf is a request's connection.
func connOf(r *http.Request) *conn { return r.Context().Value(connKey{}).(*conn) }

// shaped is the connection below TLS.
func shaped(c net.Conn) *shaper.Conn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return c.(*shaper.Conn)
}

func (c *conn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begun++
	c.under++
}

func (c *conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.under--; c.under == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// reset resets the connection for one of its requests. What else is under way, or
// begins meanwhile, has its answer first, as nothing was ordered for it.
func (c *conn) reset(ctx context.Context) {
	c.end()
	defer c.begin()
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for before := -1; ; {
		begun, idle := c.others()
		if begun == before || patient.Err() != nil {
			c.Abort()
			return
		}
		select {
		case <-idle:
			before = begun
		case <-patient.Done():
		}
		if c.Drain(ctx) != nil || shaper.Sleep(ctx, settle) != nil {
			return
		}
	}
}

// others says how many requests have begun so far, and has a channel that is closed
// when none is under way.
func (c *conn) others() (begun int, idle <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	idle = c.idle
	if c.under == 0 {
		close(c.idle)
		c.idle = nil
	}
	return c.begun, idle
}
