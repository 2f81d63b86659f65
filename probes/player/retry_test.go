package player

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// oneOf is a multivariant playlist with one variant.
func oneOf(uri string) string {
	return "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS=\"avc1.4d401e,mp4a.40.2\",CLOSED-CAPTIONS=NONE\n" + uri + "\n"
}

// What hls.js tries again, how often and after which delay, where there is no
// other level to go to; the figures are its own (src/config.ts) by a hundred.
func TestHlsjsRetries(t *testing.T) {
	const (
		master   = "/one.m3u8"
		playlist = "/ts/360p/index.m3u8"
		segment  = "/ts/360p/0.ts"
		aes      = "/aes/360p/index.m3u8"
		key      = "/aes/key.bin"
	)
	exponential := []float64{10, 20, 40, 80, 80, 80}
	for _, tt := range []struct {
		name, manifest string
		path           string
		rule           rule
		tries          int
		delays         []float64 // ms
		typ            run.ErrorType
		step           run.StepName
	}{
		{"a manifest's 503 once", master, master, status(503, 1), 2, []float64{10}, "", ""},
		{"a manifest's 503 twice", master, master, status(503, 9), 2, []float64{10}, run.ErrHTTP5xx, run.StepManifest},
		{"a manifest's 404", master, master, status(404, 9), 1, nil, run.ErrHTTP4xx, run.StepManifest},
		{"a playlist's 503", master, playlist, status(503, 9), 3, []float64{10, 20}, run.ErrHTTP5xx, run.StepPlaylist},
		{"a playlist late", master, playlist, hang(9), 3, nil, run.ErrTimeout, run.StepPlaylist},
		{"a segment's 503", master, segment, status(503, 9), 7, exponential, run.ErrHTTP5xx, run.StepSegment},
		{"a segment late", master, segment, hang(9), 5, nil, run.ErrTimeout, run.StepSegment},
		{"a segment late twice", master, segment, hang(2), 3, nil, "", run.StepSegment},
		{"a segment cut short", master, segment, cut(9), 7, exponential, run.ErrSegmentTruncated, run.StepSegment},
		{"a segment's 404", master, segment, status(404, 9), 7, exponential, run.ErrHTTP4xx, run.StepSegment},
		{"a key's 503", aes, key, status(503, 3), 4, []float64{10, 10, 10}, "", ""},
		{"a key late", aes, key, hang(9), 2, []float64{10}, run.ErrTimeout, run.StepKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, map[string]string{master: oneOf(playlist)}, map[string]rule{tt.path: tt.rule})
			m := quick(hlsjs)
			if strings.Contains(tt.name, "late") {
				m = hasty(hlsjs, tt.step)
			}
			r := press(t, o, tt.manifest, m, run.App{})
			if tt.typ == "" {
				good(t, r)
			} else {
				bad(t, r, tt.typ, tt.step)
			}
			tries := 0
			for _, p := range o.paths() {
				if p == tt.path {
					tries++
				}
			}
			if tries != tt.tries {
				t.Errorf("%d tries, want %d: %s", tries, tt.tries, names(r))
			}
			var delays []float64
			attempt := int64(0)
			for _, s := range r.Steps {
				if s.Name == run.WaitRetry {
					delays = append(delays, s.EndMs-s.StartMs)
				}
				if s.Attempt > attempt {
					attempt = s.Attempt
				}
			}
			if attempt != int64(tt.tries) {
				t.Errorf("the last attempt is number %d, want %d", attempt, tt.tries)
			}
			if len(delays) != len(tt.delays) {
				t.Fatalf("delays %v, want %v", delays, tt.delays)
			}
			for i := range delays {
				if math.Abs(delays[i]-tt.delays[i]) > 0.001 {
					t.Errorf("delays %v, want %v", delays, tt.delays)
				}
			}
		})
	}
}

// Failures of video and audio count together: the one that fails second waits
// twice as long.
func TestHlsjsCountsFailuresTogether(t *testing.T) {
	o := newOrigin(t, nil, map[string]rule{"/cmaf/v360/0.m4s": status(503, 1), "/cmaf/a48/0.m4s": status(503, 1)})
	r := good(t, press(t, o, "/cmaf/master.m3u8", quick(hlsjs), run.App{}))
	sum := 0.0
	for _, s := range r.Steps {
		if s.Name == run.WaitRetry {
			sum += s.EndMs - s.StartMs
		}
	}
	if math.Abs(sum-30) > 0.001 {
		t.Errorf("the delays add up to %v ms, want 10 and 20: %s", sum, names(r))
	}
}

// A limit that passes while connecting is a timeout to the player, whatever the
// run calls it.
func TestAgain(t *testing.T) {
	p := hlsjs.policy(run.StepSegment)
	for _, tt := range []struct {
		name   string
		f      failure
		before int
		delay  time.Duration
		again  bool
	}{
		{"a limit while connecting", failure{typ: run.ErrConnect, timedOut: true}, 3, 0, true},
		{"a limit, too often", failure{typ: run.ErrTimeout, timedOut: true}, 4, 0, false},
		{"a refused connection", failure{typ: run.ErrConnect}, 0, 0, false},
		{"an error after a limit", failure{typ: run.ErrHTTP5xx}, 1, 2 * time.Second, true},
		{"the delay's bound", failure{typ: run.ErrHTTP5xx}, 5, 8 * time.Second, true},
		{"an error too often", failure{typ: run.ErrHTTP5xx}, 6, 8 * time.Second, false},
		{"garbage", failure{typ: run.ErrMediaInvalid}, 0, 0, false},
		{"too large", failure{typ: run.ErrTooLarge}, 0, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			delay, again := p.again(&tt.f, tt.before)
			if again != tt.again || again && delay != tt.delay {
				t.Errorf("%v after %v, want %v after %v", again, delay, tt.again, tt.delay)
			}
		})
	}
}

// The limits of a policy hold for a try with all its redirects.
func TestLimitsSpanRedirects(t *testing.T) {
	const ms = time.Millisecond
	server := &slow{now: time.Unix(1, 0)}
	s := &session{cfg: Config{Client: server, Clock: server}, model: hlsjs, start: server.now}
	a := ask{name: run.StepPlaylist, url: "http://a.example/old", body: func([]byte, time.Time) error { return nil }}
	if _, err := s.attempt(t.Context(), a, Policy{FirstByte: 200 * ms, Stall: 50 * ms, Total: 300 * ms}, 1, s.pressed()); err != nil {
		t.Fatal(err)
	}
	var got [][3]time.Duration
	for _, r := range server.asked {
		got = append(got, [3]time.Duration{r.FirstByteTimeout, r.StallTimeout, r.Timeout})
	}
	want := [][3]time.Duration{{200 * ms, 50 * ms, 300 * ms}, {70 * ms, 50 * ms, 170 * ms}} // 130 ms later
	if !slices.Equal(got, want) {
		t.Errorf("first byte, silence and all within %v, want %v", got, want)
	}
}

// A limit begins when the player asks: not while it waits for an initialization
// segment by itself.
func TestLimitAfterInit(t *testing.T) {
	const limit = time.Second
	o := newOrigin(t, nil, map[string]rule{"/cmaf/v360/init.mp4": delay(limit + 200*time.Millisecond)})
	m := calm(dashjs)
	m.Retry = map[run.StepName]Policy{run.StepSegment: {Total: limit}}
	good(t, press(t, o, "/cmaf/manifest-timeline.mpd", m, run.App{Set: map[string]float64{"start_kbps": 300}}))
}
