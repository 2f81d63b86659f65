package player

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

// hls.js asks for media of audio when the video's playlist is there, too, though
// audio's own has come long before.
func TestAudioJoins(t *testing.T) {
	const level = "/cmaf/v360/index.m3u8"
	o := newOrigin(t, nil, map[string]rule{level: status(503, 1)})
	r := press(t, o, "/cmaf/master.m3u8", quick(hlsjs), run.App{})
	good(t, r)
	again := o.find(t, level, 2).end
	for _, path := range []string{"/cmaf/a48/init.mp4", "/cmaf/a48/0.m4s"} {
		if at := o.find(t, path, 1).begin; at.Before(again) {
			t.Errorf("%s is asked for %v before the video's playlist is there", path, again.Sub(at))
		}
	}
	if list := o.find(t, "/cmaf/a48/index.m3u8", 1).end; list.After(o.find(t, level, 2).begin) {
		t.Error("audio's playlist has waited")
	}
}

// hls.js tries segments again at a beat of its timer, which begins with the first
// request for a level's playlist; playlists it does not wait with.
func TestBeat(t *testing.T) {
	const playlist, segment = "/cmaf/v360/index.m3u8", "/cmaf/v360/0.m4s"
	m := quick(hlsjs)
	m.Tick = &Tick{Period: 70 * time.Millisecond}
	o := newOrigin(t, nil, map[string]rule{playlist: status(503, 1), segment: status(503, 2)})
	r := pressExactly(t, o, "/cmaf/master.m3u8", m, run.App{})
	good(t, r)
	from, waits := -1.0, 0
	for i, s := range r.Steps {
		if from < 0 && s.Name == run.StepPlaylist && s.Track == run.TrackVideo {
			from = s.StartMs
		}
		if s.Name != run.WaitRetry {
			continue
		}
		length, beats := s.EndMs-s.StartMs, (s.EndMs-from)/70
		if waits++; waits == 1 {
			if math.Abs(length-10) > 0.01 {
				t.Errorf("the playlist waits %v ms", length)
			}
			continue
		}
		if least := []float64{10, 20}[waits-2]; length < least || length > least+70 || math.Abs(beats-math.Round(beats)) > 1.0/70 {
			t.Errorf("step %d waits %v ms, until %v beats", i, length, beats)
		}
	}
	if waits != 3 {
		t.Errorf("%d waits", waits)
	}
	s := &session{model: m, tickFrom: time.Unix(1, 0)}
	for track, want := range map[string]time.Duration{run.TrackVideo: 80 * time.Millisecond, run.TrackAudio: 150 * time.Millisecond} {
		if got := s.toBeat(track, time.Unix(1, 60e6), 30*time.Millisecond); got != want {
			t.Errorf("%s after %v, want %v", track, got, want)
		}
	}
}

// With hls.js a segment is given up when its initialization segment fails, and both
// are asked for again; with Shaka only what has failed is.
func TestInitFails(t *testing.T) {
	const init, segment = "/cmaf/v360/init.mp4", "/cmaf/v360/0.m4s"
	for _, tt := range []struct {
		model *Model
		want  int
	}{{hlsjs, 2}, {shaka, 1}} {
		o := newOrigin(t, nil, map[string]rule{init: func(w http.ResponseWriter, r *http.Request, n int) bool {
			time.Sleep(50 * time.Millisecond)
			return status(503, 1)(w, r, n)
		}, segment: delay(150 * time.Millisecond)})
		m := quick(tt.model)
		r := pressExactly(t, o, "/cmaf/master.m3u8", m, run.App{Set: map[string]float64{"start_kbps": 430}})
		good(t, r)
		asked, given := 0, 0
		for _, s := range r.Steps {
			if strings.HasSuffix(s.URL, segment) {
				if asked++; s.Status == 0 {
					given++
				}
			}
		}
		if asked != tt.want || given != tt.want-1 || r.Height != 360 {
			t.Errorf("%s: asked %d times for the segment, and gave up %d; %dp", tt.model, asked, given, r.Height)
		}
		if tt.want == 2 && o.find(t, segment, 2).begin.Before(o.find(t, init, 1).end.Add(10*time.Millisecond)) {
			t.Error("the segment does not wait for the further try")
		}
	}
}

