package probes_test

import (
	"context"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/run"
)

// lab serves the lab's media; answers go first.
func lab(answers map[string]http.HandlerFunc) http.Handler {
	files := http.FileServer(http.Dir(media))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := answers[r.URL.Path]; f != nil {
			f(w, r)
			return
		}
		files.ServeHTTP(w, r)
	})
}

// once answers the first request with a status, the others with the file.
func once(status int) http.HandlerFunc {
	var mu sync.Mutex
	first := true
	files := http.FileServer(http.Dir(media))
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		now := first
		first = false
		mu.Unlock()
		if now {
			w.Header().Set("Cache-Status", "edge; fwd=miss; fwd-status=503")
			w.WriteHeader(status)
			return
		}
		w.Header().Set("Cache-Status", "edge; hit")
		files.ServeHTTP(w, r)
	}
}

// The fields of a run by what came of it.
func TestRunFields(t *testing.T) {
	const segment = "/ts/360p/0.ts"
	for _, tt := range []struct {
		name     string
		answers  map[string]http.HandlerFunc
		change   func(*probes.Spec)
		ok, good bool
		typ      run.ErrorType
		step     run.StepName
		attempts int64
		redirect int64
		cache    string // segment_cache_status
		edge     bool   // something was reached
	}{
		{name: "good", ok: true, good: true, attempts: 3, edge: true},
		{name: "slower than its threshold", change: func(s *probes.Spec) { s.Target.Threshold = time.Millisecond }, ok: true, attempts: 3, edge: true},
		{name: "a second try", answers: map[string]http.HandlerFunc{segment: once(503)}, ok: true, good: true, attempts: 4, cache: run.CacheHit, edge: true},
		{name: "redirected", answers: map[string]http.HandlerFunc{"/m": http.RedirectHandler("/ts/master.m3u8", http.StatusFound).ServeHTTP},
			change: func(s *probes.Spec) { s.Target.URL = strings.Replace(s.Target.URL, "/ts/master.m3u8", "/m", 1) }, ok: true, good: true, attempts: 4, redirect: 1, edge: true},
		{name: "no segment, and no other level to go to", change: func(s *probes.Spec) { s.App.Player = "ideal" },
			answers: map[string]http.HandlerFunc{segment: http.NotFound}, typ: run.ErrHTTP4xx, step: run.StepSegment, attempts: 3, edge: true},
		{name: "no manifest", answers: map[string]http.HandlerFunc{"/ts/master.m3u8": http.NotFound}, typ: run.ErrHTTP4xx, step: run.StepManifest, attempts: 1, edge: true},
		{name: "an address that is not allowed", change: func(s *probes.Spec) { s.Network.AllowPrivate = false }, typ: run.ErrBlockedAddress, step: run.StepManifest, attempts: 1},
		{name: "no such player", change: func(s *probes.Spec) { s.App.Player = "vlc" }, typ: run.ErrUnsupported, step: run.StepManifest},
		{name: "no such name", change: func(s *probes.Spec) { s.Target.URL = "https://no-such-host.invalid/m" }, typ: run.ErrDNS, step: run.StepManifest, attempts: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := server(t, lab(tt.answers))
			s := spec(srv.URL+"/ts/master.m3u8", "hlsjs", "")
			s.Target.Threshold = 8 * time.Second
			s.Target.Labels = map[string]string{"a": "b"}
			s.Identity.Country = "BR"
			if tt.change != nil {
				tt.change(&s)
			}
			r := probes.Probe(context.Background(), s)
			if r.OK != tt.ok || r.Good != tt.good || r.ErrorType != tt.typ || r.ErrorStep != tt.step || (r.ErrorDetail == "") != tt.ok {
				t.Fatalf("ok %v, good %v, %s at %s: %s", r.OK, r.Good, r.ErrorType, r.ErrorStep, r.ErrorDetail)
			}
			if r.Attempts != tt.attempts || r.Redirects != tt.redirect || r.SegmentCacheStatus != tt.cache && tt.cache != "" {
				t.Errorf("%d attempts, %d redirects, cache %q; want %d, %d, %q", r.Attempts, r.Redirects, r.SegmentCacheStatus, tt.attempts, tt.redirect, tt.cache)
			}
			whole := r.DurationMs
			if r.OK {
				whole = *r.TTFFMs
			}
			if math.Abs(r.Phases.Sum()-whole) > 0.1 {
				t.Errorf("phases add up to %v, want %v", r.Phases.Sum(), whole)
			}
			shown := []bool{r.TTFFMs != nil, r.StartupMs != nil, r.FirstKeyframeMs != nil, r.BitrateKbps != nil, r.Width != nil, r.Height != nil, r.Codec != "", r.ThroughputKbps != nil || r.OK}
			if slices.Contains(shown, !tt.ok) {
				t.Errorf("what a first frame shows is there: %v, want %v", shown, tt.ok)
			}
			if (r.EdgeIP == "127.0.0.1") != tt.edge || (r.IPVersion != nil) != tt.edge || (r.TLSVersion == "1.3") != tt.edge || (r.TLSExpiresAt != nil) != tt.edge {
				t.Errorf("edge %q, TLS %q until %v", r.EdgeIP, r.TLSVersion, r.TLSExpiresAt)
			}
			if r.LiveLatencyMs != nil || r.PlaylistAgeMs != nil || r.ScheduledAt != nil || r.IntervalMs != nil || r.ControlOK != nil || r.PlayedMs != nil {
				t.Errorf("what is not known is there: %+v", r)
			}
			if r.Source != run.SourceAdhoc || r.CountryFrom != "claimed" || r.Labels["a"] != "b" || r.Connection != "cold" || !strings.HasPrefix(r.Player, s.App.Player) {
				t.Errorf("source %s, country from %s, labels %v, connection %s, player %s", r.Source, r.CountryFrom, r.Labels, r.Connection, r.Player)
			}
		})
	}
}

