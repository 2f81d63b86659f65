package fetch_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// All ways of naming the loopback are refused before anything is dialled, by
// any protocol.
func TestBlockedAddresses(t *testing.T) {
	dialled := make(chan string, 100)
	addr := raw(t, func(c net.Conn) { dialled <- c.LocalAddr().String() })
	_, port, _ := net.SplitHostPort(addr)
	udp, err := net.ListenPacket("udp", ":"+port)
	if err != nil {
		t.Fatal(err)
	}
	ns := serveDNS(t, 0, map[string][]string{
		"four.example.com":  {"127.0.0.1"},
		"six.example.com":   {"::1"},
		"late.example.com":  {"::1", "late A", "127.0.0.1"},
		"nat64.example.com": {"64:ff9b::7f00:1"},
		"many.example.com":  {"10.0.0.1", "169.254.169.254", "fd00:ec2::254"},
	})
	for _, version := range []string{"", "3"} {
		c := open(t, fetch.Config{Resolver: ns.addr, HTTP: version})
		for _, host := range []string{
			"four.example.com", "six.example.com", "late.example.com", "nat64.example.com", "many.example.com",
			"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]", "localhost",
		} {
			for _, scheme := range []string{"http", "https"} {
				if version == "3" && scheme == "http" {
					continue
				}
				x := c.Do(t.Context(), fetch.Request{URL: scheme + "://" + host + ":" + port})
				check(t, x)
				if x.Err == nil || x.Err.Type != run.ErrBlockedAddress || !errors.Is(x.Err, fetch.ErrBlocked) || len(x.Attempts) > 0 {
					t.Errorf("%s %s: %+v after %v", version, host, x.Err, x.Attempts)
				}
			}
		}
	}
	if len(dialled) > 0 {
		t.Errorf("%d connections were made, the first to %s", len(dialled), <-dialled)
	}
	udp.SetReadDeadline(time.Now().Add(20 * ms))
	if n, from, err := udp.ReadFrom(make([]byte, 2000)); err == nil {
		t.Errorf("%d bytes came from %s", n, from)
	}
	udp.Close()
}

// Of a name's addresses only those are dialled that may be, also those that
// come late.
func TestBlockedBesideAllowed(t *testing.T) {
	dialled := make(chan string, 100)
	_, port, _ := net.SplitHostPort(raw(t, func(c net.Conn) { dialled <- c.LocalAddr().String() }))
	ns := serveDNS(t, 0, map[string][]string{
		"six.example.com":  {"::1", "127.0.0.1"},
		"late.example.com": {"::1", "late A", "127.0.0.1"},
	})
	c := open(t, fetch.Config{Resolver: ns.addr, AllowAddresses: []netip.Prefix{netip.MustParsePrefix("::1/128")}})
	for _, host := range []string{"six.example.com", "late.example.com"} {
		x := c.Do(t.Context(), fetch.Request{URL: "http://" + host + ":" + port})
		check(t, x)
		if x.Err == nil || x.Err.Type != run.ErrConnect || len(x.Attempts) != 1 || len(dialled) > 0 {
			t.Errorf("%s: %v after %v", host, x.Err, x.Attempts)
		}
	}
	c = open(t, fetch.Config{Resolver: ns.addr, AllowAddresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	if x := c.Do(t.Context(), fetch.Request{URL: "http://late.example.com:" + port}); len(x.Attempts) != 1 || x.Remote.Addr().String() != "127.0.0.1" {
		t.Errorf("%+v", x)
	}
}

// A redirect to a host that is not allowed is refused when it is followed.
func TestBlockedSecondHop(t *testing.T) {
	secret := "http://127.0.0.9:80/secret?a=b"
	s, cfg := serve(t, false, false, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, secret, http.StatusFound) })
	cfg.AllowAddresses = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	c := open(t, cfg)
	x := c.Do(t.Context(), fetch.Request{URL: s.URL})
	ok(t, x)
	if x.Status != http.StatusFound || x.Location != secret {
		t.Fatalf("%d to %q", x.Status, x.Location)
	}
	x = c.Do(t.Context(), fetch.Request{URL: x.Location})
	if x.Err == nil || x.Err.Type != run.ErrBlockedAddress {
		t.Errorf("%+v", x.Err)
	}
	if strings.Contains(x.Err.Detail, "a=b") {
		t.Errorf("the detail shows the query: %s", x.Err.Detail)
	}
}

