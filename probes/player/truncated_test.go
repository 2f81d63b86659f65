package player

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// brokenOff gives so many bytes of b, says that all of them come, and breaks off.
func brokenOff(b []byte, n int) rule {
	return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		_, _ = w.Write(b[:n])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// lacking is a segment whose media end n bytes before its samples do.
func lacking(t *testing.T, segment []byte, n int) []byte {
	t.Helper()
	b := bytes.Clone(segment[:len(segment)-n])
	at := bytes.Index(b, []byte("mdat")) - 4
	if at < 0 {
		t.Fatal("no mdat")
	}
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at))
	return b
}

// What has come of a segment that breaks off, or lacks its end, shows where it
// holds the first frame and the model does not want more, whether what it takes to
// read it comes before or after.
func TestTruncated(t *testing.T) {
	const late = 200 * time.Millisecond
	key := []byte("0123456789abcdef")
	sound, pictures, ts := labFile(t, "/cmaf/a48/0.m4s"), labFile(t, "/cmaf/v360/0.m4s"), sealed(t, key, labFile(t, "/ts/360p/0.ts"))
	const (
		soundMap = "#EXT-X-MAP:URI=\"/cmaf/a48/init.mp4\"\n"
		videoMap = "#EXT-X-MAP:URI=\"/cmaf/v360/init.mp4\"\n"
		keyed    = "#EXT-X-KEY:METHOD=AES-128,URI=\"/key\",IV=0x0\n"
	)
	for _, tt := range []struct {
		name, tag, need string
		segment         rule
		model           *Model
		typ             run.ErrorType
		step            run.StepName
	}{
		{"sound", soundMap, "/cmaf/a48/init.mp4", brokenOff(sound, len(sound)-1), ideal, "", ""},
		{"sound, before its first frame ends", soundMap, "/cmaf/a48/init.mp4", brokenOff(sound, 500), ideal, run.ErrSegmentTruncated, run.StepSegment},
		{"sound whose media lack their end", soundMap, "/cmaf/a48/init.mp4", answer200(lacking(t, sound, 100)), ideal, "", ""},
		{"pictures", videoMap, "/cmaf/v360/init.mp4", brokenOff(pictures, len(pictures)-1), ideal, "", ""},
		{"pictures, before the first ends", videoMap, "/cmaf/v360/init.mp4", brokenOff(pictures, 2000), ideal, run.ErrSegmentTruncated, run.StepSegment},
		{"pictures that show when all are there", videoMap, "/cmaf/v360/init.mp4", brokenOff(pictures, len(pictures)-1), hlsjs, run.ErrSegmentTruncated, run.StepSegment},
		{"the same whose media lack their end", videoMap, "/cmaf/v360/init.mp4", answer200(lacking(t, pictures, 100)), hlsjs, run.ErrSegmentTruncated, run.StepSegment},
		{"under a key", keyed, "/key", brokenOff(ts, len(ts)-1), ideal, "", ""},
		{"under a key that fails", keyed, "/key", brokenOff(ts, len(ts)-1), ideal, run.ErrHTTP4xx, run.StepKey},
		{"with an initialization segment that fails", soundMap, "/cmaf/a48/init.mp4", brokenOff(sound, len(sound)-1), ideal, run.ErrHTTP4xx, run.StepInit},
	} {
		for order, wait := range map[string][2]time.Duration{"before": {0, late}, "after": {late, 0}} {
			t.Run(tt.name+", "+order, func(t *testing.T) {
				t.Parallel()
				need := func(w http.ResponseWriter, r *http.Request, n int) bool {
					time.Sleep(wait[0])
					switch {
					case tt.typ == run.ErrHTTP4xx:
						return status(404, 9)(w, r, n)
					case tt.tag == keyed:
						return answer200(key)(w, r, n)
					}
					return false
				}
				segment := func(w http.ResponseWriter, r *http.Request, n int) bool {
					time.Sleep(wait[1])
					return tt.segment(w, r, n)
				}
				list := "#EXTM3U\n#EXT-X-TARGETDURATION:2\n" + tt.tag + "#EXTINF:1.92,\n/s\n#EXT-X-ENDLIST\n"
				o := newOrigin(t, map[string]string{"/l.m3u8": list}, map[string]rule{"/s": segment, tt.need: need})
				r := press(t, o, "/l.m3u8", calm(tt.model), run.App{})
				if tt.typ != "" {
					bad(t, r, tt.typ, tt.step)
					return
				}
				good(t, r)
				if at := r.Frame.Sub(r.Start); at < late || r.Error != "" {
					t.Errorf("%q, the first frame after %v", r.Error, at)
				}
			})
		}
	}
}

// A segment that its initialization segment shows to be none says so, wherever it
// has come to by then.
func TestSpoilt(t *testing.T) {
	broken := labFile(t, "/cmaf/v360/0.m4s")
	binary.BigEndian.PutUint32(broken[bytes.Index(broken, []byte("trun"))-4:], 12)
	for name, segment := range map[string]rule{
		"whole": answer200(broken),
		"on its way": func(w http.ResponseWriter, r *http.Request, _ int) bool {
			_, _ = w.Write(broken[:len(broken)-1])
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list := "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"/cmaf/v360/init.mp4\"\n#EXTINF:1.92,\n/s\n#EXT-X-ENDLIST\n"
			o := newOrigin(t, map[string]string{"/l.m3u8": list}, map[string]rule{"/s": segment, "/cmaf/v360/init.mp4": delay(200 * time.Millisecond)})
			bad(t, press(t, o, "/l.m3u8", calm(ideal), run.App{}), run.ErrMediaInvalid, run.StepSegment)
		})
	}
}

// Nothing is waited for where what has come can show nothing.
func TestTruncatedAtOnce(t *testing.T) {
	segment := labFile(t, "/cmaf/v360/0.m4s")
	const mapped, keyed = "#EXT-X-MAP:URI=\"/i\"\n", "#EXT-X-KEY:METHOD=AES-128,URI=\"/i\",IV=0x0\n"
	last := *ideal
	last.Key = KeyLast
	for _, tt := range []struct {
		name, tag string
		model     *Model
		rule      rule
		typ       run.ErrorType
	}{
		{"nothing has come", mapped, ideal, status(404, 9), run.ErrHTTP4xx},
		{"it is none", mapped, ideal, answer200(bytes.Repeat([]byte("\x13\x37garbage"), 99)), run.ErrMediaInvalid},
		{"the model wants it whole", mapped, hlsjs, brokenOff(segment, len(segment)-1), run.ErrSegmentTruncated},
		{"its key would come behind it", keyed, &last, brokenOff(segment, len(segment)-1), run.ErrSegmentTruncated},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			list := "#EXTM3U\n#EXT-X-TARGETDURATION:2\n" + tt.tag + "#EXTINF:1.92,\n/s\n#EXT-X-ENDLIST\n"
			o := newOrigin(t, map[string]string{"/l.m3u8": list}, map[string]rule{"/s": tt.rule, "/i": hang(9)})
			bad(t, press(t, o, "/l.m3u8", calm(tt.model), run.App{}), tt.typ, run.StepSegment)
		})
	}
}

// What is there counts when the time is up: a segment that was cut off by the run's
// own limit fails of that.
func TestAwait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	there := make(chan struct{})
	if err := await(ctx, there); !errors.Is(err, errGivenUp) {
		t.Errorf("what is not there: %v", err)
	}
	close(there)
	for range 100 {
		if err := await(ctx, there); err != nil {
			t.Fatalf("what is there: %v", err)
		}
	}
}
