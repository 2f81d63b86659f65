package player

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

// list is a media playlist of the lab's five TS segments of 1.92 s with more
// header lines; the tags of a segment stand before it.
func list(header string, tags map[int]string, end bool) string {
	var b strings.Builder
	b.WriteString("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n" + header)
	for i := range 5 {
		b.WriteString(tags[i])
		fmt.Fprintf(&b, "#EXTINF:1.92,\n/ts/360p/%d.ts\n", i)
	}
	if end {
		b.WriteString("#EXT-X-ENDLIST\n")
	}
	return b.String()
}

// date is a tag with the wall clock time of a segment that began ago.
func date(ago time.Duration) string {
	return "#EXT-X-PROGRAM-DATE-TIME:" + time.Now().Add(-ago).UTC().Format("2006-01-02T15:04:05.000Z") + "\n"
}

const length = 5 * 1920 * time.Millisecond // of list

// Where playback of an HLS stream starts.
func TestHLSStart(t *testing.T) {
	const gap = "#EXT-X-GAP\n"
	for _, tt := range []struct {
		name    string
		header  string
		tags    map[int]string
		age     string
		vod     bool
		segment string // that is asked for
		typ     run.ErrorType
	}{
		{name: "VOD", vod: true, segment: "0"},
		{name: "VOD, the first two are gaps", vod: true, tags: map[int]string{0: gap, 1: gap}, segment: "2"},
		{name: "VOD, nothing but gaps from the start", vod: true, header: "#EXT-X-START:TIME-OFFSET=8\n", tags: map[int]string{4: gap}, typ: run.ErrManifestEmpty},
		{name: "VOD, EXT-X-START", vod: true, header: "#EXT-X-START:TIME-OFFSET=4\n", segment: "2"},
		{name: "VOD, EXT-X-START from the end", vod: true, header: "#EXT-X-START:TIME-OFFSET=-2\n", segment: "3"},
		{name: "VOD, EXT-X-START before the start", vod: true, header: "#EXT-X-START:TIME-OFFSET=-100\n", segment: "0"},
		{name: "live", segment: "1"},
		{name: "live, a gap where it would start", tags: map[int]string{1: gap}, segment: "2"},
		{name: "live, HOLD-BACK", header: "#EXT-X-SERVER-CONTROL:HOLD-BACK=9\n", segment: "0"},
		{name: "live, longer than its HOLD-BACK", header: "#EXT-X-SERVER-CONTROL:HOLD-BACK=60\n", segment: "0"},
		{name: "live, a cache held it for 2 s", age: "2", segment: "2"},
		{name: "live, a cache held it for 7 s", age: "7", segment: "3"},
		{name: "live, EXT-X-START", header: "#EXT-X-START:TIME-OFFSET=-9.5\n", segment: "0"},
		{name: "live, a cache held it for 8 s", age: "8", typ: run.ErrManifestStale},
		{name: "live, ended 6 s ago", tags: map[int]string{0: date(length + 6*time.Second)}, segment: "1"},
		{name: "live, ended 8 s ago", tags: map[int]string{0: date(length + 8*time.Second)}, typ: run.ErrManifestStale},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, map[string]string{"/l.m3u8": list(tt.header, tt.tags, tt.vod)}, map[string]rule{
				"/l.m3u8": func(w http.ResponseWriter, _ *http.Request, _ int) bool {
					if tt.age != "" {
						w.Header().Set("Age", tt.age)
					}
					return false
				},
			})
			r := press(t, o, "/l.m3u8", quick(hlsjs), run.App{})
			if tt.typ != "" {
				bad(t, r, tt.typ, run.StepManifest)
				return
			}
			good(t, r)
			want := []string{"/l.m3u8", "/ts/360p/" + tt.segment + ".ts"}
			if diff := cmp.Diff(want, o.paths()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if mode := map[bool]string{true: "vod", false: "live"}[tt.vod]; r.Mode != mode || (r.LiveLatency == nil) != tt.vod {
				t.Errorf("mode %s, latency %v", r.Mode, r.LiveLatency)
			}
		})
	}
}

