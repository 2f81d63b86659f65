package probes_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hiding is a stream whose secrets stand where no name tells of them.
func hiding(t *testing.T) http.Handler {
	segment, err := os.ReadFile(filepath.Join(media, "ts/360p/0.ts"))
	if err != nil {
		t.Fatal(err)
	}
	const list = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n%s\n#EXT-X-ENDLIST\n"
	mux := http.NewServeMux()
	mux.HandleFunc("/packed", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(http.StatusForbidden)
		z := gzip.NewWriter(w)
		fmt.Fprint(z, "refused: token=deny-5ecret")
		z.Close()
	})
	mux.HandleFunc("/coded", func(w http.ResponseWriter, _ *http.Request) { // as nobody has asked for
		w.Header().Set("Content-Encoding", "deflate")
		z := zlib.NewWriter(w)
		fmt.Fprintf(z, list, "/protected/0.ts?token=next-5ecret")
		z.Close()
	})
	mux.HandleFunc("/latin", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "refus\xe9: token=deny-5ecret")
	})
	mux.HandleFunc("/latin-media", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, list, "/latin") })
	mux.HandleFunc("/names", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, list, "/protected/0.ts\n#EXTINF:2,Fran\xe7ais\n/protected/1.ts?token=next-5ecret")
	})
	mux.HandleFunc("/nested", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"token":{"value":"deny-5ecret","kind":"jwt","of":[{"v":["more-5ecret"]}],"url":"https://a.example/enter"}}`)
	})
	mux.HandleFunc("/variable", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "#EXTM3U\n#EXT-X-DEFINE:NAME=\"token\",VALUE=\"define-5ecret\"\n"+list[len("#EXTM3U\n"):], "/{$token}/0.ts")
	})
	mux.HandleFunc("/define-5ecret/0.ts", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Cache", "HIT of define-5ecret")
		w.Write(segment)
	})
	mux.HandleFunc("/user", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, list, "//viewer:pass-5ecret@"+r.Host+"/protected/0.ts")
	})
	mux.HandleFunc("/stranger", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, list, "//viewer:pass-5ecret@"+r.Host+"/strangers/0.ts")
	})
	mux.HandleFunc("/strangers/0.ts", func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		http.Error(w, "no "+r.Header.Get("Authorization")+" with "+password, http.StatusForbidden)
	})
	mux.HandleFunc("/random", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, list, "/protected/0.ts?k=Zx81kQ05ecret0vbN2mR7tY&code=5ecretZx81kQ0vbN2mR")
	})
	mux.HandleFunc("/script", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<script>go("https:\/\/a.example\/m?sig=deny-5ecret\u0026Policy\u003dmore\/5ecret")</script>`)
	})
	mux.HandleFunc("/licence", func(w http.ResponseWriter, _ *http.Request) {
		pro := base64.StdEncoding.EncodeToString([]byte(strings.Join(strings.Split("<LA_URL>https://l.example/?token=lic-5ecret</LA_URL>", ""), "\x00") + "\x00"))
		fmt.Fprintf(w, strings.Replace(list, "#EXTINF", "#EXT-X-KEY:METHOD=SAMPLE-AES,KEYFORMAT=\"com.microsoft.playready\",URI=\"data:text/plain;charset=UTF-16;base64,"+pro+"\"\n#EXT-X-KEY:METHOD=NONE\n#EXTINF", 1), "/protected/0.ts")
	})
	mux.HandleFunc("/protected/0.ts", func(w http.ResponseWriter, _ *http.Request) { w.Write(segment) })
	return mux
}

// A secret that no name gives away where it stands is not in a bundle either:
// of a variable that is part of a path, of a user whose address has no scheme,
// within what has a name in JSON, in an answer that is packed, or in a coding that
// nobody undoes, or written in no encoding that can be read, behind a name that tells nothing, escaped as scripts do,
// and in what a licence server is told.
func TestReplayHiddenSecrets(t *testing.T) {
	srv := server(t, hiding(t))
	for path, ok := range map[string]bool{"/packed": false, "/coded": false, "/nested": false, "/latin": false, "/latin-media": false, "/stranger": false, "/variable": true, "/user": true, "/names": true, "/random": true, "/script": false, "/licence": true} {
		t.Run(path[1:], func(t *testing.T) {
			then, b := record(t, spec(srv.URL+path, "ideal", ""))
			if then.OK != ok {
				t.Errorf("ok %v, %s at %s: %s", then.OK, then.ErrorType, then.ErrorStep, then.ErrorDetail)
			}
			lacks(t, b, "5ecret", base64.StdEncoding.EncodeToString([]byte("viewer:pass-5ecret")), base64.StdEncoding.EncodeToString([]byte("-\x005\x00e\x00c\x00r\x00e\x00")))
			for i := range b.Exchanges {
				body := b.Exchanges[i].Body
				if body == nil || !bytes.HasPrefix(body.Data, []byte{0x1f, 0x8b}) && !bytes.HasPrefix(body.Data, []byte{0x78}) {
					continue
				}
				t.Errorf("exchange %d: an answer that is packed, of %d bytes", i+1, len(body.Data))
			}
			if path == "/nested" {
				const want = `{"token":{"kind":"jwt","of":[{"v":["REDACTED"]}],"url":"https://a.example/enter","value":"REDACTED"}}`
				if got := string(b.Exchanges[0].Body.Data); got != want+"\n" {
					t.Errorf("%s, want %s", got, want)
				}
			}
			if ok && !strings.Contains(string(contents(t, b)), "REDACTED") {
				t.Error("nothing shows where secrets stood")
			}
			now := replay(t, then, b)
			if path == "/coded" {
				then.ErrorDetail = now.Run.ErrorDetail // how the answer began is not in the bundle
			}
			same(t, then, now)
		})
	}
}

// What is no text is kept as it came, whatever it looks like.
func TestReplayBytes(t *testing.T) {
	const bytes = "\xff\xfe token=of-a-picture"
	mux := http.NewServeMux()
	mux.HandleFunc("/m", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n0.ts\n#EXT-X-ENDLIST\n")
	})
	mux.HandleFunc("/0.ts", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, bytes) })
	then, b := record(t, spec(server(t, mux).URL+"/m", "ideal", ""))
	if body := b.Exchanges[len(b.Exchanges)-1].Body; body.Text || string(body.Data) != bytes {
		t.Errorf("%q, text: %v", body.Data, body.Text)
	}
	same(t, then, replay(t, then, b))
}

// A pattern that is itself the secret is not in a bundle; one that describes it
// is.
func TestReplaySecretPattern(t *testing.T) {
	srv := server(t, text("<html>"))
	s := spec(srv.URL+"/path-5ecret/m", "ideal", "")
	s.Target.Redact = []string{`path-5ecret`, "/play/([^/]+)/"}
	then, b := record(t, s)
	lacks(t, b, "5ecret")
	if got := b.Probe.Target.Redact; len(got) != 1 || got[0] != s.Target.Redact[1] || len(s.Target.Redact) != 2 {
		t.Errorf("patterns %q", got)
	}
	same(t, then, replay(t, then, b))
}
