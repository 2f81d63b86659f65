package e2e

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/fault"
	"github.com/firstframe/firstframe/deploy/lab/lab"
	"github.com/firstframe/firstframe/probes/run"
)

// The groups of streams that faults fit.
const (
	hlsTS    = "hls-ts live-hls-ts"
	hlsAES   = "hls-aes"
	hlsCMAF  = "hls-cmaf live-hls-cmaf"
	hlsRange = "hls-range"
	dashVOD  = "dash-number dash-timeline"
	dashLive = "live-dash-number live-dash-timeline"
	hlsAll   = hlsTS + " " + hlsAES + " " + hlsCMAF + " " + hlsRange
	dashAll  = dashVOD + " " + dashLive
	all      = hlsAll + " " + dashAll
)

// broken is one kind of fault, where it is put, and what a run that it hits
// must say.
type broken struct {
	kind    string
	effect  fault.Effect
	path    string
	streams string
	typ     run.ErrorType
	step    run.StepName
	before  string // the steps that must have gone well, by name
	slow    bool   // it lasts until the run's limit
	patient bool   // the limit is so late that the player gives up by itself
	plays   bool   // the step fails, and playback goes on
}

// table is every kind of fault on every stream that it fits.
var table = []broken{
	{kind: "dns_fail", streams: all, typ: run.ErrDNS, step: run.StepManifest},
	{kind: "dns_slow", effect: fault.Effect{Ms: 60_000}, streams: all, typ: run.ErrDNS, step: run.StepManifest, slow: true},
	{kind: "refuse", streams: all, typ: run.ErrConnect, step: run.StepManifest},
	{kind: "private_address", streams: all, typ: run.ErrBlockedAddress, step: run.StepManifest},
	{kind: "tls_expired", streams: all, typ: run.ErrTLS, step: run.StepManifest},
	{kind: "tls_slow", effect: fault.Effect{Ms: 60_000}, streams: all, typ: run.ErrTLS, step: run.StepManifest, slow: true},

	{kind: "first_byte", effect: fault.Effect{Ms: 60_000}, streams: all, typ: run.ErrTimeout, step: run.StepManifest, slow: true},
	{kind: "first_byte", effect: fault.Effect{Ms: 60_000}, path: "index.m3u8", streams: hlsAll, typ: run.ErrTimeout, step: run.StepPlaylist, before: "manifest", slow: true},
	{kind: "first_byte", effect: fault.Effect{Ms: 60_000}, path: "*.ts", streams: hlsTS, typ: run.ErrTimeout, step: run.StepSegment, before: "manifest playlist", slow: true},
	{kind: "first_byte", effect: fault.Effect{Ms: 60_000}, path: "key.bin", streams: hlsAES, typ: run.ErrTimeout, step: run.StepKey, before: "manifest playlist segment", slow: true},
	{kind: "first_byte", effect: fault.Effect{Ms: 60_000}, path: "init.mp4", streams: hlsCMAF, typ: run.ErrTimeout, step: run.StepInit, before: "manifest playlist", slow: true},
	{kind: "first_byte", effect: fault.Effect{Ms: 60_000}, path: "init.mp4", streams: dashAll, typ: run.ErrTimeout, step: run.StepInit, before: "manifest", slow: true},
	{kind: "first_byte", effect: fault.Effect{Ms: 60_000}, path: "*.m4s", streams: hlsCMAF, typ: run.ErrTimeout, step: run.StepSegment, before: "manifest playlist init", slow: true},
	{kind: "first_byte", effect: fault.Effect{Ms: 60_000}, path: "*.m4s", streams: dashAll, typ: run.ErrTimeout, step: run.StepSegment, before: "manifest init", slow: true},
	{kind: "first_byte", effect: fault.Effect{Ms: 60_000}, path: "time", streams: dashLive, typ: run.ErrTimeout, step: run.StepClock, before: "manifest", slow: true},

	{kind: "bandwidth", effect: fault.Effect{Kbps: 8}, path: "*.ts", streams: hlsTS + " " + hlsAES, typ: run.ErrTimeout, step: run.StepSegment, before: "manifest playlist", slow: true},
	{kind: "bandwidth", effect: fault.Effect{Kbps: 8}, path: "*.m4s", streams: hlsCMAF, typ: run.ErrTimeout, step: run.StepSegment, before: "manifest playlist init", slow: true},
	{kind: "bandwidth", effect: fault.Effect{Kbps: 8}, path: "*.m4s", streams: dashAll, typ: run.ErrTimeout, step: run.StepSegment, before: "manifest init", slow: true},

	{kind: "status", effect: fault.Effect{Status: 404}, streams: all, typ: run.ErrHTTP4xx, step: run.StepManifest},
	{kind: "status", effect: fault.Effect{Status: 403}, path: "index.m3u8", streams: hlsAll, typ: run.ErrHTTP4xx, step: run.StepPlaylist, before: "manifest"},
	{kind: "status", effect: fault.Effect{Status: 503}, streams: all, typ: run.ErrHTTP5xx, step: run.StepManifest},
	{kind: "status", effect: fault.Effect{Status: 404}, path: "*.ts", streams: hlsTS, typ: run.ErrHTTP4xx, step: run.StepSegment, before: "manifest playlist"},
	{kind: "status", effect: fault.Effect{Status: 500}, path: "*.ts", streams: hlsTS, typ: run.ErrHTTP5xx, step: run.StepSegment, before: "manifest playlist"},
	{kind: "status", effect: fault.Effect{Status: 403}, path: "key.bin", streams: hlsAES, typ: run.ErrHTTP4xx, step: run.StepKey, before: "manifest playlist", patient: true},
	{kind: "status", effect: fault.Effect{Status: 404}, path: "init.mp4", streams: hlsCMAF, typ: run.ErrHTTP4xx, step: run.StepInit, before: "manifest playlist"},
	{kind: "status", effect: fault.Effect{Status: 404}, path: "*.m4s", streams: dashAll, typ: run.ErrHTTP4xx, step: run.StepSegment, before: "manifest"},
	{kind: "status", effect: fault.Effect{Status: 503}, path: "time", streams: dashLive, typ: run.ErrHTTP5xx, step: run.StepClock, before: "manifest", plays: true},
	{kind: "origin_down", streams: all, typ: run.ErrHTTP5xx, step: run.StepManifest},
	{kind: "redirect", streams: all, typ: run.ErrRedirect, step: run.StepManifest},
	{kind: "redirect", path: "index.m3u8", streams: hlsAll, typ: run.ErrRedirect, step: run.StepPlaylist, before: "manifest"},
	{kind: "redirect", path: "*.ts", streams: hlsTS, typ: run.ErrRedirect, step: run.StepSegment, before: "manifest playlist"},

	{kind: "truncate", streams: hlsTS + " " + hlsAES, typ: run.ErrSegmentTruncated, step: run.StepSegment, before: "manifest playlist"},
	{kind: "truncate", path: "*.m4s", streams: hlsCMAF, typ: run.ErrSegmentTruncated, step: run.StepSegment, before: "manifest playlist"},
	{kind: "truncate", path: "*.m4s", streams: dashAll, typ: run.ErrSegmentTruncated, step: run.StepSegment, before: "manifest"},
	{kind: "truncate", path: "init.mp4", streams: hlsCMAF + " " + dashAll, typ: run.ErrSegmentTruncated, step: run.StepInit, before: "manifest"},
	{kind: "truncate", path: "master.m3u8", streams: hlsAll, typ: run.ErrReset, step: run.StepManifest},
	{kind: "reset", streams: hlsTS + " " + hlsAES, typ: run.ErrReset, step: run.StepSegment, before: "manifest playlist"},
	{kind: "reset", path: "*.m4s", streams: dashAll, typ: run.ErrReset, step: run.StepSegment, before: "manifest"},
	{kind: "reset", path: "master.m3u8", streams: hlsAll, typ: run.ErrReset, step: run.StepManifest},
	{kind: "stall", streams: hlsTS + " " + hlsAES, typ: run.ErrStalled, step: run.StepSegment, before: "manifest playlist", slow: true},
	{kind: "stall", path: "*.m4s", streams: hlsCMAF, typ: run.ErrStalled, step: run.StepSegment, before: "manifest playlist init", slow: true},
	{kind: "stall", path: "*.m4s", streams: dashAll, typ: run.ErrStalled, step: run.StepSegment, before: "manifest init", slow: true},

	{kind: "oversize", streams: "hls-ts dash-number", typ: run.ErrTooLarge, step: run.StepManifest},
	{kind: "oversize", path: "index.m3u8", streams: "live-hls-ts", typ: run.ErrTooLarge, step: run.StepPlaylist, before: "manifest"},
	{kind: "html", streams: all, typ: run.ErrManifestInvalid, step: run.StepManifest},
	{kind: "html", path: "index.m3u8", streams: hlsAll, typ: run.ErrManifestInvalid, step: run.StepPlaylist, before: "manifest"},
	{kind: "garbage", path: "master.m3u8", streams: hlsAll, typ: run.ErrManifestInvalid, step: run.StepManifest},
	{kind: "garbage", path: "*.mpd", streams: dashAll, typ: run.ErrManifestInvalid, step: run.StepManifest},
	{kind: "garbage", streams: hlsTS, typ: run.ErrMediaInvalid, step: run.StepSegment, before: "manifest playlist"},
	{kind: "garbage", path: "*.m4s", streams: hlsCMAF, typ: run.ErrMediaInvalid, step: run.StepSegment, before: "manifest playlist"},
	{kind: "garbage", path: "*.m4s", streams: dashAll, typ: run.ErrMediaInvalid, step: run.StepSegment, before: "manifest"},
	{kind: "garbage", path: "init.mp4", streams: hlsCMAF + " " + dashAll, typ: run.ErrMediaInvalid, step: run.StepInit, before: "manifest"},
	{kind: "empty", streams: all, typ: run.ErrManifestEmpty, step: run.StepManifest},
	{kind: "empty", path: "index.m3u8", streams: hlsAll, typ: run.ErrManifestEmpty, step: run.StepPlaylist, before: "manifest"},
	{kind: "stale", streams: "live-hls-ts live-hls-cmaf", typ: run.ErrManifestStale, step: run.StepPlaylist, before: "manifest"},
	{kind: "stale", effect: fault.Effect{Ms: 15_000}, streams: "live-hls-ts", typ: run.ErrManifestStale, step: run.StepPlaylist, before: "manifest"},
	{kind: "stale", streams: "live-dash-timeline", typ: run.ErrManifestStale, step: run.StepManifest},
	{kind: "no_keyframe", streams: hlsTS, typ: run.ErrNoKeyframe, step: run.StepSegment, before: "manifest playlist"},
	{kind: "no_keyframe", streams: hlsCMAF, typ: run.ErrNoKeyframe, step: run.StepSegment, before: "manifest playlist"},
	{kind: "no_keyframe", streams: dashAll, typ: run.ErrNoKeyframe, step: run.StepSegment, before: "manifest"},
	{kind: "unsupported", streams: all, typ: run.ErrUnsupported, step: run.StepManifest},
	{kind: "no_keyframe", path: "media.mp4", streams: hlsRange, typ: run.ErrNoKeyframe, step: run.StepSegment, before: "manifest playlist init"},
	{kind: "garbage", path: "key.bin", streams: hlsAES, typ: run.ErrDecrypt, step: run.StepSegment, before: "manifest playlist key"},
	{kind: "html", path: "key.bin", streams: hlsAES, typ: run.ErrDecrypt, step: run.StepKey, before: "manifest playlist"},
	{kind: "html", path: "*.ts", streams: hlsTS, typ: run.ErrMediaInvalid, step: run.StepSegment, before: "manifest playlist"},
	{kind: "html", path: "time", streams: dashLive, typ: run.ErrManifestInvalid, step: run.StepClock, before: "manifest", plays: true},
	{kind: "reset", path: "time", streams: dashLive, typ: run.ErrReset, step: run.StepClock, before: "manifest", plays: true},
	{kind: "stall", path: "master.m3u8", streams: hlsTS, typ: run.ErrStalled, step: run.StepManifest, slow: true},
	{kind: "bandwidth", effect: fault.Effect{Kbps: 1}, path: "*.mpd", streams: dashVOD, typ: run.ErrTimeout, step: run.StepManifest, slow: true},
	{kind: "bad_key", streams: hlsAES, typ: run.ErrDecrypt, step: run.StepKey, before: "manifest playlist"},
}

