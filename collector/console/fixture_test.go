package console_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/firstframe/firstframe/collector/api"
	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/collector/store/duck"
	"github.com/firstframe/firstframe/probes/run"
)

// The fleet of these tests: six countries, three CDNs, two app versions, two
// targets. Japan has no runs through cdn-c, Brazil is ill through cdn-b, and
// the United States had one bad run through cdn-a.
var (
	countries = []string{"BR", "DE", "IN", "JP", "US", "ZA"}
	cdns      = []string{"cdn-a", "cdn-b", "cdn-c"}
	apps      = [][2]string{{"android", "4.1.3"}, {"web", "5.2.0"}}
	targets   = []string{"news", "sports"}
)

// The fleet has been at work for so many minutes: in each of them each app plays
// one of the targets in each cell. In the last ones Brazil is ill.
const (
	minutes  = 50
	degraded = 16
)

// hostile is text that must never become markup.
const hostile = `<img src=x onerror="document.title='owned'"> & <script>alert(1)</script>`

// fixture is a collector's people's side over a real store.
type fixture struct {
	store *duck.Store
	api   http.Handler

	failed, expired *run.Run // the latest failed run; a run whose steps are gone
	played          *run.Run // a run that played on for 30 s, with three stalls
	bad, timeouts   int      // runs of BR through cdn-b, timeouts included
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	s, err := duck.Open(t.Context(), duck.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	f := &fixture{store: s}
	var rows []store.Row
	for _, r := range f.runs(time.Now()) {
		rows = append(rows, store.Row{Run: r})
	}
	added, err := s.Append(t.Context(), rows, nil, store.Location{Segment: 1})
	if err != nil || added != len(rows) {
		t.Fatalf("Append: %d of %d runs, %v", added, len(rows), err)
	}
	f.api = api.New(api.Config{Store: s, Steps: f.steps, Console: handler(), Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	return f
}

// runs is what the fleet has seen until now, oldest first.
func (f *fixture) runs(now time.Time) []*run.Run {
	rng := rand.New(rand.NewPCG(1, 2))
	var all []*run.Run
	for m := range minutes {
		left := time.Duration(minutes-m) * time.Minute
		for _, country := range countries {
			for _, cdn := range cdns {
				if country == "JP" && cdn == "cdn-c" {
					continue
				}
				for i, app := range apps {
					r := newRun(rng, now.Add(-left+time.Duration(i*7)*time.Second), country, cdn, app, targets[(m+i)%2])
					switch {
					case country == "BR" && cdn == "cdn-b" && m >= minutes-degraded:
						f.degrade(r, m%2 == 0)
					case country == "US" && cdn == "cdn-a" && m == minutes/2 && i == 0:
						slow(r, 1800)
					}
					all = append(all, r)
				}
			}
		}
	}
	f.expired = all[0]
	adhoc := newRun(rng, now.Add(-time.Minute), "DE", "cdn-a", apps[0], targets[0]) // not the fleet's: not counted
	adhoc.Source = run.SourceAdhoc
	slow(adhoc, 9000)
	f.played = newRun(rng, now.Add(-2*time.Minute), "BR", "cdn-c", apps[1], targets[0])
	f.played.Source = run.SourceAdhoc
	playOn(f.played)
	return append(all, adhoc, f.played)
}

// stallsAt is when the picture stood still of a run that played on, in ms since
// playback started, each time for stallFor.
var stallsAt = []float64{4000, 9000, 21_000}

const stallFor = 600.0

// playOn makes it a run that played on.
func playOn(r *run.Run) {
	startup, media, stood := *r.TTFFMs+80, 30_000.0, stallFor*float64(len(stallsAt))
	stalls, switches := int64(len(stallsAt)), int64(2)
	r.StartupMs, r.PlayedMs, r.StallMs, r.Stalls, r.Switches = &startup, &media, &stood, &stalls, &switches
	r.DurationMs = startup + media + stood
}

func newRun(rng *rand.Rand, at time.Time, country, cdn string, app [2]string, target string) *run.Run {
	jitter := func(ms float64) float64 { return ms * (0.8 + 0.4*rng.Float64()) }
	interval, asn := 60_000.0, int64(64500)
	received := at.Add(1500 * time.Millisecond)
	r := &run.Run{
		RunID: run.NewID(at), StartedAt: at, Source: run.SourceFleet, Agent: "agent-" + country + "-1", AgentVersion: "0.1.0",
		Country: country, CountryFrom: "geoip", City: "Testville", ASN: &asn, Target: target, Format: "hls", Mode: "live", CDN: cdn,
		App: app[0], AppVersion: app[1], Player: "hlsjs@1.6", Connection: "cold", ThresholdMs: 2000, IntervalMs: &interval,
		POP: country + "1", POPCountry: country, POPCity: "Testville", ManifestCacheStatus: run.CacheHit, SegmentCacheStatus: run.CacheMiss, HTTPVersion: "2",
		OK: true, Good: true, Attempts: 4, Bytes: 412_345, ReceivedAt: &received,
		Phases: run.Phases{DNSMs: jitter(18), ConnectMs: jitter(42), TLSMs: jitter(48), ManifestMs: jitter(60), PlaylistMs: jitter(55),
			InitMs: jitter(40), SegmentTTFBMs: jitter(90), SegmentMs: jitter(210), PlayerMs: 30},
	}
	settle(r)
	return r
}

// settle makes a run's times those of its phases.
func settle(r *run.Run) {
	ttff := r.Phases.Sum()
	keyframe := ttff - r.PlayerMs - 20
	r.DurationMs = ttff
	if r.OK {
		r.TTFFMs, r.FirstKeyframeMs = &ttff, &keyframe
		r.Good = ttff < r.ThresholdMs
	} else {
		r.TTFFMs, r.FirstKeyframeMs, r.Good = nil, nil, false
	}
}

func slow(r *run.Run, ms float64) {
	r.SegmentTTFBMs += ms
	settle(r)
}

// degrade makes a run slow, or one that got no first byte of a segment.
func (f *fixture) degrade(r *run.Run, fails bool) {
	f.bad++
	if fails {
		f.timeouts++
		r.OK, r.ErrorType, r.ErrorStep = false, run.ErrTimeout, run.StepSegment
		r.ErrorDetail = "fetch: GET https://b.cdn.example/v/1.m4s: no first byte within 4s " + hostile
		r.SegmentTTFBMs, r.SegmentMs, r.PlayerMs = 4000, 0, 0
		f.failed = r
	}
	slow(r, 2400)
}

// steps makes the steps of a stored run of this fixture from its phases.
func (f *fixture) steps(id string, _ []store.Location) ([]run.Step, bool, error) {
	if f.expired != nil && id == f.expired.RunID {
		return nil, true, nil
	}
	switch {
	case f.failed != nil && id == f.failed.RunID:
		steps := startOf(f.failed)
		last := &steps[len(steps)-1]
		last.Error, last.Detail, last.Status, last.Bytes = run.ErrTimeout, "no first byte within 4s", 0, 0
		return steps, false, nil
	case f.played != nil && id == f.played.RunID:
		return append(startOf(f.played), playedSteps(*f.played.StartupMs)...), false, nil
	}
	return nil, false, nil
}

// playedSteps are 60 segments of sound and pictures, and the stalls.
func playedSteps(from float64) (all []run.Step) {
	for i := range 60 {
		s := run.Step{Name: run.StepSegment, Track: []string{run.TrackVideo, run.TrackAudio}[i%2], StartMs: from + 500*float64(i), WaitMs: 60, RecvMs: 700, Reused: true}
		s.EndMs = s.StartMs + s.WaitMs + s.RecvMs
		s.URL = fmt.Sprintf("https://c.cdn.example/v/%d.m4s", i)
		s.Attempt, s.Status, s.Bytes, s.Remote, s.Proto = 1, 200, 512_345, "192.0.2.9:443", "2"
		all = append(all, s)
	}
	for _, at := range stallsAt {
		all = append(all, run.Step{Name: run.WaitStall, Track: run.TrackVideo, StartMs: from + at, EndMs: from + at + stallFor})
	}
	return all
}

// startOf are the steps of a run's start, from its phases.
func startOf(r *run.Run) []run.Step {
	setup := r.DNSMs + r.ConnectMs + r.TLSMs
	steps := []run.Step{{Name: run.StepManifest, DNSMs: r.DNSMs, ConnMs: r.ConnectMs, TLSMs: r.TLSMs, WaitMs: r.ManifestMs * 0.9, EndMs: setup + r.ManifestMs}}
	next := func(name run.StepName, track string, wait, receive float64) {
		start := steps[len(steps)-1].EndMs
		steps = append(steps, run.Step{Name: name, Track: track, StartMs: start, EndMs: start + wait + receive, WaitMs: wait, RecvMs: receive, Reused: true})
	}
	next(run.StepPlaylist, run.TrackVideo, r.PlaylistMs*0.8, r.PlaylistMs*0.2)
	next(run.StepInit, run.TrackVideo, r.InitMs*0.7, r.InitMs*0.3)
	next(run.StepSegment, run.TrackVideo, r.SegmentTTFBMs, r.SegmentMs)
	for i := range steps {
		s := &steps[i]
		s.URL = fmt.Sprintf("https://b.cdn.example/v/%s/%d.m4s?token=1", s.Name, i)
		s.Attempt, s.Status, s.Bytes, s.Remote, s.Proto = 1, 200, 41_234, "192.0.2.7:443", "2"
		s.Headers = map[string][]string{"x-cache": {"MISS from " + hostile}, "via": {"1.1 edge"}}
	}
	return steps
}
