package fetch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
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

	scope   atomic.Int64 // of the last answer with a client subnet; -1 without
	aliases aliases
}

// resolutionDelay is how long the addresses of one family wait for the answer
// about IPv6, which usually goes first (RFC 8305 section 8).
const resolutionDelay = 50 * time.Millisecond

// maxAddresses bounds the addresses taken of one family: more are of no use to
// anyone who waits for a picture.
const maxAddresses = 32

// lookup is one name's look-up.
type lookup struct {
	cancel context.CancelFunc
	ready  chan struct{} // closed when there is enough to begin with
	done   chan struct{} // closed when all is there

	mu    sync.Mutex
	addrs []netip.Addr // IPv6 first
	err   error        // why there are none
}

// known are the addresses so far, and whether these are all.
func (l *lookup) known() (addrs []netip.Addr, complete bool) {
	select {
	case <-l.done:
		complete = true
	default:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.addrs), complete
}

func newResolver(cfg *Config) *resolver {
	r := &resolver{cfg: cfg, lookups: map[string]*lookup{}, queries: map[net.Conn]struct{}{}}
	r.scope.Store(-1)
	r.net = net.Resolver{PreferGo: true, Dial: r.dial}
	return r
}

// literal is the look-up of an address, which needs none.
func literal(a netip.Addr) *lookup {
	l := &lookup{addrs: []netip.Addr{a}, done: make(chan struct{})}
	close(l.done)
	return l
}

// lookup returns the look-up of host once it has brought an address, or why it
// did not; or the cause of ctx's end: the look-up itself goes on for others.
func (r *resolver) lookup(ctx context.Context, host string) (*lookup, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return literal(a), nil
	}
	l, err := r.start(host)
	if err != nil {
		return nil, err
	}
	select {
	case <-l.ready:
		return l, l.err // is not written once ready is closed
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
	l := &lookup{cancel: cancel, ready: make(chan struct{}), done: make(chan struct{})}
	r.lookups[host] = l
	r.wg.Go(func() {
		defer cancel()
		r.resolve(ctx, host, l)
	})
	return l, nil
}

// answer is what DNS says of one family.
type answer struct {
	family family
	addrs  []netip.Addr
	err    error
}

// resolve fills l: both families are asked at once, and l is ready with the
// first IPv6 address, or a little after the first IPv4 address (RFC 8305
// section 3). A failure is not kept: the next connection asks again.
func (r *resolver) resolve(ctx context.Context, host string, l *lookup) {
	name := host
	if r.cfg.Resolver != "" && strings.Contains(name, ".") && !strings.HasSuffix(name, ".") {
		name += "." // the system's search list is not the given server's
	}
	ask := map[int][]family{0: {six, four}, 4: {four}, 6: {six}}[r.cfg.IPVersion]
	answers := make(chan answer, len(ask))
	for _, f := range ask {
		r.wg.Go(func() {
			addrs, err := r.net.LookupNetIP(ctx, map[family]string{four: "ip4", six: "ip6"}[f], name)
			answers <- answer{f, addrs[:min(len(addrs), maxAddresses)], err}
		})
	}
	ready := sync.OnceFunc(func() { close(l.ready) })
	var errs []error
	var delay <-chan time.Time
	for left := len(ask); left > 0; {
		select {
		case <-delay:
			ready()
		case a := <-answers:
			left--
			if a.err != nil {
				errs = append(errs, a.err)
			}
			l.add(a)
			switch {
			case len(a.addrs) > 0 && a.family == six:
				ready()
			case len(a.addrs) > 0 && delay == nil:
				timer := time.NewTimer(resolutionDelay)
				defer timer.Stop()
				delay = timer.C
			}
		}
	}
	if len(l.addrs) == 0 {
		l.err = r.explained(reason(errs))
		r.mu.Lock()
		delete(r.lookups, host)
		r.mu.Unlock()
	}
	close(l.done)
	ready()
}

// add puts what DNS says of a family in its place.
func (l *lookup) add(a answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.family == six {
		l.addrs = append(a.addrs, l.addrs...)
	} else {
		l.addrs = append(l.addrs, a.addrs...)
	}
}

// reason is the error of a name without addresses: that it has none only where
// no family says more.
func reason(errs []error) error {
	for _, err := range errs {
		var e *net.DNSError
		if !errors.As(err, &e) || !e.IsNotFound {
			return err
		}
	}
	if len(errs) == 0 {
		return errors.New("no addresses")
	}
	return errs[0]
}

// explained is DNS's error with the server that was really asked, where package
// net names the system's, which it meant to ask; and with the one family that
// was asked for, as a name may have addresses of the other.
func (r *resolver) explained(err error) error {
	var e *net.DNSError
	if !errors.As(err, &e) {
		return err
	}
	told := *e
	if r.cfg.Resolver != "" && told.Server != "" {
		told.Server = r.cfg.Resolver
	}
	if r.cfg.IPVersion != 0 && told.IsNotFound {
		told.Err = fmt.Sprintf("no such host with an IPv%d address", r.cfg.IPVersion)
	}
	return &told
}

// query is the socket of one query.
type query struct {
	net.Conn
	r      *resolver
	stream bool // over TCP: each message behind its length
	end    func()
}

// udpQuery is the socket of a query over UDP. Package net tells it by its being
// a [net.PacketConn].
type udpQuery struct {
	*query
	packets
}

type packets interface {
	ReadFrom([]byte) (int, net.Addr, error)
	WriteTo([]byte, net.Addr) (int, error)
}

// Read reads a piece of an answer over TCP: its length, or the message.
func (q *query) Read(p []byte) (int, error) {
	n, err := q.Conn.Read(p)
	if err == nil {
		q.r.aliases.learn(p[:n])
	}
	return n, err
}

// Read reads one answer, and notes for which network it holds.
func (q udpQuery) Read(p []byte) (int, error) {
	n, err := q.query.Read(p)
	if err == nil && q.r.cfg.ClientSubnet.IsValid() {
		if bits, ok := subnetScope(p[:n]); ok {
			q.r.scope.Store(int64(bits))
		}
	}
	return n, err
}

// Close closes the socket and takes it off the resolver's list.
func (q *query) Close() error {
	defer q.end()
	return q.Conn.Close()
}

// Write sends one query, with the network that it is asked for.
func (q *query) Write(p []byte) (int, error) {
	subnet := q.r.cfg.ClientSubnet
	if !subnet.IsValid() {
		return q.Conn.Write(p)
	}
	message := p
	if q.stream {
		message = p[min(2, len(p)):]
	}
	message, err := withSubnet(message, subnet)
	if err != nil {
		return 0, err
	}
	if q.stream {
		message = append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
	}
	if _, err := q.Conn.Write(message); err != nil {
		return 0, err
	}
	return len(p), nil
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
	q := &query{Conn: conn, r: r, end: end}
	if udp, ok := conn.(*net.UDPConn); ok {
		return udpQuery{q, udp}, nil
	}
	q.stream = true
	return q, nil
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