// TestEveryFault orders every kind of fault of every stream that it fits, plays
// it as every player and looks at what the runs say; and, once for each row, at
// those that the order does not mean and at those after its end.
func TestEveryFault(t *testing.T) {
	for _, k := range fault.Kinds {
		if k.ErrorType != "" && k.On != fault.API && !slices.ContainsFunc(table, func(b broken) bool {
			return b.kind == k.Name && b.typ == k.ErrorType && (b.step == k.ErrorStep || k.ErrorStep == "")
		}) {
			t.Errorf("%s never ends in %s at %q, as the table of kinds says", k.Name, k.ErrorType, k.ErrorStep)
		}
	}
	cells := startCells(t, 2)
	var wg sync.WaitGroup
	defer wg.Wait()
	for row, b := range table {
		for i, stream := range strings.Fields(b.streams) {
			for _, player := range players {
				if !plays(player, stream) {
					continue
				}
				v := <-cells
				wg.Go(func() {
					defer func() { cells <- v }()
					v := v
					v.player = player
					id := fmt.Sprintf("%d-%s-%s-%s", row, b.kind, stream, player)
					t.Run(id, func(t *testing.T) { b.check(t, v, stream, id, i == 0 && player == "ideal") })
				})
			}
		}
	}
}

// startCells starts labs and hands out their cells of country and CDN. A cell
// holds one order at a time, so that many can run side by side. The United
// States and the first CDN of each lab stay whole.
func startCells(t *testing.T, labs int) chan viewer {
	t.Helper()
	cells := make(chan viewer, 100)
	for range labs {
		l := startLab(t, lab.Config{Fast: true})
		for _, country := range []string{"BR", "DE", "IN", "JP", "GB", "ZA"} {
			for _, c := range l.World.CDNs[1:] {
				cells <- viewer{lab: l, country: country, cdn: c.Name}
			}
		}
	}
	return cells
}

