package edge

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"

	"github.com/firstframe/firstframe/deploy/lab/origin"
	"github.com/firstframe/firstframe/deploy/lab/rewrite"
)

// page is what proxies and captive portals answer in place of media.
const page = `<!DOCTYPE html>
<html><head><title>Welcome</title></head><body><h1>Welcome!</h1><p>Please accept our terms to go on.</p></body></html>
`

// Manifests with nothing to play.
const (
	emptyHLS = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-ENDLIST\n"
	emptyMPD = `<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" profiles="urn:mpeg:dash:profile:isoff-live:2011" mediaPresentationDuration="PT9.6S" minBufferTime="PT1.92S">
  <Period id="p0" start="PT0S"/>
</MPD>
`
)

// What manifests that no player can play name.
var (
	codecs = regexp.MustCompile(`((?:CODECS|codecs)=")[^"]*"`)
	extinf = regexp.MustCompile(`(?m)^#EXTINF:`)
)

const (
	strangeCodec = `${1}zzzz.1"`
	strangeKey   = `#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://lab.example/key",KEYFORMAT="com.apple.streamingkeydelivery",KEYFORMATVERSIONS="1"` + "\n"
)

// spoil is an object as a kind of fault leaves it. A kind that means nothing
// to it leaves it as it is.
func spoil(o origin.Object, kind string) origin.Object {
	hls, mpd := o.Type == origin.TypeOf(".m3u8"), o.Type == origin.TypeOf(".mpd")
	switch kind {
	case "html":
		return origin.Object{Body: []byte(page), Type: "text/html; charset=utf-8"}
	case "garbage":
		o.Body = noise(len(o.Body))
	case "empty":
		if hls {
			o.Body = []byte(emptyHLS)
		} else if mpd {
			o.Body = []byte(emptyMPD)
		}
	case "no_keyframe":
		if hidden, err := rewrite.HideKeyframes(o.Body); err == nil {
			o.Body = hidden
		}
	case "unsupported":
		if hls || mpd {
			o.Body = codecs.ReplaceAll(o.Body, []byte(strangeCodec))
		}
		if at := extinf.FindIndex(o.Body); hls && at != nil {
			o.Body = bytes.Join([][]byte{o.Body[:at[0]], []byte(strangeKey), o.Body[at[0]:]}, nil)
		}
	case "no_url":
		o.Body = []byte(`{"session":null,"streams":[]}`)
	case "bad_key":
		o.Body = o.Body[:min(len(o.Body), 8)]
	default:
		return o
	}
	o.ETag = ""
	return o
}

// noise is n bytes that are always the same and mean nothing.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{'n', 'o', 'i', 's', 'e'}).Read(b) // never fails
	return b
}

// announced is Content-Length, 0 when there is none.
func announced(h http.Header) int64 {
	n, _ := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	return n
}
