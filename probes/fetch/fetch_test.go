package fetch_test

import (
	"context"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/firstframe/firstframe/probes/fetch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// loopback allows what the tests dial.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// protocols are the ways to reach the same handler.
var protocols = []protocol{
	{"http 1.1", "1.1", false, false},
	{"https 1.1", "1.1", true, false},
	{"https 2", "2", true, true},
	{"https 3", "3", true, true},
}

type protocol struct {
	name, proto string
	tls, many   bool
}

// serve starts a server that speaks the protocol; the client's configuration
// trusts it.
func (p protocol) serve(t testing.TB, h http.HandlerFunc) (*httptest.Server, fetch.Config) {
	t.Helper()
	s, cfg := serve(t, p.tls, p.many, h)
	if p.proto == "3" {
		cfg.HTTP = "3"
		serveQUIC(t, s, s.Listener.Addr().String(), quicOptions{})
	}
	return s, cfg
}

// serve starts a server; the client's configuration trusts it.
func serve(t testing.TB, useTLS, h2 bool, h http.HandlerFunc) (*httptest.Server, fetch.Config) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = h2
	cfg := fetch.Config{AllowAddresses: loopback}
	if useTLS {
		s.StartTLS()
		cfg.RootCAs = x509.NewCertPool()
		cfg.RootCAs.AddCert(s.Certificate())
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s, cfg
}

// open makes a client that the test closes.
func open(t testing.TB, cfg fetch.Config) *fetch.Client {
	t.Helper()
	c := fetch.New(cfg)
	t.Cleanup(func() { c.Close() })
	return c
}

// check holds what is true of every exchange.
func check(t testing.TB, x *fetch.Exchange) {
	t.Helper()
	if got, want := x.Timing.Sum(), x.End.Sub(x.Start); got != want {
		t.Errorf("phases %+v add up to %v, the exchange took %v", x.Timing, got, want)
	}
	for _, d := range []time.Duration{x.Timing.Queue, x.Timing.DNS, x.Timing.Connect, x.Timing.TLS, x.Timing.Wait, x.Timing.Receive} {
		if d < 0 {
			t.Errorf("negative phase in %+v", x.Timing)
		}
	}
	if !x.FirstByte.IsZero() && x.End.Sub(x.FirstByte) != x.Timing.Receive {
		t.Errorf("receive %v, first byte to end %v", x.Timing.Receive, x.End.Sub(x.FirstByte))
	}
}

// ok fails the test when x failed.
func ok(t testing.TB, x *fetch.Exchange) {
	t.Helper()
	check(t, x)
	if x.Err != nil {
		t.Fatalf("%s: %v", x.Err.Type, x.Err)
	}
}

func TestExchange(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			s, cfg := p.serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Saw", r.UserAgent()+"|"+r.Header.Get("Accept-Encoding")+"|"+r.Header.Get("X-A")+"|"+r.Header.Get("Cookie"))
				w.Header().Set("Set-Cookie", "a=b")
				io.WriteString(w, "hello")
			})
			cfg.UserAgent = "probe/1"
			cfg.Header = http.Header{"X-A": {"1"}}
			c := open(t, cfg)
			for i := range 2 {
				var body strings.Builder
				var last time.Time
				x := c.Do(t.Context(), fetch.Request{URL: s.URL + "/x?y", Body: func(p []byte, at time.Time) error {
					body.Write(p)
					last = at
					return nil
				}})
				ok(t, x)
				if body.String() != "hello" || x.Bytes != 5 || x.Status != 200 || x.Proto != p.proto || x.Reused != (i == 1) {
					t.Errorf("exchange %d: body %q, %+v", i, body.String(), x)
				}
				if got, want := x.Header.Get("X-Saw"), "probe/1|identity|1|"; got != want {
					t.Errorf("the server saw %q, want %q", got, want)
				}
				if x.Remote.String() != s.Listener.Addr().String() {
					t.Errorf("remote %s, want %s", x.Remote, s.Listener.Addr())
				}
				if (x.TLSVersion == "1.3") != p.tls || x.TLSExpires.IsZero() == p.tls {
					t.Errorf("TLS %q until %v", x.TLSVersion, x.TLSExpires)
				}
				if last.Before(x.FirstByte) || last.After(x.End) {
					t.Errorf("body at %v, outside %v to %v", last, x.FirstByte, x.End)
				}
				if i == 1 && x.Timing.DNS+x.Timing.Connect+x.Timing.TLS != 0 {
					t.Errorf("a reused connection took %+v to make", x.Timing)
				}
				if i == 0 && (x.Timing.Connect == 0 || (x.Timing.TLS > 0) != p.tls) {
					t.Errorf("a new connection took %+v to make", x.Timing)
				}
			}
		})
	}
}

func TestParallel(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			var mu sync.Mutex
			peers := map[string]bool{}
			s, cfg := p.serve(t, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				peers[r.RemoteAddr] = true
				mu.Unlock()
				time.Sleep(20 * time.Millisecond)
				w.Write(make([]byte, 100<<10))
			})
			c := open(t, cfg)
			var wg sync.WaitGroup
			for range 40 {
				wg.Go(func() {
					x := c.Do(context.Background(), fetch.Request{URL: s.URL})
					check(t, x)
					if x.Err != nil || x.Bytes != 100<<10 {
						t.Errorf("%d bytes, %v", x.Bytes, x.Err)
					}
				})
			}
			wg.Wait()
			if want := map[bool]int{false: fetch.DefaultMaxConnsPerHost, true: 1}[p.many]; len(peers) != want {
				t.Errorf("%d connections, want %d", len(peers), want)
			}
		})
	}
}

// More requests at once than a connection has streams: all are served, over as
// few connections as that needs. Until the server has told its limit, HTTP/2
// assumes 100.
func TestStreamLimit(t *testing.T) {
	for _, tt := range []struct {
		name            string
		limit, requests int
	}{{"known and small", 3, 20}, {"assumed", 250, 150}} {
		t.Run(tt.name, func(t *testing.T) {
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(time.Millisecond)
				io.WriteString(w, "hello")
			}))
			s.EnableHTTP2 = true
			s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: tt.limit}
			s.StartTLS()
			defer s.Close()
			c := open(t, fetch.Config{AllowAddresses: loopback, Insecure: true})
			if tt.limit < 100 {
				ok(t, c.Do(t.Context(), fetch.Request{URL: s.URL}))
			}
			var wg sync.WaitGroup
			for range tt.requests {
				wg.Go(func() {
					x := c.Do(t.Context(), fetch.Request{URL: s.URL, Timeout: 5 * time.Second})
					check(t, x)
					if x.Err != nil || x.Proto != "2" || x.Bytes != 5 {
						t.Errorf("HTTP/%s, %d bytes, %v", x.Proto, x.Bytes, x.Err)
					}
				})
			}
			wg.Wait()
		})
	}
}
