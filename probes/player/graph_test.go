package player

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

// graph plays, and gives each request with what it waited for: VS<L is the first
// video segment after the video's playlist. M is the manifest, L and A are
// playlists, XV and XA indexes, VI, VS, AI and AS initialization and media
// segments, K is a key, T a clock; a second one of a track has a 2; those of
// another rendition than the first have a prime. The picture comes last.
func graph(t *testing.T, o *origin, manifest string, m *Model, app run.App) (edges []string, r *Result) {
	t.Helper()
	exactly(t, o, func(t *testing.T, c Client) { edges, r = graphBy(t, c, o, manifest, m, app) })
	return edges, r
}

func graphBy(t *testing.T, client Client, o *origin, manifest string, m *Model, app run.App) ([]string, *Result) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s := &session{cfg: Config{URL: o.URL + manifest, Client: client, Model: m, App: app}, model: m, think: &Think{}, start: time.Now()}
	var p presentation
	err := s.run(ctx, &p)
	picture, ok := s.firstFrame(&p)
	nodes := s.nodes[:len(s.nodes):len(s.nodes)]
	nodes = append([]*node(nil), nodes...)
	r := s.result(ctx, &p, err)
	if !ok {
		return nil, r
	}
	names := nameNodes(nodes)
	var edges []string
	for i, n := range nodes {
		switch {
		case n.IsWait():
			continue
		case n.after.Step == PressPlay:
			edges = append(edges, names[i])
		default:
			edges = append(edges, names[i]+"<"+names[n.after.Step])
		}
		if begun := n.start.Sub(n.after.At); begun < 0 {
			t.Errorf("%s is asked for %v before what it waits for", names[i], -begun)
		}
	}
	return append(edges, "picture<"+names[picture.Step]), r
}

func nameNodes(nodes []*node) []string {
	letters := map[run.StepName]string{run.StepManifest: "M", run.StepClock: "T", run.StepKey: "K"}
	tracked := map[run.StepName]string{run.StepPlaylist: "L", run.StepIndex: "X", run.StepInit: "I", run.StepSegment: "S"}
	count := map[string]int{}
	first := ""
	var names []string
	for _, n := range nodes {
		name, ok := letters[n.Name]
		if !ok {
			name = map[string]string{run.TrackVideo: "V", run.TrackAudio: "A"}[n.Track] + tracked[n.Name]
			switch name {
			case "VL":
				name = "L"
			case "AL":
				name = "A"
			case "VX", "AX":
				name = "X" + name[:1]
			}
		}
		if dir := path.Dir(strings.SplitN(n.URL, "?", 2)[0]); n.Track == run.TrackVideo && n.Name != run.StepKey && !n.IsWait() {
			if first == "" {
				first = dir
			}
			if dir != first {
				name += "'"
			}
		}
		if !n.IsWait() {
			if count[name]++; count[name] > 1 {
				name = fmt.Sprint(name, count[name])
			}
		}
		names = append(names, name)
	}
	return names
}

