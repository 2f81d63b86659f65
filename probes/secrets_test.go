package probes_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/trace"
)

// signed serves the lab's streams at /play/PATH-TOKEN/… to requests with the
// right query and headers, and says them again in what it answers.
func signed() http.Handler {
	files := http.FileServer(http.Dir(media))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch q := r.URL.Query(); {
		case r.URL.Path == "/enter":
			http.Redirect(w, r, "/play/path-5ecret/ts/360p/index.m3u8?Token=url-5ecret&Expires=1700001234&hdnts=exp=17~hmac=hm4c-5ecret&fine=yes", http.StatusFound)
			return
		case strings.HasSuffix(r.URL.Path, ".m3u8") && q.Get("Token") != "url-5ecret" || r.Header.Get("Authorization") != "Bearer head-5ecret":
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		w.Header().Set("X-Cache", "HIT from /?token=cache-5ecret for head-5ecret")
		http.StripPrefix("/play/path-5ecret", files).ServeHTTP(w, r)
	})
}

// What is secret is neither in a run as JSON nor in its trace, whether it plays
// or fails, and however it fails.
func TestSecrets(t *testing.T) {
	srv := server(t, signed())
	broken := server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:x?token=tag-5ecret,\nhttp://user-5ecret:pass-5ecret@127.0.0.1:1/s.ts?sig=a-5ecret\n#EXTINF:2,\nx\n")
	}))
	gone := server(t, http.NotFoundHandler())
	gone.Close()
	for _, tt := range []struct {
		name, url string
		failure   run.ErrorType
		contains  []string
	}{
		{"plays", srv.URL + "/enter?jwt=first-5ecret&a=1", "", []string{
			"/enter?jwt=REDACTED&a=1", "/play/REDACTED/ts/360p/index.m3u8?Token=REDACTED&Expires=REDACTED&hdnts=REDACTED&fine=yes", "HIT from /?token=REDACTED for REDACTED",
		}},
		{"is refused", srv.URL + "/play/path-5ecret/m.m3u8?token=url-5ecret", run.ErrHTTP4xx, []string{"/play/REDACTED/m.m3u8?token=REDACTED"}},
		{"is broken", broken.URL + "/m.m3u8?signature=sig-5ecret", "", nil},
		{"nobody listens", gone.URL + "/m.m3u8?policy=pol-5ecret", run.ErrConnect, []string{"/m.m3u8?policy=REDACTED"}},
		{"no name of that kind", "http://user-5ecret:pass-5ecret@nowhere.invalid/m?auth=q-5ecret", run.ErrDNS, []string{"http://REDACTED@nowhere.invalid/m?auth=REDACTED"}},
		{"not a URL", "ftp://user-5ecret@a/?key-pair-id=k-5ecret", run.ErrUnsupported, []string{"ftp://REDACTED@a/?key-pair-id=REDACTED"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := spec(tt.url, "ideal", "")
			s.Target.Redact = []string{"/play/([^/]+)/"}
			s.App.Headers = map[string]string{"Authorization": "Bearer head-5ecret"}
			s.App.Query = map[string]string{"access_token": "query-5ecret"}
			r := probes.Probe(context.Background(), s)
			if r.ErrorType != tt.failure && tt.name != "is broken" {
				t.Errorf("%q at %s: %s; want %q", r.ErrorType, r.ErrorStep, r.ErrorDetail, tt.failure)
			}
			text, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			spans, err := trace.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			for what, out := range map[string][]byte{"JSON": text, "trace": spans} {
				for _, secret := range []string{"5ecret", "1700001234"} {
					if at := bytes.Index(out, []byte(secret)); at >= 0 {
						t.Errorf("%s holds …%q…", what, out[max(0, at-60):min(len(out), at+20)])
					}
				}
				for _, want := range tt.contains {
					if what == "trace" && tt.failure == run.ErrUnsupported {
						continue // has no step
					}
					if s := strings.ReplaceAll(string(out), `\u0026`, "&"); !strings.Contains(s, want) {
						t.Errorf("%s lacks %s:\n%s", what, want, s)
					}
				}
			}
		})
	}
}

// A pattern that is none is an error of the run, not an unredacted run.
func TestSecretsPattern(t *testing.T) {
	s := spec("http://127.0.0.1:1/m?token=5ecret", "", "")
	s.Target.Redact = []string{"("}
	if r := probes.Probe(context.Background(), s); r.ErrorType != run.ErrUnsupported || strings.Contains(r.Target+r.ErrorDetail, "5ecret") || len(r.Steps) > 0 {
		t.Errorf("%+v", r)
	}
}
