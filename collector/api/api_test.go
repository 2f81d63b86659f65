package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/probes/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a store that answers what it is told; the real one is tested under
// the whole program.
type fake struct {
	store.Store
	query  func(context.Context, *query.Request) (*query.Answer, error)
	run    func(id string) (*run.Run, []store.Location, error)
	values func(dim string, from, to time.Time, prefix string, limit int) ([]store.Value, error)
}

func (f *fake) Query(ctx context.Context, r *query.Request, _ time.Time) (*query.Answer, error) {
	return f.query(ctx, r)
}

func (f *fake) Run(_ context.Context, id string) (*run.Run, []store.Location, error) {
	return f.run(id)
}

func (f *fake) Values(_ context.Context, dim string, from, to time.Time, prefix string, limit int) ([]store.Value, error) {
	return f.values(dim, from, to, prefix, limit)
}

func newFake() *fake {
	return &fake{
		query: func(_ context.Context, r *query.Request) (*query.Answer, error) {
			if len(r.Where) > 0 {
				return nil, query.Errorf(query.CodeCost, "", "too much")
			}
			return &query.Answer{
				Columns: []query.Column{{Name: "cdn", Kind: query.KindDimension}, {Name: "runs", Kind: query.KindMeasure}},
				Rows:    [][]any{{"cdn, a", int64(3)}, {nil, int64(4)}},
			}, nil
		},
		run: func(id string) (*run.Run, []store.Location, error) {
			if id == "broken" {
				return nil, nil, errors.New("disk on fire at /secret/path")
			}
			if id != "1" {
				return nil, nil, store.ErrNotFound
			}
			return &run.Run{RunID: "1", Country: "BR"}, []store.Location{{Segment: 1}}, nil
		},
		values: func(dim string, from, to time.Time, prefix string, limit int) ([]store.Value, error) {
			if dim != "country" || prefix != "B" || limit != 5 || to.Sub(from) != time.Hour {
				return nil, nil
			}
			return []store.Value{{Value: "BR", Runs: 7}}, nil
		},
	}
}

func serve(t *testing.T, change func(*Config)) string {
	t.Helper()
	cfg := Config{Store: newFake(), Steps: func(string, []store.Location) ([]run.Step, bool, error) {
		return []run.Step{{Name: run.StepKey}}, true, nil
	}}
	if change != nil {
		change(&cfg)
	}
	s := httptest.NewServer(New(cfg))
	t.Cleanup(s.Close)
	return s.URL
}

