package fetch

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"
)

// pool holds a client's connections by host. Requests that wait are served in
// their order by whatever connection is there first, as browsers do.
type pool struct {
	cfg       *Config
	transport *http.Transport
	dialer    *dialer
	resolver  *resolver

	mu     sync.Mutex
	closed bool
	hosts  map[target]*host
	wg     sync.WaitGroup // dials
}

// target is where connections lead to.
type target struct {
	scheme  string
	address string // HOST:PORT
}

// waiter is an exchange without a connection.
type waiter struct {
	own   *dial // begun for it; nil when there was no room
	ready chan lease
}

// lease is a connection for an exchange, or why there is none.
type lease struct {
	conn   *conn
	at     time.Time // when conn was handed over
	reused bool
	rec    *record // of the dial that made conn or that failed; nil when there was none
	err    error
}

func newPool(cfg Config) *pool {
	p := &pool{cfg: &cfg, hosts: map[target]*host{}}
	p.resolver = newResolver(p.cfg)
	p.dialer = &dialer{cfg: p.cfg, resolver: p.resolver}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(cfg.HTTP != "2")
	protocols.SetHTTP2(cfg.HTTP != "1.1")
	protocols.SetUnencryptedHTTP2(cfg.HTTP == "2")
	p.transport = &http.Transport{
		DialContext:            p.dialer.dial,
		DialTLSContext:         p.dialer.dialTLS,
		Protocols:              protocols,
		DisableCompression:     true,
		MaxResponseHeaderBytes: cfg.MaxHeaderBytes,
	}
	return p
}

// acquire returns a connection to t. It waits until one is there, its dial has
// failed or ctx has ended; the lease's err is then ctx's cause.
func (p *pool) acquire(ctx context.Context, t target) lease {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return lease{err: ErrClosed}
	}
	h := p.hosts[t]
	if h == nil {
		h = &host{target: t, many: p.cfg.HTTP == "2" || p.cfg.HTTP == "3"}
		p.hosts[t] = h
	}
	p.alternate(h)
	if c := h.take(); c != nil {
		p.mu.Unlock()
		return lease{conn: c, at: time.Now(), reused: true, rec: c.rec}
	}
	w := &waiter{ready: make(chan lease, 1)}
	h.waiters = append(h.waiters, w)
	p.pump(h)
	p.mu.Unlock()
	select {
	case l := <-w.ready:
		return l
	case <-ctx.Done():
		return p.abandon(ctx, h, w)
	}
}

// abandon takes w, whose ctx has ended, out of the queue.
func (p *pool) abandon(ctx context.Context, h *host, w *waiter) lease {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case l := <-w.ready: // served at the same instant
		if l.conn != nil {
			p.put(h, l.conn)
		}
		l.conn, l.err = nil, context.Cause(ctx)
		return l
	default:
	}
	h.waiters = slices.DeleteFunc(h.waiters, func(o *waiter) bool { return o == w })
	l := lease{err: context.Cause(ctx)}
	switch {
	case w.own != nil:
		l.rec = w.own.rec
		if h.dialling() > len(h.waiters) {
			w.own.cancel(l.err)
		}
	case len(h.dials) > 0:
		l.rec = h.dials[0].rec
	}
	return l
}

// release gives c, which leads to t, back after an exchange.
func (p *pool) release(t target, c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[t]
	if i := slices.Index(h.conns, c); i >= 0 {
		c.used = true
		h.conns = append(slices.Delete(h.conns, i, i+1), c)
	}
	p.put(h, c)
}

func (p *pool) put(h *host, c *conn) {
	c.users--
	switch room := c.Available(); {
	case c.proto == "2" && room > 0:
		h.streams = room + c.InFlight()
	case !c.many() && room == 0:
		c.Close() // its answer was not read to the end; now there is room for another
	}
	p.pump(h)
}

// pump serves h's waiters, and begins dials for those that are left as far as
// there is room.
func (p *pool) pump(h *host) {
	for len(h.waiters) > 0 {
		c := h.take()
		if c == nil {
			break
		}
		h.waiters[0].ready <- lease{conn: c, at: time.Now(), reused: !c.fresh, rec: c.rec}
		h.waiters = h.waiters[1:]
	}
	h.prune()
	if h.hold {
		return
	}
	room := p.cfg.MaxConnsPerHost - h.count()
	if h.many {
		room = min(room, 1)
	}
	for _, w := range h.waiters {
		if p.closed || h.dialling() >= min(room, len(h.waiters)) {
			return
		}
		if w.own == nil {
			first := h.count() == 0 && h.dialling() == 0
			w.own = p.startDial(h, p.cfg.HTTP == "3", h.address)
			if first && p.cfg.Eyeballs == EyeballsChromium && p.cfg.HTTP != "3" {
				p.secondBeside(h, w.own)
			}
		}
	}
}

// alternate begins a connection over QUIC where h's server is known to speak
// HTTP/3 and there is none. Exchanges that find no connection wait for it for a
// while where QUIC has worked before, else they have TCP dialled at once; one
// that finds a connection over TCP takes that. This is Chromium's
// HttpStreamFactory::JobController with its defaults; the net log of Chromium
// 156 shows the same of a first and of a second visit.
func (p *pool) alternate(h *host) {
	if p.cfg.AltSvc == nil || h.scheme != "https" || p.closed {
		return
	}
	isQUIC := func(c *conn) bool { return c.proto == "3" && c.room(0) }
	beside := func(d *dial) bool { return d.beside }
	address, proven := p.cfg.AltSvc.of(h.address, time.Now())
	if address == "" || slices.ContainsFunc(h.conns, isQUIC) || slices.ContainsFunc(h.dials, beside) {
		return
	}
	d := p.startDial(h, true, address)
	d.beside = true
	if h.hold = proven; !proven {
		return
	}
	d.delay = time.AfterFunc(p.cfg.AltSvcDelay, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		h.hold = false
		p.pump(h)
	})
}

