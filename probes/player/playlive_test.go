package player

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/hls"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

// growing answers with a live playlist of segments of 0.5 s, whose window of
// eight moves on with time until there are most of them.
func growing(begun time.Time, most int) rule {
	return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		n := min(8+int(time.Since(begun)/(5*tenth)), most)
		fmt.Fprintf(w, "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:%d\n", n-8)
		for i := n - 8; i < n; i++ {
			fmt.Fprintf(w, "#EXTINF:0.5,\n/ts/360p/0.ts?/%d\n", i)
		}
		return true
	}
}

// A live playlist is asked for again and again, and what is new in it is played,
// once and in order.
func TestPlayOnLiveHLS(t *testing.T) {
	t.Parallel()
	for _, m := range []*Model{hlsjs, shaka, exoplayer} {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, nil, map[string]rule{"/l.m3u8": growing(time.Now(), 1000)})
			r := played(t, playOn(t, o, "/l.m3u8", quick(m), 25*tenth), 25*tenth)
			if r.Played.Stalled > moment {
				t.Errorf("%d stalls of %v, want none: %s", r.Played.Stalls, r.Played.Stalled, names(r))
			}
			segments := strings.Fields(got(r, run.StepSegment, run.TrackVideo))
			for i := 1; i < len(segments); i++ {
				var a, b int
				fmt.Sscan(segments[i-1], &a)
				fmt.Sscan(segments[i], &b)
				if b != a+1 {
					t.Errorf("segment %d after %d: %s", b, a, segments)
				}
			}
			// It holds 1.5 or 3 s when it starts, and must come to 2.5 s.
			if lists := strings.Count(names(r), "playlist"); lists < 2 || lists > 12 {
				t.Errorf("%d playlists, want one each half second: %s", lists, names(r))
			}
		})
	}
}

// Live, with audio of its own whose window is elsewhere and whose playlist has
// another media sequence: the dates tell.
func TestPlayOnLiveAudio(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	window := func(dir string, ahead, sequence int) rule {
		return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			n := 8 + ahead + int(time.Since(begun)/(5*tenth))
			fmt.Fprintf(w, "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:%d\n#EXT-X-MAP:URI=\"/cmaf/%s/init.mp4\"\n", sequence+n-8, dir)
			fmt.Fprintf(w, "#EXT-X-PROGRAM-DATE-TIME:%s\n", begun.Add(time.Duration(n-16)*5*tenth).UTC().Format(time.RFC3339Nano))
			for i := n - 8; i < n; i++ {
				fmt.Fprintf(w, "#EXTINF:0.5,\n/cmaf/%s/0.m4s?/%d\n", dir, i)
			}
			return true
		}
	}
	o := newOrigin(t, map[string]string{"/m.m3u8": "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"a\",DEFAULT=YES,URI=\"a.m3u8\"\n" +
		"#EXT-X-STREAM-INF:BANDWIDTH=300000,RESOLUTION=640x360,CODECS=\"avc1.4d401e,mp4a.40.2\",AUDIO=\"a\",CLOSED-CAPTIONS=NONE\nv.m3u8\n"},
		map[string]rule{"/v.m3u8": window("v360", 0, 100), "/a.m3u8": window("a48", 1, 7000)})
	r := played(t, playOn(t, o, "/m.m3u8", quick(hlsjs), 25*tenth), 25*tenth)
	if r.Played.Stalled > moment {
		t.Errorf("%d stalls of %v, want none: %s", r.Played.Stalls, r.Played.Stalled, names(r))
	}
	video, audio := strings.Fields(got(r, run.StepSegment, run.TrackVideo)), strings.Fields(got(r, run.StepSegment, run.TrackAudio))
	var firstVideo, firstAudio int
	fmt.Sscan(video[0], &firstVideo)
	fmt.Sscan(audio[0], &firstAudio)
	if firstAudio != firstVideo+1 || len(video) < 6 || len(audio) < 6 {
		t.Errorf("video %s, audio %s", video, audio)
	}
}

