package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// What a server may send before it is told that it was read: what Chromium
// grants from the start (net/quic/quic_context.h), so that the first segment
// does not wait for us.
const (
	streamWindow     = 6 << 20
	connectionWindow = 15 << 20
)

// quicStreams is how many requests a connection serves at once; what a server
// allows beyond, or less, it tells the transport, not us.
const quicStreams = 100

// errUnsent: the connection broke, or was being closed, before a request went
// out. Another connection may serve it.
var errUnsent = errors.New("the connection ended before the request was sent")

// dialQUIC resolves the alternative, connects and shakes hands for the name in
// address; both are HOST:PORT, and mostly the same.
func (d *dialer) dialQUIC(ctx context.Context, address, alternative string, rec *record) (*quicConn, error) {
	_, port, field, err := d.resolve(ctx, alternative)
	if err != nil {
		return nil, err
	}
	config, err := d.tlsConfig(address, []string{http3.NextProtoH3})
	if err != nil {
		return nil, err
	}
	rec.enter(phaseConnect)
	r := race[*quicConn]{
		rec: rec, network: "quic", port: port, style: d.cfg.Eyeballs, field: field,
		connect: func(ctx context.Context, to netip.AddrPort) (*quicConn, error) {
			return d.connectQUIC(ctx, to, config, rec)
		},
	}
	c, err := r.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("QUIC with %s: %w", address, whichCertificate(err))
	}
	state := c.conn.ConnectionState().TLS
	rec.shook(&state, nil)
	rec.answered(c.socket.peer)
	return c, nil
}

// connectQUIC makes a connection to one address.
func (d *dialer) connectQUIC(ctx context.Context, to netip.AddrPort, config *tls.Config, rec *record) (*quicConn, error) {
	nd := net.Dialer{LocalAddr: localAddr(d.cfg.LocalAddr, "udp", to.String())}
	udp, err := nd.DialContext(ctx, "udp", to.String())
	if err != nil {
		return nil, err
	}
	s := &packetConn{Conn: udp, peer: to, first: sync.OnceFunc(func() {
		rec.answered(to)
		rec.enter(phaseTLS)
	})}
	transport := &quic.Transport{Conn: s}
	conn, err := transport.Dial(ctx, s.RemoteAddr(), config, &quic.Config{
		HandshakeIdleTimeout:           d.cfg.ConnectTimeout,
		MaxIncomingStreams:             -1,
		InitialStreamReceiveWindow:     streamWindow,
		MaxStreamReceiveWindow:         streamWindow,
		InitialConnectionReceiveWindow: connectionWindow,
		MaxConnectionReceiveWindow:     connectionWindow,
	})
	if err != nil {
		rec.shook(nil, err)
		return nil, errors.Join(err, transport.Close(), udp.Close())
	}
	h3 := &http3.Transport{MaxResponseHeaderBytes: int(d.cfg.MaxHeaderBytes), DisableCompression: true}
	return &quicConn{client: h3.NewClientConn(conn), conn: conn, transport: transport, socket: s}, nil
}

// packetConn is a connected UDP socket: the kernel takes packets of its peer
// only, and says when there is nobody. Of the socket's methods it has those
// alone with which quic-go neither takes it for one that is not connected nor
// complains on standard error about the size of its buffers.
type packetConn struct {
	net.Conn
	peer  netip.AddrPort
	first func() // called with each packet that comes
}

// ReadFrom reads one packet.
func (c *packetConn) ReadFrom(p []byte) (int, net.Addr, error) {
	n, err := c.Read(p)
	if err == nil {
		c.first()
	}
	return n, c.RemoteAddr(), err
}

// WriteTo sends one packet to the peer, which is whom QUIC means.
func (c *packetConn) WriteTo(p []byte, _ net.Addr) (int, error) { return c.Write(p) }

// SetReadBuffer and SetWriteBuffer ask the kernel for room; it gives what its
// own limits allow.
func (c *packetConn) SetReadBuffer(n int) error  { return c.Conn.(*net.UDPConn).SetReadBuffer(n) }
func (c *packetConn) SetWriteBuffer(n int) error { return c.Conn.(*net.UDPConn).SetWriteBuffer(n) }

// quicConn is a connection that speaks HTTP/3.
type quicConn struct {
	client    *http3.ClientConn
	conn      *quic.Conn
	transport *quic.Transport
	socket    *packetConn
	inFlight  atomic.Int64
	ending    atomic.Bool // it takes no more requests (GOAWAY)
	closed    sync.Once
}

// RoundTrip makes one request. The error is errUnsent when it did not go out.
func (c *quicConn) RoundTrip(r *http.Request) (*http.Response, error) {
	c.inFlight.Add(1)
	var sent atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }}
	resp, err := c.client.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	if err != nil {
		c.inFlight.Add(-1)
		if !sent.Load() && r.Context().Err() == nil {
			c.ending.Store(true)
			return nil, fmt.Errorf("%w: %w", errUnsent, err)
		}
		return nil, err
	}
	resp.Body = &streamBody{ReadCloser: resp.Body, end: sync.OnceFunc(func() { c.inFlight.Add(-1) })}
	return resp, nil
}

// streamBody is an answer's body; its end frees its stream.
type streamBody struct {
	io.ReadCloser
	end func()
}

// Close ends the stream.
func (b *streamBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

// Close ends the connection and all that is on it.
func (c *quicConn) Close() (err error) {
	c.closed.Do(func() {
		err = errors.Join(c.client.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), ""), c.transport.Close(), c.socket.Close())
	})
	return err
}

// Err says why the connection is at its end; nil while it is not.
func (c *quicConn) Err() error { return context.Cause(c.conn.Context()) }

// InFlight is the number of requests under way.
func (c *quicConn) InFlight() int { return int(c.inFlight.Load()) }

// Available is how many requests more the connection takes.
func (c *quicConn) Available() int {
	if c.ending.Load() || c.Err() != nil {
		return 0
	}
	return max(0, quicStreams-c.InFlight())
}
