package e2e

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firstframe/firstframe/deploy/lab/fault"
	"github.com/firstframe/firstframe/deploy/lab/lab"
	"github.com/firstframe/firstframe/deploy/lab/ledger"
	"github.com/firstframe/firstframe/deploy/lab/service"
	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/run"
)

// feature is a stream of lab.Features, as a player plays it straight from the
// name that targets bear, and what its run says.
type feature struct {
	stream, player, http string
	mode                 string
	begins               string // the run's steps up to the first playlist or init
	pathway              string // and, where it has one, whose CDN answers
	silent               bool   // no pictures
}

var features = []feature{
	{stream: "api", player: "hlsjs", mode: "vod", begins: "playback_api manifest"},
	{stream: "api", player: "ideal", http: "3", mode: "vod", begins: "playback_api manifest"},
	{stream: "sound-hls", player: "hlsjs", mode: "vod", begins: "manifest", silent: true},
	{stream: "sound-hls", player: "avplayer", http: "3", mode: "vod", begins: "manifest", silent: true},
	{stream: "sound-dash", player: "dashjs", mode: "vod", begins: "manifest", silent: true},
	{stream: "live-sound-hls", player: "shaka", mode: "live", begins: "manifest", silent: true},
	{stream: "live-sound-dash", player: "exoplayer", mode: "live", begins: "manifest clock", silent: true},
	{stream: "steered-hls", player: "shaka", mode: "vod", begins: "manifest steering", pathway: "cdn-b"},
	{stream: "steered-hls", player: "hlsjs", mode: "vod", begins: "manifest steering", pathway: "cdn-a"},
	{stream: "steered-dash", player: "dashjs", mode: "vod", begins: "manifest steering", pathway: "cdn-b"},
	{stream: "steered-dash", player: "ideal", http: "3", mode: "vod", begins: "manifest steering", pathway: "cdn-b"},
	{stream: "live-low-latency", player: "hlsjs", mode: "low_latency", begins: "manifest"},
	{stream: "live-low-latency", player: "shaka", mode: "low_latency", begins: "manifest"},
	{stream: "live-low-latency", player: "avplayer", http: "3", mode: "low_latency", begins: "manifest"},
}

func (f feature) name() string { return strings.Trim(f.stream+"/"+f.player+"/"+f.http, "/") }

// spec is the feature as someone in a country plays it.
func (f feature) spec(t testing.TB, l *lab.Lab, country string) probes.Spec {
	v := viewer{lab: l, country: country, player: f.player, timeout: 20 * time.Second}
	s := v.spec(t, f.stream)
	s.CDN, s.Network.HTTP = run.CDN{}, f.http
	if f.stream == "api" {
		s.Target.PlaybackAPI = l.PlaybackAPI()
	}
	return s
}

// check says what is wrong with the feature's run.
func (f feature) check(t *testing.T, l *lab.Lab, r run.Run) {
	t.Helper()
	if !r.OK || r.TTFFMs == nil || r.Mode != f.mode {
		t.Fatalf("ok %v, mode %s, %s at %s: %s", r.OK, r.Mode, r.ErrorType, r.ErrorStep, r.ErrorDetail)
	}
	if sum := r.Phases.Sum(); math.Abs(sum-*r.TTFFMs) > 0.1 {
		t.Errorf("phases add up to %v, ttff_ms is %v", sum, *r.TTFFMs)
	}
	if f.silent != (r.FirstKeyframeMs == nil) || f.silent != (r.Height == nil) || f.silent != strings.HasPrefix(r.Codec, "mp4a") {
		t.Errorf("codec %s, height %v, keyframe at %v", r.Codec, deref(r.Height), deref(r.FirstKeyframeMs))
	}
	version := f.http
	if version == "" {
		version = "2"
	}
	var names []string
	for _, s := range r.Steps {
		names = append(names, string(s.Name))
		if s.Proto != "" && s.Proto != version {
			t.Errorf("step %s over HTTP/%s, want %s", s.Name, s.Proto, version)
		}
	}
	if all := strings.Join(names, " "); !strings.HasPrefix(all, f.begins) || strings.Contains(all, "part") != (f.mode == "low_latency") ||
		(f.stream == "api") != (r.PlaybackAPIMs > 0) {
		t.Errorf("steps %s, want first %s; playback_api_ms %v", all, f.begins, r.PlaybackAPIMs)
	}
	if r.Pathway != f.pathway || f.pathway != "" && r.CDNSeen != string(l.World.CDN(f.pathway).Style) {
		t.Errorf("pathway %q by %s, want %q", r.Pathway, r.CDNSeen, f.pathway)
	}
	if f.mode == "low_latency" {
		// 1.92 s from the end, begun with an independent part, at most 1.92 s before.
		if latency := deref(r.LiveLatencyMs); !within(latency, segment, 3*segment+2*slack) || !within(deref(r.PlaylistAgeMs), 0, segment+slack) {
			t.Errorf("live latency %v, playlist age %v", latency, deref(r.PlaylistAgeMs))
		}
	}
}

