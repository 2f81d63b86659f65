package player

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// told is one request: its method, file, and what it tells.
type told struct{ method, file, query, object, request, session string }

// listener serves the lab's media, answers preflights, and keeps what it was
// told.
type listener struct {
	*httptest.Server
	mu  sync.Mutex
	all []told
}

func listen(t *testing.T, preflight func(w http.ResponseWriter, r *http.Request)) *listener {
	t.Helper()
	l := &listener{}
	files := http.FileServer(http.Dir(lab))
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		l.all = append(l.all, told{r.Method, r.URL.Path, r.URL.Query().Get("CMCD"),
			r.Header.Get("Cmcd-Object"), r.Header.Get("Cmcd-Request"), r.Header.Get("Cmcd-Session")})
		l.mu.Unlock()
		if r.Method == http.MethodOptions {
			preflight(w, r)
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(l.Close)
	return l
}

// heard are all requests so far.
func (l *listener) heard() []told {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// find is the first request of a file.
func (l *listener) find(t *testing.T, method, file string) told {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.all, func(a told) bool { return a.method == method && a.file == file })
	if i < 0 {
		t.Fatalf("no %s %s in %+v", method, file, l.all)
	}
	return l.all[i]
}

func playTold(t *testing.T, url, model, in string, header http.Header) *Result {
	t.Helper()
	m, err := Lookup(model)
	if err != nil {
		t.Fatal(err)
	}
	c := fetch.New(fetch.Config{AllowPrivate: true})
	defer c.Close()
	return Play(context.Background(), Config{URL: url, Client: c, Model: m, Header: header, CMCD: CMCD{In: in, SID: "s1", CID: "news"}})
}

func allowAll(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
	w.Header().Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}

// Each model tells what its player does, by query and by headers.
func TestCMCD(t *testing.T) {
	const session = `sf=h,sid="s1"`
	for _, tt := range []struct {
		model, manifest, file, query string
	}{
		{"hlsjs", "/ts/master.m3u8", "/ts/master.m3u8", `cid="news",ot=m,` + session + `,su`},
		{"shaka", "/ts/master.m3u8", "/ts/master.m3u8", `cid="news",ot=m,` + session + `,su`},
		{"dashjs", "/cmaf/manifest-timeline.mpd", "/cmaf/manifest-timeline.mpd", `cid="news",ot=m,sid="s1",su`},
		{"shaka", "/cmaf/manifest-timeline.mpd", "/cmaf/manifest-timeline.mpd", `cid="news",ot=m,sf=d,sid="s1",su`},
	} {
		l := listen(t, allowAll)
		if r := playTold(t, l.URL+tt.manifest, tt.model, "query", nil); r.Frame == nil {
			t.Errorf("%s: %s", tt.model, r.Detail)
			continue
		}
		got := l.find(t, "GET", tt.file)
		if got.query != tt.query || got.session != "" {
			t.Errorf("%s %s: %q, want %q", tt.model, tt.file, got.query, tt.query)
		}
		for _, a := range l.heard() {
			// What comes after the first, ahead of the other track, is another matter.
			if strings.HasSuffix(a.file, "/0.ts") || strings.HasSuffix(a.file, "/0.m4s") {
				for _, key := range []string{"br=", "d=", "nor=", `sid="s1"`, "st=v", ",su", ",tb="} {
					if audio := strings.Contains(a.query, "ot=a,"); !strings.Contains(a.query, key) && !(audio && (key == "br=" || key == ",tb=")) && tt.model != "shaka" {
						t.Errorf("%s %s tells no %s: %s", tt.model, a.file, key, a.query)
					}
				}
				if strings.Contains(a.query, "bl=0") != (tt.model != "shaka") || strings.Contains(a.query, "ot=av") != strings.HasSuffix(a.file, ".ts") {
					t.Errorf("%s %s: %s", tt.model, a.file, a.query)
				}
			}
			if a.method != "GET" {
				t.Errorf("a query costs %s", a.method)
			}
		}
	}
}

// In a browser headers cost a preflight of each address, which holds for the
// ranges of one; not so elsewhere, or on the server's own page.
func TestPreflight(t *testing.T) {
	for _, tt := range []struct {
		name, model, origin string
		want                int // preflights of a run of three requests
	}{
		{"a browser", "hlsjs", "", 3},
		{"a page elsewhere", "hlsjs", "https://www.example", 3},
		{"a page of the same server", "hlsjs", "same", 0},
		{"no browser", "exoplayer", "", 0},
	} {
		l := listen(t, allowAll)
		header := http.Header{"User-Agent": {"app/1"}}
		if tt.origin == "same" {
			tt.origin = l.URL
		}
		if tt.origin != "" {
			header.Set("Origin", tt.origin)
		}
		r := playTold(t, l.URL+"/ts/master.m3u8", tt.model, "header", header)
		if r.Frame == nil {
			t.Fatalf("%s: %s", tt.name, r.Detail)
		}
		asked := map[string]int{}
		for _, s := range r.Steps {
			if s.Method == http.MethodOptions {
				asked[s.URL]++
			}
		}
		if len(asked) != tt.want {
			t.Errorf("%s: preflights %v", tt.name, asked)
		}
		for at, n := range asked {
			if n > 1 {
				t.Errorf("%s: %d preflights of %s", tt.name, n, at)
			}
		}
		if got := l.find(t, "GET", "/ts/master.m3u8"); !strings.Contains(got.session, `sid="s1"`) || got.object != "ot=m" || (got.request == "su") == (tt.model == "exoplayer") || got.query != "" {
			t.Errorf("%s: %+v", tt.name, got)
		}
		if sum := r.Phases.Sum(); sum < ms(r.Frame.Sub(r.Start))-0.1 || sum > ms(r.Frame.Sub(r.Start))+0.1 {
			t.Errorf("%s: phases add up to %v", tt.name, sum)
		}
		for i, s := range r.Steps {
			if s.Method != http.MethodOptions && !s.IsWait() && tt.want > 0 {
				before := slices.IndexFunc(r.Steps, func(o run.Step) bool { return o.Method == http.MethodOptions && o.URL == s.URL })
				if before < 0 || before > i || r.Steps[before].EndMs > s.StartMs {
					t.Errorf("%s: %s goes out before its preflight has ended", tt.name, s.URL)
				}
			}
		}
	}
}

// A server that does not allow the headers is one on which such a player fails.
func TestPreflightRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		want   run.ErrorType
	}{
		"not a word": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, run.ErrUnsupported},
		"other headers": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Access-Control-Allow-Headers", "Range, CMCD-Object")
		}, run.ErrUnsupported},
		"another origin": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", "https://x.example")
			w.Header().Set("Access-Control-Allow-Headers", "*")
		}, run.ErrUnsupported},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, run.ErrUnsupported},
		"no OPTIONS": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) }, run.ErrHTTP4xx},
	} {
		l := listen(t, tt.answer)
		r := playTold(t, l.URL+"/ts/master.m3u8", "hlsjs", "header", nil)
		if r.Error != tt.want || r.Step != run.StepManifest || r.Frame != nil {
			t.Errorf("%s: %s at %s: %s", name, r.Error, r.Step, r.Detail)
		}
		methods := map[string]bool{}
		for _, a := range l.heard() {
			methods[a.method] = true
		}
		if diff := cmp.Diff(map[string]bool{"OPTIONS": true}, methods); diff != "" {
			t.Errorf("%s: methods (-want +got):\n%s", name, diff)
		}
	}
}