// The distance from the live edge is that of the segment from the playlist's
// end, the playlist's age, and the time to the first frame.
func TestHLSLiveLatency(t *testing.T) {
	for _, tt := range []struct {
		name string
		tags map[int]string
		age  time.Duration
	}{{"without dates", nil, 0}, {"with dates", map[int]string{0: date(length + 3*time.Second)}, 3 * time.Second}} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOrigin(t, map[string]string{"/l.m3u8": list("", tt.tags, false)}, map[string]rule{"/ts/360p/1.ts": delay(200 * time.Millisecond)})
			r := good(t, press(t, o, "/l.m3u8", quick(hlsjs), run.App{}))
			want := 4*1920*time.Millisecond + tt.age
			if got := *r.LiveLatency - r.Frame.Sub(r.Start); got < want-100*time.Millisecond || got > want+500*time.Millisecond {
				t.Errorf("latency %v without the start of %v, want %v", got, r.Frame.Sub(r.Start), want)
			}
			if (r.PlaylistAge != nil) != (tt.age > 0) {
				t.Errorf("age %v", r.PlaylistAge)
			}
		})
	}
}

// Which requests go out beside one another, and which wait for which.
func TestHLSOrder(t *testing.T) {
	const ms = time.Millisecond
	patient := func() *Model {
		m := quick(hlsjs)
		m.Retry = nil
		return m
	}
	t.Run("playlists, then init and media, in parallel", func(t *testing.T) {
		lists, parts := together(t, 2), together(t, 4)
		o := newOrigin(t, nil, map[string]rule{
			"/cmaf/v360/index.m3u8": lists, "/cmaf/a48/index.m3u8": lists,
			"/cmaf/v360/init.mp4": parts, "/cmaf/v360/0.m4s": parts, "/cmaf/a48/init.mp4": parts, "/cmaf/a48/0.m4s": parts,
		})
		good(t, press(t, o, "/cmaf/master.m3u8", patient(), run.App{}))
	})
	t.Run("a segment after its playlist", func(t *testing.T) {
		o := newOrigin(t, nil, map[string]rule{"/ts/360p/index.m3u8": delay(60 * ms)})
		good(t, press(t, o, "/ts/master.m3u8", patient(), run.App{}))
		if o.find(t, "/ts/360p/0.ts", 1).begin.Before(o.find(t, "/ts/360p/index.m3u8", 1).begin.Add(60 * ms)) {
			t.Error("the segment is asked for before its playlist is there")
		}
	})
	t.Run("key and segment in parallel", func(t *testing.T) {
		both := together(t, 2)
		o := newOrigin(t, nil, map[string]rule{"/aes/key.bin": both, "/aes/360p/0.ts": both})
		good(t, press(t, o, "/aes/360p/index.m3u8", patient(), run.App{}))
	})
	t.Run("ranges of one resource in turn", func(t *testing.T) {
		o := newOrigin(t, nil, nil)
		r := good(t, press(t, o, "/range/master.m3u8", quick(hlsjs), run.App{}))
		var init, media run.Step
		for _, s := range r.Steps {
			switch {
			case s.Track == run.TrackVideo && s.Name == run.StepInit:
				init = s
			case s.Track == run.TrackVideo && s.Name == run.StepSegment:
				media = s
			}
		}
		if media.StartMs < init.EndMs || init.URL != media.URL {
			t.Errorf("init of %s until %v, media of %s from %v", init.URL, init.EndMs, media.URL, media.StartMs)
		}
	})
	t.Run("live audio after the video, and its own playlist", func(t *testing.T) {
		live := func(dir string) string {
			return fmt.Sprintf("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"/cmaf/%[1]s/init.mp4\"\n#EXTINF:1.92,\n/cmaf/%[1]s/0.m4s\n", dir)
		}
		o := newOrigin(t, map[string]string{"/cmaf/v360/index.m3u8": live("v360"), "/cmaf/a48/index.m3u8": live("a48")},
			map[string]rule{"/cmaf/v360/0.m4s": delay(60 * ms), "/cmaf/a48/index.m3u8": delay(150 * ms)})
		r := good(t, press(t, o, "/cmaf/master.m3u8", patient(), run.App{}))
		vs, a, ai := o.find(t, "/cmaf/v360/0.m4s", 1), o.find(t, "/cmaf/a48/index.m3u8", 1), o.find(t, "/cmaf/a48/init.mp4", 1)
		if ai.begin.Before(vs.begin.Add(60*ms)) || ai.begin.Before(a.begin.Add(150*ms)) {
			t.Error("audio is asked for too early")
		}
		if r.Phases.PlaylistMs < 150 {
			t.Errorf("playlist_ms is %v: the audio's playlist of 150 ms was waited for", r.Phases.PlaylistMs)
		}
	})
	t.Run("live audio gives up when the video fails after its keyframe", func(t *testing.T) {
		live := "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"/cmaf/v360/init.mp4\"\n#EXTINF:1.92,\n/cmaf/v360/0.m4s\n"
		body, err := os.ReadFile(lab + "/cmaf/v360/0.m4s")
		if err != nil {
			t.Fatal(err)
		}
		o := newOrigin(t, map[string]string{"/cmaf/v360/index.m3u8": live, "/cmaf/a48/index.m3u8": strings.ReplaceAll(live, "v360", "a48")},
			map[string]rule{"/cmaf/v360/0.m4s": func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				time.Sleep(60 * ms) // the init segment is there
				w.Header().Set("Content-Length", fmt.Sprint(len(body)))
				w.Write(body[:len(body)-100])
				http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}})
		m := patient()
		m.Failover = nil
		r := bad(t, press(t, o, "/cmaf/master.m3u8", m, run.App{}), run.ErrSegmentTruncated, run.StepSegment)
		if d := r.End.Sub(r.Start); d > 5*time.Second || r.Keyframe == nil {
			t.Errorf("it took %v, keyframe %v", d, r.Keyframe)
		}
	})
}

