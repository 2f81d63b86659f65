package probes_test

import (
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/tape"
	"github.com/firstframe/firstframe/probes/trace"
	"github.com/google/go-cmp/cmp"
)

// TestPlayOn: what a run says of playing on after its start; what is about the
// start stays so, and it travels as a trace.
func TestPlayOn(t *testing.T) {
	for _, tt := range []struct {
		name, player, manifest string
		missing                string // end of a path that is not there
		late                   string // end of a path whose answer is late
		typ                    run.ErrorType
		playedMs               float64
		stalls                 int64
	}{
		{name: "HLS", player: "hlsjs", manifest: "/ts/360p/index.m3u8", playedMs: 2500},
		{name: "DASH, separate audio", player: "dashjs", manifest: "/cmaf/manifest-timeline.mpd", playedMs: 2500},
		{name: "sound only", player: "hlsjs", manifest: "/cmaf/a48/index.m3u8", playedMs: 2500},
		{name: "stalls", player: "hlsjs", manifest: "/ts/360p/index.m3u8", late: "/1.ts", playedMs: 2500, stalls: 1},
		{name: "breaks off", player: "ideal", manifest: "/ts/360p/index.m3u8", missing: "/1.ts", typ: run.ErrHTTP4xx, playedMs: 1920},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			requests := int64(0)
			srv := server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				requests++
				mu.Unlock()
				switch {
				case tt.missing != "" && strings.HasSuffix(r.URL.Path, tt.missing):
					http.NotFound(w, r)
					return
				case tt.late != "" && strings.HasSuffix(r.URL.Path, tt.late):
					time.Sleep(2300 * time.Millisecond)
				case strings.HasSuffix(r.URL.Path, "/0.ts"):
					w.Header().Set("X-Cache", "Hit from cloudfront")
					w.Header().Set("X-Amz-Cf-Pop", "FRA56-P5")
				}
				http.FileServer(http.Dir(media)).ServeHTTP(w, r)
			}))
			start := must(t, probes.Probe(t.Context(), spec(srv.URL+tt.manifest, tt.player, "1.1")))
			if start.PlayedMs != nil || start.Stalls != nil || start.StallMs != nil || start.Switches != nil {
				t.Errorf("a run that was not to play on says %v, %v, %v, %v", start.PlayedMs, start.Stalls, start.StallMs, start.Switches)
			}
			mu.Lock()
			requests = 0
			mu.Unlock()
			s := spec(srv.URL+tt.manifest, tt.player, "1.1")
			s.Target.Play = 2500 * time.Millisecond
			r := probes.Probe(t.Context(), s)
			if r.OK != (tt.typ == "") || r.Good != r.OK || r.ErrorType != tt.typ || tt.typ != "" && (r.ErrorStep != run.StepSegment || r.ErrorDetail == "") {
				t.Fatalf("ok %v, good %v: %s at %s: %s", r.OK, r.Good, r.ErrorType, r.ErrorStep, r.ErrorDetail)
			}
			if r.TTFFMs == nil || r.StartupMs == nil || math.Abs(r.Phases.Sum()-*r.TTFFMs) > 0.1 {
				t.Errorf("first frame at %v, phases add up to %v", r.TTFFMs, r.Phases.Sum())
			}
			if r.PlayedMs == nil || math.Abs(*r.PlayedMs-tt.playedMs) > 1 || *r.Stalls != tt.stalls || (*r.StallMs > 0) != (tt.stalls > 0) || *r.Switches != 0 {
				t.Errorf("played %v ms, %v stalls of %v ms, %v switches", *r.PlayedMs, *r.Stalls, *r.StallMs, *r.Switches)
			}
			if whole := *r.StartupMs + *r.PlayedMs + *r.StallMs; r.DurationMs < whole-1 || r.DurationMs > whole+1500 {
				t.Errorf("it took %v ms, want %v", r.DurationMs, whole)
			}
			// What is given up at the end may not have come to the server.
			mu.Lock()
			if r.Attempts < requests || r.Attempts > requests+2 {
				t.Errorf("%d attempts, the server saw %d", r.Attempts, requests)
			}
			mu.Unlock()
			if r.Bytes != start.Bytes || r.POP != start.POP || r.SegmentCacheStatus != start.SegmentCacheStatus {
				t.Errorf("%d bytes, served by %q, cache %q; without playing on %d, %q, %q", r.Bytes, r.POP, r.SegmentCacheStatus, start.Bytes, start.POP, start.SegmentCacheStatus)
			}
			body, err := trace.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			back, err := trace.DecodeRun(body, r.RunID, trace.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			r.StartedAt, back.StartedAt = r.StartedAt.Round(0).UTC(), back.StartedAt.UTC()
			if diff := cmp.Diff(r.Steps, back.Steps); diff != "" {
				t.Errorf("steps, after the way there and back (-want +got):\n%s", diff)
			}
			if *back.PlayedMs != *r.PlayedMs || *back.TTFFMs != *r.TTFFMs || back.OK != r.OK {
				t.Errorf("after the way there and back %v, %v, %v", *back.PlayedMs, *back.TTFFMs, back.OK)
			}
		})
	}
}

// TestPlayOnReplay: a run that broke off while it played on does so again when
// its bundle is played, in no time.
func TestPlayOnReplay(t *testing.T) {
	srv := server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/1.ts") {
			http.NotFound(w, r)
			return
		}
		http.FileServer(http.Dir(media)).ServeHTTP(w, r)
	}))
	s := spec(srv.URL+"/ts/360p/index.m3u8", "ideal", "1.1")
	s.Target.Play = 10 * time.Second
	r, rec := probes.Record(t.Context(), s, tape.Limits{})
	if r.OK || r.PlayedMs == nil || *r.PlayedMs != 1920 {
		t.Fatalf("ok %v, played %v: %s", r.OK, r.PlayedMs, r.ErrorDetail)
	}
	b, err := rec.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	again := probes.Replay(t.Context(), b)
	if len(again.Changed) > 0 || len(again.Missing) > 0 || again.Run.PlayedMs == nil || *again.Run.PlayedMs != 1920 {
		t.Errorf("changed %v, missing %v, played %v", again.Changed, again.Missing, again.Run.PlayedMs)
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("playing it again took %v", took)
	}
}
