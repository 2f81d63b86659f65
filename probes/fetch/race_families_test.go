package fetch_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// family serves over HTTP/1.1 on 127.0.0.1 at the port.
func family(t *testing.T, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Skipf("the port is taken on another address: %v", err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "four") })}}
	s.Start()
	t.Cleanup(s.Close)
}

// tried says which addresses were tried, each with what came of it.
func tried(list []fetch.Attempt) string {
	var all []string
	for _, a := range list {
		outcome := "connected"
		switch {
		case errors.Is(a.Err, fetch.ErrOvertaken):
			outcome = "overtaken"
		case a.Err != nil:
			outcome = "failed"
		}
		all = append(all, fmt.Sprint(a.Network, " ", a.Addr.Addr(), " ", outcome))
	}
	return strings.Join(all, ", ")
}

// lag is how much later a wait may end, which still tells 250 ms from 300.
const lag = 20 * ms

// A name with addresses of both families, whose IPv6 goes nowhere: IPv4 is
// tried beside it after the delay of RFC 8305, or of Chromium; at once where
// IPv6 refuses.
func TestFamiliesRace(t *testing.T) {
	hole := backlogged(t, "::1")
	family(t, hole)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, refused, _ := net.SplitHostPort(l.Addr().String())
	family(t, refused)
	ns := serveDNS(t, 0, map[string][]string{
		"dual.example.com": {"127.0.0.1", "::1"},
		"late.example.com": {"::1", "late A", "127.0.0.1"},
		"four.example.com": {"127.0.0.1"},
	})
	const overtaken = "tcp ::1 overtaken, tcp 127.0.0.1 connected"
	for _, tt := range []struct {
		name, host, port string
		style            fetch.Eyeballs
		connect          time.Duration
		want             string
	}{
		{"RFC 8305", "dual", hole, fetch.EyeballsRFC8305, 250 * ms, overtaken},
		{"Chromium", "dual", hole, fetch.EyeballsChromium, 300 * ms, overtaken},
		{"refused, RFC 8305", "dual", refused, fetch.EyeballsRFC8305, 0, "tcp ::1 failed, tcp 127.0.0.1 connected"},
		{"refused, Chromium", "dual", refused, fetch.EyeballsChromium, 0, "tcp ::1 failed, tcp 127.0.0.1 connected"},
		{"IPv4 late, RFC 8305", "late", hole, fetch.EyeballsRFC8305, 250 * ms, overtaken},
		{"IPv4 late, Chromium", "late", hole, fetch.EyeballsChromium, 300 * ms, overtaken},
		{"IPv4 later than the refusal", "late", refused, fetch.EyeballsRFC8305, lateA, "tcp ::1 failed, tcp 127.0.0.1 connected"},
		{"IPv4 later than the refusal, Chromium", "late", refused, fetch.EyeballsChromium, lateA, "tcp ::1 failed, tcp 127.0.0.1 connected"},
		{"IPv4 alone, Chromium", "four", hole, fetch.EyeballsChromium, 0, "tcp 127.0.0.1 connected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			early := ms
			if tt.connect == lateA {
				early = lateA / 2 // what the phase begins with is late itself
			}
			// What else runs on the machine delays a try, and nothing hastens one.
			least, shown := time.Hour, 0
			for n := 0; n < 30 && (shown < 3 || least > lag); n++ {
				x := once(t, fetch.Config{AllowAddresses: loopback, Resolver: ns.addr, Eyeballs: tt.style}, "http://"+tt.host+".example.com:"+tt.port)
				late := x.Timing.Connect - tt.connect
				if x.Timing.DNS >= 50*ms || late > 100*ms {
					continue // held up for so long that other delays have ended too
				}
				if got := tried(x.Attempts); got != tt.want || x.Remote.Addr() != netip.MustParseAddr("127.0.0.1") {
					t.Errorf("%s, then at %s; want %s", got, x.Remote, tt.want)
				}
				for _, a := range x.Attempts {
					if a.Start.Before(x.Start) || a.End.Before(a.Start) || a.End.After(x.End) {
						t.Errorf("an attempt from %v to %v, the exchange from %v to %v", a.Start, a.End, x.Start, x.End)
					}
				}
				if late < -early {
					t.Errorf("connect is %v, want %v", x.Timing.Connect, tt.connect)
				}
				least, shown = min(least, late), shown+1
			}
			if shown < 3 || least > lag {
				t.Errorf("of %d tries connect is at least %v late, want %v", shown, least, tt.connect)
			}
		})
	}
}

