package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/firstframe/firstframe/deploy/lab/shaper"
)

// altSvcAge is for how long an edge says that it speaks HTTP/3 (RFC 7838, 3.1).
const altSvcAge = 24 * time.Hour

// announce is the header that leads to a socket.
func announce(socket net.PacketConn) string {
	port := socket.LocalAddr().(*net.UDPAddr).Port
	return fmt.Sprintf(`h3=":%d"; ma=%.0f`, port, altSvcAge.Seconds())
}

// serveQUIC serves HTTP/3 at a socket that is shaped as the connections of l,
// until the edge is closed.
func (e *Edge) serveQUIC(l *shaper.Listener, socket net.PacketConn, logger *slog.Logger) error {
	e.packets = l.Packets(socket)
	e.transport = &quic.Transport{Conn: e.packets}
	accept, err := e.transport.ListenEarly(http3.ConfigureTLSConfig(e.secured()),
		&quic.Config{HandshakeIdleTimeout: headTimeout, MaxIdleTimeout: idleTimeout})
	if err != nil {
		return fmt.Errorf("edge %v: HTTP/3: %w", e.pop.Addr, err)
	}
	server := &http3.Server{Handler: e, IdleTimeout: idleTimeout, Logger: logger,
		ConnContext: func(ctx context.Context, c *quic.Conn) context.Context {
			return e.withConn(ctx, quicConn{c})
		}}
	e.running.Go(func() {
		for {
			c, err := accept.Accept(e.ctx)
			if err != nil {
				if e.ctx.Err() == nil {
					logger.Error("edge ended", "error", err)
				}
				return
			}
			e.running.Go(func() { e.serveConn(server, c) })
		}
	})
	return nil
}

// serveConn serves a connection until it ends, and ends it with the edge.
func (e *Edge) serveConn(server *http3.Server, c *quic.Conn) {
	e.running.Go(func() {
		select {
		case <-e.ctx.Done():
			c.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "") // fails only when it has ended
		case <-c.Context().Done():
		}
	})
	if err := server.ServeQUICConn(c); err != nil && !errors.Is(err, http.ErrServerClosed) {
		server.Logger.Debug("connection ended", "client", c.RemoteAddr(), "error", err)
	}
}

// closeQUIC closes what serveQUIC opened, once no connection is served any more.
func (e *Edge) closeQUIC() error { return errors.Join(e.transport.Close(), e.packets.Close()) }

// quicConn is a connection that a fault can reset.
type quicConn struct{ *quic.Conn }

// Drain waits for nothing: what was written fits into QUIC's first window and is
// sent before the end ([settle]), and the shaper keeps the order.
func (quicConn) Drain(ctx context.Context) error { return ctx.Err() }

// aborted is what a connection is ended with by a fault.
const aborted = "reset"

// Abort ends the connection and all that is on it, with an error.
func (c quicConn) Abort() error {
	return c.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeInternalError), aborted)
}
