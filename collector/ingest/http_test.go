package ingest

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/firstframe/firstframe/collector/geo"
	"github.com/firstframe/firstframe/collector/wal"
	"github.com/firstframe/firstframe/probes/run"
)

func TestTaken(t *testing.T) {
	for _, kind := range []string{typeProto, typeJSON} {
		for _, encoding := range []string{"", codingGzip, codingZstd} {
			t.Run(kind+" "+encoding, func(t *testing.T) {
				r := newRig(t, nil)
				want := []run.Run{makeRun(3), makeRun(0)}
				body := marshal(t, want...)
				if kind == typeJSON {
					body = asJSON(t, body)
				}
				switch encoding {
				case codingGzip:
					body = gzipped(t, body)
				case codingZstd:
					body = zstded(t, body)
				}
				res, answer := r.post(body, "Content-Type", kind+"; charset=utf-8", "Content-Encoding", encoding)
				if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != kind {
					t.Fatalf("%s, %s: %s", res.Status, res.Header.Get("Content-Type"), answer)
				}
				checkExport(t, kind, answer, 0, "")
				// What was acknowledged is in the log as it came.
				rec, err := r.log.Read(wal.Location{Segment: 1, Offset: 20})
				if err != nil || !bytes.Equal(rec.Body, body) || rec.Encoding != encoding || rec.ContentType != kind {
					t.Errorf("log: %v, %d bytes, %q, %q", err, len(rec.Body), rec.Encoding, rec.ContentType)
				}
				r.until("both runs stored", func() bool { return r.store.len() == 2 })
				for _, w := range want {
					row, at, _ := r.store.get(w.RunID)
					steps, expired, err := Steps(r.log, w.RunID, at)
					if err != nil || expired {
						t.Fatal(err, expired)
					}
					w.CountryFrom, w.ClientIP = geo.FromClaimed, "127.0.0.1"
					if row.Run.ReceivedAt == nil || time.Since(*row.Run.ReceivedAt).Abs() > time.Minute {
						t.Errorf("received_at %v", row.Run.ReceivedAt)
					}
					got := *row.Run
					got.ReceivedAt, got.Steps = nil, steps
					if diff := cmp.Diff(w, got); diff != "" {
						t.Errorf("(-want +got):\n%s", diff)
					}
				}
			})
		}
	}
}

// checkExport reads an ExportTraceServiceResponse.
func checkExport(t *testing.T, kind string, answer []byte, rejected int64, message string) {
	t.Helper()
	res := ptraceotlp.NewExportResponse()
	read := res.UnmarshalProto
	if kind == typeJSON {
		read = res.UnmarshalJSON
	}
	if err := read(answer); err != nil {
		t.Fatal(err)
	}
	p := res.PartialSuccess()
	if p.RejectedSpans() != rejected || !strings.Contains(p.ErrorMessage(), message) || (message == "") != (p.ErrorMessage() == "") {
		t.Errorf("partial success: %d spans, %q; want %d, %q", p.RejectedSpans(), p.ErrorMessage(), rejected, message)
	}
}

