package trace

import (
	"math"
	"net/netip"
	"time"

	"pgregory.net/rapid"

	"github.com/firstframe/firstframe/probes/run"
)

// anyRun draws a run with any of its fields, known or not, and steps of every
// kind. Strings are UTF-8 and within MaxString, as the package promises to keep
// only those unchanged.
func anyRun(t *rapid.T) run.Run {
	started := time.UnixMilli(rapid.Int64Range(1, 4e12).Draw(t, "started")).
		Add(time.Duration(rapid.IntRange(0, 999_999).Draw(t, "ns"))).UTC()
	var r run.Run
	for i := range run.Fields {
		anyField(t, &run.Fields[i], &r)
	}
	r.StartedAt = started
	r.RunID = run.NewID(started)
	r.Source = rapid.SampledFrom([]string{run.SourceFleet, run.SourceAdhoc, run.SourceControl}).Draw(t, "source")
	r.DurationMs = math.Abs(r.DurationMs)
	r.Steps = rapid.SliceOfN(rapid.Custom(anyStep), 0, 6).Draw(t, "steps")
	if len(r.Steps) == 0 {
		r.Steps = nil
	}
	return r
}

func anyField(t *rapid.T, f *run.Field, r *run.Run) {
	var v any
	if !f.Nullable || rapid.Bool().Draw(t, f.Name+" known") {
		switch f.Type {
		case run.String:
			v = anyString.Draw(t, f.Name)
		case run.Int:
			v = rapid.Int64().Draw(t, f.Name)
		case run.Float:
			v = anyFloat.Draw(t, f.Name)
		case run.Bool:
			v = rapid.Bool().Draw(t, f.Name)
		case run.Time:
			v = time.Unix(rapid.Int64Range(-1e10, 1e11).Draw(t, f.Name), rapid.Int64Range(0, 999_999_999).Draw(t, f.Name+" ns")).UTC()
		case run.Map:
			v = rapid.MapOfN(anyString, anyString, 1, run.MaxLabels).Draw(t, f.Name)
		}
	}
	if err := f.Set(r, v); err != nil {
		t.Fatal(err)
	}
}

var (
	anyString = rapid.StringOfN(rapid.Rune(), 0, 20, -1)
	anyFloat  = rapid.Float64().Filter(finite)
)

func anyStep(t *rapid.T) run.Step {
	offset := func(name string) float64 { return anyFloat.Draw(t, name) }
	s := run.Step{
		Name:  run.StepName(anyString.Draw(t, "name")),
		Track: rapid.SampledFrom([]string{"", run.TrackVideo, run.TrackAudio, "text"}).Draw(t, "track"),
		URL: rapid.SampledFrom([]string{"", "https://a.example/x.m3u8?t=%20", "http://[2001:db8::1]:8080/s.ts",
			"https://host/ü", "::bad url", "data:,x", "https://h:99999/"}).Draw(t, "url"),
		Attempt: rapid.Int64Range(0, 5).Draw(t, "attempt"),
		StartMs: offset("start"), EndMs: offset("end"), QueueMs: offset("queue"), DNSMs: offset("dns"),
		ConnMs: offset("connect"), TLSMs: offset("tls"), WaitMs: offset("wait"), RecvMs: offset("receive"),
		Status: rapid.SampledFrom([]int64{0, 200, 206, 302, 404, 503}).Draw(t, "status"),
		Bytes:  rapid.Int64().Draw(t, "bytes"),
		Remote: rapid.OneOf(rapid.SampledFrom([]string{"", "192.0.2.1", "[::1]:0", "127.0.0.1:0", "[fe80::1%eth0]:443"}),
			anyString.Filter(func(s string) bool { _, err := netip.ParseAddrPort(s); return err != nil })).Draw(t, "remote"),
		Proto:  rapid.SampledFrom([]string{"", "1.1", "2", "3"}).Draw(t, "proto"),
		Reused: rapid.Bool().Draw(t, "reused"),
		Error:  rapid.SampledFrom(append([]run.ErrorType{""}, run.ErrorTypes...)).Draw(t, "error"),
		Detail: anyString.Draw(t, "detail"),
	}
	if !s.IsWait() { // which has no method
		s.Method = rapid.SampledFrom([]string{"", "HEAD", "POST"}).Draw(t, "method")
	}
	if rapid.Bool().Draw(t, "has names") {
		s.CNAMEs = rapid.SliceOfN(anyString, 1, 5).Draw(t, "cnames")
	}
	if rapid.Bool().Draw(t, "has headers") {
		s.Headers = rapid.MapOfN(anyString, rapid.SliceOfN(anyString, 1, 3), 1, 5).Draw(t, "headers")
	}
	if rapid.Bool().Draw(t, "has connects") {
		s.Connects = rapid.SliceOfN(anyString, 1, 5).Draw(t, "connects")
	}
	return s
}

