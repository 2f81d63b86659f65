package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.uber.org/goleak"

	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/collector/wal"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/trace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a store in memory for what this package asks of one: it takes rows
// once, remembers the position, and can be made to fail or to wait.
type memory struct {
	store.Store // for the methods that are not asked for

	mu       sync.Mutex
	rows     map[string]store.Row
	orphans  map[string][]store.Location
	position store.Location
	doubled  int
	fail     error
	failLate error         // once, after the rows are stored
	most     int           // rows of the largest Append
	gate     chan struct{} // when not nil, Append waits until it is closed
}

func newMemory() *memory {
	return &memory{rows: map[string]store.Row{}, orphans: map[string][]store.Location{}}
}

func (m *memory) set(fail error, gate chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail, m.gate = fail, gate
}

func (m *memory) Append(ctx context.Context, rows []store.Row, orphans []store.OrphanSpans, next store.Location) (int, error) {
	m.mu.Lock()
	gate := m.gate
	m.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return 0, m.fail
	}
	added := 0
	for _, r := range rows {
		if err := store.Check(r.Run); err != nil {
			return 0, err
		}
		if _, ok := m.rows[r.Run.RunID]; ok {
			m.doubled++
			continue
		}
		m.rows[r.Run.RunID] = r
		added++
	}
	for _, o := range orphans {
		m.orphans[o.TraceID] = append(m.orphans[o.TraceID], o.At)
	}
	m.most = max(m.most, len(rows))
	if err := m.failLate; err != nil {
		m.failLate = nil
		return added, err
	}
	m.position = next
	return added, nil
}

func (m *memory) Position(context.Context) (store.Location, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.position, nil
}

func (m *memory) get(id string) (store.Row, []store.Location, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.rows[id]
	return r, append([]store.Location{r.At}, m.orphans[id]...), ok
}

func (m *memory) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.rows)
}

// rig is an Ingester that runs, behind a real server.
type rig struct {
	*Ingester
	t     testing.TB
	log   *wal.Log
	store *memory
	url   string
	stop  func() // ends the writer as a process that is told to end does
}

func newRig(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	log, err := wal.Open(t.TempDir(), wal.Config{})
	if err != nil {
		t.Fatal(err)
	}
	m := newMemory()
	r := start(t, log, m, change)
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

func start(t testing.TB, log *wal.Log, m *memory, change func(*Config)) *rig {
	t.Helper()
	cfg := Config{Log: log, Store: m, Flush: 2 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	in, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	in.flushLast = 500 * time.Millisecond
	server := httptest.NewServer(in)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		server.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &rig{Ingester: in, t: t, log: log, store: m, url: server.URL, stop: stop}
}

// post sends a body; headers are pairs.
func (r *rig) post(body []byte, headers ...string) (*http.Response, []byte) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.url, bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		r.t.Fatal(err)
	}
	return res, b.Bytes()
}

func (r *rig) postProto(body []byte) (*http.Response, []byte) {
	r.t.Helper()
	return r.post(body, "Content-Type", typeProto)
}

// until waits until ok holds.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			r.t.Fatalf("after 20 s still not: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func makeRun(steps int) run.Run {
	at := time.Now().UTC()
	r := run.Run{
		RunID: run.NewID(at), StartedAt: at, DurationMs: 812.5, Source: run.SourceFleet, Agent: "sao-1", Country: "BR",
		Target: "news", CDN: "cdn-b", AppVersion: "4.1.3", ThresholdMs: 2000, OK: true, Good: true,
	}
	for i := range steps {
		r.Steps = append(r.Steps, run.Step{Name: run.StepSegment, URL: fmt.Sprintf("https://b.example/%d.ts", i),
			Attempt: 1, StartMs: float64(i), EndMs: float64(i) + 0.5, Status: 200})
	}
	return r
}

func marshal(t testing.TB, runs ...run.Run) []byte {
	t.Helper()
	var all []byte
	for _, r := range runs {
		b, err := trace.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

func asJSON(t testing.TB, body []byte) []byte {
	t.Helper()
	req := ptraceotlp.NewExportRequest()
	if err := req.UnmarshalProto(body); err != nil {
		t.Fatal(err)
	}
	text, err := req.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func gzipped(t testing.TB, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstded(t testing.TB, body []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(body, nil)
}

// bomb is megabytes of zeros, compressed.
func bomb(t testing.TB, encoding string, megabytes int) []byte {
	t.Helper()
	var b bytes.Buffer
	var w interface {
		Write([]byte) (int, error)
		Close() error
	}
	if encoding == codingGzip {
		w = gzip.NewWriter(&b)
	} else {
		z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		w = z
	}
	zeros := make([]byte, 1<<20)
	for range megabytes {
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// late is r sent with a started_at an hour off its id's time, which an encoder
// of ours would refuse.
func late(t testing.TB, r run.Run) []byte {
	t.Helper()
	req := ptraceotlp.NewExportRequest()
	if err := req.UnmarshalProto(marshal(t, r)); err != nil {
		t.Fatal(err)
	}
	root := req.Traces().ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	root.Attributes().PutStr("firstframe.started_at", r.StartedAt.Add(-time.Hour).Format(time.RFC3339Nano))
	b, err := req.MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// apart splits a request of one run into its root and its other spans.
func apart(t testing.TB, body []byte) (root, rest []byte) {
	t.Helper()
	part := func(keepRoot bool) []byte {
		req := ptraceotlp.NewExportRequest()
		if err := req.UnmarshalProto(body); err != nil {
			t.Fatal(err)
		}
		for _, rs := range req.Traces().ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				ss.Spans().RemoveIf(func(s ptrace.Span) bool { return s.ParentSpanID().IsEmpty() != keepRoot })
			}
		}
		b, err := req.MarshalProto()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return part(true), part(false)
}

var errNo = errors.New("no room")
