package link

import (
	"testing"
	"time"
)

// Each row offers packets to a pipe; times in ms after the first.
func TestPipe(t *testing.T) {
	type offer struct {
		at, size int
		due      float64 // ms; negative: dropped
	}
	for _, tc := range []struct {
		name   string
		config Config
		offers []offer
	}{
		{"nothing asked", Config{}, []offer{{0, 1500, 0}, {0, 1500, 0}, {7, 40, 7}}},
		{"delay", Config{RTT: 40 * time.Millisecond}, []offer{{0, 1500, 20}, {0, 1500, 20}, {5, 40, 25}}},
		{"rate", Config{Kbps: 1000}, []offer{{0, 1250, 10}, {0, 125, 11}, {30, 125, 31}}},
		{"both", Config{Kbps: 1000, RTT: 100 * time.Millisecond}, []offer{{0, 1250, 60}, {0, 1250, 70}}},
		{"queue of three", Config{Kbps: 1000, Queue: 3750}, []offer{
			{0, 1250, 10}, {0, 1250, 20}, {0, 1250, 30}, {0, 125, -1}, {5, 1250, -1}, {5, 625, 35}, {35, 1250, 45}}},
		{"a queue without a rate", Config{Queue: 1500}, []offer{{0, 1500, 0}, {0, 1500, 0}}},
		{"all lost", Config{Loss: 1}, []offer{{0, 1500, -1}, {1, 1500, -1}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, begin := newPipe(tc.config, 0), time.Now()
			for i, o := range tc.offers {
				due, f := p.take(begin.Add(time.Duration(o.at)*time.Millisecond), o.size)
				got := -1.0
				if f == arrives {
					got = due.Sub(begin).Seconds() * 1000
				}
				if diff := got - o.due; diff < -1e-3 || diff > 1e-3 {
					t.Errorf("packet %d arrives at %.3f, want %.3f", i, got, o.due)
				}
			}
		})
	}
}

// What is lost takes its time on the line, and the default queue holds 100 ms.
func TestPipeLossAndQueue(t *testing.T) {
	const n = 10000
	now := time.Now()
	fates := func(seed uint64) (all [n]fate, count [3]int) {
		p := newPipe(Config{Loss: 0.1, Seed: seed}, 0)
		for i := range all {
			_, all[i] = p.take(now, 100)
			count[all[i]]++
		}
		return all, count
	}
	first, count := fates(7)
	if count[lost] < 900 || count[lost] > 1100 || count[dropped] != 0 { // 1000 ± 3.3 standard deviations
		t.Errorf("%d of %d lost, %d dropped", count[lost], n, count[dropped])
	}
	if again, _ := fates(7); again != first {
		t.Error("one seed, two fates")
	}
	if other, _ := fates(8); other == first {
		t.Error("two seeds, one fate")
	}
	for _, tc := range []struct {
		kbps float64
		want int // packets of 1500 bytes
	}{{50000, 416}, {10000, 83}, {100, 32}} {
		p, taken := newPipe(Config{Kbps: tc.kbps}, 0), 0
		for f := arrives; f == arrives; taken++ {
			_, f = p.take(now, mtu)
		}
		if taken-1 != tc.want {
			t.Errorf("at %v kbit/s %d packets wait, want %d", tc.kbps, taken-1, tc.want)
		}
	}
	p := newPipe(Config{Kbps: 1000, Loss: 1}, 0)
	p.take(now, 1250)
	if p.free != now.Add(10*time.Millisecond) {
		t.Errorf("a lost packet took %v", p.free.Sub(now))
	}
}

func BenchmarkPipe(b *testing.B) {
	p, now := newPipe(Config{Kbps: 50000, RTT: time.Millisecond, Loss: 0.01}, 0), time.Now()
	for b.Loop() {
		now = now.Add(200 * time.Microsecond)
		p.take(now, mtu)
	}
	b.ReportAllocs()
}

// A rate that changes holds for what comes from then on; what waits leaves as it
// would have.
func TestPipeChanges(t *testing.T) {
	c := Config{Kbps: 1000}
	p, begin := newPipe(c, 0), time.Now()
	for i, o := range []struct {
		kbps          float64 // from then on; 0: as before
		at, size, due int     // ms
	}{{0, 0, 1250, 10}, {100, 5, 125, 20}, {0, 5, 125, 30}, {10_000, 10, 1250, 31}, {0, 100, 1250, 101}} {
		if o.kbps > 0 {
			c.Kbps = o.kbps
			p.rate.Store(c.rate())
		}
		due, f := p.take(begin.Add(time.Duration(o.at)*time.Millisecond), o.size)
		if got := due.Sub(begin).Round(time.Microsecond); f != arrives || got != time.Duration(o.due)*time.Millisecond {
			t.Errorf("packet %d arrives after %v, want %d ms", i, got, o.due)
		}
	}
}
