package player

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// ladderOf are renditions of these bandwidths, in kbit/s.
func ladderOf(kbps ...float64) (all []Rendition) {
	for _, k := range kbps {
		all = append(all, Rendition{Kbps: k})
	}
	return all
}

// What each player asks for next, of renditions of 800, 2400 and 5000 kbit/s
// whose segments are of 4 s.
func TestNext(t *testing.T) {
	three := ladderOf(800, 2400, 5000)
	for _, tt := range []struct {
		model *Model
		name  string
		at    int
		kbps  float64
		ahead time.Duration
		live  bool
		want  int
	}{
		{hlsjs, "up only with 0.7 of the bandwidth", 0, 3400, 20 * time.Second, false, 0},
		{hlsjs, "which it is", 0, 3500, 20 * time.Second, false, 1},
		{hlsjs, "stays with 0.95", 1, 2600, 20 * time.Second, false, 1},
		{hlsjs, "and not with less", 1, 2500, 20 * time.Second, false, 0},
		{hlsjs, "two up at once", 0, 7200, 20 * time.Second, false, 2},
		{hlsjs, "not where the segment comes too late", 0, 3500, 3 * time.Second, false, 0},
		{hlsjs, "live it does not ask", 0, 3500, 3 * time.Second, true, 1},
		{hlsjs, "a wait of one segment at most", 1, 2600, time.Second, false, 1},
		{hlsjs, "nothing is carried", 2, 500, 20 * time.Second, false, 0},
		{hlsjs, "the last has failed", -1, 5400, 20 * time.Second, false, 1},
		{dashjs, "0.9 of the bandwidth", 0, 2700, 10 * time.Second, false, 1},
		{dashjs, "and not with less", 0, 2600, 10 * time.Second, false, 0},
		{dashjs, "no more than comes before the buffer is empty", 1, 2700, 4 * time.Second, false, 0},
		{dashjs, "nothing is ahead", 2, 9000, 200 * time.Millisecond, false, 0},
		{dashjs, "a long buffer keeps what the bandwidth does not carry", 1, 2000, 17 * time.Second, false, 1},
		{dashjs, "and goes no higher than that", 1, 2700, 17 * time.Second, false, 1},
		{dashjs, "or higher where it does carry it", 1, 6000, 18 * time.Second, false, 2},
		{exoplayer, "up with 0.7 and 10 s", 0, 3500, 10 * time.Second, false, 1},
		{exoplayer, "not with less ahead", 0, 3500, 9 * time.Second, false, 0},
		{exoplayer, "down", 2, 3500, 24 * time.Second, false, 1},
		{exoplayer, "not with 25 s ahead", 2, 3500, 25 * time.Second, false, 2},
		{avplayer, "what is carried", 0, 2400, 0, false, 1},
	} {
		next := tt.model.Buffering.Next()
		p := Playing{Renditions: three, At: tt.at, Kbps: tt.kbps, Ahead: tt.ahead, Live: tt.live, Segment: 4 * time.Second, Segments: 9, FirstByte: 40 * time.Millisecond}
		if got := next(p); got != tt.want {
			t.Errorf("%s, %s: %d, want %d", tt.model, tt.name, got, tt.want)
		}
	}
}

// InsufficientBufferRule goes by the buffer once two segments are there.
func TestDashjsIgnores(t *testing.T) {
	for segments, want := range []int{1, 1, 0, 0} {
		p := Playing{Renditions: ladderOf(800, 2400), At: 0, Kbps: 3000, Ahead: 1900 * time.Millisecond, Segment: 4 * time.Second, Segments: segments}
		if got := new(dashjsRules).next(p); got != want {
			t.Errorf("after %d segments %d, want %d", segments, got, want)
		}
	}
}

// BOLA takes the place of the throughput from 12 s on, and leaves it below 6.
func TestDashjsChanges(t *testing.T) {
	d := new(dashjsRules)
	for i, tt := range []struct {
		ahead time.Duration
		bola  bool
	}{{11 * time.Second, false}, {12 * time.Second, true}, {7 * time.Second, true}, {5 * time.Second, false}, {11 * time.Second, false}} {
		d.next(Playing{Renditions: ladderOf(800, 2400), At: 0, Kbps: 3000, Ahead: tt.ahead, Segment: 4 * time.Second})
		if d.bola != tt.bola {
			t.Errorf("%d: with %v ahead %v, want %v", i, tt.ahead, d.bola, tt.bola)
		}
	}
}

