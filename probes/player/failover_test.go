package player

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

// What each player asks for when the first video segment, or a playlist, fails:
// the same again, another rendition, nothing any more. Delays are a hundredth of
// the player's own.
func TestFailover(t *testing.T) {
	const (
		ts, dash = "/ts/master.m3u8", "/cmaf/manifest-timeline.mpd"
		low      = "/ts/360p/0.ts"
	)
	tries := func(path string, n int) string { return strings.TrimSuffix(strings.Repeat(path+" ", n), " ") }
	for _, tt := range []struct {
		name     string
		model    *Model
		manifest string
		rules    map[string]rule
		want     string    // media requests, and playlists
		delays   []float64 // ms
		typ      run.ErrorType
	}{
		{"404", hlsjs, ts, map[string]rule{low: status(404, 9)},
			"360p/index.m3u8 360p/0.ts 720p/index.m3u8 720p/0.ts", nil, ""},
		{"cut off", hlsjs, ts, map[string]rule{low: cut(9)},
			"360p/index.m3u8 360p/0.ts 720p/index.m3u8 720p/0.ts", nil, ""},
		{"503", hlsjs, ts, map[string]rule{low: status(503, 1)},
			"360p/index.m3u8 360p/0.ts 360p/0.ts", []float64{10}, ""},
		{"a playlist's 404", hlsjs, ts, map[string]rule{"/ts/360p/index.m3u8": status(404, 9)},
			"360p/index.m3u8 720p/index.m3u8 720p/0.ts", nil, ""},
		{"404 of all", hlsjs, ts, map[string]rule{low: status(404, 9), "/ts/720p/0.ts": status(404, 99)},
			"360p/index.m3u8 360p/0.ts 720p/index.m3u8 " + tries("720p/0.ts", 6), []float64{20, 40, 80, 80, 80}, run.ErrHTTP4xx},
		{"404 once", shaka, ts, map[string]rule{low: status(404, 1)},
			"360p/index.m3u8 360p/0.ts 360p/0.ts", []float64{10}, ""},
		{"404 always", shaka, ts, map[string]rule{low: status(404, 9)},
			"360p/index.m3u8 360p/0.ts 360p/0.ts 720p/index.m3u8 720p/0.ts", []float64{10, 10}, ""},
		{"404 of all", shaka, ts, map[string]rule{low: status(404, 9), "/ts/720p/0.ts": status(404, 9)},
			"360p/index.m3u8 360p/0.ts 360p/0.ts 720p/index.m3u8 720p/0.ts 720p/0.ts", []float64{10, 10, 10, 10}, run.ErrHTTP4xx},
		{"a playlist's 404", shaka, ts, map[string]rule{"/ts/360p/index.m3u8": status(404, 9)},
			"360p/index.m3u8 360p/index.m3u8", []float64{10}, run.ErrHTTP4xx},
		{"404 once", dashjs, dash, map[string]rule{"/cmaf/v360/0.m4s": status(404, 1)},
			"v360/0.m4s v360/0.m4s", []float64{10}, ""},
		{"404 always", dashjs, dash, map[string]rule{"/cmaf/v360/0.m4s": status(404, 9)},
			tries("v360/0.m4s", 4), []float64{10, 10, 10}, run.ErrHTTP4xx},
		{"404", exoplayer, ts, map[string]rule{low: status(404, 9)},
			"360p/index.m3u8 360p/0.ts 720p/index.m3u8 720p/0.ts", nil, ""},
		{"502 is no reason to leave", exoplayer, ts, map[string]rule{low: status(502, 9)},
			"360p/index.m3u8 " + tries("360p/0.ts", 4), []float64{10, 20}, run.ErrHTTP5xx},
		{"404 of all", exoplayer, ts, map[string]rule{low: status(404, 9), "/ts/720p/0.ts": status(404, 9)},
			"360p/index.m3u8 360p/0.ts 720p/index.m3u8 " + tries("720p/0.ts", 4), []float64{10, 20}, run.ErrHTTP4xx},
		{"404", ideal, ts, map[string]rule{low: status(404, 9)},
			"360p/index.m3u8 360p/0.ts", nil, run.ErrHTTP4xx},
	} {
		t.Run(tt.model.String()+", "+tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, nil, tt.rules)
			r := press(t, o, tt.manifest, quick(tt.model), run.App{Set: map[string]float64{"start_kbps": 430}})
			switch {
			case tt.typ != "":
				bad(t, r, tt.typ, r.Step)
			default:
				good(t, r)
			}
			var asked []string
			for _, p := range o.paths()[1:] {
				if strings.Contains(p, "/ts/") || strings.HasPrefix(p, "/cmaf/v") && strings.HasSuffix(p, ".m4s") {
					asked = append(asked, strings.TrimPrefix(strings.TrimPrefix(p, "/ts/"), "/cmaf/"))
				}
			}
			if diff := cmp.Diff(strings.Fields(tt.want), asked); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			var delays []float64
			for _, s := range r.Steps {
				if s.Name == run.WaitRetry {
					delays = append(delays, math.Round((s.EndMs-s.StartMs)*1000)/1000)
				}
			}
			if diff := cmp.Diff(tt.delays, delays); diff != "" {
				t.Errorf("delays (-want +got):\n%s", diff)
			}
		})
	}
}

// The order in which hls.js leaves its levels: downwards, and below the lowest
// from the top, each once.
func TestNextLower(t *testing.T) {
	r := []Rendition{{Kbps: 2400}, {Kbps: 800}, {Kbps: 5300}}
	for start, want := range []string{"0 1 2 -1", "1 2 0 -1", "2 0 1 -1"} {
		failed := make([]bool, len(r))
		got := ""
		for at := start; at >= 0; {
			got += fmt.Sprint(at, " ")
			failed[at] = true
			at = nextLower(r, failed, at, 0)
		}
		if got += "-1"; got != want {
			t.Errorf("from %d: %s, want %s", start, got, want)
		}
	}
}

// Shaka draws its delays from within half of themselves.
func TestFuzz(t *testing.T) {
	low, high := math.Inf(1), 0.0
	for range 2000 {
		d := ms(shakaRetry.delay(0))
		low, high = min(low, d), max(high, d)
	}
	if low < 500 || low > 550 || high > 1500 || high < 1450 {
		t.Errorf("delays from %v to %v ms, want 500 to 1500", low, high)
	}
}
