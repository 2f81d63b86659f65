package player

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// stamped is packed audio behind the tag with its timestamp (RFC 8216bis 3.1.4).
func stamped(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile("../media/testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	private := binary.BigEndian.AppendUint64([]byte("com.apple.streaming.transportStreamTimestamp\x00"), 900_000)
	frame := append(binary.BigEndian.AppendUint32([]byte("PRIV"), uint32(len(private))), 0, 0)
	frame = append(frame, private...)
	tag := append([]byte{'I', 'D', '3', 4, 0, 0, 0, 0, 0, byte(len(frame))}, frame...)
	return append(tag, b...)
}

// only tells that a result is of sound alone, and of that codec.
func only(t testing.TB, r *Result, codec string) {
	t.Helper()
	good(t, r)
	if !r.Sound || r.Keyframe != nil || r.Width != 0 || r.Height != 0 || r.Codec != codec {
		t.Errorf("sound %v, keyframe %v, %d × %d, codec %q; want sound of %s", r.Sound, r.Keyframe, r.Width, r.Height, r.Codec, codec)
	}
	if r.Startup == nil || !r.Startup.Equal(*r.Frame) {
		t.Errorf("it plays at %v, and is heard at %v", r.Startup, r.Frame)
	}
	for _, s := range r.Steps {
		if s.Track == run.TrackVideo {
			t.Errorf("a step %s of video", s.Name)
		}
	}
}

// calm is quick without limits, for machines that stand still now and then.
func calm(m *Model) *Model {
	q := quick(m)
	q.Retry = nil
	return q
}

const tonePlaylist = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.92,\n/tone\n#EXT-X-ENDLIST\n"

// Sound alone plays, by each way of carrying it, in every model that plays the
// format, whether the manifest says that it is alone or not.
func TestSoundOnly(t *testing.T) {
	// What Shaka looks for captions in, where there may be any, is not the subject.
	packed := func(file string) map[string]rule { return map[string]rule{"/tone": answer200(stamped(t, file))} }
	ts := map[string]rule{"/tone": answer200(mediaFile(t, "tone-aac.ts"))}
	variant := func(attributes, uri string) string {
		return "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=64000" + attributes + "\n" + uri + "\n"
	}
	const aac = `,CODECS="mp4a.40.2"`
	const rendition = "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"x\",DEFAULT=YES,URI=\"/tone.m3u8\"\n"
	static := `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT9S"><Period><AdaptationSet` +
		strings.SplitN(fmt.Sprintf(sets, "p"), "<AdaptationSet", 3)[2] + `</Period></MPD>`
	for _, tt := range []struct {
		name, manifest string
		rules          map[string]rule
		codec          string
		requests       string
	}{
		{"packed AAC", variant(aac, "/tone.m3u8"), packed("tone.aac"), "mp4a.40.2", "manifest playlist.a segment.a"},
		{"packed MP3", variant(`,CODECS="mp4a.40.34"`, "/tone.m3u8"), packed("tone.mp3"), "mp4a.40.34", "manifest playlist.a segment.a"},
		{"packed AC-3", variant(`,CODECS="ac-3"`, "/tone.m3u8"), packed("tone.ac3"), "ac-3", "manifest playlist.a segment.a"},
		{"MPEG-TS", variant(aac, "/tone.m3u8"), ts, "mp4a.40.2", "manifest playlist.a segment.a"},
		{"fMP4", variant(aac, "/cmaf/a48/index.m3u8"), nil, "mp4a.40.2", "manifest playlist.a init.a segment.a"},
		{"without CODECS", variant("", "/tone.m3u8"), packed("tone.aac"), "mp4a.40.2", "manifest playlist.a segment.a"},
		{"fMP4 without CODECS", variant(",CLOSED-CAPTIONS=NONE", "/cmaf/a48/index.m3u8"), nil, "mp4a.40.2", "manifest playlist.a init.a segment.a"},
		{"a media playlist", tonePlaylist, packed("tone.aac"), "mp4a.40.2", "manifest segment.a"},
		{"the variant is its rendition", rendition + variant(aac+`,AUDIO="a"`, "/tone.m3u8"), packed("tone.aac"), "mp4a.40.2", "manifest playlist.a segment.a"},
		{"a rendition of its own", rendition + variant(aac+`,AUDIO="a"`, "/nothing.m3u8"), packed("tone.aac"), "mp4a.40.2", "manifest playlist.a segment.a"},
		{"DASH", static, nil, "mp4a.40.2", "manifest init.a segment.a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			manifest := strings.ReplaceAll(tt.manifest, "\n#EXTM3U", "")
			if !strings.HasPrefix(manifest, "#EXTM3U") && manifest[0] == '#' {
				manifest = "#EXTM3U\n" + manifest
			}
			format := "hls"
			if manifest[0] == '<' {
				format = "dash"
			}
			for _, m := range Models() {
				if !m.Plays(format) {
					continue
				}
				o := dashOrigin(t, manifest, tt.rules)
				o.manifests["/tone.m3u8"] = tonePlaylist
				r := press(t, o, "/m.mpd", calm(m), run.App{})
				only(t, r, tt.codec)
				if got := names(r); got != tt.requests {
					t.Errorf("%s: %s, want %s", m, got, tt.requests)
				}
			}
		})
	}
}

func mediaFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../media/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Live radio has its mode, its distance from the edge and its age.
func TestSoundLive(t *testing.T) {
	radio := "#EXTM3U\n#EXT-X-TARGETDURATION:2\n" + date(10*1920*time.Millisecond) + strings.Repeat("#EXTINF:1.92,\n/tone\n", 10)
	o := newOrigin(t, map[string]string{"/l.m3u8": radio}, map[string]rule{"/tone": answer200(stamped(t, "tone.aac"))})
	mpd := fmt.Sprintf(`<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime=%q><Period id="p" start="PT0S"><AdaptationSet%s</Period></MPD>`,
		stamp(100*time.Second), strings.SplitN(fmt.Sprintf(sets, "p"), "<AdaptationSet", 3)[2])
	for format, r := range map[string]*Result{
		"hls":  press(t, o, "/l.m3u8", quick(ideal), run.App{}),
		"dash": press(t, dashOrigin(t, mpd, nil), "/m.mpd", quick(ideal), run.App{}),
	} {
		only(t, r, "mp4a.40.2")
		if r.Format != format || r.Mode != "live" || r.LiveLatency == nil || *r.LiveLatency < 5*time.Second || *r.LiveLatency > 8*time.Second || r.PlaylistAge == nil {
			t.Errorf("%s: %s, %v behind the edge, age %v", r.Format, r.Mode, r.LiveLatency, r.PlaylistAge)
		}
	}
}

// Sound is heard when the first frame of it is there, or, where a player appends
// or waits for whole segments, when that is.
func TestSoundFrame(t *testing.T) {
	const pause = 150 * time.Millisecond
	tone := stamped(t, "tone.aac")
	slow := func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		w.Write(tone[:len(tone)/2])
		http.NewResponseController(w).Flush()
		time.Sleep(pause)
		w.Write(tone[len(tone)/2:])
		return true
	}
	for _, tt := range []struct {
		m     *Model
		whole bool
	}{{ideal, false}, {hlsjs, true}, {shaka, true}, {exoplayer, true}, {avplayer, true}} {
		t.Run(tt.m.String(), func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, map[string]string{"/l.m3u8": tonePlaylist}, map[string]rule{"/tone": slow})
			r := press(t, o, "/l.m3u8", calm(tt.m), run.App{})
			only(t, r, "mp4a.40.2")
			segment := r.Steps[1]
			if heard := ms(r.Frame.Sub(r.Start)); (heard >= segment.EndMs) != tt.whole || segment.EndMs-segment.StartMs < ms(pause) {
				t.Errorf("heard at %.1f ms; the segment came from %.1f to %.1f", heard, segment.StartMs, segment.EndMs)
			}
			if tt.whole == (r.Phases.SegmentMs+r.Phases.SegmentTTFBMs < ms(pause)) {
				t.Errorf("phases %+v", r.Phases)
			}
		})
	}
}