// The requests before the first picture of each model, as they were measured of
// the real players; of what waits for two the later is made late.
func TestGraph(t *testing.T) {
	const ms = time.Millisecond
	late := map[string]rule{
		"/cmaf/v360/index.m3u8": delay(30 * ms), "/cmaf/v720/index.m3u8": delay(30 * ms), "/range/v360/index.m3u8": delay(30 * ms), "/range/v360/media.mp4": delay(40 * ms), "/aes/key.bin": delay(60 * ms),
		"/cmaf/v360/0.m4s": delay(250 * ms), "/cmaf/v720/0.m4s": delay(250 * ms), "/cmaf/a48/init.mp4": delay(20 * ms), "/cmaf/a48/0.m4s": delay(40 * ms),
	}
	const (
		ts, aes, cmaf, ranged = "/ts/master.m3u8", "/aes/master.m3u8", "/cmaf/master.m3u8", "/range/master.m3u8"
		number, listed        = "/cmaf/manifest-number.mpd", "/cmaf/manifest-timeline.mpd"
	)
	// Audio whose segments hold less than the manifest says, and more.
	body, err := os.ReadFile(lab + number)
	if err != nil {
		t.Fatal(err)
	}
	lasting := func(sound, pictures string) string {
		return strings.NewReplacer(`"92160"`, sound, `"24576"`, pictures, "<Period", "<BaseURL>/cmaf/</BaseURL><Period").Replace(string(body))
	}
	odd, even := lasting(`"192000"`, `"51200"`), lasting(`"91200"`, `"24320"`)
	for _, tt := range []struct {
		model          *Model
		manifest, want string
	}{
		{hlsjs, ts, "M L<M VS<L picture<VS"},
		{hlsjs, aes, "M L<M K<L VS<L picture<K"},
		{hlsjs, cmaf, "M L<M A<M AI<L AS<L VI<L VS<L picture<VS"},
		{hlsjs, ranged, "M L<M A<M AI<L AS<AI VI<L VS<VI picture<VS"},
		{hlsjs16, ts, "M L<M VS<L picture<VS"},
		{hlsjs16, aes, "M L<M K<L VS<L picture<K"},
		{hlsjs16, cmaf, "M L<M A<M AI<L AS<AI VI<L VS<VI picture<VS"},
		{dashjs, number, "M VI<M AI<M VS<VI AS<AI picture<VS"},
		{dashjs, "/1.9s.mpd", "M VI<M AI<M VS<VI AS<AI picture<VS"},
		{dashjs, "/4s.mpd", "M VI<M AI<M VS<VI AS<AI AS2<AS picture<VS"},
		{dashjs, listed, "M VI<M AI<M VS<VI AS<AI picture<VS"},
		{shaka, ts, "M L<M VS<L picture<VS"},
		{shaka, aes, "M L<M VS<L K<VS picture<K"},
		{shaka, cmaf, "M L<M A<M AI<L AS<L VI<L VS<L picture<VS"},
		{shaka, ranged, "M L<M A<M AI<L VI<L AS<AI VS<VI picture<VS"},
		{shaka, number, "M AI<M AS<M VI<M VS<M picture<VS"},
		{shaka, listed, "M AI<M AS<M VI<M VS<M picture<VS"},
		{exoplayer, ts, "M L<M L'<L VS'<L' picture<VS'"},
		{exoplayer, aes, "M L<M L'<L K<L' VS'<K picture<VS'"},
		{exoplayer, cmaf, "M L<M L'<L A<L AI<A AS<AI VI'<L' VS'<VI' picture<VS'"},
		{exoplayer, ranged, "M L<M A<L AI<A AS<AI VI<L VS<VI picture<VS"},
		{exoplayer, number, "M VI<M AI<M VS<VI AS<AI picture<VS"},
		{avplayer, ts, "M L<M VS<L picture<VS"},
		{avplayer, cmaf, "M L<M A<M AI<A AS<A VI<L VS<L picture<VS"},
		{ideal, cmaf, "M L<M A<M AI<A AS<A VI<L VS<L picture<VS"},
		{ideal, number, "M VI<M VS<M AI<M AS<M picture<VS"},
	} {
		t.Run(tt.model.String()+path.Dir(tt.manifest)+path.Ext(tt.manifest), func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, map[string]string{"/4s.mpd": odd, "/1.9s.mpd": even}, late)
			got, r := graph(t, o, tt.manifest, untimed(tt.model), run.App{})
			good(t, r)
			if diff := cmp.Diff(sorted(strings.Fields(tt.want)), sorted(got)); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// untimed is a copy of a model that keeps its think times, but has no tick, no
// render time and no limits.
func untimed(m *Model) *Model {
	q := *m
	q.Tick, q.RenderTS, q.RenderFMP4, q.Retry = nil, Cost{}, Cost{}, nil
	return &q
}

// sorted is a copy in which what goes out at the same time stands in one order:
// each test says which edges there are, the order on the wire is another matter.
func sorted(edges []string) []string {
	out := append([]string(nil), edges...)
	for i := range out {
		for k := i + 1; k < len(out); k++ {
			if out[k] < out[i] {
				out[i], out[k] = out[k], out[i]
			}
		}
	}
	return out
}

// paced serves a file of the lab with so many bytes of padding behind it, 16 kB
// each tick.
func paced(t testing.TB, padding int, tick time.Duration) rule {
	return func(w http.ResponseWriter, r *http.Request, _ int) bool {
		body, err := os.ReadFile(lab + r.URL.Path)
		if err != nil {
			t.Error(err)
			return false
		}
		body = append(body, pad(path.Ext(r.URL.Path), padding)...)
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		for len(body) > 0 {
			n := min(len(body), 16<<10)
			if _, err := w.Write(body[:n]); err != nil {
				return true
			}
			_ = http.NewResponseController(w).Flush()
			body = body[n:]
			time.Sleep(tick)
		}
		return true
	}
}

// pad is padding as the container has it: null packets, a free box.
func pad(ext string, n int) []byte {
	if ext == ".ts" {
		null := append([]byte{0x47, 0x1f, 0xff, 0x10}, bytes.Repeat([]byte{0xff}, 184)...)
		return bytes.Repeat(null, n/188)
	}
	box := make([]byte, n)
	binary.BigEndian.PutUint32(box, uint32(n))
	copy(box[4:], "free")
	return box
}

// Shaka measures while the first segment comes, and goes to another rendition
// before the first picture when enough has come fast enough; what has begun is
// thrown away.
func TestShakaSwitches(t *testing.T) {
	const ms = time.Millisecond
	slow := map[string]float64{"start_kbps": 300}
	for _, tt := range []struct {
		name, manifest string
		padding        int
		tick           time.Duration
		want           string
		height         int
	}{
		// 16 kB in 10 ms are some 13 Mbit/s.
		{"TS", "/ts/master.m3u8", 400_000, 10 * ms, "M L<M VS<L L'<VS VS'<L' picture<VS'", 720},
		{"CMAF", "/cmaf/master.m3u8", 400_000, 10 * ms, "M L<M A<M AI<A AS<A VI<A VS<A L'<VS VI'<L' VS'<L' picture<VS'", 720},
		{"DASH, without a playlist", "/cmaf/manifest-number.mpd", 400_000, 10 * ms, "M AI<M AS<M VI<M VS<M VI'<VS VS'<VS picture<VS'", 720},
		// Fewer than 128 kB are not believed.
		{"too little", "/ts/master.m3u8", 40_000, 10 * ms, "M L<M VS<L picture<VS", 360},
		// 16 kB in 400 ms are 330 kbit/s: 360p, as before.
		{"too slow", "/ts/master.m3u8", 90_000, 350 * ms, "M L<M VS<L picture<VS", 360},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rules := map[string]rule{"/cmaf/a48/index.m3u8": delay(30 * ms)}
			for _, file := range []string{"/ts/360p/0.ts", "/ts/720p/0.ts", "/cmaf/v360/0.m4s", "/cmaf/v720/0.m4s"} {
				rules[file] = paced(t, tt.padding, tt.tick)
			}
			o := newOrigin(t, nil, rules)
			got, r := graph(t, o, tt.manifest, untimed(shaka), run.App{Set: slow})
			good(t, r)
			if diff := cmp.Diff(sorted(strings.Fields(tt.want)), sorted(got)); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if r.Height != tt.height {
				t.Errorf("%d lines, want %d", r.Height, tt.height)
			}
			if tt.height == 720 {
				thrownAway(t, r)
			}
		})
	}
}