// fetch asks; headers are pairs.
func fetch(t *testing.T, method, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

func TestAnswers(t *testing.T) {
	url := serve(t, nil)
	hour := "&from=2026-11-23T09:00:00Z&to=2026-11-23T10:00:00Z"
	for _, c := range []struct {
		name, method, path, body, accept string
		status                           int
		kind, text                       string
	}{
		{"query", "POST", "/api/v1/query", `{}`, "", 200, "application/json", `"rows":[["cdn, a",3],[null,4]]`},
		{"query as CSV", "POST", "/api/v1/query", `{}`, "text/csv", 200, "text/csv; charset=utf-8", "cdn,runs\n\"cdn, a\",3\n,4\n"},
		{"JSON before CSV", "POST", "/api/v1/query", `{}`, "application/json, text/csv", 200, "application/json", `"rows"`},
		{"run", "GET", "/api/v1/runs/1", "", "", 200, "application/json", `"steps":[{"name":"key"`},
		{"run's steps", "GET", "/api/v1/runs/1", "", "", 200, "application/json", `,"steps_expired":true}`},
		{"dimensions", "GET", "/api/v1/dimensions", "", "", 200, "application/json", `{"name":"country"`},
		{"values", "GET", "/api/v1/dimensions?name=country&prefix=B&limit=5" + hour, "", "", 200, "application/json", `{"values":[{"value":"BR","runs":7}]}`},
		{"no values", "GET", "/api/v1/dimensions?name=cdn", "", "", 200, "application/json", `{"values":[]}`},
		{"measures", "GET", "/api/v1/measures", "", "", 200, "application/json", `{"name":"ttff_ms_p95","kind":"measure","unit":"ms"`},
		{"measures that are times", "GET", "/api/v1/measures", "", "", 200, "application/json", `{"name":"last_seen","kind":"time","unit":""`},
		{"health", "GET", "/healthz", "", "", 200, "application/json", `{"ok":true}`},
		{"ready", "GET", "/readyz", "", "", 200, "application/json", `{"ready":true,"reasons":[]}`},

		{"measures of pairs", "GET", "/api/v1/measures", "", "", 200, "application/json", `{"name":"bad_paired_diff_low","kind":"measure","unit":"ratio","doc":"lower end of 95 % of the mean of differences, by the normal distribution; null under 6 pairs","paired":true}`},
		{"pairs of nothing", "POST", "/api/v1/query", `{"measures":["pairs"]}`, "", 400, "application/json", `"error":"not_paired"`},
		{"unknown measure", "POST", "/api/v1/query", `{"measures":["ttff_p95"]}`, "", 400, "application/json", `"did_you_mean":["ttff_ms_p95"`},
		{"coverage of what cannot be missed", "POST", "/api/v1/query", `{"measures":["coverage"],"group_by":["pop"]}`, "", 400, "application/json", `"error":"not_supported"`},
		{"not JSON", "POST", "/api/v1/query", `{`, "", 400, "application/json", `"error":"invalid_json"`},
		{"large", "POST", "/api/v1/query", strings.Repeat(" ", query.MaxRequest+1), "", 413, "application/json", `"error":"out_of_bounds"`},
		{"too expensive", "POST", "/api/v1/query", `{"where":[{"dim":"cdn","op":"exists"}]}`, "", 422, "application/json", `"error":"too_expensive"`},
		{"no such run", "GET", "/api/v1/runs/2", "", "", 404, "application/json", `"error":"not_found"`},
		{"fault of ours", "GET", "/api/v1/runs/broken", "", "", 500, "application/json", `"error":"internal"`},
		{"unknown dimension", "GET", "/api/v1/dimensions?name=contry", "", "", 400, "application/json", `"did_you_mean":["country"]`},
		{"unknown parameter", "GET", "/api/v1/dimensions?nam=country", "", "", 400, "application/json", `"field":"nam"`},
		{"bad time", "GET", "/api/v1/dimensions?name=cdn&from=yesterday", "", "", 400, "application/json", `"field":"from"`},
		{"times swapped", "GET", "/api/v1/dimensions?name=cdn&from=now&to=now-1h", "", "", 400, "application/json", `"error":"invalid_time"`},
		{"bad limit", "GET", "/api/v1/dimensions?name=cdn&limit=0", "", "", 400, "application/json", `"field":"limit"`},
		{"wrong method", "GET", "/api/v1/query", "", "", 405, "application/json", `"error":"method_not_allowed"`},
		{"unknown path", "GET", "/api/v2/query", "", "", 404, "application/json", `"error":"not_found"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, text := fetch(t, c.method, url+c.path, c.body, "Content-Type", "application/json", "Accept", c.accept)
			if res.StatusCode != c.status || res.Header.Get("Content-Type") != c.kind || !strings.Contains(text, c.text) {
				t.Errorf("%d %s: %.300s\nwant %d %s with %s", res.StatusCode, res.Header.Get("Content-Type"), text, c.status, c.kind, c.text)
			}
			if res.StatusCode >= 400 {
				var e query.Error
				if err := json.Unmarshal([]byte(text), &e); err != nil || e.Code == "" || e.Message == "" || e.DidYouMean == nil {
					t.Errorf("error is not of the contract's form: %s", text)
				}
			}
			if strings.Contains(text, "secret") {
				t.Error("the cause of a fault of ours is told")
			}
			h := res.Header
			if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Security-Policy") == "" || h.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("headers: %v", h)
			}
		})
	}
}

func TestQueryNeedsJSON(t *testing.T) {
	// A form of another page can send text/plain, but no JSON.
	res, text := fetch(t, "POST", serve(t, nil)+"/api/v1/query", "{}", "Content-Type", "text/plain")
	if res.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("%s: %s", res.Status, text)
	}
}

func TestUnready(t *testing.T) {
	url := serve(t, func(c *Config) { c.Unready = func() []string { return []string{"replaying"} } })
	res, text := fetch(t, "GET", url+"/readyz", "")
	if res.StatusCode != http.StatusServiceUnavailable || text != `{"ready":false,"reasons":["replaying"]}`+"\n" {
		t.Errorf("%s: %s", res.Status, text)
	}
}

// Queries beyond the bound wait, and are told to come again when it takes too
// long; a query that the engine does not answer in time is given up.
func TestQueriesAreBounded(t *testing.T) {
	entered := make(chan struct{}, 9)
	f := newFake()
	f.query = func(ctx context.Context, _ *query.Request) (*query.Answer, error) {
		entered <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	url := serve(t, func(c *Config) { c.Store, c.Queries, c.Timeout = f, 1, 300*time.Millisecond })
	first := make(chan string, 1)
	go func() {
		res, text := fetch(t, "POST", url+"/api/v1/query", "{}", "Content-Type", "application/json")
		first <- res.Status + text
	}()
	<-entered
	// The first gives its place back when its time is up, which is before the
	// second's is: the second enters too, and is given up as well.
	res, text := fetch(t, "POST", url+"/api/v1/query", "{}", "Content-Type", "application/json")
	if res.StatusCode != http.StatusGatewayTimeout && res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("second: %s %s", res.Status, text)
	}
	if got := <-first; !strings.HasPrefix(got, "504") || !strings.Contains(got, `"error":"timeout"`) {
		t.Errorf("first: %s", got)
	}
	if len(entered) > 1 {
		t.Errorf("%d queries at the engine at once", len(entered)+1)
	}
}

// Runs, whose steps may lie in large bodies, share the places of queries.
func TestRunsAreBounded(t *testing.T) {
	entered, leave := make(chan struct{}, 9), make(chan struct{})
	url := serve(t, func(c *Config) {
		c.Queries, c.Timeout = 1, 100*time.Millisecond
		c.Steps = func(string, []store.Location) ([]run.Step, bool, error) {
			entered <- struct{}{}
			<-leave
			return nil, false, nil
		}
	})
	first := make(chan int, 1)
	go func() {
		res, _ := fetch(t, "GET", url+"/api/v1/runs/1", "")
		first <- res.StatusCode
	}()
	<-entered
	if res, text := fetch(t, "GET", url+"/api/v1/runs/1", ""); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("second: %s %s, want 503 with Retry-After", res.Status, text)
	}
	close(leave)
	if code := <-first; code != 200 {
		t.Errorf("first: %d", code)
	}
}

// An answer claims to be complete no further than the store is behind.
func TestCompleteUntil(t *testing.T) {
	newest := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f := newFake()
	f.query = func(context.Context, *query.Request) (*query.Answer, error) {
		return &query.Answer{Meta: query.Meta{CompleteUntil: &newest}}, nil
	}
	for until, want := range map[time.Time]string{
		newest.Add(-time.Second): "2026-11-23T11:59:59Z", newest.Add(time.Second): "2026-11-23T12:00:00Z",
	} {
		url := serve(t, func(c *Config) { c.Store, c.Until = f, func() time.Time { return until } })
		_, text := fetch(t, "POST", url+"/api/v1/query", "{}", "Content-Type", "application/json")
		if !strings.Contains(text, `"complete_until":"`+want+`"`) {
			t.Errorf("all stored until %s: %s, want %s", until, text, want)
		}
	}
}

// A query that the server's end cuts short is not said to have been too slow.
func TestShutdown(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	f := newFake()
	f.query = func(ctx context.Context, _ *query.Request) (*query.Answer, error) {
		stop()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	s := httptest.NewUnstartedServer(New(Config{Store: f}))
	s.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	s.Start()
	defer s.Close()
	if res, text := fetch(t, "POST", s.URL+"/api/v1/query", "{}", "Content-Type", "application/json"); res.StatusCode != 503 {
		t.Errorf("%s %s, want 503", res.Status, text)
	}
}

func TestAnswersAreCompressed(t *testing.T) {
	res, _ := fetch(t, "GET", serve(t, nil)+"/api/v1/measures", "", "Accept-Encoding", "gzip")
	if res.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("Content-Encoding %q", res.Header.Get("Content-Encoding"))
	}
}
