package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/firstframe/firstframe/agent/bundles"
	"github.com/firstframe/firstframe/agent/plans"
	"github.com/firstframe/firstframe/agent/schedule"
	"github.com/firstframe/firstframe/agent/ship"
	"github.com/firstframe/firstframe/agent/spool"
	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/plan"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/tape"
	"github.com/firstframe/firstframe/probes/trace"
	"golang.org/x/sync/errgroup"
)

// bundleEvery is the time in which of runs that failed alike one is kept.
const bundleEvery = 10 * time.Minute

// bundleLimits are what a run under way may hold for its bundle: there are many
// at once.
var bundleLimits = tape.Limits{Body: 1 << 20, Total: 2 << 20}

// reportEvery is how often a fleet member says how it is doing.
const reportEvery = time.Minute

// runCmd is agent run.
type runCmd struct {
	Collector string `help:"Collector that has the plan and gets the runs." placeholder:"URL" xor:"plan"`
	Plan      string `help:"Plan file; needs --ship." type:"existingfile" placeholder:"FILE" xor:"plan"`
	Ship      string `help:"Where the runs go; left out, to --collector." placeholder:"URL"`

	ID      string            `name:"id" help:"This agent's name in the fleet; left out, the host's." placeholder:"NAME"`
	Region  string            `help:"Where this agent runs, as you call it." placeholder:"NAME"`
	Country string            `help:"Country that this agent claims to be in, two letters; the collector's GeoIP goes first." placeholder:"CC"`
	Label   map[string]string `help:"Labels that assignments of the plan can ask for. Repeatable." placeholder:"K=V"`

	Data        string `help:"Directory of the spool and the cached plan." placeholder:"DIR" default:"${data}"`
	Concurrency int    `help:"Rounds under way at once." default:"16" placeholder:"N"`
	SpoolSize   int64  `help:"Size of the spool at most, MiB." default:"256" placeholder:"N"`

	Bundles      string `help:"Directory in which to keep bundles of runs that failed, without secrets, for agent replay: of those that failed alike one in ten minutes; the oldest go." placeholder:"DIR" type:"path"`
	BundlesCount int    `help:"So many bundles at most; left out, 200." default:"200" placeholder:"N"`
	BundlesSize  int64  `help:"So much of bundles at most, MiB; left out, 256." default:"256" placeholder:"N"`

	networkFlags `embed:""`
}

// Validate is called once the flags are read.
func (c *runCmd) Validate() error {
	switch {
	case c.Collector == "" && c.Plan == "":
		return errors.New("expected --collector URL, or --plan FILE with --ship URL")
	case c.Plan != "" && c.Ship == "":
		return errors.New("--plan needs --ship URL: where the runs go")
	case c.Concurrency < 1 || c.Concurrency > 10_000:
		return fmt.Errorf("--concurrency %d: want 1 to 10000", c.Concurrency)
	case c.SpoolSize < 1:
		return fmt.Errorf("--spool-size %d: want at least 1", c.SpoolSize)
	case c.Bundles != "" && (c.BundlesCount < 1 || c.BundlesSize < 1):
		return fmt.Errorf("--bundles-count %d, --bundles-size %d: want at least 1", c.BundlesCount, c.BundlesSize)
	case c.Country != "" && !isCountry(c.Country):
		return fmt.Errorf("--country %q: want two letters, such as BR", c.Country)
	}
	c.Country = strings.ToUpper(c.Country)
	return nil
}

// isCountry tells whether s has the form of ISO 3166-1 alpha-2, in either case.
func isCountry(s string) bool {
	return len(s) == 2 && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz") == ""
}

// member is an agent of the fleet at work.
type member struct {
	facts    plan.Facts
	identity probes.Identity
	network  probes.Network
	plan     atomic.Pointer[plan.Plan] // in force
	spool    *spool.Spool
	bundles  *bundles.Dir // nil: none are kept
	log      *slog.Logger
}

// Run probes by the plan and ships what comes of it until it is told to stop.
func (c *runCmd) Run(env *environment) error {
	log := slog.New(slog.NewTextHandler(env.stderr, nil))
	network, err := c.network()
	if err != nil {
		return err
	}
	network.Visits = &probes.Visits{}
	if c.ID == "" {
		if c.ID, err = os.Hostname(); err != nil {
			return fmt.Errorf("this machine has no name, give one with --id: %w", err)
		}
	}
	if err := os.MkdirAll(c.Data, 0o755); err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	shipper, err := ship.New(ship.Config{
		URL: orDefault(c.Ship, c.Collector), UserAgent: "firstframe-agent/" + theVersion(), Bind: network.Bind, CAs: network.RootCAs, Log: log,
	})
	if err != nil {
		return usageError{err}
	}
	runs, err := spool.Open(spool.Config{Dir: filepath.Join(c.Data, "spool"), MaxBytes: c.SpoolSize << 20, Log: log})
	if err != nil {
		return fmt.Errorf("--data %s: %w", c.Data, err)
	}
	m := &member{
		facts:    plan.Facts{Agent: c.ID, Country: c.Country, Region: c.Region, Labels: c.Label},
		identity: probes.Identity{Agent: c.ID, AgentVersion: theVersion(), Region: c.Region, Country: c.Country},
		network:  network, spool: runs, log: log,
	}
	if c.Bundles != "" {
		m.bundles = &bundles.Dir{Path: c.Bundles, MaxFiles: c.BundlesCount, MaxBytes: c.BundlesSize << 20, Every: bundleEvery}
	}
	err = c.work(env.ctx, m, shipper)
	if closeErr := runs.Close(); closeErr != nil {
		err = errors.Join(err, closeErr)
	}
	log.Info("stopped", "waiting", runs.Stats().Fresh+runs.Stats().Backlog)
	return err
}

