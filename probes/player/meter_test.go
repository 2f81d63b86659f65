package player

import (
	"math"
	"testing"
	"time"
)

// The estimate after each sample; the figures are those of the classes in
// Shaka 5.2.12's lib/abr, run on the same samples.
func TestMeter(t *testing.T) {
	t0 := time.Now()
	chosen := 0
	g := shaka.Meter.gauge(func(float64, Moment) { chosen++ })
	at := t0
	for i, tt := range []struct {
		d     time.Duration
		bytes int64
		kbps  float64 // 0: not known yet
	}{
		{110 * time.Millisecond, 60000, 0},
		{120 * time.Millisecond, 15000, 0},
		{105 * time.Millisecond, 100000, 5965.6116},
		{400 * time.Millisecond, 100000, 3297.2881},
		{2500 * time.Millisecond, 90000, 655.8492},
		{50 * time.Millisecond, 400000, 2021.5674},
		{4 * time.Millisecond, 400_000, 2021.5674}, // from a cache
	} {
		at = at.Add(tt.d)
		g.sample(tt.bytes, tt.d, Moment{at, 0})
		got, ok := g.kbps()
		if ok != (tt.kbps > 0) || math.Abs(got-tt.kbps) > 0.001 {
			t.Errorf("after sample %d: %v kbit/s (known: %v), want %v", i, got, ok, tt.kbps)
		}
	}
	if chosen != 1 {
		t.Errorf("the rendition is chosen %d times within 8 s, want once", chosen)
	}
	g.sample(100_000, 100*time.Millisecond, Moment{t0.Add(9 * time.Second), 0})
	if chosen != 2 {
		t.Errorf("the rendition is chosen %d times within 9 s, want twice", chosen)
	}
}

// Which pieces of an answer make a sample.
func TestReading(t *testing.T) {
	t0 := time.Now()
	g := shaka.Meter.gauge(func(float64, Moment) {})
	r := &reading{gauge: g, last: t0}
	count := func(ms int, n int, want int64) {
		t.Helper()
		if r.read(n, t0.Add(time.Duration(ms)*time.Millisecond)); g.bytes != want {
			t.Errorf("at %d ms %d bytes are counted, want %d", ms, g.bytes, want)
		}
	}
	count(50, 20_000, 0)       // too soon after the request
	count(101, 20_000, 40_000) // with what came before
	count(150, 50_000, 40_000)
	count(201, 0, 40_000) // not more than 100 ms
	count(202, 1000, 91_000)
	count(400, 15_999, 91_000) // too small
	count(401, 1, 107_000)
	r.read(17_000, t0.Add(410*time.Millisecond))
	r.end(t0.Add(420 * time.Millisecond))
	if g.bytes != 124_000 {
		t.Errorf("at the end %d bytes are counted, want 124000", g.bytes)
	}
	var none *reading
	none.read(1, t0)
	none.end(t0)
}
