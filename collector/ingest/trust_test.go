package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/firstframe/firstframe/collector/wal"
	"github.com/firstframe/firstframe/probes/run"
)

// A log that takes nothing is told to every sender, to those who ask for
// readiness, and to the operator once.
func TestFailingLog(t *testing.T) {
	var text bytes.Buffer
	r := newRig(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&text, nil)) })
	r.until("ready", func() bool { return len(r.Unready()) == 0 })
	if err := r.log.Close(); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		res, _ := r.postProto(marshal(t, makeRun(0)))
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s; want 503 with Retry-After", res.Status)
		}
	}
	if why := fmt.Sprint(r.Unready()); !strings.Contains(why, "runs are not taken") {
		t.Errorf("ready in spite of it: %s", why)
	}
	r.stop()
	if n := strings.Count(text.String(), "requests not taken"); n != 1 {
		t.Errorf("told %d times:\n%s", n, &text)
	}
}

// While the store hangs, answers are said to be complete until just before the
// first run that it has not taken, and until now once it has.
func TestStoredUntil(t *testing.T) {
	r := newRig(t, nil)
	gate := make(chan struct{})
	r.store.set(nil, gate)
	before := time.Now()
	r.postProto(marshal(t, makeRun(0)))
	acknowledged := time.Now()
	r.until("some time has passed", func() bool { return time.Since(acknowledged) > 20*time.Millisecond })
	r.postProto(marshal(t, makeRun(0)))
	if at := r.StoredUntil(); at.Before(before.Truncate(0)) || at.After(acknowledged) {
		t.Errorf("stored until %s, want one from %s to %s", at, before, acknowledged)
	}
	close(gate)
	r.until("stored until now", func() bool { return time.Since(r.StoredUntil()) < 10*time.Millisecond })
}

// A run from another age is refused and said so, for each day that runs start
// in is a file of the store.
func TestAge(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxAge = 30 * 24 * time.Hour })
	for _, c := range []struct {
		name  string
		start time.Duration // from now
		taken bool
	}{
		{"too old", -31 * 24 * time.Hour, false},
		{"old", -29 * 24 * time.Hour, true},
		{"a clock that is fast", 23 * time.Hour, true},
		{"the day after tomorrow", 48 * time.Hour, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			one := makeRun(1)
			one.StartedAt = time.Now().Add(c.start).UTC()
			one.RunID = run.NewID(one.StartedAt)
			res, answer := r.postProto(marshal(t, one))
			if res.StatusCode != http.StatusOK || bytes.Contains(answer, []byte(one.RunID)) == c.taken {
				t.Errorf("%s %q", res.Status, answer)
			}
			if !c.taken {
				return
			}
			r.until("stored", func() bool { _, _, ok := r.store.get(one.RunID); return ok })
		})
	}
	if n := r.store.len(); n != 2 {
		t.Errorf("%d runs stored, want 2", n)
	}
}

// A replay holds no more bodies in memory than the requests of a running
// process may.
func TestReplayIsBounded(t *testing.T) {
	log, err := wal.Open(t.TempDir(), wal.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	const bodies = 100
	for range bodies {
		rec := wal.Record{ReceivedAt: time.Now(), ContentType: typeProto, Body: marshal(t, makeRun(20))}
		if _, err := log.Append(&rec); err != nil {
			t.Fatal(err)
		}
	}
	m := newMemory()
	r := start(t, log, m, func(c *Config) { c.MaxBytes = 256 << 10 })
	defer r.stop()
	r.until("replayed", func() bool { return m.len() == bodies })
	if m.most > bodies/4 {
		t.Errorf("%d of %d bodies of more than 2 KiB stored at once, with 256 KiB in all", m.most, bodies)
	}
}

// Rows that the store took before it failed count once, and count.
func TestCountedAfterFailure(t *testing.T) {
	reg := prometheus.NewRegistry()
	r := newRig(t, func(c *Config) { c.Metrics = reg })
	r.store.mu.Lock()
	r.store.failLate = errors.New("no position")
	r.store.mu.Unlock()
	r.postProto(marshal(t, makeRun(0), makeRun(0)))
	r.until("the position is stored", func() bool { p, _ := r.store.Position(t.Context()); return p.Segment > 0 })
	r.until("counted", func() bool { return len(r.Unready()) == 0 && total(t, reg, "firstframe_runs_total") > 0 })
	if n, doubled := total(t, reg, "firstframe_runs_total"), total(t, reg, "firstframe_ingest_duplicate_runs_total"); n != 2 || doubled != 0 {
		t.Errorf("%v runs counted, %v duplicates; want 2 and 0", n, doubled)
	}
}

// total is the sum of a counter over its labels.
func total(t *testing.T, reg *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}
