// Package ingest takes runs in: OTLP over HTTP and gRPC, into the log, from
// there into the store.
//
// A request is bounded, decompressed and decoded first; what is not well formed
// is refused before anything is kept. Then the body goes into the log as it
// came, and the sender is told so: an acknowledged run is on disk. One writer,
// [Ingester.Run], enriches rows and hands them to the store within
// [Config.Flush], together with the position in the log from which a replay
// after a crash begins. A slow store delays no acknowledgement until
// [Config.MaxBytes] are held in memory; then requests are refused with a
// request to come again.
//
// OTLP: opentelemetry.io/docs/specs/otlp 1.9.
package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/firstframe/firstframe/collector/geo"
	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/collector/wal"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/trace"
)

// The defaults of a [Config].
const (
	DefaultMaxBody    = 64 << 20
	DefaultMaxBytes   = 512 << 20
	DefaultMaxPending = 16384
	DefaultFlush      = time.Second
	DefaultMaxBatch   = 20_000
	DefaultMaxAge     = 400 * 24 * time.Hour
)

// MaxAhead is how far a run may have started in the collector's future. Each
// day that runs start in costs the store a file: clocks that are off must not
// make one for every day until 2200.
const MaxAhead = 24 * time.Hour

// lagging is how long acknowledged runs may wait for the store before answers
// are said to lack them.
const lagging = 15 * time.Second

// forgiven is how long the log's refusal of a request counts.
const forgiven = 30 * time.Second

// Config says where runs go and how many may be on their way. Log and Store
// are required; of the rest the zero value works.
type Config struct {
	Log   *wal.Log
	Store store.Store
	Geo   *geo.DB // nil: nothing is known of addresses

	MaxBody    int           // bytes of one request, compressed or not; zero means 64 MiB
	MaxBytes   int64         // of all requests from their first byte until their rows are stored; zero means 512 MiB
	MaxPending int           // requests acknowledged and not yet stored; zero means 16384
	Flush      time.Duration // longest wait of a row for others to be stored with it; zero means 1 s
	MaxBatch   int           // rows that are stored without waiting further; zero means 20 000
	MaxAge     time.Duration // of a run when it is received, older ones are refused; zero means 400 days

	TrustedProxies []netip.Prefix        // whose X-Forwarded-For is believed
	Metrics        prometheus.Registerer // nil: counted, but not exposed
	Logger         *slog.Logger          // nil means slog.Default
}

// Ingester takes runs in. Its methods may be called at the same time.
type Ingester struct {
	cfg     Config
	log     *slog.Logger
	budget  budget
	pending chan struct{} // a place in queue, taken before the log is written
	queue   chan item
	calls   chan struct{} // gRPC calls under way
	start   wal.Location  // replay from here
	end     wal.Location  // to here; what follows comes through queue
	open    tracker
	metrics *metrics
	recent  recent

	flushLast time.Duration
	caughtUp  atomic.Bool
	applied   atomic.Pointer[wal.Location]
	failing   atomic.Pointer[string]  // why the store does not take rows now
	unwritten atomic.Pointer[failure] // why the log did not take the last request
}

// New makes an Ingester that goes on where the store stands. Nothing may be
// appended to the log but by it.
func New(ctx context.Context, cfg Config) (*Ingester, error) {
	cfg.MaxBody = cmp.Or(cfg.MaxBody, DefaultMaxBody)
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, DefaultMaxBytes)
	cfg.MaxPending = cmp.Or(cfg.MaxPending, DefaultMaxPending)
	cfg.Flush = cmp.Or(cfg.Flush, DefaultFlush)
	cfg.MaxBatch = cmp.Or(cfg.MaxBatch, DefaultMaxBatch)
	cfg.MaxAge = cmp.Or(cfg.MaxAge, DefaultMaxAge)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Geo == nil {
		db, err := geo.Open(geo.Config{})
		if err != nil {
			return nil, err
		}
		cfg.Geo = db
	}
	position, err := cfg.Store.Position(ctx)
	if err != nil {
		return nil, fmt.Errorf("ingest: where the store stands: %w", err)
	}
	in := &Ingester{
		cfg:     cfg,
		log:     cfg.Logger,
		pending: make(chan struct{}, cfg.MaxPending),
		queue:   make(chan item, cfg.MaxPending),
		calls:   make(chan struct{}, maxGRPCCalls),
		start:   wal.Location(position),
		end:     cfg.Log.End(),

		flushLast: flushLast,
	}
	in.budget.free.Store(cfg.MaxBytes)
	in.applied.Store(&in.start)
	in.metrics = newMetrics(cfg.Metrics, in)
	return in, nil
}

// Applied is the position in the log that the store has reached: segments
// before it are needed for steps alone.
func (in *Ingester) Applied() wal.Location { return *in.applied.Load() }

// StoredUntil is the instant, at most now, before which every acknowledged run
// of this process is stored.
func (in *Ingester) StoredUntil() time.Time {
	now := time.Now()
	if since := in.open.oldest(); !since.IsZero() && since.Before(now) {
		return since.UTC()
	}
	return now.UTC()
}

