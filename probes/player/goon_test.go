package player

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// Key, initialization segment and segment of each step onwards are asked for in
// this order, as far as the model asks for them at once.
func TestPlayOnOrder(t *testing.T) {
	t.Parallel()
	const n = 24
	tags := map[int]string{}
	for i := range n {
		tags[i] = fmt.Sprintf("#EXT-X-MAP:URI=\"/cmaf/v360/init.mp4?/%d\"\n", i)
	}
	list := segmented(n, tenth, func(i int) string { return fmt.Sprintf("/cmaf/v360/0.m4s?/%d", i) }, tags)
	o := newOrigin(t, map[string]string{"/l.m3u8": list}, map[string]rule{"/cmaf/v360/init.mp4": delay(20 * time.Millisecond)})
	r := played(t, playOn(t, o, "/l.m3u8", quick(hlsjs), 2*time.Second), 2*time.Second)
	var order []string
	var init run.Step
	for _, s := range r.Steps {
		if s.Name == run.StepInit || s.Name == run.StepSegment {
			order = append(order, fmt.Sprint(s.Name, s.URL[strings.LastIndex(s.URL, "/"):]))
		}
		if s.Name == run.StepInit {
			init = s
		} else if s.Name == run.StepSegment && s.StartMs >= init.EndMs {
			t.Errorf("%s at %v ms, after %s had come at %v, want both at once", order[len(order)-1], s.StartMs, order[len(order)-2], init.EndMs)
		}
	}
	for i := 0; i+1 < len(order); i += 2 {
		if want := fmt.Sprint("/", i/2); order[i] != "init"+want || order[i+1] != "segment"+want {
			t.Errorf("%s before %s", order[i], order[i+1])
		}
	}
	if len(order) < 2*n-2 {
		t.Errorf("%d requests, want two for each of %d segments: %s", len(order), n, order)
	}
}

