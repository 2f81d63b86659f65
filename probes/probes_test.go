package probes_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/run"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(witnessEnv) != "" {
		serveWitness()
		return
	}
	goleak.VerifyTestMain(m)
}

// media are the lab's streams, made with ffmpeg.
const media = "../deploy/lab/media"

// server starts an HTTPS server with HTTP/1.1 and HTTP/2.
func server(t testing.TB, h http.Handler) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of handshakes that a run gives up
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

// spec plays url as player, over the HTTP version.
func spec(url, player, version string) probes.Spec {
	return probes.Spec{
		Target:  run.Target{URL: url, Timeout: 10 * time.Second},
		App:     run.App{Player: player},
		Network: probes.Network{AllowPrivate: true, Insecure: true, HTTP: version},
	}
}

func must(t testing.TB, r run.Run) run.Run {
	t.Helper()
	if !r.OK {
		t.Errorf("%s at %s: %s", r.ErrorType, r.ErrorStep, r.ErrorDetail)
	}
	return r
}

// pausing serves the lab's media, and holds one file back at two places: up to
// its first byte of the keyframe's end, then up to after it.
type pausing struct {
	file   string // path of the segment
	end    int    // offset of the keyframe's end
	before time.Duration
	after  time.Duration

	mu    sync.Mutex
	ended time.Time // when the first pause was over
}

func (p *pausing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := os.ReadFile(filepath.Join(media, filepath.FromSlash(r.URL.Path)))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	if r.URL.Path != p.file {
		w.Write(body)
		return
	}
	flush := w.(http.Flusher)
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.Write(body[:p.end-1])
	flush.Flush()
	time.Sleep(p.before)
	p.mu.Lock()
	p.ended = time.Now()
	p.mu.Unlock()
	w.Write(body[p.end-1 : p.end])
	flush.Flush()
	time.Sleep(p.after)
	w.Write(body[p.end:])
}

// The pauses before the keyframe's last byte, and after it.
const (
	pauseBefore = 400 * time.Millisecond
	pauseAfter  = 700 * time.Millisecond
)

// keyframe is where a stream's first keyframe ends.
type keyframe struct {
	name, manifest, file string
	end                  int
}

// keyframes are where the first keyframes of the lab's media end. The offsets
// come from ffprobe -show_packets and -show_entries packet=pos: in TS the end of
// the packet with its last byte, encrypted of the block of 16 with that.
var keyframes = []keyframe{
	{"ts", "/ts/360p/index.m3u8", "/ts/360p/0.ts", 5452},
	{"fmp4", "/cmaf/v360/index.m3u8", "/cmaf/v360/0.m4s", 4918},
	{"aes-128", "/aes/360p/index.m3u8", "/aes/360p/0.ts", 5456},
}

// The first keyframe's instant is that of its last byte, as the server
// recorded it, whatever comes after.
func TestKeyframeInstant(t *testing.T) {
	for _, tt := range keyframes {
		for _, version := range []string{"1.1", "2"} {
			for _, player := range []string{"ideal", "hlsjs"} {
				t.Run(tt.name+" HTTP/"+version+" "+player, func(t *testing.T) {
					t.Parallel()
					// What else runs on the machine spoils some tries, a mistake all.
					var off []float64
					for range 5 {
						if off = keyframeOff(t, tt, player, version); t.Failed() || off[1] >= 0 && off[1] <= 2+slack {
							break
						}
					}
					t.Logf("off by %.3f ms (median of %d)", off[1], len(off))
					if off[1] < 0 || off[1] > 2+slack {
						t.Errorf("first keyframe off by %v ms (median), all: %v", off[1], off)
					}
				})
			}
		}
	}
}

// keyframeOff plays three times at once, and gives by how many milliseconds each
// run's keyframe is later than the server sent its last byte, in order.
func keyframeOff(t *testing.T, k keyframe, player, version string) []float64 {
	t.Helper()
	off := make([]float64, 3)
	var wg sync.WaitGroup
	for i := range off {
		wg.Go(func() {
			p := &pausing{file: k.file, end: k.end, before: pauseBefore, after: pauseAfter}
			r := must(t, probes.Probe(context.Background(), spec(server(t, p).URL+k.manifest, player, version)))
			p.mu.Lock()
			want := float64(p.ended.Sub(r.StartedAt)) / float64(time.Millisecond)
			p.mu.Unlock()
			if !r.OK {
				return
			}
			off[i] = *r.FirstKeyframeMs - want
			if player == "ideal" && *r.TTFFMs != *r.FirstKeyframeMs {
				t.Errorf("first frame at %v ms, keyframe at %v ms: want the same", *r.TTFFMs, *r.FirstKeyframeMs)
			}
			if player == "hlsjs" && *r.TTFFMs < want+700 {
				t.Errorf("first frame at %v ms, before its segment was complete at %v ms", *r.TTFFMs, want+700)
			}
		})
	}
	wg.Wait()
	slices.Sort(off)
	return off
}
