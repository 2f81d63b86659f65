package probes_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/bundle"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/tape"
)

// channel is a live channel of segments of two seconds that began at began: the
// same five of the lab's over and over. Its server's clock is off by skew.
type channel struct {
	began time.Time
	skew  time.Duration
}

func (c *channel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now().Add(c.skew)
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	last := int(now.Sub(c.began)/(2*time.Second)) - 1 // the newest whole segment
	switch name := r.URL.Path; {
	case name == "/live.m3u8":
		var b strings.Builder
		first := max(0, last-5)
		at := c.began.Add(time.Duration(first) * 2 * time.Second)
		fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:%d\n#EXT-X-PROGRAM-DATE-TIME:%s\n", first, at.UTC().Format("2006-01-02T15:04:05.000Z"))
		for i := first; i <= last; i++ {
			fmt.Fprintf(&b, "#EXTINF:2,\n%d.ts\n", i)
		}
		w.Write([]byte(b.String()))
	case name == "/live.mpd":
		fmt.Fprintf(w, `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime="%s" minimumUpdatePeriod="PT2S" timeShiftBufferDepth="PT20S" profiles="urn:mpeg:dash:profile:isoff-live:2011">`+
			`<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time"/><Period id="1" start="PT0S"><AdaptationSet contentType="video" mimeType="video/mp4"><SegmentTemplate duration="2" startNumber="0" initialization="init.mp4" media="$Number$.m4s"/>`+
			`<Representation id="v" bandwidth="400000" codecs="avc1.64001e"/></AdaptationSet></Period></MPD>`, c.began.UTC().Format(time.RFC3339Nano))
	case name == "/time":
		fmt.Fprint(w, now.UTC().Format(time.RFC3339Nano))
	case name == "/init.mp4":
		http.ServeFile(w, r, filepath.Join(media, "cmaf/v360/init.mp4"))
	default:
		var n int
		var ext string
		if _, err := fmt.Sscanf(strings.ReplaceAll(name, ".", " "), "/%d %s", &n, &ext); err != nil || n > last {
			http.NotFound(w, r)
			return
		}
		http.ServeFile(w, r, filepath.Join(media, map[string]string{"ts": "ts/360p", "m4s": "cmaf/v360"}[ext], fmt.Sprintf("%d.%s", n%5, ext)))
	}
}

// A live run that is played again a while later asks for the same segments, and
// is as far behind the live edge as it was: the clock is that of then.
func TestReplayLive(t *testing.T) {
	for _, tt := range []struct {
		name, path, player string
		skew               time.Duration
	}{
		{"HLS", "/live.m3u8", "hlsjs", 0},
		{"HLS, a clock ahead", "/live.m3u8", "shaka", 30 * time.Second},
		{"DASH", "/live.mpd", "dashjs", 0},
		{"DASH, a clock behind", "/live.mpd", "shaka", -25 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := server(t, &channel{began: time.Now().Add(-time.Minute), skew: tt.skew})
			then, b := record(t, spec(srv.URL+tt.path, tt.player, ""))
			must(t, then)
			if then.Mode != "live" || then.LiveLatencyMs == nil {
				t.Fatalf("%s, latency %v", then.Mode, then.LiveLatencyMs)
			}
			srv.Close()
			now := replay(t, then, b)
			same(t, then, now)
			if got := now.Run.LiveLatencyMs; got == nil || math.Abs(*got-*then.LiveLatencyMs) > 10 {
				t.Errorf("a latency of %v ms, was %.1f", got, *then.LiveLatencyMs)
			}
			for i, s := range now.Run.Steps {
				if i < len(then.Steps) && s.URL != then.Steps[i].URL {
					t.Errorf("step %d is %s, was %s", i, s.URL, then.Steps[i].URL)
				}
			}
		})
	}
}

// heavy serves a file with more bytes behind it, which are no other picture.
func heavy(t *testing.T, name string, more []byte) http.HandlerFunc {
	body, err := os.ReadFile(filepath.Join(media, name))
	if err != nil {
		t.Fatal(err)
	}
	return text(string(body) + string(more))
}

