package player

import (
	"context"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// The estimate after each sample; the figures are those of the classes in
// Shaka 5.2.12's lib/abr, run on the same samples.
func TestMeter(t *testing.T) {
	t0 := time.Now()
	chosen := 0
	g := shaka.Meter.gauge(func(float64, Moment) { chosen++ })
	g.rechosen(t0.Add(-time.Second)) // nothing was measured yet
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
	g.rechosen(t0.Add(12 * time.Second))
	for i, after := range []time.Duration{19 * time.Second, 20 * time.Second} {
		if g.sample(100_000, 100*time.Millisecond, Moment{t0.Add(after), 0}); chosen != 2+i {
			t.Errorf("the rendition is chosen %d times within %v of a failure at 12 s, want %d", chosen, after, 2+i)
		}
	}
}

// Which pieces of an answer make a sample.
func TestReading(t *testing.T) {
	t0 := time.Now().Truncate(time.Millisecond)
	m := *shaka.Meter
	m.Lag = 10 * time.Millisecond
	g := m.gauge(func(float64, Moment) {})
	r := g.reading(t0.Add(m.Lag))
	count := func(ms float64, n int64, want int64) {
		t.Helper()
		if r.read(n, Moment{t0.Add(time.Duration(ms * 1e6)), 0}); g.bytes != want {
			t.Errorf("at %v ms %d bytes are counted, want %d", ms, g.bytes, want)
		}
	}
	count(50, 20_000, 0)       // too soon after the request
	count(100.9, 0, 0)         // not more than 100 ms on its clock
	count(101, 20_000, 40_000) // with what came before
	count(150, 50_000, 40_000)
	count(201.9, 0, 40_000)
	count(202, 1000, 91_000)
	count(400, 15_999, 91_000) // too small
	count(401, 1, 107_000)
	r.read(17_000, Moment{t0.Add(410 * time.Millisecond), 0})
	r.end(Moment{t0.Add(420 * time.Millisecond), 0})
	if g.bytes != 124_000 {
		t.Errorf("at the end %d bytes are counted, want 124000", g.bytes)
	}
	var none *reading
	none.read(1, Moment{t0, 0})
	none.end(Moment{t0, 0})
}

// slow is a server that takes 130 ms for a redirect or for the first byte of a
// part, and gives 20 kB of a segment 50 ms after the request and the same 30 ms
// later; and the clock by which it does. It keeps what it is asked.
type slow struct {
	now   time.Time
	asked []fetch.Request
}

func (s *slow) Now() time.Time { return s.now }

func (s *slow) AfterFunc(time.Duration, func()) (stop func() bool) {
	return func() bool { return true }
}

func (s *slow) Do(_ context.Context, r fetch.Request) *fetch.Exchange {
	s.asked = append(s.asked, r)
	x := &fetch.Exchange{Start: s.now, FirstByte: s.now, End: s.now.Add(130 * time.Millisecond), Status: http.StatusPartialContent, Bytes: 1}
	switch {
	case r.Range != nil && r.Range.Length == 1:
	case strings.HasSuffix(r.URL, "/old"):
		x.Status, x.Location = http.StatusFound, "http://a.example/new"
	default:
		x.End, x.Bytes = s.now.Add(80*time.Millisecond), 40_000
		for _, d := range []time.Duration{50_700, 80_000} {
			if err := r.Body(make([]byte, 20_000), s.now.Add(d*time.Microsecond)); err != nil {
				panic(err)
			}
		}
	}
	s.now = x.End
	return x
}

// The player's clock goes from its own request on: what the browser's cache asks
// for first, and a redirect, are in the first sample's time, and what was kept of
// an answer that broke off comes when the cache has asked
// (request_ in lib/net/http_fetch_plugin.js).
func TestReadingBegins(t *testing.T) {
	for _, tt := range []struct {
		name string
		try  int64
		ask  ask
		want []float64 // kbit/s at each sample
		step []int     // and the request of which it is
	}{
		{"at once", 1, ask{url: "http://a.example/new"}, []float64{40_000 * 8 / 83.}, []int{1}},
		{"a redirect", 1, ask{url: "http://a.example/old"}, []float64{20_000 * 8 / 183., 40_000 * 8 / 213.}, []int{2, 2}},
		{"kept waiting", 1, ask{url: "http://a.example/new", called: time.Unix(1, 0).Add(-100 * time.Millisecond)},
			[]float64{20_000 * 8 / 153., 40_000 * 8 / 183.}, []int{1, 1}},
		{"kept waiting the first time", 2, ask{url: "http://a.example/new", called: time.Unix(1, 0).Add(-100 * time.Millisecond)}, []float64{40_000 * 8 / 83.}, []int{1}},
		{"the rest", 2, ask{url: "http://a.example/new", rest: &fetch.Range{Offset: 50_000, Length: 40_000}},
			[]float64{50_000 * 8 / 133., 90_000 * 8 / 213.}, []int{1, 2}},
	} {
		var got []float64
		var steps []int
		choose := func(kbps float64, at Moment) { got, steps = append(got, kbps), append(steps, at.Step) }
		m := Meter{Lag: 2400 * time.Microsecond, Every: 100 * time.Millisecond, MinBytes: 16_000, Enough: 1, HalfLives: []time.Duration{time.Hour}}
		server := &slow{now: time.Unix(1, 0)}
		s := &session{cfg: Config{Client: server, Clock: server}, model: shaka, start: server.now, gauge: m.gauge(choose)}
		s.begin(&node{}) // the manifest, say
		tt.ask.name, tt.ask.metered = run.StepSegment, true
		if _, err := s.attempt(t.Context(), tt.ask, Policy{}, tt.try, s.pressed()); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		near := func(a, b float64) bool { return math.Abs(a-b) < 0.1 }
		if !slices.EqualFunc(got, tt.want, near) || !slices.Equal(steps, tt.step) {
			t.Errorf("%s: measured %.1f kbit/s at steps %v, want %.1f at %v", tt.name, got, steps, tt.want, tt.step)
		}
	}
}

// So is that the cache holds a range back until another of the same resource is
// there.
func TestReadingWaits(t *testing.T) {
	const wait = 300 * time.Millisecond
	o := newOrigin(t, nil, map[string]rule{"/range/v360/media.mp4": func(w http.ResponseWriter, r *http.Request, n int) bool {
		if n == 1 {
			time.Sleep(wait)
		}
		return false
	}})
	m := quick(shaka)
	m.Retry = nil // on a busy machine
	m.Meter = &Meter{Every: time.Hour, MinBytes: 20_000, Enough: 1, HalfLives: []time.Duration{time.Hour}}
	var kbps float64
	m.Start = func(r []Rendition, k float64) int { kbps = k; return lowest(r) }
	r := good(t, press(t, o, "/range/master.m3u8", m, run.App{}))
	bits := 0.0
	for _, s := range r.Steps {
		if s.Name == run.StepSegment && s.Bytes >= m.Meter.MinBytes {
			bits += float64(s.Bytes) * 8
		}
	}
	if took := bits / kbps; bits == 0 || took < ms(wait) || took > 3*ms(wait) {
		t.Errorf("%v bits at %v kbit/s, that is in %.0f ms", bits, kbps, took)
	}
}