// An answer that was cut off is completed where a browser's cache would do so, and
// begun anew where it would not; the picture is the same.
func TestRest(t *testing.T) {
	const segment = "/cmaf/v360/0.m4s"
	old := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
	body, err := os.ReadFile(lab + segment)
	if err != nil {
		t.Fatal(err)
	}
	half := len(body) / 2
	// Twice it ends before the end: at half of it, then at half of what is missing.
	broken := func(header string, parts bool) rule {
		return func(w http.ResponseWriter, r *http.Request, n int) bool {
			name, value, _ := strings.Cut(header, ": ")
			if w.Header().Set(name, value); parts {
				w.Header().Set("Accept-Ranges", "bytes")
			}
			from := 0
			if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil && !parts {
				t.Errorf("Range %s", r.Header.Get("Range"))
			}
			if n != 1 && n != 3 {
				http.ServeContent(w, r, "x.m4s", time.Time{}, bytes.NewReader(body))
				return true
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(body)-from))
			if from > 0 {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(body)-1, len(body)))
				w.WriteHeader(http.StatusPartialContent)
			}
			w.Write(body[from : from+(len(body)-from)/2])
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
	}
	to := fmt.Sprint("-", len(body)-1)
	next := half + (len(body)-half)/2
	parts, whole := fmt.Sprintf("  bytes=%d-%d bytes=%d%s bytes=%d-%d bytes=%d%s", half, half, half, to, next, next, next, to), "  "
	for _, tt := range []struct {
		name  string
		model *Model
		rule  rule
		want  string
	}{
		{"a strong tag", dashjs, broken(`ETag: "1"`, true), parts},
		{"changed long ago", dashjs, broken("Last-Modified: "+old, true), parts},
		{"a weak tag", dashjs, broken(`ETag: W/"1"`, true), whole},
		{"no parts", dashjs, broken(`ETag: "1"`, false), whole},
		{"not a browser", exoplayer, broken(`ETag: "1"`, true), whole},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			manifest := "/cmaf/manifest-timeline.mpd"
			o := newOrigin(t, nil, map[string]rule{segment: tt.rule})
			r := press(t, o, manifest, quick(tt.model), run.App{Set: map[string]float64{"start_kbps": 430}})
			good(t, r)
			got := ""
			o.mu.Lock()
			for _, s := range o.log {
				if s.path == segment {
					got += " " + s.rng
				}
			}
			o.mu.Unlock()
			if got != tt.want {
				t.Errorf("asked for %q, want %q", got, tt.want)
			}
			if r.Height != 360 {
				t.Errorf("%dp", r.Height)
			}
		})
	}
}

// Shaka gives a segment up only after one more delay, also where it has no other
// rendition to go to: of audio it has none.
func TestHesitates(t *testing.T) {
	const sound = "/cmaf/a48/0.m4s"
	o := newOrigin(t, nil, map[string]rule{sound: status(404, 9), "/cmaf/v360/0.m4s": delay(time.Second), "/cmaf/v720/0.m4s": delay(time.Second)})
	m := quick(shaka)
	m.Failover.Delay = 300 * time.Millisecond
	r := pressExactly(t, o, "/cmaf/master.m3u8", m, run.App{})
	bad(t, r, run.ErrHTTP4xx, run.StepSegment)
	if n := strings.Count(strings.Join(o.paths(), " "), sound); n != 2 {
		t.Errorf("%d tries", n)
	}
	if gone := r.End.Sub(o.find(t, sound, 2).end); gone != 300*time.Millisecond {
		t.Errorf("failed %v after the last try", gone)
	}
}

// slowStatus answers the first two requests with a status after 100 ms, and others
// not at all.
func slowStatus(code int) rule {
	return func(w http.ResponseWriter, r *http.Request, n int) bool {
		if n > 2 {
			return hang(n)(w, r, n)
		}
		time.Sleep(100 * time.Millisecond)
		w.WriteHeader(code)
		return true
	}
}

