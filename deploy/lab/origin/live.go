package origin

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/media"
	"github.com/firstframe/firstframe/deploy/lab/rewrite"
)

// What the live streams are like.
const (
	Segment = time.Duration(media.SegmentSeconds * 1e9) // every segment's, pictures and sound
	Window  = 8                                         // segments in a manifest
	kept    = 10 * time.Minute                          // how long a segment can be had after it left the manifest
	liveAge = time.Second                               // how long a cache may keep a live manifest
	segAge  = time.Minute                               // and a live segment
	shared  = 32                                        // segments of a rendition that all who ask have in common

	// A live DASH manifest by number never changes; it is fetched anew all the same.
	numberUpdate = 30 * time.Second
)

// instant is how manifests and the clock write a time, in UTC (xs:dateTime).
const instant = "2006-01-02T15:04:05.000Z"

// Epoch is when segment 0 of the live streams began.
var Epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// rendition is one track of a live stream.
type rendition struct {
	head []string // of its playlist, without media sequence
	ext  string   // of its segments
	loop *rewrite.Loop

	mu   sync.Mutex
	made [shared]segment // the latest that were asked for, by number modulo shared
}

type segment struct {
	n      int64
	object Object
}

// addLive reads a stream's media playlists, and its manifests for DASH.
func (o *Origin) addLive(stream string) error {
	for name, f := range o.files {
		if path.Base(name) != "index.m3u8" || path.Dir(path.Dir(name)) != stream {
			continue
		}
		r, err := o.readRendition(name, f.Body)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		o.live[path.Dir(name)] = r
	}
	if _, ok := o.files[stream+"/master.m3u8"]; !ok || len(o.live) == 0 {
		return fmt.Errorf("no master.m3u8 with media playlists: %w", fs.ErrNotExist)
	}
	return nil
}

// readRendition takes apart a playlist that the media's script made.
func (o *Origin) readRendition(name string, text []byte) (*rendition, error) {
	r := &rendition{}
	var segments [][]byte
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line == "#EXT-X-ENDLIST",
			strings.HasPrefix(line, "#EXT-X-PLAYLIST-TYPE"), strings.HasPrefix(line, "#EXT-X-MEDIA-SEQUENCE"):
		case strings.HasPrefix(line, "#EXTINF:"):
			if d := strings.TrimRight(strings.TrimPrefix(line, "#EXTINF:"), ","); d != "1.920000" {
				return nil, fmt.Errorf("a segment of %s s, want %v", d, Segment)
			}
		case strings.HasPrefix(line, "#"):
			r.head = append(r.head, line)
		default:
			r.ext = path.Ext(line)
			segments = append(segments, o.files[path.Join(path.Dir(name), line)].Body)
		}
	}
	if len(segments) != media.Segments {
		return nil, fmt.Errorf("%d segments, want %d", len(segments), media.Segments)
	}
	var err error
	r.loop, err = rewrite.NewLoop(segments, media.Segments*Segment)
	return r, err
}

// Last is the number of the newest segment that is whole at an instant.
func Last(now time.Time) int64 { return int64(now.Sub(Epoch)/Segment) - 1 }

// Starts is when a segment began.
func Starts(n int64) time.Time { return Epoch.Add(time.Duration(n) * Segment) }

func (o *Origin) liveObject(name string, now time.Time) (Object, error) {
	if rest, ok := strings.CutPrefix(name, lowStream+"/"); ok {
		return o.lowLatency(rest, now)
	}
	dir, base := path.Split(name)
	dir = strings.TrimSuffix(dir, "/")
	switch r := o.live[dir]; {
	case r != nil && base == "index.m3u8":
		return object(r.playlist(now), types[".m3u8"], liveAge), nil
	case r != nil && path.Ext(base) == r.ext:
		return r.segment(name, now)
	}
	f, ok := o.files[name]
	stream, _, _ := strings.Cut(name, "/")
	switch {
	case !ok || !slices.Contains(liveStreams, stream):
	case base == "manifest-number.mpd" || base == "manifest-timeline.mpd" || base == soundMPD:
		return object(manifest(f.Body, now), types[".mpd"], liveAge), nil
	case base == "master.m3u8" || base == soundHLS || base == "init.mp4":
		return f, nil
	}
	return Object{}, fmt.Errorf("origin: /live/%s: %w", name, fs.ErrNotExist)
}

