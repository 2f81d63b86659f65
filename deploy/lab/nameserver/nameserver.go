// Package nameserver is the lab's authoritative name server: it leads whoever
// asks for a CDN's name to the POP that serves the country of the asking
// address, or of the network that the question is asked for (EDNS client
// subnet, RFC 7871), unless a fault says otherwise. Answers live for no time at
// all, so that an order takes hold with the next run.
package nameserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/firstframe/firstframe/deploy/lab/fault"
	"github.com/firstframe/firstframe/deploy/lab/shaper"
	"github.com/firstframe/firstframe/deploy/lab/world"
)

// MaxWaiting bounds the questions whose answers are held back; more are
// answered with SERVFAIL at once.
const MaxWaiting = 10_000

// private is what private_address answers with.
var private = netip.MustParseAddr("169.254.169.254")

// Config says what a Server answers from.
type Config struct {
	World  *world.World
	Faults *fault.Set
	Addr   netip.Addr // to listen at, UDP and TCP; the zero Addr means 127.0.0.1
	Fast   bool       // names cost no time to resolve
}

// Server answers questions until it is closed.
type Server struct {
	Addr netip.AddrPort

	config  Config
	servers []*dns.Server
	running sync.WaitGroup
	ctx     context.Context // of answers that are held back; ends with Close
	cancel  context.CancelFunc
	waiting chan struct{}
}

// Start listens at one port for UDP and TCP and answers until Close.
func Start(c Config) (*Server, error) {
	if !c.Addr.IsValid() {
		c.Addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	packets, listener, err := listen(c.Addr)
	if err != nil {
		return nil, fmt.Errorf("nameserver: %w", err)
	}
	s := &Server{config: c, Addr: listener.Addr().(*net.TCPAddr).AddrPort(), waiting: make(chan struct{}, MaxWaiting)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	up := make(chan struct{}, 2)
	for _, server := range []*dns.Server{{PacketConn: packets}, {Listener: listener}} {
		server.Handler = dns.HandlerFunc(s.serve)
		server.NotifyStartedFunc = func() { up <- struct{}{} }
		s.servers = append(s.servers, server)
		s.running.Go(func() { server.ActivateAndServe() }) // ends with Close
	}
	<-up
	<-up
	return s, nil
}

// listen finds a port that is free for both.
func listen(addr netip.Addr) (net.PacketConn, net.Listener, error) {
	var err error
	for range 20 {
		var l net.Listener
		if l, err = net.Listen("tcp", netip.AddrPortFrom(addr, 0).String()); err != nil {
			return nil, nil, err
		}
		var p net.PacketConn
		if p, err = net.ListenPacket("udp", l.Addr().String()); err == nil {
			return p, l, nil
		}
		l.Close()
	}
	return nil, nil, err
}

// Close stops answering and returns when nothing is under way.
func (s *Server) Close() error {
	s.cancel()
	var errs []error
	for _, server := range s.servers {
		errs = append(errs, server.Shutdown())
	}
	s.running.Wait()
	return errors.Join(errs...)
}

func (s *Server) serve(w dns.ResponseWriter, q *dns.Msg) {
	answer, delay := s.Answer(q, shaper.Addr(w.RemoteAddr()))
	select {
	case s.waiting <- struct{}{}:
		defer func() { <-s.waiting }()
		if shaper.Sleep(s.ctx, delay) != nil {
			return
		}
	default:
		answer = new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
	}
	w.WriteMsg(answer) // whoever asked may have gone
}

// Answer is what a client is answered, and after which delay.
func (s *Server) Answer(q *dns.Msg, client netip.Addr) (*dns.Msg, time.Duration) {
	m := new(dns.Msg).SetReply(q)
	m.Authoritative = true
	from := s.config.World.Locate(client)
	var delay time.Duration
	if c := s.config.World.Country(from.Country); c != nil && !s.config.Fast {
		delay = c.DNS
	}
	if network := subnet(q); network != nil {
		addr, _ := netip.AddrFromSlice(network.Address)
		from = s.config.World.Locate(addr)
		network.SourceScope = network.SourceNetmask // the answer holds for the whole network (RFC 7871 section 7.2.1)
		m.SetEdns0(dns.DefaultMsgSize, false)
		m.IsEdns0().Option = []dns.EDNS0{network}
	}
	if len(q.Question) != 1 || q.Opcode != dns.OpcodeQuery {
		m.Rcode = dns.RcodeFormatError
		return m, 0
	}
	question := q.Question[0]
	name := strings.ToLower(strings.TrimSuffix(question.Name, "."))
	if name != s.config.World.Domain && !strings.HasSuffix(name, "."+s.config.World.Domain) {
		m.Rcode = dns.RcodeRefused
		return m, 0
	}
	cdn := s.cdn(name)
	if cdn == nil {
		m.Rcode = dns.RcodeNameError
		return m, delay
	}
	right, wrong := s.config.World.Serve(cdn, from.Country)
	addr := right.Addr
	for _, f := range s.config.Faults.At(fault.DNS, fault.Subject{Country: from.Country, ASN: from.ASN, CDN: cdn.Name, POP: right.Code}) {
		switch f.Effect.Kind {
		case "dns_fail":
			m.Rcode = dns.RcodeServerFailure
		case "dns_slow":
			delay += f.Effect.Delay()
		case "refuse":
			addr = right.Dead
		case "wrong_pop":
			addr = wrong.Addr
		case "private_address":
			addr = private
		}
	}
	if question.Qtype == dns.TypeA && m.Rcode == dns.RcodeSuccess {
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: question.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: addr.AsSlice()}}
	}
	return m, delay
}

// subnet is a copy of the network that q is asked for, nil when it is asked for
// the asker itself.
func subnet(q *dns.Msg) *dns.EDNS0_SUBNET {
	opt := q.IsEdns0()
	if opt == nil {
		return nil
	}
	for _, o := range opt.Option {
		if network, ok := o.(*dns.EDNS0_SUBNET); ok && network.SourceNetmask > 0 {
			c := *network
			return &c
		}
	}
	return nil
}

// cdn is whose name it is, nil when it is nobody's.
func (s *Server) cdn(name string) *world.CDN {
	w := s.config.World
	if name == w.PlayHost() || name == w.APIHost() {
		return &w.CDNs[0]
	}
	for i := range w.CDNs {
		if name == w.Host(w.CDNs[i]) {
			return &w.CDNs[i]
		}
	}
	return nil
}