// What the first frame waits for, and which phase that is.
func TestHLSWaitsFor(t *testing.T) {
	const late = 300 * time.Millisecond
	for _, tt := range []struct {
		name, manifest, late string
		model                *Model
		phase                func(run.Phases) float64
		waits                bool
	}{
		{"key", "/aes/360p/index.m3u8", "/aes/key.bin", hlsjs, func(p run.Phases) float64 { return p.KeyMs }, true},
		{"key, ideal", "/aes/360p/index.m3u8", "/aes/key.bin", ideal, func(p run.Phases) float64 { return p.KeyMs }, true},
		{"init", "/cmaf/v360/index.m3u8", "/cmaf/v360/init.mp4", hlsjs, func(p run.Phases) float64 { return p.InitMs }, true},
		{"init, ideal", "/cmaf/v360/index.m3u8", "/cmaf/v360/init.mp4", ideal, func(p run.Phases) float64 { return p.InitMs }, true},
		{"audio's init", "/cmaf/master.m3u8", "/cmaf/a48/init.mp4", hlsjs, func(p run.Phases) float64 { return p.InitMs }, true},
		{"audio's segment", "/cmaf/master.m3u8", "/cmaf/a48/0.m4s", hlsjs, func(p run.Phases) float64 { return p.SegmentTTFBMs }, true},
		{"audio's playlist", "/cmaf/master.m3u8", "/cmaf/a48/index.m3u8", hlsjs, func(p run.Phases) float64 { return p.PlaylistMs }, true},
		{"audio's init, ideal", "/cmaf/master.m3u8", "/cmaf/a48/init.mp4", ideal, func(p run.Phases) float64 { return p.InitMs }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, nil, map[string]rule{tt.late: delay(late)})
			m := quick(tt.model)
			m.Retry = nil
			r := good(t, press(t, o, tt.manifest, m, run.App{}))
			if waited := r.Frame.Sub(r.Start) >= late; waited != tt.waits {
				t.Errorf("the first frame after %v, %s came after %v", r.Frame.Sub(r.Start), tt.late, late)
			}
			if got := tt.phase(r.Phases); tt.waits && got < ms(late)-5 {
				t.Errorf("the phase has %v ms of the %v that were waited for: %+v", got, late, r.Phases)
			}
			if r.Startup == nil || r.Startup.Sub(r.Start) < late {
				t.Errorf("it plays after %v, %s came after %v", r.Startup.Sub(r.Start), tt.late, late)
			}
		})
	}
}

