package ingest

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"pgregory.net/rapid"

	"github.com/firstframe/firstframe/collector/wal"
	"github.com/firstframe/firstframe/probes/run"
)

func counted(t testing.TB, c prometheus.Metric) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

func serve(t *testing.T, s *http.Server) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
	return "http://" + l.Addr().String()
}

// A store that hangs delays no acknowledgement until a bound is reached; then
// senders are told to come again, and nothing that was acknowledged is lost.
func TestHangingStore(t *testing.T) {
	for _, c := range []struct {
		name  string
		bound func(*Config)
	}{
		{"requests", func(c *Config) { c.MaxPending = 5 }},
		{"bytes", func(c *Config) { c.MaxBytes = 64 << 10 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.bound)
			gate := make(chan struct{})
			r.store.set(nil, gate)
			acked := 0
			var refused *http.Response
			for range 200 {
				res, _ := r.postProto(marshal(t, makeRun(0)))
				if res.StatusCode != 200 {
					refused = res
					break
				}
				acked++
			}
			if refused == nil || refused.StatusCode != http.StatusServiceUnavailable || refused.Header.Get("Retry-After") == "" {
				t.Fatalf("after %d acknowledged: %+v; want 503 with Retry-After", acked, refused)
			}
			if acked < 5 {
				t.Errorf("%d acknowledged while the store hung, want at least 5", acked)
			}
			close(gate)
			r.until("all stored", func() bool { return r.store.len() == acked })
			r.until("taken again", func() bool {
				res, _ := r.postProto(marshal(t, makeRun(0)))
				return res.StatusCode == 200
			})
		})
	}
}

func TestFailingStore(t *testing.T) {
	r := newRig(t, nil)
	r.until("caught up", func() bool { return len(r.Unready()) == 0 })
	r.store.set(errNo, nil)
	if res, _ := r.postProto(marshal(t, makeRun(0))); res.StatusCode != 200 {
		t.Fatal(res.Status)
	}
	r.until("unready", func() bool { return strings.Contains(strings.Join(r.Unready(), " "), "no room") })
	r.store.set(nil, nil)
	r.until("stored and ready", func() bool { return r.store.len() == 1 && len(r.Unready()) == 0 })
}