// Hostile bodies are refused with a reason in the sender's own content type;
// nothing of them is kept, and others are served meanwhile.
func TestRefused(t *testing.T) {
	good := marshal(t, makeRun(2))
	short := good[:len(good)-7]
	for _, c := range []struct {
		name, kind, encoding string
		body                 []byte
		status               int
		code                 codes.Code
		text                 string
	}{
		{"no content type", "", "", good, 415, codes.InvalidArgument, "Content-Type"},
		{"text", "text/plain", "", good, 415, codes.InvalidArgument, "text/plain"},
		{"content type that is none", "a/b/c", "", good, 415, codes.InvalidArgument, "a/b/c"},
		{"unknown coding", typeProto, "br", good, 415, codes.InvalidArgument, "br"},
		{"two codings", typeProto, "gzip, gzip", good, 415, codes.InvalidArgument, "gzip, gzip"},
		{"truncated protobuf", typeProto, "", short, 400, codes.InvalidArgument, "malformed"},
		{"garbage", typeProto, "", []byte("\xff\xfe<html>"), 400, codes.InvalidArgument, "malformed"},
		{"protobuf called JSON", typeJSON, "", good, 400, codes.InvalidArgument, "malformed"},
		{"truncated JSON", typeJSON, "", []byte(`{"resourceSpans":[{`), 400, codes.InvalidArgument, "malformed"},
		{"deep JSON", typeJSON, "", []byte(strings.Repeat("[", 1<<20)), 413, codes.ResourceExhausted, "deep"},
		{"not gzip", typeProto, codingGzip, good, 400, codes.InvalidArgument, "gzip"},
		{"truncated gzip", typeProto, codingGzip, gzipped(t, good)[:40], 400, codes.InvalidArgument, "gzip"},
		{"gzip with a wrong checksum", typeProto, codingGzip, flip(gzipped(t, good), -8), 400, codes.InvalidArgument, "gzip"},
		{"truncated protobuf in gzip", typeProto, codingGzip, gzipped(t, short), 400, codes.InvalidArgument, "malformed"},
		{"not zstd", typeProto, codingZstd, good, 400, codes.InvalidArgument, "zstd"},
		{"truncated zstd", typeProto, codingZstd, zstded(t, good)[:40], 400, codes.InvalidArgument, "zstd"},
		{"65 MiB", typeProto, "", make([]byte, 65<<20), 413, codes.ResourceExhausted, "fewer runs"},
		{"gzip bomb", typeProto, codingGzip, bomb(t, codingGzip, 100), 413, codes.ResourceExhausted, "fewer runs"},
		{"zstd bomb", typeProto, codingZstd, bomb(t, codingZstd, 100), 413, codes.ResourceExhausted, "fewer runs"},
		{"gzip bomb of JSON", typeJSON, codingGzip, bomb(t, codingGzip, 100), 413, codes.ResourceExhausted, "fewer runs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			served := make(chan int)
			go func() {
				res, _ := r.postProto(marshal(t, makeRun(0)))
				served <- res.StatusCode
			}()
			if code := <-served; code != 200 {
				t.Errorf("another sender got %d", code)
			}
			r.until("the other's run stored", func() bool { return r.store.len() == 1 })
			before := r.log.End()
			res, answer := r.post(c.body, "Content-Type", c.kind, "Content-Encoding", c.encoding)
			if res.StatusCode != c.status {
				t.Errorf("status %d, want %d", res.StatusCode, c.status)
			}
			wantKind := typeProto
			if c.kind == typeJSON {
				wantKind = typeJSON
			}
			var s rpcstatus.Status
			var err error
			if wantKind == typeJSON {
				err = protojson.Unmarshal(answer, &s)
			} else {
				err = proto.Unmarshal(answer, &s)
			}
			if err != nil || res.Header.Get("Content-Type") != wantKind {
				t.Fatalf("answer in %s: %v", res.Header.Get("Content-Type"), err)
			}
			if codes.Code(s.Code) != c.code || !strings.Contains(s.Message, c.text) {
				t.Errorf("code %s, %q; want %s and %q", codes.Code(s.Code), s.Message, c.code, c.text)
			}
			if r.log.End() != before || r.store.len() != 1 {
				t.Error("something was kept")
			}
			if res.Header.Get("Retry-After") != "" {
				t.Error("asked to send the same again")
			}
			r.until("all bytes given back", func() bool { return r.budget.free.Load() == DefaultMaxBytes })
		})
	}
}

// flip spoils the byte at i from the end.
func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[len(b)+i] ^= 0xff
	return b
}

