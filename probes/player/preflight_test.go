package player

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

const page = "https://www.example"

// interfaced is a service with an interface of its own at /api, which gives the
// address of a film beside it, and answers preflights.
type interfaced struct {
	*httptest.Server
	mu    sync.Mutex
	asked []*http.Request // of the interface
}

func serveInterface(t *testing.T, preflight http.HandlerFunc) *interfaced {
	t.Helper()
	s := &interfaced{}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(lab)))
	mux.HandleFunc("/api", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r)
		s.mu.Unlock()
		if r.Method == http.MethodOptions {
			preflight(w, r)
		}
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions {
			allowAll(w, r)
			return
		}
		status := http.StatusSeeOther
		if r.FormValue("to") != "/api" {
			status = http.StatusTemporaryRedirect
		}
		http.Redirect(w, r, r.FormValue("to"), status)
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// call asks the interface as a model does, from a page of that origin.
func (s *interfaced) call(t *testing.T, model, origin string, api API) *Result {
	t.Helper()
	m, err := Lookup(model)
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"User-Agent": {"browser/1"}, "X-App": {"1"}, "Cmcd-Session": {`sid="s1"`}}
	if origin != "" {
		header.Set("Origin", origin)
	}
	if strings.HasPrefix(api.URL, "/") {
		api.URL = s.URL + api.URL
	}
	api.Read = func([]byte) (string, http.Header, error) { return s.URL + "/ts/master.m3u8", nil, nil }
	c := fetch.New(fetch.Config{AllowPrivate: true})
	defer c.Close()
	return Play(context.Background(), Config{Client: c, Model: m, Header: header, API: &api})
}

// What a page asks another origin's interface for with a method or a header that
// is not safelisted costs its viewer a preflight, in the time of the step.
func TestAPIPreflight(t *testing.T) {
	auth := http.Header{"Authorization": {"Bearer a"}, "Content-Type": {"application/json"}, "Accept": {"*/*"}}
	for _, tt := range []struct {
		name, model, origin string
		api                 API
		method, headers     string // that the preflight asks for; empty: there is none
	}{
		{"a key and JSON", "hlsjs", page, API{Method: "POST", Header: auth, Payload: []byte("{}")}, "POST", "authorization,content-type"},
		{"a method alone", "shaka", page, API{Method: "PUT"}, "PUT", ""},
		{"a header alone", "shaka", page, API{Header: http.Header{"X-Key": {"a"}}}, "GET", "x-key"},
		{"nothing unusual", "hlsjs", page, API{Method: "POST", Header: http.Header{"Content-Type": {"text/plain;charset=UTF-8"}, "Accept-Language": {"de, en;q=0.5"}}}, "", ""},
		{"what the browser sets", "hlsjs", page, API{Header: http.Header{"Referer": {page}, "Sec-Gpc": {"1"}, "User-Agent": {"b"}}}, "", ""},
		{"a page of the interface's", "hlsjs", "own", API{Method: "PUT", Header: auth}, "", ""},
		{"a page that is not known", "hlsjs", "", API{Method: "PUT", Header: auth}, "", ""},
		{"no browser", "exoplayer", page, API{Method: "PUT", Header: auth}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serveInterface(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Access-Control-Allow-Methods", "PUT")
				allowAll(w, r)
			})
			if tt.origin == "own" {
				tt.origin = s.URL
			}
			tt.api.URL = "/api"
			r := s.call(t, tt.model, tt.origin, tt.api)
			if r.Frame == nil {
				t.Fatalf("%s at %s: %s", r.Error, r.Step, r.Detail)
			}
			if want := tt.method != ""; len(s.asked) != map[bool]int{true: 2, false: 1}[want] || (s.asked[0].Method == http.MethodOptions) != want {
				t.Fatalf("asked %d times, first with %s", len(s.asked), s.asked[0].Method)
			} else if !want {
				return
			}
			want := http.Header{"Origin": {page}, "User-Agent": {"browser/1"}, "Access-Control-Request-Method": {tt.method}, "Accept-Encoding": {"identity"}}
			if tt.headers != "" {
				want.Set("Access-Control-Request-Headers", tt.headers)
			}
			if diff := cmp.Diff(want, s.asked[0].Header); diff != "" {
				t.Errorf("headers of the preflight (-want +got):\n%s", diff)
			}
			first, second := r.Steps[0], r.Steps[1]
			if first.Name != run.StepPlaybackAPI || first.Method != http.MethodOptions || second.Name != run.StepPlaybackAPI || second.StartMs < first.EndMs || first.EndMs <= first.StartMs {
				t.Errorf("steps %+v, %+v", first, second)
			}
			if own := func(s run.Step) float64 { return s.WaitMs + s.RecvMs }; r.Phases.PlaybackAPIMs < own(first)+own(second)-0.001 {
				t.Errorf("playback_api_ms is %v, the steps took %v and %v", r.Phases.PlaybackAPIMs, own(first), own(second))
			}
			if sum, want := r.Phases.Sum(), ms(r.Frame.Sub(r.Start)); sum < want-0.1 || sum > want+0.1 {
				t.Errorf("phases add up to %v of %v", sum, want)
			}
		})
	}
}

