package fetch_test

import (
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
)

// settle measures errors until three of each phase lie between low and high, and
// fails the test where fifteen tries have not brought them: what else runs on the
// machine spoils some, a mistake all.
func settle(t *testing.T, low, high time.Duration, try func() map[string]time.Duration) {
	t.Helper()
	const enough, most = 3, 15
	errs, good := map[string][]time.Duration{}, map[string]int{}
	off := func() (phases []string) {
		for phase := range errs {
			if good[phase] < enough {
				phases = append(phases, phase)
			}
		}
		return phases
	}
	for n := range most {
		for phase, e := range try() {
			errs[phase] = append(errs[phase], e)
			if low <= e && e <= high {
				good[phase]++
			}
		}
		if n+1 >= enough && len(off()) == 0 {
			return
		}
	}
	for _, phase := range off() {
		t.Errorf("%s is off by %v, want %v to %v", phase, errs[phase], low, high)
	}
}

// once makes one exchange with a cold client.
func once(t *testing.T, cfg fetch.Config, url string) *fetch.Exchange {
	t.Helper()
	c := fetch.New(cfg)
	defer c.Close()
	x := c.Do(t.Context(), fetch.Request{URL: url, Timeout: 20 * time.Second})
	ok(t, x)
	return x
}

// sleeper is a handler that waits before the head and in the body, and notes how
// long that truly took.
type sleeper struct {
	head, body         time.Duration
	tookHead, tookBody atomic.Int64
}

func (s *sleeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	time.Sleep(s.head)
	s.tookHead.Store(int64(time.Since(begin)))
	w.WriteHeader(http.StatusOK)
	http.NewResponseController(w).Flush()
	begin = time.Now()
	time.Sleep(s.body)
	s.tookBody.Store(int64(time.Since(begin)))
	w.Write(make([]byte, 10<<10))
}

func TestEveryPhaseDelayed(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			h := &sleeper{head: 40 * time.Millisecond, body: 60 * time.Millisecond}
			s := httptest.NewUnstartedServer(h)
			s.EnableHTTP2 = p.many
			slow := &slowStart{Listener: s.Listener}
			cfg := fetch.Config{AllowAddresses: loopback}
			if p.tls {
				s.Listener = slow
				s.StartTLS()
				cfg.RootCAs = x509.NewCertPool()
				cfg.RootCAs.AddCert(s.Certificate())
			} else {
				s.Start()
			}
			defer s.Close()
			_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
			hasty, patient := port, port
			tookConnect, tookTLS := func() int64 { return 0 }, slow.slept.Load
			if p.proto == "3" {
				cfg.HTTP = "3"
				o := quicOptions{retry: true, connect: 35 * time.Millisecond, tls: 50 * time.Millisecond}
				q := serveQUIC(t, s, "127.0.0.1:0", o)
				_, patient, _ = net.SplitHostPort(q.addr)
				_, hasty, _ = net.SplitHostPort(serveQUIC(t, s, "127.0.0.1:0", quicOptions{retry: true}).addr)
				tookConnect, tookTLS = q.connect.Load, q.tls.Load
			}
			ns := serveDNS(t, 30*time.Millisecond, map[string][]string{"cdn.example.com": {"127.0.0.1"}})
			cfg.Resolver = ns.addr
			url := s.URL[:strings.Index(s.URL, ":")] + "://cdn.example.com:"

			settle(t, -tolerance, tolerance, func() map[string]time.Duration {
				// The handshake's own work: milliseconds under the race detector.
				slow.delay.Store(0)
				work := once(t, cfg, url+hasty).Timing.TLS
				slow.delay.Store(int64(50 * time.Millisecond))
				ns.took()

				x := once(t, cfg, url+patient)
				return map[string]time.Duration{
					"queue":   x.Timing.Queue,
					"dns":     x.Timing.DNS - ns.took(),
					"connect": x.Timing.Connect - time.Duration(tookConnect()),
					"tls":     x.Timing.TLS - work - time.Duration(tookTLS()),
					"wait":    x.Timing.Wait - time.Duration(h.tookHead.Load()),
					"receive": x.Timing.Receive - time.Duration(h.tookBody.Load()),
				}
			})
		})
	}
}