// A live playlist in which nothing new comes any more: it breaks off when what
// has come is played.
func TestPlayOnStandstill(t *testing.T) {
	t.Parallel()
	o := newOrigin(t, nil, map[string]rule{"/l.m3u8": growing(time.Now(), 9)})
	r := brokeOff(t, playOn(t, o, "/l.m3u8", quick(hlsjs), 20*time.Second), run.ErrManifestStale, run.StepPlaylist)
	// From 3 s before the end of the eighth, and the ninth.
	if got := r.Played.Media.Round(time.Millisecond); got != 35*tenth {
		t.Errorf("%v played, want 3.5 s: %s", got, names(r))
	}
	// 3.5 target durations after the last that was new.
	if took := r.End.Sub(r.Start); took < 35*tenth || took > 8*time.Second {
		t.Errorf("it broke off after %v", took)
	}
}

// Live DASH: no segment is asked for before it is available, none twice, and the
// MPD again where it may have changed.
func TestPlayOnLiveDASH(t *testing.T) {
	t.Parallel()
	for name, manifest := range map[string]func(begun time.Time) string{
		"numbers": func(begun time.Time) string { return liveMPD(begun.UTC().Format(time.RFC3339Nano), "PT2S", halves()) },
		"a list": func(begun time.Time) string {
			return liveMPD(begun.UTC().Format(time.RFC3339Nano), "PT2S", listedHalves(int(time.Since(begun)/(5*tenth))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now().Add(-10 * time.Second).Truncate(time.Millisecond)
			o := dashOrigin(t, "", map[string]rule{"/m.mpd": func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				fmt.Fprint(w, manifest(begun))
				return true
			}})
			next := o.Config.Handler
			seen := map[string]bool{}
			o.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var n int
				if _, err := fmt.Sscanf(r.URL.Path[1:], "v/p/%d", &n); err == nil {
					o.mu.Lock()
					if early := time.Until(begun.Add(time.Duration(n+1) * 5 * tenth)); early > 0 || seen[r.URL.Path] {
						t.Errorf("segment %d %v before it is available; before: %v", n, early, seen[r.URL.Path])
					}
					seen[r.URL.Path] = true
					o.mu.Unlock()
				}
				next.ServeHTTP(w, r)
			})
			r := played(t, playOn(t, o, "/m.mpd", quick(dashjs), 3*time.Second), 3*time.Second)
			if r.Played.Stalled > moment {
				t.Errorf("%d stalls of %v, want none: %s", r.Played.Stalls, r.Played.Stalled, names(r))
			}
			if n := strings.Count(names(r), "manifest"); n < 3 || n > 9 {
				t.Errorf("%d MPDs, want one each half second: %s", n, names(r))
			}
			o.mu.Lock()
			defer o.mu.Unlock()
			if n := len(seen); n < 6 || n > 12 {
				t.Errorf("%d video segments for 3 s of 0.5 s each: %s", n, names(r))
			}
		})
	}
}

