package probes_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/run"
)

// TestSoundOnly: the run of a stream without pictures has what sound has, and no
// more; who served it and how is that of its segment.
func TestSoundOnly(t *testing.T) {
	srv := server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/radio.m3u8":
			w.Write([]byte("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS=\"mp4a.40.2\"\n/cmaf/a48/index.m3u8\n"))
			return
		case strings.HasSuffix(r.URL.Path, ".m4s"):
			w.Header().Set("X-Cache", "Hit from cloudfront")
			w.Header().Set("X-Amz-Cf-Pop", "FRA56-P5")
		}
		http.FileServer(http.Dir(media)).ServeHTTP(w, r)
	}))
	for _, player := range []string{"ideal", "hlsjs", "shaka", "exoplayer", "avplayer"} {
		t.Run(player, func(t *testing.T) {
			r := must(t, probes.Probe(t.Context(), spec(srv.URL+"/radio.m3u8", player, "2")))
			if r.FirstKeyframeMs != nil || r.Width != nil || r.Height != nil || r.Codec != "mp4a.40.2" {
				t.Errorf("keyframe %v, %v × %v, codec %q", r.FirstKeyframeMs, r.Width, r.Height, r.Codec)
			}
			if r.TTFFMs == nil || r.StartupMs == nil || *r.TTFFMs != *r.StartupMs || *r.BitrateKbps != 64 {
				t.Errorf("heard at %v, plays at %v, %v kbit/s", r.TTFFMs, r.StartupMs, r.BitrateKbps)
			}
			if r.POP != "FRA56-P5" || r.SegmentCacheStatus != run.CacheHit {
				t.Errorf("served by %q, cache %q", r.POP, r.SegmentCacheStatus)
			}
		})
	}
}