// A host with two addresses, the first of which does not answer: the second is
// tried after the Connection Attempt Delay of 250 ms, and that is connect.
func TestConnectDelayed(t *testing.T) {
	dead := backlogged(t, "127.0.0.2")
	l, err := net.Listen("tcp", "127.0.0.1:"+dead)
	if err != nil {
		t.Skipf("the port is taken on another address: %v", err)
	}
	s := &http.Server{Handler: &sleeper{}}
	go s.Serve(l)
	defer s.Close()
	ns := serveDNS(t, 0, map[string][]string{"cdn.example.com": {"127.0.0.2", "127.0.0.1"}})
	full := false
	settle(t, -ms, lag, func() map[string]time.Duration {
		x := once(t, fetch.Config{AllowAddresses: loopback, Resolver: ns.addr}, "http://cdn.example.com:"+dead)
		if x.Remote.Addr().String() != "127.0.0.1" {
			return nil
		}
		full = true
		return map[string]time.Duration{"connect": x.Timing.Connect - 250*ms}
	})
	if !full {
		t.Skip("the queue does not stay full here")
	}
}

// One connection, four requests at once: each waits in queue for those before,
// and only the first has made the connection.
func TestQueue(t *testing.T) {
	h := &sleeper{head: 30 * time.Millisecond}
	s, cfg := serve(t, true, false, h.ServeHTTP)
	cfg.MaxConnsPerHost = 1
	c := open(t, cfg)
	begin := time.Now()
	var wg sync.WaitGroup
	list := make([]*fetch.Exchange, 4)
	for i := range list {
		wg.Go(func() { list[i] = c.Do(t.Context(), fetch.Request{URL: s.URL}) })
	}
	wg.Wait()
	slices.SortFunc(list, func(a, b *fetch.Exchange) int { return a.End.Compare(b.End) })
	for i, x := range list {
		ok(t, x)
		if x.Reused != (i > 0) {
			t.Errorf("request %d: reused %v", i, x.Reused)
		}
		if i == 0 {
			continue
		}
		if d := x.Timing.DNS + x.Timing.Connect + x.Timing.TLS; d != 0 {
			t.Errorf("request %d made a connection: %+v", i, x.Timing)
		}
		// Its connection was free when the one before had ended.
		if d := x.Start.Add(x.Timing.Queue).Sub(list[i-1].End); d < 0 || d > 100*time.Millisecond {
			t.Errorf("request %d left the queue %v after the end of the one before", i, d)
		}
	}
	if d := time.Since(begin); d < 4*h.head {
		t.Errorf("four requests over one connection took %v", d)
	}
}

// A request that comes while another's HTTP/2 connection is being made shares
// it, and the phases of its making as far as they lie within the request.
func TestSharedDial(t *testing.T) {
	h := &sleeper{head: 10 * time.Millisecond}
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	slow := &slowStart{Listener: s.Listener}
	slow.delay.Store(int64(120 * time.Millisecond))
	s.Listener = slow
	s.StartTLS()
	defer s.Close()
	c := open(t, fetch.Config{AllowAddresses: loopback, Insecure: true, MaxConnsPerHost: 1})
	var wg sync.WaitGroup
	var first, second *fetch.Exchange
	wg.Go(func() { first = c.Do(t.Context(), fetch.Request{URL: s.URL}) })
	time.Sleep(60 * time.Millisecond)
	second = c.Do(t.Context(), fetch.Request{URL: s.URL})
	wg.Wait()
	ok(t, first)
	ok(t, second)
	if first.Reused || second.Reused {
		t.Errorf("reused: %v, %v; both waited for the dial", first.Reused, second.Reused)
	}
	ready := func(x *fetch.Exchange) time.Time {
		return x.Start.Add(x.Timing.Queue + x.Timing.DNS + x.Timing.Connect + x.Timing.TLS)
	}
	if d := ready(first).Sub(ready(second)); d != 0 {
		t.Errorf("one connection was ready at two instants, %v apart", d)
	}
	if second.Timing.TLS <= 0 || second.Timing.TLS >= first.Timing.TLS {
		t.Errorf("tls %v of the second, %v of the first", second.Timing.TLS, first.Timing.TLS)
	}
	if second.Timing.DNS+second.Timing.Connect != 0 {
		t.Errorf("the second claims phases from before its start: %+v", second.Timing)
	}
}
