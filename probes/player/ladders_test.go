package player

import (
	"io"
	"net/http"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// firsts are the playlists, or the first initialization segment, that a result
// asked for, of video and of audio, by the names of the ladders.
func firsts(r *Result) (video, audio string) {
	for _, s := range r.Steps {
		name := ""
		switch s.Name {
		case run.StepPlaylist:
			name = strings.TrimSuffix(path.Base(s.URL), ".m3u8")
		case run.StepInit:
			name = path.Base(path.Dir(s.URL))
		}
		switch {
		case name == "":
		case s.Track == run.TrackVideo && (video == "" || s.Name == run.StepPlaylist):
			video = strings.TrimSpace(video + " " + name)
		case s.Track == run.TrackAudio && audio == "":
			audio = name
		}
	}
	return video, audio
}

// Which of several codings, adaptation sets and sounds a player takes. What stands
// here of hls.js, Shaka and dash.js is what the real ones asked for in Chromium,
// which decodes these codings.
func TestLadders(t *testing.T) {
	app := run.App{Codecs: []string{"avc1", "av01", "vp09", "mp4a", "opus", "flac"}}
	for _, tt := range []struct {
		file         string
		model        *Model
		video, audio string
	}{
		{"av1-only-high.m3u8", hlsjs, "avc-360-600", ""},
		{"av1-only-high.m3u8", shaka, "avc-360-600", ""},
		{"avc-and-av1.m3u8", hlsjs, "av1-360-500", ""},
		{"avc-and-av1.m3u8", shaka, "avc-360-800 av1-360-500", ""},
		{"avc-high-first.m3u8", hlsjs, "av1-1080-3000", ""},
		{"avc-high-first.m3u8", shaka, "avc-360-800 av1-360-500", ""},
		{"groups.m3u8", hlsjs, "a360", "sound-aac"},
		{"groups.m3u8", shaka, "a360", "sound-aac"},
		{"hevc-first.m3u8", hlsjs, "avc-360-800", ""},
		{"hevc-first.m3u8", shaka, "avc-360-800", ""},
		{"no-codecs.m3u8", hlsjs, "n360", ""},
		{"no-codecs.m3u8", shaka, "n360", ""},
		{"range.m3u8", hlsjs, "avc-720-2400", ""},
		{"range.m3u8", shaka, "avc-360-800", ""},
		{"rates.m3u8", hlsjs, "avc-720-2000", ""},
		{"rates.m3u8", shaka, "avc-360-800", ""},
		{"score.m3u8", hlsjs, "avc-360-800", ""},
		{"score.m3u8", shaka, "avc-360-800 av1-360-500", ""},
		{"sound-beside.m3u8", hlsjs, "avc-360-800", ""},
		{"sound-beside.m3u8", shaka, "avc-360-800", ""},
		{"surround.m3u8", hlsjs, "s360", "sound-2"},
		{"surround.m3u8", shaka, "s360", "sound-2"},
		{"three.m3u8", hlsjs, "av1-360-700", ""},
		{"three.m3u8", shaka, "avc-360-900 av1-360-700", ""},
		{"vp9-and-avc.m3u8", hlsjs, "vp9-720-1900", ""},
		{"vp9-and-avc.m3u8", shaka, "avc-360-800 vp9-360-700", ""},
		{"avc-and-av1.mpd", dashjs, "av1-360-400", "aac-128"},
		{"avc-and-av1.mpd", shaka, "av1-360-400", "aac-128"},
		{"hevc-low.m3u8", hlsjs, "avc-360-800", ""},
		{"hevc-low.m3u8", shaka, "avc-360-800", ""},
		{"hevc-first.mpd", dashjs, "avc-360-700", "aac-128"},
		{"hevc-first.mpd", shaka, "avc-360-700", "aac-128"},
		{"opus.mpd", dashjs, "avc-360-700", "opus-96"},
		{"opus.mpd", shaka, "avc-360-700", "aac-128"},
		{"priority.mpd", dashjs, "avc-360-700", "aac-128"},
		{"priority.mpd", shaka, "av1-360-400", "aac-128"},
		{"roles.mpd", dashjs, "avc-360-700", "main-128"},
		{"roles.mpd", shaka, "av1-360-400", "alt-96"},
		{"sd-and-hd.mpd", dashjs, "hd-720-900", "aac-128"},
		{"sd-and-hd.mpd", shaka, "hd-720-900", "aac-128"},
		{"sound-main.mpd", dashjs, "avc-360-700", "de-96"},
		{"sound-main.mpd", shaka, "avc-360-700", "en-64"},
		{"sound-only.mpd", dashjs, "", "en-96"},
		{"sound-only.mpd", shaka, "", "en-192"},
		{"sounds.mpd", dashjs, "avc-360-700", "de-64"},
		{"sounds.mpd", shaka, "avc-360-700", "en-192"},
		{"surround.mpd", dashjs, "avc-360-700", "two-96"},
		{"surround.mpd", shaka, "avc-360-700", "two-96"},
		{"switchable.mpd", dashjs, "hd-720-900", "aac-128"},
		{"switchable.mpd", shaka, "hd-720-900", "aac-128"},
		{"trick.mpd", dashjs, "avc-360-700", "aac-128"},
		{"trick.mpd", shaka, "avc-360-700", "aac-128"},
		{"unknown-property.mpd", dashjs, "avc-360-700", "aac-128"},
		{"unknown-property.mpd", shaka, "avc-360-700", "aac-128"},
		{"vp9-reaches-higher.mpd", dashjs, "vp9-360-650", "aac-128"},
		{"vp9-reaches-higher.mpd", shaka, "vp9-360-650", "aac-128"},
		// By its source alone.
		{"avc-and-av1.mpd", exoplayer, "av1-360-400", "aac-128"},
		{"avc-and-av1.m3u8", exoplayer, "av1-720-1500", ""},
		{"sounds.mpd", exoplayer, "avc-360-700", "en-192"},
		{"sound-main.mpd", exoplayer, "avc-360-700", "de-96"},
		{"surround.mpd", exoplayer, "avc-360-700", "two-96"},
		{"sounds.mpd", ideal, "avc-360-700", "en-48"},
		{"avc-and-av1.mpd", ideal, "av1-360-400", "aac-128"},
	} {
		t.Run(tt.file+", "+tt.model.Name, func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile("testdata/ladders/" + tt.file)
			if err != nil {
				t.Fatal(err)
			}
			o := newOrigin(t, map[string]string{"/" + tt.file: string(b)}, nil)
			next := o.Config.Handler
			o.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, ".m3u8") && r.URL.Path != "/"+tt.file {
					io.WriteString(w, "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nnothing\n#EXT-X-ENDLIST\n")
					return
				}
				if r.URL.Path != "/"+tt.file {
					time.Sleep(200 * time.Millisecond) // what fails ends the other track
				}
				next.ServeHTTP(w, r)
			})
			m := calm(tt.model)
			m.Failover, m.PrimaryFirst = nil, false
			if video, audio := firsts(press(t, o, "/"+tt.file, m, app)); video != tt.video || audio != tt.audio {
				t.Errorf("%q and %q, want %q and %q", video, audio, tt.video, tt.audio)
			}
		})
	}
}
