package player

import (
	"net/http"
	"strings"
	"testing"

	"github.com/firstframe/firstframe/probes/run"
)

// What breaks a rule of HLS is played by the players that play it, and refused by
// those that refuse it.
func TestRefuses(t *testing.T) {
	plain := list("", nil, true)
	for _, tt := range []struct {
		name, list string
		hlsjs      bool // plays it
		shaka      bool
	}{
		{"sound", plain, true, true},
		{"a byte order mark", "\xef\xbb\xbf" + plain, true, true},
		{"space before #EXTM3U", "\n" + plain, false, true},
		{"no target duration", strings.Replace(plain, "#EXT-X-TARGETDURATION:2\n", "", 1), false, false},
		{"an unreadable one", strings.Replace(plain, "DURATION:2", "DURATION:two", 1), false, false},
		{"one of nothing", strings.Replace(plain, "DURATION:2", "DURATION:0", 1), true, true},
		{"a second one", list("#EXT-X-TARGETDURATION:2\n", nil, true), false, true},
		{"a late media sequence", list("", map[int]string{2: "#EXT-X-MEDIA-SEQUENCE:3\n"}, true), false, true},
		{"a variable without a value", list("#EXT-X-DEFINE:QUERYPARAM=\"x\"\n", nil, true), false, true},
		{"a variable defined twice", list("#EXT-X-DEFINE:NAME=\"x\",VALUE=\"1\"\n#EXT-X-DEFINE:NAME=\"x\",VALUE=\"1\"\n", nil, true), false, true},
		{"a segment longer than the target duration", strings.Replace(plain, "DURATION:2", "DURATION:1", 1), true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOrigin(t, map[string]string{"/l.m3u8": tt.list, "/m.m3u8": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CLOSED-CAPTIONS=NONE\nl.m3u8\n"}, nil)
			for _, m := range []struct {
				*Model
				plays bool
			}{{hlsjs, tt.hlsjs}, {shaka, tt.shaka}, {ideal, true}} {
				for path, step := range map[string]run.StepName{"/l.m3u8": run.StepManifest, "/m.m3u8": run.StepPlaylist} {
					r := press(t, o, path, quick(m.Model), run.App{})
					if m.plays {
						good(t, r)
					} else {
						bad(t, r, run.ErrManifestInvalid, step)
					}
				}
			}
		})
	}
}

// A QUERYPARAM variable is that of the address to which the playlist was
// redirected (RFC 8216bis, 4.4.2.3).
func TestQueryParamAfterRedirect(t *testing.T) {
	o := newOrigin(t, map[string]string{"/l.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-DEFINE:QUERYPARAM=\"t\"\n#EXTINF:1.92,\n/ts/360p/0.ts?t={$t}\n#EXT-X-ENDLIST\n"},
		map[string]rule{"/l.m3u8": func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if r.URL.RawQuery == "t=old" {
				http.Redirect(w, r, "/l.m3u8?t=new%2F1", http.StatusFound)
				return true
			}
			return false
		}})
	good(t, press(t, o, "/l.m3u8?t=old", quick(hlsjs), run.App{}))
	if q := o.find(t, "/ts/360p/0.ts", 1).query; q != "t=new/1" {
		t.Errorf("asked with %s, want t=new/1", q)
	}
}
