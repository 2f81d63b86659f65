package probes_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/run"
)

// BenchmarkKeyframeInstant tells how far first_keyframe_ms is from the server's
// own record of the keyframe's last byte, for TS, fMP4 and AES-128 over HTTP/1.1
// and HTTP/2 in turn. Server and probes are processes of their own, each on a
// processor of its own, and the probes have one thread to run on. Alone, runs
// follow one another; else so many are under way all the time. p50 and p99 are
// of the distances; p50-% is of the distances as a share of what was measured.
func BenchmarkKeyframeInstant(b *testing.B) {
	if processors() < 2 {
		b.Skip("server and probes cannot have a processor each")
	}
	origin := startWitness(b)
	if err := pin(firstProcessor); err != nil {
		b.Fatal(err)
	}
	procs := runtime.GOMAXPROCS(1)
	b.Cleanup(func() {
		runtime.GOMAXPROCS(procs)
		if err := pin(anyProcessor); err != nil {
			b.Error(err)
		}
	})
	for _, bm := range []struct {
		name           string
		inFlight, runs int
		player         string
	}{
		{"alone", 1, 120, "ideal"},
		{"100 in flight", 100, 1000, "hlsjs"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			var off, share []float64
			for b.Loop() {
				for _, o := range instants(b, origin, bm.player, bm.inFlight, bm.runs) {
					off = append(off, max(o.off, -o.off))
					share = append(share, 100*max(o.off, -o.off)/o.want)
				}
			}
			b.ReportMetric(0, "ns/op") // it is the pauses'
			b.ReportMetric(percentile(off, 50), "p50-ms")
			b.ReportMetric(percentile(off, 99), "p99-ms")
			b.ReportMetric(percentile(share, 50), "p50-%")
			b.ReportMetric(float64(len(off)), "runs")
		})
	}
}

// percentile is the least value that p % of them do not exceed; it sorts them.
func percentile(values []float64, p int) float64 {
	slices.Sort(values)
	return values[(len(values)*p+99)/100-1]
}

// distance is how far a run's instant is from the server's, in milliseconds.
type distance struct{ off, want float64 }

// series numbers what is asked of a witness, which keeps apart what it serves.
var series int

// instants makes runs, so many at a time, and gives the distance of each.
func instants(b *testing.B, origin, player string, inFlight, runs int) []distance {
	series++
	made := make([]run.Run, runs)
	id := func(i int) string { return fmt.Sprintf("%d-%d", series, i) }
	next := make(chan int)
	var wg sync.WaitGroup
	for range inFlight {
		wg.Go(func() {
			for i := range next {
				k := keyframes[i%len(keyframes)]
				version := []string{"1.1", "2"}[i/len(keyframes)%2]
				made[i] = probes.Probe(context.Background(), spec(origin+"/"+id(i)+k.manifest, player, version))
			}
		})
	}
	// They begin spread out over the time that one takes, as a fleet's do.
	pace := time.NewTicker((pauseBefore + pauseAfter) / time.Duration(inFlight))
	defer pace.Stop()
	for i := range runs {
		if inFlight > 1 && i < inFlight {
			<-pace.C
		}
		next <- i
	}
	close(next)
	wg.Wait()

	all := make([]distance, runs)
	client := insecure("1.1", 1)
	defer client.CloseIdleConnections()
	for i, r := range made {
		if !r.OK {
			b.Fatalf("%s at %s: %s", r.ErrorType, r.ErrorStep, r.ErrorDetail)
		}
		want := float64(asked(b, client, origin+"/"+pathEnded+"/"+id(i))-r.StartedAt.UnixNano()) / 1e6
		all[i] = distance{*r.FirstKeyframeMs - want, want}
	}
	return all
}