func TestLocation(t *testing.T) {
	s, cfg := serve(t, false, false, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/none" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Location", "../c?d")
		w.WriteHeader(http.StatusTemporaryRedirect)
		io.WriteString(w, "moved")
	})
	c := open(t, cfg)
	x := c.Do(t.Context(), fetch.Request{URL: s.URL + "/a/b", Body: func([]byte, time.Time) error { return io.ErrNoProgress }})
	ok(t, x)
	if want := s.URL + "/c?d"; x.Location != want || x.Bytes != 5 {
		t.Errorf("location %q of %d bytes, want %q", x.Location, x.Bytes, want)
	}
	x = c.Do(t.Context(), fetch.Request{URL: s.URL + "/none"})
	ok(t, x)
	if x.Location != "" || !x.Reused {
		t.Errorf("location %q, reused %v", x.Location, x.Reused)
	}
}

func TestConnectTo(t *testing.T) {
	s, cfg := serve(t, true, true, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Saw", r.Host+" "+r.TLS.ServerName)
	})
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	// The server's certificate is for example.com.
	for name, to := range map[string]map[string]string{
		"host to address":          {"example.com": "127.0.0.1"},
		"host to address and port": {"example.com": "127.0.0.1:" + port},
		"host and port":            {"example.com:" + port: "127.0.0.1", "example.com": "127.0.0.99"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.ConnectTo = to
			x := open(t, cfg).Do(t.Context(), fetch.Request{URL: "https://example.com:" + port})
			ok(t, x)
			if got, want := x.Header.Get("X-Saw"), "example.com:"+port+" example.com"; got != want {
				t.Errorf("the server saw %q, want %q", got, want)
			}
		})
	}
}

// Connections made at once share one look-up, and have the DNS server and the
// source address that were asked for.
func TestResolverAndSource(t *testing.T) {
	var mu sync.Mutex
	peers := map[string]int{}
	s, cfg := serve(t, false, false, func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		mu.Lock()
		peers[host]++
		mu.Unlock()
		time.Sleep(20 * ms)
	})
	ns := serveDNS(t, 20*ms, map[string][]string{"cdn.example.com": {"127.0.0.1", "::1"}})
	cfg.Resolver = ns.addr
	cfg.LocalAddr = netip.MustParseAddr("127.0.0.5")
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	c := open(t, cfg)
	var longest time.Duration
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			x := c.Do(t.Context(), fetch.Request{URL: "http://cdn.example.com:" + port})
			check(t, x)
			if x.Err != nil {
				t.Error(x.Err)
			}
			mu.Lock()
			longest = max(longest, x.Timing.DNS)
			mu.Unlock()
		})
	}
	wg.Wait()
	if longest < 15*ms {
		t.Errorf("dns %v, the server takes 20ms", longest)
	}
	if diff := cmp.Diff(map[string]int{"127.0.0.5": 4}, peers); diff != "" {
		t.Errorf("sources of connections (-want +got):\n%s", diff)
	}
	queries, sources := ns.asked()
	if diff := cmp.Diff(map[string]int{"cdn.example.com A": 1, "cdn.example.com AAAA": 1}, queries); diff != "" {
		t.Errorf("queries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]bool{"127.0.0.5": true}, sources); diff != "" {
		t.Errorf("sources of queries (-want +got):\n%s", diff)
	}
	if x := c.Do(t.Context(), fetch.Request{URL: "http://none.example.com:" + port}); x.Err == nil || !strings.Contains(x.Err.Error(), "none.example.com. on "+ns.addr+": no such host") {
		t.Errorf("of a name that is none: %v", x.Err)
	}
}

func TestIPVersion(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here")
	}
	s := &http.Server{Handler: http.NotFoundHandler()}
	go s.Serve(l)
	defer s.Close()
	ns := serveDNS(t, 0, map[string][]string{"cdn.example.com": {"127.0.0.1", "::1"}})
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c := open(t, fetch.Config{AllowAddresses: loopback, Resolver: ns.addr, IPVersion: 6})
	x := c.Do(t.Context(), fetch.Request{URL: "http://cdn.example.com:" + port})
	if x.Status != http.StatusNotFound || !x.Remote.Addr().Is6() {
		t.Errorf("%d from %s: %v", x.Status, x.Remote, x.Err)
	}
	if queries, _ := ns.asked(); queries["cdn.example.com A"] != 0 {
		t.Error("asked for an IPv4 address")
	}
}

