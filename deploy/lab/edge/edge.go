// Package edge is a CDN's server at one POP: HTTPS with HTTP/1.1, HTTP/2 and,
// at the same port, HTTP/3, and plain HTTP, in front of the origin, with a cache
// of its own and the headers of a real CDN.
//
// Its connections are as slow as the way from the client's country
// ([shaper.Listener]); it does what faults order of TLS and HTTP, and puts
// every request into the ledger. A run is known by the session id of CMCD
// (CTA-5004), an app's version by the first product of User-Agent, NAME/VERSION.
package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/firstframe/firstframe/deploy/lab/fault"
	"github.com/firstframe/firstframe/deploy/lab/ledger"
	"github.com/firstframe/firstframe/deploy/lab/origin"
	"github.com/firstframe/firstframe/deploy/lab/service"
	"github.com/firstframe/firstframe/deploy/lab/shaper"
	"github.com/firstframe/firstframe/deploy/lab/world"
)

// CacheBytes bounds an edge's cache. What several edges hold they share.
const CacheBytes = 6 << 20

// What an edge allows a client.
const (
	headTimeout = 30 * time.Second
	idleTimeout = 2 * time.Minute
)

// Config is what the edges of a lab have in common.
type Config struct {
	World     *world.World
	Origin    *origin.Origin
	Service   *service.Service
	Faults    *fault.Set
	Ledger    *ledger.Ledger
	Authority *Authority
	Fast      bool // neither connections nor cache misses take time
	Log       *slog.Logger
}

// secure is the place of HTTPS among an edge's listeners.
const secure = 0

// Edge serves until it is closed.
type Edge struct {
	config Config
	cdn    *world.CDN
	pop    *world.POP
	node   string // of CloudFront's Via
	cache  *cache
	lines  sync.Map // of bandwidth faults, by fault and client: *shaper.Link

	conns     atomic.Int64 // the number of the connection that came last
	altSvc    string       // header, empty: not announced
	transport *quic.Transport
	packets   *shaper.Packets
	servers   []*http.Server
	listeners []*shaper.Listener
	ctx       context.Context // of every request; ends with Close
	cancel    context.CancelFunc

	mu      sync.Mutex     // held while a request begins, and while ctx ends
	running sync.WaitGroup // what Close waits for
}

// Sockets are what an edge serves at. It closes them in the end, also when it
// does not start.
type Sockets struct {
	Secure, Plain net.Listener
	QUIC          net.PacketConn // UDP, at the port of Secure
}

// Start serves at sockets. It fails when QUIC cannot be served.
func Start(c Config, cdn *world.CDN, pop *world.POP, at Sockets) (*Edge, error) {
	e := &Edge{config: c, cdn: cdn, pop: pop, node: fmt.Sprintf("%x", random(16)), cache: newCache(CacheBytes)}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.conns.Store(time.Now().UnixMicro()) // the ledger may know an earlier life
	if cdn.AltSvc {
		e.altSvc = announce(at.QUIC)
	}
	logger := c.Log.With("edge", pop.Addr, "cdn", cdn.Name, "pop", pop.Code)
	for i, inner := range []net.Listener{at.Secure, at.Plain} {
		l := shaper.New(inner, e.path)
		server := &http.Server{
			Handler:           e,
			ReadHeaderTimeout: headTimeout,
			IdleTimeout:       idleTimeout,
			BaseContext:       func(net.Listener) context.Context { return e.ctx },
			ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return e.withConn(ctx, shaped(c)) },
			ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		}
		if i == secure {
			server.TLSConfig = e.secured()
		}
		e.servers = append(e.servers, server)
		e.listeners = append(e.listeners, l)
		e.running.Go(func() {
			var err error
			if i == secure {
				err = server.ServeTLS(l, "", "")
			} else {
				err = server.Serve(l)
			}
			if !errors.Is(err, http.ErrServerClosed) {
				logger.Error("edge ended", "error", err)
			}
		})
	}
	if err := e.serveQUIC(e.listeners[secure], at.QUIC, logger); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// Close ends all connections and returns when no request is under way any more.
func (e *Edge) Close() error {
	e.mu.Lock()
	e.cancel()
	e.mu.Unlock()
	var errs []error
	for _, s := range e.servers {
		errs = append(errs, s.Close())
	}
	for _, l := range e.listeners {
		l.Stop()
	}
	e.running.Wait()
	return errors.Join(append(errs, e.closeQUIC())...)
}

// begin counts a request in, which ends with running.Done; false: the edge is
// being closed.
func (e *Edge) begin() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx.Err() != nil {
		return false
	}
	e.running.Add(1)
	return true
}

func (e *Edge) path(client netip.Addr) world.Path {
	if e.config.Fast {
		return world.Path{}
	}
	return e.config.World.Path(e.config.World.Locate(client).Country, e.pop)
}

func (e *Edge) subject(client netip.Addr) fault.Subject {
	from := e.config.World.Locate(client)
	return fault.Subject{Country: from.Country, ASN: from.ASN, CDN: e.cdn.Name, POP: e.pop.Code}
}

// secured is how TLS is shaken hands.
func (e *Edge) secured() *tls.Config {
	return &tls.Config{GetConfigForClient: e.hello, NextProtos: []string{"h2", "http/1.1"}}
}

// hello chooses the certificate, and does what faults order of the handshake.
func (e *Edge) hello(h *tls.ClientHelloInfo) (*tls.Config, error) {
	expired := false
	for _, f := range e.config.Faults.At(fault.TLS, e.subject(shaper.Addr(h.Conn.RemoteAddr()))) {
		switch f.Effect.Kind {
		case "tls_expired":
			expired = true
		case "tls_slow":
			if err := shaper.Sleep(h.Context(), f.Effect.Delay()); err != nil {
				return nil, err
			}
		}
	}
	if expired {
		return e.config.Authority.expired, nil
	}
	return e.config.Authority.valid, nil
}
