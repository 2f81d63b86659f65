package origin

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func newOrigin(t testing.TB) *Origin {
	t.Helper()
	o, err := New(os.DirFS("../media"))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func get(t testing.TB, o *Origin, path string, now time.Time) string {
	t.Helper()
	f, err := o.Object(path, now)
	if err != nil {
		t.Fatal(err)
	}
	return string(f.Body)
}

func TestVODIsTheMedia(t *testing.T) {
	o := newOrigin(t)
	for path, kind := range map[string]string{
		"ts/master.m3u8": "application/vnd.apple.mpegurl", "ts/360p/0.ts": "video/mp2t",
		"cmaf/v360/0.m4s": "video/iso.segment", "cmaf/manifest-number.mpd": "application/dash+xml",
		"range/v360/media.mp4": "video/mp4", "aes/key.bin": "application/octet-stream",
	} {
		want, err := os.ReadFile("../media/" + path)
		if err != nil {
			t.Fatal(err)
		}
		rec := httptest.NewRecorder()
		o.ServeHTTP(rec, httptest.NewRequest("GET", "/vod/"+path, nil))
		if rec.Code != 200 || rec.Header().Get("Content-Type") != kind || !bytes.Equal(rec.Body.Bytes(), want) {
			t.Errorf("%s: %d, %s, %d bytes of %d", path, rec.Code, rec.Header().Get("Content-Type"), rec.Body.Len(), len(want))
		}
	}
	for _, path := range []string{"/vod/make.sh", "/vod/", "/vod/../go.mod", "/live/aes/master.m3u8", "/live/ts/360p/x.ts", "/"} {
		if _, err := o.Object(path, time.Now()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestRange(t *testing.T) {
	o := newOrigin(t)
	req := httptest.NewRequest("GET", "/vod/range/v360/media.mp4", nil)
	req.Header.Set("Range", "bytes=830-43145")
	rec := httptest.NewRecorder()
	o.ServeHTTP(rec, req)
	if rec.Code != http.StatusPartialContent || rec.Body.Len() != 42316 {
		t.Errorf("%d, %d bytes", rec.Code, rec.Body.Len())
	}
}

var sequence = regexp.MustCompile(`#EXT-X-MEDIA-SEQUENCE:(\d+)\n`)

// Over 40 s of clock, each segment appears when it is whole, keeps its number
// and can be fetched; the next one cannot.
func TestLivePlaylistMoves(t *testing.T) {
	o := newOrigin(t)
	start := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for _, dir := range []string{"ts/360p", "ts/720p", "cmaf/v360", "cmaf/v720", "cmaf/a48"} {
		for at := start; at.Before(start.Add(40 * time.Second)); at = at.Add(480 * time.Millisecond) {
			text := get(t, o, "/live/"+dir+"/index.m3u8", at)
			var first int64
			fmt.Sscan(sequence.FindStringSubmatch(text)[1], &first)
			last := first + Window - 1
			if age := at.Sub(Starts(last + 1)); age < 0 || age >= Segment {
				t.Fatalf("%s: the newest segment ended %v ago", dir, age)
			}
			if strings.Contains(text, "ENDLIST") || strings.Contains(text, "DISCONTINUITY") || strings.Count(text, "#EXTINF:1.920000,\n") != Window {
				t.Fatalf("%s:\n%s", dir, text)
			}
			if want := "#EXT-X-PROGRAM-DATE-TIME:" + Starts(first).Format(instant); !strings.Contains(text, want) {
				t.Fatalf("%s: no %s in\n%s", dir, want, text)
			}
			ext := ".m4s"
			if dir[:2] == "ts" {
				ext = ".ts"
			}
			for n := first; n <= last; n++ {
				if len(get(t, o, fmt.Sprintf("/live/%s/%d%s", dir, n, ext), at)) < 1000 {
					t.Fatalf("%s: segment %d is small", dir, n)
				}
			}
			if _, err := o.Object(fmt.Sprintf("/live/%s/%d%s", dir, last+1, ext), at); !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("%s: a segment of the future: %v", dir, err)
			}
		}
	}
}

// decodeTime is a segment's baseMediaDecodeTime, found without a parser.
func decodeTime(b string) int64 {
	return int64(binary.BigEndian.Uint64([]byte(b[strings.Index(b, "tfdt")+8:])))
}

// Segment n begins at n times its length, over the seam of the loop too.
func TestLiveTimesAreContinuous(t *testing.T) {
	o := newOrigin(t)
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	last := Last(now)
	for dir, length := range map[string]int64{"cmaf/v360": 24576, "cmaf/v720": 24576, "cmaf/a48": 92160} {
		for n := last - 6; n <= last; n++ {
			if got := decodeTime(get(t, o, fmt.Sprintf("/live/%s/%d.m4s", dir, n), now)); got != n*length {
				t.Errorf("%s: segment %d begins at %d, want %d", dir, n, got, n*length)
			}
		}
	}
}

func TestLiveSegmentsAreKept(t *testing.T) {
	o := newOrigin(t)
	now := time.Now()
	for back, there := range map[int64]bool{0: true, Window: true, Window + int64(9*time.Minute/Segment): true, Window + int64(11*time.Minute/Segment): false} {
		_, err := o.Object(fmt.Sprintf("/live/ts/360p/%d.ts", Last(now)-back), now)
		if (err == nil) != there {
			t.Errorf("%d segments ago: %v", back, err)
		}
	}
}

// mpd is what a dynamic manifest must hold.
type mpd struct {
	Type       string `xml:"type,attr"`
	Start      string `xml:"availabilityStartTime,attr"`
	Published  string `xml:"publishTime,attr"`
	Update     string `xml:"minimumUpdatePeriod,attr"`
	Depth      string `xml:"timeShiftBufferDepth,attr"`
	Duration   string `xml:"mediaPresentationDuration,attr"`
	Adaptation []struct {
		Template struct {
			StartNumber int64 `xml:"startNumber,attr"`
			Duration    int64 `xml:"duration,attr"`
			Timescale   int64 `xml:"timescale,attr"`
			S           []struct {
				T int64 `xml:"t,attr"`
				D int64 `xml:"d,attr"`
				R int64 `xml:"r,attr"`
			} `xml:"SegmentTimeline>S"`
		} `xml:"SegmentTemplate"`
		Representation []struct {
			ID string `xml:"id,attr"`
		}
	} `xml:"Period>AdaptationSet"`
	Clock struct {
		Scheme string `xml:"schemeIdUri,attr"`
		Value  string `xml:"value,attr"`
	} `xml:"UTCTiming"`
}

func readMPD(t *testing.T, o *Origin, name string, now time.Time) (m mpd) {
	t.Helper()
	if err := xml.Unmarshal([]byte(get(t, o, "/live/cmaf/"+name, now)), &m); err != nil {
		t.Fatal(err)
	}
	if m.Type != "dynamic" || m.Start != "2026-01-01T00:00:00Z" || m.Duration != "" || m.Depth != "PT15.36S" ||
		m.Clock.Scheme != "urn:mpeg:dash:utc:http-xsdate:2014" || m.Clock.Value != "/time" || len(m.Adaptation) != 2 {
		t.Errorf("%s: %+v", name, m)
	}
	return m
}

func TestLiveMPDTimeline(t *testing.T) {
	o := newOrigin(t)
	start := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for at := start; at.Before(start.Add(12 * time.Second)); at = at.Add(480 * time.Millisecond) {
		m := readMPD(t, o, "manifest-timeline.mpd", at)
		for _, a := range m.Adaptation {
			s := a.Template.S
			if len(s) != 1 || s[0].R != Window-1 || a.Template.StartNumber != Last(at)-Window+1 {
				t.Fatalf("%+v", a.Template)
			}
			for _, r := range a.Representation {
				for k := int64(0); k < Window; k++ {
					segment := get(t, o, fmt.Sprintf("/live/cmaf/%s/%d.m4s", r.ID, a.Template.StartNumber+k), at)
					if got, want := decodeTime(segment), s[0].T+k*s[0].D; got != want {
						t.Fatalf("%s: segment %d begins at %d, the manifest says %d", r.ID, k, got, want)
					}
				}
			}
		}
	}
}

// By ISO/IEC 23009-1, 5.3.9.5.3 the newest whole segment is
// floor((now - AST - PeriodStart)/d) - 1; it is there, and the next is not.
func TestLiveMPDNumber(t *testing.T) {
	o := newOrigin(t)
	for i := range 50 {
		at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC).Add(time.Duration(i) * 333 * time.Millisecond)
		m := readMPD(t, o, "manifest-number.mpd", at)
		for _, a := range m.Adaptation {
			elapsed := at.Sub(Epoch).Milliseconds() * a.Template.Timescale
			k := elapsed/(a.Template.Duration*1000) - 1
			for _, r := range a.Representation {
				segment := get(t, o, fmt.Sprintf("/live/cmaf/%s/%d.m4s", r.ID, a.Template.StartNumber+k), at)
				if got := decodeTime(segment); got != k*a.Template.Duration {
					t.Fatalf("%s: segment %d begins at %d", r.ID, k, got)
				}
				if _, err := o.Object(fmt.Sprintf("/live/cmaf/%s/%d.m4s", r.ID, k+1), at); err == nil {
					t.Fatalf("%s: segment %d is there too early", r.ID, k+1)
				}
			}
		}
	}
}

func TestTime(t *testing.T) {
	rec := httptest.NewRecorder()
	newOrigin(t).ServeHTTP(rec, httptest.NewRequest("GET", "/time", nil))
	body, _ := io.ReadAll(rec.Body)
	at, err := time.Parse(time.RFC3339, string(body))
	if off := time.Since(at); err != nil || off < 0 || off > 5*time.Second || rec.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%q, %v, %v", body, err, rec.Header())
	}
}

func TestNewRefusesOtherMedia(t *testing.T) {
	for name, media := range map[string]fstest.MapFS{
		"none":     {},
		"other":    {"ts/master.m3u8": {}, "ts/360p/index.m3u8": {Data: []byte("#EXTM3U\n#EXTINF:4,\n0.ts\n")}},
		"too few":  {"ts/master.m3u8": {}, "ts/360p/index.m3u8": {Data: []byte("#EXTM3U\n#EXTINF:1.920000,\n0.ts\n")}},
		"no media": {"ts/master.m3u8": {}, "ts/360p/index.m3u8": {Data: []byte("#EXTM3U\n" + strings.Repeat("#EXTINF:1.920000,\n0.ts\n", 5))}},
	} {
		if _, err := New(media); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
