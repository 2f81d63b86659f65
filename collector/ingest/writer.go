package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firstframe/firstframe/collector/geo"
	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/collector/wal"
)

// The waits of the writer.
const (
	retryFirst = 100 * time.Millisecond
	retryMost  = 10 * time.Second
	flushLast  = 5 * time.Second // for what is queued when Run is told to end
)

// batch is what goes into the store at once.
type batch struct {
	rows    []store.Row
	orphans []store.OrphanSpans
	tokens  []token
	holds   []*hold // one per body that came through the queue
	bytes   int64   // of memory that rows and orphans keep from being freed, about
}

// full tells a batch that is stored without waiting further.
func (in *Ingester) full(b *batch) bool {
	return len(b.rows)+len(b.orphans) >= in.cfg.MaxBatch || b.bytes >= in.cfg.MaxBytes/4
}

// Run replays what an earlier process left in the log, then moves rows from the
// queue into the store until ctx ends, and returns once what was queued by
// then is stored, or 5 s later: the rest is replayed by the next process. It
// fails when the log cannot be replayed. It must be called once, and no request
// may come in after ctx has ended.
func (in *Ingester) Run(ctx context.Context) error {
	if err := in.replay(ctx); err != nil {
		return err
	}
	if ctx.Err() == nil {
		in.caughtUp.Store(true)
	}
	var b batch
	for ctx.Err() == nil {
		in.collect(ctx, &b)
		in.flush(ctx, &b)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), in.flushLast)
	defer cancel()
	in.drain(&b)
	if in.caughtUp.Load() { // else the position must not pass what was not replayed
		in.flush(last, &b)
	}
	return nil
}

// collect waits for a first item, and then for more until the batch is full or
// has waited long enough.
func (in *Ingester) collect(ctx context.Context, b *batch) {
	select {
	case <-ctx.Done():
		return
	case it := <-in.queue:
		in.add(b, it)
	}
	wait := time.NewTimer(in.cfg.Flush)
	defer wait.Stop()
	for !in.full(b) {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
			return
		case it := <-in.queue:
			in.add(b, it)
		}
	}
}

// drain takes what is queued without waiting.
func (in *Ingester) drain(b *batch) {
	for {
		select {
		case it := <-in.queue:
			in.add(b, it)
		default:
			return
		}
	}
}

// add takes an item over from the queue.
func (in *Ingester) add(b *batch, it item) {
	<-in.pending
	in.fill(b, &it.decoded, it.at)
	b.tokens = append(b.tokens, it.token)
	b.holds = append(b.holds, it.hold)
}

// fill enriches the rows of one body.
func (in *Ingester) fill(b *batch, d *decoded, at wal.Location) {
	from := geo.Origin{Seen: in.cfg.Geo.Locate(d.client)}
	for _, r := range d.rows {
		if in.cfg.Geo.Enrich(r, from) {
			in.metrics.mismatches.Inc()
		}
		b.rows = append(b.rows, store.Row{Run: r, At: store.Location(at)})
	}
	b.bytes += d.weight()
	for _, id := range d.orphans {
		b.orphans = append(b.orphans, store.OrphanSpans{TraceID: id, At: store.Location(at)})
	}
}

// flush stores the batch, and then empties it.
func (in *Ingester) flush(ctx context.Context, b *batch) {
	if len(b.holds) == 0 {
		return
	}
	if !in.store(ctx, b, in.open.position(in.cfg.Log, b.tokens...)) {
		return
	}
	in.open.done(b.tokens...)
	for _, h := range b.holds {
		h.release()
	}
	clear(b.rows)
	clear(b.holds)
	*b = batch{rows: b.rows[:0], orphans: b.orphans[:0], tokens: b.tokens[:0], holds: b.holds[:0]}
}

// store hands the batch to the store until that takes it or ctx ends.
func (in *Ingester) store(ctx context.Context, b *batch, next wal.Location) bool {
	added := 0 // by tries that failed in the end too
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		began := time.Now()
		n, err := in.cfg.Store.Append(ctx, b.rows, b.orphans, store.Location(next))
		added += n
		if err == nil {
			in.failing.Store(nil)
			in.applied.Store(&next)
			in.metrics.stored(b.rows, added, &in.recent, time.Since(began))
			return true
		}
		if ctx.Err() != nil {
			in.log.Warn("rows not stored before the end; they are replayed from the log at the next start",
				"rows", len(b.rows), "error", err)
			return false
		}
		why := err.Error()
		if in.failing.Swap(&why) == nil {
			in.log.Error("rows not stored; trying again", "rows", len(b.rows), "error", err)
		}
		in.metrics.storeErrors.Inc()
		pause(ctx, wait)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// replay stores what is in the log between the store's position and where this
// process began to append. A body that the disk has spoilt is reported and
// passed over: it would be no better the next time. It fails when the log
// cannot be read, for to go on would be to forget what was acknowledged.
func (in *Ingester) replay(ctx context.Context) error {
	var b batch
	next := in.start
	bodies, lost := 0, 0
	for e, err := range in.cfg.Log.From(in.start) {
		if err != nil && !errors.Is(err, wal.ErrCorrupt) {
			return fmt.Errorf("ingest: %w", err)
		}
		if ctx.Err() != nil || err == nil && e.At.Compare(in.end) >= 0 {
			break
		}
		next = e.Next
		if err == nil {
			err = in.again(&b, &e)
		}
		if err != nil {
			lost++
			in.log.Error("body in the log passed over", "at", e.At.String(), "error", err)
			continue
		}
		bodies++
		if in.full(&b) {
			if !in.store(ctx, &b, next) {
				return nil
			}
			b = batch{}
		}
	}
	if ctx.Err() == nil && len(b.rows)+len(b.orphans) > 0 && !in.store(ctx, &b, next) {
		return nil
	}
	in.metrics.lost.Add(float64(lost))
	if bodies+lost > 0 {
		in.log.Info("log replayed", "from", in.start.String(), "to", next.String(), "bodies", bodies, "passed_over", lost)
	}
	return nil
}

// again fills the batch from a body in the log.
func (in *Ingester) again(b *batch, e *wal.Entry) error {
	e.Body = bytes.Clone(e.Body) // rows outlive the step
	d, err := in.decode(&e.Record, nil)
	if err == nil {
		in.fill(b, &d, e.At)
	}
	return err
}