// A body without a length that does not end is cut off at the bound.
func TestEndless(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxBody = 1 << 20 })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url, zeros{})
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", typeProto)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Skipf("the connection was reset before the answer was read: %v", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d, want 413", res.StatusCode)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestPartialSuccess(t *testing.T) {
	other := ptraceotlp.NewExportRequest()
	span := other.Traces().ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID([16]byte{1})
	span.SetSpanID([8]byte{1})
	foreign, err := other.MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		body     []byte
		rejected int64
		text     string
		stored   int
	}{
		{"a run off its id's time", append(late(t, makeRun(0)), marshal(t, makeRun(0))...), 1, "run_id", 1},
		{"spans of somebody else", append(marshal(t, makeRun(0)), foreign...), 1, "scope", 1},
		{"nothing of ours", foreign, 1, "scope", 0},
		{"nothing at all", nil, 0, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			res, answer := r.postProto(c.body)
			if res.StatusCode != http.StatusOK {
				t.Fatal(res.Status)
			}
			checkExport(t, typeProto, answer, c.rejected, c.text)
			r.stop()
			if n := r.store.len(); n != c.stored {
				t.Errorf("%d runs stored, want %d", n, c.stored)
			}
			if c.stored == 0 && r.log.Stats().Segments > 0 {
				t.Error("a body without runs is in the log")
			}
		})
	}
}

func TestDuplicatesCountOnce(t *testing.T) {
	r := newRig(t, nil)
	body := gzipped(t, marshal(t, makeRun(1), makeRun(1)))
	for range 5 {
		if res, _ := r.post(body, "Content-Type", typeProto, "Content-Encoding", codingGzip); res.StatusCode != 200 {
			t.Fatal(res.Status)
		}
	}
	r.stop()
	if n := r.store.len(); n != 2 || r.store.doubled != 8 {
		t.Errorf("%d runs stored, %d seen again; want 2 and 8", n, r.store.doubled)
	}
	if got := counted(t, r.metrics.storedRuns.WithLabelValues("BR", "cdn-b", "4.1.3", "news")); got != 2 {
		t.Errorf("firstframe_runs_total %v, want 2", got)
	}
	if got := counted(t, r.metrics.duplicates); got != 8 {
		t.Errorf("duplicates %v, want 8", got)
	}
}

// The steps of a run come together, in whatever order and requests its spans
// were sent.
func TestSpansApart(t *testing.T) {
	for _, rootFirst := range []bool{true, false} {
		r := newRig(t, nil)
		want := makeRun(4)
		root, rest := apart(t, marshal(t, want))
		bodies := [][]byte{root, rest, rest} // the steps twice
		if !rootFirst {
			bodies = [][]byte{rest, root}
		}
		for _, b := range bodies {
			if res, answer := r.postProto(b); res.StatusCode != 200 {
				t.Fatalf("%s %s", res.Status, answer)
			}
		}
		r.stop()
		_, at, ok := r.store.get(want.RunID)
		if !ok || len(at) != len(bodies) {
			t.Fatalf("run stored: %t, at %v", ok, at)
		}
		steps, expired, err := Steps(r.log, want.RunID, at)
		if err != nil || expired {
			t.Fatal(err, expired)
		}
		if diff := cmp.Diff(want.Steps, steps); diff != "" {
			t.Errorf("root first %t (-want +got):\n%s", rootFirst, diff)
		}
		// Whoever sends a run's spans a hundred times does not hide it.
		again, _, err := Steps(r.log, want.RunID, slices.Repeat(at, 50))
		if diff := cmp.Diff(want.Steps, again); err != nil || diff != "" {
			t.Errorf("root first %t, many bodies: %v (-want +got):\n%s", rootFirst, err, diff)
		}
	}
}

// A sender that stops in the middle of a body gets an answer and leaves nothing.
func TestSlowBody(t *testing.T) {
	r := newRig(t, nil)
	server := &http.Server{Handler: r.Ingester, ReadTimeout: 100 * time.Millisecond}
	url := serve(t, server)
	pr, pw := io.Pipe()
	defer pw.Close()
	go pw.Write([]byte("\n"))
	res, err := http.Post(url, typeProto, pr)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestTimeout || res.Header.Get("Retry-After") == "" {
		t.Errorf("%s, Retry-After %q; want 408 with one", res.Status, res.Header.Get("Retry-After"))
	}
}
