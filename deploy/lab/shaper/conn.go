package shaper

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/world"
)

// What TCP does, and how finely it is imitated.
const (
	mss           = 1460     // bytes of payload in a segment
	initialWindow = 10 * mss // RFC 6928
	maxWindow     = 8 << 20  // where growth ends, bytes

	maxQueue = 256 << 10            // bytes written and not yet sent, per connection
	horizon  = 4 * time.Millisecond // how far ahead the line is taken: the grain at which connections share it
	grain    = 2 * time.Millisecond // segments that arrive within this time are delivered at once
	linger   = 30 * time.Second     // how long a closed connection may go on delivering
)

// ErrAborted is what a connection's writes fail with once it was aborted.
var ErrAborted = errors.New("shaper: connection aborted")

// Conn is the server's end of a shaped connection. What is written arrives at
// the client when it would have over the path; what the client writes arrives
// at once, its way being charged to the answer.
type Conn struct {
	net.Conn
	rtt  time.Duration
	link *Link // nil: nothing is shaped

	wake chan struct{} // to the pump: something has changed
	room chan struct{} // to a writer: something was sent
	gone chan struct{} // closed with the pump

	mu       sync.Mutex
	queue    []segment // written, not sent
	queued   int       // bytes of it
	flight   []segment // sent, not delivered
	acks     []ack     // of what was sent, in order
	unacked  int       // bytes
	window   int       // bytes
	open     time.Time // no segment is sent before
	deadline time.Time // of writes
	closed   time.Time // zero until Close
	aborted  bool
	idle     []chan struct{} // waiting in Drain
}

type segment struct {
	data []byte
	at   time.Time // written; once in flight: due at the client
}

type ack struct {
	at time.Time
	n  int
}

func newConn(inner net.Conn, p world.Path, link *Link, now time.Time) *Conn {
	c := &Conn{Conn: inner, rtt: p.RTT, link: link, window: initialWindow,
		wake: make(chan struct{}, 1), room: make(chan struct{}, 1), gone: make(chan struct{})}
	c.open = now.Add(p.RTT) // the TCP handshake, which loopback did not take
	return c
}

// Write takes b, and blocks while more than the queue holds is waiting.
func (c *Conn) Write(b []byte) (n int, err error) {
	if c.link == nil {
		return c.Conn.Write(b)
	}
	for len(b) > 0 {
		taken, err := c.enqueue(b)
		n += taken
		if err != nil {
			return n, err
		}
		if b = b[taken:]; taken > 0 {
			signal(c.wake)
			continue
		}
		if err := c.awaitRoom(); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (c *Conn) enqueue(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch {
	case c.aborted:
		return 0, ErrAborted
	case !c.closed.IsZero():
		return 0, net.ErrClosed
	case !c.deadline.IsZero() && !now.Before(c.deadline):
		return 0, os.ErrDeadlineExceeded
	}
	n := min(len(b), maxQueue-c.queued)
	held := append([]byte(nil), b[:n]...)
	for len(held) > 0 {
		cut := min(len(held), mss)
		c.queue = append(c.queue, segment{held[:cut], now})
		held = held[cut:]
	}
	c.queued += n
	return n, nil
}

func (c *Conn) awaitRoom() error {
	c.mu.Lock()
	deadline := c.deadline
	c.mu.Unlock()
	var late <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-c.room:
		return nil
	case <-late:
		return os.ErrDeadlineExceeded
	case <-c.gone:
		return net.ErrClosed
	}
}

// SetDeadline is as for any connection; a writer that already waits keeps the
// deadline that it began with.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetWriteDeadline bounds how long Write waits for room.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if c.link == nil {
		return c.Conn.SetWriteDeadline(t)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return nil
}

// Close ends reading and writing at once. What was written is still delivered,
// as TCP does, for half a minute at most.
func (c *Conn) Close() error {
	if c.link == nil {
		return c.Conn.Close()
	}
	c.mu.Lock()
	first := c.closed.IsZero()
	if first {
		c.closed = time.Now()
	}
	c.mu.Unlock()
	if !first {
		return net.ErrClosed
	}
	signal(c.wake)
	return c.Conn.SetReadDeadline(time.Unix(1, 0)) // whoever reads returns
}

