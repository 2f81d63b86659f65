package probes_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/trace"
)

// service is a streaming service: its own interface at /api, and streams for
// those who show what it gave them.
type service struct {
	answer string // of the interface; ORIGIN is the server's address
	pause  time.Duration

	mu    sync.Mutex
	asked []string  // what the interface saw
	ended time.Time // when the interface had answered
	bad   []string  // requests without what they need
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch path := r.URL.Path; {
	case r.Method == http.MethodOptions:
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
	case path == "/api":
		body, _ := io.ReadAll(r.Body)
		s.asked = append(s.asked, strings.Join([]string{r.Method, r.URL.RawQuery, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(body)}, "|"))
		time.Sleep(s.pause)
		fmt.Fprint(w, strings.ReplaceAll(s.answer, "ORIGIN", "https://"+r.Host))
		s.ended = time.Now()
	case path == "/moved":
		http.Redirect(w, r, "/api?a=moved", http.StatusSeeOther)
	case path == "/elsewhere":
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusTemporaryRedirect)
	case path == "/sick":
		http.Error(w, "token=ap1-5ecret", http.StatusBadGateway)
	default:
		manifest := strings.HasSuffix(path, "master.m3u8")
		if r.Header.Get("X-Session") != "se55ion-5ecret" || manifest && r.URL.Query().Get("t") != "t0ken-5ecret" {
			s.bad = append(s.bad, r.URL.String())
		}
		http.FileServer(http.Dir(media)).ServeHTTP(w, r)
	}
}

// secretFiles puts secrets where the agent reads them.
func secretFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pin"), []byte("p\"n-5ecret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FIRSTFRAME_SECRETS", dir)
	t.Setenv("FIRSTFRAME_SECRET_API", "ap1-5ecret")
	t.Setenv("FIRSTFRAME_SECRET_SHORT", "1234")
}

const goodAnswer = `{"streams":[{"url":"ORIGIN/ts/master.m3u8?policy=p0licy-5ecret","token":"t0ken-5ecret"}],"session":{"id":"se55ion-5ecret","n":7}}`

func film(url string) *run.PlaybackAPI {
	return &run.PlaybackAPI{
		URL: url, Headers: map[string]string{"Authorization": "Bearer ${env:FIRSTFRAME_SECRET_API}"}, Body: `{"pin":"${file:pin}"}`,
		Manifest: "$.streams[0].url", ManifestQuery: map[string]string{"t": "$.streams[0].token"},
		StreamHeaders: map[string]string{"X-Session": "$.session.id"},
	}
}

// noSecrets fails the test where a secret is in the run as JSON or in its trace.
func noSecrets(t *testing.T, r run.Run) {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	spans, err := trace.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range [][]byte{text, spans} {
		if at := bytes.Index(out, []byte("5ecret")); at >= 0 {
			t.Errorf("…%q…", out[max(0, at-80):min(len(out), at+20)])
		}
	}
}

