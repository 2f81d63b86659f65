package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firstframe/firstframe/collector/query"
	probe "github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/trace"
)

// The fleet of BenchmarkRefresh: 20 agents in 7 countries play 4 targets
// through 3 CDNs as 2 versions of an app, a million runs a day.
const (
	benchRuns    = 1_000_000
	benchAgents  = 20
	benchTargets = 4
	benchCDNs    = 3
	benchJobs    = benchAgents * benchTargets * benchCDNs * 2
	benchSpan    = 24 * time.Hour
)

// seedEnv names a directory that keeps the seeded runs from one benchmark to
// the next of the same day; without it they are made anew.
const seedEnv = "FIRSTFRAME_BENCH_DATA"

// benchEnd is noon of yesterday, so that the runs lie in the files of two days.
func benchEnd() time.Time { return time.Now().UTC().Truncate(24 * time.Hour).Add(-12 * time.Hour) }

// BenchmarkRefresh asks what the panels of Playback now ask when they show 24 h
// of a million runs that came in over OTLP: one query a panel, one after the
// other and all at once.
func BenchmarkRefresh(b *testing.B) {
	dir := os.Getenv(seedEnv)
	if dir == "" {
		dir = b.TempDir()
	}
	end := benchEnd()
	a, _ := serveIn(b, dir)
	seed(b, a, end)
	panels := nowPanels(b, end)
	for _, p := range panels {
		b.Run("panel="+p.name, func(b *testing.B) { measured(b, func() error { return p.ask(b, a) }) })
	}
	b.Run("all, one after the other", func(b *testing.B) {
		measured(b, func() error {
			for _, p := range panels {
				if err := p.ask(b, a); err != nil {
					return err
				}
			}
			return nil
		})
	})
	b.Run("all at once", func(b *testing.B) {
		measured(b, func() error {
			var g errgroup.Group
			for _, p := range panels {
				g.Go(func() error { return p.ask(b, a) })
			}
			return g.Wait()
		})
	})
}