// Where the interface has moved, a preflight comes first for what still goes there: of
// a GET after 303 not the body's headers, at another origin nothing of the interface's.
func TestAPIPreflightMoved(t *testing.T) {
	for name, header := range map[string]http.Header{
		"within":    {"Content-Type": {"application/json"}},
		"elsewhere": {"Authorization": {"Bearer a"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveInterface(t, allowAll)
			at, to := s, "/api"
			if name == "elsewhere" {
				at = serveInterface(t, allowAll)
				to = at.URL + to
			}
			r := s.call(t, "hlsjs", page, API{URL: "/moved?to=" + to, Method: http.MethodPost, Header: header})
			if r.Frame == nil || r.Steps[0].Method != http.MethodOptions {
				t.Fatalf("%s at %s: %s; steps %+v", r.Error, r.Step, r.Detail, r.Steps)
			}
			if len(at.asked) != 1 || at.asked[0].Method == http.MethodOptions {
				t.Errorf("asked %d times, first with %s", len(at.asked), at.asked[0].Method)
			}
		})
	}
}

// The answer to a preflight holds as long as the server says, for all ranges of an
// address.
func TestPreflightHolds(t *testing.T) {
	for age, want := range map[string]int{"600": 1, "": 1, "0": 2} { // of initialization and segment
		l := listen(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Access-Control-Allow-Headers", "*")
			if age != "" {
				w.Header().Set("Access-Control-Max-Age", age)
			}
		})
		if r := playTold(t, l.URL+"/range/master.m3u8", "hlsjs", "header", nil); r.Frame == nil {
			t.Fatal(r.Detail)
		}
		asked := 0
		for _, a := range l.heard() {
			if a.method == http.MethodOptions && strings.HasSuffix(a.file, "v360/media.mp4") {
				asked++
			}
		}
		if asked != want {
			t.Errorf("max age %q: asked %d times, want %d", age, asked, want)
		}
	}
}