// work runs the parts of an agent until ctx ends or one of them fails. Runs are
// shipped as long as some are being made.
func (c *runCmd) work(ctx context.Context, m *member, shipper *ship.Shipper) error {
	scheduler := schedule.New(schedule.Config{Probe: m.probe, Agent: c.ID, Concurrency: c.Concurrency, Log: m.log})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return ignoreEnd(ctx, c.source(m).Run(ctx, func(p *plan.Plan) { m.use(scheduler, p) })) })
	group.Go(func() error { return ignoreEnd(ctx, scheduler.Run(ctx)) })
	group.Go(func() error { return ignoreEnd(ctx, shipper.Run(ctx, m.spool)) })
	group.Go(func() error { m.report(ctx, scheduler, shipper); return nil })
	return group.Wait()
}

// ignoreEnd is err, unless it only says that ctx has ended.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.Cause(ctx)) || errors.Is(err, ctx.Err())) {
		return nil
	}
	return err
}

// source is where the plan comes from.
func (c *runCmd) source(m *member) interface {
	Run(context.Context, plans.Use) error
} {
	if c.Plan != "" {
		return plans.File{Path: c.Plan, Options: planOptions(), Log: m.log}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if m.network.Bind.IsValid() {
		dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: m.network.Bind.AsSlice()}, Timeout: 10 * time.Second}
		transport.DialContext = dialer.DialContext
	}
	if m.network.RootCAs != nil {
		transport.TLSClientConfig.RootCAs = m.network.RootCAs
	}
	return plans.Collector{
		URL: c.Collector, Agent: c.ID, Cache: filepath.Join(c.Data, "plan.yaml"),
		Client: &http.Client{Transport: transport}, Options: planOptions(), Log: m.log,
	}
}

// use puts a plan in force.
func (m *member) use(s *schedule.Scheduler, p *plan.Plan) {
	m.plan.Store(p)
	in := schedule.Plan{Revision: p.Revision(), Jobs: p.Jobs(m.facts), Control: p.Controls()}
	if len(in.Jobs) == 0 {
		m.log.Warn("the plan has no target for this agent", "revision", p.Revision())
	}
	s.Update(in)
}

// probe makes one run and keeps it.
func (m *member) probe(ctx context.Context, a schedule.Attempt) (ok bool) {
	spec := probes.Spec{Target: a.Target, CDN: a.CDN, App: a.App, Identity: m.identity, Network: m.network}
	spec.Identity.Source = run.SourceFleet
	if a.Control {
		spec.Identity.Source = run.SourceControl
	}
	spec.Identity.Round, spec.Identity.ScheduledAt = a.Round, a.ScheduledAt
	spec.Identity.PlanRevision, spec.Identity.ControlOK = a.PlanRevision, a.ControlOK
	if p := m.plan.Load(); p != nil {
		spec.Network.AllowAddresses = p.AllowAddresses
	}
	r := m.press(ctx, spec)
	if ctx.Err() != nil {
		return false // cut off, so it says nothing
	}
	if err := m.keep(r); err != nil {
		m.log.Error("a run is lost", "target", r.Target, "run_id", r.RunID, "err", err)
	}
	return r.OK
}

// press makes one run. Of one that failed a bundle is kept, where that is wanted.
func (m *member) press(ctx context.Context, spec probes.Spec) run.Run {
	if m.bundles == nil {
		return probes.Probe(ctx, spec)
	}
	r, recording := probes.Record(ctx, spec, bundleLimits)
	if r.OK || ctx.Err() != nil || !m.bundles.Wants(&r) {
		return r
	}
	b, err := recording.Bundle()
	if err == nil {
		_, err = m.bundles.Keep(b)
	}
	if err != nil {
		m.log.Warn("no bundle", "target", r.Target, "run_id", r.RunID, "err", err)
	}
	return r
}

// keep puts a run into the spool, also when the agent is being stopped.
func (m *member) keep(r run.Run) error {
	body, err := trace.Marshal(r)
	if err != nil {
		return err
	}
	_, err = m.spool.Put(context.Background(), spool.Record{At: r.StartedAt, Target: r.Target, Body: body})
	return err
}

// report says now and then how the agent is doing.
func (m *member) report(ctx context.Context, scheduler *schedule.Scheduler, shipper *ship.Shipper) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		plan, kept, sent := scheduler.Stats(), m.spool.Stats(), shipper.Stats()
		level, alarm := slog.LevelInfo, []any{}
		if sent.Alarm != "" || kept.DiskError != "" || len(kept.Dropped) > 0 {
			level, alarm = slog.LevelWarn, []any{"alarm", sent.Alarm, "disk", kept.DiskError, "dropped", dropped(kept.Dropped)}
		}
		m.log.Log(ctx, level, "state", append([]any{
			"targets", plan.Targets, "running", plan.Running, "done", plan.Done, "skipped", plan.Skipped, "late", plan.Late, "panics", plan.Panics,
			"waiting", kept.Fresh + kept.Backlog, "shipped", sent.Runs, "set_aside", kept.SetAside,
		}, alarm...)...)
	}
}

func dropped(d []spool.Drop) (n int64) {
	for i := range d {
		n += d[i].Runs
	}
	return n
}

func orDefault(v, d string) string {
	if v == "" {
		return d
	}
	return v
}

// dataDir is where an agent keeps what must outlive it, unless told otherwise.
func dataDir() string {
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "firstframe-agent")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "state", "firstframe-agent")
	}
	return "firstframe-agent"
}
