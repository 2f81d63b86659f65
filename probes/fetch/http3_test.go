package fetch_test

import (
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// both is a server that speaks HTTP/2 and, at the same port, HTTP/3, which it
// offers by Alt-Svc.
func both(t *testing.T, o quicOptions, h http.HandlerFunc) (*httptest.Server, *quicServer, fetch.Config) {
	t.Helper()
	var port string
	s, cfg := serve(t, true, true, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Alt-Svc", `h3=":`+port+`"; ma=3600`)
		h(w, r)
	})
	_, port, _ = net.SplitHostPort(s.Listener.Addr().String())
	return s, serveQUIC(t, s, s.Listener.Addr().String(), o), cfg
}

// visit makes requests one after another, until one goes over HTTP/3 and at most
// as many as told, and then one more. It returns their protocols and the
// exchanges.
func visit(t *testing.T, c *fetch.Client, url string, most int) (protos string, list []*fetch.Exchange) {
	t.Helper()
	var all []string
	last := false
	for deadline := time.Now().Add(10 * time.Second); len(list) < most && time.Now().Before(deadline); {
		x := c.Do(t.Context(), fetch.Request{URL: url})
		ok(t, x)
		all, list = append(all, x.Proto), append(list, x)
		if last {
			break
		}
		last = x.Proto == "3"
		time.Sleep(ms)
	}
	return strings.Join(slices.Compact(all), " "), list
}

const untilHTTP3 = 10_000

// A first visit begins with HTTP/2. The request after the answer that offers
// HTTP/3 goes over HTTP/2 too, while QUIC is dialled beside it; what follows
// goes over HTTP/3. The visit after that one begins with it. Without Alt-Svc
// nothing of the sort happens.
func TestAltSvcFollowed(t *testing.T) {
	s, q, cfg := both(t, quicOptions{}, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	if got, _ := visit(t, open(t, cfg), s.URL, 5); got != "2" || q.conns.Load() != 0 {
		t.Errorf("ignored: HTTP/%s, %d connections over QUIC", got, q.conns.Load())
	}

	cfg.AltSvc = &fetch.AltSvc{}
	got, list := visit(t, open(t, cfg), s.URL, untilHTTP3)
	if got != "2 3" || list[1].Proto != "2" || q.conns.Load() != 1 || cfg.AltSvc.Len() != 1 {
		t.Errorf("first visit: HTTP/%s, the second over HTTP/%s, %d connections over QUIC, %d alternatives", got, list[1].Proto, q.conns.Load(), cfg.AltSvc.Len())
	}
	if x := list[len(list)-1]; !x.Reused || x.Timing.Connect+x.Timing.TLS != 0 || len(x.Attempts) != 0 {
		t.Errorf("one over HTTP/3 dialled: %+v", x)
	}

	cfg.AltSvcDelay = 10 * time.Second
	got, list = visit(t, open(t, cfg), s.URL, 2)
	if x := list[0]; got != "3" || x.Reused || x.Timing.Connect == 0 || x.Timing.TLS == 0 || len(x.Attempts) != 1 || x.Attempts[0].Network != "quic" {
		t.Errorf("next visit: HTTP/%s, the first %+v", got, x)
	}
	cfg.HTTP = "1.1" // a version that is forced goes before
	if got, _ = visit(t, open(t, cfg), s.URL, 2); got != "1.1" {
		t.Errorf("forced: HTTP/%s", got)
	}
}

// Where QUIC has worked before it has a head start: TCP is dialled when that is
// over, or QUIC is refused. What did not answer, or refused, is left alone.
func TestAltSvcHeadStart(t *testing.T) {
	works, _, cfg := both(t, quicOptions{}, func(w http.ResponseWriter, r *http.Request) {})
	const headStart = 500 * ms
	for _, tt := range []struct {
		name   string
		listen bool // on the alternative's port, without an answer
		queue  time.Duration
	}{{"mute", true, headStart}, {"refused", false, 0}} {
		t.Run(tt.name, func(t *testing.T) {
			var port string
			s, _ := serve(t, true, true, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Alt-Svc", `h3=":`+port+`"; ma=3600`)
			})
			mute, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer mute.Close()
			_, port, _ = net.SplitHostPort(mute.LocalAddr().String())
			if !tt.listen {
				mute.Close()
			}
			cfg := cfg
			cfg.AltSvc, cfg.AltSvcDelay, cfg.Insecure = &fetch.AltSvc{}, headStart, true
			// That QUIC works from here is known from another server, that this
			// one speaks it is known, too.
			c := fetch.New(cfg)
			visit(t, c, works.URL, untilHTTP3)
			visit(t, c, s.URL, 1)
			c.Close()

			for i, queue := range []time.Duration{tt.queue, 0} {
				c := fetch.New(cfg)
				x := c.Do(t.Context(), fetch.Request{URL: s.URL})
				ok(t, x)
				c.Close()
				if x.Proto != "2" || x.Timing.Queue < queue || x.Timing.Queue > queue+headStart-50*ms {
					t.Errorf("visit %d: HTTP/%s after a queue of %v, want HTTP/2 after %v", i, x.Proto, x.Timing.Queue, queue)
				}
			}
		})
	}
}

