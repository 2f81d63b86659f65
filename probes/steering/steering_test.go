package steering

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const base = "https://steer.example/s/m.json?k=1"

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       *Manifest // nil: invalid
	}{
		{"all of it", `{"VERSION":1,"TTL":30,"RELOAD-URI":"../n?x=2","PATHWAY-PRIORITY":["b","a","b"],
			"PATHWAY-CLONES":[{"ID":"c","BASE-ID":"a","URI-REPLACEMENT":{"HOST":"c.example","PARAMS":{"t":"1"},"PER-VARIANT-URIS":{"v":"https://x.example/v"}}}],"NEW":[1]}`,
			&Manifest{TTL: 30 * time.Second, ReloadURL: "https://steer.example/n?x=2", Priority: []string{"b", "a"},
				Clones: []Clone{{ID: "c", BaseID: "a", Host: "c.example", Params: map[string]string{"t": "1"}, Variants: map[string]string{"v": "https://x.example/v"}}}}},
		{"only what it must have", "\xef\xbb\xbf" + `{"VERSION":1,"PATHWAY-PRIORITY":["a"]}`, &Manifest{TTL: DefaultTTL, ReloadURL: base, Priority: []string{"a"}}},
		{"DASH, before the standard", `{"VERSION":1,"SERVICE-LOCATION-PRIORITY":["a"]}`, &Manifest{TTL: DefaultTTL, ReloadURL: base, Priority: []string{"a"}}},
		{"a TTL for ever", `{"VERSION":1,"TTL":1e300,"PATHWAY-PRIORITY":["a"]}`, &Manifest{TTL: MaxTTL, ReloadURL: base, Priority: []string{"a"}}},
		{"a TTL of nothing", `{"VERSION":1,"TTL":0,"PATHWAY-PRIORITY":["a"]}`, &Manifest{TTL: DefaultTTL, ReloadURL: base, Priority: []string{"a"}}},
		{"a clone of nothing is left out", `{"VERSION":1,"PATHWAY-PRIORITY":["a"],"PATHWAY-CLONES":[{"ID":"c"}]}`, &Manifest{TTL: DefaultTTL, ReloadURL: base, Priority: []string{"a"}}},
		{"another version", `{"VERSION":2,"PATHWAY-PRIORITY":["a"]}`, nil},
		{"no version", `{"PATHWAY-PRIORITY":["a"]}`, nil},
		{"no priority", `{"VERSION":1}`, nil},
		{"a priority of numbers", `{"VERSION":1,"PATHWAY-PRIORITY":[1]}`, nil},
		{"HTML", `<html>`, nil},
		{"nothing", "", nil},
		{"too large", `{"VERSION":1,"PATHWAY-PRIORITY":["a"],"X":"` + strings.Repeat("x", MaxBytes) + `"}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := Parse(base, []byte(tt.body))
			if (err != nil) != (tt.want == nil) || err != nil && !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, m); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	many := fmt.Sprintf(`{"VERSION":1,"PATHWAY-PRIORITY":["x%s"]}`, strings.Join(strings.Split(strings.Repeat("y", 2*MaxPathways), ""), `","x`))
	if m, err := Parse(base, []byte(many)); err != nil || len(m.Priority) > MaxPathways {
		t.Errorf("%v, more than %d pathways", err, MaxPathways)
	}
}

func TestPrefer(t *testing.T) {
	m := &Manifest{Priority: []string{"c", "b", "a"}, Clones: []Clone{{ID: "c", BaseID: "x"}}}
	for _, tt := range []struct{ there, want string }{{"a b", "b"}, {"a x", "c"}, {"a", "a"}, {"y", ""}} {
		if got := m.Prefer(strings.Fields(tt.there)); got != tt.want {
			t.Errorf("of %s %q, want %q", tt.there, got, tt.want)
		}
	}
}

func TestCloneURL(t *testing.T) {
	c := Clone{Host: "c.example:8443", Params: map[string]string{"t": "2", "z": "&"}, Variants: map[string]string{"v": "/own"}}
	for _, tt := range []struct{ stable, want string }{
		{"v", "https://a.example/own"},
		{"w", "https://c.example:8443/p/v.m3u8?a=1&t=2&z=%26"},
		{"", "https://c.example:8443/p/v.m3u8?a=1&t=2&z=%26"},
	} {
		if got := c.URL("https://a.example/p/v.m3u8?a=1&t=1", c.Variants, tt.stable); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.stable, got, tt.want)
		}
	}
	for host, want := range map[string]string{"b.example": "https://b.example/v", "a.example": "https://me:pw@a.example/v"} {
		if got := (Clone{Host: host}).URL("https://me:pw@a.example/v", nil, ""); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := (Clone{}).URL("https://a.example/p?b=1&a=2", nil, ""); got != "https://a.example/p?b=1&a=2" {
		t.Error(got)
	}
}

func TestRequest(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{HLS(base, "", 500), "https://steer.example/s/m.json?_HLS_pathway=.&_HLS_throughput=500000&k=1"},
		{HLS(base, "CDN A", 0), "https://steer.example/s/m.json?_HLS_pathway=CDN+A&k=1"},
		{HLS("data:application/json,{}", "a", 1), "data:application/json,{}"},
		{DASH(base, nil, 500), base},
		{DASH(base, []string{"a", "b"}, 1.5), "https://steer.example/s/m.json?_DASH_pathway=%22a%2Cb%22&_DASH_throughput=1500&k=1"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s, want %s", tt.got, tt.want)
		}
	}
}

// FuzzParse: whatever comes, a sound manifest within its bounds or ErrInvalid.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"VERSION":1,"TTL":30,"RELOAD-URI":"../n","PATHWAY-PRIORITY":["b","a"],"PATHWAY-CLONES":[{"ID":"c","BASE-ID":"a","URI-REPLACEMENT":{"HOST":"c","PARAMS":{"t":"1"}}}]}`))
	f.Add([]byte(`{"VERSION":1,"TTL":-1e400,"PATHWAY-PRIORITY":[]}`))
	f.Add([]byte(`[[[[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := Parse(base, body)
		if err != nil {
			if !errors.Is(err, ErrInvalid) || m != nil {
				t.Fatal(m, err)
			}
			return
		}
		if len(m.Priority) == 0 || len(m.Priority) > MaxPathways || len(m.Clones) > MaxPathways || m.TTL <= 0 || m.TTL > MaxTTL || m.ReloadURL == "" {
			t.Fatalf("%+v", m)
		}
		for _, c := range m.Clones {
			c.URL(base, c.Variants, "v")
		}
		if m.Prefer(m.Priority[:1]) != m.Priority[0] {
			t.Fatal("the first is there and not preferred")
		}
	})
}