// thrownAway fails the test unless the first video segment was given up, without
// being an error of the run.
func thrownAway(t *testing.T, r *Result) {
	t.Helper()
	for _, s := range r.Steps {
		if s.Name == run.StepSegment && s.Track == run.TrackVideo {
			if s.Error != "" || s.Bytes == 0 || s.Bytes > 300_000 || !strings.Contains(s.Detail+"given up", "given up") {
				t.Errorf("the segment that was left: %d bytes, error %q, %q", s.Bytes, s.Error, s.Detail)
			}
			return
		}
	}
}

// Without a word about closed captions Shaka looks into the media first.
func TestShakaCaptions(t *testing.T) {
	const ms = time.Millisecond
	strip := func(name string) string {
		b, err := os.ReadFile(lab + name)
		if err != nil {
			t.Fatal(err)
		}
		s := strings.ReplaceAll(string(b), ",CLOSED-CAPTIONS=NONE", "")
		return strings.NewReplacer("\nv", "\n/cmaf/v", "URI=\"a", "URI=\"/cmaf/a", "\n360p", "\n/ts/360p", "\n720p", "\n/ts/720p").Replace(s)
	}
	o := func(padding int) *origin {
		rules := map[string]rule{"/cmaf/a48/init.mp4": delay(60 * ms)}
		for _, file := range []string{"/ts/360p/0.ts", "/cmaf/v360/0.m4s", "/cmaf/v360/2.m4s"} {
			rules[file] = paced(t, padding, 10*ms)
		}
		return newOrigin(t, map[string]string{"/ts.m3u8": strip("/ts/master.m3u8"), "/cmaf.m3u8": strip("/cmaf/master.m3u8")}, rules)
	}
	slow := run.App{Set: map[string]float64{"start_kbps": 300}}
	for _, tt := range []struct{ name, manifest, want string }{
		// What is read for captions is not measured: no other level is taken.
		{"TS", "/ts.m3u8", "M L<M VS<L picture<VS"},
		{"CMAF", "/cmaf.m3u8", "M L<M A<M VI<L VS<L VS2<VS VS3<VS2 AI<VS3 AS<VS3 VS4<VS3 picture<AI"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			origin := o(200_000)
			got, r := graph(t, origin, tt.manifest, untimed(shaka), slow)
			good(t, r)
			if diff := cmp.Diff(sorted(strings.Fields(tt.want)), sorted(got)); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if r.Height != 360 {
				t.Errorf("%d lines, want 360", r.Height)
			}
			if tt.name == "CMAF" {
				var asked []string
				for _, p := range origin.paths() {
					if strings.HasPrefix(p, "/cmaf/v360/") && strings.HasSuffix(p, ".m4s") {
						asked = append(asked, path.Base(p))
					}
				}
				if diff := cmp.Diff([]string{"0.m4s", "2.m4s", "4.m4s", "1.m4s"}, asked); diff != "" {
					t.Errorf("segments (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// Where the segment fails in which Shaka looks for captions, it goes to another
// rendition, and the audio with it.
func TestShakaCaptionsFail(t *testing.T) {
	b, err := os.ReadFile(lab + "/cmaf/master.m3u8")
	if err != nil {
		t.Fatal(err)
	}
	master := strings.NewReplacer(",CLOSED-CAPTIONS=NONE", "", "\nv", "\n/cmaf/v", `URI="a`, `URI="/cmaf/a`).Replace(string(b))
	o := newOrigin(t, map[string]string{"/m.m3u8": master}, map[string]rule{"/cmaf/v720/0.m4s": status(404, 9)})
	r := good(t, press(t, o, "/m.m3u8", quick(shaka), run.App{}))
	if r.Height != 360 || r.Startup == nil || !strings.Contains(names(r), "segment.a") {
		t.Errorf("%d lines, startup %v: %s", r.Height, r.Startup, names(r))
	}
}
