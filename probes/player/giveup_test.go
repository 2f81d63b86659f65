package player

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
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
		{hlsjs, "the rest comes before a lower one", 2, 500 * time.Millisecond, 4 * time.Second, 2_000_000, false, -1, 0},
		{hlsjs, "a lower one comes before the buffer is empty, but takes longer than it plays", 2, 5 * time.Second, 3 * time.Second, 848_125, false, 0, 800},
		{hlsjs, "a lower one takes less than it plays, but the buffer is empty before", 2, 3 * time.Second, 3 * time.Second, 995_625, false, 0, 800},
		{hlsjs, "none comes within ten times what it plays", 2, 2 * time.Second, 4 * time.Second, 98_750, false, -1, 0},
		{hlsjs, "what was measured stays where it is too little for the lower one", 2, 4200 * time.Millisecond, 3 * time.Second, 903_437, false, 1, 3423.33},
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
		if tt.kbps > 0 && math.Abs(b.Kbps()-tt.kbps) > 0.1 {
			t.Errorf("%s, %s: %v kbit/s measured, want %v", tt.model, tt.name, b.Kbps(), tt.kbps)
		}
	}
}

// What else they go by: how large the segment is, when it began to come and in how
// many pieces, and whether it is live.
func TestGiveUpBy(t *testing.T) {
	const kb = 1000
	first, late := 50*time.Millisecond, 3*time.Second
	for _, tt := range []struct {
		model *Model
		name  string
		live  bool
		ahead time.Duration
		u     UnderWay
		want  int
	}{
		{hlsjs, "a size that is not said is that of the rendition", false, 4400 * time.Millisecond, UnderWay{Took: late, FirstByte: first, Bytes: 1000 * kb}, 1},
		{hlsjs, "nothing has come", false, 2 * time.Second, UnderWay{Took: late, Size: 2500 * kb}, 0},
		{hlsjs, "of a live stream its playlist too", true, 3630 * time.Millisecond, UnderWay{Took: late, FirstByte: first, Bytes: 995_625, Size: 2500 * kb}, 0},
		{hlsjs, "which else comes in time", false, 3630 * time.Millisecond, UnderWay{Took: late, FirstByte: first, Bytes: 995_625, Size: 2500 * kb}, 0},
		{dashjs, "five pieces", false, 8 * time.Second, UnderWay{Took: late, FirstByte: first, Bytes: 660 * kb, Size: 2500 * kb, Pieces: 5, Piece: first}, -1},
		{dashjs, "six", false, 8 * time.Second, UnderWay{Took: late, FirstByte: first, Bytes: 660 * kb, Size: 2500 * kb, Pieces: 6, Piece: first}, 0},
		{dashjs, "what came with the first does not count", false, 8 * time.Second, UnderWay{Took: late, FirstByte: first, Bytes: 1660 * kb, First: 1000 * kb, Size: 2500 * kb, Pieces: 6, Piece: first}, 0},
		{dashjs, "a size that is not said", false, 8 * time.Second, UnderWay{Took: late, FirstByte: first, Bytes: 660 * kb, Pieces: 6, Piece: first}, -1},
	} {
		b := tt.model.Buffering.Bandwidth()
		b.Sample(50*time.Millisecond, 4*time.Second, 2500*kb)
		tt.u.Plays = 4 * time.Second
		p := Playing{Renditions: ladderOf(800, 2400, 5000), At: 2, Kbps: b.Kbps(), Ahead: tt.ahead, Live: tt.live}
		if got := tt.model.Buffering.GiveUp(b)(p, tt.u); got != tt.want {
			t.Errorf("%s, %s: %d, want %d", tt.model, tt.name, got, tt.want)
		}
	}
	b := hlsjs.Buffering.Bandwidth()
	b.Sample(50*time.Millisecond, 4*time.Second, 1500*kb)
	p := Playing{Renditions: ladderOf(800, 2400, 5000), At: 2, Kbps: b.Kbps(), Ahead: 3500 * time.Millisecond}
	hlsjs.Buffering.GiveUp(b)(p, UnderWay{Plays: 4 * time.Second, Took: late, Size: 2500 * kb})
	if got := b.FirstByte(); got <= first || math.Abs(b.Kbps()-3000) > 0.1 {
		t.Errorf("an answer begins after %v at %v kbit/s, want to count the one that has not begun after 3 s, and that alone", got, b.Kbps())
	}
}