// Through a CDN every request goes to its host, says which run it is of, and
// carries what the app sends.
func TestThroughCDN(t *testing.T) {
	for _, cmcd := range []string{"", "header", "query", "off"} {
		t.Run("cmcd "+cmcd, func(t *testing.T) {
			var mu sync.Mutex
			var all []*http.Request
			srv := server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				all = append(all, r)
				mu.Unlock()
				w.Header().Set("X-Amz-Cf-Pop", "GRU3-P2")
				switch r.URL.Path {
				case "/m": // absolute addresses of the origin's host, and a redirect to it
					http.Redirect(w, r, "https://origin.example/l", http.StatusFound)
				case "/l":
					w.Write([]byte("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttps://origin.example/ts/360p/0.ts\n#EXT-X-ENDLIST\n"))
				default:
					http.FileServer(http.Dir(media)).ServeHTTP(w, r)
				}
			}))
			s := spec("https://origin.example/m?sig=%7e", "ideal", "")
			s.CDN = run.CDN{Name: "a", Host: "a.cdn.example"}
			s.App.CMCD, s.App.UserAgent, s.App.Query = cmcd, "app/1", map[string]string{"device": "tv"}
			s.Network.ConnectTo = map[string]string{"A.cdn.example": srv.Listener.Addr().String()}
			s.Network.Header = http.Header{"X-A": {"1"}}
			r := must(t, probes.Probe(context.Background(), s))
			if len(all) != 3 || r.CDN != "a" || r.Redirects != 1 {
				t.Fatalf("%d requests, CDN %q, %d redirects", len(all), r.CDN, r.Redirects)
			}
			if r.CDNSeen != "cloudfront" || r.POP != "GRU3-P2" || r.POPCountry != "BR" || r.POPCity != "São Paulo" {
				t.Errorf("served by %s from %s in %s, %s", r.CDNSeen, r.POP, r.POPCity, r.POPCountry)
			}
			sid := `sid="` + r.RunID + `"`
			says := func(text string) bool { return strings.Contains(text, sid) }
			for _, q := range all {
				header, query := q.Header.Get("CMCD-Session"), q.URL.Query().Get("CMCD")
				if says(header) != (cmcd == "" || cmcd == "header") || says(query) != (cmcd == "query") || cmcd == "" && header != sid || strings.Count(q.URL.RawQuery, "CMCD") > 1 {
					t.Errorf("%s: CMCD header %q, query %q", q.URL, header, q.URL.RawQuery)
				}
				if q.Host != "a.cdn.example" || q.UserAgent() != "app/1" || q.Header.Get("X-A") != "1" {
					t.Errorf("%s: host %s, agent %s, header %v", q.URL, q.Host, q.UserAgent(), q.Header)
				}
			}
			if got := all[0].URL.RawQuery; !strings.HasPrefix(got, "sig=%7e&device=tv") {
				t.Errorf("the manifest's query is %q", got)
			}
		})
	}
}

// A warm run finds its connection there, for which it has asked nothing.
func TestWarm(t *testing.T) {
	for _, version := range []string{"1.1", "2"} {
		var mu sync.Mutex
		var asked []string
		srv := server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			asked = append(asked, r.Method+" "+r.URL.Path)
			mu.Unlock()
			http.FileServer(http.Dir(media)).ServeHTTP(w, r)
		}))
		s := spec(srv.URL+"/ts/master.m3u8", "hlsjs", version)
		s.Target.Connection = "warm"
		r := must(t, probes.Probe(context.Background(), s))
		if len(asked) != 3 || asked[0] != "GET /ts/master.m3u8" {
			t.Errorf("HTTP/%s: %v", version, asked)
		}
		if r.Connection != "warm" || !r.Steps[0].Reused || r.DNSMs+r.ConnectMs+r.TLSMs != 0 || r.Attempts != 3 {
			t.Errorf("HTTP/%s: a warm run connects: %+v", version, r.Phases)
		}
	}
}

// The deadline and the caller's end are kept to, whatever the run is at.
func TestEnds(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for _, path := range []string{"/cmaf/master.m3u8", "/cmaf/v360/index.m3u8", "/cmaf/a48/index.m3u8", "/cmaf/v360/init.mp4", "/cmaf/v360/0.m4s", "/cmaf/a48/0.m4s"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			srv := server(t, lab(map[string]http.HandlerFunc{path: hang}))
			s := spec(srv.URL+"/cmaf/master.m3u8", "hlsjs", "")
			s.Target.Timeout = 500 * time.Millisecond
			r := probes.Probe(context.Background(), s)
			if r.ErrorType != run.ErrTimeout || r.DurationMs < 499 || r.DurationMs > 2000 {
				t.Errorf("%s after %v ms: %s", r.ErrorType, r.DurationMs, r.ErrorDetail)
			}
			s.Target.Timeout = 30 * time.Second
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			time.AfterFunc(300*time.Millisecond, cancel)
			defer cancel()
			begin := time.Now()
			if r := probes.Probe(ctx, s); r.ErrorType != run.ErrInternal || time.Since(begin) > 5*time.Second {
				t.Errorf("cancelled: %s after %v", r.ErrorType, time.Since(begin))
			}
		})
	}
}
