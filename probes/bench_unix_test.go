//go:build unix

package probes_test

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/run"
)

// BenchmarkProbe compares a run with a bare loop of net/http that makes the same
// requests, as soon after one another and as many beside one another, over as
// many cold connections with the same TLS: cpu-ratio and allocs-ratio are the
// run's against the loop's. They take turns; the server is a process of its own,
// not counted, and 20 ms away, so that what is asked for at once needs
// connections of its own. A short stream is one of the lab's, and shows what a
// run costs; a long one has segments of 8 MiB, and shows what its bytes do.
func BenchmarkProbe(b *testing.B) {
	origin := startWitness(b)
	for _, length := range []struct {
		name, path string
		pairs      int // in each turn
	}{{"short", pathFar, 25}, {"long", pathLong, 5}} {
		for _, stream := range []string{"ts", "cmaf", "aes"} {
			for _, version := range []string{"1.1", "2"} {
				b.Run(length.name+"/"+stream+"/HTTP "+version, func(b *testing.B) {
					p := newPair(b, origin, "/"+length.path+"/"+stream+"/master.m3u8", version)
					for b.Loop() {
						for range length.pairs {
							p.play(b)
						}
					}
					p.report(b)
				})
			}
		}
	}
}

// pair is a run and the bare loop that asks for the same.
type pair struct {
	origin string
	spec   probes.Spec
	hellos *http.Client
	first  run.Run // as a pattern
	conns  int64   // that it opened

	ours, theirs cost
	played, odd  int // pairs that count, and those that opened different numbers of connections
}

func newPair(b *testing.B, origin, path, version string) *pair {
	p := &pair{origin: origin, spec: spec(origin+path, "ideal", version), hellos: insecure("1.1", 1)}
	b.Cleanup(p.hellos.CloseIdleConnections)
	p.connections(b) // opens its own
	before := p.connections(b)
	p.first = must(b, probes.Probe(context.Background(), p.spec))
	p.conns = p.connections(b) - before
	return p
}

// connections is how many the server has been asked for.
func (p *pair) connections(b *testing.B) int64 {
	return asked(b, p.hellos, p.origin+"/"+pathHellos)
}

// play makes both once. Where they opened different numbers of connections,
// because a handshake took longer than an answer, they do not count.
func (p *pair) play(b *testing.B) {
	begun := p.connections(b)
	ours := costOf(func() {
		if r := probes.Probe(context.Background(), p.spec); r.Bytes != p.first.Bytes || !r.OK {
			b.Fatalf("%d bytes, %s", r.Bytes, r.ErrorDetail)
		}
	})
	between := p.connections(b)
	theirs := costOf(func() {
		if n := bare(b, p.first.Steps, p.spec.Network.HTTP, int(p.conns)); n != p.first.Bytes {
			b.Fatalf("%d bytes, want %d", n, p.first.Bytes)
		}
	})
	if end := p.connections(b); between-begun != p.conns || end-between != p.conns {
		p.odd++
		return
	}
	p.played++
	p.ours.add(ours)
	p.theirs.add(theirs)
}

func (p *pair) report(b *testing.B) {
	if p.odd > p.played/4 {
		b.Fatalf("of %d pairs %d have not opened %d connections each", p.odd+p.played, p.odd, p.conns)
	}
	n, mb := float64(p.played), float64(p.first.Bytes)/1e6
	b.ReportMetric(0, "ns/op") // a turn is any number of pairs
	b.ReportMetric(float64(p.conns), "conns/run")
	b.ReportMetric(p.ours.cpu.Seconds()*1e6/n, "cpu-µs/run")
	b.ReportMetric(p.ours.cpu.Seconds()*1e6/n/mb, "cpu-µs/MB")
	b.ReportMetric(float64(p.ours.allocs)/n, "allocs/run")
	b.ReportMetric(float64(p.ours.allocs)/n/mb, "allocs/MB")
	b.ReportMetric(float64(p.ours.bytes)/n/1024, "KiB/run")
	b.ReportMetric(float64(p.ours.cpu)/float64(p.theirs.cpu), "cpu-ratio")
	b.ReportMetric(float64(p.ours.allocs)/float64(p.theirs.allocs), "allocs-ratio")
	b.ReportMetric(float64(p.ours.bytes)/float64(p.theirs.bytes), "bytes-ratio")
}

// bare asks for what the steps did, over so many connections at most: each
// request as soon as that one is answered which the step's waited for. It gives
// the bytes of the bodies.
func bare(b *testing.B, steps []run.Step, version string, connections int) int64 {
	client := insecure(version, connections)
	defer client.CloseIdleConnections()
	done := make([]chan struct{}, len(steps))
	for i := range steps {
		done[i] = make(chan struct{})
	}
	var bytes atomic.Int64
	var wg sync.WaitGroup
	for i, s := range steps {
		before := waitedFor(steps, s)
		wg.Go(func() {
			defer close(done[i])
			if before >= 0 {
				<-done[before]
			}
			resp, err := client.Get(s.URL)
			if err != nil {
				b.Error(err)
				return
			}
			defer resp.Body.Close()
			n, err := io.Copy(io.Discard, resp.Body)
			if err != nil {
				b.Error(err)
			}
			bytes.Add(n)
		})
	}
	wg.Wait()
	return bytes.Load()
}

// waitedFor is the last step to end before s, of its track or of none; -1 when
// s is the first.
func waitedFor(steps []run.Step, s run.Step) int {
	last := -1
	for i, o := range steps {
		if o.EndMs <= s.StartMs && (o.Track == s.Track || o.Track == "") && (last < 0 || cmp.Less(steps[last].EndMs, o.EndMs)) {
			last = i
		}
	}
	return last
}

// cost is what calls have cost this process.
type cost struct {
	cpu    time.Duration
	allocs uint64
	bytes  uint64
}

func (c *cost) add(o cost) {
	c.cpu += o.cpu
	c.allocs += o.allocs
	c.bytes += o.bytes
}

func costOf(f func()) cost {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := processTime()
	f()
	cpu = processTime() - cpu
	runtime.ReadMemStats(&after)
	return cost{cpu, after.Mallocs - before.Mallocs, after.TotalAlloc - before.TotalAlloc}
}

// processTime is the processor time of this process so far.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