// secondDelay is ClientSocketPool::kMaxConnectRetryIntervalMs.
const secondDelay = 250 * time.Millisecond

// secondBeside begins another dial beside h's first, d, when that has not come to
// a connection after a while, not counting what the name took: whichever is
// there first serves. So a browser gets over a SYN that was lost, which the
// kernel repeats after a second only. This is Chromium's backup job
// (TransportClientSocketPool::Group::OnBackupJobTimerFired); the net log of
// Chromium 156 shows it 252 ms after the first.
func (p *pool) secondBeside(h *host, d *dial) {
	d.backup = time.AfterFunc(secondDelay, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch is, _ := d.rec.load(); {
		case p.closed || !slices.Contains(h.dials, d) || len(h.waiters) == 0:
		case is == phaseDNS || h.count()+len(h.dials) >= p.cfg.MaxConnsPerHost:
			d.backup.Reset(secondDelay)
		default:
			p.dial(h, d.rec.second(), false, h.address).second = true
		}
	})
}

// startDial begins a dial of address that ends with the pool or the limit.
func (p *pool) startDial(h *host, quic bool, address string) *dial {
	rec := &record{}
	rec.enter(phaseDNS)
	return p.dial(h, rec, quic, address)
}

// dial is startDial with a record that has begun.
func (p *pool) dial(h *host, rec *record, quic bool, address string) *dial {
	ctx, cancel := context.WithCancelCause(context.Background())
	d := &dial{rec: rec, cancel: cancel}
	h.dials = append(h.dials, d)
	p.wg.Go(func() {
		defer cancel(nil)
		limit := time.AfterFunc(p.cfg.ConnectTimeout, func() { cancel(ErrConnectTimeout) })
		defer limit.Stop()
		var c *conn
		var err error
		if quic {
			c, err = p.connectQUIC(ctx, h.target, address, d.rec)
		} else {
			c, err = p.connect(ctx, h.target, d.rec)
		}
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		p.dialed(h, d, c, err)
	})
	return d
}

// connect makes one connection over TCP and records its phases in rec.
func (p *pool) connect(ctx context.Context, t target, rec *record) (*conn, error) {
	cc, err := p.transport.NewClientConn(context.WithValue(ctx, recordKey{}, rec), t.scheme, t.address)
	if err != nil {
		return nil, err
	}
	rec.enter(phaseReady)
	proto := "1.1"
	if p.cfg.HTTP == "2" || rec.tls != nil && rec.tls.NegotiatedProtocol == "h2" {
		proto = "2"
	}
	return &conn{transport: cc, rec: rec, proto: proto}, nil
}

// connectQUIC makes one connection over QUIC and records its phases in rec.
func (p *pool) connectQUIC(ctx context.Context, t target, address string, rec *record) (*conn, error) {
	qc, err := p.dialer.dialQUIC(ctx, t.address, address, rec)
	if err != nil {
		return nil, err
	}
	rec.enter(phaseReady)
	return &conn{transport: qc, rec: rec, proto: "3"}, nil
}

// dialed ends d: c serves those who wait, or err the one that d was begun for.
func (p *pool) dialed(h *host, d *dial, c *conn, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.dials = slices.DeleteFunc(h.dials, func(o *dial) bool { return o == d })
	if d.backup != nil {
		d.backup.Stop()
	}
	if d.second && err == nil {
		d.rec.overtake()
	}
	if d.beside {
		h.hold = false
		if d.delay != nil {
			d.delay.Stop()
		}
		if !p.closed || d.unanswered(p.cfg.AltSvcDelay) {
			p.cfg.AltSvc.tried(h.address, err == nil, time.Now())
		}
	}
	// Whoever waits on has a dial begun again as far as there is room.
	own := slices.IndexFunc(h.waiters, func(w *waiter) bool { return w.own == d })
	if own >= 0 {
		h.waiters[own].own = nil
	}
	if err != nil {
		if own >= 0 && !errors.Is(err, errSpare) {
			h.waiters[own].ready <- lease{rec: d.rec, err: err}
			h.waiters = slices.Delete(h.waiters, own, own+1)
		}
		p.pump(h)
		return
	}
	h.conns = append(h.conns, c)
	if own >= 0 && (c.Err() != nil || c.Available() == 0) { // closed at once: let the exchange meet it, as a browser's would
		c.users++
		h.waiters[own].ready <- lease{conn: c, at: time.Now(), rec: c.rec}
		h.waiters = slices.Delete(h.waiters, own, own+1)
	}
	if p.closed {
		return // close, which waits for the dials, closes it
	}
	if c.many() {
		h.many = h.many || c.proto != "3" || p.cfg.HTTP == "3"
		for _, other := range h.dials {
			if !other.beside { // which is for those who come later
				other.cancel(errSpare)
			}
		}
	}
	c.fresh = true
	p.pump(h)
	c.fresh = false
}

// close ends dials, exchanges and connections, and waits for what the pool
// began.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	for _, h := range p.hosts {
		for _, d := range h.dials {
			d.cancel(ErrClosed)
		}
		for _, w := range h.waiters {
			w.ready <- lease{err: ErrClosed}
		}
		h.waiters = nil
	}
	p.mu.Unlock()
	p.resolver.close()
	p.wg.Wait()

	p.mu.Lock()
	var conns []*conn
	for _, h := range p.hosts {
		conns = append(conns, h.conns...)
		h.conns = nil
	}
	p.mu.Unlock()
	for _, c := range conns {
		c.Close() // the exchanges on it fail of it
	}
}

// isClosed says whether close has begun.
func (p *pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}
