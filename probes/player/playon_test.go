package player

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// playOn plays from o as the model, and d on.
func playOn(t testing.TB, o *origin, path string, m *Model, d time.Duration) *Result {
	t.Helper()
	return pressWith(t, o, Config{URL: path, Model: m, PlayOn: d, Timeout: 3 * time.Second})
}

// playOnExactly is playOn in a bubble.
func playOnExactly(t *testing.T, o *origin, path string, m *Model, d time.Duration) *Result {
	t.Helper()
	return exactlyWith(t, o, Config{URL: path, Model: m, PlayOn: d, Timeout: 3 * time.Second})
}

// pace answers the nth request of a path with its file at so many kbit/s.
func pace(kbps func(n int) float64) rule {
	return func(w http.ResponseWriter, r *http.Request, n int) bool {
		http.ServeFile(&slowly{ResponseWriter: w, kbps: kbps(n), start: time.Now()}, r, lab+r.URL.Path)
		return true
	}
}

// slowly is an answer whose bytes go out at a rate.
type slowly struct {
	http.ResponseWriter
	kbps  float64
	start time.Time
	sent  int
}

func (p *slowly) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		piece := b[:min(len(b), 2000)]
		time.Sleep(time.Until(p.start.Add(time.Duration(float64(p.sent+len(piece)) * 8 / p.kbps * float64(time.Millisecond)))))
		m, err := p.ResponseWriter.Write(piece)
		n, p.sent = n+m, p.sent+m
		if err != nil {
			return n, err
		}
		http.NewResponseController(p.ResponseWriter).Flush()
		b = b[m:]
	}
	return n, nil
}

// segmented is a playlist on demand of n segments, each said to be as long as that; the tags of
// a segment stand before it, and uri says where it is.
func segmented(n int, length time.Duration, uri func(i int) string, tags map[int]string) string {
	var b strings.Builder
	b.WriteString("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:1\n")
	for i := range n {
		fmt.Fprintf(&b, "%s#EXTINF:%.3f,\n%s\n", tags[i], length.Seconds(), uri(i))
	}
	b.WriteString("#EXT-X-ENDLIST\n")
	return b.String()
}

const tenth = 100 * time.Millisecond

// moment is how long a stall may be where there is to be none: the machine may
// have other things to do.
const moment = 5 * tenth

// same is always the same file, under names that differ in their query.
func same(path string) func(int) string {
	return func(i int) string { return fmt.Sprintf("%s?%d", path, i) }
}

// got are the requests of a name, of a track, as what stands behind the last
// slash of their paths, without those that failed.
func got(r *Result, name run.StepName, track string) string {
	var all []string
	for _, s := range r.Steps {
		if s.Name == name && s.Track == track && s.Error == "" && s.Status < 300 && s.Status > 0 {
			all = append(all, s.URL[strings.LastIndex(s.URL, "/")+1:])
		}
	}
	return strings.Join(all, " ")
}

// wanting is a copy of a model, quick, that wants to hold so much.
func wanting(m *Model, goal time.Duration) *Model {
	q := quick(m)
	q.Buffering.Goal, q.Buffering.AudioGoal = holds(goal), nil
	return q
}

// played fails the test unless so much was played, and nothing broke off.
func played(t testing.TB, r *Result, want time.Duration) *Result {
	t.Helper()
	good(t, r)
	if r.Error != "" || r.Played.Media.Round(time.Millisecond) != want {
		t.Fatalf("%s at %s: %s; %v played, want %v: %s", r.Error, r.Step, r.Detail, r.Played.Media, want, names(r))
	}
	return r
}

// brokeOff fails the test unless there was a first frame, and then that failure.
func brokeOff(t testing.TB, r *Result, typ run.ErrorType, step run.StepName) *Result {
	t.Helper()
	good(t, r)
	if r.Error != typ || r.Step != step || r.Detail == "" {
		t.Fatalf("%q at %q (%s), want %s at %s: %s", r.Error, r.Step, r.Detail, typ, step, names(r))
	}
	return r
}