// check orders the fault for the viewer's country and CDN and plays.
func (b broken) check(t *testing.T, v viewer, stream, id string, others bool) {
	b.effect.Kind = b.kind
	v.timeout = b.limit()
	if _, err := v.lab.Faults.Add(fault.Fault{ID: id, Match: fault.Match{Country: v.country, CDN: v.cdn, Path: b.path}, Effect: b.effect}); err != nil {
		t.Fatal(err)
	}
	b.checkRun(t, v, v.play(t, stream))
	whole := v
	whole.timeout = 20 * time.Second
	if others {
		whole.country = "US"
		checkPlays(t, "another country", whole.play(t, stream))
		whole.country, whole.cdn = v.country, v.lab.World.CDNs[0].Name
		checkPlays(t, "another CDN", whole.play(t, stream))
		whole.cdn = v.cdn
	}
	if !v.lab.Faults.Delete(id) {
		t.Fatal("the order is gone")
	}
	if others {
		checkPlays(t, "after the end of the order", whole.play(t, stream))
	}
}

// limit is how long a run may take, which is how long it does where it waits for
// what never comes, or where the player tries again and again.
func (b broken) limit() time.Duration {
	switch {
	case b.patient:
		return 10 * time.Second
	case b.slow && b.kind != "stall": // a body counts as stalled after a second of silence
		return 3 * time.Second
	}
	return 6 * time.Second
}