// Segments that are sent while they are made are played as they come: 0.8 s
// behind the edge there is never a whole one of 1 s ahead.
func TestPlayOnChunked(t *testing.T) {
	t.Parallel()
	begun := time.Now().Add(-10 * time.Second).Truncate(time.Millisecond)
	second := strings.NewReplacer(`duration="24576"`, `duration="12800"`, `duration="92160"`, `duration="48000"`,
		"<SegmentTemplate", `<SegmentTemplate availabilityTimeOffset="0.75" availabilityTimeComplete="false"`).Replace(fmt.Sprintf(sets, "p"))
	o := dashOrigin(t, fmt.Sprintf(`<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime=%q suggestedPresentationDelay="PT0.8S"><Period id="p" start="PT0S">%s</Period></MPD>`,
		begun.UTC().Format(time.RFC3339Nano), second), nil)
	whole := o.Config.Handler
	o.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		dir := map[string]string{"/v": "v360", "/a": "a48"}[r.URL.Path[:2]]
		if _, err := fmt.Sscanf(r.URL.Path[2:], "/p/%d", &n); err != nil {
			whole.ServeHTTP(w, r)
			return
		}
		body := labFile(t, "/cmaf/"+dir+"/0.m4s")
		for i := range 4 {
			time.Sleep(time.Until(begun.Add(time.Duration(4*n+i+1) * 250 * time.Millisecond)))
			w.Write(body[len(body)*i/4 : len(body)*(i+1)/4])
			http.NewResponseController(w).Flush()
		}
	})
	var r *Result
	for range 3 { // the server's clock may be late
		r = played(t, playOn(t, o, "/m.mpd", quick(dashjs), 2*time.Second), 2*time.Second)
		if r.Played.Stalled < 3*tenth {
			break
		}
	}
	if r.Mode != "low_latency" || r.Played.Stalled > 3*tenth {
		t.Errorf("%s, %d stalls of %v, want hardly any: %s", r.Mode, r.Played.Stalls, r.Played.Stalled, names(r))
	}
}

// Several periods, with other representations.
func TestPlayOnPeriods(t *testing.T) {
	t.Parallel()
	period := func(id, duration string) string {
		s := strings.NewReplacer(`duration="24576"`, `duration="6400"`, `duration="92160"`, `duration="24000"`, `id="v360"`, fmt.Sprintf(`id="v%s"`, id)).Replace(fmt.Sprintf(sets, id))
		return fmt.Sprintf(`<Period id=%q duration=%q>%s</Period>`, id, duration, s)
	}
	mpd := `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2.5S">` +
		period("one", "PT1S") + period("two", "PT1.5S") + `</MPD>`
	o := dashOrigin(t, mpd, nil)
	r := played(t, playOn(t, o, "/m.mpd", quick(shaka), time.Minute), 25*tenth)
	var video []string
	for _, s := range r.Steps {
		if _, name, ok := strings.Cut(s.URL, "/v/"); ok {
			video = append(video, name)
		}
	}
	if diff := cmp.Diff([]string{"one/0", "one/1", "two/0", "two/1", "two/2"}, video); diff != "" {
		t.Errorf("video (-want +got):\n%s", diff)
	}
	if r.Played.Stalled > moment || r.Played.Switches != 0 {
		t.Errorf("%+v, want no stall and no switch", *r.Played)
	}
}

// Segments in an index.
func TestPlayOnIndexed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		model   *Model
		indexes int
	}{{dashjs, 3}, {ideal, 2}} { // dash.js reads them all at the start
		t.Run(tt.model.Name, func(t *testing.T) {
			t.Parallel()
			mpd, rules, _ := indexedMPD(t)
			o := newOrigin(t, map[string]string{"/m.mpd": mpd}, rules)
			r := played(t, playOnExactly(t, o, "/m.mpd", quick(tt.model), 22*tenth), 22*tenth)
			if n := strings.Count(names(r), "index"); n != tt.indexes {
				t.Errorf("%d indexes, want %d: %s", n, tt.indexes, names(r))
			}
		})
	}
}

