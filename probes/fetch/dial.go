package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// attemptDelay is the time that an address has to itself before the next is
// tried beside it (RFC 8305 section 5, Connection Attempt Delay).
const attemptDelay = 250 * time.Millisecond

// phase is what a dial is at.
type phase int

const (
	phaseDNS phase = iota
	phaseConnect
	phaseTLS
	phaseReady
)

// The type of a failure in each phase, and what was being done.
var (
	phaseErrors = [...]run.ErrorType{run.ErrDNS, run.ErrConnect, run.ErrTLS, run.ErrTimeout}
	phaseNames  = [...]string{"resolving", "connecting", "TLS handshake", "waiting for a connection"}
)

// record holds when each phase of one dial began. Exchanges that give up read
// it while the dial writes.
type record struct {
	mu sync.Mutex
	at [phaseReady + 1]time.Time
	is phase

	// What the dial came to; set before phaseReady and not read earlier.
	net *countedConn
	tls *tls.ConnectionState // nil without TLS
}

// enter begins phase p. Phases that are left out took no time.
func (r *record) enter(p phase) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := r.is; i < p; i++ {
		r.at[i+1] = now
	}
	if p == phaseDNS {
		r.at[p] = now
	}
	r.is = p
}

// load returns the phase that the dial is at, and the begins of those so far.
func (r *record) load() (phase, [phaseReady + 1]time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.is, r.at
}

// recordKey is the context key of the [record] that a dial writes.
type recordKey struct{}

// dialer makes connections for [http.Transport.NewClientConn].
type dialer struct {
	cfg      *Config
	resolver *resolver
}

// countedConn counts what is read, to tell an answer's head that was too large.
type countedConn struct {
	net.Conn
	read atomic.Int64
}

// Read reads and counts.
func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

// dial resolves and connects.
func (d *dialer) dial(ctx context.Context, _, address string) (net.Conn, error) {
	rec := ctx.Value(recordKey{}).(*record)
	host, port, err := net.SplitHostPort(d.connectTo(address))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	addrs, err := d.resolver.lookup(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", host, err)
	}
	addrs, err = d.dialable(host, addrs)
	if err != nil {
		return nil, err
	}
	rec.enter(phaseConnect)
	conn, err := d.race(ctx, interleave(addrs), port)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", net.JoinHostPort(host, port), err)
	}
	rec.net = &countedConn{Conn: conn}
	return rec.net, nil
}

// dialTLS resolves, connects and shakes hands for the name in address.
func (d *dialer) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	rec := ctx.Value(recordKey{}).(*record)
	rec.enter(phaseTLS)
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	protos := map[string][]string{"": {"h2", "http/1.1"}, "1.1": {"http/1.1"}, "2": {"h2"}}[d.cfg.HTTP]
	tc := tls.Client(conn, &tls.Config{
		ServerName:         name,
		RootCAs:            d.cfg.RootCAs,
		InsecureSkipVerify: d.cfg.Insecure,
		NextProtos:         protos,
	})
	if err := tc.HandshakeContext(ctx); err != nil {
		conn.Close() // the handshake's error says more
		return nil, fmt.Errorf("TLS with %s (%s): %w", address, conn.RemoteAddr(), err)
	}
	state := tc.ConnectionState()
	if d.cfg.HTTP == "2" && state.NegotiatedProtocol != "h2" {
		tc.Close() // the handshake's outcome says more
		return nil, fmt.Errorf("TLS with %s (%s): the server does not offer HTTP/2", address, conn.RemoteAddr())
	}
	rec.tls = &state
	return tc, nil
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

// interleave lets the families take turns, beginning with the first's (RFC 8305
// section 4).
func interleave(addrs []netip.Addr) []netip.Addr {
	var same, other []netip.Addr
	for _, a := range addrs {
		if a.Unmap().Is4() == addrs[0].Unmap().Is4() {
			same = append(same, a)
		} else {
			other = append(other, a)
		}
	}
	out := make([]netip.Addr, 0, len(addrs))
	for len(same)+len(other) > 0 {
		if len(same) > 0 {
			out, same = append(out, same[0]), same[1:]
		}
		if len(other) > 0 {
			out, other = append(out, other[0]), other[1:]
		}
	}
	return out
}

// race connects to the first of addrs that answers: the next is tried when one
// failed or after attemptDelay (RFC 8305 section 5). It returns when every
// attempt has ended.
func (d *dialer) race(ctx context.Context, addrs []netip.Addr, port string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		conn net.Conn
		err  error
	}
	results := make(chan result, len(addrs))
	delay := time.NewTimer(0)
	defer delay.Stop()
	var (
		won     net.Conn
		errs    []error
		running int
	)
	for len(addrs) > 0 || running > 0 {
		select {
		case <-delay.C:
			if len(addrs) == 0 || won != nil {
				continue
			}
			address := net.JoinHostPort(addrs[0].String(), port)
			addrs = addrs[1:]
			running++
			delay.Reset(attemptDelay)
			go func() {
				nd := net.Dialer{LocalAddr: localAddr(d.cfg.LocalAddr, "tcp", address)}
				conn, err := nd.DialContext(ctx, "tcp", address)
				results <- result{conn, err}
			}()
		case r := <-results:
			running--
			switch {
			case r.err != nil:
				errs = append(errs, r.err)
				delay.Reset(0)
			case won == nil:
				won, addrs = r.conn, nil
				cancel()
			default:
				r.conn.Close() // a second that came as well
			}
		}
	}
	if won == nil {
		return nil, errors.Join(errs...)
	}
	return won, nil
}