// Where there are pictures, variants of sound only are passed over, whichever is
// listed first, and a segment without the pictures that are promised fails.
func TestPicturesFirst(t *testing.T) {
	const sound = "#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS=\"mp4a.40.2\"\n/tone.m3u8\n"
	const video = "#EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS=\"avc1.4d401e,mp4a.40.2\",CLOSED-CAPTIONS=NONE\n/ts/360p/index.m3u8\n"
	const iframes = "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=20000,CODECS=\"avc1.4d401e\",RESOLUTION=640x360,URI=\"/i.m3u8\"\n"
	rules := map[string]rule{"/tone": answer200(mediaFile(t, "tone-aac.ts"))}
	for _, m := range []*Model{hlsjs, shaka, exoplayer, avplayer, ideal} {
		o := newOrigin(t, map[string]string{"/m.m3u8": "#EXTM3U\n" + iframes + sound + video, "/tone.m3u8": tonePlaylist}, rules)
		if r := good(t, press(t, o, "/m.m3u8", calm(m), run.App{})); r.Sound || r.Height != 360 || o.paths()[1] != "/ts/360p/index.m3u8" {
			t.Errorf("%s: sound %v, %d lines: %v", m, r.Sound, r.Height, o.paths())
		}
		o = newOrigin(t, map[string]string{"/m.m3u8": "#EXTM3U\n" + strings.Replace(video, "/ts/360p/index", "/tone", 1), "/tone.m3u8": tonePlaylist}, rules)
		bad(t, press(t, o, "/m.m3u8", calm(m), run.App{}), run.ErrNoKeyframe, run.StepSegment)
	}
}

// Of sound only a player chooses by what it assumes of the bandwidth for sound.
func TestSoundRung(t *testing.T) {
	const mpd = `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT9S"><Period>
    <AdaptationSet contentType="audio" mimeType="audio/mp4">
      <SegmentTemplate timescale="48000" initialization="/cmaf/a48/init.mp4" media="/a/$RepresentationID$/$Number$" startNumber="0" duration="92160"/>
      <Representation id="r48" codecs="mp4a.40.2" bandwidth="48000"/><Representation id="r96" codecs="mp4a.40.2" bandwidth="96000"/><Representation id="r256" codecs="mp4a.40.2" bandwidth="256000"/>
    </AdaptationSet></Period></MPD>`
	for _, tt := range []struct {
		m    *Model
		set  map[string]float64
		want string
	}{
		{dashjs, nil, "r96"}, {dashjs, map[string]float64{"start_kbps": 300}, "r256"}, {shaka, nil, "r256"}, {exoplayer, nil, "r256"}, {ideal, nil, "r48"},
	} {
		r := press(t, dashOrigin(t, mpd, nil), "/m.mpd", calm(tt.m), run.App{Set: tt.set})
		only(t, r, "mp4a.40.2")
		if _, audio := asked(r); !strings.HasPrefix(audio, "a/"+tt.want+"/") {
			t.Errorf("%s, start %v: %s, want %s", tt.m, tt.set, audio, tt.want)
		}
	}
}

// Sound alone is played on with, as pictures are, over a period's end too.
func TestSoundPlaysOn(t *testing.T) {
	list := "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"/cmaf/a48/init.mp4\"\n"
	for i := range 4 {
		list += fmt.Sprintf("#EXTINF:0.3,\n/cmaf/a48/%d.m4s\n", i)
	}
	set := "<AdaptationSet" + strings.SplitN(fmt.Sprintf(sets, "p"), "<AdaptationSet", 3)[2]
	set = strings.ReplaceAll(set, `duration="92160"`, `duration="14400"`) // as if of 0.3 s
	mpd := `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1.2S"><Period duration="PT0.6S">` + set + `</Period><Period>` + set + `</Period></MPD>`
	for path, m := range map[string]*Model{"/l.m3u8": hlsjs, "/m.mpd": dashjs} {
		o := dashOrigin(t, mpd, nil)
		o.manifests["/l.m3u8"] = list + "#EXT-X-ENDLIST\n"
		r := playOn(t, o, path, calm(m), time.Minute)
		only(t, r, "mp4a.40.2")
		if r.Played == nil || r.Played.Media < 1100*time.Millisecond || r.Played.Media > 1300*time.Millisecond || r.Error != "" {
			t.Errorf("%s: %+v, %s %s", path, r.Played, r.Error, r.Detail)
		}
	}
}
