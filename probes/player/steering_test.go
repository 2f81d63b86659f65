package player

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// HLS content steering: the start pathway is played at once, by players that
// wait for the steering manifest the one that it prefers, and a steering server
// that fails fails nothing but its step.
func TestHLSSteering(t *testing.T) {
	master := "#EXTM3U\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"/steer?k=1\",PATHWAY-ID=\"b\"\n" +
		"#EXT-X-STREAM-INF:BANDWIDTH=400000,PATHWAY-ID=\"a\",STABLE-VARIANT-ID=\"s\",CLOSED-CAPTIONS=NONE\n/a/l.m3u8\n" +
		"#EXT-X-STREAM-INF:BANDWIDTH=400000,PATHWAY-ID=\"b\",STABLE-VARIANT-ID=\"s\",CLOSED-CAPTIONS=NONE\n/b/l.m3u8\n"
	manifest := func(body string) rule {
		return func(w http.ResponseWriter, _ *http.Request, _ int) bool { fmt.Fprint(w, body); return true }
	}
	const prefersA = `{"VERSION":1,"TTL":10,"PATHWAY-PRIORITY":["a","b"]}`
	for _, tt := range []struct {
		name    string
		model   *Model
		steer   rule
		path    string // of the playlist that is played
		pathway string
		query   string        // of the steering manifest
		typ     run.ErrorType // of its step
	}{
		{"hls.js does not wait", hlsjs, hang(99), "/b/l.m3u8", "b", "_HLS_pathway=b&_HLS_throughput=500000&k=1", ""},
		{"Shaka waits", shaka, manifest(prefersA), "/a/l.m3u8", "a", "k=1", ""},
		{"Shaka, nothing known is preferred", shaka, manifest(`{"VERSION":1,"PATHWAY-PRIORITY":["x"]}`), "/b/l.m3u8", "b", "k=1", ""},
		{"Shaka, a clone by its host's parameters", shaka, manifest(`{"VERSION":1,"PATHWAY-PRIORITY":["c","a"],"PATHWAY-CLONES":[{"ID":"c","BASE-ID":"a","URI-REPLACEMENT":{"PARAMS":{"t":"9"}}}]}`), "/a/l.m3u8?t=9", "c", "k=1", ""},
		{"Shaka, a clone's variant of its own", shaka, manifest(`{"VERSION":1,"PATHWAY-PRIORITY":["c"],"PATHWAY-CLONES":[{"ID":"c","BASE-ID":"a","URI-REPLACEMENT":{"PER-VARIANT-URIS":{"s":"/c/l.m3u8"}}}]}`), "/c/l.m3u8", "c", "k=1", ""},
		{"Shaka, the server is down", shaka, status(503, 99), "/b/l.m3u8", "b", "k=1", run.ErrHTTP5xx},
		{"Shaka, HTML", shaka, manifest("<html>"), "/b/l.m3u8", "b", "k=1", run.ErrManifestInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := list("", nil, true)
			o := newOrigin(t, map[string]string{"/m.m3u8": master, "/a/l.m3u8": l, "/b/l.m3u8": l, "/c/l.m3u8": l}, map[string]rule{"/steer": tt.steer})
			r := good(t, press(t, o, "/m.m3u8", quick(tt.model), run.App{}))
			var step *run.Step
			played := ""
			for i := range r.Steps {
				switch s := &r.Steps[i]; s.Name {
				case run.StepSteering:
					step = s
				case run.StepPlaylist:
					played = strings.TrimPrefix(s.URL, o.URL)
				}
			}
			if played != tt.path || r.Pathway != tt.pathway {
				t.Errorf("%s of pathway %q, want %s of %q", played, r.Pathway, tt.path, tt.pathway)
			}
			if step == nil || step.Error != tt.typ {
				t.Fatalf("steering step %+v, want error %q", step, tt.typ)
			}
			if q := query(step.URL); q != tt.query {
				t.Errorf("asked with %s, want %s", q, tt.query)
			}
		})
	}
}

