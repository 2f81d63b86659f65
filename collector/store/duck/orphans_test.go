package duck_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/collector/store/duck"
	"github.com/firstframe/firstframe/collector/store/storetest"
	"github.com/firstframe/firstframe/probes/run"
)

// Steps without roots, of which one request may hold 250 000, must not keep the
// rows behind them waiting.
func TestManyOrphans(t *testing.T) {
	s := open(t, duck.Config{Dir: t.TempDir()})
	r := storetest.Runs(1, 1, time.Now(), time.Hour)[0]
	orphans := make([]store.OrphanSpans, 20_000)
	for i := range orphans {
		orphans[i] = store.OrphanSpans{TraceID: run.NewID(time.Now()), At: store.Location{Segment: 1, Offset: int64(i)}}
	}
	last := store.Location{Segment: 1, Offset: 12_345}
	orphans[12_345].TraceID = r.RunID
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	at := store.Location{Segment: 1, Offset: 7}
	if _, err := s.Append(ctx, []store.Row{{Run: r, At: at}}, orphans, store.Location{Segment: 2}); err != nil {
		t.Fatalf("%d orphans within 10 s: %v", len(orphans), err)
	}
	_, places, err := s.Run(t.Context(), r.RunID)
	if err != nil || !slices.Equal(places, []store.Location{at, last}) {
		t.Errorf("places %v, %v; want %v and %v", places, err, at, last)
	}
}

// A request of steps without roots costs the store no more than one of runs.
func BenchmarkOrphans(b *testing.B) {
	s := open(b, duck.Config{Dir: b.TempDir()})
	orphans := make([]store.OrphanSpans, 10_000)
	for i := range orphans {
		orphans[i] = store.OrphanSpans{TraceID: run.NewID(time.Now()), At: store.Location{Segment: 1, Offset: int64(i)}}
	}
	for b.Loop() {
		if _, err := s.Append(b.Context(), nil, orphans, store.Location{Segment: 2}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(orphans)), "ns/orphan")
}
