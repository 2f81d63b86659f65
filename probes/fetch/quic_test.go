package fetch_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"

	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// quicOptions are what a server over QUIC does beside serving.
type quicOptions struct {
	connect time.Duration // before it takes up a client's first packet
	retry   bool          // has clients prove their address first, which costs a round trip (RFC 9000 section 8.1.2)
	tls     time.Duration // before it answers the client's hello
}

// quicServer notes what its delays truly took, and how many connections there
// were.
type quicServer struct {
	addr         string
	connect, tls atomic.Int64
	conns        atomic.Int64

	mu   sync.Mutex
	open []*quic.Conn
}

// closeConns closes every connection, as a server does that restarts.
func (q *quicServer) closeConns() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range q.open {
		c.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	}
	q.open = nil
}

// serveQUIC serves s's handler with s's certificate over HTTP/3, at a UDP
// address of its own.
func serveQUIC(t testing.TB, s *httptest.Server, addr string, o quicOptions) *quicServer {
	t.Helper()
	pc, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	q := &quicServer{addr: pc.LocalAddr().String()}
	config := http3.ConfigureTLSConfig(&tls.Config{
		Certificates: s.TLS.Certificates,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			q.conns.Add(1)
			q.tls.Store(int64(slept(o.tls)))
			return nil, nil
		},
	})
	transport := &quic.Transport{
		Conn:                &slowPackets{PacketConn: pc, q: q, delay: o.connect, seen: map[string]bool{}},
		VerifySourceAddress: func(net.Addr) bool { return o.retry },
	}
	l, err := transport.ListenEarly(config, &quic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	server := &http3.Server{Handler: s.Config.Handler, ConnContext: func(ctx context.Context, c *quic.Conn) context.Context {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.open = append(q.open, c)
		return ctx
	}}
	var wg sync.WaitGroup
	wg.Go(func() { server.ServeListener(l) })
	t.Cleanup(func() {
		server.Close()
		l.Close()
		transport.Close()
		pc.Close()
		wg.Wait()
	})
	return q
}

// slept waits and returns how long that truly took.
func slept(d time.Duration) time.Duration {
	begin := time.Now()
	time.Sleep(d)
	return time.Since(begin)
}

// slowPackets waits before it hands over the first packet of each client.
type slowPackets struct {
	net.PacketConn
	q     *quicServer
	delay time.Duration
	seen  map[string]bool
}

// ReadFrom reads one packet.
func (c *slowPackets) ReadFrom(p []byte) (int, net.Addr, error) {
	n, addr, err := c.PacketConn.ReadFrom(p)
	if err == nil && !c.seen[addr.String()] {
		c.seen[addr.String()] = true
		c.q.connect.Store(int64(slept(c.delay)))
	}
	return n, addr, err
}

// SetReadBuffer and SetWriteBuffer keep quic-go quiet.
func (c *slowPackets) SetReadBuffer(int) error  { return nil }
func (c *slowPackets) SetWriteBuffer(int) error { return nil }

// distant puts a UDP server further away: packets take delay in each direction,
// in order. It returns the address to ask in its place.
func distant(t testing.TB, server string, delay time.Duration) string {
	t.Helper()
	near, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ways := map[string]*net.UDPConn{} // to the server, by client
	wg.Go(func() {
		defer func() {
			for _, far := range ways {
				far.Close()
			}
		}()
		out := map[string]*late{}
		buf := make([]byte, 2000)
		for {
			n, client, err := near.ReadFrom(buf)
			if err != nil {
				return
			}
			key := client.String()
			if ways[key] == nil {
				far, err := net.Dial("udp", server)
				if err != nil {
					return
				}
				ways[key] = far.(*net.UDPConn)
				out[key] = &late{delay: delay, send: func(p []byte) { far.Write(p) }}
				back := &late{delay: delay, send: func(p []byte) { near.WriteTo(p, client) }}
				wg.Go(func() {
					buf := make([]byte, 2000)
					for {
						n, err := far.Read(buf)
						if err != nil {
							return
						}
						back.packet(buf[:n])
					}
				})
			}
			out[key].packet(buf[:n])
		}
	})
	t.Cleanup(func() {
		near.Close()
		wg.Wait()
	})
	return near.LocalAddr().String()
}

// late passes packets on after a delay.
type late struct {
	delay time.Duration
	send  func([]byte)

	mu    sync.Mutex
	queue [][]byte
}

// packet passes one on.
func (l *late) packet(p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, bytes.Clone(p))
	time.AfterFunc(l.delay, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.send(l.queue[0])
		l.queue = l.queue[1:]
	})
}
