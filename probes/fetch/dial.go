package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// recordKey is the context key of the [record] that a dial writes.
type recordKey struct{}

// dialer makes connections: for [http.Transport.NewClientConn] over TCP, and
// over QUIC.
type dialer struct {
	cfg      *Config
	resolver *resolver
}

// countedConn counts what is read, to tell an answer's head that was too large,
// and keeps that the connection was reset. The kernel tells that once, be it to a
// write, and to reads after it that all has come.
type countedConn struct {
	net.Conn
	read  atomic.Int64
	reset atomic.Pointer[error]
}

// Read reads and counts.
func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	if reset := c.reset.Load(); err == io.EOF && reset != nil {
		err = *reset
	}
	return n, err
}

// Write writes, and keeps that the connection was reset.
func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if errors.Is(err, syscall.ECONNRESET) {
		c.reset.Store(&err)
	}
	return n, err
}

// dial resolves and connects.
func (d *dialer) dial(ctx context.Context, _, address string) (net.Conn, error) {
	rec := ctx.Value(recordKey{}).(*record)
	host, port, field, err := d.resolve(ctx, address)
	if err != nil {
		return nil, err
	}
	rec.enter(phaseConnect)
	r := race[net.Conn]{
		rec: rec, network: "tcp", port: port, style: d.cfg.Eyeballs, field: field,
		connect: func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			nd := net.Dialer{LocalAddr: localAddr(d.cfg.LocalAddr, "tcp", to.String())}
			return nd.DialContext(ctx, "tcp", to.String())
		},
	}
	conn, err := r.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", net.JoinHostPort(host, strconv.Itoa(int(port))), err)
	}
	if a, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil {
		rec.answered(netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
	}
	counted := &countedConn{Conn: conn}
	rec.read = counted.read.Load
	return counted, nil
}

// dialTLS resolves, connects and shakes hands for the name in address.
func (d *dialer) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	rec := ctx.Value(recordKey{}).(*record)
	rec.enter(phaseTLS)
	config, err := d.tlsConfig(address, map[string][]string{"": {"h2", "http/1.1"}, "1.1": {"http/1.1"}, "2": {"h2"}}[d.cfg.HTTP])
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	tc := tls.Client(conn, config)
	if err := tc.HandshakeContext(ctx); err != nil {
		conn.Close() // the handshake's error says more
		rec.shook(nil, err)
		return nil, fmt.Errorf("TLS with %s (%s): %w", address, conn.RemoteAddr(), whichCertificate(err))
	}
	state := tc.ConnectionState()
	if d.cfg.HTTP == "2" && state.NegotiatedProtocol != "h2" {
		tc.Close() // the handshake's outcome says more
		return nil, fmt.Errorf("TLS with %s (%s): the server does not offer HTTP/2", address, conn.RemoteAddr())
	}
	rec.shook(&state, nil)
	return tc, nil
}

// tlsConfig is how hands are shaken with the server named in address.
func (d *dialer) tlsConfig(address string, protos []string) (*tls.Config, error) {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		ServerName:         name,
		RootCAs:            d.cfg.RootCAs,
		InsecureSkipVerify: d.cfg.Insecure,
		NextProtos:         protos,
	}, nil
}

// connectTo is the HOST:PORT to dial for the HOST:PORT of a URL.
func (d *dialer) connectTo(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	to, ok := d.cfg.ConnectTo[address]
	if !ok {
		to, ok = d.cfg.ConnectTo[host]
	}
	if !ok {
		return address
	}
	if _, _, err := net.SplitHostPort(to); err == nil {
		return to
	}
	return net.JoinHostPort(strings.Trim(to, "[]"), port)
}

// resolve gives the addresses that may be dialled for address, as far as they
// are known: at least one.
func (d *dialer) resolve(ctx context.Context, address string) (host string, port uint16, f field, err error) {
	host, service, err := net.SplitHostPort(d.connectTo(address))
	if err != nil {
		return host, 0, f, fmt.Errorf("connect to %s: %w", address, err)
	}
	number, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return host, 0, f, fmt.Errorf("connect to %s: port %q", address, service)
	}
	l, err := d.resolver.lookup(ctx, host)
	if err != nil {
		return host, 0, f, fmt.Errorf("resolve %s: %w", host, err)
	}
	f = field{more: l.done, rest: func() []netip.Addr {
		list, _ := l.known()
		allowed, _ := d.dialable(host, list)
		return allowed
	}}
	list, complete := l.known()
	f.addrs, err = d.dialable(host, list)
	if err != nil && !complete {
		select {
		case <-l.done:
			list, complete = l.known()
			f.addrs, err = d.dialable(host, list)
		case <-ctx.Done():
			return host, 0, f, context.Cause(ctx)
		}
	}
	if complete {
		f.more = nil
	}
	return host, uint16(number), f, err
}

// dialable are the addresses that may be dialled: public or allowed, of the
// family asked for and of that of the source address.
func (d *dialer) dialable(host string, addrs []netip.Addr) ([]netip.Addr, error) {
	var family, allowed []netip.Addr
	for _, a := range addrs {
		four := a.Unmap().Is4()
		if src := d.cfg.LocalAddr; src.IsValid() && src.Unmap().Is4() != four {
			continue
		}
		if v := d.cfg.IPVersion; v != 0 && (v == 4) != four {
			continue
		}
		family = append(family, a)
		if d.cfg.allowed(a) {
			allowed = append(allowed, a)
		}
	}
	switch {
	case len(family) == 0:
		return nil, fmt.Errorf("resolve %s: no address of the family asked for", host)
	case len(allowed) == 0:
		return nil, fmt.Errorf("dial %s at %v: %w", host, family, ErrBlocked)
	}
	return allowed, nil
}