// Failed audio fails the run of a player whose picture needs it, and no other.
func TestHLSAudioFails(t *testing.T) {
	for _, path := range []string{"/cmaf/a48/index.m3u8", "/cmaf/a48/init.mp4", "/cmaf/a48/0.m4s"} {
		o := newOrigin(t, nil, map[string]rule{path: status(404, 9)})
		r := press(t, o, "/cmaf/master.m3u8", quick(hlsjs), run.App{})
		if r.Error != run.ErrHTTP4xx || r.Frame != nil || r.BitrateKbps != 0 || r.Width != 0 || r.Codec != "" {
			t.Errorf("%s: %s at %s, frame %v, %v kbit/s", path, r.Error, r.Step, r.Frame, r.BitrateKbps)
		}
		if r := good(t, press(t, o, "/cmaf/master.m3u8", quick(ideal), run.App{})); r.Startup != nil {
			t.Errorf("%s: it plays without audio", path)
		}
	}
}

// The picture of a stream whose audio is there first shows at a beat of the
// timer, here 11 ms after it; where the audio comes last it does not wait for one.
func TestTick(t *testing.T) {
	m := *hlsjs
	m.Tick = &Tick{Period: 100 * time.Millisecond, Offset: 11 * time.Millisecond, After: Cost{Base: 13 * time.Millisecond, PerMB: 2 * time.Millisecond}}
	m.RenderFMP4 = Cost{Base: 5 * time.Millisecond}
	t0 := time.Now()
	at := func(n float64) *Moment { return &Moment{t0.Add(dur(n)), PressPlay} }
	for _, tt := range []struct {
		name         string
		video, audio float64
		set          map[string]float64
		reorder      int
		want         float64
	}{
		// A measured play: the playlist asked for at 98, the segment complete at 398.
		{"as measured", 398, 300, nil, 0, 509},
		{"just in time for a beat", 384, 300, nil, 0, 409},
		{"just too late for it", 384.001, 300, nil, 0, 509},
		{"audio last", 398, 450, nil, 0, 455},
		{"an app of its own", 398, 300, map[string]float64{"render_ms": 40}, 0, 538},
		// Two pictures of half a million pixels, 17 ms each of a million.
		{"two pictures held back", 398, 300, nil, 2, 526},
		{"two held back, audio last", 398, 450, nil, 2, 472},
		{"two held back, an app of its own", 398, 300, map[string]float64{"render_ms": 40}, 2, 538},
	} {
		s := &session{model: &m, start: t0, tickFrom: t0.Add(dur(98)), cfg: Config{App: run.App{Set: tt.set}}}
		p := &presentation{separate: true,
			video: loaded{init: at(200), segment: at(tt.video), keyframe: at(250), bytes: 500_000, fmp4: true, width: 1000, height: 500, reorder: tt.reorder}, audio: loaded{init: at(100), segment: at(tt.audio)}}
		got, ok := s.firstFrame(p)
		if want := t0.Add(dur(tt.want)); !ok || got.At.Sub(want).Abs() > time.Microsecond {
			t.Errorf("%s: the picture at %v, want %v ms", tt.name, got.At.Sub(t0), tt.want)
		}
	}
}

// A MAP and a segment under keys of their own, as key rotation leaves them.
func TestTwoKeys(t *testing.T) {
	keys := map[string][]byte{"/k1": []byte("0123456789abcdef"), "/k2": []byte("fedcba9876543210")}
	key := func(uri string) string { return fmt.Sprintf("#EXT-X-KEY:METHOD=AES-128,URI=%q,IV=0x%032x\n", uri, 0) }
	o := newOrigin(t, map[string]string{"/l.m3u8": "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n" + key("/k1") + "#EXT-X-MAP:URI=\"/i\"\n" +
		key("/k2") + "#EXTINF:1.92,\n/s\n#EXT-X-ENDLIST\n"},
		map[string]rule{"/k1": answer200(keys["/k1"]), "/k2": answer200(keys["/k2"]),
			"/i": answer200(sealed(t, keys["/k1"], labFile(t, "/cmaf/v360/init.mp4"))), "/s": answer200(sealed(t, keys["/k2"], labFile(t, "/cmaf/v360/0.m4s")))})
	if r := good(t, press(t, o, "/l.m3u8", quick(ideal), run.App{})); r.Height != 360 {
		t.Errorf("%d lines", r.Height)
	}
}