// What ExoPlayer tells, as Media3's sources have it.
func TestExoplayerCMCD(t *testing.T) {
	session := func(format, st string) string { return `cid="news",sf=` + format + `,sid="s1"` + st }
	for _, tt := range []struct {
		name, manifest string
		want           []told
	}{
		{"sound and picture in one", "/ts/master.m3u8", []told{
			{file: "/ts/master.m3u8", object: "ot=m", session: session("h", "")},
			{file: "/ts/720p/index.m3u8", object: "ot=m", session: session("h", "")},
			{file: "/ts/720p/0.ts", object: "br=556,d=1920,ot=v,tb=556", request: `bl=0,dl=0,mtp=2400,nor="..%2F1.ts",nrr="0-",su`, session: session("h", ",st=v")},
		}},
		{"sound apart", "/cmaf/master.m3u8", []told{
			{file: "/cmaf/v720/init.mp4", object: "br=517,ot=i,tb=517", request: `mtp=2400,nor="..%2F1.m4s",nrr="0-",su`, session: session("h", ",st=v")},
			{file: "/cmaf/a48/0.m4s", object: "d=1920,ot=a", request: `bl=0,dl=0,nor="..%2F1.m4s",nrr="0-",su`, session: session("h", ",st=v")},
		}},
		{"a key", "/aes/master.m3u8", []told{
			{file: "/aes/key.bin", object: "br=291,d=1920,ot=v,tb=291", request: `bl=0,dl=0,mtp=2400,nor="..%2F360p%2F1.ts",nrr="0-",su`, session: session("h", ",st=v")},
		}},
		{"DASH", "/cmaf/manifest-timeline.mpd", []told{
			{file: "/cmaf/manifest-timeline.mpd", object: "ot=m", session: session("d", "")},
			{file: "/cmaf/v720/init.mp4", object: "br=466,ot=i,tb=466", request: "mtp=2400,su", session: session("d", ",st=v")},
			{file: "/cmaf/v720/0.m4s", object: "br=466,d=1920,ot=v,tb=466", request: `bl=0,dl=0,mtp=2400,nor="..%2F1.m4s",nrr="0-",su`, session: session("d", ",st=v")},
		}},
		{"ranges, and nothing to choose from", "/range/master.m3u8", []told{
			{file: "/range/v360/media.mp4", object: "br=254,ot=i,tb=254", request: `nrr="43146-91884",su`, session: session("h", ",st=v")},
		}},
		{"no codecs", "/ts/720p/index.m3u8", []told{
			{file: "/ts/720p/0.ts", request: `nor="..%2F1.ts",nrr="0-",su`, session: session("h", ",st=v")},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := listen(t, allowAll)
			if r := playTold(t, l.URL+tt.manifest, "exoplayer", "header", nil); r.Frame == nil {
				t.Fatal(r.Detail)
			}
			for _, want := range tt.want {
				want.method = "GET"
				if got := l.find(t, "GET", want.file); got != want {
					t.Errorf("got  %+v\nwant %+v", got, want)
				}
			}
		})
	}
}

