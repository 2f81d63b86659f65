// Package fetch makes one HTTP exchange at a time and tells where its time
// went: queue, DNS, connect, TLS, wait and receive, taken from the transport
// and never guessed. The phases are a partition: they add up to the exchange's
// length exactly, with parallel requests, reused connections and HTTP/2 too.
//
// The entry is [New], then [Client.Do]. A client belongs to one run: it has
// connections and a name cache of its own, so that a new client is cold. It
// follows no redirect, repeats no request, keeps no cookie and knows no proxy:
// what a player would do next is the caller's to decide, and to time.
//
// User and password of a URL are sent as Basic credentials (RFC 7617), unless the
// request has others: as curl does, and a browser with an address that is typed in.
// What a page's scripts ask for may hold none in browsers.
//
// HTTP/3 is spoken where it is forced ([Config.HTTP]) and where an answer's
// Alt-Svc offered it ([Config.AltSvc]). QUIC connects and shakes hands at once;
// its Connect lasts until the server's first packet, its TLS from there until
// the handshake is complete. Addresses of both families race as RFC 8305 says,
// or as Chromium does ([Config.Eyeballs]); each attempt is told
// ([Exchange.Attempts]). As Chromium a client also dials the first address again
// when a host's first connection, its handshake too, takes more than 250 ms, as
// it does where a SYN was lost.
//
// Everything that comes from outside is bounded: the head
// ([Config.MaxHeaderBytes]), the body before and after content decoding
// ([Request.MaxBytes]), and where a URL can lead ([Config.AllowPrivate]): each
// address is checked after resolution, just before it is dialled, whatever the
// protocol. A QUIC server cannot move its client to another address.
//
// Not modelled, of what a browser or an app does on the way:
//   - HTTPS records (RFC 9460). A Chromium that resolves names itself, as it does
//     over DoH, asks for them beside the addresses and, where one offers h3, takes
//     QUIC on its first visit too, and TLS with an encrypted name (ECH). With the
//     system's resolver it sees none, which is what is modelled. Config.HTTP "3"
//     shows what the others meet.
//   - Resumption and 0-RTT. Every handshake is a full one, as for a viewer who
//     comes for the first time. With TLS 1.3 and QUIC a session known from before
//     saves bytes, not a round trip, unless data goes with it (0-RTT: Chromium's
//     QUIC on later visits); with TLS 1.2 it saves one on each connection after a
//     host's first.
//   - Connections made for a page before they are needed, and those that pages of
//     other sites share or keep open.
//
// TCP's connections are those of [http.Transport.NewClientConn], QUIC's those of
// [http3.Transport.NewClientConn]; the pool around them is this package's,
// because the one of net/http hides retries and whose dial a request waited for.
package fetch

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/idna"
)

// The defaults of [Config] and [Request].
const (
	DefaultMaxConnsPerHost = 6         // as browsers do with HTTP/1.1
	DefaultMaxHeaderBytes  = 256 << 10 // of an answer's head
	DefaultMaxBytes        = 256 << 20 // of a body
	DefaultConnectTimeout  = 30 * time.Second
	DefaultAltSvcDelay     = 300 * time.Millisecond // as Chromium does before it knows a server's round-trip time
)

// Config says how a client reaches servers. The zero value resolves by the
// system's configuration, negotiates HTTP/2 over TLS and refuses addresses that
// are not public.
type Config struct {
	Resolver  string            // DNS server HOST:PORT; "" is the system's
	ConnectTo map[string]string // "host" or "host:port" of a URL to ADDR or ADDR:PORT to dial; name and SNI are kept
	LocalAddr netip.Addr        // source address of connections and of DNS queries; zero leaves it to the kernel
	IPVersion int               // 4 or 6; 0 is any
	HTTP      string            // "1.1", "2" (without TLS: prior knowledge), "3"; "" negotiates by ALPN, without TLS 1.1

	// ClientSubnet is the network that DNS is asked for, where it is not this
	// machine's own (EDNS client subnet, RFC 7871); the resolver has to pass it
	// on. Zero says nothing.
	ClientSubnet netip.Prefix

	// AltSvc is what is known of the servers that also speak HTTP/3, and takes
	// in what answers say of it. It counts where HTTP is "". A new one is a
	// browser's first visit, one kept from client to client the visits that
	// follow; nil ignores Alt-Svc.
	AltSvc      *AltSvc
	AltSvcDelay time.Duration // that TCP leaves QUIC for itself where QUIC is known to work; 0 is DefaultAltSvcDelay

	Eyeballs Eyeballs // how addresses race

	RootCAs  *x509.CertPool // nil is the system's
	Insecure bool           // accept any certificate

	AllowPrivate   bool           // dial any address
	AllowAddresses []netip.Prefix // dial these although they are not public

	UserAgent string      // "" sends none
	Header    http.Header // of every request; a request's own replace it

	MaxConnsPerHost int           // 0 is DefaultMaxConnsPerHost; HTTP/2 uses one while it has room
	MaxHeaderBytes  int64         // 0 is DefaultMaxHeaderBytes
	ConnectTimeout  time.Duration // name to TLS session, of each connection; 0 is DefaultConnectTimeout
}

