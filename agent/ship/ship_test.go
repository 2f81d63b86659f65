package ship

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/firstframe/firstframe/agent/spool"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/trace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// collector is a server that stores runs, or misbehaves as misbehave says: that
// answers true when it has dealt with the request itself.
type collector struct {
	*httptest.Server
	misbehave func(n int, w http.ResponseWriter, r *http.Request, body []byte) bool

	mu     sync.Mutex
	n      int
	stored map[string]int
	agents map[string]bool
}

func newCollector(t testing.TB, misbehave func(n int, w http.ResponseWriter, r *http.Request, body []byte) bool) *collector {
	c := &collector{misbehave: misbehave, stored: map[string]int{}, agents: map[string]bool{}}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	zr, err := gzip.NewReader(r.Body)
	if err != nil {
		http.Error(w, err.Error(), 400)
		return
	}
	body, err := io.ReadAll(zr)
	if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, "bad request", 400)
		return
	}
	c.mu.Lock()
	n := c.n
	c.n++
	c.agents[r.UserAgent()] = true
	c.mu.Unlock()
	if c.misbehave != nil && c.misbehave(n, w, r, body) {
		return
	}
	c.store(w, body)
}

func (c *collector) store(w http.ResponseWriter, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := trace.Decode(body, trace.Limits{}, func(r *run.Run) error {
		c.stored[r.RunID]++
		return nil
	}); err != nil {
		http.Error(w, err.Error(), 400)
	}
}

func (c *collector) has() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := map[string]int{}
	for k, v := range c.stored {
		m[k] = v
	}
	return m
}