// A link that is faster than the stream: no stall, and requests rest while the
// buffer is full.
func TestPlayOnFast(t *testing.T) {
	t.Parallel()
	o := newOrigin(t, map[string]string{"/l.m3u8": segmented(40, 4*tenth, same("/ts/360p/0.ts"), nil)}, nil)
	r := played(t, playOn(t, o, "/l.m3u8", wanting(hlsjs, 2*time.Second), 15*tenth), 15*tenth)
	if r.Played.Stalls != 0 || r.Played.Stalled != 0 || r.Played.Switches != 0 {
		t.Errorf("%+v, want no stall and no switch", *r.Played)
	}
	// As many of 0.4 s as 3.5 s need, of which 1.5 s were played.
	if n := strings.Count(names(r), "segment"); n != 9 {
		t.Errorf("%d segments, want 9: %s", n, names(r))
	}
	if took := r.End.Sub(*r.Startup); took < 15*tenth || took > 25*tenth {
		t.Errorf("1.5 s took %v", took)
	}
	if r.Started != 2 || r.Unkept != 0 {
		t.Errorf("%d steps of the start, %d not kept, want 2 and none: %s", r.Started, r.Unkept, names(r))
	}
}

// A link on which a segment of 0.4 s takes 0.6 s: after each 0.4 s a stall of 0.2 s.
func TestPlayOnSlow(t *testing.T) {
	t.Parallel()
	info, err := os.Stat(lab + "/ts/360p/0.ts")
	if err != nil {
		t.Fatal(err)
	}
	o := newOrigin(t, map[string]string{"/l.m3u8": segmented(9, 4*tenth, same("/ts/360p/0.ts"), nil)},
		map[string]rule{"/ts/360p/0.ts": pace(func(int) float64 { return float64(info.Size()) * 8 / 600 })})
	r := played(t, playOn(t, o, "/l.m3u8", quick(hlsjs), 15*tenth), 15*tenth)
	if p := r.Played; p.Stalls != 3 || p.Stalled < 5*tenth || p.Stalled > 30*tenth {
		t.Errorf("%d stalls of %v, want 3 of 0.6 s: %s", p.Stalls, p.Stalled, names(r))
	}
	stood := time.Duration(0)
	for _, s := range r.Steps {
		if s.Name == run.WaitStall {
			stood += time.Duration((s.EndMs - s.StartMs) * float64(time.Millisecond))
		}
	}
	if diff := (stood - r.Played.Stalled).Abs(); diff > time.Millisecond {
		t.Errorf("steps tell of %v, the result of %v", stood, r.Played.Stalled)
	}
	if took, want := r.End.Sub(*r.Startup), r.Played.Media+r.Played.Stalled; (took - want).Abs() > 2*tenth {
		t.Errorf("it took %v, played and stood still for %v", took, want)
	}
}

// Sound that is late stops the picture too.
func TestPlayOnSlowSound(t *testing.T) {
	t.Parallel()
	o := newOrigin(t, nil, map[string]rule{"/cmaf/a48/1.m4s": pace(func(int) float64 { return 12116 * 8 / 2400.0 })})
	r := played(t, playOn(t, o, "/cmaf/master.m3u8", quick(hlsjs), 2*time.Second), 2*time.Second)
	// The second segment is there at 2.4 s, the first holds 1.92 s.
	if p := r.Played; p.Stalls != 1 || p.Stalled < 4*tenth || p.Stalled > 30*tenth {
		t.Errorf("%d stalls of %v, want one of 0.48 s: %s", p.Stalls, p.Stalled, names(r))
	}
}

