package player

import (
	"math"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// request is a node of a request whose parts are given in milliseconds.
func request(t0 time.Time, name run.StepName, after Moment, startMs, queue, dns, connect, tls, wait, receive float64) *node {
	n := &node{after: after, start: t0.Add(dur(startMs))}
	n.Step = run.Step{Name: name, URL: "http://x/", QueueMs: queue, DNSMs: dns, ConnMs: connect, TLSMs: tls, WaitMs: wait, RecvMs: receive}
	n.end = n.start.Add(dur(queue + dns + connect + tls + wait + receive))
	return n
}

func dur(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

func TestCriticalPath(t *testing.T) {
	t0 := time.Now()
	play := Moment{t0, PressPlay}
	m := request(t0, run.StepManifest, play, 5, 0, 10, 20, 30, 40, 1)              // 5..106
	l := request(t0, run.StepPlaylist, Moment{m.end, 0}, 110, 0, 0, 0, 0, 50, 2)   // 110..162
	vi := request(t0, run.StepInit, Moment{l.end, 1}, 170, 0, 0, 0, 0, 300, 5)     // 170..475
	vs := request(t0, run.StepSegment, Moment{l.end, 1}, 171, 9, 0, 0, 0, 20, 100) // 171..300
	wait := &node{Step: run.Step{Name: run.WaitRetry}, start: vs.end, end: vs.end.Add(dur(1000)), after: Moment{vs.end, 3}}
	again := request(t0, run.StepSegment, Moment{wait.end, 4}, 1300, 0, 0, 0, 0, 25, 75)
	nodes := []*node{m, l, vi, vs, wait, again}

	for _, tt := range []struct {
		name string
		last Moment
		want run.Phases
	}{
		{"the init segment is what is waited for", Moment{vi.end, 2},
			run.Phases{DNSMs: 10, ConnectMs: 20, TLSMs: 30, ManifestMs: 41, PlaylistMs: 52, InitMs: 305, PlayerMs: 5 + 4 + 8}},
		{"a moment within a body", Moment{vs.start.Add(dur(9 + 20 + 33)), 3},
			run.Phases{QueueMs: 9, DNSMs: 10, ConnectMs: 20, TLSMs: 30, ManifestMs: 41, PlaylistMs: 52, SegmentTTFBMs: 20, SegmentMs: 33, PlayerMs: 5 + 4 + 9}},
		{"a moment within the wait for the first byte", Moment{vs.start.Add(dur(9 + 7)), 3},
			run.Phases{QueueMs: 9, DNSMs: 10, ConnectMs: 20, TLSMs: 30, ManifestMs: 41, PlaylistMs: 52, SegmentTTFBMs: 7, PlayerMs: 5 + 4 + 9}},
		{"a retry's failed attempt and delay count", Moment{again.end, 5},
			run.Phases{QueueMs: 9 + 1000, DNSMs: 10, ConnectMs: 20, TLSMs: 30, ManifestMs: 41, PlaylistMs: 52, SegmentTTFBMs: 45, SegmentMs: 175, PlayerMs: 5 + 4 + 9}},
		{"after the last byte the player works", Moment{vs.end.Add(dur(40)), 3},
			run.Phases{QueueMs: 9, DNSMs: 10, ConnectMs: 20, TLSMs: 30, ManifestMs: 41, PlaylistMs: 52, SegmentTTFBMs: 20, SegmentMs: 100, PlayerMs: 5 + 4 + 9 + 40}},
		{"nothing was asked for", Moment{t0.Add(dur(3)), PressPlay}, run.Phases{PlayerMs: 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := criticalPath(nodes, t0, tt.last)
			if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-6 })); diff != "" {
				t.Errorf("phases (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever the steps and whatever waits for what, the phases add up to the
// time from press play to the moment.
func TestCriticalPathIsAPartition(t *testing.T) {
	names := append([]run.StepName{run.WaitRetry, run.WaitLive, run.WaitPlayer}, run.StepNames...)
	rapid.Check(t, func(t *rapid.T) {
		t0 := time.Now()
		var nodes []*node
		moments := []Moment{{t0, PressPlay}}
		for i := range rapid.IntRange(1, 12).Draw(t, "steps") {
			after := rapid.SampledFrom(moments).Draw(t, "after")
			part := rapid.Float64Range(0, 500)
			start := ms(after.At.Sub(t0)) + part.Draw(t, "think")
			n := request(t0, rapid.SampledFrom(names).Draw(t, "name"), after, start,
				part.Draw(t, "queue"), part.Draw(t, "dns"), part.Draw(t, "connect"), part.Draw(t, "tls"), part.Draw(t, "wait"), part.Draw(t, "receive"))
			nodes = append(nodes, n)
			within := time.Duration(rapid.Float64Range(0, 1).Draw(t, "within") * float64(n.end.Sub(n.start)))
			moments = append(moments, Moment{n.end, i}, Moment{n.start.Add(within), i})
		}
		last := rapid.SampledFrom(moments).Draw(t, "last")
		got, want := criticalPath(nodes, t0, last).Sum(), ms(last.At.Sub(t0))
		if math.Abs(got-want) > 0.01 {
			t.Fatalf("phases add up to %v ms, want %v", got, want)
		}
	})
}
