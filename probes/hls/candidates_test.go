package hls

import (
	"fmt"
	"strings"
	"testing"
)

// TestCandidates: which variants a player may start with.
func TestCandidates(t *testing.T) {
	v := func(name, attrs string) string { return "#EXT-X-STREAM-INF:BANDWIDTH=1" + attrs + "\n" + name + "\n" }
	const steer = "#EXT-X-CONTENT-STEERING:SERVER-URI=\"s\""
	for _, tt := range []struct{ name, body, want, pathway string }{
		{"all", v("a", "") + v("b", ""), "a b", ""},
		{"sound beside pictures is none", v("a", `,CODECS="mp4a.40.2"`) + v("b", `,CODECS="avc1.4d401e,mp4a.40.2"`), "b", ""},
		{"nothing but sound", v("a", `,CODECS="mp4a.40.2"`) + v("b", `,CODECS="ac-3,wvtt"`), "a b", ""},
		{"what says nothing, beside sound", v("a", `,CODECS="mp4a.40.2"`) + v("b", ""), "b", ""},
		{"what says nothing, beside what does", v("a", "") + v("b", `,RESOLUTION=640x360`), "b", ""},
		{"I-frame streams are none", v("a", `,RESOLUTION=640x360`) + "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360,URI=\"i\"\n", "a", ""},
		{"pathways without steering are redundant", v("a", `,PATHWAY-ID="x"`) + v("b", `,PATHWAY-ID="y"`), "a b", ""},
		{"the pathway that steering starts with", steer + ",PATHWAY-ID=\"y\"\n" + v("a", `,PATHWAY-ID="x"`) + v("b", `,PATHWAY-ID="y"`), "b", "y"},
		{"the default pathway", steer + "\n" + v("a", `,PATHWAY-ID="x"`) + v("b", "") + v("c", `,PATHWAY-ID="."`), "b c", "."},
		{"a pathway that is not there", steer + ",PATHWAY-ID=\"z\"\n" + v("a", `,PATHWAY-ID="x"`) + v("b", `,PATHWAY-ID="y"`), "a", "x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := mustMulti(t, "#EXTM3U\n"+tt.body)
			var got []string
			for _, v := range m.Candidates(m.StartPathway()) {
				got = append(got, strings.TrimPrefix(v.URI, dir))
			}
			if s := strings.Join(got, " "); s != tt.want || m.StartPathway() != tt.pathway {
				t.Errorf("%q of pathway %q, want %q of %q", s, m.StartPathway(), tt.want, tt.pathway)
			}
		})
	}
	m := mustMulti(t, "#EXTM3U\n"+v("a", `,PATHWAY-ID="x"`)+v("b", "")+v("c", `,PATHWAY-ID="x"`))
	if got := fmt.Sprint(m.Pathways()); got != "[x .]" {
		t.Error(got)
	}
}