// QUIC races as TCP does; Chromium's has one try.
func TestFamiliesRaceQUIC(t *testing.T) {
	s, cfg := serve(t, true, true, func(w http.ResponseWriter, r *http.Request) {})
	q := serveQUIC(t, s, "127.0.0.1:0", quicOptions{})
	_, port, _ := net.SplitHostPort(q.addr)
	mute, err := net.ListenPacket("udp", "[::1]:"+port)
	if err != nil {
		t.Skip(err)
	}
	defer mute.Close()
	ns := serveDNS(t, 0, map[string][]string{"dual.example.com": {"127.0.0.1", "::1"}})
	cfg.Resolver, cfg.HTTP = ns.addr, "3"
	url := "https://dual.example.com:" + port
	x := once(t, cfg, url)
	if got := tried(x.Attempts); got != "quic ::1 overtaken, quic 127.0.0.1 connected" || x.Timing.Connect < 240*ms {
		t.Errorf("%s in %v", got, x.Timing)
	}
	cfg.Eyeballs = fetch.EyeballsChromium
	x = open(t, cfg).Do(t.Context(), fetch.Request{URL: url, Timeout: 500 * ms})
	check(t, x)
	if x.Err == nil || x.Err.Type != run.ErrConnect || len(x.Attempts) != 1 || !x.Attempts[0].End.IsZero() {
		t.Errorf("%v after %s", x.Err, tried(x.Attempts))
	}
}

// DNS that says nothing about IPv6 holds nobody up for longer than the
// Resolution Delay of RFC 8305.
func TestNoAnswerAboutIPv6(t *testing.T) {
	s, cfg := serve(t, false, false, func(w http.ResponseWriter, r *http.Request) {})
	ns := serveDNS(t, 0, map[string][]string{"cdn.example.com": {"no AAAA", "127.0.0.1"}})
	cfg.Resolver = ns.addr
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	settle(t, -10*ms, lag, func() map[string]time.Duration {
		return map[string]time.Duration{"dns": once(t, cfg, "http://cdn.example.com:"+port).Timing.DNS - 50*ms}
	})
}

// The client subnet goes with every query, over UDP and TCP, and decides which
// address comes back.
func TestClientSubnet(t *testing.T) {
	s, cfg := serve(t, false, false, func(w http.ResponseWriter, r *http.Request) {})
	brazil, japan := netip.MustParsePrefix("200.147.3.0/24"), netip.MustParsePrefix("2001:db8:81::/48")
	here := func(addrs ...string) []string {
		return slices.Concat(addrs, []string{brazil.String() + "=127.0.0.1", japan.String() + "=127.0.0.3"})
	}
	ns := serveDNS(t, 0, map[string][]string{"udp.example.com": here(), "tcp.example.com": here("tcp"), "plain.example.com": {"127.0.0.1"}})
	cfg.Resolver = ns.addr
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	for _, tt := range []struct {
		subnet netip.Prefix
		host   string
		addr   string
		scope  int
	}{
		{brazil, "udp", "127.0.0.1", 24}, {brazil, "tcp", "127.0.0.1", 24}, {japan, "udp", "127.0.0.3", 48},
		{netip.Prefix{}, "plain", "127.0.0.1", -1},
	} {
		cfg.ClientSubnet = tt.subnet
		c := open(t, cfg)
		x := c.Do(t.Context(), fetch.Request{URL: "http://" + tt.host + ".example.com:" + port})
		check(t, x)
		if len(x.Attempts) != 1 || x.Attempts[0].Addr.Addr().String() != tt.addr {
			t.Errorf("%s, %v: %s, want %s (%v)", tt.host, tt.subnet, tried(x.Attempts), tt.addr, x.Err)
		}
		if bits, ok := c.SubnetScope(); ok != (tt.scope >= 0) || ok && bits != tt.scope {
			t.Errorf("%s, %v: the answer holds for %d bits (%v), want %d", tt.host, tt.subnet, bits, ok, tt.scope)
		}
	}
	want := []string{japan.String() + " udp", brazil.String() + " tcp", brazil.String() + " udp"}
	slices.Sort(want)
	if diff := cmp.Diff(want, ns.forSubnets()); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}
