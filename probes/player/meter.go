package player

import (
	"math"
	"slices"
	"sync"
	"time"
)

// Meter is how a player measures its bandwidth while it starts. Of each answer
// with media it takes a sample at every piece that comes more than Every after
// the sample before, the first after the request, and holds MinBytes; and one at
// the end. Of those, the ones shorter than MinTime (from a cache) or smaller than
// MinBytes do not count. Its clock shows whole milliseconds, as Date.now does. A
// request begins Lag before it goes out: what the browser does before that, a
// preflight, the hops of a redirect, what its cache asks for first and that it
// waits with a range for the one before are part of the time. When Enough bytes
// are counted, the rendition is chosen anew, and then not again for Interval. The
// bandwidth is the lowest of several averages of the samples weighted by their
// time, one for each half-life.
type Meter struct {
	Lag       time.Duration
	Every     time.Duration
	MinBytes  int64
	MinTime   time.Duration
	Enough    int64
	HalfLives []time.Duration
	Interval  time.Duration
}

// gauge is a meter at work in one run. It is safe for concurrent use.
type gauge struct {
	Meter
	choose func(kbps float64, at Moment) // called where the rendition is to be chosen anew, and nothing else is counted

	mu       sync.Mutex
	bytes    int64     // counted
	averages []average // one for each half-life
	chosen   time.Time // the last choice by measured bandwidth
}

func (m Meter) gauge(choose func(kbps float64, at Moment)) *gauge {
	return &gauge{Meter: m, choose: choose, averages: make([]average, len(m.HalfLives))}
}

// average is an exponentially weighted one: estimate is low by what the weights
// lack of one.
type average struct {
	estimate, weight float64 // kbit/s; seconds
}

func (a *average) add(kbps, seconds float64, halfLife time.Duration) {
	keep := math.Exp2(-seconds / halfLife.Seconds())
	a.estimate = kbps*(1-keep) + a.estimate*keep
	a.weight += seconds
}

func (a *average) value(halfLife time.Duration) float64 {
	return a.estimate / (1 - math.Exp2(-a.weight/halfLife.Seconds()))
}

// kbps is the bandwidth as measured; ok is false before enough was counted.
func (g *gauge) kbps() (kbps float64, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.value()
}

func (g *gauge) value() (kbps float64, ok bool) {
	if g.bytes < g.Enough {
		return 0, false
	}
	var all []float64
	for i, h := range g.HalfLives {
		all = append(all, g.averages[i].value(h))
	}
	return slices.Min(all), true
}

// sample counts bytes that took d, and has the rendition chosen where it is time
// to.
func (g *gauge) sample(bytes int64, d time.Duration, at Moment) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if d >= g.MinTime && d > 0 && bytes >= g.MinBytes {
		g.bytes += bytes
		for i, h := range g.HalfLives {
			g.averages[i].add(float64(bytes)*8/ms(d), d.Seconds(), h)
		}
	}
	kbps, ok := g.value()
	if !ok || !g.chosen.IsZero() && at.At.Sub(g.chosen) < g.Interval {
		return
	}
	g.chosen = at.At
	g.choose(kbps, at)
}

// rechosen notes that the rendition was chosen anew for another reason: from then
// on Interval passes once more, where it has begun.
func (g *gauge) rechosen(at time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.chosen.IsZero() {
		g.chosen = at
	}
}

// reading is one request under measurement. A nil reading measures nothing.
type reading struct {
	gauge *gauge
	last  time.Time // the sample before, at first the request
	bytes int64     // since
}

// reading begins with a request that is about to go out.
func (g *gauge) reading(at time.Time) *reading {
	return &reading{gauge: g, last: at.Add(-g.Lag).Truncate(time.Millisecond)}
}

// read takes note of a piece.
func (r *reading) read(n int64, at Moment) {
	if r == nil {
		return
	}
	r.bytes += n
	if r.since(at.At) > r.gauge.Every && r.bytes >= r.gauge.MinBytes {
		r.take(at)
	}
}

// end takes note of the end of a complete answer.
func (r *reading) end(at Moment) {
	if r != nil {
		r.take(at)
	}
}

// since is the time since the sample before, in whole milliseconds.
func (r *reading) since(at time.Time) time.Duration {
	return at.Truncate(time.Millisecond).Sub(r.last)
}

func (r *reading) take(at Moment) {
	r.gauge.sample(r.bytes, r.since(at.At), at)
	r.last, r.bytes = at.At.Truncate(time.Millisecond), 0
}
