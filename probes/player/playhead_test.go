package player

import (
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// What the playhead does, reckoned by hand: offsets in milliseconds from when it
// starts, where nothing is ahead of it but 1000 of video.
func TestPlayhead(t *testing.T) {
	type at struct {
		ms    int
		track string // v, a; empty: only the time passes
		from  int    // of what has come
		to    int
		end   bool // nothing follows
		broke bool // something should
	}
	type want struct {
		played, stalled, stalls int
		over                    bool
		end                     int // when it was over
		broke                   bool
	}
	for _, tt := range []struct {
		name          string
		play          int
		empty, resume int
		audio         int // ahead at the start; 0: no such track
		all           []at
		want          want
	}{
		{"all comes in time", 3000, 0, 0, 0, []at{{500, "v", 1000, 2000, false, false}, {1500, "v", 2000, 4000, false, false}, {5000, "", 0, 0, false, false}},
			want{played: 3000, over: true, end: 3000}},
		{"a second too late", 1500, 0, 0, 0, []at{{2000, "v", 1000, 2000, false, false}, {5000, "", 0, 0, false, false}},
			want{played: 1500, stalled: 1000, stalls: 1, over: true, end: 2500}},
		{"two stalls", 3000, 0, 0, 0, []at{{1200, "v", 1000, 2000, false, false}, {2500, "v", 2000, 3000, false, false}, {9000, "", 0, 0, false, false}},
			want{played: 3000, stalled: 500, stalls: 2, over: true, end: 3500}},
		{"too short to be seen", 1500, 0, 0, 0, []at{{1030, "v", 1000, 2000, false, false}, {5000, "", 0, 0, false, false}},
			want{played: 1500, over: true, end: 1530}},
		{"still standing", 3000, 0, 0, 0, []at{{4000, "", 0, 0, false, false}},
			want{played: 1000, stalled: 3000, stalls: 1}},
		{"audio is what is missing", 3000, 0, 0, 400, []at{{300, "v", 1000, 5000, false, false}, {900, "a", 400, 5000, false, false}, {9000, "", 0, 0, false, false}},
			want{played: 3000, stalled: 500, stalls: 1, over: true, end: 3500}},
		{"stops before it is empty", 3000, 300, 0, 0, []at{{1000, "v", 1000, 5000, false, false}, {9000, "", 0, 0, false, false}},
			want{played: 3000, stalled: 300, stalls: 1, over: true, end: 3300}},
		{"goes on when enough is there", 3000, 0, 2000, 0, []at{{1500, "v", 1000, 2000, false, false}, {2500, "v", 2000, 3000, false, false}, {9000, "", 0, 0, false, false}},
			want{played: 2000 + 1000, stalled: 1500, stalls: 1, over: true, end: 4500}},
		{"or all that there is", 3000, 0, 2000, 0, []at{{1500, "v", 1000, 2000, false, false}, {1600, "v", 0, 0, true, false}, {9000, "", 0, 0, false, false}},
			want{played: 2000, stalled: 600, stalls: 1, over: true, end: 2600}},
		{"the end", 3000, 300, 0, 0, []at{{200, "v", 0, 0, true, false}, {9000, "", 0, 0, false, false}},
			want{played: 1000, over: true, end: 1000}},
		{"the end of the longer track", 3000, 0, 0, 700, []at{{200, "v", 0, 0, true, false}, {200, "a", 0, 0, true, false}, {9000, "", 0, 0, false, false}},
			want{played: 1000, over: true, end: 1000}},
		{"a hole is leapt over", 2000, 0, 0, 0, []at{{500, "v", 4000, 9000, false, false}, {9000, "", 0, 0, false, false}},
			want{played: 2000, over: true, end: 2000}},
		{"a hole in both tracks, not in the same place", 2000, 0, 0, 1100, []at{
			{300, "v", 4000, 9000, false, false}, {500, "a", 4200, 9000, false, false}, {9000, "", 0, 0, false, false}},
			want{played: 2000, over: true, end: 2000}},
		{"across a hole that nobody sees", 2000, 0, 0, 0, []at{{500, "v", 1080, 9000, false, false}, {9000, "", 0, 0, false, false}},
			want{played: 2000, over: true, end: 2000}},
		{"breaks off where nothing is left", 3000, 300, 0, 0, []at{{200, "v", 0, 0, false, true}, {9000, "", 0, 0, false, false}},
			want{played: 1000, over: true, end: 1000, broke: true}},
		{"what failed is not met", 800, 0, 0, 0, []at{{200, "v", 0, 0, false, true}, {9000, "", 0, 0, false, false}},
			want{played: 800, over: true, end: 800}},
		{"breaks off in a stall", 3000, 0, 0, 0, []at{{1700, "v", 0, 0, false, true}, {9000, "", 0, 0, false, false}},
			want{played: 1000, stalled: 700, stalls: 1, over: true, end: 1700, broke: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := func(ms int) time.Duration { return time.Duration(ms) * time.Millisecond }
			start := time.Unix(1000, 0)
			tracks := map[string]*holding{run.TrackVideo: {}}
			if tt.audio > 0 {
				tracks[run.TrackAudio] = &holding{end: d(tt.audio)}
			}
			p := &playhead{empty: d(tt.empty), resume: d(tt.resume), want: d(tt.play), at: start, moving: true, tracks: tracks}
			p.hold(run.TrackVideo, 0, d(1000), 0, start)
			for _, a := range tt.all {
				now, track := start.Add(d(a.ms)), map[string]string{"v": run.TrackVideo, "a": run.TrackAudio}[a.track]
				switch {
				case a.track == "":
					p.advance(now)
				case a.end:
					p.finish(track, nil, now)
				case a.broke:
					p.finish(track, failed(run.ErrReset, run.StepSegment, "cut", Moment{}), now)
				default:
					p.hold(track, d(a.from), d(a.to), 0, now)
				}
			}
			if !p.over {
				p.settle(p.at)
			}
			got := want{int(p.played.Milliseconds()), int(p.stalled().Milliseconds()), len(p.stalls), p.over, 0, p.broke != nil}
			if p.over {
				got.end = int(p.at.Sub(start).Milliseconds())
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// Changes of rendition count once the playhead has come to them.
func TestPlayheadSwitches(t *testing.T) {
	start := time.Unix(1000, 0)
	p := &playhead{want: time.Minute, at: start, moving: true, tracks: map[string]*holding{run.TrackVideo: {}}}
	for i, rendition := range []int{0, 0, 1, 1, 0} {
		p.hold(run.TrackVideo, time.Duration(i)*time.Second, time.Duration(i+1)*time.Second, rendition, start)
	}
	for seconds, want := range []int{0, 0, 0, 1, 1, 2} {
		p.advance(start.Add(time.Duration(seconds) * time.Second))
		if got := p.switches(run.TrackVideo); got != want {
			t.Errorf("after %d s %d changes, want %d", seconds, got, want)
		}
	}
}

// A hole where the playhead stands is leapt over by waking when until says so, of a
// clock that only moves by that too.
func TestPlayheadUntil(t *testing.T) {
	start := time.Unix(1000, 0)
	p := &playhead{want: 3 * time.Second, at: start, moving: true, tracks: map[string]*holding{run.TrackVideo: {}}}
	p.hold(run.TrackVideo, 0, time.Second, 0, start)
	now := start.Add(2 * time.Second)
	p.hold(run.TrackVideo, 5*time.Second, 9*time.Second, 0, now)
	for range 10 {
		at, ok := p.until()
		if !ok {
			break
		}
		now = at
		p.advance(now)
	}
	if d := now.Sub(start).Round(time.Millisecond); !p.over || d != 4*time.Second {
		t.Errorf("over: %v, after %v at %v, want to have played 3 s after 4 s", p.over, d, p.head)
	}
}

// What replaces what is held is seen from its start on, or where that is being
// played from its end on.
func TestShows(t *testing.T) {
	at := time.Unix(1000, 0)
	p := &playhead{at: at, moving: true, want: time.Minute, tracks: map[string]*holding{run.TrackVideo: {}}}
	hold := func(from, to, rendition int) {
		p.hold(run.TrackVideo, time.Duration(from)*time.Second, time.Duration(to)*time.Second, rendition, at)
	}
	hold(0, 4, 0)
	hold(4, 8, 0)
	hold(8, 12, 0)
	at = at.Add(time.Second)
	hold(0, 4, 2) // of no use
	hold(4, 8, 1)
	at = at.Add(6 * time.Second) // at 7 s
	hold(8, 12, 2)
	hold(12, 16, 2)
	for at, want := range map[int]int{0: 0, 3: 0, 4: 1, 7: 1, 8: 2, 15: 2} {
		got := -1
		for _, s := range p.tracks[run.TrackVideo].shows {
			if s.from <= time.Duration(at)*time.Second {
				got = s.rendition
			}
		}
		if got != want {
			t.Errorf("%d at %d s, want %d", got, at, want)
		}
	}
	p.advance(at.Add(9 * time.Second))
	if n := p.switches(run.TrackVideo); n != 2 {
		t.Errorf("%d changes, want 2: %v", n, p.tracks[run.TrackVideo].shows)
	}
}

// The first picture has been shown, whatever replaces it.
func TestShowsFirst(t *testing.T) {
	at := time.Unix(1000, 0)
	p := &playhead{at: at, moving: true, want: time.Minute, tracks: map[string]*holding{run.TrackVideo: {}}}
	p.hold(run.TrackVideo, 0, 4*time.Second, 0, at)
	p.hold(run.TrackVideo, 0, 4*time.Second, 1, at)
	p.advance(at.Add(time.Second))
	if n := p.switches(run.TrackVideo); n != 1 {
		t.Errorf("%d changes, want 1: %v", n, p.tracks[run.TrackVideo].shows)
	}
}
