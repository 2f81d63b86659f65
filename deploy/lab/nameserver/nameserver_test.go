package nameserver

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/firstframe/firstframe/deploy/lab/fault"
	"github.com/firstframe/firstframe/deploy/lab/world"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, c Config) *Server {
	t.Helper()
	if c.World == nil {
		c.World = world.Default()
	}
	if c.Faults == nil {
		c.Faults = &fault.Set{}
	}
	s, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask asks from an address and gives rcode, first address and TTL.
func ask(t *testing.T, s *Server, network, from, name string, kind uint16) (*dns.Msg, time.Duration) {
	t.Helper()
	var local net.Addr = &net.UDPAddr{IP: net.ParseIP(from)}
	if network == "tcp" {
		local = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	c := dns.Client{Net: network, Timeout: 5 * time.Second, Dialer: &net.Dialer{LocalAddr: local, Timeout: 5 * time.Second}}
	start := time.Now()
	m, _, err := c.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), kind), s.Addr.String())
	if err != nil {
		t.Fatal(err)
	}
	return m, time.Since(start)
}

func first(m *dns.Msg) netip.Addr {
	if len(m.Answer) != 1 {
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(m.Answer[0].(*dns.A).A.To4())
	return a
}

func TestAnswerBySourceAddress(t *testing.T) {
	s := start(t, Config{Fast: true})
	w := s.config.World
	pop := func(cdn, code string) netip.Addr {
		for _, p := range w.CDN(cdn).POPs {
			if p.Code == code {
				return p.Addr
			}
		}
		t.Fatalf("no %s at %s", code, cdn)
		return netip.Addr{}
	}
	for _, tc := range []struct{ from, name, cdn, code string }{
		{"127.10.0.10", "cdn-a.lab.example", "cdn-a", "GRU"},
		{"127.10.1.11", "CDN-B.Lab.Example", "cdn-b", "GRU"},
		{"127.12.0.10", "cdn-a.lab.example", "cdn-a", "FRA"},
		{"127.12.0.10", "cdn-b.lab.example", "cdn-b", "LHR"},
		{"127.16.1.10", "cdn-c.lab.example", "cdn-c", "CPT"},
		{"127.14.0.10", "play.lab.example", "cdn-a", "NRT"},
		{"127.14.0.10", "api.lab.example", "cdn-a", "NRT"},
		{"127.0.0.1", "cdn-a.lab.example", "cdn-a", "GRU"},
	} {
		for _, network := range []string{"udp", "tcp"} {
			m, _ := ask(t, s, network, tc.from, tc.name, dns.TypeA)
			if got, want := first(m), pop(tc.cdn, tc.code); got != want || m.Answer[0].Header().Ttl != 0 || !m.Authoritative {
				t.Errorf("%s from %s over %s: %v, want %v\n%v", tc.name, tc.from, network, got, want, m)
			}
		}
	}
}

// Whoever asks for another network is led as that network is, and is told for
// which network the answer holds.
func TestAnswerByClientSubnet(t *testing.T) {
	s := start(t, Config{Fast: true})
	india, brazil := s.config.World.CDN("cdn-b").POPs[3].Addr, s.config.World.CDN("cdn-b").POPs[0].Addr
	for _, tc := range []struct {
		name, network string
		want          netip.Addr
	}{
		{"as India", "127.13.1.0/24", india},
		{"as Brazil", "127.10.0.0/16", brazil},
		{"as nobody", "192.0.2.0/24", brazil}, // the first POP
		{"as itself", "0.0.0.0/0", india},
	} {
		t.Run(tc.name, func(t *testing.T) {
			network := netip.MustParsePrefix(tc.network)
			q := new(dns.Msg).SetQuestion("cdn-b.lab.example.", dns.TypeA).SetEdns0(1232, false)
			q.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: uint8(network.Bits()), Address: network.Addr().AsSlice()}}
			m, _ := s.Answer(q, netip.MustParseAddr("127.13.0.10"))
			if got := first(m); got != tc.want {
				t.Errorf("led to %v, want %v", got, tc.want)
			}
			scope := 0
			if told := subnet(m); told != nil {
				scope = int(told.SourceScope)
			}
			if scope != network.Bits() {
				t.Errorf("holds for /%d, want /%d", scope, network.Bits())
			}
		})
	}
}