// Every request says which session it is of, also where the player itself would
// tell nothing, for which no browser asks; but a browser's own preflight says nothing.
func TestSessionOnEveryRequest(t *testing.T) {
	for _, model := range []string{"hlsjs", "shaka", "exoplayer", "avplayer", "ideal"} {
		for _, in := range []string{"header", "query"} {
			l := listen(t, allowAll)
			if r := playTold(t, l.URL+"/aes/master.m3u8", model, in, nil); r.Frame == nil {
				t.Errorf("%s: %s", model, r.Detail)
			}
			for _, a := range l.heard() {
				if a.method == "OPTIONS" {
					if said := a.query + a.object + a.request + a.session; said != "" {
						t.Errorf("%s, %s: a browser's preflight of %s tells %s", model, in, a.file, said)
					}
					continue
				}
				if !strings.Contains(a.query+a.session, `sid="s1"`) {
					t.Errorf("%s, %s: %+v has no session", model, in, a)
				}
			}
			if model != "hlsjs" {
				continue
			}
			if got, want := l.find(t, "GET", "/aes/key.bin"), (told{method: "GET", file: "/aes/key.bin", session: `sid="s1"`}); got != want {
				t.Errorf("%s: hls.js tells nothing of a key: %+v", in, got)
			}
			for _, a := range l.heard() {
				if a.method == "OPTIONS" && (in == "query" || a.file == "/aes/key.bin") {
					t.Errorf("%s: a preflight of %s", in, a.file)
				}
			}
		}
	}
}

// While it plays on, a player tells how much it has, and that it is not starting
// any more.
func TestCMCDPlayingOn(t *testing.T) {
	for _, model := range []string{"hlsjs", "exoplayer"} {
		l := listen(t, allowAll)
		m, err := Lookup(model)
		if err != nil {
			t.Fatal(err)
		}
		c := fetch.New(fetch.Config{AllowPrivate: true})
		r := Play(context.Background(), Config{URL: l.URL + "/ts/master.m3u8", Client: c, Model: m, PlayOn: 300 * time.Millisecond, CMCD: CMCD{In: "query", SID: "s1"}})
		c.Close()
		if r.Frame == nil {
			t.Fatal(r.Detail)
		}
		starting, held := 0, 0
		for _, a := range l.heard() {
			if !strings.HasSuffix(a.file, ".ts") {
				continue
			}
			if su := strings.Contains(a.query, ",su"); su == strings.HasSuffix(a.file, "/0.ts") && strings.Contains(a.query, "bl=0,") == su {
				if su {
					starting++
				} else {
					held++
				}
			} else {
				t.Errorf("%s: %s tells %s", model, a.file, a.query)
			}
		}
		if starting != 1 || held == 0 {
			t.Errorf("%s: %d segments to start with, %d after", model, starting, held)
		}
	}
}