// A preflight that is refused fails the run where the page's own request would have
// stood, and that does not go out.
func TestAPIPreflightRefused(t *testing.T) {
	allow := func(origin, method, headers, credentials string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for name, v := range map[string]string{"Origin": origin, "Methods": method, "Headers": headers, "Credentials": credentials} {
				if v != "" {
					w.Header().Set("Access-Control-Allow-"+name, v)
				}
			}
		}
	}
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		cookie bool
		typ    run.ErrorType // empty: it is allowed
		detail string
	}{
		{"all by name", allow(page, "GET, PUT", "X-Key , Authorization", ""), false, "", ""},
		{"all by a star", allow("*", "*", "*, authorization", ""), false, "", ""},
		{"all, with cookies", allow(page, "PUT", "x-key,authorization", "true"), true, "", ""},
		{"not a word", allow("", "", "", ""), false, run.ErrUnsupported, "the server allows no other origin"},
		{"another origin", allow(page+".net", "*", "*, authorization", ""), false, run.ErrUnsupported, "the server allows no other origin"},
		{"another method", allow("*", "GET, PATCH", "*, authorization", ""), false, run.ErrUnsupported, "the method PUT"},
		{"another header", allow("*", "PUT", "authorization, x-keys", ""), false, run.ErrUnsupported, "the header x-key"},
		{"a star is not for Authorization", allow("*", "PUT", "*", ""), false, run.ErrUnsupported, "the header authorization"},
		{"any origin, with cookies", allow("*", "PUT", "x-key,authorization", "true"), true, run.ErrUnsupported, "the server allows no other origin"},
		{"no cookies", allow(page, "PUT", "x-key,authorization", ""), true, run.ErrUnsupported, "allows no cookies"},
		{"a star for the method, with cookies", allow(page, "*", "x-key,authorization", "true"), true, run.ErrUnsupported, "the method PUT"},
		{"a star for headers, with cookies", allow(page, "PUT", "*,authorization", "true"), true, run.ErrUnsupported, "the header x-key"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/moved", http.StatusFound) }, false, run.ErrUnsupported, "is a redirect"},
		{"a status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, false, run.ErrHTTP4xx, "401"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serveInterface(t, tt.answer)
			api := API{URL: "/api", Method: http.MethodPut, Header: http.Header{"Authorization": {"Bearer a"}, "X-Key": {"a"}}}
			if tt.cookie {
				api.Header.Set("Cookie", "a=b")
			}
			r := s.call(t, "hlsjs", page, api)
			if tt.typ == "" {
				if r.Frame == nil || len(s.asked) != 2 {
					t.Errorf("asked %d times, %s at %s: %s", len(s.asked), r.Error, r.Step, r.Detail)
				}
				return
			}
			if r.Error != tt.typ || r.Step != run.StepPlaybackAPI || !strings.Contains(r.Detail, tt.detail) {
				t.Errorf("%s at %s: %q; want %s at playback_api: …%s…", r.Error, r.Step, r.Detail, tt.typ, tt.detail)
			}
			if len(s.asked) != 1 || len(r.Steps) != 1 || r.Steps[0].Error != tt.typ {
				t.Errorf("asked %d times, steps %+v", len(s.asked), r.Steps)
			}
			if sum, want := r.Phases.Sum(), ms(r.End.Sub(r.Start)); sum < want-0.1 || sum > want+0.1 {
				t.Errorf("phases add up to %v of %v", sum, want)
			}
		})
	}
}

// The headers for which a browser asks first, as the standard lists them.
func TestUnsafeNames(t *testing.T) {
	long := strings.Repeat("a", maxSafe+1)
	for _, tt := range []struct {
		name, header, value string
		unsafe              bool
	}{
		{"of one's own", "X-Key", "a", true},
		{"a key", "Authorization", "Bearer a", true},
		{"JSON", "Content-Type", "application/json", true},
		{"JSON as text", "Content-Type", "text/plain; a=application/json", false},
		{"a form", "Content-Type", "Application/X-WWW-Form-Urlencoded ;charset=UTF-8", false},
		{"a form in parts", "Content-Type", "multipart/form-data; boundary=a", false},
		{"a boundary in quotes", "Content-Type", `multipart/form-data; boundary="a"`, true},
		{"what is taken", "Accept", "application/json;q=0.9,*/*", false},
		{"what is taken, with a colon", "Accept", "a:b", true},
		{"what is taken, at length", "Accept", long, true},
		{"as long as can be", "Accept", long[1:], false},
		{"a language", "Accept-Language", "pt-BR,pt;q=0.8", false},
		{"no language", "Accept-Language", "pt_BR", true},
		{"a content's language", "Content-Language", "de", false},
		{"a range", "Range", "bytes=0-99", false},
		{"a range up to the end", "Range", "bytes=7-", false},
		{"the last bytes", "Range", "bytes=-7", true},
		{"cookies", "Cookie", "a=b", false},
		{"a page's address", "Referer", page, false},
		{"the browser's own", "Sec-Fetch-Mode", "cors", false},
		{"a proxy's", "Proxy-Authorization", "a", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := unsafeNames(http.Header{tt.header: {tt.value}})
			if unsafe := slices.Equal(got, []string{strings.ToLower(tt.header)}); unsafe != tt.unsafe || !unsafe && len(got) > 0 {
				t.Errorf("%q, want it among them: %v", got, tt.unsafe)
			}
		})
	}
	if diff := cmp.Diff(strings.Split("abcdefgh", ""), unsafeNames(http.Header{"C": nil, "E": nil, "A": nil, "G": nil, "B": nil, "D": nil, "H": nil, "F": nil, "Accept": nil})); diff != "" {
		t.Error(diff)
	}
}