// Keys, maps and discontinuities that change; gaps, which are leapt over.
func TestPlayOnChanges(t *testing.T) {
	t.Parallel()
	key := func(n int) string {
		return fmt.Sprintf("#EXT-X-KEY:METHOD=AES-128,URI=\"/aes/key.bin?%d\",IV=0x0f1e2d3c4b5a69788796a5b4c3d2e1f0\n", n)
	}
	first := "#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"/cmaf/v360/init.mp4\"\n"
	second := "#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"/cmaf/v720/init.mp4\"\n"
	for _, tt := range []struct {
		name  string
		file  string
		tags  map[int]string
		step  run.StepName
		want  string // of the step
		media string
		plays time.Duration
	}{
		{"keys", "/aes/360p/0.ts", map[int]string{0: key(1), 2: key(2), 3: key(1), 4: "#EXT-X-KEY:METHOD=NONE\n"}, run.StepKey, "key.bin?1 key.bin?2", "0 1 2 3 4", 15 * tenth},
		{"maps", "/cmaf/v360/0.m4s", map[int]string{0: first, 2: second, 3: first}, run.StepInit, "init.mp4 init.mp4", "0 1 2 3 4", 15 * tenth},
		{"a key of both", "/cmaf/v360/0.m4s", map[int]string{0: first, 2: key(2) + strings.Replace(first, "init.mp4", "init.mp4?2", 1)}, run.StepKey, "key.bin?2", "0 1 2 3 4", 15 * tenth},
		{"gaps", "/ts/360p/0.ts", map[int]string{1: "#EXT-X-GAP\n", 2: "#EXT-X-GAP\n"}, run.StepInit, "", "0 3 4", 9 * tenth},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			list := segmented(5, 3*tenth, func(i int) string { return fmt.Sprintf("%s?/%d", tt.file, i) }, tt.tags)
			o := newOrigin(t, map[string]string{"/l.m3u8": list}, nil)
			r := played(t, playOn(t, o, "/l.m3u8", quick(hlsjs), time.Minute), tt.plays)
			if all := got(r, tt.step, run.TrackVideo); all != tt.want {
				t.Errorf("%s: %s, want %s", tt.step, all, tt.want)
			}
			if all := got(r, run.StepSegment, run.TrackVideo); all != tt.media {
				t.Errorf("segments %s, want %s", all, tt.media)
			}
			if r.Played.Stalled > moment {
				t.Errorf("%d stalls of %v, want none", r.Played.Stalls, r.Played.Stalled)
			}
		})
	}
}

// Low latency: part after part, each once the server has it.
func TestPlayOnParts(t *testing.T) {
	t.Parallel()
	begun := time.Now().Add(-3 * time.Second)
	parts := func() int { return int(time.Since(begun) / (2 * tenth)) } // of 0.2 s, five to a segment
	o := newOrigin(t, nil, map[string]rule{"/l.m3u8": func(w http.ResponseWriter, r *http.Request, _ int) bool {
		var msn, part int
		if _, err := fmt.Sscanf(r.URL.RawQuery, "_HLS_msn=%d&_HLS_part=%d", &msn, &part); err == nil {
			for parts() <= 5*msn+part {
				time.Sleep(5 * time.Millisecond)
			}
		}
		n := parts()
		first := max(n/5-2, 0)
		fmt.Fprintf(w, "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:1\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.6\n#EXT-X-PART-INF:PART-TARGET=0.2\n#EXT-X-MEDIA-SEQUENCE:%d\n", first)
		for i := 5 * first; i < n; i++ {
			fmt.Fprintf(w, "#EXT-X-PART:DURATION=0.2,INDEPENDENT=YES,URI=\"/ts/360p/0.ts?/%d\"\n", i)
			if i%5 == 4 {
				fmt.Fprintf(w, "#EXTINF:1,\n/ts/360p/0.ts?/s%d\n", i/5)
			}
		}
		return true
	}})
	r := played(t, playOn(t, o, "/l.m3u8", quick(hlsjs), 15*tenth), 15*tenth)
	all := strings.Fields(got(r, run.StepPart, run.TrackVideo))
	for i := 1; i < len(all); i++ {
		var a, b int
		fmt.Sscan(all[i-1], &a)
		fmt.Sscan(all[i], &b)
		if b != a+1 {
			t.Errorf("part %d after %d: %s", b, a, all)
		}
	}
	if len(all) < 8 {
		t.Errorf("%d parts for 1.5 s of 0.2 s each: %s", len(all), names(r))
	}
	if r.Played.Stalled > moment {
		t.Errorf("%d stalls of %v", r.Played.Stalls, r.Played.Stalled)
	}
}