// TestFeatures plays every feature of the lab.
func TestFeatures(t *testing.T) {
	t.Parallel()
	l := startLab(t, lab.Config{Fast: true})
	for stream := range lab.Features {
		if !slices.ContainsFunc(features, func(f feature) bool { return f.stream == stream }) {
			t.Errorf("nobody plays %s", stream)
		}
	}
	for _, f := range features {
		t.Run(f.name(), func(t *testing.T) { f.check(t, l, probes.Probe(t.Context(), f.spec(t, l, "DE"))) })
	}
}

// TestFeatureFaults orders faults of what the features have beside media.
func TestFeatureFaults(t *testing.T) {
	t.Parallel()
	l := startLab(t, lab.Config{Fast: true})
	for _, tt := range []struct {
		stream, player, path string
		effect               fault.Effect
		typ                  run.ErrorType
		step                 run.StepName
		plays                bool
	}{
		{stream: "api", player: "ideal", effect: fault.Effect{Kind: "no_url"}, typ: run.ErrPlaybackAPI, step: run.StepPlaybackAPI},
		{stream: "api", player: "ideal", path: "playback", effect: fault.Effect{Kind: "status", Status: 503}, typ: run.ErrHTTP5xx, step: run.StepPlaybackAPI},
		{stream: "api", player: "hlsjs", path: "playback", effect: fault.Effect{Kind: "status", Status: 401}, typ: run.ErrHTTP4xx, step: run.StepPlaybackAPI},
		{stream: "api", player: "hlsjs", path: "playback", effect: fault.Effect{Kind: "html"}, typ: run.ErrPlaybackAPI, step: run.StepPlaybackAPI},
		{stream: "api", player: "ideal", path: "playback", effect: fault.Effect{Kind: "reset"}, typ: run.ErrReset, step: run.StepPlaybackAPI},
		{stream: "api", player: "ideal", path: "master.m3u8", effect: fault.Effect{Kind: "status", Status: 403}, typ: run.ErrHTTP4xx, step: run.StepManifest},
		{stream: "steered-dash", player: "ideal", path: "steering", effect: fault.Effect{Kind: "status", Status: 503}, typ: run.ErrHTTP5xx, step: run.StepSteering, plays: true},
		{stream: "steered-hls", player: "shaka", path: "steering", effect: fault.Effect{Kind: "html"}, typ: run.ErrManifestInvalid, step: run.StepSteering, plays: true},
		{stream: "live-low-latency", player: "ideal", path: "*.?.m4s", effect: fault.Effect{Kind: "reset"}, typ: run.ErrReset, step: run.StepPart},
		{stream: "live-low-latency", player: "ideal", path: "*.?.m4s", effect: fault.Effect{Kind: "no_keyframe"}, typ: run.ErrNoKeyframe, step: run.StepPart},
		{stream: "live-low-latency", player: "ideal", path: "index.m3u8", effect: fault.Effect{Kind: "stale"}, typ: run.ErrManifestStale, step: run.StepPlaylist},
		{stream: "sound-hls", player: "ideal", path: "*.m4s", effect: fault.Effect{Kind: "garbage"}, typ: run.ErrMediaInvalid, step: run.StepSegment},
		{stream: "sound-dash", player: "dashjs", path: "*.m4s", effect: fault.Effect{Kind: "truncate"}, typ: run.ErrSegmentTruncated, step: run.StepSegment},
	} {
		for _, version := range []string{"2", "3"} {
			t.Run(tt.stream+"-"+tt.effect.Kind+tt.path+"/"+version, func(t *testing.T) {
				if _, err := l.Faults.Add(fault.Fault{ID: "x", Match: fault.Match{Path: tt.path, Country: "BR"}, Effect: tt.effect}); err != nil {
					t.Fatal(err)
				}
				defer l.Faults.Delete("x")
				f := feature{stream: tt.stream, player: tt.player, http: version}
				s := f.spec(t, l, "BR")
				s.Target.Timeout = 6 * time.Second
				r := probes.Probe(t.Context(), s)
				switch {
				case tt.plays && (!r.OK || !slices.ContainsFunc(r.Steps, func(s run.Step) bool { return s.Name == tt.step && s.Error == tt.typ })):
					t.Errorf("ok %v, %s at %s: %q; want it to play, and a step %s that ends in %s", r.OK, r.ErrorType, r.ErrorStep, r.ErrorDetail, tt.step, tt.typ)
				case !tt.plays && (r.OK || r.ErrorType != tt.typ || r.ErrorStep != tt.step):
					t.Errorf("ok %v, %s at %s: %q; want %s at %s", r.OK, r.ErrorType, r.ErrorStep, r.ErrorDetail, tt.typ, tt.step)
				}
			})
		}
	}
}