// Of large segments beginning and end are kept, and that is enough.
func TestReplayCut(t *testing.T) {
	null := append([]byte{0x47, 0x1f, 0xff, 0x10}, bytes.Repeat([]byte{0xff}, 184)...)
	free := []byte(box(3<<20, "free", strings.Repeat("\x00", 3<<20-8)))
	one := func(init string) string {
		return "#EXTM3U\n#EXT-X-TARGETDURATION:2\n" + init + "#EXTINF:2,\nsegment\n#EXT-X-ENDLIST\n"
	}
	for _, tt := range []struct {
		name, manifest string
		segment        http.HandlerFunc
		fails          run.ErrorType
	}{
		{"TS", one(""), heavy(t, "ts/360p/0.ts", bytes.Repeat(null, 16_000)), ""},
		{"fMP4", one("#EXT-X-MAP:URI=\"init\"\n"), heavy(t, "cmaf/v360/0.m4s", free), ""},
		{"TS without a keyframe", one(""), text(strings.Repeat(string(null), 30_000)), run.ErrNoKeyframe},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.Handle("/m", text(tt.manifest))
			mux.Handle("/init", fromFile("cmaf/v360/init.mp4", 0))
			mux.Handle("/segment", tt.segment)
			then, b := record(t, spec(server(t, mux).URL+"/m", "hlsjs", ""))
			if then.ErrorType != tt.fails {
				t.Fatalf("%s at %s: %s", then.ErrorType, then.ErrorStep, then.ErrorDetail)
			}
			of := slices.IndexFunc(b.Exchanges, func(x bundle.Exchange) bool { return x.Step == run.StepSegment })
			body := b.Exchanges[of].Body
			if !body.Cut || body.Tail != 32 || len(body.Data) > bundle.MaxBody || int64(len(body.Data)) >= body.Size {
				t.Errorf("cut %v, a tail of %d, %d bytes kept of %d", body.Cut, body.Tail, len(body.Data), body.Size)
			}
			same(t, then, replay(t, then, b))
		})
	}
}

// A recorder that may hold little keeps the beginning of each answer. What the
// player would need is then not all there, and that is said.
func TestRecordLittle(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/m", text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n"+strings.Repeat("#EXTINF:2,\nsegment\n", 1000)+"#EXT-X-ENDLIST\n"))
	mux.Handle("/segment", fromFile("ts/360p/0.ts", 0))
	s := spec(server(t, mux).URL+"/m", "hlsjs", "")
	r, rec := probes.Record(context.Background(), s, tape.Limits{Total: 1})
	must(t, r)
	b, err := rec.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range b.Exchanges {
		if !x.Body.Cut || len(x.Body.Data) < 4<<10-20 || len(x.Body.Data) > 4<<10+32 {
			t.Errorf("%s: cut %v, %d bytes kept", x.Step, x.Body.Cut, len(x.Body.Data))
		}
	}
	again := probes.Replay(context.Background(), b)
	want := "all of the 19047 bytes of GET " + s.Target.URL
	if len(again.Missing) != 1 || again.Missing[0] != want || len(again.Changed) == 0 || again.Run.ErrorType != run.ErrInternal {
		t.Errorf("%s, missing %q, want %q; changed %q", again.Run.ErrorType, again.Missing, want, again.Changed)
	}
}

// What is played on is played on again.
func TestReplayPlayOn(t *testing.T) {
	srv := server(t, http.FileServer(http.Dir(media)))
	s := spec(srv.URL+"/ts/master.m3u8", "hlsjs", "")
	s.Target.Play = 3 * time.Second
	then, b := record(t, s)
	must(t, then)
	now := replay(t, then, b)
	same(t, then, now)
	if then.PlayedMs == nil || now.Run.PlayedMs == nil || math.Abs(*then.PlayedMs-*now.Run.PlayedMs) > 100 || *then.Stalls != *now.Run.Stalls {
		t.Errorf("played %v with %v stalls, was %v with %v", now.Run.PlayedMs, now.Run.Stalls, then.PlayedMs, then.Stalls)
	}
}
