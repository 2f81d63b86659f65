package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
)

// resolver resolves each name once in a client's life, as a browser's host
// cache does: connections made at the same time share one look-up.
type resolver struct {
	cfg *Config
	net net.Resolver

	mu      sync.Mutex
	closed  bool
	lookups map[string]*lookup
	queries map[net.Conn]struct{} // sockets of queries under way
	wg      sync.WaitGroup        // look-ups and sockets
}

type lookup struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when addrs and err are there
	addrs  []netip.Addr
	err    error
}

func newResolver(cfg *Config) *resolver {
	r := &resolver{cfg: cfg, lookups: map[string]*lookup{}, queries: map[net.Conn]struct{}{}}
	r.net = net.Resolver{PreferGo: true, Dial: r.dial}
	return r
}

// lookup returns the addresses of host, or the cause of ctx's end: the look-up
// itself goes on for others.
func (r *resolver) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	l, err := r.start(host)
	if err != nil {
		return nil, err
	}
	select {
	case <-l.done:
		return l.addrs, l.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// start returns the look-up of host, begun now unless there is one.
func (r *resolver) start(host string) (*lookup, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.lookups[host]; l != nil {
		return l, nil
	}
	if r.closed {
		return nil, ErrClosed
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &lookup{cancel: cancel, done: make(chan struct{})}
	r.lookups[host] = l
	r.wg.Go(func() {
		defer cancel()
		r.resolve(ctx, host, l)
	})
	return l, nil
}

// resolve fills l. A failure is not kept: the next connection asks again.
func (r *resolver) resolve(ctx context.Context, host string, l *lookup) {
	network := "ip"
	if r.cfg.IPVersion != 0 {
		network = fmt.Sprintf("ip%d", r.cfg.IPVersion)
	}
	name := host
	if r.cfg.Resolver != "" && strings.Contains(name, ".") && !strings.HasSuffix(name, ".") {
		name += "." // the system's search list is not the given server's
	}
	l.addrs, l.err = r.net.LookupNetIP(ctx, network, name)
	if l.err != nil {
		r.mu.Lock()
		delete(r.lookups, host)
		r.mu.Unlock()
	}
	close(l.done)
}

// udpQuery and tcpQuery are the socket of one query; end takes it off the
// resolver's list. Package net tells them apart by [net.PacketConn].
type udpQuery struct {
	*net.UDPConn
	end func()
}

// Close closes the socket.
func (q udpQuery) Close() error {
	defer q.end()
	return q.UDPConn.Close()
}

type tcpQuery struct {
	net.Conn
	end func()
}

// Close closes the socket.
func (q tcpQuery) Close() error {
	defer q.end()
	return q.Conn.Close()
}

// dial connects to the DNS server: the given one, or the system's at address.
// The socket is kept on a list, because package net waits for an answer until
// its own timeout even when its context has ended: close closes it.
func (r *resolver) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if r.cfg.Resolver != "" {
		address = r.cfg.Resolver
	}
	d := net.Dialer{LocalAddr: localAddr(r.cfg.LocalAddr, network, address)}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errors.Join(ErrClosed, conn.Close())
	}
	r.queries[conn] = struct{}{}
	r.wg.Add(1)
	end := sync.OnceFunc(func() {
		r.mu.Lock()
		delete(r.queries, conn)
		r.mu.Unlock()
		r.wg.Done()
	})
	if udp, ok := conn.(*net.UDPConn); ok {
		return udpQuery{udp, end}, nil
	}
	return tcpQuery{conn, end}, nil
}

// close ends what is under way and waits for it.
func (r *resolver) close() {
	r.mu.Lock()
	r.closed = true
	for _, l := range r.lookups {
		l.cancel()
	}
	for conn := range r.queries {
		conn.Close() // the query fails of it; there is no one to tell
	}
	r.mu.Unlock()
	r.wg.Wait()
}

// localAddr is the source for a connection to address, or nil where none is
// asked for or where it is of the other family.
func localAddr(src netip.Addr, network, address string) net.Addr {
	if !src.IsValid() {
		return nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil
	}
	if to, err := netip.ParseAddr(host); err == nil && to.Unmap().Is4() != src.Unmap().Is4() {
		return nil
	}
	if strings.HasPrefix(network, "udp") {
		return net.UDPAddrFromAddrPort(netip.AddrPortFrom(src, 0))
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(src, 0))
}
