package probes_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes"
)

// BenchmarkKeyframeInstant tells how far first_keyframe_ms is from the server's
// own record of the keyframe's last byte, for TS, fMP4 and AES-128 over HTTP/1.1
// and HTTP/2 in turn. Server and probes are processes of their own, each on a
// processor of its own, and the probes have one thread to run on. Alone, runs
// follow one another; else so many are under way all the time. p50 and p99 are
// of the distances; p50-% is of the distances as a share of what was measured.
// bare-p50 and bare-p99 are of what a bare read of the same segment with net/http
// saw in the place of one run in ten: what is in both is the machine's.
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
			var off, share, bare []float64
			for b.Loop() {
				for _, a := range instants(b, origin, bm.player, bm.inFlight, bm.runs) {
					if a.bare {
						bare = append(bare, a.off())
						continue
					}
					off = append(off, a.off())
					share = append(share, 100*a.off()/a.want())
				}
			}
			b.ReportMetric(0, "ns/op") // it is the pauses'
			b.ReportMetric(percentile(off, 50), "p50-ms")
			b.ReportMetric(percentile(off, 99), "p99-ms")
			b.ReportMetric(percentile(share, 50), "p50-%")
			b.ReportMetric(percentile(bare, 50), "bare-p50-ms")
			b.ReportMetric(percentile(bare, 99), "bare-p99-ms")
			b.ReportMetric(float64(len(off)), "runs")
		})
	}
}

// percentile is the least value that p % of them do not exceed; it sorts them.
func percentile(values []float64, p int) float64 {
	slices.Sort(values)
	return values[(len(values)*p+99)/100-1]
}

// arrival is when a keyframe was there, as the client saw it and as the server
// did.
type arrival struct {
	bare                 bool
	start, seen, written time.Time
}

// want is what the server says that it took, in milliseconds.
func (a arrival) want() float64 { return a.written.Sub(a.start).Seconds() * 1e3 }

// off is how far the client is from the server, in milliseconds.
func (a arrival) off() float64 { return math.Abs(a.seen.Sub(a.written).Seconds()) * 1e3 }

// series numbers what is asked of a witness, which keeps apart what it serves.
var series int

// instants makes runs, so many at a time, and gives what came of each.
func instants(b *testing.B, origin, player string, inFlight, runs int) []arrival {
	series++
	all := make([]arrival, runs)
	id := func(i int) string { return fmt.Sprintf("%d-%d", series, i) }
	next := make(chan int)
	var wg sync.WaitGroup
	for range inFlight {
		wg.Go(func() {
			for i := range next {
				k := keyframes[i%len(keyframes)]
				version := []string{"1.1", "2"}[i/len(keyframes)%2]
				if i%10 == 9 {
					all[i] = bareArrival(b, origin+"/"+id(i)+k.file, version, k.end)
				} else {
					all[i] = runArrival(b, spec(origin+"/"+id(i)+k.manifest, player, version))
				}
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

	client := insecure("1.1", 1)
	defer client.CloseIdleConnections()
	for i := range all {
		all[i].written = time.Unix(0, asked(b, client, origin+"/"+pathEnded+"/"+id(i)))
	}
	return all
}

// runArrival is what a run says of its keyframe.
func runArrival(b *testing.B, s probes.Spec) arrival {
	r := probes.Probe(context.Background(), s)
	if !r.OK {
		b.Errorf("%s at %s: %s", r.ErrorType, r.ErrorStep, r.ErrorDetail)
		return arrival{}
	}
	return arrival{start: r.StartedAt, seen: r.StartedAt.Add(time.Duration(*r.FirstKeyframeMs * float64(time.Millisecond)))}
}

// bareArrival is when the first end bytes of the URL's are there.
func bareArrival(b *testing.B, url, version string, end int) arrival {
	client := insecure(version, 1)
	defer client.CloseIdleConnections()
	a := arrival{bare: true, start: time.Now()}
	resp, err := client.Get(url)
	if err != nil {
		b.Error(err)
		return a
	}
	defer resp.Body.Close()
	if _, err := io.CopyN(io.Discard, resp.Body, int64(end)); err != nil {
		b.Error(err)
	}
	a.seen = time.Now()
	io.Copy(io.Discard, resp.Body)
	return a
}
