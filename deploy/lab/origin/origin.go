// Package origin is where the lab's media come from: /vod/ is the committed
// media as it lies in its file system, /live/ the same made endless by the
// clock, /time the clock itself for DASH's UTCTiming.
//
// The live streams repeat the five segments of ts and cmaf for ever. Their
// times go on from loop to loop, so that to a player they are one continuous
// broadcast on the air since [Epoch], whatever lab serves it: as HLS with
// MPEG-TS (/live/ts/master.m3u8), as HLS with fragmented MP4
// (/live/cmaf/master.m3u8), as DASH by number and by timeline
// (/live/cmaf/manifest-number.mpd and manifest-timeline.mpd).
//
// Of cmaf there is also the sound alone (sound.m3u8 and sound.mpd, on demand and
// live), and the live stream with low latency, each segment in three parts
// (/live/ll/master.m3u8).
package origin

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// Object is what the origin answers for one path.
type Object struct {
	Body   []byte // not to be changed
	Type   string // media type
	ETag   string
	MaxAge time.Duration // how long a cache may keep it; 0: not at all
}

// Origin answers for paths. Make one with [New]; it may be used by many at
// once.
type Origin struct {
	files map[string]Object // by path below /vod/
	live  map[string]*rendition
}

// vodAge is how long a cache may keep what never changes.
const vodAge = 24 * time.Hour

// liveStreams are the folders of the media that are made endless.
var liveStreams = []string{"ts", "cmaf"}

// types are the media types of the origin's files, by extension.
var types = map[string]string{
	".m3u8": "application/vnd.apple.mpegurl",
	".mpd":  "application/dash+xml",
	".ts":   "video/mp2t",
	".m4s":  "video/iso.segment",
	".mp4":  "video/mp4",
	".bin":  "application/octet-stream",
}

// TypeOf is the media type that a path's extension stands for.
func TypeOf(name string) string { return types[path.Ext(name)] }

// New reads the media, all of it. Files of other types than the lab's are left
// out. It fails when the live streams cannot be made of them.
func New(media fs.FS) (*Origin, error) {
	o := &Origin{files: map[string]Object{}, live: map[string]*rendition{}}
	err := fs.WalkDir(media, ".", func(name string, d fs.DirEntry, err error) error {
		kind, known := types[path.Ext(name)]
		if err != nil || d.IsDir() || !known {
			return err
		}
		body, err := fs.ReadFile(media, name)
		if err != nil {
			return err
		}
		o.files[name] = object(body, kind, vodAge)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("origin: %w", err)
	}
	for _, stream := range liveStreams {
		if err := o.addLive(stream); err != nil {
			return nil, fmt.Errorf("origin: %s: %w", stream, err)
		}
	}
	if err := o.addSound(soundStream); err != nil {
		return nil, fmt.Errorf("origin: %s: %w", soundStream, err)
	}
	return o, nil
}

func object(body []byte, kind string, age time.Duration) Object {
	h := fnv.New64a()
	h.Write(body)
	return Object{Body: body, Type: kind, MaxAge: age, ETag: `"` + strconv.FormatUint(h.Sum64(), 16) + `"`}
}

// Object is what stands at a path at an instant. What does not, or no longer,
// or not yet, is fs.ErrNotExist.
func (o *Origin) Object(name string, now time.Time) (Object, error) {
	if name == "/time" {
		return Object{Body: []byte(now.UTC().Format(instant)), Type: "text/plain"}, nil
	}
	if rest, ok := strings.CutPrefix(name, "/live/"); ok {
		return o.liveObject(rest, now)
	}
	rest, ok := strings.CutPrefix(name, "/vod/")
	found, there := o.files[rest]
	if !ok || !there {
		return Object{}, fmt.Errorf("origin: %s: %w", name, fs.ErrNotExist)
	}
	return found, nil
}

// ServeHTTP answers straight from the origin, past every CDN.
func (o *Origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	found, err := o.Object(r.URL.Path, time.Now())
	if err != nil {
		http.NotFound(w, r)
		return
	}
	found.Serve(w, r)
}

// Serve answers a request with the object, ranges and conditions included.
func (f Object) Serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.Type)
	if f.ETag != "" {
		h.Set("ETag", f.ETag)
	}
	h.Set("Cache-Control", "no-store")
	if f.MaxAge > 0 {
		h.Set("Cache-Control", fmt.Sprintf("max-age=%d", int(f.MaxAge.Seconds())))
	}
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Timing-Allow-Origin", "*")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.Body))
}
