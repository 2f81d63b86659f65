package fetch_test

import (
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// raw starts a TCP server that handles each connection with f, and returns its
// address. Connections are closed when f returns, at the latest with the test.
func raw(t testing.TB, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		conns []net.Conn
	)
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				f(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

// answer is a raw server that answers each request on a connection with text,
// and then does what then says.
func answer(t testing.TB, text string, then func(net.Conn)) string {
	return raw(t, func(c net.Conn) {
		if !readHead(c) {
			return
		}
		c.Write([]byte(text))
		if then != nil {
			then(c)
		}
	})
}

// readHead reads a request's head.
func readHead(c net.Conn) bool {
	var head []byte
	buf := make([]byte, 4096)
	for !strings.Contains(string(head), "\r\n\r\n") {
		n, err := c.Read(buf)
		if err != nil {
			return false
		}
		head = append(head, buf[:n]...)
	}
	return true
}

// hold reads until the peer closes.
func hold(c net.Conn) { io.Copy(io.Discard, c) }

// reset closes with RST instead of FIN.
func reset(c net.Conn) { c.(*net.TCPConn).SetLinger(0) }

// names is a DNS server: the records of each name, after a delay. A name
// without records does not exist; one whose value is "silent" is not answered,
// one with "no AAAA" not about IPv6, one with "late A" about IPv4 late, one with
// "cname FROM TO" with that alias, and one with "tcp" over UDP with nothing but
// that it be asked over TCP. An address behind "SUBNET=" is for that client
// subnet only.
type names struct {
	addr    string
	records map[string][]string // name to addresses
	delay   time.Duration

	mu      sync.Mutex
	queries map[string]int // by name and type
	sources map[string]bool
	subnets map[string]bool // network and transport
	slept   time.Duration   // the longest true delay since the last call of took
}

// lateA is how late "late A" is.
const lateA = 100 * time.Millisecond

func serveDNS(t testing.TB, delay time.Duration, records map[string][]string) *names {
	t.Helper()
	n := &names{records: records, delay: delay, queries: map[string]int{}, sources: map[string]bool{}, subnets: map[string]bool{}}
	pc, l := udpAndTCP(t)
	n.addr = pc.LocalAddr().String()
	for _, s := range []*dns.Server{{PacketConn: pc}, {Listener: l}} {
		s.Handler = dns.HandlerFunc(n.handle)
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.ActivateAndServe()
		}()
		<-started
		t.Cleanup(func() {
			s.Shutdown()
			<-done
		})
	}
	return n
}

// udpAndTCP listens on one port over both.
func udpAndTCP(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	var err error
	for range 20 {
		var l net.Listener
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			break
		}
		var pc net.PacketConn
		if pc, err = net.ListenPacket("udp", l.Addr().String()); err == nil {
			return pc, l
		}
		l.Close()
	}
	t.Fatal(err)
	return nil, nil
}

func (n *names) handle(w dns.ResponseWriter, q *dns.Msg) {
	begin := time.Now()
	name := strings.TrimSuffix(q.Question[0].Name, ".")
	source, _, _ := net.SplitHostPort(w.RemoteAddr().String())
	n.mu.Lock()
	n.queries[name+" "+dns.TypeToString[q.Question[0].Qtype]]++
	n.sources[source] = true
	n.mu.Unlock()
	time.Sleep(n.delay)
	m := new(dns.Msg).SetReply(q)
	m.Authoritative = true
	records, found := n.records[name]
	if !found {
		m.Rcode = dns.RcodeNameError
	}
	subnet := subnetOf(q, m)
	network := w.RemoteAddr().Network()
	if subnet != "" {
		n.mu.Lock()
		n.subnets[subnet+" "+network] = true
		n.mu.Unlock()
	}
	six := q.Question[0].Qtype == dns.TypeAAAA
	for _, r := range records {
		only, addr, found := strings.Cut(r, "=")
		switch {
		case r == "silent", r == "no AAAA" && six:
			return
		case r == "late A":
			time.Sleep(map[bool]time.Duration{false: lateA}[six])
			continue
		case r == "tcp" && network == "udp":
			m.Truncated, m.Answer = true, nil
			w.WriteMsg(m)
			return
		case strings.HasPrefix(r, "cname "):
			from, to, _ := strings.Cut(strings.TrimPrefix(r, "cname "), " ")
			m.Answer = append(m.Answer, &dns.CNAME{
				Hdr: dns.RR_Header{Name: from + ".", Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: 1}, Target: to + "."})
			continue
		case !found:
			addr = r
		case only != subnet:
			continue
		}
		ip := net.ParseIP(addr)
		hdr := dns.RR_Header{Name: q.Question[0].Name, Rrtype: q.Question[0].Qtype, Class: dns.ClassINET, Ttl: 1}
		switch is6 := strings.Contains(addr, ":"); {
		case ip == nil || is6 != six:
		case six:
			m.Answer = append(m.Answer, &dns.AAAA{Hdr: hdr, AAAA: ip})
		default:
			m.Answer = append(m.Answer, &dns.A{Hdr: hdr, A: ip})
		}
	}
	slept := time.Since(begin)
	n.mu.Lock()
	n.slept = max(n.slept, slept)
	n.mu.Unlock()
	w.WriteMsg(m)
}

// subnetOf is the query's client subnet, which the answer then says it holds
// for; empty without.
func subnetOf(q, m *dns.Msg) string {
	opt := q.IsEdns0()
	if opt == nil {
		return ""
	}
	m.SetEdns0(1232, false)
	for _, o := range opt.Option {
		if e, ok := o.(*dns.EDNS0_SUBNET); ok {
			back := *e
			back.SourceScope = e.SourceNetmask
			m.IsEdns0().Option = append(m.IsEdns0().Option, &back)
			return fmt.Sprintf("%s/%d", e.Address, e.SourceNetmask)
		}
	}
	return ""
}

// took returns the longest true delay since it was last called.
func (n *names) took() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.slept
	n.slept = 0
	return d
}

// asked returns the queries so far and the addresses they came from.
func (n *names) asked() (queries map[string]int, sources map[string]bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.queries), maps.Clone(n.sources)
}

// slowStart is a listener whose connections wait before their first read: with
// TLS that is the handshake. The delay is in nanoseconds, and so is what the
// last connection truly waited.
type slowStart struct {
	net.Listener
	delay, slept atomic.Int64
}

// Accept wraps the next connection.
func (l *slowStart) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &slowConn{Conn: c, l: l}, err
}

type slowConn struct {
	net.Conn
	l    *slowStart
	once sync.Once
}

// Read waits the first time.
func (c *slowConn) Read(p []byte) (int, error) {
	c.once.Do(func() {
		begin := time.Now()
		time.Sleep(time.Duration(c.l.delay.Load()))
		c.l.slept.Store(int64(time.Since(begin)))
	})
	return c.Conn.Read(p)
}

// forSubnets are the client subnets that were asked for so far, each with the
// transport, sorted.
func (n *names) forSubnets() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Sorted(maps.Keys(n.subnets))
}