// What a segment under way is to a player: of its last attempt, told at most each 50 ms.
func TestUnderWay(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	d := &doubt{UnderWay: UnderWay{Plays: time.Second, Again: true}}
	if _, asked := d.now(start); asked {
		t.Error("it has been asked for")
	}
	for _, began := range []int{0, 1000} { // and again
		d.begins(at(began))
		if err := d.head(&fetch.Exchange{Header: http.Header{"Content-Length": {"5000"}}}); err != nil {
			t.Fatal(err)
		}
		for _, ms := range []int{30, 40, 79, 80, 100, 130} {
			d.got(100, at(began+ms))
		}
		want := UnderWay{
			Plays: time.Second, Again: true, Took: 200 * time.Millisecond, FirstByte: 30 * time.Millisecond,
			Bytes: 600, Size: 5000, Pieces: 3, First: 100, Piece: 30 * time.Millisecond,
		}
		if got, asked := d.now(at(began + 200)); got != want || !asked {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// Of two that come too slowly each is left for the one below: that is taken as it is,
// told that it is the same once more, and what comes after is chosen anew.
func TestPlayOnGivesUpTwice(t *testing.T) {
	t.Parallel()
	manifests, slow := map[string]string{"/m.m3u8": "#EXTM3U\n"}, map[string]rule{}
	for i, name := range []string{"low", "mid", "high"} {
		manifests["/m.m3u8"] += fmt.Sprintf("#EXT-X-STREAM-INF:BANDWIDTH=%d,RESOLUTION=640x360,CODECS=\"avc1.4d401e\"\n%s.m3u8\n", 300_000<<i, name)
		manifests["/"+name+".m3u8"] = segmented(6, time.Second, func(n int) string { return fmt.Sprintf("/%s?/%s%d", name, name, n) }, nil)
		slow["/"+name] = func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if name != "low" {
				return hang(99)(w, r, 1)
			}
			w.Write(labFile(t, "/ts/360p/0.ts"))
			return true
		}
	}
	o := newOrigin(t, manifests, slow)
	m := quick(hlsjs)
	m.Start = func([]Rendition, float64) int { return 0 }
	chosen, looks := 0, map[int]string{}
	m.Buffering.Goal = holds(1500 * time.Millisecond)
	m.Buffering.Next = func() func(Playing) int {
		return func(Playing) int {
			if chosen++; chosen == 2 {
				return 2
			}
			return 0
		}
	}
	m.Buffering.GiveUp = func(Bandwidth) func(Playing, UnderWay) int {
		return func(p Playing, u UnderWay) int {
			if u.Took < 100*time.Millisecond {
				return -1
			}
			if looks[p.At] += fmt.Sprint(u.Again, p.GivenUp > 0, " "); len(looks[p.At]) < 30 {
				return p.At // which is to go on
			}
			return p.At - 1
		}
	}
	m.Buffering.Look = 20 * time.Millisecond
	r := played(t, playOn(t, o, "/m.m3u8", m, 3500*time.Millisecond), 3500*time.Millisecond)
	var all []string
	for _, s := range r.Steps {
		if s.Name == run.StepSegment {
			_, name, _ := strings.Cut(s.URL, "?/")
			all = append(all, name)
		}
	}
	if got, want := strings.Join(all, " "), "low0 low1 high2 mid2 low2 low3 low4"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if chosen != 4 { // of 1 to 4, each once
		t.Errorf("%d times chosen, want 4", chosen)
	}
	for at, want := range map[int]string{2: "false false ", 1: "true true "} {
		if got := looks[at]; got == "" || strings.ReplaceAll(got, want, "") != "" {
			t.Errorf("of rendition %d: %q, want %q each time", at, got, want)
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