// How much each player wants to hold.
func TestGoal(t *testing.T) {
	two := ladderOf(800, 5000)
	for _, tt := range []struct {
		model *Model
		p     Playing
		audio bool
		want  time.Duration
	}{
		{hlsjs, Playing{At: 1}, false, 96 * time.Second}, // 60 MB
		{hlsjs, Playing{At: 0}, false, 600 * time.Second},
		{hlsjs, Playing{Renditions: ladderOf(0), At: 0}, false, 30 * time.Second},
		{shaka, Playing{At: 1}, false, 10 * time.Second},
		{shaka, Playing{At: 1, Ahead: 3 * time.Second, Segment: 4 * time.Second}, true, 7 * time.Second},
		{dashjs, Playing{At: 0}, false, 18 * time.Second},
		{dashjs, Playing{At: 1, Length: 599 * time.Second}, false, 30 * time.Second},
		{dashjs, Playing{At: 1, Length: time.Hour}, false, 60 * time.Second},
		{dashjs, Playing{At: 1, Ahead: 7 * time.Second}, true, 8 * time.Second},
		{exoplayer, Playing{}, true, 50 * time.Second},
		{ideal, Playing{}, false, 30 * time.Second},
	} {
		if tt.p.Renditions == nil {
			tt.p.Renditions = two
		}
		if got := tt.model.Buffering.goal(tt.p, tt.audio); got != tt.want {
			t.Errorf("%s, %+v, audio %v: %v, want %v", tt.model, tt.p, tt.audio, got, tt.want)
		}
	}
}

// The lower of two averages: it falls at once, and rises slowly. What the first
// byte takes counts as far as it is unusual, or not at all.
func TestAverages(t *testing.T) {
	near := func(got, want float64) bool { return math.Abs(got-want) < want/1000 }
	a := &averages{fast: 3 * time.Second, slow: 9 * time.Second, weight: 1}
	if a.Kbps() != 0 || a.FirstByte() != 100*time.Millisecond {
		t.Errorf("%v kbit/s and %v before anything is measured", a.Kbps(), a.FirstByte())
	}
	a.Sample(100*time.Millisecond, time.Second, 500_000) // as long as usual
	if !near(a.Kbps(), 4000) {
		t.Errorf("%v kbit/s, want 4000", a.Kbps())
	}
	a.Sample(100*time.Millisecond, time.Second, 125_000)
	// Of two samples of 1 s the later one weighs 1 and the other 2^(-1/3).
	if want := (4000*math.Exp2(-1./3) + 1000) / (math.Exp2(-1./3) + 1); !near(a.Kbps(), want) {
		t.Errorf("%v kbit/s, want %v", a.Kbps(), want)
	}
	b := &averages{fast: 3 * time.Second, slow: 9 * time.Second, weight: 1}
	b.Sample(600*time.Millisecond, 500*time.Millisecond, 125_000) // the first is as long as usual
	if !near(b.Kbps(), 2000) || b.FirstByte() != 600*time.Millisecond {
		t.Errorf("%v kbit/s after %v, want 2000 after 600 ms", b.Kbps(), b.FirstByte())
	}
	// Its own class says so (sampleTTFB, getEstimateTTFB, sample and getEstimate of
	// utils/ewma-bandwidth-estimator.ts in 1.7.4, in this order).
	b.Sample(100*time.Millisecond, 500*time.Millisecond, 125_000)
	b.Sample(900*time.Millisecond, 500*time.Millisecond, 125_000)
	if !near(b.Kbps(), 1519.04) || math.Abs(ms(b.FirstByte())-487.735) > 0.1 {
		t.Errorf("%v kbit/s after %v", b.Kbps(), b.FirstByte())
	}
	quick := &averages{fast: 3 * time.Second, slow: 9 * time.Second, weight: 1}
	quick.Sample(time.Millisecond, time.Millisecond, 1_000_000) // from a cache: 10 ms at least
	if quick.Sample(0, 0, 0); !near(quick.Kbps(), 800_000) {
		t.Errorf("%v kbit/s, want 800 000", quick.Kbps())
	}
	late := &averages{fast: 3 * time.Second, slow: 9 * time.Second, weight: 1}
	late.Sample(9500*time.Millisecond, 500*time.Millisecond, 125_000) // weighs too little to count as usual
	if late.FirstByte() != 100*time.Millisecond {
		t.Errorf("the first byte takes %v after one that took 9.5 s, want 100 ms", late.FirstByte())
	}
	c := &averages{fast: 3 * time.Second, slow: 8 * time.Second, weight: 1.5, transfer: true}
	c.Sample(600*time.Millisecond, 500*time.Millisecond, 125_000)
	if !near(c.Kbps(), 2000) {
		t.Errorf("%v kbit/s, want 2000", c.Kbps())
	}
}

