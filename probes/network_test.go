package probes_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/miekg/dns"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// quicBeside serves what srv serves over HTTP/3 too, at its port: with a Retry,
// so that the server is heard of before its handshake (RFC 9000 section 8.1.2).
func quicBeside(t *testing.T, srv *httptest.Server) {
	t.Helper()
	conn, err := net.ListenPacket("udp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	transport := &quic.Transport{Conn: quiet{conn}, VerifySourceAddress: func(net.Addr) bool { return true }}
	l, err := transport.ListenEarly(http3.ConfigureTLSConfig(&tls.Config{
		Certificates: srv.TLS.Certificates, GetConfigForClient: srv.TLS.GetConfigForClient,
	}), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &http3.Server{Handler: srv.Config.Handler}
	var wg sync.WaitGroup
	wg.Go(func() { s.ServeListener(l) })
	t.Cleanup(func() {
		s.Close()
		l.Close()
		transport.Close()
		conn.Close()
		wg.Wait()
	})
}

// quiet is a socket about whose buffers quic-go does not complain.
type quiet struct{ net.PacketConn }

func (quiet) SetReadBuffer(int) error  { return nil }
func (quiet) SetWriteBuffer(int) error { return nil }

// What a run does about a server that offers HTTP/3, by what the app remembers.
func TestAltSvc(t *testing.T) {
	var port string
	srv := server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Alt-Svc", `h3=":`+port+`"`)
		http.FileServer(http.Dir(media)).ServeHTTP(w, r)
	}))
	_, port, _ = net.SplitHostPort(srv.Listener.Addr().String())
	quicBeside(t, srv)
	visits := &probes.Visits{}
	spoken := false // QUIC, by the app that remembers
	for _, tt := range []struct{ name, mode, first, rest string }{
		{"off", "off", "2", "2"},
		{"a first visit", "", "2", "2 3"},
		{"a first visit of one that remembers", "known", "2", "2 3"},
		{"its next visit", "known", "3", "3"},
		{"a first visit again", "first", "2", "2 3"},
	} {
		s := spec(srv.URL+"/cmaf/master.m3u8", "hlsjs", "")
		s.Network.AltSvc, s.Network.Visits = tt.mode, visits
		// A first visit may have ended before QUIC, beside its connection, had an answer.
		for n := 0; tt.first == "3" && !spoken && n < 20; n++ {
			spoken = speaksHTTP3(must(t, probes.Probe(context.Background(), s)))
		}
		r := must(t, probes.Probe(context.Background(), s))
		spoken = spoken || tt.mode == "known" && speaksHTTP3(r)
		for i, step := range r.Steps {
			if want := map[bool]string{true: tt.first, false: tt.rest}[i == 0]; !step.IsWait() && (step.Proto == "" || !strings.Contains(want, step.Proto)) {
				t.Errorf("%s: %s over HTTP/%s, want %s", tt.name, step.Name, step.Proto, want)
			}
		}
		if !strings.Contains(tt.rest, r.HTTPVersion) || r.TLSVersion != "1.3" || r.TLSExpiresAt == nil {
			t.Errorf("%s: HTTP/%s with TLS %s until %v", tt.name, r.HTTPVersion, r.TLSVersion, r.TLSExpiresAt)
		}
	}
	s := spec(srv.URL+"/cmaf/master.m3u8", "hlsjs", "")
	s.App.AltSvc = "maybe"
	if r := probes.Probe(context.Background(), s); r.ErrorType != run.ErrUnsupported || !strings.Contains(r.ErrorDetail, "maybe") {
		t.Errorf("%s: %s", r.ErrorType, r.ErrorDetail)
	}
}

// speaksHTTP3 tells whether any step of a run does.
func speaksHTTP3(r run.Run) bool {
	return slices.ContainsFunc(r.Steps, func(s run.Step) bool { return s.Proto == "3" })
}

