package probes

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/redact"
	"github.com/firstframe/firstframe/probes/run"
)

// reader reads answers at paths.
func reader(manifest, param string) (*playbackAPI, error) {
	via, err := newRoute(Spec{Target: run.Target{URL: "https://origin.example/a.m3u8"}})
	if err != nil {
		return nil, err
	}
	return newPlaybackAPI(&run.PlaybackAPI{
		URL: "https://api.example/", Manifest: manifest, ManifestQuery: map[string]string{"t": param}, StreamHeaders: map[string]string{"X": param},
	}, via, &redact.Redactor{}, lookUp)
}

// Answers that are meant to hurt are read soon.
func TestPlaybackAnswerHostile(t *testing.T) {
	const most = 1 << 19
	wide := `{"a":[` + strings.TrimSuffix(strings.Repeat(`{"b":1},`, most/8-2), ",") + `]}`
	for name, answer := range map[string]string{
		"deep":      strings.Repeat(`{"a":`, 9_999) + "1" + strings.Repeat("}", 9_999),
		"deep list": strings.Repeat(`[`, 10_000) + strings.Repeat("]", 10_000),
		"wide":      wide,
		"long text": `{"token":"` + strings.Repeat("x", most-20) + `"}`,
	} {
		for _, path := range []string{"$..token", "$..[?(@.b == 2)].token", "$.*.*.*.token", "$.token"} {
			api, err := reader(path, path)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if got, _, err := api.read([]byte(answer)); err == nil {
				t.Errorf("%s at %s: %.50q", name, path, got)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("%s at %s took %v", name, path, took)
			}
		}
	}
}

func FuzzPlaybackAnswer(f *testing.F) {
	for _, path := range []string{"$.a", "$..a", "$.a[0].b", "$.a[?(@.b == 'c')].d", "$[-1:]", "$['a','b']", "$"} {
		for _, answer := range []string{`{"a":"https://a.example/m?token=1#x","b":[1,null]}`, `{"a":[{"b":"c","d":"http://[::1]/m"}]}`, `[[["x"]]]`, `"http://a/"`, "{", "1e999"} {
			f.Add(path, answer)
		}
	}
	f.Fuzz(func(t *testing.T, path, answer string) {
		if len(path) > 100 || strings.Count(path, "..") > 1 { // which a plan may not have
			return
		}
		api, err := reader(path, path)
		if err != nil {
			return
		}
		manifest, header, err := api.read([]byte(answer))
		if err != nil {
			return
		}
		u, err := url.Parse(manifest)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			t.Errorf("manifest %q, %v", manifest, err)
		}
		if v := header.Get("X"); v == "" || strings.ContainsAny(v, "\r\n") || u.Query().Get("t") != v {
			t.Errorf("header %q, parameter %q", v, u.Query().Get("t"))
		}
	})
}
