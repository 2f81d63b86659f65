// Package api is the people's side of the collector: the query API, single
// runs with their steps, the names that can be asked for, metrics and health;
// and of the agents' side the plan, see [Plan].
//
// [New] gives one handler for all of it. Every error is JSON in the form of
// [query.Error]: {"error","message","field","did_you_mean"}. Bounds: bodies by
// [query.MaxRequest], queries at a time by [Config.Queries], each by
// [Config.Timeout]. Requests from pages of another origin are refused, and no
// answer allows them to be read (no CORS).
package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/probes/run"
)

// The defaults of a [Config].
const (
	DefaultQueries = 8
	DefaultTimeout = 30 * time.Second
)

// The codes of errors that are not about what was asked, beside those of
// package query.
const (
	codeNotFound = "not_found"
	codeMethod   = "method_not_allowed"
	codeType     = "unsupported_media_type"
	codeOrigin   = "cross_origin"
	codeBusy     = "busy"
	codeTimeout  = "timeout"
	codeInternal = "internal"
)

// Config says what the API answers from. Store and Steps are required; of the
// rest the zero value works.
type Config struct {
	Store store.Store
	// Steps reads a run's steps from where the store says that its spans lie;
	// expired says that some are kept no longer.
	Steps func(id string, at []store.Location) (steps []run.Step, expired bool, err error)
	// Unready says why answers may lack runs that were acknowledged.
	Unready func() []string
	// Until is the instant before which every acknowledged run is stored; answers
	// claim to be complete no further. Nil: the store alone knows.
	Until   func() time.Time
	Console http.Handler         // serves / and below; nil: nothing is there
	Metrics *prometheus.Registry // of /metrics; nil: an empty one

	Queries int           // answered at the same time, others wait; zero means 8
	Timeout time.Duration // of one answer, waiting included; zero means 30 s
	Logger  *slog.Logger  // nil means slog.Default
}

type server struct {
	Config
	slots chan struct{} // one per query that is being answered
}

// New is the handler of the people's side.
func New(cfg Config) http.Handler {
	cfg.Queries = cmp.Or(cfg.Queries, DefaultQueries)
	cfg.Timeout = cmp.Or(cfg.Timeout, DefaultTimeout)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = prometheus.NewRegistry()
	}
	if cfg.Until == nil {
		cfg.Until = time.Now
	}
	if cfg.Unready == nil {
		cfg.Unready = func() []string { return nil }
	}
	s := &server{Config: cfg, slots: make(chan struct{}, cfg.Queries)}
	api := http.NewServeMux()
	route := func(method, path string, h func(http.ResponseWriter, *http.Request) error) {
		api.Handle(method+" "+path, s.answer(h))
		api.Handle(path, s.answer(func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Allow", method)
			return fail(http.StatusMethodNotAllowed, codeMethod, "%s is asked for with %s", path, method)
		}))
	}
	route(http.MethodPost, "/api/v1/query", s.query)
	route(http.MethodGet, "/api/v1/runs/{run_id}", s.run)
	route(http.MethodGet, "/api/v1/dimensions", s.dimensions)
	route(http.MethodGet, "/api/v1/measures", s.measures)
	route(http.MethodGet, "/healthz", s.healthz)
	route(http.MethodGet, "/readyz", s.readyz)
	api.Handle("GET /metrics", promhttp.HandlerFor(cfg.Metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 4, DisableCompression: true}))
	api.Handle("/api/", s.answer(func(http.ResponseWriter, *http.Request) error {
		return fail(http.StatusNotFound, codeNotFound,
			"there are POST /api/v1/query and GET /api/v1/runs/{run_id}, /api/v1/dimensions, /api/v1/measures")
	}))
	mux := http.NewServeMux()
	packed := gzhttp.GzipHandler(api)
	for _, path := range []string{"/api/", "/healthz", "/readyz", "/metrics"} {
		mux.Handle(path, packed)
	}
	if cfg.Console != nil {
		mux.Handle("/", cfg.Console)
	}
	return s.sameOrigin(mux)
}

// sameOrigin refuses what a page of another origin makes a browser send.
func (s *server) sameOrigin(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(s.answer(func(http.ResponseWriter, *http.Request) error {
		return fail(http.StatusForbidden, codeOrigin, "this comes from a page of another origin")
	}))
	return guard.Handler(next)
}

// failure is an error with its HTTP status.
type failure struct {
	status int
	answer *query.Error
}

func (f *failure) Error() string { return f.answer.Error() }

func fail(status int, code, format string, args ...any) error {
	return &failure{status, query.Errorf(code, "", format, args...)}
}

// answer makes a handler of h: it bounds its time, sets the headers that every
// answer has, and writes its error.
func (s *server) answer(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cross-Origin-Resource-Policy", "same-origin")
		head.Set("Cache-Control", "no-store")
		ctx, cancel := context.WithTimeout(r.Context(), s.Timeout)
		defer cancel()
		err := h(w, r.WithContext(ctx))
		if err == nil {
			return
		}
		f := s.classify(ctx, err)
		if f.status == http.StatusInternalServerError {
			s.Logger.Error("request failed", "path", r.URL.Path, "error", err)
		}
		if f.status == http.StatusServiceUnavailable {
			head.Set("Retry-After", "2")
		}
		writeJSON(w, f.status, f.answer)
	})
}

// classify is err as what the asker is told. The cause of a fault of ours is
// for the log.
func (s *server) classify(ctx context.Context, err error) *failure {
	var f *failure
	var q *query.Error
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &q) && q.Code == query.CodeCost:
		return &failure{http.StatusUnprocessableEntity, q}
	case errors.As(err, &q):
		return &failure{http.StatusBadRequest, q}
	case errors.Is(err, store.ErrNotFound):
		return &failure{http.StatusNotFound, query.Errorf(codeNotFound, "", "there is no such run")}
	case errors.Is(err, store.ErrClosed):
		return &failure{http.StatusServiceUnavailable, query.Errorf(codeBusy, "", "the collector is shutting down")}
	case errors.Is(ctx.Err(), context.Canceled): // the asker has gone, or the server is to end
		return &failure{http.StatusServiceUnavailable, query.Errorf(codeBusy, "", "the collector is shutting down")}
	case ctx.Err() != nil:
		return &failure{http.StatusGatewayTimeout, query.Errorf(codeTimeout, "", "no answer within %s", s.Timeout)}
	}
	return &failure{http.StatusInternalServerError, query.Errorf(codeInternal, "", "internal error; the collector's log says more")}
}

// slot waits for one of the places for queries.
func (s *server) slot(ctx context.Context) (release func(), err error) {
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, nil
	case <-ctx.Done():
		return nil, fail(http.StatusServiceUnavailable, codeBusy, "%d queries are being answered already", s.Queries)
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	writeText(w, status, append(text, '\n'))
	return nil
}

func writeText(w http.ResponseWriter, status int, text []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	w.Write(text) // a reader that has gone needs nothing
}