// The stream's end is the end.
func TestPlayOnToTheEnd(t *testing.T) {
	t.Parallel()
	o := newOrigin(t, map[string]string{"/l.m3u8": segmented(3, 3*tenth, same("/ts/360p/0.ts"), nil)}, nil)
	r := played(t, playOn(t, o, "/l.m3u8", quick(hlsjs), time.Minute), 9*tenth)
	if r.Played.Stalled > moment || r.End.Sub(*r.Startup) > 3*time.Second {
		t.Errorf("%+v after %v", *r.Played, r.End.Sub(*r.Startup))
	}
}

// A segment that fails for good: what has come before is played, then it breaks
// off. The start keeps its times. What the playhead does not come to is no
// failure.
func TestPlayOnFails(t *testing.T) {
	t.Parallel()
	files := func(i int) string { return fmt.Sprintf("/ts/360p/%d.ts", i) }
	for _, tt := range []struct {
		name  string
		rules map[string]rule
		play  time.Duration
		typ   run.ErrorType // empty: it plays
		step  run.StepName
		want  time.Duration
	}{
		{"404", map[string]rule{"/ts/360p/2.ts": status(404, 99)}, 2 * time.Second, run.ErrHTTP4xx, run.StepSegment, 8 * tenth},
		{"cut off", map[string]rule{"/ts/360p/3.ts": cut(99)}, 2 * time.Second, run.ErrSegmentTruncated, run.StepSegment, 12 * tenth},
		{"not met", map[string]rule{"/ts/360p/2.ts": status(404, 99)}, 7 * tenth, "", "", 7 * tenth},
		{"hangs", map[string]rule{"/ts/360p/2.ts": hang(99)}, 9 * tenth, run.ErrTimeout, run.StepSegment, 8 * tenth},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, map[string]string{"/l.m3u8": segmented(5, 4*tenth, files, nil)}, tt.rules)
			r := playOn(t, o, "/l.m3u8", quick(ideal), tt.play)
			if tt.typ == "" {
				played(t, r, tt.want)
				return
			}
			brokeOff(t, r, tt.typ, tt.step)
			if got := r.Played.Media.Round(time.Millisecond); got != tt.want {
				t.Errorf("%v played, want %v: %s", got, tt.want, names(r))
			}
			if least := r.Startup.Add(tt.want); r.End.Before(least) {
				t.Errorf("it broke off after %v, before what had come was played", r.End.Sub(*r.Startup))
			}
			if !slices.ContainsFunc(r.Steps, func(s run.Step) bool { return s.Error == tt.typ }) {
				t.Errorf("no step carries the error: %s", names(r))
			}
		})
	}
}

// While playing on a segment is tried again, or another rendition taken, as the
// model does.
func TestPlayOnRetries(t *testing.T) {
	t.Parallel()
	manifests := map[string]string{
		"/m.m3u8":    "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=300000,RESOLUTION=640x360,CODECS=\"avc1.4d401e\"\nlow.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=9000000,RESOLUTION=1280x720,CODECS=\"avc1.4d401e\"\nhigh.m3u8\n",
		"/low.m3u8":  segmented(5, 4*tenth, func(i int) string { return fmt.Sprintf("/ts/360p/%d.ts", i) }, nil),
		"/high.m3u8": segmented(5, 4*tenth, func(i int) string { return fmt.Sprintf("/ts/720p/%d.ts", i) }, nil),
	}
	for _, tt := range []struct {
		name     string
		rules    map[string]rule
		want     string
		switches int
	}{
		{"503 once", map[string]rule{"/ts/360p/2.ts": status(503, 1)}, "0.ts 1.ts 2.ts 3.ts 4.ts", 0},
		{"404 always", map[string]rule{"/ts/360p/2.ts": status(404, 99)}, "0.ts 1.ts 2.ts 3.ts 4.ts", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, manifests, tt.rules)
			m := quick(hlsjs)
			m.Buffering.Next = nil
			r := played(t, playOn(t, o, "/m.m3u8", m, 2*time.Second), 2*time.Second)
			if all := got(r, run.StepSegment, run.TrackVideo); all != tt.want {
				t.Errorf("segments %s, want %s", all, tt.want)
			}
			if r.Played.Switches != tt.switches {
				t.Errorf("%d changes of rendition, want %d: %s", r.Played.Switches, tt.switches, names(r))
			}
			if high := strings.Count(strings.Join(o.paths(), " "), "720p"); high != 3*tt.switches {
				t.Errorf("%d segments of the other rendition, want %d: %s", high, 3*tt.switches, o.paths())
			}
		})
	}
}

