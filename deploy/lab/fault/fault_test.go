package fault

import (
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// Every error type can be ordered, but for a fault of ours and for what needs
// a playback API.
func TestEveryErrorTypeCanBeOrdered(t *testing.T) {
	var missing []run.ErrorType
	for _, e := range run.ErrorTypes {
		if e == run.ErrHTTP5xx || slices.ContainsFunc(Kinds, func(k Kind) bool { return k.ErrorType == e }) {
			continue
		}
		if e == run.ErrManifestInvalid && KindByName("html") != nil {
			continue
		}
		missing = append(missing, e)
	}
	if want := []run.ErrorType{run.ErrInternal}; !slices.Equal(missing, want) {
		t.Errorf("cannot be ordered: %v, want %v", missing, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct{ name, order, want string }{
		{"kind", `{"id":"x","effect":{"kind":"explode"}}`, "dns_fail dns_slow refuse"},
		{"key", `{"id":"x","efect":{"kind":"stall"}}`, `"match":{"country"`},
		{"key of match", `{"id":"x","match":{"land":"BR"},"effect":{"kind":"stall"}}`, `unknown field "land"`},
		{"no id", `{"effect":{"kind":"stall"}}`, "id"},
		{"share", `{"id":"x","share":1.5,"effect":{"kind":"stall"}}`, "share 1.5"},
		{"negative time", `{"id":"x","for":"-1s","effect":{"kind":"stall"}}`, "negative"},
		{"no time", `{"id":"x","for":"soon","effect":{"kind":"stall"}}`, "soon"},
		{"needs ms", `{"id":"x","effect":{"kind":"first_byte"}}`, "effect.ms of first_byte is 0"},
		{"needs kbps", `{"id":"x","effect":{"kind":"bandwidth","kbps":-3}}`, "effect.kbps"},
		{"status 200", `{"id":"x","effect":{"kind":"status","status":200}}`, "400 to 599"},
		{"of no meaning", `{"id":"x","effect":{"kind":"html","ms":5}}`, "means nothing to html"},
		{"path in dns", `{"id":"x","match":{"path":"*.ts"},"effect":{"kind":"dns_fail"}}`, "takes hold in dns"},
		{"version in tls", `{"id":"x","match":{"app_version":"1"},"effect":{"kind":"tls_expired"}}`, "takes hold in tls"},
		{"pattern", `{"id":"x","match":{"path":"["},"effect":{"kind":"stall"}}`, "syntax error in pattern"},
		{"two", `{"id":"x","effect":{"kind":"stall"}} {}`, "follows"},
		{"no object", `[]`, "cannot unmarshal"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse([]byte(tc.order))
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want ErrInvalid with %q", err, tc.want)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	brazil := Subject{Country: "BR", ASN: 28573, CDN: "cdn-b", POP: "GRU", AppVersion: "2.1.0", Path: "/vod/ts/360p/0.ts", Run: "r"}
	for _, tc := range []struct {
		name string
		kind string
		m    Match
		want bool
	}{
		{"everything", "stall", Match{}, true},
		{"all of it", "stall", Match{"BR", 28573, "cdn-b", "GRU", "2.1.0", "*.ts"}, true},
		{"other country", "stall", Match{Country: "US"}, false},
		{"other network", "stall", Match{ASN: 1}, false},
		{"other CDN", "stall", Match{CDN: "cdn-a"}, false},
		{"other POP", "stall", Match{POP: "MIA"}, false},
		{"other version", "stall", Match{AppVersion: "2.0.0"}, false},
		{"other file", "stall", Match{Path: "*.m3u8"}, false},
		{"whole path", "stall", Match{Path: "/vod/*/360p/*.ts"}, true},
		{"other whole path", "stall", Match{Path: "/live/*/360p/*.ts"}, false},
		{"by its class", "html", Match{}, false},
		{"beyond its class", "html", Match{Path: "*.ts"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var s Set
			if _, err := s.Add(Fault{ID: "x", Match: tc.m, Effect: Effect{Kind: tc.kind}}); err != nil {
				t.Fatal(err)
			}
			if got := len(s.At(HTTP, brazil)) == 1; got != tc.want {
				t.Errorf("hit: %v, want %v", got, tc.want)
			}
			if got := s.At(DNS, brazil); got != nil {
				t.Errorf("in dns: %v", got)
			}
		})
	}
}

func TestShareIsDecidedByRun(t *testing.T) {
	var s Set
	share := 0.3
	if _, err := s.Add(Fault{ID: "x", Share: &share, Effect: Effect{Kind: "first_byte", Ms: 1}}); err != nil {
		t.Fatal(err)
	}
	const runs = 10_000
	hit := 0
	for i := range runs {
		who := Subject{Path: "/a.ts", Run: fmt.Sprintf("%032x", i)}
		first := len(s.At(HTTP, who))
		who.Path = "/b.m3u8"
		if again := len(s.At(HTTP, who)); again != first {
			t.Fatalf("run %d: hit %d times, then %d", i, first, again)
		}
		hit += first
	}
	if hit < 2800 || hit > 3200 { // 3 000, standard deviation 46
		t.Errorf("%d of %d runs, want about 3 000", hit, runs)
	}
}

func TestFaultEnds(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := Set{Now: func() time.Time { return now }}
	f := Fault{ID: "x", For: Duration(time.Minute), Effect: Effect{Kind: "origin_down"}}
	if _, err := s.Add(f); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Add(f); !errors.Is(err, ErrExists) {
		t.Errorf("again: %v, want ErrExists", err)
	}
	now = now.Add(59 * time.Second)
	if len(s.At(HTTP, Subject{Path: "/"})) != 1 || len(s.List()) != 1 {
		t.Error("ended before its minute")
	}
	now = now.Add(time.Second)
	if len(s.At(HTTP, Subject{Path: "/"})) != 0 || len(s.List()) != 0 || s.Delete("x") {
		t.Error("in force after its minute")
	}
	if _, err := s.Add(f); err != nil {
		t.Errorf("after its end: %v", err)
	}
}

func TestHandler(t *testing.T) {
	var s Set
	for _, tc := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/faults", "", 200, "[]"},
		{"POST", "/faults", `{"id":"br","match":{"country":"BR","cdn":"cdn-b"},"effect":{"kind":"first_byte","ms":2400},"share":0.5,"for":"90s"}`, 201, `"since":"2`},
		{"POST", "/faults", `{"id":"br","effect":{"kind":"stall"}}`, 409, "br"},
		{"POST", "/faults", `{"id":"x","effect":{"kind":"no"}}`, 400, "wrong_pop"},
		{"POST", "/faults", `"` + strings.Repeat("x", maxOrder) + `"`, 400, "too large"},
		{"GET", "/faults", "", 200, `"for":"1m30s"`},
		{"DELETE", "/faults/br", "", 204, ""},
		{"DELETE", "/faults/br", "", 404, "no fault"},
		{"PUT", "/faults", "", 405, ""},
	} {
		rec := httptest.NewRecorder()
		s.Handler().ServeHTTP(rec, httptest.NewRequest(tc.method, tc.path, strings.NewReader(tc.body)))
		body, _ := io.ReadAll(rec.Result().Body)
		if rec.Code != tc.status || !strings.Contains(string(body), tc.want) {
			t.Errorf("%s %s: %d %s, want %d with %q", tc.method, tc.path, rec.Code, body, tc.status, tc.want)
		}
	}
	if n := len(s.At(HTTP, Subject{Path: "/"})); n != 0 {
		t.Errorf("%d faults left", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"id":"br","match":{"country":"BR","path":"*.ts"},"effect":{"kind":"stall","ms":5},"share":0.5,"for":"90s"}`))
	f.Add([]byte(`{"id":"x","match":{"path":"[a-"},"effect":{"kind":"html"}}`))
	f.Add([]byte(`{"share":1e999}`))
	f.Fuzz(func(t *testing.T, order []byte) {
		fault, err := Parse(order)
		if err != nil {
			return
		}
		var s Set
		if _, err := s.Add(fault); err != nil {
			t.Fatalf("parsed, but refused: %v", err)
		}
		for _, l := range []Layer{DNS, TLS, HTTP} {
			s.At(l, Subject{Path: "/vod/ts/0.ts", Run: "r"})
		}
	})
}
