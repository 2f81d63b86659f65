package plans_test

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firstframe/firstframe/agent/plans"
	"github.com/firstframe/firstframe/probes/plan"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// text is a plan with one target of that name.
func text(name string) string {
	return fmt.Sprintf("version: 1\ntargets:\n  - {name: %s, url: \"https://a.example/m.m3u8\"}\n", name)
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// taken gathers the names of the first targets of the plans put into force.
type taken chan string

func (t taken) use(p *plan.Plan) { t <- p.Targets[0].Name }

func (t taken) want(tb testing.TB, name string) {
	tb.Helper()
	select {
	case got := <-t:
		if got != name {
			tb.Fatalf("plan of target %q in force, want %q", got, name)
		}
	case <-time.After(10 * time.Second):
		tb.Fatalf("no plan in force, want that of %q", name)
	}
}

func (t taken) none(tb testing.TB, why string) {
	tb.Helper()
	select {
	case got := <-t:
		tb.Fatalf("%s: plan of target %q in force", why, got)
	case <-time.After(150 * time.Millisecond):
	}
}

// start runs a source until the test ends.
func start(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plan.yaml")
	write(t, file, text("one"))
	got := make(taken, 10)
	start(t, func(ctx context.Context) error {
		return plans.File{Path: file, Every: 10 * time.Millisecond, Log: quiet}.Run(ctx, got.use)
	})
	got.want(t, "one")
	got.none(t, "the file has not changed")
	write(t, file, "version: 1\ntargets: 7\n")
	got.none(t, "a plan that does not check")
	write(t, file, text("two"))
	got.want(t, "two")
}

func TestFileThatDoesNotCheckAtFirst(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plan.yaml")
	write(t, file, "version: 1\ntarget: []\n")
	err := plans.File{Path: file}.Run(context.Background(), func(*plan.Plan) { t.Error("a plan in force") })
	if err == nil || !strings.Contains(err.Error(), `did you mean "targets"`) {
		t.Errorf("error %v, want what is wrong in the plan", err)
	}
}

// collector serves a plan as a collector does: it keeps the question until
// there is something new.
type collector struct {
	mu      sync.Mutex
	text    string
	status  int
	changed chan struct{}
	asked   int
}

func (c *collector) set(text string, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text, c.status = text, status
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.asked++
	if r.URL.Path != "/v1/plan" || r.URL.Query().Get("agent") != "br-1" {
		c.mu.Unlock()
		http.NotFound(w, r)
		return
	}
	if c.status == 200 && r.Header.Get("If-None-Match") == tag(c.text) {
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		case <-time.After(200 * time.Millisecond):
			w.WriteHeader(http.StatusNotModified)
			return
		}
		c.mu.Lock()
	}
	defer c.mu.Unlock()
	w.Header().Set("ETag", tag(c.text))
	w.WriteHeader(c.status)
	io.WriteString(w, c.text)
}

func tag(text string) string { return fmt.Sprintf(`"%08x"`, crc32.ChecksumIEEE([]byte(text))) }

func TestCollector(t *testing.T) {
	c := &collector{text: text("one"), status: 200, changed: make(chan struct{})}
	srv := httptest.NewServer(c)
	t.Cleanup(srv.Close)
	cache := filepath.Join(t.TempDir(), "plan.yaml")
	source := plans.Collector{URL: srv.URL, Agent: "br-1", Cache: cache, Client: srv.Client(), Retry: 10 * time.Millisecond, Log: quiet}

	got := make(taken, 10)
	start(t, func(ctx context.Context) error { return source.Run(ctx, got.use) })
	got.want(t, "one")
	got.none(t, "nothing has changed")
	c.set("version: 1\ntargets: 7\n", 200)
	got.none(t, "a plan that does not check")
	c.set(text("two"), 200)
	got.want(t, "two")
	c.set("no", http.StatusServiceUnavailable)
	got.none(t, "the collector is ill")
	c.set(text("three"), 200)
	got.want(t, "three")

	kept, err := os.ReadFile(cache)
	if err != nil || string(kept) != text("three") {
		t.Errorf("cache %q, %v, want the last good plan", kept, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked > 200 {
		t.Errorf("asked %d times: it does not wait", c.asked)
	}
}

// An agent that starts while the collector is away works by the plan it had.
func TestCollectorThatIsAway(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "plan.yaml")
	write(t, cache, text("cached"))
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	got := make(taken, 10)
	start(t, func(ctx context.Context) error {
		return plans.Collector{URL: srv.URL, Agent: "br-1", Cache: cache, Client: http.DefaultClient, Retry: time.Millisecond, Log: quiet}.Run(ctx, got.use)
	})
	got.want(t, "cached")
	got.none(t, "the collector is away")
}

func TestCollectorThatIsNone(t *testing.T) {
	for _, bad := range []string{"", "collector", "ftp://x", "http://"} {
		if err := (plans.Collector{URL: bad}).Run(context.Background(), nil); err == nil {
			t.Errorf("collector %q is taken", bad)
		}
	}
}