// Abort resets the connection: the client sees ECONNRESET, and what was not
// delivered is lost.
func (c *Conn) Abort() error {
	var err error
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		err = tcp.SetLinger(0) // first: the pump closes what is aborted
	}
	c.mu.Lock()
	c.aborted = true
	c.queue, c.flight, c.queued = nil, nil, 0
	c.mu.Unlock()
	signal(c.wake)
	if err != nil {
		return err
	}
	return c.Conn.Close()
}

// Drain waits until everything that was written is delivered. It fails when
// ctx ends or the connection does.
func (c *Conn) Drain(ctx context.Context) error {
	if c.link == nil {
		return nil
	}
	c.mu.Lock()
	if len(c.queue) == 0 && len(c.flight) == 0 {
		c.mu.Unlock()
		return nil
	}
	done := make(chan struct{})
	c.idle = append(c.idle, done)
	c.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.gone:
		return net.ErrClosed
	}
}

// pump sends and delivers until the connection is closed and empty, or broken.
func (c *Conn) pump() {
	defer close(c.gone)
	defer c.Conn.Close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		due, next, over := c.step(time.Now())
		if len(due) > 0 {
			if _, err := due.WriteTo(c.Conn); err != nil {
				c.Abort() // the client has gone; nothing more can be done for it
				return
			}
			continue
		}
		if over {
			return
		}
		pause(timer, next, c.wake)
	}
}

// pause waits for a wake, or until next where that is not zero.
func pause(timer *time.Timer, next time.Time, wake <-chan struct{}) {
	var at <-chan time.Time
	if !next.IsZero() {
		timer.Reset(time.Until(next))
		at = timer.C
	}
	select {
	case <-wake:
	case <-at:
	}
}

// step moves what can be sent into flight and takes out what is due. With
// nothing due it says when to look again, zero for not before a wake.
func (c *Conn) step(now time.Time) (due net.Buffers, next time.Time, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next = c.send(now)
	n := 0
	for n < len(c.flight) && !c.flight[n].at.After(now) {
		due = append(due, c.flight[n].data)
		n++
	}
	if c.flight = c.flight[n:]; len(c.flight) > 0 {
		next = sooner(next, sooner(c.flight[0].at.Add(grain), c.flight[len(c.flight)-1].at))
	}
	empty := len(c.flight) == 0 && len(c.queue) == 0
	if empty && n == 0 { // what was due is on its way, not delivered
		for _, waiting := range c.idle {
			close(waiting)
		}
		c.idle = nil
	}
	if !c.closed.IsZero() {
		over = empty || now.Sub(c.closed) > linger
		next = sooner(next, c.closed.Add(linger+time.Millisecond))
	}
	return due, next, over || c.aborted
}

// send puts segments in flight as window and line allow, up to the horizon, and
// says when the next one may go, zero when nothing waits.
func (c *Conn) send(now time.Time) time.Time {
	sent := 0
	defer func() {
		c.queue = c.queue[sent:]
		if sent > 0 {
			signal(c.room)
		}
	}()
	for _, s := range c.queue {
		start := c.windowOpens(len(s.data), later(s.at, c.open))
		end, ok := c.link.Reserve(len(s.data), start, now.Add(horizon))
		if !ok {
			return end.Add(-horizon)
		}
		arrives := end.Add(c.rtt)
		c.flight = append(c.flight, segment{s.data, arrives})
		c.acks = append(c.acks, ack{arrives, len(s.data)})
		c.unacked += len(s.data)
		c.queued -= len(s.data)
		sent++
	}
	return time.Time{}
}

// windowOpens is when n bytes fit into the congestion window, at earliest. The
// window starts at ten segments and grows by what is acknowledged, so it
// doubles with every round trip (RFC 5681, slow start; nothing is ever lost).
func (c *Conn) windowOpens(n int, earliest time.Time) time.Time {
	for len(c.acks) > 0 && (!c.acks[0].at.After(earliest) || c.unacked+n > c.window) {
		a := c.acks[0]
		c.acks = c.acks[1:]
		c.unacked -= a.n
		c.window = min(c.window+a.n, maxWindow)
		earliest = later(earliest, a.at)
	}
	c.open = later(c.open, earliest)
	return earliest
}

func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
