package fetch_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

const ms = time.Millisecond

func TestFailures(t *testing.T) {
	silentDNS := serveDNS(t, 0, map[string][]string{"host.example.com": {"silent"}})
	emptyDNS := serveDNS(t, 0, map[string][]string{"nodata.example.com": {}})
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	mute := raw(t, hold)
	untrusted, _ := serve(t, true, false, func(http.ResponseWriter, *http.Request) {})
	status := func(line string) string {
		return "http://" + answer(t, "HTTP/1.1 "+line+"\r\nContent-Length: 3\r\n\r\nbad", hold)
	}
	part := "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"
	loop := fetch.Config{AllowAddresses: loopback}
	for _, tt := range []struct {
		name   string
		cfg    fetch.Config
		req    fetch.Request
		within time.Duration // of the run's context; 0 is none
		want   run.ErrorType
		is     error
		phase  string // in which the time was spent, where the failure is a limit
		status int
	}{
		{name: "no such name", cfg: fetch.Config{Resolver: emptyDNS.addr}, req: fetch.Request{URL: "http://gone.example.com"}, want: run.ErrDNS},
		{name: "no address", cfg: fetch.Config{Resolver: emptyDNS.addr}, req: fetch.Request{URL: "http://nodata.example.com"}, want: run.ErrDNS},
		{name: "DNS silent until the first byte's limit", cfg: fetch.Config{Resolver: silentDNS.addr}, req: fetch.Request{URL: "http://host.example.com", FirstByteTimeout: 100 * ms}, want: run.ErrDNS, is: fetch.ErrFirstByteTimeout, phase: "dns"},
		{name: "DNS silent until the deadline", cfg: fetch.Config{Resolver: silentDNS.addr}, req: fetch.Request{URL: "http://host.example.com"}, within: 100 * ms, want: run.ErrDNS, is: context.DeadlineExceeded, phase: "dns"},
		{name: "DNS silent until the connection's limit", cfg: fetch.Config{Resolver: silentDNS.addr, ConnectTimeout: 100 * ms}, req: fetch.Request{URL: "http://host.example.com"}, want: run.ErrDNS, is: fetch.ErrConnectTimeout, phase: "dns"},
		{name: "no family", cfg: fetch.Config{IPVersion: 6}, req: fetch.Request{URL: "http://127.0.0.1"}, want: run.ErrDNS},
		{name: "refused", cfg: loop, req: fetch.Request{URL: "http://" + closed.Addr().String()}, want: run.ErrConnect},
		{name: "handshake unanswered", cfg: loop, req: fetch.Request{URL: "https://" + mute, Timeout: 100 * ms}, want: run.ErrTLS, is: fetch.ErrTimeout, phase: "tls"},
		{name: "certificate unknown", cfg: loop, req: fetch.Request{URL: untrusted.URL}, want: run.ErrTLS},
		{name: "no TLS", cfg: loop, req: fetch.Request{URL: "https://" + raw(t, func(c net.Conn) { io.WriteString(c, "220 mail\r\n"); hold(c) })}, want: run.ErrTLS},
		{name: "HTTP/2 not offered", cfg: fetch.Config{AllowAddresses: loopback, Insecure: true, HTTP: "2"}, req: fetch.Request{URL: untrusted.URL}, want: run.ErrTLS},
		{name: "no first byte", cfg: loop, req: fetch.Request{URL: "http://" + mute, FirstByteTimeout: 100 * ms}, want: run.ErrTimeout, is: fetch.ErrFirstByteTimeout, phase: "wait"},
		{name: "no first byte until the deadline", cfg: loop, req: fetch.Request{URL: "http://" + mute}, within: 100 * ms, want: run.ErrTimeout, is: context.DeadlineExceeded, phase: "wait"},
		{name: "slow to the end", cfg: loop, req: fetch.Request{URL: "http://" + answer(t, part, hold), Timeout: 100 * ms}, want: run.ErrTimeout, is: fetch.ErrTimeout, phase: "receive", status: 200},
		{name: "stalled", cfg: loop, req: fetch.Request{URL: "http://" + answer(t, part, hold), StallTimeout: 100 * ms}, want: run.ErrStalled, is: fetch.ErrStallTimeout, phase: "receive", status: 200},
		{name: "silent at the deadline", cfg: loop, req: fetch.Request{URL: "http://" + answer(t, part, hold)}, within: 1100 * ms, want: run.ErrStalled, is: context.DeadlineExceeded, phase: "receive", status: 200},
		{name: "reset before the head", cfg: loop, req: fetch.Request{URL: "http://" + answer(t, "", reset)}, want: run.ErrReset},
		{name: "closed before the head", cfg: loop, req: fetch.Request{URL: "http://" + answer(t, "", nil)}, want: run.ErrReset},
		{name: "reset in the body", cfg: loop, req: fetch.Request{URL: "http://" + answer(t, part, reset)}, want: run.ErrReset, status: 200},
		{name: "garbage", cfg: loop, req: fetch.Request{URL: "http://" + answer(t, "\x00\xff\x00garbage\r\n\r\n", nil)}, want: run.ErrReset},
		{name: "truncated", cfg: loop, req: fetch.Request{URL: "http://" + answer(t, part, nil)}, want: run.ErrReset, is: fetch.ErrTruncated, status: 200},
		{name: "truncated in chunks", cfg: loop, req: fetch.Request{URL: "http://" + answer(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n", nil)}, want: run.ErrReset, is: fetch.ErrTruncated, status: 200},
		{name: "404", cfg: loop, req: fetch.Request{URL: status("404 Not Found")}, want: run.ErrHTTP4xx, status: 404},
		{name: "503", cfg: loop, req: fetch.Request{URL: status("503 Unavailable")}, want: run.ErrHTTP5xx, status: 503},
		{name: "redirect to a file", cfg: loop, req: fetch.Request{URL: "http://" + answer(t, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", hold)}, want: run.ErrRedirect, status: 302},
		{name: "head too large", cfg: fetch.Config{AllowAddresses: loopback, MaxHeaderBytes: 8 << 10}, req: fetch.Request{URL: "http://" + answer(t, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 64<<10)+"\r\n\r\n", hold)}, want: run.ErrTooLarge, is: fetch.ErrTooLarge},
		{name: "body too large", cfg: loop, req: fetch.Request{URL: "http://" + answer(t, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"+strings.Repeat("x", 100000), hold), MaxBytes: 50000}, want: run.ErrTooLarge, is: fetch.ErrTooLarge, status: 200},
		{name: "body announced too large, none of it sent", cfg: loop, req: fetch.Request{URL: "http://" + answer(t, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", hold), MaxBytes: 50000}, want: run.ErrTooLarge, is: fetch.ErrTooLarge, status: 200},
		{name: "broken gzip", cfg: loop, req: fetch.Request{URL: "http://" + answer(t, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 12\r\n\r\nabcdefghijkl", hold), Compress: true}, want: run.ErrUnsupported, is: fetch.ErrEncoding, status: 200},
		{name: "header with a line break", cfg: loop, req: fetch.Request{URL: "http://" + mute, Header: http.Header{"X": {"a\r\nb"}}}, want: run.ErrUnsupported},
		{name: "no scheme", req: fetch.Request{URL: "//host/path"}, want: run.ErrUnsupported},
		{name: "file", req: fetch.Request{URL: "file:///etc/passwd"}, want: run.ErrUnsupported},
		{name: "no URL", req: fetch.Request{URL: "http://a b"}, want: run.ErrUnsupported},
		{name: "loopback", req: fetch.Request{URL: "http://" + mute}, want: run.ErrBlockedAddress, is: fetch.ErrBlocked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, tt.cfg)
			ctx := t.Context()
			if tt.within > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tt.within)
				defer cancel()
			}
			begin := time.Now()
			x := c.Do(ctx, tt.req)
			check(t, x)
			if x.Err == nil {
				t.Fatalf("no error; %+v", x)
			}
			if x.Err.Type != tt.want || x.Status != tt.status || x.Err.Detail == "" {
				t.Errorf("type %q, status %d, detail %q; want %q, %d", x.Err.Type, x.Status, x.Err.Detail, tt.want, tt.status)
			}
			if tt.is != nil && !errors.Is(x.Err, tt.is) {
				t.Errorf("%v is not %v", x.Err, tt.is)
			}
			if tt.name == "certificate unknown" && (x.TLSExpires.IsZero() || !x.Remote.IsValid()) {
				t.Errorf("of %s until %v", x.Remote, x.TLSExpires)
			}
			phases := map[string]time.Duration{"dns": x.Timing.DNS, "connect": x.Timing.Connect, "tls": x.Timing.TLS, "wait": x.Timing.Wait, "receive": x.Timing.Receive}
			if got := phases[tt.phase]; tt.phase != "" && got < 90*ms {
				t.Errorf("%s %v of %+v; it should hold the limit", tt.phase, got, x.Timing)
			}
			if d := time.Since(begin); d > 3*time.Second {
				t.Errorf("failed after %v", d)
			}
		})
	}
}

func TestConnectUnanswered(t *testing.T) {
	port := backlogged(t, "127.0.0.3")
	c := open(t, fetch.Config{AllowAddresses: loopback})
	x := c.Do(t.Context(), fetch.Request{URL: "http://127.0.0.3:" + port, FirstByteTimeout: 100 * ms})
	check(t, x)
	if x.Err == nil || x.Err.Type != run.ErrConnect || x.Timing.Connect < 90*ms {
		t.Errorf("%v, %+v", x.Err, x.Timing)
	}
}

// misbehave is a handler that fails in the way that the path says.
func misbehave(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/reset":
		panic(http.ErrAbortHandler)
	case "/cut":
		w.Header().Set("Content-Length", "10")
		io.WriteString(w, "12345")
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case "/stall":
		w.WriteHeader(200)
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	case "/mute":
		<-r.Context().Done()
	case "/head":
		w.Header().Set("X", strings.Repeat("~", 64<<10))
	case "/404":
		w.WriteHeader(404)
	}
}

var misbehaviour = []struct {
	path string
	want run.ErrorType
}{
	{"/reset", run.ErrReset}, {"/cut", run.ErrReset}, {"/stall", run.ErrStalled}, {"/mute", run.ErrTimeout},
	{"/head", run.ErrTooLarge}, {"/404", run.ErrHTTP4xx}, {"/", ""},
}

// HTTP/2 fails in the same classes.
func TestFailuresHTTP2(t *testing.T) {
	s, cfg := serve(t, true, true, misbehave)
	cfg.MaxHeaderBytes = 8 << 10
	c := open(t, cfg)
	for _, tt := range misbehaviour {
		x := c.Do(t.Context(), fetch.Request{URL: s.URL + tt.path, FirstByteTimeout: 200 * ms, StallTimeout: 200 * ms})
		check(t, x)
		if x.Err == nil && tt.want != "" || x.Err != nil && x.Err.Type != tt.want {
			t.Errorf("%s: %+v, want %q", tt.path, x.Err, tt.want)
		}
		if x.Proto != "2" {
			t.Errorf("%s: HTTP/%s", tt.path, x.Proto)
		}
	}
}

// A server that closes a connection between two requests: nothing is sent
// twice, and the second request says that it was on a reused connection.
func TestNoRetry(t *testing.T) {
	requests := make(chan bool, 10)
	addr := raw(t, func(c net.Conn) {
		for range 2 {
			if !readHead(c) {
				return
			}
			requests <- true
			if len(requests) == 2 {
				return
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	c := open(t, fetch.Config{AllowAddresses: loopback})
	ok(t, c.Do(t.Context(), fetch.Request{URL: "http://" + addr}))
	x := c.Do(t.Context(), fetch.Request{URL: "http://" + addr})
	check(t, x)
	if x.Err == nil || x.Err.Type != run.ErrReset || !x.Reused || len(requests) != 2 {
		t.Errorf("%+v after %d requests", x, len(requests))
	}
}

// The caller's own ends are told apart from failures.
func TestEndedByCaller(t *testing.T) {
	mine := errors.New("enough")
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			s, cfg := p.serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Write(make([]byte, 300<<10))
				if r.URL.Path == "/hang" {
					http.NewResponseController(w).Flush()
					<-r.Context().Done()
					panic(http.ErrAbortHandler) // else the body could end well in the last moment
				}
			})
			c := open(t, cfg)
			ctx, cancel := context.WithCancelCause(t.Context())
			for name, x := range map[string]*fetch.Exchange{
				"head":   c.Do(t.Context(), fetch.Request{URL: s.URL, Head: func(x *fetch.Exchange) error { return mine }}),
				"body":   c.Do(t.Context(), fetch.Request{URL: s.URL, Body: func([]byte, time.Time) error { return mine }}),
				"cancel": c.Do(ctx, fetch.Request{URL: s.URL + "/hang", Body: func([]byte, time.Time) error { cancel(mine); return nil }}),
				"before": c.Do(ctx, fetch.Request{URL: s.URL}),
			} {
				check(t, x)
				if x.Err == nil || x.Err.Type != "" || x.Err.Err != mine || !errors.Is(x.Err, mine) {
					t.Errorf("%s: %+v", name, x.Err)
				}
			}
			ok(t, c.Do(t.Context(), fetch.Request{URL: s.URL}))
		})
	}
}

// An answer that was not read to the end frees its place at the host.
func TestAbandonedConnectionFreesItsPlace(t *testing.T) {
	s, cfg := serve(t, false, false, func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 1<<20)) })
	cfg.MaxConnsPerHost = 1
	c := open(t, cfg)
	done := make(chan *fetch.Exchange)
	for range 8 {
		go func() {
			done <- c.Do(t.Context(), fetch.Request{URL: s.URL, Timeout: 5 * time.Second,
				Body: func([]byte, time.Time) error { return io.ErrShortBuffer }})
		}()
	}
	for range 8 {
		if x := <-done; !errors.Is(x.Err, io.ErrShortBuffer) {
			t.Errorf("%v", x.Err)
		}
	}
}

func TestGzip(t *testing.T) {
	var small, bomb bytes.Buffer
	for w, n := range map[*bytes.Buffer]int{&small: 1 << 10, &bomb: 16 << 20} {
		zw := gzip.NewWriter(w)
		zw.Write(make([]byte, n))
		zw.Close()
	}
	s, cfg := serve(t, true, true, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			w.WriteHeader(http.StatusNotAcceptable)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		body := map[string][]byte{"/small": small.Bytes(), "/bomb": bomb.Bytes(), "/empty": nil,
			"/cut": small.Bytes()[:small.Len()-4]}[r.URL.Path]
		w.Write(body)
	})
	c := open(t, cfg)
	for _, tt := range []struct {
		path    string
		decoded int
		want    error
	}{{"/small", 1 << 10, nil}, {"/empty", 0, nil}, {"/cut", 1 << 10, fetch.ErrEncoding}, {"/bomb", 1 << 20, fetch.ErrTooLarge}} {
		got := 0
		x := c.Do(t.Context(), fetch.Request{URL: s.URL + tt.path, Compress: true, MaxBytes: 1 << 20,
			Body: func(p []byte, _ time.Time) error { got += len(p); return nil }})
		check(t, x)
		if tt.want == nil {
			ok(t, x)
		} else if !errors.Is(x.Err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.path, x.Err, tt.want)
		}
		if got != tt.decoded || x.Encoding != "gzip" || x.Bytes > int64(bomb.Len()) {
			t.Errorf("%s: %d bytes decoded, want %d; %d received as %q", tt.path, got, tt.decoded, x.Bytes, x.Encoding)
		}
	}
}

// Nothing is left when the client is closed, whatever its exchanges hang in.
func TestCloseWhileHanging(t *testing.T) {
	mute := raw(t, hold)
	silent := serveDNS(t, 0, map[string][]string{"host.example.com": {"silent"}})
	for _, url := range []string{"http://host.example.com", "http://" + mute, "https://" + mute} {
		for _, cancelled := range []bool{false, true} {
			t.Run(fmt.Sprint(strings.Replace(url, mute, "mute", 1), " cancelled ", cancelled), func(t *testing.T) {
				others := goleak.IgnoreCurrent()
				c := fetch.New(fetch.Config{AllowAddresses: loopback, Resolver: silent.addr})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				done := make(chan *fetch.Exchange)
				go func() { done <- c.Do(ctx, fetch.Request{URL: url}) }()
				time.Sleep(50 * ms)
				var x *fetch.Exchange
				if cancelled {
					cancel()
					x = <-done
					c.Close()
				} else {
					c.Close()
					x = <-done
				}
				check(t, x)
				want := map[bool]error{false: fetch.ErrClosed, true: context.Canceled}[cancelled]
				if !errors.Is(x.Err, want) || x.Err.Type != "" {
					t.Errorf("%+v, want %v", x.Err, want)
				}
				if x := c.Do(t.Context(), fetch.Request{URL: url}); !errors.Is(x.Err, fetch.ErrClosed) {
					t.Errorf("after close: %v", x.Err)
				}
				goleak.VerifyNone(t, others, goleak.IgnoreAnyFunction("github.com/firstframe/firstframe/probes/fetch_test.hold"))
			})
		}
	}
}

// A server that closes connections as soon as they are there is met by the
// exchange, at once: nobody waits for a connection that nobody dials.
func TestClosedAtOnce(t *testing.T) {
	var dials atomic.Int32
	addr := raw(t, func(net.Conn) { dials.Add(1) })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	const clients, each = 50, 4
	for range clients {
		c := open(t, fetch.Config{AllowAddresses: loopback, MaxConnsPerHost: 2})
		var wg sync.WaitGroup
		for range each {
			wg.Go(func() {
				if x := c.Do(ctx, fetch.Request{URL: "http://" + addr}); x.Err == nil || x.Err.Type != run.ErrReset {
					t.Errorf("%v after %v", x.Err, x.End.Sub(x.Start))
				}
			})
		}
		wg.Wait()
	}
	if n := dials.Load(); n > 2*clients*each {
		t.Errorf("%d exchanges took %d connections", clients*each, n)
	}
}
