package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/firstframe/firstframe/collector/api"
	"github.com/firstframe/firstframe/collector/console"
	"github.com/firstframe/firstframe/collector/geo"
	"github.com/firstframe/firstframe/collector/ingest"
	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/collector/store/duck"
	"github.com/firstframe/firstframe/collector/wal"
	probe "github.com/firstframe/firstframe/probes/run"
)

// serveCmd is collector serve. Every flag has a default.
type serveCmd struct {
	Data     string `help:"Where everything is kept (${default})." default:"${data}" type:"path" placeholder:"DIR"`
	HTTP     string `name:"http" help:"For people: console, API, metrics (${default})." default:"127.0.0.1:8480" placeholder:"ADDR"`
	OTLPHTTP string `name:"otlp-http" help:"For agents: OTLP/HTTP and the plan (${default})." default:"127.0.0.1:4318" placeholder:"ADDR"`
	OTLPGRPC string `name:"otlp-grpc" help:"For agents: OTLP/gRPC (${default})." default:"127.0.0.1:4317" placeholder:"ADDR"`
	NoAuth   bool   `help:"Listen on addresses that others can reach, although nobody is asked who they are."`

	GeoIP        []string       `name:"geoip" help:"MaxMind databases: City or Country, and ASN." type:"existingfile" placeholder:"FILE"`
	TrustedProxy []netip.Prefix `help:"Networks whose X-Forwarded-For is believed." placeholder:"PREFIX"`
	Plan         string         `help:"The plan that agents are given." type:"existingfile" placeholder:"FILE"`

	Store       string         `help:"The engine that keeps runs (${enum})." enum:"duckdb" default:"duckdb"`
	Retain      query.Duration `help:"Runs are kept this long (${default})." default:"400d" placeholder:"AGE"`
	RetainSteps query.Duration `help:"Steps are kept this long (${default})." default:"30d" placeholder:"AGE"`
	RetainBytes int64          `help:"And at most this many MiB of them (${default})." name:"retain-steps-mib" default:"20480" placeholder:"MIB"`

	PrintAddresses bool `help:"Write the addresses that are listened on to standard output, as one line of JSON."`
}

// defaultData is below XDG_DATA_HOME, or where that is not known beside the
// process.
func defaultData() string {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "firstframe", "collector")
	}
	if home, err := os.UserHomeDir(); err == nil && filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "share", "firstframe", "collector")
	}
	return "firstframe-data"
}

// Run serves until the environment's context ends.
func (c *serveCmd) Run(env *environment) (err error) {
	log := slog.New(slog.NewTextHandler(env.stderr, nil))
	if c.Retain <= 0 || c.RetainSteps <= 0 || c.RetainBytes <= 0 {
		return usageError{errors.New("what is kept must be more than nothing")}
	}
	l, err := c.listen()
	if err != nil {
		return err
	}
	s, err := c.open(env.ctx, log)
	if err != nil {
		return errors.Join(err, l.close())
	}
	if c.PrintAddresses {
		if err := l.print(env.stdout); err != nil {
			return errors.Join(fmt.Errorf("print addresses: %w", err), l.close(), s.close())
		}
	}
	log.Info("collector serves", "http", "http://"+l.http.Addr().String(), "otlp_http", l.otlpHTTP.Addr().String(),
		"otlp_grpc", l.otlpGRPC.Addr().String(), "data", c.Data, "version", theVersion())
	err = s.run(env.ctx, l)
	log.Info("collector stops")
	return errors.Join(err, s.close())
}

// service is everything that an open collector consists of.
type service struct {
	cmd     *serveCmd
	logger  *slog.Logger
	store   store.Store
	log     *wal.Log
	geo     *geo.DB
	plan    *api.Plan
	ingest  *ingest.Ingester
	metrics *prometheus.Registry
}

