package origin

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/hls"
)

// The playlist of low latency ends with the last part that is there, every part
// and segment that it names is there, the one that it hints at is not yet.
func TestLowLatency(t *testing.T) {
	o := newOrigin(t)
	start := Starts(1000)
	for step := range 2 * Parts {
		now := start.Add(time.Duration(step)*Part + 10*time.Millisecond)
		for _, rendition := range []string{"v360", "v720", "a48"} {
			folder := "/live/ll/" + rendition + "/"
			text := string(get(t, o, folder+"index.m3u8", now))
			list, err := hls.Parse("https://lab.example"+folder+"index.m3u8", []byte(text))
			if err != nil || list.Media == nil || len(list.Faults()) > 0 {
				t.Fatalf("%v\n%s", err, text)
			}
			var parts, whole int
			for line := range strings.Lines(text) {
				switch {
				case strings.HasPrefix(line, "#EXT-X-PART:"):
					parts++
					get(t, o, folder+quoted(line), now)
				case !strings.HasPrefix(line, "#"):
					whole++
					get(t, o, folder+strings.TrimSpace(line), now)
				case strings.HasPrefix(line, "#EXT-X-PRELOAD-HINT:"):
					name := folder + quoted(line)
					if _, err := o.Object(name, now); !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("%s is there too early: %v", name, err)
					}
					at, err := o.Ready(name, nil, now)
					if wait := at.Sub(now); err != nil || wait <= 0 || wait > Part {
						t.Errorf("%s is there in %v, %v", name, wait, err)
					}
					get(t, o, name, at)
				}
			}
			if want := withParts*Parts + step%Parts; parts != want || whole != Window {
				t.Errorf("step %d: %d parts and %d segments, want %d and %d", step, parts, whole, want, Window)
			}
			if n := strings.Count(text, "#EXT-X-RENDITION-REPORT:"); n != 2 || strings.Contains(text, "../"+rendition) {
				t.Errorf("%s reports on %d renditions, want the two others\n%s", rendition, n, text)
			}
			if n := strings.Count(text, "INDEPENDENT=YES"); rendition == "a48" && n != parts || rendition != "a48" && n != withParts+min(step%Parts, 1) {
				t.Errorf("%s: %d of %d parts are independent\n%s", rendition, n, parts, text)
			}
		}
	}
}

func quoted(line string) string {
	_, rest, _ := strings.Cut(line, `URI="`)
	uri, _, _ := strings.Cut(rest, `"`)
	return uri
}

// A segment is its parts, and they begin where the manifest says.
func TestLowLatencyParts(t *testing.T) {
	o := newOrigin(t)
	now := Starts(1010)
	for rendition, ticks := range map[string]int64{"v360": 8192, "a48": 30720} {
		folder := "/live/ll/" + rendition + "/"
		var joined []byte
		for k := range Parts {
			part := get(t, o, fmt.Sprintf("%s1007.%d.m4s", folder, k), now)
			if got, want := decodeTime(part), (1007*Parts+int64(k))*ticks; got != want {
				t.Errorf("%s: part %d begins at %d, want %d", rendition, k, got, want)
			}
			joined = append(joined, part...)
		}
		if whole := get(t, o, folder+"1007.m4s", now); string(whole) != string(joined) {
			t.Errorf("%s: the segment has %d bytes, its parts %d", rendition, len(whole), len(joined))
		}
	}
}

// A playlist waits for what it is asked for, and not for too long.
func TestLowLatencyReady(t *testing.T) {
	o := newOrigin(t)
	now := Starts(1000).Add(10 * time.Millisecond)
	const list = "/live/ll/v360/index.m3u8"
	for _, tc := range []struct {
		name, path string
		query      url.Values
		want       time.Time
		err        bool
	}{
		{"no question", list, nil, time.Time{}, false},
		{"another stream", "/live/cmaf/v360/index.m3u8", url.Values{"_HLS_msn": {"1000"}}, time.Time{}, false},
		{"the segment that is made", list, url.Values{"_HLS_msn": {"1000"}}, Starts(1001), false},
		{"its second part", list, url.Values{"_HLS_msn": {"1000"}, "_HLS_part": {"1"}}, Starts(1000).Add(2 * Part), false},
		{"one that is there", list, url.Values{"_HLS_msn": {"998"}, "_HLS_part": {"2"}}, Starts(999), false},
		{"far ahead", list, url.Values{"_HLS_msn": {"1003"}}, Starts(1004), true},
		{"no number", list, url.Values{"_HLS_msn": {"x"}}, time.Time{}, false},
		{"a part", "/live/ll/v360/1000.0.m4s", nil, Starts(1000).Add(Part), false},
		{"a part far ahead", "/live/ll/v360/1009.0.m4s", nil, Starts(1009).Add(Part), true},
		{"no part", "/live/ll/v360/1000.3.m4s", nil, time.Time{}, false},
	} {
		if at, err := o.Ready(tc.path, tc.query, now); !at.Equal(tc.want) || errors.Is(err, fs.ErrNotExist) != tc.err {
			t.Errorf("%s: %v, %v; want %v", tc.name, at, err, tc.want)
		}
	}
}
