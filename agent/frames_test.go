package main

import (
	"bytes"
	"slices"
	"testing"

	"github.com/firstframe/firstframe/agent/report"
	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/run"
)

// Each spec has a picture with a name of its own.
func TestFrameNames(t *testing.T) {
	spec := func(target, url, cdn, app, connection string) probes.Spec {
		return probes.Spec{Target: run.Target{Name: target, URL: url, Connection: connection}, CDN: run.CDN{Name: cdn}, App: run.App{Name: app, Version: "1.2"}}
	}
	for _, tt := range []struct {
		name            string
		specs           []probes.Spec
		names, suffixes []string
	}{
		{"one", []probes.Spec{spec("", "u", "a", "ios", "cold")}, []string{""}, []string{""}},
		{"CDNs", []probes.Spec{spec("", "u", "cdn-a", "", ""), spec("", "u", "cdn b", "", "")}, []string{"cdn-a", "cdn b"}, []string{"-cdn-a", "-cdn-b"}},
		{"the URL and a CDN", []probes.Spec{spec("", "u", "", "", ""), spec("", "u", "b", "", "")}, []string{"", "b"}, []string{"", "-b"}},
		{"names that look alike", []probes.Spec{spec("", "u", "b/c", "", ""), spec("", "u", "b:c", "", ""), spec("", "u", "../..", "", "")}, []string{"b/c", "b:c", "../.."}, []string{"-b-c", "-b-c-2", "-..-.."}},
		{"streams", []probes.Spec{spec("", "u", "a", "", ""), spec("", "v", "a", "", ""), spec("", "u", "b", "", "")},
			[]string{"stream 1 · a", "stream 2 · a", "stream 1 · b"}, []string{"-stream-1-a", "-stream-2-a", "-stream-1-b"}},
		{"of a plan", []probes.Spec{spec("news", "u", "a", "ios", "cold"), spec("news", "u", "a", "ios", "warm"), spec("film", "v", "a", "tv", "cold")},
			[]string{"news · ios@1.2 · cold", "news · ios@1.2 · warm", "film · tv@1.2 · cold"}, []string{"-news-ios-1.2-cold", "-news-ios-1.2-warm", "-film-tv-1.2-cold"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			names := namesOf(tt.specs)
			if !slices.Equal(names, tt.names) {
				t.Errorf("names %q, want %q", names, tt.names)
			}
			if s := suffixes(names); !slices.Equal(s, tt.suffixes) {
				t.Errorf("suffixes %q, want %q", s, tt.suffixes)
			}
		})
	}
}

// What ffmpeg says of a stream is for a terminal, and in one line.
func TestFrameWarnings(t *testing.T) {
	var stderr bytes.Buffer
	f := &frames{env: &environment{stderr: &stderr}, shots: []*report.Frame{{Name: "news", Missing: "no picture: \x1b[2Jtag\n2"}}}
	f.warn()
	if want := "agent: --frame news: no picture: \ufffd[2Jtag\ufffd2\n"; stderr.String() != want {
		t.Errorf("%q, want %q", stderr.String(), want)
	}
}
