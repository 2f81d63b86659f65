package origin

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/rewrite"
)

// What the low-latency stream is like (RFC 8216bis, 4.4.3.7, 4.4.3.8).
const (
	Parts     = 3               // of a segment
	Part      = Segment / Parts // every part's
	holdBack  = 3 * Part        // how far from its end players are to stay
	withParts = 3               // segments that are listed with their parts
	maxAhead  = 3 * Segment     // how long a request may wait
	lowStream = "ll"            // its folder
	lowSource = "cmaf"          // the folder of its media
)

// Ready is when what is asked for under a path is there: a playlist with the
// segment and part that its query names, or a part that is still being made (RFC
// 8216bis, 6.2.5.2 and 4.4.5.3). The zero time is now. What would not be there
// for too long is fs.ErrNotExist.
func (o *Origin) Ready(name string, query url.Values, now time.Time) (time.Time, error) {
	rest, ok := strings.CutPrefix(name, "/live/"+lowStream+"/")
	if !ok {
		return time.Time{}, nil
	}
	var at time.Time
	if n, k, isPart := partOf(path.Base(rest)); isPart {
		at = partEnds(n, k)
	} else if msn, err := strconv.ParseInt(query.Get("_HLS_msn"), 10, 64); err == nil && path.Base(rest) == "index.m3u8" {
		at = Starts(msn + 1)
		if part, err := strconv.ParseInt(query.Get("_HLS_part"), 10, 64); err == nil {
			at = partEnds(msn, part)
		}
	}
	if at.Sub(now) > maxAhead {
		return at, fmt.Errorf("origin: %s: %w before %s", name, fs.ErrNotExist, at.Format(time.RFC3339))
	}
	return at, nil
}

// partEnds is when part k of segment n is there.
func partEnds(n, k int64) time.Time { return Starts(n).Add(time.Duration(k+1) * Part) }

// partOf reads N.K.m4s, part K of segment N.
func partOf(base string) (n, k int64, ok bool) {
	name, ok := strings.CutSuffix(base, ".m4s")
	first, second, both := strings.Cut(name, ".")
	n, err1 := strconv.ParseInt(first, 10, 64)
	k, err2 := strconv.ParseInt(second, 10, 64)
	return n, k, ok && both && err1 == nil && err2 == nil && n >= 0 && k >= 0 && k < Parts
}

// lowLatency is what stands below /live/ll/.
func (o *Origin) lowLatency(name string, now time.Time) (Object, error) {
	source := path.Join(lowSource, name)
	dir, base := path.Split(source)
	dir = path.Clean(dir)
	r := o.live[dir]
	n, k, isPart := partOf(base)
	switch {
	case r == nil || base == "init.mp4":
		return o.liveObject(source, now)
	case base == "index.m3u8":
		return object(o.lowPlaylist(dir, now), types[".m3u8"], 0), nil
	case isPart && now.Before(partEnds(n, k)):
		return Object{}, fmt.Errorf("origin: /live/%s/%s: %w", lowStream, name, fs.ErrNotExist)
	case isPart:
		// The segment is made of what repeats for ever: it is known before its end.
		source = path.Join(dir, fmt.Sprintf("%d.m4s", n))
		if end := Starts(n + 1); now.Before(end) {
			now = end
		}
	}
	whole, err := r.segment(source, now)
	if err != nil {
		return Object{}, err
	}
	parts, err := rewrite.Split(whole.Body, Parts)
	if err != nil {
		return Object{}, fmt.Errorf("origin: /live/%s/%s: %w", lowStream, name, err)
	}
	body := bytes.Join(parts, nil)
	if isPart {
		body = parts[k]
	}
	return object(body, whole.Type, whole.MaxAge), nil
}

// lowPlaylist is a sliding window whose end is listed in parts.
func (o *Origin) lowPlaylist(dir string, now time.Time) []byte {
	r := o.live[dir]
	last := Last(now)
	done := int(now.Sub(Starts(last+1)) / Part) // parts of the segment that is being made
	var b bytes.Buffer
	for _, line := range r.head {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintf(&b, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=%.3f\n#EXT-X-PART-INF:PART-TARGET=%.3f\n#EXT-X-MEDIA-SEQUENCE:%d\n",
		holdBack.Seconds(), Part.Seconds(), last-Window+1)
	pictures := strings.HasPrefix(path.Base(dir), "v")
	for n := last - Window + 1; n <= last+1; n++ {
		fmt.Fprintf(&b, "#EXT-X-PROGRAM-DATE-TIME:%s\n", Starts(n).Format(instant))
		for k := 0; k < Parts && n > last-withParts && (n <= last || k < done); k++ {
			fmt.Fprintf(&b, "#EXT-X-PART:DURATION=%.5f,URI=\"%d.%d.m4s\"", Part.Seconds(), n, k)
			if k == 0 || !pictures { // only pictures depend on others
				b.WriteString(",INDEPENDENT=YES")
			}
			b.WriteByte('\n')
		}
		if n <= last {
			fmt.Fprintf(&b, "#EXTINF:%.6f,\n%d.m4s\n", Segment.Seconds(), n)
		}
	}
	fmt.Fprintf(&b, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"%d.%d.m4s\"\n", last+1, done)
	msn, k := last+1, done-1
	if done == 0 {
		msn, k = last, Parts-1
	}
	for _, other := range o.renditions(path.Dir(dir)) {
		if other != dir {
			fmt.Fprintf(&b, "#EXT-X-RENDITION-REPORT:URI=\"../%s/index.m3u8\",LAST-MSN=%d,LAST-PART=%d\n", path.Base(other), msn, k)
		}
	}
	return b.Bytes()
}

// renditions are the folders of a live stream's renditions.
func (o *Origin) renditions(stream string) (dirs []string) {
	for dir := range o.live {
		if path.Dir(dir) == stream {
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	return dirs
}
