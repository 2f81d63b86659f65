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

// protocolsOf are the protocols of exchanges made one after another, each when
// told.
func protocolsOf(t *testing.T, c *fetch.Client, url string, when ...func()) (all []string, list []*fetch.Exchange) {
	t.Helper()
	for _, f := range when {
		f()
		x := c.Do(t.Context(), fetch.Request{URL: url})
		ok(t, x)
		all, list = append(all, x.Proto), append(list, x)
	}
	return all, list
}

func atOnce() {}

// A first visit begins with HTTP/2. The request after the answer that offers
// HTTP/3 goes over HTTP/2 too, while QUIC is dialled beside it; what follows
// goes over HTTP/3. The visit after that one begins with it. Without Alt-Svc
// nothing of the sort happens.
func TestAltSvcFollowed(t *testing.T) {
	s, q, cfg := both(t, quicOptions{}, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	connected := func(n int64) func() {
		return func() {
			for deadline := time.Now().Add(5 * time.Second); q.conns.Load() < n && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(50 * time.Millisecond) // the handshake's end
		}
	}
	expect := func(what string, got []string, want string) {
		t.Helper()
		if strings.Join(got, " ") != want {
			t.Errorf("%s: HTTP/%v, want %s", what, got, want)
		}
	}
	got, _ := protocolsOf(t, open(t, cfg), s.URL, atOnce, atOnce, atOnce)
	expect("ignored", got, "2 2 2")

	cfg.AltSvc = &fetch.AltSvc{}
	got, list := protocolsOf(t, open(t, cfg), s.URL, atOnce, atOnce, connected(1), atOnce)
	expect("first visit", got, "2 2 3 3")
	if x := list[2]; !x.Reused || x.Timing.Connect+x.Timing.TLS != 0 || len(x.Attempts) != 0 {
		t.Errorf("the first over HTTP/3 dialled: %+v", x)
	}
	if q.conns.Load() != 1 || cfg.AltSvc.Len() != 1 {
		t.Errorf("%d connections over QUIC, %d alternatives", q.conns.Load(), cfg.AltSvc.Len())
	}

	got, list = protocolsOf(t, open(t, cfg), s.URL, atOnce, atOnce)
	expect("next visit", got, "3 3")
	if x := list[0]; x.Reused || x.Timing.Connect == 0 || x.Timing.TLS == 0 || len(x.Attempts) != 1 || x.Attempts[0].Network != "quic" {
		t.Errorf("the first of the next visit: %+v", x)
	}
	cfg.HTTP = "1.1" // a version that is forced goes before
	got, _ = protocolsOf(t, open(t, cfg), s.URL, atOnce)
	expect("forced", got, "1.1")
}

// Where QUIC worked before it has a head start: TCP is dialled when that is
// over, and what is there first serves. Where UDP is not let through, the next
// visit loses the head start once, and no more.
func TestAltSvcHeadStart(t *testing.T) {
	s, _, cfg := both(t, quicOptions{}, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	for _, tt := range []struct {
		name    string
		connect time.Duration
		want    string
		queue   time.Duration
	}{
		{"QUIC within the head start", 50 * ms, "3", 0},
		{"QUIC too slow", 500 * ms, "2", 150 * ms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			slow := httptest.NewUnstartedServer(s.Config.Handler)
			slow.EnableHTTP2 = true
			slow.StartTLS()
			defer slow.Close()
			addr := slow.Listener.Addr().String()
			_, port, _ := net.SplitHostPort(addr)
			slow.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Alt-Svc", `h3=":`+port+`"; ma=3600`)
			})
			cfg.AltSvc, cfg.AltSvcDelay = &fetch.AltSvc{}, 150*ms
			// That QUIC works from here is known from another server.
			c := fetch.New(cfg)
			protocolsOf(t, c, s.URL, atOnce, atOnce, func() { time.Sleep(200 * ms) })
			// That this one speaks it, too.
			protocolsOf(t, c, slow.URL, atOnce)
			c.Close()

			q := serveQUIC(t, slow, addr, quicOptions{connect: tt.connect})
			last := fetch.New(cfg)
			x := last.Do(t.Context(), fetch.Request{URL: slow.URL})
			ok(t, x)
			last.Close()
			if x.Proto != tt.want || x.Timing.Queue < tt.queue || x.Timing.Queue > tt.queue+100*ms {
				t.Errorf("HTTP/%s after a queue of %v, want HTTP/%s after %v; the server took %v", x.Proto, x.Timing.Queue, tt.want, tt.queue, time.Duration(q.connect.Load()))
			}
			if tt.want == "3" {
				return
			}
			// What did not answer is left alone.
			if x := open(t, cfg).Do(t.Context(), fetch.Request{URL: slow.URL}); x.Proto != "2" || x.Timing.Queue > 50*ms {
				t.Errorf("then HTTP/%s after a queue of %v", x.Proto, x.Timing.Queue)
			}
		})
	}
	t.Run("QUIC refused", func(t *testing.T) {
		cfg.AltSvc, cfg.AltSvcDelay = &fetch.AltSvc{}, time.Minute
		c := open(t, cfg)
		protocolsOf(t, c, s.URL, atOnce, atOnce, func() { time.Sleep(200 * ms) })
		_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
		// The same origin at an address without QUIC: the refusal ends the wait.
		other, err := net.Listen("tcp", "127.0.0.8:"+port)
		if err != nil {
			t.Skip(err)
		}
		srv := &httptest.Server{Listener: other, Config: &http.Server{Handler: s.Config.Handler}, EnableHTTP2: true}
		srv.StartTLS()
		defer srv.Close()
		cfg.ConnectTo = map[string]string{"127.0.0.1": "127.0.0.8"}
		cfg.RootCAs, cfg.Insecure = nil, true
		got, list := protocolsOf(t, open(t, cfg), s.URL, atOnce, atOnce)
		if strings.Join(got, " ") != "2 2" || list[0].Timing.Sum() > 2*time.Second {
			t.Errorf("HTTP/%v, the first in %v", got, list[0].Timing)
		}
	})
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
	for _, tt := range misbehaviour {
		x := c.Do(t.Context(), fetch.Request{URL: s.URL + tt.path, FirstByteTimeout: 200 * ms, StallTimeout: 200 * ms})
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
			x := open(t, tt.cfg).Do(t.Context(), fetch.Request{URL: tt.url, FirstByteTimeout: 300 * ms})
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
			errs := map[string][]time.Duration{}
			for range 5 {
				x := once(t, cfg, url)
				errs["connect"] = append(errs["connect"], x.Timing.Connect-trip)
				errs["tls"] = append(errs["tls"], x.Timing.TLS-tt.tls)
				errs["wait"] = append(errs["wait"], x.Timing.Wait-trip)
				errs["receive"] = append(errs["receive"], x.Timing.Receive)
			}
			for phase, e := range errs {
				t.Logf("%s is off by %v", phase, e)
				if least := slices.Min(e); least < -ms || least > trip/4+tolerance { // four trips of packets by way of this machine
					t.Errorf("%s is off by %v", phase, least)
				}
			}
		})
	}
}
