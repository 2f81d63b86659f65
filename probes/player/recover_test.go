package player

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
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
	r := press(t, o, "/cmaf/master.m3u8", m, run.App{})
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
}

// Shaka gives a segment up only after one more delay, also where it has no other
// rendition to go to: of audio it has none.
func TestHesitates(t *testing.T) {
	const sound = "/cmaf/a48/0.m4s"
	o := newOrigin(t, nil, map[string]rule{sound: status(404, 9), "/cmaf/v360/0.m4s": delay(time.Second), "/cmaf/v720/0.m4s": delay(time.Second)})
	m := quick(shaka)
	m.Failover.Delay = 300 * time.Millisecond
	r := press(t, o, "/cmaf/master.m3u8", m, run.App{})
	bad(t, r, run.ErrHTTP4xx, run.StepSegment)
	if n := strings.Count(strings.Join(o.paths(), " "), sound); n != 2 {
		t.Errorf("%d tries", n)
	}
	if gone := r.End.Sub(o.find(t, sound, 2).end); gone < 290*time.Millisecond || gone > 900*time.Millisecond {
		t.Errorf("failed %v after the last try", gone)
	}
}
