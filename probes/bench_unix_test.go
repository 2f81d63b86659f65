//go:build unix

package probes_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes"
)

// BenchmarkProbe compares a run with a bare loop of net/http that gets the same
// bytes in the same order, both with a cold connection and the same TLS, taking
// turns, one server and one process for all: cpu-ratio and allocs-ratio are the
// run's against the loop's, the server's part being in both. With HTTP/1.1 and
// separate audio the run's requests go beside one another, as a player's do, and
// so over several connections, where the loop's have one.
func BenchmarkProbe(b *testing.B) {
	for _, path := range []string{"/ts/master.m3u8", "/cmaf/master.m3u8"} {
		for _, version := range []string{"1.1", "2"} {
			b.Run(path[1:]+"/HTTP "+version, func(b *testing.B) {
				srv := server(b, lab(nil))
				s := spec(srv.URL+path, "ideal", version)
				first := must(b, probes.Probe(context.Background(), s))
				var urls []string
				for _, step := range first.Steps {
					if !step.IsWait() {
						urls = append(urls, step.URL)
					}
				}
				var ours, theirs cost
				for b.Loop() {
					ours.add(func() {
						if r := probes.Probe(context.Background(), s); r.Bytes != first.Bytes || !r.OK {
							b.Fatalf("%d bytes, %s", r.Bytes, r.ErrorDetail)
						}
					})
					theirs.add(func() {
						if n := bare(b, urls, version); n != first.Bytes {
							b.Fatalf("%d bytes, want %d", n, first.Bytes)
						}
					})
				}
				n := float64(b.N)
				b.ReportMetric(ours.cpu.Seconds()*1e6/n, "cpu-µs/run")
				b.ReportMetric(float64(ours.allocs)/n, "allocs/run")
				b.ReportMetric(float64(ours.bytes)/n/1024, "KiB/run")
				b.ReportMetric(float64(ours.cpu)/float64(theirs.cpu), "cpu-ratio")
				b.ReportMetric(float64(ours.allocs)/float64(theirs.allocs), "allocs-ratio")
				b.ReportMetric(float64(ours.bytes)/float64(theirs.bytes), "bytes-ratio")
			})
		}
	}
}

// bare gets the URLs one after another with a client of its own.
func bare(b *testing.B, urls []string, version string) (n int64) {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(version == "1.1")
	protocols.SetHTTP2(version == "2")
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: protocols, DisableCompression: true}
	defer transport.CloseIdleConnections()
	for _, u := range urls {
		resp, err := (&http.Client{Transport: transport}).Get(u)
		if err != nil {
			b.Fatal(err)
		}
		got, err := io.Copy(io.Discard, resp.Body)
		if err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
		n += got
	}
	return n
}

// cost is what calls have cost this process.
type cost struct {
	cpu    time.Duration
	allocs uint64
	bytes  uint64
}

func (c *cost) add(f func()) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := processTime()
	f()
	c.cpu += processTime() - cpu
	runtime.ReadMemStats(&after)
	c.allocs += after.Mallocs - before.Mallocs
	c.bytes += after.TotalAlloc - before.TotalAlloc
}

// processTime is the processor time of this process so far.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
