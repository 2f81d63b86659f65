package fetch

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"slices"
	"time"
)

// Eyeballs says how a client with addresses of both families connects.
type Eyeballs string

const (
	// EyeballsRFC8305 tries the addresses in turn, the families taking turns
	// and IPv6 first: the next when one failed, or beside it after 250 ms (RFC
	// 8305 section 5 and 8). It is what Apple's systems do, and the default.
	EyeballsRFC8305 Eyeballs = ""

	// EyeballsChromium tries one address after another, IPv6 first, each only
	// when the one before failed; after 300 ms one such row beside the first
	// that prefers IPv4. Over QUIC it tries the first address alone. Of a host's
	// first connection over TCP, until it is ready, another such race begins after
	// 250 ms. (Chromium 154: net/socket/tcp_connect_job.cc,
	// net/socket/transport_client_socket_pool.cc,
	// net/quic/quic_session_pool_direct_job.cc; the net log of Chromium 156 shows
	// the second row 300 to 301 ms after the first.)
	EyeballsChromium Eyeballs = "chromium"
)

const (
	// attemptDelay is the time that an address has to itself before the next is
	// tried beside it (RFC 8305 section 8, Connection Attempt Delay).
	attemptDelay = 250 * time.Millisecond
	// fallbackDelay is the same for Chromium's second row
	// (TcpConnectJob::kIPv6FallbackTime).
	fallbackDelay = 300 * time.Millisecond
)

// family is a preference for one.
type family int

const (
	noFamily family = iota
	four
	six
)

func familyOf(a netip.Addr) family {
	if a.Unmap().Is4() {
		return four
	}
	return six
}

// field are the addresses of a race: those that are there, and those still to
// come from a look-up.
type field struct {
	addrs []netip.Addr
	more  <-chan struct{}     // closed when rest can tell all; nil when there are no more
	rest  func() []netip.Addr // those and addrs, in order
	seen  map[netip.Addr]bool
}

// add takes up what the look-up has brought since.
func (f *field) add() {
	f.more = nil
	for _, a := range f.rest() {
		if !f.seen[a] && !slices.Contains(f.addrs, a) {
			f.addrs = append(f.addrs, a)
		}
	}
}

// pick takes the next address: the first of the family, else the first of all.
func (f *field) pick(prefer family) netip.Addr {
	i := max(slices.IndexFunc(f.addrs, func(a netip.Addr) bool { return familyOf(a) == prefer }), 0)
	a := f.addrs[i]
	f.addrs = slices.Delete(f.addrs, i, i+1)
	f.seen[a] = true
	return a
}

// race is one run for the first connection among the addresses of a host.
type race[T io.Closer] struct {
	rec     *record
	network string
	port    uint16
	style   Eyeballs
	connect func(context.Context, netip.AddrPort) (T, error)

	field   field
	turn    family // of the next address where families take turns
	rows    int    // begun
	due     bool   // the delay is over and there was nothing to begin
	running int
	results chan result[T]
}

type result[T io.Closer] struct {
	conn   T
	err    error
	index  int    // of the attempt
	prefer family // of its row
}

// run connects to the first address that answers. It returns when every attempt
// has ended.
func (r *race[T]) run(ctx context.Context) (T, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.results = make(chan result[T])
	r.field.seen = map[netip.Addr]bool{}
	var (
		won  T
		done bool
		errs []error
	)
	delay := time.NewTimer(0)
	defer delay.Stop()
	ended := ctx.Done()
	for r.running > 0 || !done && (len(r.field.addrs) > 0 || r.field.more != nil) {
		select {
		case <-ended:
			r.field.addrs, r.field.more, ended = nil, nil, nil
		case <-delay.C:
			if r.due = done || !r.mayBegin(); !r.due {
				delay.Reset(r.begin(ctx))
			}
		case <-r.field.more:
			r.field.add()
			if r.due || r.running == 0 {
				delay.Reset(0)
			}
		case res := <-r.results:
			r.running--
			switch {
			case res.err == nil && !done:
				won, done = res.conn, true
				r.rec.end(res.index, nil)
				r.field.more = nil
				cancel()
			case res.err == nil:
				res.conn.Close() // a second that came as well
				r.rec.end(res.index, ErrOvertaken)
			case done:
				r.rec.end(res.index, ErrOvertaken)
			default:
				if ctx.Err() == nil { // else it was given up, and says nothing of the address
					r.rec.end(res.index, res.err)
				}
				errs = append(errs, res.err)
				r.goOn(ctx, delay, res.prefer)
			}
		}
	}
	switch {
	case done:
		return won, nil
	case len(errs) == 0:
		return won, context.Cause(ctx)
	}
	return won, errors.Join(errs...)
}

// mayBegin tells whether the delay's end begins another attempt.
func (r *race[T]) mayBegin() bool {
	switch {
	case len(r.field.addrs) == 0:
		return false
	case r.style != EyeballsChromium || r.running == 0:
		return true
	}
	// The second row is there for IPv4 beside an IPv6 that does not answer.
	return r.rows == 1 && r.network == "tcp" && slices.ContainsFunc(r.field.addrs, func(a netip.Addr) bool { return familyOf(a) == four })
}

// begin begins the next attempt that a delay leads to, and returns the delay
// after it.
func (r *race[T]) begin(ctx context.Context) time.Duration {
	r.rows++
	if r.style == EyeballsChromium {
		r.attempt(ctx, []family{six, four}[min(r.rows, 2)-1])
		return fallbackDelay
	}
	r.attempt(ctx, noFamily)
	return attemptDelay
}

// goOn begins what the failure of an attempt leads to.
func (r *race[T]) goOn(ctx context.Context, delay *time.Timer, prefer family) {
	if ctx.Err() != nil || r.style == EyeballsChromium && r.network == "quic" {
		r.field.addrs, r.field.more = nil, nil
	}
	switch {
	case len(r.field.addrs) == 0:
	case r.style != EyeballsChromium:
		delay.Reset(0)
	default:
		r.attempt(ctx, prefer)
	}
}

// attempt begins one attempt for a row.
func (r *race[T]) attempt(ctx context.Context, prefer family) {
	want := prefer
	if prefer == noFamily {
		if want = r.turn; want == noFamily {
			want = six
		}
	}
	addr := r.field.pick(want).Unmap()
	r.turn = map[family]family{four: six, six: four}[familyOf(addr)]
	to := netip.AddrPortFrom(addr, r.port)
	index := r.rec.begin(r.network, to)
	r.running++
	go func() {
		conn, err := r.connect(ctx, to)
		r.results <- result[T]{conn, err, index, prefer}
	}()
}
