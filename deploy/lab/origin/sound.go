package origin

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
)

// Sound alone, made of a stream's own manifests.
const (
	soundStream = "cmaf"
	soundHLS    = "sound.m3u8"
	soundMPD    = "sound.mpd"
)

var (
	soundURI  = regexp.MustCompile(`#EXT-X-MEDIA:TYPE=AUDIO,.*URI="([^"]+)"`)
	soundRate = regexp.MustCompile(`codecs="(mp4a[^"]*)" bandwidth="(\d+)"`)
	pictures  = regexp.MustCompile(`(?s)\s*<AdaptationSet[^>]*contentType="video".*?</AdaptationSet>`)
)

// addSound makes manifests of a stream's sound, as a radio has them.
func (o *Origin) addSound(stream string) error {
	master, mpd := o.files[path.Join(stream, "master.m3u8")], o.files[path.Join(stream, "manifest-number.mpd")]
	uri, rate := soundURI.FindSubmatch(master.Body), soundRate.FindSubmatch(mpd.Body)
	if uri == nil || rate == nil {
		return fmt.Errorf("no sound of its own: %w", fs.ErrNotExist)
	}
	text := fmt.Sprintf("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-STREAM-INF:BANDWIDTH=%s,CODECS=\"%s\"\n%s\n", rate[2], rate[1], uri[1])
	o.files[path.Join(stream, soundHLS)] = object([]byte(text), types[".m3u8"], vodAge)
	o.files[path.Join(stream, soundMPD)] = object(pictures.ReplaceAll(mpd.Body, nil), types[".mpd"], vodAge)
	return nil
}