// measured runs f for as long as b wants, and reports the time that processors
// were busy with it: on a machine that has other work, the truer number.
func measured(b *testing.B, f func() error) {
	before := busy(b)
	for b.Loop() {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((busy(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/op")
	b.ReportMetric(0, "ns/op")
}

// busy is the processor time of this process.
func busy(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// panel is a panel's question.
type panel struct {
	name string
	body []byte
}

func (p panel) ask(b *testing.B, a addresses) error {
	code, _, text := do(b, "POST", "http://"+a.HTTP+"/api/v1/query", p.body, "Content-Type", "application/json")
	if code != http.StatusOK || bytes.Contains(text, []byte(`"rows":[]`)) {
		return fmt.Errorf("%s: %d %.200s", p.name, code, text)
	}
	return nil
}

// nowPanels are the queries of the dashboard Playback now, its variables set to
// All, for the 24 h before end.
func nowPanels(b *testing.B, end time.Time) []panel {
	text, err := os.ReadFile("../dashboards/json/firstframe-now.json")
	if err != nil {
		b.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title    string
			TimeFrom string
			Targets  []struct {
				Measures  []string      `json:"measures"`
				GroupBy   []string      `json:"group_by"`
				Where     []query.Cond  `json:"where"`
				OrderBy   *query.Order  `json:"order_by"`
				Limit     int           `json:"limit"`
				Compare   *query.Offset `json:"compare"`
				PairBy    string        `json:"pair_by"`
				Exemplars int           `json:"exemplars"`
				Step      string        `json:"step"`
			}
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		b.Fatal(err)
	}
	var panels []panel
	for _, p := range board.Panels {
		for _, t := range p.Targets {
			r := query.Request{From: query.At(end.Add(-benchSpan)), To: query.At(end), Measures: t.Measures, GroupBy: t.GroupBy,
				OrderBy: t.OrderBy, Limit: t.Limit, PairBy: t.PairBy, Exemplars: t.Exemplars}
			if t.Compare != nil {
				r.Compare = *t.Compare
			}
			if p.TimeFrom != "" {
				d, err := query.ParseDuration(p.TimeFrom)
				if err != nil {
					b.Fatal(err)
				}
				r.From = query.At(end.Add(-time.Duration(d)))
			}
			if t.Step != "" {
				r.Step = query.Duration(15 * time.Minute) // what 24 h and 120 points make of auto
			}
			for _, c := range t.Where {
				if !strings.HasPrefix(c.Values[0], "$") {
					r.Where = append(r.Where, c)
				}
			}
			body, err := json.Marshal(r)
			if err != nil {
				b.Fatal(err)
			}
			panels = append(panels, panel{p.Title, body})
		}
	}
	return panels
}

// seed ships the runs, oldest first, unless they are there already.
func seed(b *testing.B, a addresses, end time.Time) {
	stored := func() int {
		body := fmt.Sprintf(`{"from":%q,"to":%q}`, query.At(end.Add(-benchSpan)), query.At(end))
		_, _, text := do(b, "POST", "http://"+a.HTTP+"/api/v1/query", []byte(body), "Content-Type", "application/json")
		var answer struct{ Rows [][]float64 }
		if err := json.Unmarshal(text, &answer); err != nil {
			b.Fatalf("%s: %v", text, err)
		}
		return int(answer.Rows[0][0])
	}
	if stored() == benchRuns {
		return
	}
	const size = 1000
	bodies := make(chan []byte, 1)
	var g sync.WaitGroup
	g.Go(func() {
		defer close(bodies)
		rng := rand.New(rand.NewPCG(1, 2))
		for first := 0; first < benchRuns; first += size {
			var body []byte
			for i := range size {
				r, err := trace.Marshal(fleetRun(rng, first+i, end.Add(-benchSpan)))
				if err != nil {
					b.Error(err)
					return
				}
				body = append(body, r...)
			}
			bodies <- body
		}
	})
	for body := range bodies {
		for {
			code, _, text := do(b, "POST", "http://"+a.OTLPHTTP+"/v1/traces", body, "Content-Type", "application/x-protobuf")
			if code == http.StatusOK {
				break
			}
			if code != http.StatusTooManyRequests && code != http.StatusServiceUnavailable {
				b.Fatalf("%d %s", code, text)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	g.Wait()
	last, moved := -1, time.Now()
	for n := stored(); n != benchRuns; n = stored() {
		if n != last {
			last, moved = n, time.Now()
		}
		if time.Since(moved) > time.Minute {
			b.Fatalf("%d runs stored, want %d", n, benchRuns)
		}
		time.Sleep(time.Second)
	}
}

// fleetRun is the i-th run of the fleet, which began at begin. Brazil through
// CDN b is slow in the last hour.
func fleetRun(rng *rand.Rand, i int, begin time.Time) probe.Run {
	countries := []string{"BR", "BR", "BR", "BR", "DE", "FR", "GB", "IN", "JP", "US"}
	job := i % benchJobs
	agent, rest := job%benchAgents, job/benchAgents
	interval := float64(benchSpan.Milliseconds()) * benchJobs / benchRuns
	at := begin.Add(time.Duration(float64(benchSpan) * (float64(i) + rng.Float64()) / benchRuns))
	asn := int64(64500 + agent)
	round := i / benchJobs
	r := probe.Run{
		RunID: probe.NewID(at), StartedAt: at, Source: probe.SourceFleet, Agent: fmt.Sprintf("agent-%02d", agent), AgentVersion: "1.0.0",
		Country: countries[agent%len(countries)], ASN: &asn, Round: fmt.Sprintf("t%d@%d", rest/6, round), PlanRevision: "1",
		Target: fmt.Sprintf("t%d", rest/6), Format: "hls", Mode: "vod", CDN: []string{"cdn-a", "cdn-b", "cdn-c"}[rest%3],
		App: "android", AppVersion: []string{"4.1.3", "4.2.0"}[rest/3%2], Player: "exoplayer@1.11", Connection: "cold",
		ThresholdMs: 2000, IntervalMs: &interval, POP: "GRU", SegmentCacheStatus: probe.CacheHit, HTTPVersion: "2",
		OK: true, Attempts: 1, Bytes: 900_000 + rng.Int64N(300_000),
	}
	ttff := 300 + 250*rng.ExpFloat64()
	if r.Country == "BR" && r.CDN == "cdn-b" && at.After(begin.Add(23*time.Hour)) {
		ttff += 2400
	}
	part := ttff / 8
	r.Phases = probe.Phases{DNSMs: part / 2, ConnectMs: part, TLSMs: part, ManifestMs: part, PlaylistMs: part, InitMs: part / 2,
		SegmentTTFBMs: part, SegmentMs: part, PlayerMs: part}
	r.DurationMs = ttff
	if rng.IntN(2000) == 0 {
		r.OK, r.ErrorType, r.ErrorStep = false, probe.ErrorTypes[rng.IntN(5)], probe.StepSegment
		return r
	}
	r.Good, r.TTFFMs = ttff < r.ThresholdMs, &ttff
	return r
}
