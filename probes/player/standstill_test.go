package player

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// A live playlist without dates that its server says has not changed for long is
// looked at again after 1.5 target durations: only if it is still the same it is
// stale.
func TestStandstill(t *testing.T) {
	frozen := list("", nil, false)
	moved := strings.Replace(frozen, "#EXT-X-TARGETDURATION:2\n", "#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:1\n", 1)
	back := strings.Replace(frozen, "#EXTINF:1.92,\n/ts/360p/4.ts\n", "", 1)
	for _, tt := range []struct {
		name, first, then string
		changed           time.Duration // ago, as Last-Modified says; 0: it says nothing
		asked             int
		typ               run.ErrorType
	}{
		{"it stands still", frozen, frozen, time.Minute, 2, run.ErrManifestStale},
		{"it moves, and the header is wrong", frozen, moved, 1000 * time.Hour, 2, ""},
		{"it goes back", frozen, back, time.Minute, 2, run.ErrManifestStale},
		{"the header is fresh", frozen, frozen, time.Second, 1, ""},
		{"no header", frozen, frozen, 0, 1, ""},
		{"it has dates", list("", map[int]string{0: date(length)}, false), frozen, time.Minute, 1, ""},
		{"it has ended", list("", nil, true), frozen, time.Minute, 1, ""},
		{"it cannot be had again", frozen, "", time.Minute, 2, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, map[string]string{"/m.m3u8": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nl.m3u8\n"}, map[string]rule{
				"/l.m3u8": func(w http.ResponseWriter, _ *http.Request, n int) bool {
					if tt.changed > 0 {
						w.Header().Set("Last-Modified", time.Now().Add(-tt.changed).UTC().Format(http.TimeFormat))
					}
					switch {
					case n == 1:
						fmt.Fprint(w, tt.first)
					case tt.then == "":
						w.WriteHeader(http.StatusNotFound)
					default:
						fmt.Fprint(w, tt.then)
					}
					return true
				},
			})
			r := press(t, o, "/m.m3u8", quick(ideal), run.App{})
			if tt.typ != "" {
				bad(t, r, tt.typ, run.StepPlaylist)
			} else if good(t, r); r.Frame.Sub(r.Start) > 2*time.Second {
				t.Errorf("the frame came after %v: it was waited for the second look", r.Frame.Sub(r.Start))
			}
			if n := strings.Count(strings.Join(o.paths(), " "), "/l.m3u8"); n != tt.asked {
				t.Errorf("the playlist was asked for %d times, want %d", n, tt.asked)
			}
			if tt.asked == 2 && r.End.Sub(r.Start) < 3*time.Second {
				t.Errorf("the second look came after %v", r.End.Sub(r.Start))
			}
		})
	}
}
