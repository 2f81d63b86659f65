package player

import (
	"context"
	"flag"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
	"go.uber.org/goleak"
)

// TestMain runs more tests beside one another than there are processors: those
// of playing on take time, and hardly anything else.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// lab is where the lab's media lie: real streams, made with ffmpeg.
const lab = "../../deploy/lab/media"

// serve gives an origin of the lab's media, changed by change where it is not
// nil.
func serve(t *testing.T, change func(next http.Handler) http.Handler) *httptest.Server {
	t.Helper()
	var h http.Handler = http.FileServer(http.Dir(lab))
	if change != nil {
		h = change(h)
	}
	srv := httptest.NewUnstartedServer(h)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

// playIt presses play with a cold client.
func playIt(t *testing.T, url string, cfg Config) *Result {
	t.Helper()
	client := fetch.New(fetch.Config{AllowPrivate: true, Insecure: true})
	defer client.Close()
	cfg.URL, cfg.Client = url, client
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return Play(ctx, cfg)
}

// names are the requests of a result in order, with their track's first letter.
func names(r *Result) string {
	var out []string
	for _, s := range r.Steps {
		name := string(s.Name)
		if s.Track != "" {
			name += "." + s.Track[:1]
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func TestPlay(t *testing.T) {
	srv := serve(t, nil)
	for _, tt := range []struct {
		path, player    string
		format          string
		height          int
		requests, audio int // media and init requests
	}{
		{"/ts/master.m3u8", "hlsjs", "hls", 360, 1, 0},
		{"/ts/master.m3u8", "ideal", "hls", 360, 1, 0},
		{"/ts/720p/index.m3u8", "hlsjs", "hls", 720, 1, 0},
		{"/aes/master.m3u8", "hlsjs", "hls", 0, 1, 0},
		{"/aes/master.m3u8", "ideal", "hls", 0, 1, 0},
		{"/cmaf/master.m3u8", "hlsjs", "hls", 360, 2, 2},
		{"/cmaf/master.m3u8", "ideal", "hls", 360, 2, 2},
		{"/range/master.m3u8", "hlsjs", "hls", 360, 2, 2},
		{"/range/master.m3u8", "ideal", "hls", 360, 2, 2},
		{"/ts/master.m3u8", "shaka", "hls", 720, 1, 0},
		{"/aes/master.m3u8", "shaka", "hls", 360, 1, 0},
		{"/range/master.m3u8", "shaka", "hls", 360, 2, 2},
		{"/range/master.m3u8", "hlsjs@1.6", "hls", 360, 2, 2},
		{"/cmaf/manifest-timeline.mpd", "", "dash", 720, 2, 2}, // 1 Mbit/s to begin with
		{"/cmaf/manifest-timeline.mpd", "ideal", "dash", 360, 2, 2},
		{"/cmaf/manifest-number.mpd", "ideal", "dash", 360, 2, 2},
		{"/cmaf/manifest-number.mpd", "shaka", "dash", 720, 2, 2},
	} {
		t.Run(strings.TrimPrefix(tt.path, "/")+" "+tt.player, func(t *testing.T) {
			var cfg Config
			if tt.player != "" {
				m, err := Lookup(tt.player)
				if err != nil {
					t.Fatal(err)
				}
				cfg.Model = m
			}
			r := playIt(t, srv.URL+tt.path, cfg)
			if r.Error != "" || r.Frame == nil || r.Keyframe == nil || r.Startup == nil {
				t.Fatalf("%s at %s: %s (%s)", r.Error, r.Step, r.Detail, names(r))
			}
			if r.Format != tt.format || r.Mode != "vod" {
				t.Errorf("%s %s, want %s vod", r.Format, r.Mode, tt.format)
			}
			if tt.height > 0 && r.Height != tt.height {
				t.Errorf("%d lines, want %d", r.Height, tt.height)
			}
			if !strings.HasPrefix(r.Codec, "avc1.") {
				t.Errorf("codec %q, want avc1.…", r.Codec)
			}
			if r.Frame.Before(*r.Keyframe) || r.Startup.Before(*r.Frame) || r.End.Before(*r.Frame) {
				t.Errorf("keyframe %v, frame %v, startup %v, end %v: out of order", r.Keyframe.Sub(r.Start), r.Frame.Sub(r.Start), r.Startup.Sub(r.Start), r.End.Sub(r.Start))
			}
			if sum, want := r.Phases.Sum(), ms(r.Frame.Sub(r.Start)); math.Abs(sum-want) > 0.1 {
				t.Errorf("phases add up to %v ms, the first frame was at %v ms", sum, want)
			}
			video, audio := 0, 0
			for _, s := range r.Steps {
				if s.Name == run.StepInit || s.Name == run.StepSegment {
					if s.Track == run.TrackAudio {
						audio++
					} else {
						video++
					}
				}
			}
			if video != tt.requests || audio != tt.audio {
				t.Errorf("%d video and %d audio requests, want %d and %d: %s", video, audio, tt.requests, tt.audio, names(r))
			}
			if r.Model.Key == KeyLast {
				return
			}
			for _, pair := range [][2]string{{"key.v", "segment.v"}, {"init.v", "segment.v"}, {"init.a", "segment.a"}} {
				if strings.Index(names(r), pair[0]) > strings.Index(names(r), pair[1]) {
					t.Errorf("%s is asked for behind %s: %s", pair[0], pair[1], names(r))
				}
			}
		})
	}
}
