package ship

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStuckServer(t *testing.T) {
	release := make(chan struct{})
	c := newCollector(t, func(n int, _ http.ResponseWriter, r *http.Request, _ []byte) bool {
		if n == 0 {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
		return n == 0
	})
	defer close(release)
	from := openSpool(t)
	want := fill(t, from, 3)
	s := newShipper(t, Config{URL: c.URL, Workers: 1, Timeout: 300 * time.Millisecond})
	shipUntil(t, s, from, empty(from))
	if d := cmp.Diff(want, c.has()); d != "" {
		t.Errorf("stored (-want +got):\n%s", d)
	}
}

func TestServerThatComesBack(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	from := openSpool(t)
	s := newShipper(t, Config{URL: "http://" + addr})
	c := &collector{stored: map[string]int{}, agents: map[string]bool{}}
	want := fill(t, from, 10)
	var server *httptest.Server
	shipUntil(t, s, from, func() bool {
		if server == nil && s.Stats().Retries > 5 {
			l, err := net.Listen("tcp", addr)
			if err != nil {
				return false // taken for a moment by another process
			}
			server = httptest.NewUnstartedServer(c)
			server.Listener.Close()
			server.Listener = l
			server.Start()
		}
		return empty(from)()
	})
	server.Close()
	if d := cmp.Diff(want, c.has()); d != "" {
		t.Errorf("stored (-want +got):\n%s", d)
	}
}

// TestServerKilledMidway: answers are lost, so runs may come twice, but none
// is missing.
func TestServerKilledMidway(t *testing.T) {
	var c *collector
	c = newCollector(t, func(n int, w http.ResponseWriter, _ *http.Request, body []byte) bool {
		if n%3 == 1 {
			c.store(httptest.NewRecorder(), body)
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.Close()
			return true
		}
		return false
	})
	from := openSpool(t)
	s := newShipper(t, Config{URL: c.URL, BatchSize: 2000})
	want := fill(t, from, 100)
	shipUntil(t, s, from, empty(from))
	got := c.has()
	for id := range want {
		if got[id] == 0 {
			t.Errorf("%s is missing", id)
		}
	}
	if len(got) != 100 {
		t.Errorf("%d runs, want 100", len(got))
	}
}

func TestBackoff(t *testing.T) {
	s := newShipper(t, Config{URL: "http://x", MinWait: time.Second, MaxWait: time.Minute, SlowWait: time.Hour})
	answer := func(code int, after string) *http.Response {
		return &http.Response{StatusCode: code, Header: http.Header{"Retry-After": {after}}}
	}
	tests := []struct {
		name     string
		attempt  int
		resp     *http.Response
		from, to time.Duration
	}{
		{"first", 0, nil, 500 * time.Millisecond, time.Second},
		{"fourth", 3, nil, 4 * time.Second, 8 * time.Second},
		{"late", 1e6, nil, 30 * time.Second, time.Minute},
		{"seconds", 0, answer(503, "10"), 10 * time.Second, 11 * time.Second},
		{"seconds of a 502", 0, answer(502, "10"), 10 * time.Second, 11 * time.Second},
		{"absurd seconds", 0, answer(429, "99999999999999999999999"), time.Minute, 66 * time.Second},
		{"date", 0, answer(429, time.Now().Add(20*time.Second).UTC().Format(http.TimeFormat)), 15 * time.Second, 22 * time.Second},
		{"date gone by", 0, answer(429, "Wed, 21 Oct 2015 07:28:00 GMT"), time.Second, 1100 * time.Millisecond},
		{"nonsense", 0, answer(503, "soon"), 500 * time.Millisecond, time.Second},
		{"401", 0, answer(401, ""), 30 * time.Minute, time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := s.backoff(time.Second, time.Minute, tt.attempt, tt.resp); d < tt.from || d > tt.to {
				t.Errorf("waits %v, want %v to %v", d, tt.from, tt.to)
			}
		})
	}
}
