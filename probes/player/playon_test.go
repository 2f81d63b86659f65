package player

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// playOn plays from o as the model, and d on.
func playOn(t testing.TB, o *origin, path string, m *Model, d time.Duration) *Result {
	t.Helper()
	client := fetch.New(fetch.Config{AllowPrivate: true})
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r := Play(ctx, Config{URL: o.URL + path, Client: client, Model: m, PlayOn: d, Timeout: 10 * time.Second})
	if r.Frame == nil {
		return r
	}
	if sum, want := r.Phases.Sum(), ms(r.Frame.Sub(r.Start)); sum < want-0.1 || sum > want+0.1 {
		t.Errorf("phases add up to %v ms, want %v", sum, want)
	}
	return r
}

// pace answers with the file at so many kbit/s.
func pace(kbps float64) rule {
	return func(w http.ResponseWriter, r *http.Request, _ int) bool {
		http.ServeFile(&slowly{ResponseWriter: w, kbps: kbps, start: time.Now()}, r, lab+r.URL.Path)
		return true
	}
}

// slowly is an answer whose bytes go out at a rate.
type slowly struct {
	http.ResponseWriter
	kbps  float64
	start time.Time
	sent  int
}

func (p *slowly) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		piece := b[:min(len(b), 2000)]
		time.Sleep(time.Until(p.start.Add(time.Duration(float64(p.sent+len(piece)) * 8 / p.kbps * float64(time.Millisecond)))))
		m, err := p.ResponseWriter.Write(piece)
		n, p.sent = n+m, p.sent+m
		if err != nil {
			return n, err
		}
		http.NewResponseController(p.ResponseWriter).Flush()
		b = b[m:]
	}
	return n, nil
}

// shorter is a playlist on demand of n of the lab's TS segments, each said to be
// as long as that.
func shorter(n int, length time.Duration) string {
	var b strings.Builder
	b.WriteString("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n")
	for i := range n {
		fmt.Fprintf(&b, "#EXTINF:%.3f,\n/ts/360p/%d.ts?%d\n", length.Seconds(), i%5, i)
	}
	b.WriteString("#EXT-X-ENDLIST\n")
	return b.String()
}

func segmentsOf(r *Result) (n int) {
	for _, s := range r.Steps {
		if s.Name == run.StepSegment && s.Error == "" {
			n++
		}
	}
	return n
}

// played fails the test unless the whole was played, and nothing broke off.
func played(t testing.TB, r *Result, want time.Duration) *Result {
	t.Helper()
	good(t, r)
	if r.Error != "" || r.Played.Media != want {
		t.Fatalf("%s at %s: %s; %v played, want %v: %s", r.Error, r.Step, r.Detail, r.Played.Media, want, names(r))
	}
	return r
}

// A link that is faster than the stream: no stall, and requests rest while the
// buffer is full.
func TestPlayOnFast(t *testing.T) {
	t.Parallel()
	o := newOrigin(t, map[string]string{"/l.m3u8": shorter(40, 400*time.Millisecond)}, nil)
	m := quick(hlsjs)
	m.Buffering.Goal = holds(2 * time.Second)
	r := played(t, playOn(t, o, "/l.m3u8", m, 1500*time.Millisecond), 1500*time.Millisecond)
	if r.Played.Stalls != 0 || r.Played.Stalled != 0 || r.Played.Switches != 0 {
		t.Errorf("%+v, want no stall and no switch", *r.Played)
	}
	// As many of 0.4 s as 3.5 s need, of which 1.5 s were played.
	if n := segmentsOf(r); n != 9 {
		t.Errorf("%d segments, want 9: %s", n, names(r))
	}
	if took := r.End.Sub(*r.Startup); took < 1500*time.Millisecond || took > 2500*time.Millisecond {
		t.Errorf("1.5 s took %v", took)
	}
	if r.Started != 2 || r.Unkept != 0 {
		t.Errorf("%d steps of the start, %d not kept, want 2 and none: %s", r.Started, r.Unkept, names(r))
	}
}