func TestNoSuchName(t *testing.T) {
	s := start(t, Config{})
	for _, tc := range []struct {
		name  string
		kind  uint16
		rcode int
	}{
		{"cdn-a.lab.example", dns.TypeAAAA, dns.RcodeSuccess},
		{"cdn-x.lab.example", dns.TypeA, dns.RcodeNameError},
		{"lab.example", dns.TypeA, dns.RcodeNameError},
		{"example.com", dns.TypeA, dns.RcodeRefused},
		{"evil-lab.example", dns.TypeA, dns.RcodeRefused},
	} {
		m, _ := ask(t, s, "udp", "127.0.0.1", tc.name, tc.kind)
		if m.Rcode != tc.rcode || len(m.Answer) != 0 {
			t.Errorf("%s: %v", tc.name, m)
		}
	}
}

func TestFaults(t *testing.T) {
	const brazil, germany = "127.10.0.10", "127.12.0.10"
	w := world.Default()
	gru, mia := w.CDN("cdn-b").POPs[0], w.CDN("cdn-b").POPs[1]
	for _, tc := range []struct {
		kind  string
		ms    int
		rcode int
		want  netip.Addr
	}{
		{"dns_fail", 0, dns.RcodeServerFailure, netip.Addr{}},
		{"dns_slow", 150, dns.RcodeSuccess, gru.Addr},
		{"refuse", 0, dns.RcodeSuccess, gru.Dead},
		{"wrong_pop", 0, dns.RcodeSuccess, mia.Addr},
		{"private_address", 0, dns.RcodeSuccess, private},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			var faults fault.Set
			if _, err := faults.Add(fault.Fault{ID: "x", Match: fault.Match{Country: "BR", CDN: "cdn-b"}, Effect: fault.Effect{Kind: tc.kind, Ms: tc.ms}}); err != nil {
				t.Fatal(err)
			}
			s := start(t, Config{Faults: &faults, Fast: true})
			m, took := ask(t, s, "udp", brazil, "cdn-b.lab.example", dns.TypeA)
			if m.Rcode != tc.rcode || first(m) != tc.want || took < time.Duration(tc.ms)*time.Millisecond {
				t.Errorf("after %v: %v", took, m)
			}
			if m, _ := ask(t, s, "udp", brazil, "cdn-a.lab.example", dns.TypeA); first(m) != w.CDN("cdn-a").POPs[0].Addr {
				t.Errorf("another CDN is hit: %v", m)
			}
			if m, _ := ask(t, s, "udp", germany, "cdn-b.lab.example", dns.TypeA); first(m) != w.CDN("cdn-b").POPs[2].Addr {
				t.Errorf("another country is hit: %v", m)
			}
		})
	}
}

// Resolving takes as long as the country's last mile.
func TestNamesTakeTime(t *testing.T) {
	s := start(t, Config{})
	if _, took := ask(t, s, "udp", "127.13.0.10", "cdn-a.lab.example", dns.TypeA); took < 18*time.Millisecond {
		t.Errorf("from India in %v, want 18 ms", took)
	}
}

// An answer that is held back does not hold up the end.
func TestCloseDoesNotWaitForAnswers(t *testing.T) {
	var faults fault.Set
	if _, err := faults.Add(fault.Fault{ID: "x", Effect: fault.Effect{Kind: "dns_slow", Ms: 3_600_000}}); err != nil {
		t.Fatal(err)
	}
	s, err := Start(Config{World: world.Default(), Faults: &faults})
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("udp", s.Addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	q, err := new(dns.Msg).SetQuestion("cdn-a.lab.example.", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(q); err != nil {
		t.Fatal(err)
	}
	for len(s.waiting) == 0 {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	if err := s.Close(); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}