// withDefaults is c with its zero values replaced.
func (c Config) withDefaults() Config {
	if c.MaxConnsPerHost <= 0 {
		c.MaxConnsPerHost = DefaultMaxConnsPerHost
	}
	if c.MaxHeaderBytes <= 0 {
		c.MaxHeaderBytes = DefaultMaxHeaderBytes
	}
	if c.AltSvcDelay <= 0 {
		c.AltSvcDelay = DefaultAltSvcDelay
	}
	if c.HTTP != "" {
		c.AltSvc = nil
	}
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = DefaultConnectTimeout
	}
	to := make(map[string]string, len(c.ConnectTo))
	for name, addr := range c.ConnectTo {
		if host, port, err := net.SplitHostPort(name); err == nil {
			name = net.JoinHostPort(canonical(host), port)
		} else {
			name = canonical(strings.Trim(name, "[]"))
		}
		to[name] = addr
	}
	c.ConnectTo = to
	return c
}

// canonical is a host's name as it is looked up: in lower case and ASCII.
func canonical(host string) string {
	host = strings.ToLower(host)
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		return ascii
	}
	return host
}

// speaks says why u cannot be asked for.
func (c *Config) speaks(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return fmt.Errorf("%s://%s is no http or https URL", u.Scheme, u.Host)
	case c.HTTP == "3" && u.Scheme != "https":
		return fmt.Errorf("%s://%s: HTTP/3 is for https only", u.Scheme, u.Host)
	}
	return nil
}

// Client makes the exchanges of one run. It is safe for concurrent use.
type Client struct {
	cfg  Config
	pool *pool
}

// New makes a client without connections. It does no work; [Client.Close] must
// be called.
func New(cfg Config) *Client {
	cfg = cfg.withDefaults()
	return &Client{cfg: cfg, pool: newPool(cfg)}
}

// Close ends exchanges in flight, closes all connections and waits for the
// dials and look-ups under way to end. It returns nil.
func (c *Client) Close() error {
	c.pool.close()
	return nil
}

// Connect makes a connection to the host of an http or https URL, unless there
// is one with room, and leaves it for the exchanges to come. It sends nothing.
func (c *Client) Connect(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	if err := c.cfg.speaks(u); err != nil {
		return err
	}
	t := targetOf(u)
	l := c.pool.acquire(ctx, t)
	if l.err != nil {
		return fmt.Errorf("connect to %s: %w", t.address, l.err)
	}
	c.pool.release(t, l.conn)
	return nil
}

// SubnetScope tells whether DNS has answered for [Config.ClientSubnet], and for
// how many bits of it the last answer holds: 0 is for all the world. Without ok
// the resolver knows no client subnets, or has left this one out.
func (c *Client) SubnetScope() (bits int, ok bool) {
	n := int(c.pool.resolver.scope.Load())
	return max(n, 0), n >= 0
}

// Range asks for a part of a resource.
type Range struct {
	Offset int64 // of the first byte
	Length int64 // in bytes; 0 is up to the end
}

// Request is what an exchange asks for.
type Request struct {
	Method  string // "" is GET
	URL     string // absolute, http or https
	Header  http.Header
	Payload []byte // the request's body

	// Range asks for a part. An answer 200 with the whole is taken as well:
	// what lies outside the range is received and dropped.
	Range *Range

	// Compress asks for gzip. Without it the answer is asked for as it is.
	// A gzip answer is decoded in both cases.
	Compress bool

	// The limits count on the monotonic clock; 0 leaves it to the context.
	FirstByteTimeout time.Duration // start to the first byte of the head
	Timeout          time.Duration // start to the last byte
	StallTimeout     time.Duration // between two pieces of the body, the head being the first

	// MaxBytes bounds the body, as it is received and as decoded; 0 is
	// DefaultMaxBytes.
	MaxBytes int64

	// Head is called when status and header are there and the body is not yet
	// read, whatever the status. An error ends the exchange.
	Head func(*Exchange) error

	// Body is called with each piece of a 2xx body, decoded and within the
	// range, and the instant at which it arrived. p is only valid during the
	// call. An error ends the exchange.
	Body func(p []byte, at time.Time) error

	// Other is called with each piece of any other body, as it is received, up
	// to 64 KiB, after which nothing more of it is read.
	Other func(p []byte, at time.Time)
}

// Do makes one exchange and returns when it has ended: with the last byte of
// the body, or with the failure that [Exchange].Err holds. It calls
// [Request].Head, Body and Other from the caller's goroutine.
func (c *Client) Do(ctx context.Context, req Request) *Exchange {
	x := &exchange{
		Exchange: Exchange{Start: time.Now()},
		req:      req,
		cfg:      &c.cfg,
	}
	if x.req.MaxBytes <= 0 {
		x.req.MaxBytes = DefaultMaxBytes
	}
	x.do(ctx, c.pool)
	return &x.Exchange
}