// The middle of the samples, weighted by the root of their bytes, once there are
// enough, and of the last.
func TestMedian(t *testing.T) {
	var m median
	m.Sample(0, 100*time.Millisecond, 400_000) // 32 Mbit/s, weight 632
	if m.Kbps() != 0 {
		t.Errorf("%v kbit/s of 400 kB in 0.1 s: too little to know", m.Kbps())
	}
	m.Sample(0, time.Second, 1_000_000) // 8 Mbit/s, weight 1000
	if m.Kbps() != 8000 {
		t.Errorf("%v kbit/s, want 8000", m.Kbps())
	}
	for range 3 {
		m.Sample(0, 4*time.Second, 1_000_000) // 2 Mbit/s: two of them are all that counts
	}
	if m.Kbps() != 2000 || len(m.samples) > 3 {
		t.Errorf("%v kbit/s of %d samples, want 2000 of 3 at most", m.Kbps(), len(m.samples))
	}
	m.Sample(0, 0, 1000)
	if m.Kbps() != 2000 {
		t.Errorf("%v kbit/s after a sample without time", m.Kbps())
	}
}

// goesOn is the table of how the models play on, of three renditions whose
// segments are of 4 s.
func goesOn() string {
	three := ladderOf(830, 2450, 5340)
	goal := func(m *Model, at int, audio bool) string {
		return fmt.Sprint(m.Buffering.goal(Playing{Renditions: three, At: at, Ahead: 6 * time.Second, Segment: 4 * time.Second, Length: time.Minute}, audio).Round(time.Second))
	}
	// least is the least bandwidth with which it goes from one to another.
	least := func(m *Model, from, to int) string {
		if m.Buffering.Next == nil && m.Meter == nil {
			return ""
		}
		for kbps := 1.0; kbps < 10_000; kbps++ {
			p := Playing{Renditions: three, At: from, Kbps: kbps, Ahead: 15 * time.Second, Segment: 4 * time.Second, Segments: 9}
			if m.Buffering.Next == nil && m.Start(three, kbps) == to || m.Buffering.Next != nil && m.Buffering.Next()(p) == to {
				return fmt.Sprint(kbps)
			}
		}
		return ""
	}
	rows := []struct {
		name string
		of   func(m *Model) string
	}{
		{"holds, playing the lowest", func(m *Model) string { return goal(m, 0, false) }},
		{"holds, playing the highest", func(m *Model) string { return goal(m, 2, false) }},
		{"holds of audio, with 6 s of video", func(m *Model) string { return goal(m, 2, true) }},
		{"stops with no more ahead than", func(m *Model) string { return fmt.Sprint(m.Buffering.Empty) }},
		{"goes on with", func(m *Model) string { return fmt.Sprint(max(m.Buffering.Empty, m.Buffering.Resume)) }},
		{"15 s ahead: from the lowest to the middle one with kbit/s", func(m *Model) string { return least(m, 0, 1) }},
		{"15 s ahead: stays with the middle one with kbit/s", func(m *Model) string { return least(m, 1, 1) }},
	}
	var cells [][]string
	for _, r := range rows {
		line := []string{r.name}
		for _, m := range Models() {
			line = append(line, r.of(m))
		}
		cells = append(cells, line)
	}
	return table("How each plays on", modelNames(), cells)
}