// What an app can play decides what is asked for, and at which bandwidth the
// player begins.
func TestHLSChoice(t *testing.T) {
	multi := func(variants ...string) string { return "#EXTM3U\n" + strings.Join(variants, "") }
	variant := func(bandwidth, height int, codecs string) string {
		return fmt.Sprintf("#EXT-X-STREAM-INF:BANDWIDTH=%d,RESOLUTION=%dx%d,CODECS=%q\n/ts/%s/index.m3u8\n", bandwidth, height*16/9, height, codecs, map[bool]string{true: "360p", false: "720p"}[height <= 360])
	}
	low, high := variant(400_000, 360, "avc1.4d401e,mp4a.40.2"), variant(2_000_000, 720, "avc1.64001f,mp4a.40.2")
	hevc := variant(300_000, 360, "hvc1.1.6.L93.B0,mp4a.40.2")
	for _, tt := range []struct {
		name, master string
		app          run.App
		want         string
		typ          run.ErrorType
	}{
		{"the lowest is listed first", multi(low, high), run.App{}, "360p", ""},
		{"the highest is listed first", multi(high, low), run.App{}, "720p", ""},
		{"a start rung of its own", multi(low, high), run.App{Set: map[string]float64{"start_kbps": 2500}}, "720p", ""},
		{"a height of its own", multi(high, low), run.App{MaxHeight: 480}, "360p", ""},
		{"no variant is so low", multi(high, low), run.App{MaxHeight: 200}, "", run.ErrUnsupported},
		{"codecs", multi(hevc, high), run.App{Codecs: []string{"avc1", "mp4a"}}, "720p", ""},
		{"codecs, in capitals", multi(hevc, high), run.App{Codecs: []string{"AVC1", "MP4A"}}, "720p", ""},
		{"no such codecs", multi(hevc), run.App{Codecs: []string{"avc1", "mp4a"}}, "", run.ErrUnsupported},
		{"subtitles", multi(variant(400_000, 360, "avc1.4d401e,mp4a.40.2,wvtt")), run.App{Codecs: []string{"avc1", "mp4a"}}, "360p", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOrigin(t, map[string]string{"/m.m3u8": tt.master}, nil)
			r := press(t, o, "/m.m3u8", quick(hlsjs), tt.app)
			if tt.typ != "" {
				bad(t, r, tt.typ, run.StepManifest)
				return
			}
			good(t, r)
			if got := o.paths()[1]; got != "/ts/"+tt.want+"/index.m3u8" {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// Redirects are steps of their own; what follows resolves against where they
// led.
func TestRedirects(t *testing.T) {
	for _, tt := range []struct {
		name  string
		rules map[string]rule
		want  []string
		typ   run.ErrorType
	}{
		{"relative", map[string]rule{"/a/b/l.m3u8": redirect("../../ts/360p/index.m3u8")},
			[]string{"/a/b/l.m3u8", "/ts/360p/index.m3u8", "/ts/360p/0.ts"}, ""},
		{"of a segment", map[string]rule{"/a/b/l.m3u8": redirect("/ts/360p/index.m3u8"), "/ts/360p/0.ts": redirect("1.ts")},
			[]string{"/a/b/l.m3u8", "/ts/360p/index.m3u8", "/ts/360p/0.ts", "/ts/360p/1.ts"}, ""},
		{"a loop", map[string]rule{"/a/b/l.m3u8": redirect("/c"), "/c": redirect("/a/b/l.m3u8")}, []string{"/a/b/l.m3u8", "/c"}, run.ErrRedirect},
		{"to itself", map[string]rule{"/a/b/l.m3u8": redirect("l.m3u8")}, []string{"/a/b/l.m3u8"}, run.ErrRedirect},
		{"without a Location", map[string]rule{"/a/b/l.m3u8": status(304, 9)}, []string{"/a/b/l.m3u8"}, run.ErrRedirect},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOrigin(t, nil, tt.rules)
			r := press(t, o, "/a/b/l.m3u8", quick(hlsjs), run.App{})
			if diff := cmp.Diff(tt.want, o.paths()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if tt.typ != "" {
				bad(t, r, tt.typ, run.StepManifest)
				return
			}
			good(t, r)
		})
	}
}

// A model that does not play what it gets says so.
func TestUnsupported(t *testing.T) {
	o := newOrigin(t, map[string]string{"/x.m3u8": list("#EXT-X-KEY:METHOD=X,URI=\"k\"\n", nil, true)}, nil)
	bad(t, press(t, o, "/cmaf/manifest-number.mpd", quick(hlsjs), run.App{}), run.ErrUnsupported, run.StepManifest)
	bad(t, press(t, o, "/x.m3u8", quick(hlsjs), run.App{}), run.ErrUnsupported, run.StepManifest)
}