// The interface is asked with its secrets before all else, what it gives goes
// where it is to go, its time is the phase playback_api, and no secret is seen.
func TestPlaybackAPI(t *testing.T) {
	secretFiles(t)
	const pause = 300 * time.Millisecond
	api := &service{answer: goodAnswer, pause: pause}
	srv := server(t, api)
	s := spec(srv.URL+"/nothing.m3u8", "hlsjs", "")
	s.Target.Name, s.Target.PlaybackAPI = "film", film(srv.URL+"/api?key=${env:FIRSTFRAME_SECRET_API}")
	s.App.Query = map[string]string{"app": "1"}
	r := must(t, probes.Probe(context.Background(), s))
	want := `POST|key=ap1-5ecret|Bearer ap1-5ecret|application/json|{"pin":"p\"n-5ecret"}`
	if len(api.asked) != 1 || api.asked[0] != want {
		t.Errorf("asked %q, want once %q", api.asked, want)
	}
	if len(api.bad) > 0 {
		t.Errorf("without token or session: %q", api.bad)
	}
	if len(r.Steps) < 3 || r.Steps[0].Name != run.StepPlaybackAPI || r.Steps[0].Method != "POST" || r.Steps[1].Name != run.StepManifest || r.Steps[1].Method != "" {
		t.Fatalf("steps %+v", r.Steps)
	}
	if got, want := r.Steps[0].URL, srv.URL+"/api?key=REDACTED"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	if got, want := r.Steps[1].URL, srv.URL+"/ts/master.m3u8?policy=REDACTED&app=1&t=REDACTED"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	if p := r.PlaybackAPIMs; p < ms(pause) || p > r.Steps[0].EndMs {
		t.Errorf("phase playback_api of %v ms, paused for %v, the step ended at %v", p, pause, r.Steps[0].EndMs)
	}
	if sum := r.Phases.Sum(); math.Abs(sum-*r.TTFFMs) > 0.1 {
		t.Errorf("phases add up to %v, of %v", sum, *r.TTFFMs)
	}
	if r.Steps[1].StartMs < r.Steps[0].EndMs {
		t.Errorf("the manifest was asked for at %v, before the answer at %v", r.Steps[1].StartMs, r.Steps[0].EndMs)
	}
	noSecrets(t, r)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func TestPlaybackAPIFails(t *testing.T) {
	secretFiles(t)
	deep := strings.Repeat("[", 20_000)
	for _, tt := range []struct {
		name, path, answer string
		change             func(*run.PlaybackAPI)
		typ                run.ErrorType
		detail             string
	}{
		{"status", "/sick", "", nil, run.ErrHTTP5xx, "502"},
		{"not there", "/none", "", nil, run.ErrHTTP4xx, "404"},
		{"HTML", "/api", "<html>", nil, run.ErrPlaybackAPI, "not JSON"},
		{"nothing", "/api", "", nil, run.ErrPlaybackAPI, "not JSON"},
		{"no manifest", "/api", `{"streams":[]}`, nil, run.ErrPlaybackAPI, "no manifest at $.streams[0].url: there is nothing"},
		{"another kind", "/api", `{"streams":[{"url":{}}]}`, nil, run.ErrPlaybackAPI, "neither a text nor"},
		{"not a URL", "/api", `{"streams":[{"url":"/m?token=a-5ecret"}]}`, nil, run.ErrPlaybackAPI, "want an absolute"},
		{"no token", "/api", `{"streams":[{"url":"ORIGIN/m"}]}`, nil, run.ErrPlaybackAPI, "no parameter t"},
		{"no header", "/api", `{"streams":[{"url":"ORIGIN/m","token":"a"}]}`, nil, run.ErrPlaybackAPI, "no header X-Session"},
		{"a header that cannot be sent", "/api", `{"streams":[{"url":"ORIGIN/m","token":"a"}],"session":{"id":"a-5ecret\r\nb"}}`, nil, run.ErrPlaybackAPI, "cannot be sent"},
		{"too deep", "/api", deep, nil, run.ErrPlaybackAPI, "exceeded max depth"},
		{"too large", "/api", strings.Repeat(" ", 2<<20), nil, run.ErrTooLarge, ""},
		{"a secret that is none", "/api", goodAnswer, func(p *run.PlaybackAPI) { p.Body = "${env:FIRSTFRAME_SECRET_NONE}" }, run.ErrInternal, "no FIRSTFRAME_SECRET_NONE"},
		{"a secret header that is none", "/api", goodAnswer, func(p *run.PlaybackAPI) {
			p.Headers = map[string]string{"Authorization": "Bearer ${env:FIRSTFRAME_SECRET_NONE}"}
		}, run.ErrInternal, "no FIRSTFRAME_SECRET_NONE"},
		{"a file that is none", "/api", goodAnswer, func(p *run.PlaybackAPI) { p.Body = "${file:none}" }, run.ErrInternal, "none"},
		{"a short secret in the URL", "/api", goodAnswer, func(p *run.PlaybackAPI) { p.URL += "?k=${env:FIRSTFRAME_SECRET_SHORT}" }, run.ErrInternal, "fewer than 6 bytes"},
		{"a path that is none", "/api", goodAnswer, func(p *run.PlaybackAPI) { p.Manifest = "$[" }, run.ErrInternal, "manifest $["},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := server(t, &service{answer: tt.answer})
			s := spec(srv.URL+"/ts/master.m3u8", "ideal", "")
			if tt.path == "/none" {
				srv = server(t, http.NotFoundHandler())
			}
			s.Target.PlaybackAPI = film(srv.URL + tt.path)
			if tt.change != nil {
				tt.change(s.Target.PlaybackAPI)
			}
			r := probes.Probe(context.Background(), s)
			if r.ErrorType != tt.typ || r.ErrorStep != run.StepPlaybackAPI || !strings.Contains(r.ErrorDetail, tt.detail) {
				t.Errorf("%s at %s: %s; want %s at playback_api: …%s…", r.ErrorType, r.ErrorStep, r.ErrorDetail, tt.typ, tt.detail)
			}
			if r.EdgeIP != "" || r.CDNSeen != "" {
				t.Errorf("edge %s of %s, where no CDN was asked", r.EdgeIP, r.CDNSeen)
			}
			if sum := r.Phases.Sum(); math.Abs(sum-r.DurationMs) > 0.1 {
				t.Errorf("phases add up to %v, of %v", sum, r.DurationMs)
			}
			noSecrets(t, r)
		})
	}
}

