package ingest

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/firstframe/firstframe/collector/wal"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/trace"
)

// FuzzDecode feeds any body in any coding: it is taken or refused with a 4xx,
// and the bytes that it was given memory for come back.
func FuzzDecode(f *testing.F) {
	good := marshal(f, makeRun(2))
	for i, b := range [][]byte{good, asJSON(f, good), gzipped(f, good), zstded(f, good), good[:60], gzipped(f, good)[:60], nil} {
		f.Add(b, uint8(i))
	}
	kinds := []wal.Record{
		{ContentType: typeProto}, {ContentType: typeJSON}, {ContentType: typeProto, Encoding: codingGzip},
		{ContentType: typeProto, Encoding: codingZstd}, {ContentType: typeJSON, Encoding: codingZstd},
	}
	f.Fuzz(func(t *testing.T, body []byte, kind uint8) {
		in := &Ingester{cfg: Config{MaxBody: 1 << 20}}
		in.budget.free.Store(16 << 20)
		h := &hold{of: &in.budget}
		rec := kinds[int(kind)%len(kinds)]
		rec.Body = body
		d, err := in.decode(&rec, h)
		var r *refusal
		if err != nil && (!errors.As(err, &r) || r.http/100 != 4) {
			t.Fatalf("%v is no 4xx", err)
		}
		if err == nil && len(d.rows) > d.spans {
			t.Fatalf("%d rows of %d spans", len(d.rows), d.spans)
		}
		h.release()
		if free := in.budget.free.Load(); free != 16<<20 {
			t.Fatalf("%d bytes not given back", 16<<20-free)
		}
	})
}

// cpu is the time that this process has computed, user and system, in ns.
func cpu(b *testing.B) int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkIngest is the cost of requests of 20 runs of 9 spans, in CPU time per
// span: decoding them alone, and all that happens until the store has them.
func BenchmarkIngest(b *testing.B) {
	const spans = 20 * 10
	runs := make([]run.Run, 20)
	for i := range runs {
		runs[i] = makeRun(9)
	}
	plain := marshal(b, runs...)
	body := gzipped(b, plain)
	b.Run("decode", func(b *testing.B) {
		began := cpu(b)
		for b.Loop() {
			if res, err := trace.Decode(plain, trace.Limits{}, func(*run.Run) error { return nil }); err != nil || res.Spans != spans {
				b.Fatal(err, res.Spans)
			}
		}
		b.ReportMetric(float64(cpu(b)-began)/float64(b.N*spans), "cpu-ns/span")
	})
	b.Run("decompress and decode", func(b *testing.B) {
		in := &Ingester{cfg: Config{MaxBody: DefaultMaxBody}}
		began := cpu(b)
		for b.Loop() {
			if _, err := in.decode(&wal.Record{Body: body, Encoding: codingGzip, ContentType: typeProto}, nil); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(cpu(b)-began)/float64(b.N*spans), "cpu-ns/span")
	})
	b.Run("whole", func(b *testing.B) {
		r := newRig(b, nil)
		began := cpu(b)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				req := httptest.NewRequest(http.MethodPost, "/v1/traces", bytes.NewReader(body))
				req.Header.Set("Content-Type", typeProto)
				req.Header.Set("Content-Encoding", codingGzip)
				w := httptest.NewRecorder()
				r.ServeHTTP(w, req)
				if w.Code != http.StatusOK {
					b.Error(w.Code)
				}
			}
		})
		b.StopTimer()
		r.stop() // stores what is queued
		b.ReportMetric(float64(cpu(b)-began)/float64(b.N*spans), "cpu-ns/span")
	})
}