// The bandwidth falls, and with it the rendition, which had risen before.
func TestPlayOnSwitches(t *testing.T) {
	t.Parallel()
	manifests := map[string]string{
		"/m.m3u8": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=300000,RESOLUTION=640x360,CODECS=\"avc1.4d401e\"\nlow.m3u8\n" +
			"#EXT-X-STREAM-INF:BANDWIDTH=1200000,RESOLUTION=1280x720,CODECS=\"avc1.4d401e\"\nhigh.m3u8\n",
		"/low.m3u8":  segmented(20, 3*tenth, same("/ts/360p/0.ts"), nil),
		"/high.m3u8": segmented(20, 3*tenth, same("/ts/720p/0.ts"), nil),
	}
	o := newOrigin(t, manifests, map[string]rule{
		"/ts/360p/0.ts": pace(func(int) float64 { return 3000 }),
		"/ts/720p/0.ts": pace(func(n int) float64 {
			if n <= 2 {
				return 3000
			}
			return 500
		}),
	})
	r := played(t, playOn(t, o, "/m.m3u8", wanting(hlsjs, 5*tenth), 2*time.Second), 2*time.Second)
	if r.Played.Switches != 2 {
		t.Errorf("%d changes of rendition, want one up and one down: %v", r.Played.Switches, o.paths())
	}
	// 120 kB at 500 kbit/s take 1.92 s, of which up to 0.8 s were ahead.
	if r.Played.Stalls == 0 || r.Played.Stalled < moment {
		t.Errorf("%+v, want a stall of more than %v", *r.Played, moment)
	}
	if r.BitrateKbps != 300 {
		t.Errorf("bitrate of %v kbit/s, want that of the first frame, 300", r.BitrateKbps)
	}
}

// A rendition that has failed is not among those to choose from.
func TestAmong(t *testing.T) {
	for _, tt := range []struct {
		at    int
		want  []int
		seems int // where it is among them
	}{{2, []int{1, 2}, 1}, {0, []int{1, 2}, -1}} {
		l := &ladder{renditions: ladderOf(300, 1200, 2400), at: tt.at, failed: []bool{true, false, false}}
		o := &playing{session: &session{ladder: l}, p: &presentation{mode: "vod"}, head: playhead{tracks: map[string]*holding{run.TrackVideo: {}}}}
		p, index := o.among()
		if !slices.Equal(index, tt.want) || p.At != tt.seems || len(p.Renditions) != 2 || p.Renditions[0].Kbps != 1200 {
			t.Errorf("at %d: %d of %+v at %d, want %d at %d", tt.at, index, p.Renditions, p.At, tt.want, tt.seems)
		}
	}
}

// first is a feed of which only the first segments are known.
type first struct {
	feed
	video, audio stretch
}

func (f first) starts() (time.Duration, stretch, stretch) { return f.video.from, f.video, f.audio }
func (f first) length() time.Duration                     { return time.Minute }

