// Package shaper makes connections over loopback as slow as those over a long
// way: round-trip time, bandwidth and TCP's slow start, by who the client is.
//
// It works at the server's end, in user space. The kernel's own handshake over
// loopback takes no time, so its round trip is charged to the first answer;
// after that every answer arrives one round trip after it was written, its
// bytes spaced by the line's rate and held back by a congestion window that
// starts at ten segments of 1460 bytes and doubles with every round trip. The
// connections of one client share its line. Packets are never lost, and a
// client's own bytes take no time. Delivery is exact to about 2 ms.
//
// Of QUIC ([Listener.Packets]) only the way is imitated: each datagram takes its
// time on the line and one round trip, and is lost where half a second's worth
// of them waits already.
package shaper

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/world"
)

// Listener accepts shaped connections. Make one with [New].
type Listener struct {
	net.Listener
	path func(netip.Addr) world.Path

	mu    sync.Mutex
	lines map[netip.Addr]*line
	conns map[*Conn]struct{}
	pumps sync.WaitGroup
	stop  bool
}

type line struct {
	link  *Link
	users int
}

// New shapes the connections that inner accepts, each by the path that path
// gives for its client.
func New(inner net.Listener, path func(client netip.Addr) world.Path) *Listener {
	return &Listener{Listener: inner, path: path, lines: map[netip.Addr]*line{}, conns: map[*Conn]struct{}{}}
}

// Accept waits for the next connection, which is a *Conn.
func (l *Listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	client := Addr(inner.RemoteAddr())
	p := l.path(client)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stop {
		inner.Close()
		return nil, net.ErrClosed
	}
	if p == (world.Path{}) {
		return newConn(inner, p, nil, now), nil
	}
	c := newConn(inner, p, l.use(client, p), now)
	l.conns[c] = struct{}{}
	l.pumps.Go(func() {
		c.pump()
		l.mu.Lock()
		delete(l.conns, c)
		l.mu.Unlock()
		l.leave(client)
	})
	return c, nil
}

// join is a client's line, which it has until it leaves as often as it joined.
func (l *Listener) join(client netip.Addr, p world.Path) *Link {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.use(client, p)
}

// use is join with the lock held.
func (l *Listener) use(client netip.Addr, p world.Path) *Link {
	shared := l.lines[client]
	if shared == nil {
		shared = &line{link: NewLink(p.Kbps)}
		l.lines[client] = shared
	}
	shared.users++
	return shared.link
}

func (l *Listener) leave(client netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if shared := l.lines[client]; shared.users > 1 {
		shared.users--
		return
	}
	delete(l.lines, client)
}

// Stop closes the listener, aborts every connection that is still delivering
// and returns when none is left.
func (l *Listener) Stop() {
	l.Listener.Close()
	l.mu.Lock()
	l.stop = true
	for c := range l.conns {
		c.Abort()
	}
	l.mu.Unlock()
	l.pumps.Wait()
}

// Addr is the IP address of a TCP or UDP address, the zero Addr of any other.
func Addr(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap()
	case *net.UDPAddr:
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// Sleep waits for d, or fails with ctx's error when that ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