// With Shaka audio that has failed is asked for once more when video goes over to
// another rendition before audio's failure counts. That failure ends the run, not
// one of video that would come later.
func TestHesitatesBeside(t *testing.T) {
	const sound, low, high = "/cmaf/a48/0.m4s", "/cmaf/v360/0.m4s", "/cmaf/v720/0.m4s"
	for _, tt := range []struct {
		name  string
		rules map[string]rule
		tries int // of audio
	}{
		{"video first", map[string]rule{sound: slowStatus(404), low: status(404, 9), high: delay(time.Second)}, 3},
		{"audio first", map[string]rule{sound: status(404, 9), low: slowStatus(404), high: delay(time.Second)}, 2},
	} {
		o := newOrigin(t, nil, tt.rules)
		m := quick(shaka)
		m.Failover.Delay = 300 * time.Millisecond
		r := bad(t, pressExactly(t, o, "/cmaf/master.m3u8", m, run.App{Set: map[string]float64{"start_kbps": 430}}), run.ErrHTTP4xx, run.StepSegment)
		if n := strings.Count(strings.Join(o.paths(), " "), sound); n != tt.tries || !strings.Contains(r.Detail, sound) {
			t.Errorf("%s: audio is asked for %d times, want %d; failed: %s", tt.name, n, tt.tries, r.Detail)
		}
	}
}

// What has failed is not taken again when enough is measured.
func TestBest(t *testing.T) {
	l := &ladder{renditions: []Rendition{{Kbps: 800}, {Kbps: 5300}, {Kbps: 2400}}, failed: []bool{true, false, false}}
	for kbps, want := range map[float64]int{900: 2, 2500: 2, 2600: 2, 5500: 2, 5600: 1} {
		if got := l.best(shaka.Start, kbps); got != want {
			t.Errorf("with %v kbit/s rendition %d, want %d", kbps, got, want)
		}
	}
	l.failed = []bool{true, true, true}
	if l.at = 1; l.best(shaka.Start, 900) != 1 {
		t.Error("with none left another is taken")
	}
}

// breaking is a server whose answers give so many bytes of a part, and then break off.
type breaking int64

func (b breaking) Do(_ context.Context, r fetch.Request) *fetch.Exchange {
	now := time.Now()
	return &fetch.Exchange{Start: now, FirstByte: now, End: now, Status: http.StatusPartialContent, Bytes: int64(b),
		Err: &fetch.Error{Type: run.ErrReset, Detail: "cut"}}
}

// Of an answer's rest nothing is taken for there that was not kept, and nothing
// asked for when all of it has come.
func TestRestOfRest(t *testing.T) {
	for _, tt := range []struct {
		name string
		came int64
		step func(*session, ask) error
		want *fetch.Range
	}{
		{"some of it", 20, rest, &fetch.Range{Offset: 120, Length: 30}},
		{"all of it", 50, rest, nil},
		{"more than that", 60, rest, nil},
		{"the first byte, to see whether it is given", 1, func(s *session, a ask) error {
			_, _, err := s.resume(t.Context(), a, Policy{}, 2, s.pressed())
			return err
		}, nil},
	} {
		s := &session{cfg: Config{Client: breaking(tt.came)}, model: hlsjs, start: time.Now()}
		var f *failure
		if err := tt.step(s, ask{name: run.StepSegment, url: "http://a.example/s", rest: &fetch.Range{Offset: 100, Length: 50}}); !errors.As(err, &f) {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, f.rest); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// rest asks for what is missing.
func rest(s *session, a ask) error {
	a.rng = a.rest
	_, err := s.exchange(context.Background(), a, Policy{}, a.url, 2, s.pressed())
	return err
}

// A choice after a failure counts as one by what was measured.
func TestFailOverChooses(t *testing.T) {
	s := &session{model: quick(shaka), gauge: shaka.Meter.gauge(nil), ladder: &ladder{renditions: []Rendition{{Kbps: 800}, {Kbps: 400}}, failed: make([]bool, 2)}}
	s.model.Failover.Delay = 0
	s.gauge.chosen = time.Unix(1, 0)
	at := Moment{time.Unix(9, 0), 3}
	if after, ok := s.failOver(t.Context(), failed(run.ErrHTTP4xx, run.StepSegment, "404", at)); !ok || after != at || s.ladder.at != 1 || !s.gauge.chosen.Equal(at.At) {
		t.Errorf("goes over to %d: %v, at %v; chosen at %v", s.ladder.at, ok, after, s.gauge.chosen)
	}
}
