package fetch

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"pgregory.net/rapid"

	"github.com/firstframe/firstframe/probes/run"
)

func TestPublic(t *testing.T) {
	for addr, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "2001:4860:4860::8888": true, "192.0.1.1": true, "172.32.0.1": true,
		"0.0.0.0": false, "0.1.2.3": false, "10.1.2.3": false, "100.64.0.1": false, "100.100.100.200": false, "127.0.0.1": false,
		"127.255.255.254": false, "169.254.169.254": false, "168.63.129.16": false, "172.16.0.1": false, "172.31.255.255": false,
		"192.0.0.192": false, "192.168.1.1": false, "198.19.0.1": false, "224.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd00:ec2::254": false,
		"fec0::1": false, "2001:2::1": false, "2001:10::1": false, "2001:20::1": true, "ff02::1": false, "2001:db8::1": false,
		"::ffff:127.0.0.1": false, "::ffff:8.8.8.8": true, "::ffff:0:10.0.0.1": false, "::10.0.0.1": false,
		"64:ff9b::127.0.0.1": false, "64:ff9b::a00:1": false, "64:ff9b::8.8.8.8": true, "64:ff9b:1::8.8.8.8": false,
		"2002:7f00:1::": false, "2002:808:808::": true, "2001::80ff:fffe": false, "2001::f7f7:f7f7": true,
	} {
		if got := public(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: public %v, want %v", addr, got, want)
		}
	}
	if public(netip.Addr{}) {
		t.Error("the zero address is public")
	}
}

// Whatever a dial recorded, the phases add up and none is negative.
func TestDivideIsPartition(t *testing.T) {
	origin := time.Now()
	rapid.Check(t, func(t *rapid.T) {
		at := func(name string) time.Time {
			return origin.Add(time.Duration(rapid.Int64Range(0, 1000).Draw(t, name)))
		}
		start := at("start")
		end := start.Add(time.Duration(rapid.Int64Range(0, 1000).Draw(t, "length")))
		l := lease{reused: rapid.Bool().Draw(t, "reused"), at: at("handed over")}
		var first time.Time
		if rapid.Bool().Draw(t, "has dial") {
			l.rec = &record{is: phase(rapid.IntRange(0, 3).Draw(t, "phase"))}
			for i := range l.rec.at {
				l.rec.at[i] = at("began")
			}
			if rapid.Bool().Draw(t, "has first byte") {
				first = at("first")
			}
		}
		got := divide(start, end, first, l)
		if got.Sum() != end.Sub(start) {
			t.Fatalf("%+v adds up to %v of %v", got, got.Sum(), end.Sub(start))
		}
		for _, d := range []time.Duration{got.Queue, got.DNS, got.Connect, got.TLS, got.Wait, got.Receive} {
			if d < 0 {
				t.Fatalf("negative phase in %+v", got)
			}
		}
	})
}

// ending is a connection that takes no more requests, which nobody knew.
type ending struct {
	asked int
	room  int
}

func (e *ending) RoundTrip(*http.Request) (*http.Response, error) {
	e.asked++
	return nil, errUnsent
}
func (e *ending) Close() error   { return nil }
func (e *ending) Err() error     { return nil }
func (e *ending) InFlight() int  { return 0 }
func (e *ending) Available() int { return e.room - e.asked }

// A request that did not go out is made on another connection.
func TestUnsent(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	c := New(Config{AllowPrivate: true})
	defer c.Close()
	to := target{"http", s.Listener.Addr().String()}
	gone := &ending{room: 1}
	c.pool.hosts[to] = &host{target: to, conns: []*conn{{transport: gone, rec: &record{is: phaseReady}, proto: "3"}}}
	x := c.Do(t.Context(), Request{URL: s.URL})
	if x.Status != http.StatusNotFound || x.Proto != "1.1" || gone.asked != 1 || x.Reused {
		t.Errorf("%+v after %d tries on the connection that ended", x, gone.asked)
	}
	mad := &ending{room: 100}
	c.pool.hosts[to].conns = []*conn{{transport: mad, rec: &record{is: phaseReady}, proto: "3"}}
	x = c.Do(t.Context(), Request{URL: s.URL})
	if x.Err == nil || x.Err.Type != run.ErrReset || mad.asked != maxUnsent {
		t.Errorf("%v after %d tries on a connection that never sends", x.Err, mad.asked)
	}
}