// What is for the interface alone does not follow a redirect to another origin;
// within one it does, after 303 as a GET.
func TestPlaybackAPIRedirects(t *testing.T) {
	secretFiles(t)
	other := &service{answer: goodAnswer}
	others := server(t, other)
	api := &service{answer: goodAnswer}
	srv := server(t, api)
	for path, want := range map[string]struct {
		at    *service
		asked string
	}{
		"/moved":                                {api, `GET|a=moved|Bearer ap1-5ecret||`},
		"/elsewhere?to=" + others.URL + "/api":  {other, `POST||||`},
		"/elsewhere?to=" + srv.URL + "/api?b=1": {api, `POST|b=1|Bearer ap1-5ecret|application/json|{"pin":"p\"n-5ecret"}`},
	} {
		s := spec(srv.URL+"/nothing.m3u8", "ideal", "")
		s.Target.PlaybackAPI = film(srv.URL + path)
		r := must(t, probes.Probe(context.Background(), s))
		if got := want.at.asked[len(want.at.asked)-1]; got != want.asked || r.Redirects != 1 {
			t.Errorf("%s: asked %q after %d redirects, want %q after one", path, got, r.Redirects, want.asked)
		}
	}
}

// A manifest that the CDN under test does not stand for is no run of that CDN.
func TestPlaybackAPIThroughCDN(t *testing.T) {
	secretFiles(t)
	api := &service{answer: strings.ReplaceAll(goodAnswer, "ORIGIN", "https://media.origin.example")}
	srv := server(t, api)
	s := spec("https://origin.example/nothing.m3u8", "ideal", "")
	s.Target.PlaybackAPI = film(srv.URL + "/api")
	s.CDN = run.CDN{Name: "cdn-a", Host: srv.Listener.Addr().String()}
	if r := probes.Probe(context.Background(), s); r.ErrorType != run.ErrPlaybackAPI || !strings.Contains(r.ErrorDetail, "cdn-a does not stand for host media.origin.example") {
		t.Errorf("%s: %s", r.ErrorType, r.ErrorDetail)
	}
	s.CDN.Hosts = []string{"media.origin.example"}
	r := must(t, probes.Probe(context.Background(), s))
	if r.OK && !strings.HasPrefix(r.Steps[1].URL, srv.URL+"/ts/master.m3u8?") {
		t.Errorf("asked %s", r.Steps[1].URL)
	}
	noSecrets(t, r)
}