// What has come before playback is held as it begins, on its timeline.
func TestInherit(t *testing.T) {
	const s = time.Second
	now := time.Now()
	p := &presentation{separate: true, feed: first{video: stretch{10 * s, 12 * s}, audio: stretch{9 * s, 11 * s}}}
	p.video = loaded{segment: &Moment{At: now}, parts: parts{start: 0}, more: []arrived{{stretch{2 * s, 4 * s}, 0}, {stretch{4 * s, 7 * s}, 0}, {stretch{2 * s, 4 * s}, 1}}}
	p.audio = loaded{parts: parts{start: 9 * s}, more: []arrived{{stretch{11 * s, 13 * s}, 0}}}
	l := &ladder{renditions: ladderOf(300, 1200), failed: make([]bool, 2)}
	o := (&session{model: ideal, ladder: l}).playing(p, now)
	if video, audio := o.head.tracks[run.TrackVideo].end, o.head.tracks[run.TrackAudio].end; video != 17*s || audio != 13*s {
		t.Errorf("video is held to %v and audio to %v, want 17s and 13s", video, audio)
	}
	if o.segment != 2*s || o.segments != 4 || l.at != 1 {
		t.Errorf("%d segments, the last of %v and rendition %d, want 4, 2s and 1", o.segments, o.segment, l.at)
	}
	g := o.goOn(run.TrackVideo)
	want := []arrived{{stretch{10 * s, 12 * s}, 0}, {stretch{12 * s, 14 * s}, 0}, {stretch{14 * s, 17 * s}, 0}, {stretch{12 * s, 14 * s}, 1}}
	if !slices.Equal(g.came, want) || g.was != 1 || g.plays[0] != 3*s || g.plays[1] != 2*s {
		t.Errorf("%v have come, of %v, the last of %d, want %v, of 3s and 2s, of 1", g.came, g.plays, g.was, want)
	}
	if g.next != 14*s { // it is replacing what it holds
		t.Errorf("it goes on at %v, want 14s", g.next)
	}
}

// Playlists on demand are asked for once, however often their renditions are played.
func TestPlayOnKeepsLists(t *testing.T) {
	t.Parallel()
	manifests := map[string]string{
		"/m.m3u8":    "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=300000,RESOLUTION=640x360,CODECS=\"avc1.4d401e\"\nlow.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=9000000,RESOLUTION=1280x720,CODECS=\"avc1.4d401e\"\nhigh.m3u8\n",
		"/low.m3u8":  segmented(8, 2*tenth, same("/ts/360p/0.ts"), nil),
		"/high.m3u8": segmented(8, 2*tenth, same("/ts/720p/0.ts"), nil),
	}
	o := newOrigin(t, manifests, nil)
	m := quick(hlsjs)
	m.Buffering.GiveUp = nil
	m.Buffering.Next = func() func(Playing) int { return func(p Playing) int { return 1 - p.At } }
	r := played(t, playOn(t, o, "/m.m3u8", m, 12*tenth), 12*tenth)
	all := strings.Join(o.paths(), " ")
	if low, high := strings.Count(all, "/low.m3u8"), strings.Count(all, "/high.m3u8"); low != 1 || high != 1 || r.Played.Switches < 4 {
		t.Errorf("asked for %d and %d times with %d changes: %s", low, high, r.Played.Switches, all)
	}
}