// Whoever waits gets an answer or a dial, also when the connection that was
// dialled for it was closed at once, or served another.
func TestNobodyWaitsForNothing(t *testing.T) {
	p := newPool(Config{MaxConnsPerHost: 2})
	h := &host{target: target{"http", "127.0.0.1:1"}}
	wait := func() (*waiter, *dial) {
		d := &dial{rec: &record{}, cancel: func(error) {}}
		w := &waiter{own: d, ready: make(chan lease, 1)}
		h.waiters, h.dials = append(h.waiters, w), append(h.dials, d)
		return w, d
	}

	w, d := wait()
	dead := &conn{transport: &ending{}, rec: d.rec, proto: "1.1"}
	p.dialed(h, d, dead, nil)
	select {
	case l := <-w.ready:
		if l.conn != dead || dead.users != 1 || len(h.waiters) != 0 {
			t.Errorf("%+v, with %d waiting", l, len(h.waiters))
		}
	default:
		t.Fatal("it waits for a connection that was closed at once")
	}

	h.conns = nil
	first, slow := wait()
	second, quick := wait()
	p.dialed(h, quick, &conn{transport: &ending{room: 1}, rec: quick.rec, proto: "1.1"}, nil)
	if len(first.ready) != 1 || len(second.ready) != 0 || second.own != nil {
		t.Fatalf("the first was served %d times, the second %d, whose dial is %v", len(first.ready), len(second.ready), second.own)
	}
	p.dialed(h, slow, nil, errors.New("refused"))
	if second.own == nil {
		t.Error("nothing is dialled for the second")
	}
	p.close()
	if l := <-second.ready; l.err == nil {
		t.Errorf("%+v", l)
	}
}

// HTTP/3 serves before HTTP/2, whichever connection was there first.
func TestTakePrefersHTTP3(t *testing.T) {
	for _, order := range [][]string{{"2", "3"}, {"3", "2"}} {
		h := &host{}
		for _, proto := range order {
			h.conns = append(h.conns, &conn{transport: &ending{room: 10}, proto: proto})
		}
		if c := h.take(); c == nil || c.proto != "3" || c.users != 1 {
			t.Errorf("of %v: %+v", order, c)
		}
	}
}

// Of idle connections the one given back last is taken, and one not used yet
// only where there is no other.
func TestTakePrefersTheLastUsed(t *testing.T) {
	p := newPool(Config{})
	defer p.close()
	to := target{"http", "127.0.0.1:1"}
	h := &host{target: to}
	p.hosts[to] = h
	var all []*conn
	for range 4 {
		all = append(all, &conn{transport: &ending{room: 1}, proto: "1.1"})
	}
	h.conns = slices.Clone(all)
	take := func(want int) {
		t.Helper()
		if c := h.take(); c != all[want] {
			t.Errorf("taken: %d, want %d", slices.Index(all, c), want)
		}
	}
	take(0) // nothing is used yet: the oldest
	take(1)
	take(2)
	p.release(to, all[1])
	p.release(to, all[0])
	take(0)
	take(1)
	take(3) // not used yet
	p.release(to, all[2])
	p.release(to, all[1])
	take(1)
	take(2)
	if c := h.take(); c != nil {
		t.Errorf("all are taken, and yet %+v", c)
	}
}

// The option is put into any query, and nothing else is changed.
func TestWithSubnet(t *testing.T) {
	for prefix, want := range map[string][]byte{
		"200.147.3.129/24":   {0, 1, 24, 0, 200, 147, 3},
		"200.147.3.129/20":   {0, 1, 20, 0, 200, 147, 0},
		"0.0.0.0/0":          {0, 1, 0, 0},
		"2001:db8:ffff::/36": {0, 2, 36, 0, 0x20, 1, 0x0d, 0xb8, 0xf0},
	} {
		if got := subnetData(netip.MustParsePrefix(prefix)); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", prefix, got, want)
		}
	}
	q := dnsmessage.Message{Header: dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("a.example."), Type: dnsmessage.TypeAAAA, Class: dnsmessage.ClassINET}}}
	plain, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	once, err := withSubnet(plain, netip.MustParsePrefix("10.0.0.0/8"))
	if err != nil {
		t.Fatal(err)
	}
	twice, err := withSubnet(once, netip.MustParsePrefix("200.147.0.0/16"))
	if err != nil {
		t.Fatal(err)
	}
	var got dnsmessage.Message
	if err := got.Unpack(twice); err != nil {
		t.Fatal(err)
	}
	opt := got.Additionals[0].Body.(*dnsmessage.OPTResource)
	if len(got.Additionals) != 1 || len(opt.Options) != 1 || !slices.Equal(opt.Options[0].Data, []byte{0, 1, 16, 0, 200, 147}) ||
		got.ID != 7 || !got.RecursionDesired || got.Questions[0] != q.Questions[0] {
		t.Errorf("%+v", got)
	}
	if _, err := withSubnet([]byte("no query"), netip.MustParsePrefix("10.0.0.0/8")); !errors.Is(err, errNoQuery) {
		t.Errorf("%v", err)
	}
}

