package probes_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/run"
)

// guarded answers only to the user me, on every path; what others were asked with
// is kept.
type guarded struct {
	next http.Handler

	mu   sync.Mutex
	said []string // of each request: Authorization, then the query and what the player tells
}

func (g *guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.said = append(g.said, r.Header.Get("Authorization")+" "+r.URL.RawQuery+" "+r.Header.Get("Cmcd-Request"))
	g.mu.Unlock()
	if user, password, ok := r.BasicAuth(); g.next != nil && (!ok || user != "me" || password != "p@ss:5ecret") {
		http.Error(w, "who is "+r.Header.Get("Authorization"), http.StatusUnauthorized)
		return
	} else if g.next == nil {
		http.FileServer(http.Dir(media)).ServeHTTP(w, r)
		return
	}
	g.next.ServeHTTP(w, r)
}

// User and password of the target's address go to its origin, with each request, and
// to no other, wherever a manifest, a redirect or content steering leads to, and
// whatever the player tells there of what comes next; neither is in what is told of
// the run.
func TestUser(t *testing.T) {
	other := &guarded{}
	elsewhere := server(t, other)
	var origin string
	mux := http.NewServeMux()
	segment := elsewhere.URL + "/ts/360p/0.ts"
	for entry, first := range map[string]string{"/enter": segment, "/away": "/sent"} {
		mux.HandleFunc(entry, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, origin+entry+"/m", http.StatusFound) })
		mux.HandleFunc(entry+"/m", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=800000\n%s/list\n", origin+entry)
		})
		mux.HandleFunc(entry+"/list", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n%s\n#EXTINF:2,\n/2.ts\n#EXT-X-ENDLIST\n", first)
		})
	}
	mux.HandleFunc("/ts/m", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "#EXTM3U\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"/steer\",PATHWAY-ID=\"a\"\n#EXT-X-STREAM-INF:BANDWIDTH=800000,PATHWAY-ID=\"a\"\n360p/index.m3u8\n")
	})
	mux.HandleFunc("/steer", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"VERSION":1,"PATHWAY-PRIORITY":["c"],"PATHWAY-CLONES":[{"BASE-ID":"a","ID":"c","URI-REPLACEMENT":{"HOST":%q}}]}`, elsewhere.Listener.Addr())
	})
	mux.HandleFunc("/sent", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, segment, http.StatusFound) })
	own := &guarded{next: mux}
	origin = server(t, own).URL
	host := strings.TrimPrefix(origin, "https://")
	for _, tt := range []struct {
		name, url    string
		cdn          run.CDN
		header       http.Header
		player, cmcd string
		failure      run.ErrorType
	}{
		{name: "asked for", url: "https://me:p%40ss%3A5ecret@" + host + "/enter"},
		{name: "through a CDN", url: "https://me:p%40ss%3A5ecret@origin.example/enter", cdn: run.CDN{Name: "a", Host: host}},
		{name: "sent away", url: "https://me:p%40ss%3A5ecret@" + host + "/away"},
		{name: "steered away", url: "https://me:p%40ss%3A5ecret@" + host + "/ts/m", player: "shaka"},
		{name: "telling of what comes next", url: "https://me:p%40ss%3A5ecret@" + host + "/enter", cmcd: "query"},
		{name: "telling so in headers", url: "https://me:p%40ss%3A5ecret@" + host + "/away", player: "exoplayer", cmcd: "header"},
		{name: "another password", url: "https://me:wrong-5ecret@" + host + "/enter", failure: run.ErrHTTP4xx},
		{name: "a header goes first", url: "https://me:p%40ss%3A5ecret@" + host + "/enter", header: http.Header{"Authorization": {"Bearer 5ecret"}}, failure: run.ErrHTTP4xx},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := spec(tt.url, cmp.Or(tt.player, "hlsjs"), "")
			s.CDN, s.Network.Header, s.App.CMCD = tt.cdn, tt.header, tt.cmcd
			r, b := record(t, s)
			if r.ErrorType != tt.failure {
				t.Fatalf("%q at %s: %s; want %q", r.ErrorType, r.ErrorStep, r.ErrorDetail, tt.failure)
			}
			text, err := json.Marshal(probes.Probe(context.Background(), s))
			if err != nil {
				t.Fatal(err)
			}
			secrets := []string{"5ecret", base64.StdEncoding.EncodeToString([]byte("me:p@ss:5ecret")), base64.StdEncoding.EncodeToString([]byte("me:wrong-5ecret"))}
			for _, secret := range secrets {
				if strings.Contains(string(text), secret) {
					t.Errorf("the run holds %s:\n%s", secret, text)
				}
			}
			lacks(t, b, secrets...)
			same(t, r, replay(t, r, b))
		})
	}
	if len(other.said) == 0 {
		t.Error("the other origin was not asked")
	}
	for _, said := range other.said {
		if !strings.HasPrefix(said, " ") || strings.Contains(said, "5ecret") {
			t.Errorf("the other origin was told %q", said)
		}
	}
}
