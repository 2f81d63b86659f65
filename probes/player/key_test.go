package player

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// A segment whose end does not decrypt is not there for a player that shows
// whole segments, whether its key comes before it or after.
func TestSegmentWithoutPadding(t *testing.T) {
	segment, err := os.ReadFile(filepath.Join(lab, "aes/360p/0.ts"))
	if err != nil {
		t.Fatal(err)
	}
	for name, late := range map[string]string{"the key first": "/aes/360p/0.ts", "the segment first": "/aes/key.bin"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cut := func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				w.Write(segment[:len(segment)-16])
				return true
			}
			rules := map[string]rule{"/aes/360p/0.ts": cut}
			slow := delay(300 * time.Millisecond)
			rules[late] = func(w http.ResponseWriter, r *http.Request, n int) bool {
				slow(w, r, n)
				return late == "/aes/360p/0.ts" && cut(w, r, n)
			}
			o := newOrigin(t, nil, rules)
			m := quick(hlsjs)
			m.Key = KeyBeside
			bad(t, press(t, o, "/aes/360p/index.m3u8", m, run.App{}), run.ErrDecrypt, run.StepSegment)
		})
	}
}
