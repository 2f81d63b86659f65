package dashboards_test

import (
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/firstframe/firstframe/dashboards/internal/harness"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/trace"
)

// programs are the data source and the collector, built by TestMain.
var programs *harness.Programs

func TestMain(m *testing.M) { os.Exit(harness.Main(m, func(p *harness.Programs) { programs = p })) }

// end is the now of all that is asked: fixed, so that a slow machine sees the
// same runs in the same windows.
var end = time.Now().UTC().Truncate(time.Minute)

// The fleet: in each country two agents, in Brazil two in each of two
// providers; each asks every CDN as both app versions in every round.
var (
	countries = []string{"BR", "DE", "FR", "GB", "IN", "JP", "US"}
	cdns      = []string{"cdn-a", "cdn-b", "cdn-c"}
	versions  = []string{"4.1.3", "4.2.0"}
)

const (
	often   = time.Minute      // between the rounds of the last hour
	seldom  = time.Hour        // and of the day before
	faulted = 20 * time.Minute // how long the last of these have something wrong
	silent  = 30 * time.Minute
)

type agent struct {
	name, country, org string
	asn                int64
}

func agents() []agent {
	var list []agent
	for i, c := range countries {
		for n := range 2 {
			list = append(list, agent{fmt.Sprintf("%s-%d", c, n+1), c, "Provider of " + c, int64(64500 + i)})
		}
	}
	return append(list, agent{"BR-3", "BR", "Second of BR", 64600}, agent{"BR-4", "BR", "Second of BR", 64600})
}

// change makes a run another, when it is of a world that has something wrong;
// false leaves it out.
type change func(ago time.Duration, r *run.Run) bool

// healthy is a world in which all is well.
func healthy(time.Duration, *run.Run) bool { return true }

// brazil is a world in which one CDN serves Brazil from abroad: every second
// run fails, the others are slow.
func brazil(ago time.Duration, r *run.Run) bool {
	if r.Country != "BR" || r.CDN != "cdn-b" || ago > faulted {
		return true
	}
	r.POP, r.POPCountry, r.SegmentCacheStatus = "MIA", "US", run.CacheMiss
	r.ConnectMs, r.SegmentTTFBMs = 120, 2400
	if r.AppVersion == versions[0] {
		fail(r, run.ErrHTTP5xx, run.StepSegment)
		return true
	}
	finish(r)
	r.Stalls, r.StallMs = ptr(int64(2)), ptr(2500.0)
	return true
}

// ill is a world in which what is not playback is wrong too.
func ill(ago time.Duration, r *run.Run) bool {
	late := ago <= faulted
	switch {
	case r.Country == "JP" && ago <= silent, r.Agent == "DE-2" && ago <= silent: // silent
		return false
	case r.Agent == "FR-1" && late: // alone
		fail(r, run.ErrConnect, run.StepManifest)
	case r.Country == "GB" && late: // ill itself
		r.ControlOK = new(bool)
		fail(r, run.ErrDNS, run.StepManifest)
	case r.Country == "US" && r.CDN == "cdn-a" && late:
		fail(r, run.ErrManifestStale, run.StepPlaylist)
		r.PlaylistAgeMs = nil
	case r.CDN == "cdn-c":
		ends := end.Add(10 * 24 * time.Hour)
		r.TLSExpiresAt = &ends
		if late {
			r.PlaylistAgeMs = ptr(45_000.0)
		}
	}
	return true
}

// release is a world in which the new app version takes 300 ms longer.
func release(ago time.Duration, r *run.Run) bool {
	if r.AppVersion == versions[1] {
		r.PlaybackAPIMs += 300
		finish(r)
	}
	return true
}

// recalled is a world in which the new app version starts nowhere any more.
func recalled(ago time.Duration, r *run.Run) bool {
	if r.AppVersion == versions[1] && ago <= faulted {
		fail(r, run.ErrUnsupported, run.StepSegment)
	}
	return true
}

// nobody is a world without runs.
func nobody(time.Duration, *run.Run) bool { return false }

// start runs a collector with the runs of a world.
func start(t *testing.T, world change) *harness.Collector {
	t.Helper()
	c := programs.Collector(t)
	var body []byte
	n := 0
	for _, r := range runs(world) {
		body = append(body, encode(t, r)...)
		n++
	}
	if n > 0 {
		c.Send(t, "application/x-protobuf", body, n)
	}
	return c
}

// encoded are runs with what they are on the wire, by id: most are the same in
// all worlds.
var encoded = map[string]struct {
	run  run.Run
	body []byte
}{}

// encode is r as an OTLP request; requests may be concatenated.
func encode(t *testing.T, r run.Run) []byte {
	t.Helper()
	e := encoded[r.RunID]
	if e.body != nil && reflect.DeepEqual(e.run, r) {
		return e.body
	}
	body, err := trace.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if e.body == nil {
		e.run, e.body = r, body
		encoded[r.RunID] = e
	}
	return body
}

