package player

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// seen is a request as the origin saw it.
type seen struct {
	path, query, rng string
	begin, end       time.Time
}

// origin serves the lab's media under their names, manifests that a test makes,
// and keeps a log. A rule for a path answers in place of the file as long as it
// says so.
type origin struct {
	*httptest.Server
	manifests map[string]string
	rules     map[string]rule

	mu  sync.Mutex
	log []seen
}

// rule answers the nth request of a path, counted from 1; false leaves it to
// the file.
type rule func(w http.ResponseWriter, r *http.Request, n int) bool

func newOrigin(t testing.TB, manifests map[string]string, rules map[string]rule) *origin {
	t.Helper()
	o := &origin{manifests: manifests, rules: rules}
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	return o
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	o.mu.Lock()
	i, n := len(o.log), 1
	for _, s := range o.log {
		if s.path == r.URL.Path {
			n++
		}
	}
	o.log = append(o.log, seen{path: r.URL.Path, query: r.URL.RawQuery, rng: r.Header.Get("Range"), begin: begin})
	o.mu.Unlock()
	defer func() {
		o.mu.Lock()
		o.log[i].end = time.Now()
		o.mu.Unlock()
	}()
	if rule := o.rules[r.URL.Path]; rule != nil && rule(w, r, n) {
		return
	}
	if body, ok := o.manifests[r.URL.Path]; ok {
		fmt.Fprint(w, strings.ReplaceAll(body, "ORIGIN", o.URL))
		return
	}
	file := filepath.Join(lab, filepath.FromSlash(r.URL.Path))
	if _, err := os.Stat(file); err != nil {
		http.NotFound(w, r)
		return
	}
	http.ServeFile(w, r, file)
}

// paths are the requests so far, in order.
func (o *origin) paths() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []string
	for _, s := range o.log {
		all = append(all, s.path)
	}
	return all
}

// find is the nth request of a path, counted from 1.
func (o *origin) find(t testing.TB, path string, n int) seen {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.log {
		if s.path == path {
			if n--; n == 0 {
				return s
			}
		}
	}
	t.Fatalf("%s was not asked for so often", path)
	return seen{}
}

// The rules.

func delay(d time.Duration) rule {
	return func(http.ResponseWriter, *http.Request, int) bool { time.Sleep(d); return false }
}

// together holds requests until n of those that share it are there: they must
// be in flight at once.
func together(t testing.TB, n int) rule {
	var mu sync.Mutex
	all := make(chan struct{})
	return func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		mu.Lock()
		if n--; n == 0 {
			close(all)
		}
		mu.Unlock()
		select {
		case <-all:
		case <-time.After(4 * time.Second):
			t.Errorf("%s is in flight alone", r.URL.Path)
		}
		return false
	}
}

// status answers the first times requests with a status.
func status(code, times int) rule {
	return func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n <= times {
			w.WriteHeader(code)
		}
		return n <= times
	}
}

// hang holds the first times requests until the client has gone.
func hang(times int) rule {
	return func(_ http.ResponseWriter, r *http.Request, n int) bool {
		if n <= times {
			<-r.Context().Done()
		}
		return n <= times
	}
}

// cut breaks the connection of the first times requests within the body.
func cut(times int) rule {
	return func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n <= times {
			w.Header().Set("Content-Length", "100000")
			w.Write([]byte("\x47"))
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		return false
	}
}

func redirect(to string) rule {
	return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
		return true
	}
}

// quick is a copy of a model without think times, timers, render and fuzz, with
// delays a hundredth as long. Its limits are the model's: a busy machine reaches
// none.
func quick(m *Model) *Model {
	q := *m
	q.Tick, q.RenderTS, q.RenderFMP4 = nil, Cost{}, Cost{}
	q.Buffering.Every, q.Buffering.Early = 0, 0
	if q.HLS != nil {
		q.HLS = &Think{}
	}
	if q.DASH != nil {
		q.DASH = &Think{}
	}
	if m.Failover != nil {
		f := *m.Failover
		f.Delay, f.Fuzz = f.Delay/100, 0
		q.Failover = &f
	}
	q.Retry = map[run.StepName]Policy{}
	for step, p := range m.Retry {
		p.Fuzz = 0
		p.TimeoutDelay, p.ErrorDelay, p.MaxDelay, p.Step = p.TimeoutDelay/100, p.ErrorDelay/100, p.MaxDelay/100, p.Step/100
		q.Retry[step] = p
	}
	return &q
}

// hasty is quick, but for limits of a step that are a twentieth as long.
func hasty(m *Model, step run.StepName) *Model {
	q := quick(m)
	p := q.Retry[step]
	p.FirstByte, p.Stall, p.Total = p.FirstByte/20, p.Stall/20, p.Total/20
	q.Retry[step] = p
	return q
}

// press plays from o as the model.
func press(t testing.TB, o *origin, path string, m *Model, app run.App) *Result {
	t.Helper()
	return pressWith(t, o, Config{URL: path, Model: m, App: app})
}

// pressExactly is press in a bubble.
func pressExactly(t *testing.T, o *origin, path string, m *Model, app run.App) *Result {
	t.Helper()
	return exactlyWith(t, o, Config{URL: path, Model: m, App: app})
}

// pressWith plays from o as cfg says, whose URL is a path, with a client of its own.
func pressWith(t testing.TB, o *origin, cfg Config) *Result {
	t.Helper()
	client := fetch.New(fetch.Config{AllowPrivate: true})
	defer client.Close()
	cfg.Client = client
	return pressBy(t, o, cfg)
}

// exactlyWith is pressWith in a bubble.
func exactlyWith(t *testing.T, o *origin, cfg Config) (r *Result) {
	t.Helper()
	exactly(t, o, func(t *testing.T, c Client) {
		cfg.Client = c
		r = pressBy(t, o, cfg)
	})
	return r
}

func pressBy(t testing.TB, o *origin, cfg Config) *Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cfg.URL = o.URL + cfg.URL
	r := Play(ctx, cfg)
	want := r.End
	if r.Frame != nil {
		want = *r.Frame
	}
	if sum, want := r.Phases.Sum(), ms(want.Sub(r.Start)); sum < want-0.1 || sum > want+0.1 {
		t.Errorf("phases add up to %v ms, want %v", sum, want)
	}
	return r
}

// good fails the test when there is no first frame.
func good(t testing.TB, r *Result) *Result {
	t.Helper()
	if r.Frame == nil {
		t.Fatalf("%s at %s: %s (%s)", r.Error, r.Step, r.Detail, names(r))
	}
	return r
}

// bad fails the test unless the run failed so.
func bad(t testing.TB, r *Result, typ run.ErrorType, step run.StepName) *Result {
	t.Helper()
	if r.Error != typ || r.Step != step || r.Frame != nil {
		t.Fatalf("%q at %q (%s), want %s at %s: %s", r.Error, r.Step, r.Detail, typ, step, names(r))
	}
	if !slices.ContainsFunc(r.Steps, func(s run.Step) bool { return s.Name == step && s.Error == typ }) {
		t.Errorf("%s: no step %s carries the error %s", names(r), step, typ)
	}
	return r
}