// FuzzSubnetScope reads any answer of DNS.
func FuzzSubnetScope(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("\x00\x07\x80\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0a\x00\x08\x00\x06\x00\x01\x10\x0c\xc8\x93"))
	f.Fuzz(func(t *testing.T, message []byte) {
		if bits, ok := subnetScope(message); bits < 0 || bits > 255 || !ok && bits != 0 {
			t.Errorf("%d, %v", bits, ok)
		}
	})
}

// A window gives the same bytes however the body is cut into pieces.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "body")
		w := window{skip: rapid.Int64Range(0, 120).Draw(t, "skip"), size: rapid.Int64Range(0, 120).Draw(t, "size")}
		want := body[min(int(w.skip), len(body)):]
		if w.size > 0 {
			want = want[:min(int(w.size), len(want))]
		}
		var got []byte
		for rest := body; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			got = append(got, w.cut(rest[:n])...)
			rest = rest[n:]
		}
		if string(got) != string(want) || w.got != int64(len(want)) || w.seen != int64(len(body)) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

// What the look-up brings late joins what is there already, each address once,
// and what was tried is not tried again.
func TestFieldAdds(t *testing.T) {
	six, other, four := netip.MustParseAddr("::1"), netip.MustParseAddr("::2"), netip.MustParseAddr("127.0.0.1")
	f := field{addrs: []netip.Addr{six, other}, seen: map[netip.Addr]bool{}, rest: func() []netip.Addr { return []netip.Addr{six, other, four} }}
	f.pick(noFamily)
	f.add()
	if want := []netip.Addr{other, four}; !slices.Equal(f.addrs, want) || f.more != nil {
		t.Errorf("%v, want %v", f.addrs, want)
	}
}

// A race whose only address has failed, and whose look-up brings no other, ends
// with its context.
func TestRaceEnds(t *testing.T) {
	refused := errors.New("refused")
	var tried atomic.Int64
	r := race[net.Conn]{
		rec: &record{}, network: "tcp",
		field: field{addrs: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, more: make(chan struct{})},
		connect: func(context.Context, netip.AddrPort) (net.Conn, error) {
			tried.Add(1)
			return nil, refused
		},
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	over := make(chan error, 1)
	go func() {
		_, err := r.run(ctx)
		over <- err
	}()
	select {
	case err := <-over:
		if !errors.Is(err, refused) || tried.Load() != 1 {
			t.Errorf("%v after %d attempts, want one that was refused", err, tried.Load())
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for addresses after its end")
	}
}

// A reset that a write was told of is not the end of an answer to reads.
func TestResetToldToAWrite(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(far.(*net.TCPConn).SetLinger(0), far.Close()); err != nil {
		t.Fatal(err)
	}
	c := &countedConn{Conn: conn}
	for err = nil; err == nil; { // until the reset has come
		_, err = c.Write([]byte("?"))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("the write is told %v", err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the read after it is told %v", err)
	}
}

// A race whose addresses never come ends with its context, and says so.
func TestRaceForNothing(t *testing.T) {
	r := race[net.Conn]{rec: &record{}, network: "tcp", field: field{more: make(chan struct{})}}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if conn, err := r.run(ctx); !errors.Is(err, context.DeadlineExceeded) || conn != nil {
		t.Errorf("%v, %v, want that the time is over", conn, err)
	}
}

func TestSameOrigin(t *testing.T) {
	const a = "https://me:pw@a.example/x?y"
	for b, want := range map[string]bool{
		"https://a.example":       true,
		"https://A.Example:443/z": true,
		"https://a.example:8443":  false,
		"http://a.example:443":    false,
		"https://b.a.example":     false,
		"https://a.example.net":   false,
		"null":                    false,
		"":                        false,
		"://":                     false,
	} {
		if SameOrigin(a, b) != want || SameOrigin(b, a) != want {
			t.Errorf("%s and %s: want %v", a, b, want)
		}
	}
	if SameOrigin("null", "null") || SameOrigin("/x", "/y") {
		t.Error("what is of no origin is of the same")
	}
}
