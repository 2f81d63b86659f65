package api

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// log is a buffer that a logger and a test may use at the same time.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func checkNotBad(text []byte) error {
	if strings.Contains(string(text), "bad") {
		return errors.New("line 1: bad")
	}
	return nil
}

func TestPlan(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plan.yaml")
	// At once, as an editor does: half a plan would be read as one.
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	var logged log
	p, err := OpenPlan(PlanConfig{File: file, Check: checkNotBad, Poll: 2 * time.Millisecond, Log: slog.New(slog.NewTextHandler(&logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { p.Watch(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	s := httptest.NewServer(p)
	defer s.Close()

	res, text := fetch(t, "GET", s.URL+"?agent=a", "")
	etag := res.Header.Get("ETag")
	if res.StatusCode != 200 || text != "one" || etag == "" {
		t.Fatalf("%s %q, ETag %q", res.Status, text, etag)
	}
	for _, c := range []struct {
		name, query, match string
		status             int
	}{
		{"the same", "?agent=a", etag, 304},
		{"the same, weak, in a list", "?agent=a", `"x", W/` + etag, 304},
		{"any", "?agent=a", "*", 304},
		{"another", "?agent=a", `"x"`, 200},
		{"the same after a wait", "?agent=a&wait=20ms", etag, 304},
		{"no agent", "", "", 400},
		{"long agent", "?agent=" + strings.Repeat("x", 300), "", 400},
		{"bad wait", "?agent=a&wait=soon", "", 400},
		{"negative wait", "?agent=a&wait=-1s", "", 400},
		{"unknown parameter", "?agent=a&wat=1s", "", 400},
	} {
		if res, text := fetch(t, "GET", s.URL+c.query, "", "If-None-Match", c.match); res.StatusCode != c.status {
			t.Errorf("%s: %s %s, want %d", c.name, res.Status, text, c.status)
		}
	}

	write("a bad one")
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(logged.String(), "plan refused"); {
		if time.Now().After(deadline) {
			t.Fatal("a bad plan was not refused within 10 s")
		}
		time.Sleep(time.Millisecond)
	}
	if _, text := fetch(t, "GET", s.URL+"?agent=a", ""); text != "one" {
		t.Errorf("after a bad plan: %q, want the old one", text)
	}
	answers := make(chan string)
	go func() {
		_, text := fetch(t, "GET", s.URL+"?agent=a&wait=60s", "", "If-None-Match", etag)
		answers <- text
	}()
	write("two, another size")
	if got := <-answers; got != "two, another size" {
		t.Errorf("long poll: %q", got)
	}
	if n := strings.Count(logged.String(), "plan refused"); n != 1 {
		t.Errorf("a bad plan was logged %d times", n)
	}
}

// A long poll is longer than the server's limits for other requests.
func TestPlanOutlastsLimits(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plan.yaml")
	if err := os.WriteFile(file, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := OpenPlan(PlanConfig{File: file, Check: checkNotBad})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(p)
	s.Config.ReadTimeout, s.Config.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond
	s.Start()
	defer s.Close()
	began := time.Now()
	res, _ := fetch(t, "GET", s.URL+"?agent=a&wait=400ms", "", "If-None-Match", "*")
	if took := time.Since(began); res.StatusCode != 304 || took < 400*time.Millisecond {
		t.Errorf("%s after %s, want 304 after 400 ms", res.Status, took)
	}
}

func TestNoPlan(t *testing.T) {
	w := httptest.NewRecorder()
	(*Plan)(nil).ServeHTTP(w, httptest.NewRequest("GET", "/v1/plan?agent=a", nil))
	if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "--plan") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestOpenPlanErrors(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"bad": "bad", "large": strings.Repeat(" ", MaxPlan+1)} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenPlan(PlanConfig{File: file, Check: checkNotBad}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := OpenPlan(PlanConfig{File: filepath.Join(dir, "none"), Check: checkNotBad}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}