// What was acknowledged and not stored when a process ends is stored by the
// next one, from the log.
func TestReplay(t *testing.T) {
	log, err := wal.Open(t.TempDir(), wal.Config{SegmentBytes: 8 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	m := newMemory()
	first := start(t, log, m, nil)
	want := map[string]bool{}
	send := func(r *rig, n int) {
		for range n {
			x := makeRun(1)
			want[x.RunID] = true
			if res, _ := r.postProto(marshal(t, x)); res.StatusCode != 200 {
				t.Fatal(res.Status)
			}
		}
	}
	send(first, 20)
	first.until("stored", func() bool { return m.len() == 20 })
	m.set(nil, make(chan struct{})) // never opened: the store hangs until the end
	send(first, 30)
	// A crash: the writer's last flush comes to nothing.
	m.set(errNo, nil)
	first.stop()
	if n := m.len(); n != 20 {
		t.Fatalf("%d runs stored before the end, want 20", n)
	}
	m.set(nil, nil)
	second := start(t, log, m, nil)
	send(second, 5)
	second.until("caught up", func() bool { return len(second.Unready()) == 0 && m.len() == len(want) })
	second.stop()
	for id := range want {
		if _, _, ok := m.get(id); !ok {
			t.Errorf("run %s is missing", id)
		}
	}
	// All is stored, so a third has nothing to do.
	third := start(t, log, m, nil)
	third.until("caught up", func() bool { return len(third.Unready()) == 0 })
	third.stop()
	if third.Applied().Compare(log.End()) != 0 || m.doubled > 30 {
		t.Errorf("position %v, end %v, %d rows stored again", third.Applied(), log.End(), m.doubled)
	}
}

// A spoilt body costs itself alone; a log that cannot be read is an error, not
// an empty one.
func TestReplaySpoilt(t *testing.T) {
	dir := t.TempDir()
	log, err := wal.Open(dir, wal.Config{SegmentBytes: 1 << 10}) // a segment per body
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for range 3 {
		if _, err := log.Append(&wal.Record{ReceivedAt: time.Now(), ContentType: typeProto, Body: marshal(t, makeRun(2))}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "0000000000000002.log")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, flip(b, -5), 0o600); err != nil {
		t.Fatal(err)
	}
	m := newMemory()
	r := start(t, log, m, nil)
	r.until("caught up", func() bool { return len(r.Unready()) == 0 })
	r.stop()
	if m.len() != 2 || counted(t, r.metrics.lost) != 1 {
		t.Errorf("%d runs stored, %v bodies lost; want 2 and 1", m.len(), counted(t, r.metrics.lost))
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil { // it opens, but cannot be read
		t.Fatal(err)
	}
	in, err := New(t.Context(), Config{Log: log, Store: newMemory()})
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Run(t.Context()); err == nil || len(in.Unready()) == 0 {
		t.Errorf("log that cannot be read: %v, unready %v", err, in.Unready())
	}
}

// The position never passes a request that is appended and not yet stored.
func TestTrackerPosition(t *testing.T) {
	log, err := wal.Open(t.TempDir(), wal.Config{SegmentBytes: 2 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	rapid.Check(t, func(t *rapid.T) {
		var tr tracker
		type open struct {
			token token
			at    wal.Location
		}
		var waiting []open
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				k := tr.begin(log)
				others := rapid.IntRange(0, 2).Draw(t, "appended in between")
				for range others {
					if _, err := log.Append(&wal.Record{Body: make([]byte, 300)}); err != nil {
						t.Fatal(err)
					}
				}
				at, err := log.Append(&wal.Record{Body: make([]byte, 300)})
				if err != nil {
					t.Fatal(err)
				}
				waiting = append(waiting, open{k, at})
			},
			"store": func(t *rapid.T) {
				if len(waiting) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(waiting)-1).Draw(t, "which")
				tr.position(log, waiting[i].token)
				if rapid.Bool().Draw(t, "stored already") {
					tr.done(waiting[i].token)
				}
				waiting = append(waiting[:i], waiting[i+1:]...)
			},
			"": func(t *rapid.T) {
				p := tr.position(log)
				for _, w := range waiting {
					if w.at.Compare(p) < 0 {
						t.Fatalf("position %v is past %v", p, w.at)
					}
				}
				if len(waiting) == 0 && p != log.End() {
					t.Fatalf("position %v, nothing waits before the end %v", p, log.End())
				}
			},
		})
	})
}

func TestSeriesAreBounded(t *testing.T) {
	m := newMetrics(nil, &Ingester{})
	for i := range maxSeries + 10 {
		m.count(&run.Run{Target: "t" + strings.Repeat("x", i%7) + time.Duration(i).String(), Good: i%2 == 0})
	}
	if got := counted(t, m.storedRuns.WithLabelValues("other", "other", "other", "other")); got != 10 {
		t.Errorf("%v runs in the overflow, want 10", got)
	}
	if got := counted(t, m.goodRuns.WithLabelValues("other", "other", "other", "other")); got != 5 {
		t.Errorf("%v good runs in the overflow, want 5", got)
	}
}

func TestRecentForgets(t *testing.T) {
	var s recent
	at := time.Now()
	first := run.NewID(at)
	if !s.add(first) || s.add(first) {
		t.Error("a first id is new once")
	}
	for range 2 * maxRecent {
		s.add(run.NewID(at))
	}
	if len(s.now)+len(s.before) > 2*maxRecent {
		t.Errorf("%d ids are kept", len(s.now)+len(s.before))
	}
}

// Many senders at once, each acknowledged run is stored exactly once.
func TestConcurrentSenders(t *testing.T) {
	r := newRig(t, nil)
	const senders, each = 16, 20
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for range each {
				if res, _ := r.postProto(marshal(t, makeRun(1), makeRun(0))); res.StatusCode != 200 {
					t.Error(res.Status)
				}
			}
		})
	}
	wg.Wait()
	r.stop()
	if n := r.store.len(); n != 2*senders*each || r.store.doubled != 0 {
		t.Errorf("%d runs stored, %d twice; want %d", n, r.store.doubled, 2*senders*each)
	}
	if p, _ := r.store.Position(context.Background()); wal.Location(p) != r.log.End() {
		t.Errorf("position %v, want the end %v", p, r.log.End())
	}
	if free := r.budget.free.Load(); free != DefaultMaxBytes {
		t.Errorf("%d bytes are still held", DefaultMaxBytes-free)
	}
}