// open opens what is below the data directory and what the flags name.
func (c *serveCmd) open(ctx context.Context, logger *slog.Logger) (_ *service, err error) {
	s := &service{cmd: c, logger: logger, metrics: prometheus.NewRegistry()}
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.geo, err = geo.Open(geo.Config{Files: c.GeoIP, Log: logger}); err != nil {
		return nil, err
	}
	if c.Plan != "" {
		if s.plan, err = api.OpenPlan(api.PlanConfig{File: c.Plan, Check: checkPlan(c.Plan), Log: logger}); err != nil {
			return nil, err
		}
	}
	engine, err := duck.Open(ctx, duck.Config{Dir: filepath.Join(c.Data, "runs")})
	if err != nil {
		return nil, err
	}
	s.store = engine
	position, err := s.store.Position(ctx)
	if err != nil {
		return nil, err
	}
	if s.log, err = wal.Open(filepath.Join(c.Data, "log"), wal.Config{Applied: wal.Location(position)}); err != nil {
		return nil, err
	}
	if cut := s.log.Cut(); cut > 0 {
		logger.Info("the log's end was torn, as a crash leaves it; no acknowledged run is in what was cut", "bytes", cut)
	}
	s.ingest, err = ingest.New(ctx, ingest.Config{
		Log: s.log, Store: s.store, Geo: s.geo, MaxAge: time.Duration(c.Retain),
		TrustedProxies: c.TrustedProxy, Metrics: s.metrics, Logger: logger,
	})
	if err == nil {
		s.metrics.MustRegister(newStoreMetrics(s.store))
	}
	return s, err
}

// close closes what is open, the store before the log that it follows.
func (s *service) close() error {
	var errs []error
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	return errors.Join(errs...)
}

// run serves until ctx ends or a part fails. Then, in this order: nothing more
// is taken, what was taken is stored, and run returns.
func (s *service) run(ctx context.Context, l listeners) error {
	writer, stopWriter := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWriter()
	written := make(chan error, 1)
	go func() { written <- s.ingest.Run(writer) }()

	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { // without its writer a collector must not go on
		select {
		case err := <-written:
			written <- err
			return err
		case <-gctx.Done():
			return nil
		}
	})
	g.Go(func() error { return serveHTTP(gctx, l.http, httpServer(gctx, s.people(), s.logger)) })
	g.Go(func() error { return serveHTTP(gctx, l.otlpHTTP, httpServer(gctx, s.agents(), s.logger)) })
	g.Go(func() error { return serveGRPC(gctx, l.otlpGRPC, s.ingest.NewGRPCServer()) })
	g.Go(func() error { s.geo.Watch(gctx); return nil })
	g.Go(func() error { s.retain(gctx); return nil })
	if s.plan != nil {
		g.Go(func() error { s.plan.Watch(gctx); return nil })
	}
	err := g.Wait()
	stopWriter()
	return cmp.Or(err, <-written)
}

// people is the handler of --http.
func (s *service) people() http.Handler {
	h := api.New(api.Config{
		Store:   s.store,
		Unready: s.ingest.Unready,
		Until:   s.ingest.StoredUntil,
		Console: console.Handler(),
		Metrics: s.metrics,
		Logger:  s.logger,
		Steps: func(id string, at []store.Location) ([]probe.Step, bool, error) {
			return ingest.Steps(s.log, id, at)
		},
	})
	if s.cmd.NoAuth {
		return h
	}
	return localNames(h)
}

// agents is the handler of --otlp-http.
func (s *service) agents() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /v1/traces", s.ingest)
	mux.Handle("GET /v1/plan", s.plan)
	if s.cmd.NoAuth {
		return mux
	}
	return localNames(mux)
}

// The waits of retain.
const (
	retainFirst = time.Minute
	retainEvery = 10 * time.Minute
)

// retain deletes what is too old, or too much, until ctx ends.
func (s *service) retain(ctx context.Context) {
	wait := time.NewTimer(retainFirst)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		now := time.Now()
		if err := s.store.Retain(ctx, now.Add(-time.Duration(s.cmd.Retain))); err != nil && ctx.Err() == nil {
			s.logger.Error("old runs not deleted", "error", err)
		}
		kept := wal.Retention{Age: time.Duration(s.cmd.RetainSteps), Bytes: s.cmd.RetainBytes << 20}
		switch n, err := s.log.Retain(now, kept, s.ingest.Applied()); {
		case err != nil:
			s.logger.Error("old segments not deleted", "error", err)
		case n > 0:
			s.logger.Info("old segments deleted; the steps of their runs are gone", "segments", n)
		}
		wait.Reset(retainEvery)
	}
}