// A name that is an alias, with an IPv6 address where nobody listens: the step
// tells the alias, which tells the CDN, and both attempts. A run for another
// network says so.
func TestConnectsAndSubnet(t *testing.T) {
	srv := server(t, http.FileServer(http.Dir(media)))
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	names := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		alias := dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET}
		m.Answer = append(m.Answer, &dns.CNAME{Hdr: alias, Target: "d1.cloudfront.net."})
		h := dns.RR_Header{Name: "d1.cloudfront.net.", Rrtype: q.Question[0].Qtype, Class: dns.ClassINET}
		switch q.Question[0].Qtype {
		case dns.TypeA:
			m.Answer = append(m.Answer, &dns.A{Hdr: h, A: net.ParseIP("127.0.0.1")})
		case dns.TypeAAAA:
			m.Answer = append(m.Answer, &dns.AAAA{Hdr: h, AAAA: net.ParseIP("::1")})
		}
		if opt := q.IsEdns0(); opt != nil && len(opt.Option) > 0 {
			subnet := *opt.Option[0].(*dns.EDNS0_SUBNET)
			subnet.SourceScope = 20
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = append(m.IsEdns0().Option, &subnet)
		}
		w.WriteMsg(m)
	})}
	done := make(chan struct{})
	go func() { defer close(done); names.ActivateAndServe() }()
	t.Cleanup(func() { names.Shutdown(); <-done })

	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	s := spec("https://stream.example:"+port+"/ts/master.m3u8", "hlsjs", "2")
	s.Network.Resolver = conn.LocalAddr().String()
	s.Network.ClientSubnet = netip.MustParsePrefix("200.147.0.0/16")
	s.Target.Labels = map[string]string{"tier": "gold"}
	r := must(t, probes.Probe(context.Background(), s))
	if len(r.Steps) == 0 || len(r.Steps[0].Connects) != 2 {
		t.Fatalf("%+v", r.Steps)
	}
	for i, want := range []string{"connect: connection refused", "connected"} {
		c := r.Steps[0].Connects[i]
		var network, addr string
		var start, end float64
		if n, err := fmt.Sscan(c, &network, &addr, &start, &end); n != 4 || network != "tcp" || addr != []string{"[::1]", "127.0.0.1"}[i]+":"+port ||
			start < 0 || end < start || end > r.Steps[0].EndMs || !strings.HasSuffix(c, want) {
			t.Errorf("%q (%v), want it to end with %q", c, err, want)
		}
	}
	if c := r.Steps[0].CNAMEs; len(c) != 1 || c[0] != "d1.cloudfront.net" || r.CDNSeen != "cloudfront" || r.POP != "" || r.SegmentCacheStatus != run.CacheUnknown {
		t.Errorf("names %v, CDN %q, POP %q, cache %s", c, r.CDNSeen, r.POP, r.SegmentCacheStatus)
	}
	for _, step := range r.Steps[1:] {
		if (len(step.Connects) > 0 || len(step.CNAMEs) > 0) && step.Reused {
			t.Errorf("%s tells of attempts on a reused connection: %v", step.Name, step.Connects)
		}
	}
	if len(r.Labels) != 3 || r.Labels["ecs"] != "200.147.0.0/16" || r.Labels["ecs_scope"] != "20" || len(s.Target.Labels) != 1 {
		t.Errorf("labels %v, the target's %v", r.Labels, s.Target.Labels)
	}
}

// A run that a certificate ends says until when it would have been good, and who
// signed it.
func TestCertificate(t *testing.T) {
	for _, version := range []string{"", "1.1"} {
		srv := server(t, http.NotFoundHandler())
		s := spec(srv.URL+"/ts/master.m3u8", "ideal", version)
		s.Network.Insecure, s.Network.RootCAs = false, x509.NewCertPool()
		r := probes.Probe(context.Background(), s)
		if r.OK || r.ErrorType != run.ErrTLS || r.ErrorStep != run.StepManifest || r.EdgeIP != "127.0.0.1" || r.TLSVersion != "" ||
			r.TLSExpiresAt == nil || !r.TLSExpiresAt.Equal(srv.Certificate().NotAfter) {
			t.Errorf("%s at %s of %s until %v: %s", r.ErrorType, r.ErrorStep, r.EdgeIP, r.TLSExpiresAt, r.ErrorDetail)
		}
		if want := "O=Acme Co"; !strings.Contains(r.ErrorDetail, want) {
			t.Errorf("%q does not say %q", r.ErrorDetail, want)
		}
	}
}