func checkPlays(t *testing.T, who string, r run.Run) {
	t.Helper()
	if !r.OK {
		t.Errorf("%s is hit: %s at %s: %s", who, r.ErrorType, r.ErrorStep, r.ErrorDetail)
	}
}

// checkRun holds a run that was hit against what it must say.
func (b broken) checkRun(t *testing.T, v viewer, r run.Run) {
	t.Helper()
	if b.plays {
		if !r.OK || r.TTFFMs == nil || !slices.ContainsFunc(r.Steps, func(s run.Step) bool { return s.Name == b.step && s.Error == b.typ }) {
			t.Errorf("ok %v, %s at %s: %q; want it to play, and a step %s that ends in %s", r.OK, r.ErrorType, r.ErrorStep, r.ErrorDetail, b.step, b.typ)
		}
	} else if r.OK || r.Good || r.TTFFMs != nil || r.ErrorType != b.typ || r.ErrorStep != b.step || r.ErrorDetail == "" {
		t.Errorf("ok %v, %s at %s: %q, ttff_ms %v; want %s at %s", r.OK, r.ErrorType, r.ErrorStep, r.ErrorDetail, deref(r.TTFFMs), b.typ, b.step)
	}
	limit := millis(v.timeout)
	if r.DurationMs > limit+8*slack || b.slow && r.DurationMs < limit-100 || r.DurationMs <= 0 {
		t.Errorf("it lasted %.0f ms with a limit of %.0f", r.DurationMs, limit)
	}
	if sum := r.Phases.Sum(); !b.plays && math.Abs(sum-r.DurationMs) > 0.1 {
		t.Errorf("phases add up to %v, duration_ms is %v", sum, r.DurationMs)
	}
	well := map[run.StepName]bool{}
	for _, s := range r.Steps {
		switch {
		case s.Error == "" && s.Detail == "":
			well[s.Name] = true
		case b.kind == "reset" && s.Error == b.typ: // with its connection goes what else is under way on it
		case s.Error != "" && (s.Error != b.typ || s.Name != b.step):
			t.Errorf("step %s failed too: %s: %s", s.Name, s.Error, s.Detail)
		}
	}
	if !slices.ContainsFunc(r.Steps, func(s run.Step) bool { return s.Name == b.step }) {
		t.Errorf("there is no step %s among %d", b.step, len(r.Steps))
	}
	for _, name := range strings.Fields(b.before) {
		if !well[run.StepName(name)] {
			t.Errorf("there is no good step %s", name)
		}
	}
}