// Who gives up gets an answer at once, and nothing goes on behind it.
func TestPlayOnCancelled(t *testing.T) {
	t.Parallel()
	o := newOrigin(t, map[string]string{"/l.m3u8": segmented(40, 4*tenth, same("/ts/360p/0.ts"), nil)}, nil)
	client := fetch.New(fetch.Config{AllowPrivate: true})
	defer client.Close()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Second, nil)
	defer cancel()
	time.AfterFunc(7*tenth, cancel)
	start := time.Now()
	r := Play(ctx, Config{URL: o.URL + "/l.m3u8", Client: client, Model: quick(hlsjs), PlayOn: time.Minute, Timeout: time.Second})
	if took := time.Since(start); r.Error != run.ErrInternal || took > 3*time.Second {
		t.Errorf("%s after %v: %s", r.Error, took, r.Detail)
	}
}

// A run that plays on for long keeps its first requests and those that failed.
func TestKeep(t *testing.T) {
	start := time.Unix(1000, 0)
	s := &session{start: start}
	for i := range 3000 {
		n := &node{start: start.Add(time.Duration(i) * time.Millisecond)}
		n.Step = run.Step{Name: run.StepSegment, URL: "u"}
		if i%500 == 499 {
			n.Error = run.ErrReset
		}
		s.begin(n)
	}
	var r Result
	s.keep(&r, 10)
	if kept, want := len(s.nodes), 10+maxKept+6; kept != want || r.Unkept != 3000-want {
		t.Errorf("%d kept and %d not, want %d and %d", kept, r.Unkept, want, 3000-want)
	}
	if last := s.nodes[len(s.nodes)-1]; last.Error == "" {
		t.Error("the last that failed was not kept")
	}
}

// made is a feed whose segments are sent while they are made, as far as that.
type made struct {
	feed
	to time.Duration
}

func (m made) made(time.Time) (time.Duration, bool) { return m.to, true }

// What came of an attempt that failed counts no more in the next.
func TestPiecesAgain(t *testing.T) {
	now := time.Now()
	s := &session{ladder: &ladder{renditions: []Rendition{{Kbps: 8}}}}
	video := &holding{}
	o := &playing{session: s, feed: made{to: time.Minute}, changed: make(chan struct{}), head: playhead{at: now, want: time.Minute, tracks: map[string]*holding{run.TrackVideo: video}}}
	body, reset := (&goingOn{playing: o, track: run.TrackVideo}).pieces(piece{stretch: stretch{0, 10 * time.Second}})
	for _, n := range []int{3000, 2000, 4000} { // 1000 bytes a second
		reset()
		if err := body(make([]byte, n), now); err != nil {
			t.Fatal(err)
		}
	}
	if video.end != 4*time.Second {
		t.Errorf("%v are there, want 4s", video.end)
	}
}

// A playlist that is renewed is laid on the timeline by its numbers, which takes no
// longer than to read it where it has none in common with the one before.
func TestAlign(t *testing.T) {
	list := func(first int64, n int) *hls.Media {
		m := &hls.Media{}
		for i := range n {
			m.Segments = append(m.Segments, hls.Segment{Sequence: first + int64(i), Duration: time.Second})
		}
		m.Partial = &hls.Segment{Sequence: first + int64(n), Duration: time.Second}
		return m
	}
	for _, tt := range []struct {
		first, renewed int64
		n              int
		want           time.Duration // after the start of the first
	}{
		{100, 103, 8, 3 * time.Second},
		{100, 98, 8, -2 * time.Second},
		{100, 107, 8, 7 * time.Second},
		{100, 108, 8, 8 * time.Second}, // the one that was being made
		{100, 120, 8, 8 * time.Second},
		{100, 1 << 40, 100_000, 100_000 * time.Second},
	} {
		l := hlsList{media: list(tt.first, tt.n), origin: time.Hour}
		began := time.Now()
		if got := l.align(list(tt.renewed, tt.n), true); got != time.Hour+tt.want {
			t.Errorf("%d of them from %d on, after %d: %v, want %v", tt.n, tt.renewed, tt.first, got-time.Hour, tt.want)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%d of them took %v", tt.n, took)
		}
	}
}