// DASH content steering: the default service location first; where the MPD says
// queryBeforeStart what the steering manifest prefers.
func TestDASHSteering(t *testing.T) {
	mpd := func(steer string) string {
		return `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT60S">` + steer +
			`<BaseURL serviceLocation="a">/v/a/</BaseURL><BaseURL serviceLocation="b">/v/b/</BaseURL><Period><AdaptationSet contentType="video" mimeType="video/mp4">
			<SegmentTemplate timescale="12800" initialization="/cmaf/v360/init.mp4" media="$Number$" duration="24576"/><Representation id="v" codecs="avc1.4d401e" bandwidth="203175"/></AdaptationSet></Period></MPD>`
	}
	steer := func(attrs string) string { return "<ContentSteering " + attrs + ">/steer</ContentSteering>" }
	const prefersA = `{"VERSION":1,"PATHWAY-PRIORITY":["a","b"]}`
	for _, tt := range []struct {
		name, mpd, answer string
		want, pathway     string
		asked             bool
		query             string
	}{
		{"none", mpd(""), "", "v/a/1", "a", false, ""},
		{"the default location", mpd(steer(`defaultServiceLocation="b"`)), prefersA, "v/b/1", "b", true, "_DASH_pathway=%22b%22&_DASH_throughput=1000000"},
		{"asked before the start", mpd(steer(`defaultServiceLocation="b" queryBeforeStart="true"`)), prefersA, "v/a/1", "a", true, ""},
		{"asked before the start, in vain", mpd(steer(`defaultServiceLocation="b" queryBeforeStart="true"`)), "", "v/b/1", "b", true, ""},
		{"a clone", mpd(steer(`queryBeforeStart="true"`)), `{"VERSION":1,"PATHWAY-PRIORITY":["c"],"PATHWAY-CLONES":[{"ID":"c","BASE-ID":"b","URI-REPLACEMENT":{"PARAMS":{"t":"1"}}}]}`, "v/b/1", "c", true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := dashOrigin(t, tt.mpd, map[string]rule{"/steer": func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				if tt.answer == "" {
					w.WriteHeader(http.StatusBadGateway)
				}
				fmt.Fprint(w, tt.answer)
				return true
			}})
			r := good(t, press(t, o, "/m.mpd", quick(dashjs), run.App{}))
			if video, _ := asked(r); video != tt.want || r.Pathway != tt.pathway {
				t.Errorf("%s of %q, want %s of %q", video, r.Pathway, tt.want, tt.pathway)
			}
			was := false
			for _, s := range r.Steps {
				if s.Name == run.StepSteering {
					was = true
					if q := query(s.URL); q != tt.query {
						t.Errorf("asked with %s, want %s", q, tt.query)
					}
				}
			}
			if was != tt.asked {
				t.Errorf("steering was asked for: %v", was)
			}
		})
	}
}

// A steering server that never answers holds nobody up for long.
func TestSteeringHangs(t *testing.T) {
	o := newOrigin(t, map[string]string{"/m.m3u8": "#EXTM3U\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"/steer\"\n#EXT-X-STREAM-INF:BANDWIDTH=1,CLOSED-CAPTIONS=NONE\n/ts/360p/index.m3u8\n"},
		map[string]rule{"/steer": hang(99)})
	m := quick(hlsjs)
	m.SteeringFirst = true
	m.Retry[run.StepSteering] = Policy{Total: 200 * time.Millisecond}
	r := good(t, press(t, o, "/m.m3u8", m, run.App{}))
	if r.Phases.ManifestMs < 200 || r.Pathway != "." {
		t.Errorf("manifest_ms %v of a steering server that was waited for 200 ms, pathway %q", r.Phases.ManifestMs, r.Pathway)
	}
}

// A steering server that refuses is asked again as the model does it.
func TestSteerAgain(t *testing.T) {
	t.Parallel()
	const ttl = 30 * time.Second
	for _, tt := range []struct {
		name string
		no   Refused
		want [4]time.Duration // of hls.js, Shaka, dash.js, and the others
	}{
		{"gone", Refused{Status: 410, TTL: ttl}, [4]time.Duration{0, ttl, 0, 0}},
		{"not found", Refused{Status: 404, TTL: ttl}, [4]time.Duration{ttl, ttl, 0, ttl}},
		{"too many", Refused{Status: 429, TTL: ttl, Later: 2 * ttl}, [4]time.Duration{0, ttl, 2 * ttl, 2 * ttl}},
		{"too many, it does not say until when", Refused{Status: 429, TTL: ttl}, [4]time.Duration{0, ttl, 0, ttl}},
		{"a fault", Refused{Status: 503, TTL: ttl}, [4]time.Duration{ttl, ttl, ttl, ttl}},
		{"no manifest", Refused{Status: 200, TTL: ttl}, [4]time.Duration{0, ttl, 0, ttl}},
		{"nothing, and none before", Refused{}, [4]time.Duration{300 * time.Second, 300 * time.Second, 0, 300 * time.Second}},
	} {
		for i, m := range []*Model{hlsjs, shaka, dashjs, ideal} {
			if got := (&session{model: m}).steerAgain(tt.no); got != tt.want[i] {
				t.Errorf("%s, %s: after %v, want %v", m, tt.name, got, tt.want[i])
			}
		}
	}
	for _, tt := range []struct {
		name        string
		rule        rule
		again       func(Refused) time.Duration
		least, most int
	}{
		{"gone", status(410, 99), nil, 1, 1},
		{"a fault", status(503, 99), nil, 2, 4},
		{"impatient", says(`{"VERSION":1,"TTL":0.001,"PATHWAY-PRIORITY":["b"]}`), nil, 5, 21},
		{"no manifest", says("<html>"), nil, 2, 4},
		{"no manifest, hls.js", says("<html>"), hlsjsSteerAgain, 1, 1},
		{"too many", func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}, nil, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rules := steers(t)
			rules["/again"] = tt.rule
			o := newOrigin(t, steeredMaster(8, 3*tenth), rules)
			m := quick(hlsjs)
			m.SteerAgain, m.Retry[run.StepSteering] = tt.again, Policy{}
			r := played(t, playOn(t, o, "/m.m3u8", m, 2*time.Second), 2*time.Second)
			if n := strings.Count(strings.Join(o.paths(), " "), "/again"); n < tt.least || n > tt.most {
				t.Errorf("asked again %d times, want %d to %d", n, tt.least, tt.most)
			}
			if got := ways(r, run.StepSegment, run.TrackVideo); got != "b" {
				t.Errorf("segments from %s, want b alone", got)
			}
		})
	}
}