// example is a run as a player makes it: seven requests and a wait, with the
// fields that such a run has.
func example() run.Run {
	started := time.Date(2026, 11, 23, 9, 30, 0, 123456789, time.UTC)
	p := func(f float64) *float64 { return &f }
	n := func(i int64) *int64 { return &i }
	yes := true
	r := run.Run{
		RunID: run.NewID(started), StartedAt: started, ScheduledAt: &started, DurationMs: 812.25,
		Source: run.SourceFleet, Agent: "br-sp-1", AgentVersion: "0.1.0", Region: "sa-east", Round: "7f3a", PlanRevision: "42",
		Labels: map[string]string{"rack": "r1"}, Country: "BR", CountryFrom: "claimed", IPVersion: n(4),
		Target: "news", Format: "hls", Mode: "live", CDN: "cdn-b", App: "web", AppVersion: "4.1.3", Player: "hlsjs@1.7.4",
		Connection: "cold", ThresholdMs: 2000, IntervalMs: p(30000), EdgeIP: "192.0.2.7", CDNSeen: "fastly", POP: "GRU",
		ManifestCacheStatus: run.CacheMiss, SegmentCacheStatus: run.CacheHit, HTTPVersion: "2", TLSVersion: "1.3",
		TLSExpiresAt: &started, OK: true, Good: true, Attempts: 7, TTFFMs: p(812.25), FirstKeyframeMs: p(640.5), StartupMs: p(812.25),
		Phases: run.Phases{DNSMs: 20.1, ConnectMs: 40.2, TLSMs: 41.7, ManifestMs: 80.25, PlaylistMs: 90, InitMs: 60, SegmentTTFBMs: 200, SegmentMs: 180, PlayerMs: 100},
		Bytes:  734221, ThroughputKbps: p(9100.5), BitrateKbps: p(2400), Width: n(1280), Height: n(720), Codec: "avc1.64001f",
		LiveLatencyMs: p(18000), PlaylistAgeMs: p(2100), ClockOffsetMs: p(-1.25), ClockUncertaintyMs: p(0.5), ControlOK: &yes,
	}
	for i, name := range []run.StepName{run.StepManifest, run.StepPlaylist, run.StepInit, run.StepSegment, run.StepSegment, run.StepPlaylist, run.StepInit} {
		r.Steps = append(r.Steps, run.Step{Name: name, Track: run.TrackVideo, URL: "https://b.example/live/news/720p/seg-1024.m4s?sig=0123456789abcdef",
			Attempt: 1, StartMs: float64(i) * 100.125, EndMs: float64(i)*100.125 + 98.0625, WaitMs: 40.5, RecvMs: 57.5, Status: 200, Bytes: 104888,
			Remote: "192.0.2.7:443", Proto: "2", Reused: i > 0,
			Headers: map[string][]string{"x-cache": {"HIT"}, "x-served-by": {"cache-gru1", "cache-mia2"}, "age": {"3"}}})
	}
	r.Steps = append(r.Steps, run.Step{Name: run.WaitPlayer, StartMs: 712.25, EndMs: 812.25})
	return r
}