// While a video segment is late, hls.js asks for separate audio up to the one beside
// it.
func TestPlayOnAudioFollows(t *testing.T) {
	t.Parallel()
	free := *hlsjs
	free.Buffering.AudioFollows = false
	for _, tt := range []struct {
		name   string
		model  *Model
		length time.Duration // of an audio segment; those of video play 1.92 s
		listed int           // audio segments
		live   bool
		asked  int // until video's second has come
	}{
		{"a player that does not look", &free, 1920 * time.Millisecond, 5, false, 5},
		{"as long as video's", hlsjs, 1920 * time.Millisecond, 5, false, 2},
		{"a third of video's", hlsjs, 640 * time.Millisecond, 15, false, 4},
		{"half into video's second", hlsjs, 1200 * time.Millisecond, 8, false, 3},
		{"two of video's", hlsjs, 3840 * time.Millisecond, 3, false, 2},
		{"three of video's", hlsjs, 5760 * time.Millisecond, 2, false, 1},
		{"three of video's, live", hlsjs, 5760 * time.Millisecond, 2, true, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			list := func(dir string, n int, length time.Duration, uri func(int) string) string {
				text := segmented(n, length, uri, map[int]string{0: "#EXT-X-MAP:URI=\"" + dir + "/init.mp4\"\n"})
				if text = strings.Replace(text, "DURATION:1", "DURATION:6", 1); tt.live {
					text = strings.Replace(text, "#EXT-X-ENDLIST\n", "", 1)
				}
				return text
			}
			video := func(i int) string { return fmt.Sprintf("/cmaf/v360/%d.m4s", i) }
			o := newOrigin(t, map[string]string{
				"/m.m3u8": "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"a\",DEFAULT=YES,URI=\"a.m3u8\"\n" +
					"#EXT-X-STREAM-INF:BANDWIDTH=300000,RESOLUTION=640x360,CODECS=\"avc1.4d401e,mp4a.40.2\",AUDIO=\"a\",CLOSED-CAPTIONS=NONE\nv.m3u8\n",
				"/a.m3u8": list("/cmaf/a48", tt.listed, tt.length, same("/cmaf/a48/0.m4s")),
				"/v.m3u8": list("/cmaf/v360", 5, 1920*time.Millisecond, video),
			}, map[string]rule{video(1): delay(1200 * time.Millisecond)})
			m := wanting(tt.model, 20*time.Second)
			if r := playOnExactly(t, o, "/m.m3u8", m, 3*time.Second); r.Error != "" || r.Played == nil || r.Played.Stalls > 0 {
				t.Fatalf("%s at %s: %s: %+v", r.Error, r.Step, r.Detail, r.Played)
			}
			late := o.find(t, video(1), 1)
			asked := 0
			o.mu.Lock()
			defer o.mu.Unlock()
			for _, s := range o.log {
				if s.path == "/cmaf/a48/0.m4s" && s.begin.Before(late.end) {
					asked++
				}
			}
			if asked != tt.asked {
				t.Errorf("%d segments of audio are asked for before video's second has come, want %d", asked, tt.asked)
			}
		})
	}
}

// What comes after the first segment is asked for before the picture shows.
func TestPlayOnEarly(t *testing.T) {
	t.Parallel()
	m := quick(hlsjs)
	m.RenderTS, m.Buffering.Early = Cost{Base: 90 * time.Millisecond}, 40*time.Millisecond
	o := newOrigin(t, nil, nil)
	r := playOnExactly(t, o, "/ts/360p/index.m3u8", m, 2*time.Second)
	if r.Frame == nil {
		t.Fatalf("%s at %s: %s", r.Error, r.Step, r.Detail)
	}
	if early := r.Frame.Sub(o.find(t, "/ts/360p/1.ts", 1).begin); early < 38*time.Millisecond || early > 40*time.Millisecond {
		t.Errorf("asked for %v before the picture, want 40 ms less the way there", early)
	}
}

// Audio that goes on after the end of video waits for no more of that.
func TestPlayOnAudioOutlasts(t *testing.T) {
	t.Parallel()
	video := "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"/cmaf/v360/init.mp4\"\n#EXTINF:2,\n/cmaf/v360/0.m4s\n#EXTINF:2,\n/cmaf/v360/1.m4s\n#EXT-X-ENDLIST\n"
	o := newOrigin(t, map[string]string{"/cmaf/v360/index.m3u8": video, "/cmaf/v720/index.m3u8": strings.ReplaceAll(video, "v360", "v720")}, nil)
	r := playOnExactly(t, o, "/cmaf/master.m3u8", quick(hlsjs), time.Minute)
	if r.Error != "" || r.Played == nil || r.Played.Stalled > moment {
		t.Fatalf("%s at %s: %s: %+v", r.Error, r.Step, r.Detail, r.Played)
	}
	if audio := got(r, run.StepSegment, run.TrackAudio); audio != "0.m4s 1.m4s 2.m4s 3.m4s 4.m4s" {
		t.Errorf("asked for %s of audio", audio)
	}
}