// What goes out at once goes out in order, and the first failure ends the others.
func TestAtOnce(t *testing.T) {
	var order []int
	var all []part
	for i := range 50 {
		all = append(all, func(_ context.Context, asked func()) error {
			order = append(order, i) // a race where two do so at once
			asked()
			return nil
		})
	}
	if err := atOnce(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	for i, got := range order {
		if got != i {
			t.Fatalf("%d in place of %d", got, i)
		}
	}
	fails := func(context.Context, func()) error { return errOver }
	waits := func(ctx context.Context, asked func()) error { asked(); <-ctx.Done(); return ctx.Err() }
	if err := atOnce(t.Context(), []part{waits, fails}); err != errOver {
		t.Errorf("%v, want %v", err, errOver)
	}
}

// Where a player looks only from time to time whether there is room, its requests
// come as much later.
func TestPlayOnEvery(t *testing.T) {
	t.Parallel()
	o := newOrigin(t, map[string]string{"/l.m3u8": segmented(40, 4*tenth, same("/ts/360p/0.ts"), nil)}, nil)
	m := wanting(hlsjs, time.Second)
	m.Buffering.Every = 3 * tenth
	r := played(t, playOn(t, o, "/l.m3u8", m, 2*time.Second), 2*time.Second)
	if r.Played.Stalled > moment {
		t.Errorf("%+v, want no stall", *r.Played)
	}
	var last *run.Step
	rests := 0
	for i, s := range r.Steps {
		if s.Name != run.StepSegment {
			continue
		}
		if last != nil {
			if rest := s.StartMs - last.EndMs; rest > 100 {
				rests++
				if rest < 300 {
					t.Errorf("a rest of %v ms, want 300 or twice that", rest)
				}
			}
		}
		last = &r.Steps[i]
	}
	if rests < 2 {
		t.Errorf("%d rests, want one before each segment that the buffer has no room for: %s", rests, names(r))
	}
}

// Audio that has come before video looks from then on whether there is room.
func TestPlayOnFirstLook(t *testing.T) {
	t.Parallel()
	m := quick(dashjs)
	m.Buffering.Every, m.AudioAhead = 5*tenth, nil
	late := delay(8 * tenth)
	o := newOrigin(t, nil, map[string]rule{"/cmaf/v360/0.m4s": late, "/cmaf/v720/0.m4s": late})
	r := playOnExactly(t, o, "/cmaf/manifest-number.mpd", m, 2*time.Second)
	if r.Frame == nil {
		t.Fatalf("%s at %s: %s", r.Error, r.Step, r.Detail)
	}
	first, second := o.find(t, "/cmaf/a48/0.m4s", 1), o.find(t, "/cmaf/a48/1.m4s", 1)
	if rest := second.begin.Sub(first.end); rest < time.Second || rest > 10*tenth+5*time.Millisecond {
		t.Errorf("it looks %v after it has come, want 1 s", rest)
	}
}

// What has come of a rendition that was left for another before the first picture
// is not asked for again when it is played later.
func TestPlayOnKeeps(t *testing.T) {
	t.Parallel()
	files := map[string]string{"/m.m3u8": "#EXTM3U\n"}
	for dir, kbps := range map[string]int{"v360": 300, "v720": 3000} {
		files["/m.m3u8"] += fmt.Sprintf("#EXT-X-STREAM-INF:BANDWIDTH=%d,RESOLUTION=640x360,CODECS=\"avc1.4d401e\",CLOSED-CAPTIONS=NONE\n%s.m3u8\n", 1000*kbps, dir)
		files["/"+dir+".m3u8"] = segmented(5, 4*tenth, same("/cmaf/"+dir+"/0.m4s"), map[int]string{0: "#EXT-X-MAP:URI=\"/cmaf/" + dir + "/init.mp4\"\n"})
	}
	o := newOrigin(t, files, map[string]rule{"/cmaf/v360/0.m4s": pace(func(int) float64 { return 5000 })})
	m := quick(shaka)
	m.Meter = &Meter{Every: 10 * time.Millisecond, MinBytes: 1000, Enough: 30_000, HalfLives: []time.Duration{100 * time.Millisecond}, Interval: time.Hour}
	m.Buffering.Next = func() func(Playing) int { return func(p Playing) int { return lowest(p.Renditions) } }
	played(t, playOn(t, o, "/m.m3u8", m, 12*tenth), 12*tenth)
	asked := map[string]int{}
	for _, path := range o.paths() {
		asked[path]++
	}
	if asked["/cmaf/v720/0.m4s"] != 1 || asked["/cmaf/v360/0.m4s"] < 3 {
		t.Fatalf("%v, want a start with the higher and then the lower one", asked)
	}
	for _, path := range []string{"/v360.m3u8", "/cmaf/v360/init.mp4"} {
		if asked[path] != 1 {
			t.Errorf("%s was asked for %d times", path, asked[path])
		}
	}
}

// dash.js loads the first segment again when it goes up to a rendition that it has
// not loaded before, and one that it has only beyond 1.5 segments ahead.
func TestPlayOnReplaces(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		start int
		at    []int // renditions in turn
		want  string
	}{
		{0, []int{0, 0, 0, 0}, "l0 l1 l2 l3"},
		{0, []int{1, 1, 1, 1}, "l0 h0 h1 h2 h3"},
		{0, []int{2, 1, 1, 1, 1}, "l0 t0 h1 h2 h3"}, // the better one of 0 is there
		{0, []int{0, 0, 1, 1, 1, 1}, "l0 l1 l2 h0 h1 h2 h3"},
		{0, []int{1, 0, 1, 1, 1}, "l0 h0 l1 h1 h2 h3"},
		{1, []int{0, 1, 1, 1}, "h0 l1 h1 h2 h3"},
		{1, []int{1, 0, 2, 2, 2}, "h0 h1 l2 t0 t1 t2 t3"},
	} {
		set := `<AdaptationSet contentType="video" mimeType="video/mp4"><SegmentTemplate timescale="1000" duration="1920" startNumber="0" media="/$RepresentationID$?/$RepresentationID$$Number$" initialization="/cmaf/v360/init.mp4"/>` +
			`<Representation id="l" codecs="avc1.4d401e" bandwidth="300000"/><Representation id="h" codecs="avc1.4d401e" bandwidth="1200000"/><Representation id="t" codecs="avc1.4d401e" bandwidth="2400000"/></AdaptationSet>`
		media := func(w http.ResponseWriter, r *http.Request, _ int) bool {
			w.Write(labFile(t, "/cmaf/v360/0.m4s"))
			return true
		}
		o := newOrigin(t, map[string]string{"/m.mpd": `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT7.68S"><Period id="p">` + set + `</Period></MPD>`},
			map[string]rule{"/l": media, "/h": media, "/t": media})
		m := quick(dashjs)
		m.Start = func([]Rendition, float64) int { return tt.start }
		m.Buffering.GiveUp = func(Bandwidth) func(Playing, UnderWay) int {
			return func(_ Playing, u UnderWay) int {
				if u.Again {
					t.Errorf("%v: a segment is said to have been given up before", tt.at)
				}
				return -1
			}
		}
		m.Buffering.Look = time.Millisecond
		m.Buffering.Next = func() func(Playing) int {
			n := -1
			return func(Playing) int {
				n++
				return tt.at[min(n, len(tt.at)-1)]
			}
		}
		r := played(t, playOn(t, o, "/m.mpd", m, 15*tenth), 15*tenth)
		if all := got(r, run.StepSegment, run.TrackVideo); all != tt.want {
			t.Errorf("%v: %s, want %s: %s", tt.at, all, tt.want, names(r))
		}
	}
}