// The names that DNS leads through are kept, whichever way its answer came, and
// also known of a connection that is used again.
func TestNames(t *testing.T) {
	s, cfg := serve(t, false, false, func(http.ResponseWriter, *http.Request) {})
	chain := []string{"cname cdn.example.com x.switch.example", "127.0.0.1", "cname x.switch.example D1.cloudfront.net"}
	ns := serveDNS(t, 0, map[string][]string{"cdn.example.com": chain, "tcp.example.com": {"tcp", "cname tcp.example.com e.akamaiedge.net", "127.0.0.1"}, "plain.example.com": {"127.0.0.1"}})
	cfg.Resolver = ns.addr
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	c := open(t, cfg)
	for _, tt := range []struct {
		host string
		want []string
	}{
		{"CDN.example.com", []string{"cdn.example.com", "x.switch.example", "d1.cloudfront.net"}},
		{"cdn.example.com", []string{"cdn.example.com", "x.switch.example", "d1.cloudfront.net"}},
		{"tcp.example.com", []string{"tcp.example.com", "e.akamaiedge.net"}},
		{"plain.example.com", []string{"plain.example.com"}},
		{"127.0.0.1", nil},
	} {
		x := c.Do(t.Context(), fetch.Request{URL: "http://" + tt.host + ":" + port})
		check(t, x)
		if diff := cmp.Diff(tt.want, x.Names); diff != "" || x.Err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", tt.host, x.Err, diff)
		}
	}
}

// A name in another script is resolved and named to the server in its ASCII form.
func TestInternationalName(t *testing.T) {
	s, cfg := serve(t, false, false, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Saw", r.Host) })
	ns := serveDNS(t, 0, map[string][]string{"xn--bcher-kva.example.com": {"127.0.0.1"}})
	cfg.Resolver = ns.addr
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	x := open(t, cfg).Do(t.Context(), fetch.Request{URL: "http://Bücher.example.com:" + port})
	ok(t, x)
	if got, want := x.Header.Get("X-Saw"), "xn--bcher-kva.example.com:"+port; !strings.EqualFold(got, want) {
		t.Errorf("the server saw %q, want %q", got, want)
	}
}

func TestHTTPVersion(t *testing.T) {
	s, cfg := serve(t, true, true, func(w http.ResponseWriter, r *http.Request) {})
	for _, tt := range []struct{ http, want string }{{"", "2"}, {"1.1", "1.1"}, {"2", "2"}} {
		cfg.HTTP = tt.http
		x := open(t, cfg).Do(t.Context(), fetch.Request{URL: s.URL})
		ok(t, x)
		if x.Proto != tt.want {
			t.Errorf("HTTP %q gave %s, want %s", tt.http, x.Proto, tt.want)
		}
	}
}

func TestRange(t *testing.T) {
	const whole = "0123456789abcdef"
	s, cfg := serve(t, true, false, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/part":
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(whole))
		case "/whole":
			io.WriteString(w, whole)
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, whole); err != nil {
					return
				}
			}
		case "/other":
			w.Header().Set("Content-Range", "bytes 10-13/16")
			w.WriteHeader(http.StatusPartialContent)
			io.WriteString(w, "abcd")
		}
	})
	c := open(t, cfg)
	for _, tt := range []struct {
		path           string
		offset, length int64
		want           string
		err            error
	}{
		{"/part", 4, 8, "456789ab", nil},
		{"/part", 0, 1, "0", nil},
		{"/part", 12, 0, "cdef", nil},
		{"/part", 12, 8, "cdef", fetch.ErrTruncated},
		{"/whole", 4, 8, "456789ab", nil},
		{"/whole", 12, 0, "cdef", nil},
		{"/whole", 12, 8, "cdef", fetch.ErrTruncated},
		{"/whole", 99, 0, "", fetch.ErrTruncated},
		{"/endless", 20, 4, "4567", nil},
		{"/other", 1, 4, "", fetch.ErrRange},
	} {
		t.Run(fmt.Sprint(tt.path, tt.offset, "+", tt.length), func(t *testing.T) {
			var body strings.Builder
			x := c.Do(t.Context(), fetch.Request{URL: s.URL + tt.path, Range: &fetch.Range{Offset: tt.offset, Length: tt.length},
				Body: func(p []byte, _ time.Time) error { body.Write(p); return nil }})
			check(t, x)
			if tt.err == nil {
				ok(t, x)
			} else if !errors.Is(x.Err, tt.err) {
				t.Errorf("%v, want %v", x.Err, tt.err)
			}
			if body.String() != tt.want {
				t.Errorf("got %q, want %q", body.String(), tt.want)
			}
		})
	}
	if x := c.Do(t.Context(), fetch.Request{URL: s.URL + "/part", Range: &fetch.Range{Offset: 99}}); x.Err == nil || x.Err.Type != run.ErrHTTP4xx {
		t.Errorf("beyond the end: %v", x.Err)
	}
}

func TestPayload(t *testing.T) {
	for _, p := range protocols {
		s, cfg := p.serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Saw", fmt.Sprint(r.Method, " ", r.ContentLength, " ", string(body)))
		})
		x := open(t, cfg).Do(t.Context(), fetch.Request{Method: "POST", URL: s.URL, Payload: []byte("{}")})
		ok(t, x)
		if got := x.Header.Get("X-Saw"); got != "POST 2 {}" {
			t.Errorf("%s: the server saw %q", p.name, got)
		}
	}
}
