package player

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// When the players give up a segment of 4 s and 2.5 MB under way, of renditions of
// 800, 2400 and 5000 kbit/s.
func TestGiveUp(t *testing.T) {
	for _, tt := range []struct {
		model       *Model
		name        string
		at          int
		ahead, took time.Duration
		bytes       int64
		again       bool
		want        int
		kbps        float64 // measured then, where it is given up
	}{
		// At 2.7 Mbit/s the rest takes 4.4 s, and a segment of the lower level 3.6.
		{hlsjs, "not before half of its time", 2, time.Second, 2 * time.Second, 500_000, false, -1, 0},
		{hlsjs, "the rest comes in time", 2, 4500 * time.Millisecond, 3 * time.Second, 1_000_000, false, -1, 0},
		{hlsjs, "a lower one comes in time", 2, 4400 * time.Millisecond, 3 * time.Second, 1_000_000, false, 1, 2400},
		{hlsjs, "but none does", 2, 3 * time.Second, 4 * time.Second, 2_000_000, false, -1, 0},
		{hlsjs, "the lowest, since no other comes in time", 2, 2 * time.Second, 4 * time.Second, 600_000, false, 0, 800},
		{hlsjs, "never the second lowest", 1, 0, 9 * time.Second, 100_000, false, -1, 0},
		{hlsjs, "nor the lowest", 0, 0, 9 * time.Second, 100_000, false, -1, 0},
		{dashjs, "too early", 2, 8 * time.Second, 500 * time.Millisecond, 50_000, false, -1, 0},
		{dashjs, "1.8 times its time", 2, 8 * time.Second, 2050 * time.Millisecond, 720_000, false, -1, 0},
		{dashjs, "and more", 2, 8 * time.Second, 2050 * time.Millisecond, 660_000, false, 1, 0},
		{dashjs, "much ahead", 2, 19 * time.Second, 2050 * time.Millisecond, 660_000, false, -1, 0},
		{dashjs, "less is missing than the other has", 2, 8 * time.Second, 6050 * time.Millisecond, 1_900_000, false, -1, 0},
		{dashjs, "once", 2, 8 * time.Second, 2050 * time.Millisecond, 660_000, true, -1, 0},
		{dashjs, "not the lowest", 0, 8 * time.Second, 2050 * time.Millisecond, 100_000, false, -1, 0},
	} {
		b := tt.model.Buffering.Bandwidth()
		b.Sample(50*time.Millisecond, 4*time.Second, 2_500_000)
		p := Playing{Renditions: ladderOf(800, 2400, 5000), At: tt.at, Kbps: b.Kbps(), Ahead: tt.ahead}
		u := UnderWay{
			Plays: 4 * time.Second, Took: tt.took, FirstByte: 50 * time.Millisecond, Bytes: tt.bytes, Size: 2_500_000,
			Pieces: 20, First: 10_000, Piece: 50 * time.Millisecond, Again: tt.again,
		}
		if got := tt.model.Buffering.GiveUp(b)(p, u); got != tt.want {
			t.Errorf("%s, %s: %d, want %d", tt.model, tt.name, got, tt.want)
		}
		if tt.kbps > 0 && b.Kbps() != tt.kbps {
			t.Errorf("%s, %s: %v kbit/s measured, want %v", tt.model, tt.name, b.Kbps(), tt.kbps)
		}
	}
}

// A segment that comes too slowly is left for the same one of a lower rendition,
// and is no failure.
func TestPlayOnGivesUp(t *testing.T) {
	t.Parallel()
	manifests := map[string]string{"/m.m3u8": "#EXTM3U\n"}
	for _, name := range []string{"low", "mid", "high"} {
		kbps := map[string]string{"low": "300000", "mid": "600000", "high": "1200000"}[name]
		manifests["/m.m3u8"] += "#EXT-X-STREAM-INF:BANDWIDTH=" + kbps + ",RESOLUTION=640x360,CODECS=\"avc1.4d401e\"\n" + name + ".m3u8\n"
		dir := map[string]string{"low": "/ts/360p/0.ts?low/%", "mid": "/ts/360p/0.ts?mid/%", "high": "/ts/720p/0.ts?high/%"}[name]
		manifests["/"+name+".m3u8"] = segmented(6, time.Second, func(i int) string { return strings.ReplaceAll(dir, "%", string(rune('0'+i))) }, nil)
	}
	info, err := os.Stat(lab + "/ts/720p/0.ts")
	if err != nil {
		t.Fatal(err)
	}
	slow := float64(info.Size()) * 8 / 6000 // it takes 6 s
	o := newOrigin(t, manifests, map[string]rule{"/ts/720p/0.ts": func(w http.ResponseWriter, r *http.Request, n int) bool {
		return pace(func(int) float64 { return slow })(w, r, n)
	}})
	m := quick(hlsjs)
	m.Buffering.Goal = holds(2 * time.Second)
	m.Buffering.Next = func() func(Playing) int {
		n := 0
		return func(Playing) int {
			if n++; n == 2 {
				return 2
			}
			return 0
		}
	}
	r := played(t, playOn(t, o, "/m.m3u8", m, 4*time.Second), 4*time.Second)
	all := got(r, run.StepSegment, run.TrackVideo)
	if strings.Contains(all, "high") || !strings.Contains(all, "2") {
		t.Errorf("%s: the slow one is to be given up, and the same of another rendition to come: %s", all, names(r))
	}
	if n := o.find(t, "/ts/720p/0.ts", 1); n.end.Sub(n.begin) > 4*time.Second {
		t.Errorf("it was given up after %v", n.end.Sub(n.begin))
	}
	if r.Played.Stalled > 2*time.Second {
		t.Errorf("%+v, want less than the 6 s that the slow one takes", *r.Played)
	}
}