// Where dash.js goes on: where the one before ends, or where a better rendition
// replaces what is held, but of segments that are sent while they are made.
func TestFrom(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name      string
		chunked   bool
		rendition int
		was       int
		next      time.Duration
		came      []int // renditions of segments of 2 s, in turn
		head      time.Duration
		want      time.Duration
	}{
		{"the same", false, 0, 0, 0, []int{0, 0, 0}, 0, 6 * s},
		{"what is held is of a lower one, but it goes on as it did", false, 1, 1, 0, []int{0, 0, 0}, s / 2, 6 * s},
		{"a better one that has come", false, 1, 0, 0, []int{0, 0, 0}, s / 2, s/2 + 3*s},
		{"chunked", true, 1, 0, 0, []int{0, 0, 0}, s / 2, 6 * s},
		{"too little is ahead", false, 1, 0, 0, []int{0, 0}, 3 * s / 2, 4 * s},
		{"one that has not come", false, 2, 0, 0, []int{0, 0, 0}, s / 2, s / 2},
		{"a lower one", false, 0, 1, 0, []int{1, 1, 1}, s / 2, 6 * s},
		{"while it replaces", false, 1, 2, 2 * s, []int{0, 0, 0}, s / 2, 2 * s},
		{"what is held for good is not met", false, 1, 0, 8 * s, []int{0, 0, 0}, s / 2, s/2 + 3*s},
	} {
		now := time.Now()
		video := &holding{end: time.Duration(len(tt.came)) * 2 * s}
		o := &playing{
			session: &session{model: dashjs, ladder: &ladder{renditions: ladderOf(300, 1200, 2400)}}, buffering: &dashjs.Buffering, p: &presentation{chunked: tt.chunked},
			head: playhead{at: now, head: tt.head, want: time.Minute, tracks: map[string]*holding{run.TrackVideo: video}},
		}
		g := &goingOn{playing: o, track: run.TrackVideo, next: tt.next, was: tt.was, plays: map[int]time.Duration{0: 2 * s, 1: 2 * s}}
		for i, rendition := range tt.came {
			g.came = append(g.came, arrived{stretch{time.Duration(i) * 2 * s, time.Duration(i+1) * 2 * s}, rendition})
		}
		if got := g.from(tt.rendition); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