// Unready says why runs cannot be taken, or why some that were acknowledged may
// not be seen by queries yet; empty when all is well.
func (in *Ingester) Unready() []string {
	var why []string
	if !in.caughtUp.Load() {
		why = append(why, "replaying the log after a restart")
	}
	if p := in.failing.Load(); p != nil {
		why = append(why, "the store does not take rows: "+*p)
	}
	// Only requests can tell that the log is well again, so do not keep them away.
	if f := in.unwritten.Load(); f != nil && time.Since(f.at) < forgiven {
		why = append(why, "runs are not taken: "+f.why)
	}
	if lag := time.Since(in.StoredUntil()); lag > lagging {
		why = append(why, fmt.Sprintf("acknowledged runs have waited %s for the store", lag.Round(time.Second)))
	}
	return why
}

// failure is what went wrong, and when.
type failure struct {
	why string
	at  time.Time
}

// request is a body as it came.
type request struct {
	wal.Record
	hold *hold
}

// reply is what the sender is told of a request that was taken.
type reply struct {
	rejected int64 // spans
	message  string
}

// item is an acknowledged request on its way to the store.
type item struct {
	decoded
	at    wal.Location
	token token
	hold  *hold
}

// decoded is what a body holds.
type decoded struct {
	rows    []*run.Run // enriched but for geo
	orphans []string
	spans   int
	size    int // of the decompressed body, in bytes
	reply   reply
	client  netip.Addr
}

// accept takes a request whose body is whole. When it returns without an error
// the runs are on disk. The caller releases req.hold.
func (in *Ingester) accept(req request) (reply, error) {
	d, err := in.decode(&req.Record, req.hold)
	if err != nil {
		return reply{}, err
	}
	if len(d.rows)+len(d.orphans) == 0 {
		in.metrics.taken(&d)
		return d.reply, nil
	}
	select {
	case in.pending <- struct{}{}:
	default:
		return reply{}, busy("%d requests wait for the store", in.cfg.MaxPending)
	}
	token := in.open.begin(in.cfg.Log)
	at, err := in.cfg.Log.Append(&req.Record)
	if err != nil {
		in.open.done(token)
		<-in.pending
		if in.unwritten.Swap(&failure{err.Error(), time.Now()}) == nil { // and not once for each request
			in.log.Error("requests not taken", "error", err)
		}
		return reply{}, unavailable("the log cannot be written")
	}
	if in.unwritten.Load() != nil && in.unwritten.Swap(nil) != nil {
		in.log.Info("requests are taken again")
	}
	in.metrics.taken(&d)
	in.queue <- item{decoded: d, at: at, token: token, hold: req.hold.move(d.weight())}
	return d.reply, nil
}

// About what a row takes in memory beside its strings, which are parts of the
// decompressed body, and an orphan on its way into the store.
const (
	rowBytes    = 2 << 10
	orphanBytes = 128
)

// weight is about how many bytes d keeps from being freed.
func (d *decoded) weight() int64 {
	return int64(d.size) + rowBytes*int64(len(d.rows)) + orphanBytes*int64(len(d.orphans))
}

// decode decompresses and decodes a body, and refuses runs that the store
// could not take. The rows' strings are parts of memory that the record does
// not share once it was compressed.
func (in *Ingester) decode(rec *wal.Record, h *hold) (decoded, error) {
	plain, err := plainOTLP(rec, in.cfg.MaxBody, h)
	if err != nil {
		return decoded{}, err
	}
	d := decoded{client: rec.ClientIP, size: len(plain)}
	var refused []string
	received := rec.ReceivedAt // not a pointer into rec, which would keep its body
	res, err := trace.Decode(plain, trace.Limits{}, func(r *run.Run) error {
		if err := in.check(r, received); err != nil {
			d.reply.rejected++
			refused = append(refused, err.Error())
			return nil
		}
		r.ReceivedAt = &received
		r.ClientIP = ""
		if rec.ClientIP.IsValid() {
			r.ClientIP = rec.ClientIP.String()
		}
		d.rows = append(d.rows, r)
		return nil
	})
	switch {
	case errors.Is(err, trace.ErrLimit):
		return decoded{}, tooLarge("%v", err)
	case err != nil:
		return decoded{}, invalid("%v", err)
	}
	for _, o := range res.Orphans {
		if _, err := run.IDTime(o.RunID); err == nil {
			d.orphans = append(d.orphans, o.RunID)
		}
	}
	d.spans = res.Spans
	d.reply.rejected += int64(res.Rejected)
	d.reply.message = joinMessages(slices.Concat(res.Messages, refused))
	return d, nil
}

// check refuses a run that the store could not take or would not keep. It
// decides by when the run was received, so that a replay decides alike.
func (in *Ingester) check(r *run.Run, received time.Time) error {
	if err := store.Check(r); err != nil {
		return err
	}
	switch age := received.Sub(r.StartedAt); {
	case age > in.cfg.MaxAge:
		return fmt.Errorf("run %s: started %s before it was received, at most %s is kept", r.RunID, age.Round(time.Second), in.cfg.MaxAge)
	case age < -MaxAhead:
		return fmt.Errorf("run %s: started %s after it was received: the agent's clock or the collector's is off", r.RunID, (-age).Round(time.Second))
	}
	return nil
}