// TestFaultsMatch orders faults for a part of a country's viewers.
func TestFaultsMatch(t *testing.T) {
	t.Parallel()
	l := startLab(t, lab.Config{Fast: true})
	v := viewer{lab: l, country: "BR", cdn: "cdn-b", player: "ideal"}
	asn := l.World.Country("BR").Networks[0].ASN
	for _, tt := range []struct {
		name  string
		match fault.Match
		hit   bool
	}{
		{"this version", fault.Match{AppVersion: "2.0.0"}, true},
		{"another version", fault.Match{AppVersion: "2.1.0"}, false},
		{"this network", fault.Match{ASN: asn}, true},
		{"another network", fault.Match{ASN: asn + 1}, false},
		{"this POP", fault.Match{POP: "GRU"}, true},
		{"another POP", fault.Match{POP: "MIA"}, false},
		{"this path", fault.Match{Path: "/vod/ts/master.m3u8"}, true},
		{"another path", fault.Match{Path: "/vod/aes/master.m3u8"}, false},
		{"everything", fault.Match{}, true},
		{"this in another country", fault.Match{Country: "US", AppVersion: "2.0.0"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := l.Faults.Add(fault.Fault{ID: tt.name, Match: tt.match, Effect: fault.Effect{Kind: "status", Status: 451}}); err != nil {
				t.Fatal(err)
			}
			defer l.Faults.Delete(tt.name)
			if r := v.play(t, "hls-ts"); r.OK == tt.hit {
				t.Errorf("ok %v, %s: %s", r.OK, r.ErrorType, r.ErrorDetail)
			}
		})
	}
}

// TestDegradations orders the faults that only slow a run down: it is slower by
// what was ordered, in the right phase, and served by the right POP.
func TestDegradations(t *testing.T) {
	l := startLab(t, lab.Config{Fast: true})
	v := viewer{lab: l, country: "BR", cdn: "cdn-b", player: "ideal"}
	for _, tt := range []struct {
		effect fault.Effect
		path   string
		phase  func(run.Phases) float64
		ms     float64
		pop    string
	}{
		{fault.Effect{Kind: "dns_slow", Ms: 700}, "", func(p run.Phases) float64 { return p.DNSMs }, 700, "GRU"},
		{fault.Effect{Kind: "tls_slow", Ms: 700}, "", func(p run.Phases) float64 { return p.TLSMs }, 700, "GRU"},
		{fault.Effect{Kind: "first_byte", Ms: 2400}, "*.ts", func(p run.Phases) float64 { return p.SegmentTTFBMs }, 2400, "GRU"},
		{fault.Effect{Kind: "first_byte", Ms: 700}, "master.m3u8", func(p run.Phases) float64 { return p.ManifestMs }, 700, "GRU"},
		{fault.Effect{Kind: "first_byte", Ms: 700}, "index.m3u8", func(p run.Phases) float64 { return p.PlaylistMs }, 700, "GRU"},
		{fault.Effect{Kind: "stall", Ms: 700}, "none", nil, 0, "GRU"},
		{fault.Effect{Kind: "wrong_pop"}, "", nil, 0, "MIA"},
	} {
		t.Run(tt.effect.Kind+tt.path, func(t *testing.T) {
			if _, err := l.Faults.Add(fault.Fault{ID: "x", Match: fault.Match{Path: tt.path}, Effect: tt.effect}); err != nil {
				t.Fatal(err)
			}
			defer l.Faults.Delete("x")
			r := v.play(t, "hls-ts")
			if !r.OK || r.Good != (tt.ms < 2000) || !strings.HasSuffix(r.POP, tt.pop) {
				t.Errorf("ok %v, good %v, at %s, %s: %s", r.OK, r.Good, r.POP, r.ErrorType, r.ErrorDetail)
			}
			if tt.phase == nil {
				return
			}
			if got := tt.phase(r.Phases); !within(got, tt.ms, tt.ms+slack) || !within(deref(r.TTFFMs), got, got+2*slack) {
				t.Errorf("%.1f ms of %.1f, want %.0f", got, deref(r.TTFFMs), tt.ms)
			}
		})
	}
}
