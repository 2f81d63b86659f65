// Package ship brings spooled runs to a collector over OTLP/HTTP (protobuf,
// gzip).
//
// A run leaves the spool when the collector answered for it, by these rules:
//
//	2xx                   it has them; what a partial success refuses is counted and not resent
//	5xx, 408, 429         tried again for ever, with backoff, jitter and Retry-After
//	no answer             the same
//	413                   the batch is halved; a single run is set aside
//	400, 422 and the like the batch is halved down to the bad run, which is set aside
//	401, 403, 404, 405,   everything is kept, Stats.Alarm says so, and it is tried
//	407, 3xx              again slowly: the fault is in the configuration, not in a run
//
// OTLP 1.11 has 500 and 413 fail for good; here neither loses a run.
// A run can arrive twice, when an answer is lost; its id tells the collector.
package ship

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"golang.org/x/sync/errgroup"

	"github.com/firstframe/firstframe/agent/spool"
)

// ErrRefused says that the collector will not have what it was sent.
var ErrRefused = errors.New("collector refuses")

// Config is where and how to ship. Its zero value, with URL, works.
type Config struct {
	URL       string         // of the collector, http or https; /v1/traces is added if missing
	UserAgent string         // empty means firstframe-agent
	Header    http.Header    // added to each request
	Bind      netip.Addr     // source address; zero means the system's choice
	CAs       *x509.CertPool // nil means the system's

	Workers   int           // uploads at a time, 1 or 2; 0 means 2
	BatchSize int64         // bytes before gzip, at most 4 MiB; 0 means 3 MiB
	Timeout   time.Duration // of one attempt; 0 means 30 s
	MinWait   time.Duration // before the first retry; 0 means 1 s
	MaxWait   time.Duration // between retries, and of Retry-After; 0 means 1 min
	SlowWait  time.Duration // between tries while Alarm is raised; 0 means 1 min
	Log       *slog.Logger  // nil means slog.Default
}

const (
	maxWorkers = 2
	maxBatch   = 4 << 20
)

func (c Config) orDefault() Config {
	if c.UserAgent == "" {
		c.UserAgent = "firstframe-agent"
	}
	if c.Workers <= 0 || c.Workers > maxWorkers {
		c.Workers = maxWorkers
	}
	if c.BatchSize <= 0 || c.BatchSize > maxBatch {
		c.BatchSize = 3 << 20
	}
	for p, d := range map[*time.Duration]time.Duration{
		&c.Timeout: 30 * time.Second, &c.MinWait: time.Second, &c.MaxWait: time.Minute, &c.SlowWait: time.Minute,
	} {
		if *p <= 0 {
			*p = d
		}
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// Stats is what a Shipper did since New, and how it stands.
type Stats struct {
	Runs, Batches int64 // taken by the collector
	Bytes         int64 // of those, after gzip
	Retries       int64 // attempts that will be repeated
	RejectedSpans int64 // refused in partial successes
	SetAside      int64 // runs that the collector will not have

	Alarm       string    // why nothing is taken until somebody acts; empty when all is well
	LastError   string    // of the last attempt; empty when it succeeded
	LastSuccess time.Time // zero when there was none
}

// Shipper ships runs to one collector. It is safe for concurrent use.
type Shipper struct {
	cfg  Config
	url  string
	http *http.Client

	mu    sync.Mutex
	stats Stats
}

// New makes a Shipper. It fails when the URL cannot be one of a collector.
func New(cfg Config) (*Shipper, error) {
	cfg = cfg.orDefault()
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("ship: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("ship: %q is not an http or https URL", cfg.URL)
	}
	if !strings.HasSuffix(u.Path, "/v1/traces") {
		u = u.JoinPath("v1", "traces")
	}
	return &Shipper{cfg: cfg, url: u.String(), http: newHTTP(cfg)}, nil
}

// Stats is the state at this moment.
func (s *Shipper) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Run ships what from holds until ctx ends, and returns once every upload has
// stopped. What was under way is given back. Its error is nil when ctx ended.
func (s *Shipper) Run(ctx context.Context, from *spool.Spool) error {
	defer s.http.CloseIdleConnections()
	client := s.client(true)
	g, ctx := errgroup.WithContext(ctx)
	for range s.cfg.Workers {
		g.Go(func() error { return s.loop(ctx, client, from) })
	}
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("ship: %w", err)
	}
	return nil
}

func (s *Shipper) loop(ctx context.Context, client *retryablehttp.Client, from *spool.Spool) error {
	for {
		items, err := from.Take(ctx, spool.Want{Bytes: s.cfg.BatchSize})
		if err != nil {
			return err
		}
		err = s.deliver(ctx, client, from, items)
		from.GiveBack(items...) // those that deliver did not finish
		if err != nil {
			return err
		}
	}
}

// deliver sends items and finishes each of them in the spool, in halves where
// the collector will not have them together. It fails only when ctx ends.
func (s *Shipper) deliver(ctx context.Context, client *retryablehttp.Client, from *spool.Spool, items []spool.Item) error {
	bodies := make([][]byte, len(items))
	for i, it := range items {
		bodies[i] = it.Body
	}
	err := s.post(ctx, client, bodies)
	switch {
	case err == nil:
		if err := from.Commit(items...); err != nil {
			s.cfg.Log.Warn("ship: runs may be sent twice", "error", err)
		}
		return nil
	case !errors.Is(err, ErrRefused):
		return err
	case len(items) == 1:
		s.setAside(from, items[0], err)
		return nil
	}
	half := len(items) / 2
	if err := s.deliver(ctx, client, from, items[:half]); err != nil {
		return err
	}
	return s.deliver(ctx, client, from, items[half:])
}

func (s *Shipper) setAside(from *spool.Spool, item spool.Item, reason error) {
	s.cfg.Log.Warn("ship: set a run aside", "target", item.Target, "started_at", item.At, "reason", reason)
	if err := from.SetAside(item, reason.Error()); err != nil {
		s.cfg.Log.Warn("ship: set aside", "error", err)
	}
	s.mu.Lock()
	s.stats.SetAside++
	s.mu.Unlock()
}

// Once sends runs, each an OTLP request, without a spool, trying again until
// ctx ends: give it a deadline. It fails at once with ErrRefused when the
// collector will not have them or refuses some.
func (s *Shipper) Once(ctx context.Context, bodies ...[]byte) error {
	defer s.http.CloseIdleConnections()
	client := s.client(false)
	for len(bodies) > 0 {
		n, size := 0, int64(0)
		for n < len(bodies) && (n == 0 || size+int64(len(bodies[n])) <= s.cfg.BatchSize) {
			size += int64(len(bodies[n]))
			n++
		}
		before := s.Stats().RejectedSpans
		if err := s.post(ctx, client, bodies[:n]); err != nil {
			return fmt.Errorf("ship: %w", err)
		}
		if rejected := s.Stats().RejectedSpans - before; rejected > 0 {
			return fmt.Errorf("ship: %s: %w %d spans", s.url, ErrRefused, rejected)
		}
		bodies = bodies[n:]
	}
	return nil
}