// TestHTTP3 presses play over HTTP/3 on the lab's way: a round trip until QUIC
// answers, none more for TLS, one for each answer.
func TestHTTP3(t *testing.T) {
	t.Parallel()
	l := startLab(t, lab.Config{})
	for _, country := range []string{"DE", "US", "ZA"} {
		t.Run(country, func(t *testing.T) {
			v := viewer{lab: l, country: country, cdn: "cdn-a", player: "ideal", timeout: 20 * time.Second}
			s := v.spec(t, "hls-ts")
			s.Network.HTTP = "3"
			var best run.Phases
			pop, _ := l.World.Serve(l.World.CDN(v.cdn), country)
			trip := millis(l.World.Path(country, pop).RTT)
			for i := range 3 {
				r := probes.Probe(t.Context(), s)
				p := r.Phases
				if !r.OK || math.Abs(p.Sum()-deref(r.TTFFMs)) > 0.1 {
					t.Fatalf("ok %v, %s: %s; phases add up to %v of %v", r.OK, r.ErrorType, r.ErrorDetail, p.Sum(), deref(r.TTFFMs))
				}
				if r.HTTPVersion != "3" || p.ConnectMs < trip-2 || p.ManifestMs < trip-2 || p.PlaylistMs < trip-2 {
					t.Errorf("HTTP/%s, connect %.1f, manifest %.1f, playlist %.1f; a round trip is %.1f", r.HTTPVersion, p.ConnectMs, p.ManifestMs, p.PlaylistMs, trip)
				}
				if i == 0 || p.ConnectMs+p.TLSMs < best.ConnectMs+best.TLSMs {
					best = p
				}
				var asked int
				err := l.LedgerEntries(func(e ledger.Entry) error {
					if e.SID == r.RunID && e.Proto == "HTTP/3.0" {
						asked++
					}
					return nil
				})
				if err != nil || asked < 3 || int64(asked) > r.Attempts {
					t.Errorf("the ledger has %d requests over HTTP/3 of %d, %v", asked, r.Attempts, err)
				}
			}
			if took := best.ConnectMs + best.TLSMs; took > trip+slack/2 {
				t.Errorf("connect_ms and tls_ms of %.1f at best, want %.1f", took, trip)
			}
		})
	}
}

// TestReplayFeatures plays every feature, and streams over HTTP/3, and each again
// when the lab is gone: to the same verdict, the first frame at the same time.
func TestReplayFeatures(t *testing.T) {
	t.Parallel()
	var runs []kept
	t.Run("record", func(t *testing.T) { runs = recordFeatures(t) })
	for _, k := range runs {
		t.Run(k.name, func(t *testing.T) { k.replays(t) })
	}
}

// recordFeatures are runs of every feature, of some streams over HTTP/3, and of
// faults of both.
func recordFeatures(t *testing.T) (runs []kept) {
	l := startLab(t, lab.Config{Fast: true})
	list := slices.Clone(features)
	for _, stream := range []string{"hls-ts", "hls-cmaf", "dash-timeline", "live-hls-cmaf", "live-dash-number"} {
		list = append(list, feature{stream: stream, player: "shaka", http: "3"})
	}
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(4) // a machine with much to do measures itself
	keep := func(s probes.Spec, name string) error {
		k, err := recordSteady(t, s, name)
		mu.Lock()
		defer mu.Unlock()
		runs = append(runs, k)
		return err
	}
	for _, f := range list {
		group.Go(func() error { return keep(f.spec(t, l, "DE"), f.name()) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, b := range []struct {
		feature
		fault.Effect
		path string
	}{
		{feature{stream: "hls-ts", player: "hlsjs", http: "3"}, fault.Effect{Kind: "truncate"}, "*.ts"},
		{feature{stream: "hls-ts", player: "ideal", http: "3"}, fault.Effect{Kind: "reset"}, "*.ts"},
		{feature{stream: "dash-number", player: "ideal", http: "3"}, fault.Effect{Kind: "status", Status: 503}, "*.mpd"},
		{feature{stream: "api", player: "ideal"}, fault.Effect{Kind: "no_url"}, ""},
		{feature{stream: "steered-dash", player: "dashjs"}, fault.Effect{Kind: "status", Status: 503}, "steering"},
		{feature{stream: "steered-dash", player: "dashjs"}, fault.Effect{Kind: "garbage"}, "*.m4s"},
		{feature{stream: "live-low-latency", player: "ideal"}, fault.Effect{Kind: "no_keyframe"}, "*.?.m4s"},
		{feature{stream: "live-low-latency", player: "hlsjs"}, fault.Effect{Kind: "stale"}, "index.m3u8"},
		{feature{stream: "sound-hls", player: "hlsjs"}, fault.Effect{Kind: "garbage"}, "*.m4s"},
	} {
		// Those of one country hit other paths.
		name, country := fmt.Sprintf("%s/%d-%s", b.name(), i, b.Kind), l.World.Countries[i%len(l.World.Countries)].Code
		if _, err := l.Faults.Add(fault.Fault{ID: name, Match: fault.Match{Path: b.path, Country: country}, Effect: b.Effect}); err != nil {
			t.Fatal(err)
		}
		group.Go(func() error {
			s := b.spec(t, l, country)
			s.Target.Timeout = 6 * time.Second
			return keep(s, name)
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return runs
}

// viewerKey puts the key of the lab's viewers where targets expect it.
func viewerKey() error { return os.Setenv(lab.KeyVariable, service.ViewerKey) }
