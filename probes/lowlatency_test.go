package probes_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/run"
)

// A low-latency run with content steering says who served its part, and which
// pathway it played; the steering server is nobody's edge.
func TestLowLatencyRun(t *testing.T) {
	files := http.FileServer(http.Dir(media))
	mux := http.NewServeMux()
	mux.HandleFunc("/m.m3u8", text("#EXTM3U\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"/steer\",PATHWAY-ID=\"b\"\n"+
		"#EXT-X-STREAM-INF:BANDWIDTH=1,PATHWAY-ID=\"a\",CODECS=\"avc1.4d401e\"\na.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=1,PATHWAY-ID=\"b\",CODECS=\"avc1.4d401e\"\nb.m3u8\n"))
	mux.HandleFunc("/b.m3u8", text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-SERVER-CONTROL:PART-HOLD-BACK=2\n"+
		"#EXTINF:1.92,\n/gone\n#EXTINF:1.92,\n/gone\n#EXT-X-PART:DURATION=0.96,URI=\"/part\",INDEPENDENT=YES\n#EXT-X-PART:DURATION=0.96,URI=\"/gone\"\n#EXTINF:1.92,\n/gone\n"+
		"#EXT-X-PART:DURATION=0.96,URI=\"/gone\",INDEPENDENT=YES\n"))
	mux.HandleFunc("/steer", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Status", "steering; fwd=miss")
		io.WriteString(w, `{"VERSION":1,"PATHWAY-PRIORITY":["b","a"]}`)
	})
	mux.HandleFunc("/part", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Status", "edge; hit")
		r.URL.Path = "/ts/360p/0.ts"
		files.ServeHTTP(w, r)
	})
	r := probes.Probe(context.Background(), spec(server(t, mux).URL+"/m.m3u8", "hlsjs", ""))
	if !r.OK || r.Mode != "low_latency" || r.Pathway != "b" || r.SegmentCacheStatus != run.CacheHit || r.LiveLatencyMs == nil {
		t.Errorf("ok %v (%s at %s: %s), mode %s, pathway %q, segment %q, latency %v", r.OK, r.ErrorType, r.ErrorStep, r.ErrorDetail, r.Mode, r.Pathway, r.SegmentCacheStatus, r.LiveLatencyMs)
	}
}