// runs are those of a world: the last hour often, the day before seldom.
func runs(world change) []run.Run {
	var list []run.Run
	round := func(ago, interval time.Duration) {
		for _, a := range agents() {
			for ci, cdn := range cdns {
				for vi, version := range versions {
					r := well(a, cdn, version, end.Add(-ago+time.Duration(2*ci+vi)*time.Second), end.Add(-ago), interval)
					if world(ago, &r) {
						list = append(list, r)
					}
				}
			}
		}
	}
	for ago := 26 * time.Hour; ago > time.Hour; ago -= seldom {
		round(ago, seldom)
	}
	for ago := 59 * time.Minute; ago > 0; ago -= often {
		round(ago, often)
	}
	return list
}

// serial tells runs apart that start at the same time: the same run has the
// same id in every world.
func serial(a agent, cdn, version string) string {
	sum := uint64(14695981039346656037) // FNV-1a
	for _, b := range []byte(a.name + cdn + version) {
		sum = (sum ^ uint64(b)) * 1099511628211
	}
	return fmt.Sprintf("%020x", sum)
}

// well is a run that is good. Times differ a little from run to run, by
// agent and CDN, so that percentiles are not all the same.
func well(a agent, cdn, version string, at, round time.Time, interval time.Duration) run.Run {
	ends := end.Add(60 * 24 * time.Hour)
	r := run.Run{
		RunID: fmt.Sprintf("%012x", at.UnixMilli()) + serial(a, cdn, version), StartedAt: at, Source: run.SourceFleet, Agent: a.name,
		AgentVersion: "1.0.0", Region: a.country + "-region", Round: fmt.Sprint(round.Unix()), PlanRevision: "7",
		Country: a.country, CountryFrom: "claimed", ASN: &a.asn, ASOrg: a.org, ClientIP: "192.0.2.7", IPVersion: ptr(int64(4)),
		Target: "news", Format: "hls", Mode: "live", CDN: cdn, App: "web", AppVersion: version, Player: "hlsjs@1.7", Connection: "cold",
		ThresholdMs: 2000, IntervalMs: ptr(float64(interval.Milliseconds())),
		EdgeIP: "198.51.100.9", EdgeASN: ptr(int64(64700)), CDNSeen: cdn, POP: a.country + "1", POPCountry: a.country,
		ManifestCacheStatus: run.CacheHit, SegmentCacheStatus: run.CacheHit, HTTPVersion: "2", TLSVersion: "1.3", TLSExpiresAt: &ends,
		Attempts: 3, Bytes: 900_000, ThroughputKbps: ptr(20_000.0), PlaylistAgeMs: ptr(4000.0), LiveLatencyMs: ptr(12_000.0),
		PlayedMs: ptr(10_000.0), Stalls: ptr(int64(0)), StallMs: ptr(0.0), Switches: ptr(int64(1)), ControlOK: ptr(true),
		Phases: run.Phases{PlaybackAPIMs: 40, DNSMs: 10, ConnectMs: 20, TLSMs: 25, ManifestMs: 50, PlaylistMs: 50, KeyMs: 15, InitMs: 20,
			SegmentTTFBMs: 60, SegmentMs: 200 + float64(a.asn%7)*10 + float64(len(cdn)) + float64(at.Unix()/60%11), PlayerMs: 30, QueueMs: 5},
	}
	finish(&r)
	return r
}

// finish makes r a run that started, as its phases say.
func finish(r *run.Run) {
	total := r.Sum()
	r.TTFFMs, r.DurationMs, r.OK, r.Good = ptr(total), total, true, total < r.ThresholdMs
	r.Steps = []run.Step{
		{Name: run.StepManifest, URL: "https://" + r.CDN + ".example/live.m3u8", Attempt: 1, EndMs: total / 3, WaitMs: total / 4, Status: 200},
		{Name: run.StepSegment, Track: run.TrackVideo, URL: "https://" + r.CDN + ".example/1.m4s", Attempt: 1, StartMs: total / 3, EndMs: total, WaitMs: total / 2, Status: 200},
	}
}

// fail makes r a run that did not start.
func fail(r *run.Run, why run.ErrorType, where run.StepName) {
	finish(r)
	r.TTFFMs, r.OK, r.Good = nil, false, false
	r.PlayedMs, r.Stalls, r.StallMs, r.Switches = nil, nil, nil, nil
	r.ErrorType, r.ErrorStep, r.ErrorDetail = why, where, string(where)+": "+string(why)
	r.Steps[1].Error = why
}

func ptr[T any](v T) *T { return &v }
