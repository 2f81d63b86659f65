package origin

import (
	"strings"
	"testing"
	"time"
)

// The manifests of sound alone have the sound of the stream, and no pictures.
func TestSound(t *testing.T) {
	o := newOrigin(t)
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for _, folder := range []string{"/vod/cmaf/", "/live/cmaf/"} {
		hls := string(get(t, o, folder+"sound.m3u8", now))
		if want := "#EXT-X-STREAM-INF:BANDWIDTH=50684,CODECS=\"mp4a.40.2\"\na48/index.m3u8\n"; !strings.HasSuffix(hls, want) {
			t.Errorf("%s", hls)
		}
		get(t, o, folder+"a48/index.m3u8", now)
		mpd := string(get(t, o, folder+"sound.mpd", now))
		dynamic := strings.HasPrefix(folder, "/live")
		if strings.Count(mpd, "<AdaptationSet") != 1 || !strings.Contains(mpd, `contentType="audio"`) || strings.Contains(mpd, "avc1") ||
			strings.Contains(mpd, `type="dynamic"`) != dynamic || strings.Contains(mpd, "<UTCTiming") != dynamic {
			t.Errorf("%s", mpd)
		}
	}
}