func (r *rendition) segment(name string, now time.Time) (Object, error) {
	base := path.Base(name)
	n, err := strconv.ParseInt(strings.TrimSuffix(base, path.Ext(base)), 10, 64)
	last := Last(now)
	if err != nil || n < 0 || n > last || n <= last-Window-int64(kept/Segment) {
		return Object{}, fmt.Errorf("origin: /live/%s: %w; the newest segment is %d", name, fs.ErrNotExist, last)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	held := &r.made[n%shared]
	if held.n != n || held.object.Body == nil {
		body, err := r.loop.Segment(n)
		if err != nil {
			return Object{}, fmt.Errorf("origin: /live/%s: %w", name, err)
		}
		*held = segment{n, object(body, types[r.ext], segAge)}
	}
	return held.object, nil
}

// playlist is a sliding window (RFC 8216bis, 6.2.2).
func (r *rendition) playlist(now time.Time) []byte {
	first := Last(now) - Window + 1
	var b bytes.Buffer
	for _, line := range r.head {
		b.WriteString(line)
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "#EXT-X-MEDIA-SEQUENCE:%d\n", first)
	for n := first; n < first+Window; n++ {
		fmt.Fprintf(&b, "#EXT-X-PROGRAM-DATE-TIME:%s\n#EXTINF:%.6f,\n%d%s\n",
			Starts(n).Format(instant), Segment.Seconds(), n, r.ext)
	}
	return b.Bytes()
}

// What manifest replaces in the media's own manifests.
var (
	mpdStatic   = regexp.MustCompile(`type="static"`)
	mpdDuration = regexp.MustCompile(` mediaPresentationDuration="[^"]*"`)
	mpdTimeline = regexp.MustCompile(`startNumber="0">\s*<SegmentTimeline>\s*<S t="0" d="(\d+)" r="\d+"/>`)
)

// manifest makes a static MPD a dynamic one of the same segments (ISO/IEC
// 23009-1, 5.3.1.2). The first period begins with the broadcast, so numbers and
// times are those of the live segments.
func manifest(static []byte, now time.Time) []byte {
	text := string(static)
	last := Last(now)
	first := last - Window + 1
	update := numberUpdate
	if strings.Contains(text, "<SegmentTimeline>") {
		update = Segment
	}
	text = mpdDuration.ReplaceAllLiteralString(text, "")
	text = mpdStatic.ReplaceAllLiteralString(text, fmt.Sprintf(
		`type="dynamic" availabilityStartTime="%s" publishTime="%s" minimumUpdatePeriod="PT%gS" timeShiftBufferDepth="PT%gS" suggestedPresentationDelay="PT%gS" maxSegmentDuration="PT%gS"`,
		Epoch.Format(time.RFC3339), Starts(last+1).Format(instant),
		update.Seconds(), (Window*Segment).Seconds(), (3*Segment).Seconds(), Segment.Seconds()))
	text = mpdTimeline.ReplaceAllStringFunc(text, func(old string) string {
		d, _ := strconv.ParseInt(mpdTimeline.FindStringSubmatch(old)[1], 10, 64) // digits, by the pattern
		return fmt.Sprintf("startNumber=\"%d\">\n        <SegmentTimeline>\n          <S t=\"%d\" d=\"%d\" r=\"%d\"/>", first, first*d, d, Window-1)
	})
	return []byte(strings.Replace(text, "</MPD>",
		"  <UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:http-xsdate:2014\" value=\"/time\"/>\n</MPD>", 1))
}