// Nothing is left of QUIC when the client is closed, whatever hangs.
func TestCloseWhileHangingHTTP3(t *testing.T) {
	mute, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	for name, path := range map[string]string{"dial": "", "answer": "/mute", "body": "/stall"} {
		t.Run(name, func(t *testing.T) {
			others := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, others) }) // when the server is gone, too
			s, cfg := protocol{"", "3", true, true}.serve(t, misbehave)
			url := s.URL + path
			if path == "" {
				url = "https://" + mute.LocalAddr().String()
			}
			c := fetch.New(cfg)
			done := make(chan *fetch.Exchange)
			go func() { done <- c.Do(t.Context(), fetch.Request{URL: url}) }()
			time.Sleep(50 * ms)
			c.Close()
			x := <-done
			check(t, x)
			if !errors.Is(x.Err, fetch.ErrClosed) || x.Err.Type != "" {
				t.Errorf("%+v", x.Err)
			}
		})
	}
}

// HTTP/3 fails in the same classes as HTTP/2, and tells connecting from shaking
// hands.
func TestFailuresHTTP3(t *testing.T) {
	s, cfg := protocol{"", "3", true, true}.serve(t, misbehave)
	cfg.MaxHeaderBytes = 8 << 10
	c := open(t, cfg)
	ok(t, c.Do(t.Context(), fetch.Request{URL: s.URL})) // which makes the connection
	for _, tt := range misbehaviour {
		x := c.Do(t.Context(), fetch.Request{URL: s.URL + tt.path, FirstByteTimeout: 500 * ms, StallTimeout: 200 * ms})
		check(t, x)
		if x.Err == nil && tt.want != "" || x.Err != nil && x.Err.Type != tt.want {
			t.Errorf("%s: %+v, want %q", tt.path, x.Err, tt.want)
		}
		if x.Proto != "3" {
			t.Errorf("%s: HTTP/%s", tt.path, x.Proto)
		}
	}

	mute, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	gone, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	noise, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 2000)
		for {
			_, addr, err := noise.ReadFrom(buf)
			if err != nil {
				return
			}
			noise.WriteTo([]byte("\x00noise"), addr)
		}
	})
	defer wg.Wait()
	defer noise.Close()
	stranger := fetch.Config{AllowAddresses: loopback, HTTP: "3", RootCAs: x509.NewCertPool()}
	for _, tt := range []struct {
		name, url string
		cfg       fetch.Config
		want      run.ErrorType
		is        error
		reached   bool
	}{
		{"unanswered", "https://" + mute.LocalAddr().String(), cfg, run.ErrConnect, fetch.ErrFirstByteTimeout, false},
		{"refused", "https://" + gone.LocalAddr().String(), cfg, run.ErrConnect, syscall.ECONNREFUSED, false},
		{"answered with noise", "https://" + noise.LocalAddr().String(), cfg, run.ErrTLS, fetch.ErrFirstByteTimeout, true},
		{"certificate unknown", s.URL, stranger, run.ErrTLS, nil, true},
		{"not over http", "http://" + gone.LocalAddr().String(), cfg, run.ErrUnsupported, nil, false},
		{"loopback", s.URL, fetch.Config{HTTP: "3"}, run.ErrBlockedAddress, fetch.ErrBlocked, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			limit := 10 * time.Second
			if errors.Is(tt.is, fetch.ErrFirstByteTimeout) {
				limit = 300 * ms
			}
			x := open(t, tt.cfg).Do(t.Context(), fetch.Request{URL: tt.url, FirstByteTimeout: limit})
			check(t, x)
			if x.Err == nil || x.Err.Type != tt.want || tt.is != nil && !errors.Is(x.Err, tt.is) {
				t.Fatalf("%+v, want %s of %v", x.Err, tt.want, tt.is)
			}
			if x.Remote.IsValid() != tt.reached {
				t.Errorf("remote %v", x.Remote)
			}
			if tt.name == "certificate unknown" && x.TLSExpires.IsZero() {
				t.Error("the refused certificate's end is not told")
			}
		})
	}
}

// A server that ends its connections between requests: none is lost, and none
// is made twice.
func TestConnectionEndsBetween(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	s, cfg := serve(t, true, true, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[r.URL.Path]++
		mu.Unlock()
	})
	cfg.HTTP = "3"
	q := serveQUIC(t, s, s.Listener.Addr().String(), quicOptions{})
	c := open(t, cfg)
	for _, path := range []string{"/a", "/b", "/c"} {
		x := c.Do(t.Context(), fetch.Request{URL: s.URL + path})
		ok(t, x)
		if x.Reused {
			t.Errorf("%s: on the connection that was closed", path)
		}
		q.closeConns()
		time.Sleep(20 * ms)
	}
	for path, n := range seen {
		if n != 1 {
			t.Errorf("%s was made %d times", path, n)
		}
	}
}

// Over a way of 40 ms there and back QUIC connects within one round trip and
// shakes hands in the same; that a client must prove its address costs one
// more, which is of the handshake. The request is another.
func TestRoundTripsHTTP3(t *testing.T) {
	const trip = 40 * ms
	s, cfg := serve(t, true, true, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	cfg.HTTP = "3"
	for _, tt := range []struct {
		name  string
		retry bool
		tls   time.Duration
	}{{"at once", false, 0}, {"with a retry", true, trip}} {
		t.Run(tt.name, func(t *testing.T) {
			url := "https://" + distant(t, serveQUIC(t, s, "127.0.0.1:0", quicOptions{retry: tt.retry}).addr, trip/2)
			settle(t, -ms, trip/4+tolerance, func() map[string]time.Duration { // four trips of packets by way of this machine
				x := once(t, cfg, url)
				return map[string]time.Duration{
					"connect": x.Timing.Connect - trip,
					"tls":     x.Timing.TLS - tt.tls,
					"wait":    x.Timing.Wait - trip,
					"receive": x.Timing.Receive,
				}
			})
		})
	}
}