func openSpool(t testing.TB) *spool.Spool {
	t.Helper()
	s, err := spool.Open(spool.Config{Dir: t.TempDir(), Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// aRun is a run and its body.
func aRun(t testing.TB) (string, []byte) {
	t.Helper()
	r := run.Run{StartedAt: time.Now().UTC(), Source: run.SourceFleet, Target: "news", OK: true}
	r.RunID = run.NewID(r.StartedAt)
	b, err := trace.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return r.RunID, b
}

// fill puts n runs, and gives their ids.
func fill(t testing.TB, s *spool.Spool, n int) map[string]int {
	t.Helper()
	want := map[string]int{}
	var wg sync.WaitGroup
	for range n {
		id, b := aRun(t)
		want[id] = 1
		wg.Go(func() {
			if _, err := s.Put(context.Background(), spool.Record{At: time.Now(), Target: "news", Body: b}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return want
}

func newShipper(t testing.TB, cfg Config) *Shipper {
	t.Helper()
	cfg.Log = quiet
	if cfg.MinWait == 0 {
		cfg.MinWait, cfg.MaxWait, cfg.SlowWait = time.Millisecond, 5*time.Millisecond, 5*time.Millisecond
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// shipUntil runs the shipper until cond holds.
func shipUntil(t testing.TB, s *Shipper, from *spool.Spool, cond func() bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, from) }()
	waitFor(t, cond)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func waitFor(t testing.TB, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(15 * time.Second); !cond(); <-tick.C {
		if time.Now().After(end) {
			t.Error("did not come to pass within 15 s")
			return
		}
	}
}

// empty says that nothing waits and nothing is out.
func empty(s *spool.Spool) func() bool {
	return func() bool {
		st := s.Stats()
		return st.Fresh+st.Backlog+st.InFlight == 0
	}
}

func TestAnswers(t *testing.T) {
	status := func(code int, times int) func(int, http.ResponseWriter, *http.Request, []byte) bool {
		return func(n int, w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			if n < times {
				w.WriteHeader(code)
			}
			return n < times
		}
	}
	hijack := func(n int, w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		if n < 3 {
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
		return n < 3
	}
	tests := []struct {
		name      string
		misbehave func(int, http.ResponseWriter, *http.Request, []byte) bool
		retries   int64
	}{
		{"all well", nil, 0},
		{"500", status(500, 3), 3},
		{"501", status(501, 3), 3},
		{"502", status(502, 3), 3},
		{"503", status(503, 3), 3},
		{"408", status(408, 3), 3},
		{"429", status(429, 3), 3},
		{"401 until mended", status(401, 3), 3},
		{"403 until mended", status(403, 3), 3},
		{"404 until mended", status(404, 3), 3},
		{"redirect is not followed", status(307, 3), 3},
		{"connection closed", hijack, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCollector(t, tt.misbehave)
			from := openSpool(t)
			want := fill(t, from, 5)
			s := newShipper(t, Config{URL: c.URL, Workers: 1, UserAgent: "firstframe-agent/9"})
			shipUntil(t, s, from, empty(from))
			if d := cmp.Diff(want, c.has()); d != "" {
				t.Errorf("stored (-want +got):\n%s", d)
			}
			if st := s.Stats(); st.Retries != tt.retries || st.Runs != 5 || st.SetAside != 0 || st.Alarm != "" || st.LastSuccess.IsZero() {
				t.Errorf("stats %+v, want %d retries", st, tt.retries)
			}
			if !c.agents["firstframe-agent/9"] {
				t.Errorf("user agents %v", c.agents)
			}
		})
	}
}

func TestAlarmKeepsEverything(t *testing.T) {
	c := newCollector(t, func(_ int, w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		w.WriteHeader(401)
		return true
	})
	from := openSpool(t)
	fill(t, from, 5)
	s := newShipper(t, Config{URL: c.URL})
	shipUntil(t, s, from, func() bool { return s.Stats().Retries > 3 })
	if st := s.Stats(); !strings.Contains(st.Alarm, "401") {
		t.Errorf("alarm %q", st.Alarm)
	}
	if st := from.Stats(); st.Fresh != 5 || st.SetAside != 0 || st.InFlight != 0 {
		t.Errorf("spool %+v, want all 5 there", st)
	}
}

func TestTooLargeIsHalved(t *testing.T) {
	_, one := aRun(t)
	c := newCollector(t, func(_ int, w http.ResponseWriter, _ *http.Request, body []byte) bool {
		if len(body) > 3*len(one)+10 {
			w.WriteHeader(413)
			return true
		}
		return false
	})
	from := openSpool(t)
	want := fill(t, from, 20)
	s := newShipper(t, Config{URL: c.URL})
	shipUntil(t, s, from, empty(from))
	if d := cmp.Diff(want, c.has()); d != "" {
		t.Errorf("stored (-want +got):\n%s", d)
	}
	if st := s.Stats(); st.SetAside != 0 || st.Retries != 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestOneBadRunIsFound(t *testing.T) {
	for _, code := range []int{400, 422, 413} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			from := openSpool(t)
			want := fill(t, from, 30)
			badID, bad := aRun(t)
			if _, err := from.Put(t.Context(), spool.Record{At: time.Now(), Target: "bad", Body: bad}); err != nil {
				t.Fatal(err)
			}
			for id := range fill(t, from, 10) {
				want[id] = 1
			}
			c := newCollector(t, func(_ int, w http.ResponseWriter, _ *http.Request, body []byte) bool {
				if bytes.Contains(body, []byte(badID)) {
					http.Error(w, "no such run", code)
					return true
				}
				return false
			})
			s := newShipper(t, Config{URL: c.URL})
			shipUntil(t, s, from, empty(from))
			if d := cmp.Diff(want, c.has()); d != "" {
				t.Errorf("stored (-want +got):\n%s", d)
			}
			if s.Stats().SetAside != 1 || from.Stats().SetAside != 1 {
				t.Errorf("set aside %d and %d, want 1", s.Stats().SetAside, from.Stats().SetAside)
			}
		})
	}
}

// partialSuccess is ExportTraceServiceResponse{partial_success{3, "bad id"}}.
var partialSuccess = []byte("\x0a\x0a\x08\x03\x12\x06bad id")

func TestPartialSuccessIsNotResent(t *testing.T) {
	c := newCollector(t, func(_ int, w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.Write(partialSuccess)
		return true
	})
	from := openSpool(t)
	fill(t, from, 5)
	s := newShipper(t, Config{URL: c.URL, Workers: 1})
	shipUntil(t, s, from, empty(from))
	if st := s.Stats(); st.RejectedSpans != 3*st.Batches || c.n != int(st.Batches) {
		t.Errorf("stats %+v after %d requests", st, c.n)
	}
	_, b := aRun(t)
	if err := s.Once(t.Context(), b); !errors.Is(err, ErrRefused) {
		t.Errorf("Once: %v, want ErrRefused", err)
	}
}

func TestOnce(t *testing.T) {
	c := newCollector(t, func(n int, w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		if n == 0 {
			w.WriteHeader(503)
		}
		return n == 0
	})
	s := newShipper(t, Config{URL: c.URL, Bind: netip.MustParseAddr("127.0.0.1"), BatchSize: 1})
	id1, b1 := aRun(t)
	id2, b2 := aRun(t)
	if err := s.Once(t.Context(), b1, b2); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]int{id1: 1, id2: 1}, c.has()); d != "" {
		t.Error(d)
	}

	for _, code := range []int{401, 400, 413} {
		refusing := newCollector(t, func(_ int, w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			w.WriteHeader(code)
			return true
		})
		if err := newShipper(t, Config{URL: refusing.URL}).Once(t.Context(), b1); !errors.Is(err, ErrRefused) {
			t.Errorf("%d: %v, want ErrRefused", code, err)
		}
	}

	down := newCollector(t, func(_ int, w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		w.WriteHeader(503)
		return true
	})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := newShipper(t, Config{URL: down.URL}).Once(ctx, b1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
}

func TestBindIsTheSource(t *testing.T) {
	var source string
	c := newCollector(t, func(_ int, _ http.ResponseWriter, r *http.Request, _ []byte) bool {
		source = r.RemoteAddr
		return false
	})
	_, b := aRun(t)
	s := newShipper(t, Config{URL: c.URL, Bind: netip.MustParseAddr("127.0.0.9")})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.Once(ctx, b); err != nil {
		t.Skipf("127.0.0.9 is not usable here: %v", err)
	}
	if !strings.HasPrefix(source, "127.0.0.9:") {
		t.Errorf("came from %s", source)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, u := range []string{"", "collector:4318", "ftp://x", "http://", "http://[::1"} {
		if _, err := New(Config{URL: u}); err == nil {
			t.Errorf("%q is taken", u)
		}
	}
}

func FuzzParseResponse(f *testing.F) {
	f.Add(partialSuccess)
	f.Add([]byte{})
	f.Add([]byte("\x0a\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, _, _ := parseResponse(b); n < 0 {
			t.Errorf("%d spans", n)
		}
		retryAfter(string(b), time.Now())
	})
}
