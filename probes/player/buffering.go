package player

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Buffering is how a player goes on once it plays: how much media it holds, when
// it stops for want of it, and which rendition it asks for next. The zero value
// is one that holds 30 s of what it began with.
type Buffering struct {
	// Goal is how much of a track is to be ahead of the playhead: a segment is
	// asked for while it is less. nil: 30 s. AudioGoal is the same of separate
	// audio; nil: as Goal.
	Goal, AudioGoal func(Playing) time.Duration
	// Early is how long before the first picture is shown it goes on to what comes
	// next: what is to be shown is appended then.
	Early time.Duration
	// AudioFollows: separate audio is asked for once video is held from where the
	// audio segment before it begins, but for the first twentieth of that; and on demand
	// no further than the video segment that is being loaded, but for one that begins
	// where that ends.
	AudioFollows bool
	// Every is the time between two looks at whether it is less; 0: it is noticed at
	// once.
	Every time.Duration

	// Empty and Resume: playback stops where a track has no more than Empty ahead
	// of the playhead, and goes on where each has more than Empty, and no less than
	// Resume, or all that follows.
	Empty, Resume time.Duration

	// Bandwidth makes what measures the bandwidth by complete segments of video; nil:
	// nothing does. The model's Meter, where it has one, goes on in either case, and
	// takes the rendition that fits what it measures.
	Bandwidth func() Bandwidth
	// Next makes what chooses the rendition of the next segment: an index of the
	// renditions that it is given. nil: none is chosen; it changes only by the Meter,
	// or where one fails.
	Next func() func(Playing) int
	// Replaces says from how far ahead of the playhead on what is held is loaded again
	// where a better rendition is taken, given what the last segment of that plays; 0:
	// none has come. nil: nothing is.
	Replaces func(plays time.Duration) time.Duration
	// GiveUp makes what says, each Look while a video segment is being loaded, which
	// rendition is loaded in its place: an index of the renditions that it is given;
	// -1: none, it goes on. It may change what was measured. nil: none is given up.
	GiveUp func(Bandwidth) func(Playing, UnderWay) int
	Look   time.Duration
}

// Playing is what a player goes by while it plays.
type Playing struct {
	// Renditions are those of video: all of them for a goal; two or more, without
	// those that have failed, where one of them is to be chosen.
	Renditions []Rendition
	At         int           // the one of Renditions that is being loaded, or was last; -1 where it is not among them
	Kbps       float64       // the bandwidth; before it is measured, or where nothing measures it by segments, as the model assumed it at first
	FirstByte  time.Duration // until an answer begins, as measured; 0: not measured
	Ahead      time.Duration // of video, ahead of the playhead
	Segment    time.Duration // what the last video segment, or part, plays, as the manifest says
	Segments   int           // of video, or parts, that are held or were, that with the first frame included
	GivenUp    time.Duration // since a segment of video was given up while it was loaded; 0: none was
	Length     time.Duration // of the presentation; 0: live, or not known
	Live       bool
}

// top tells whether no rendition has more bandwidth than the one at At.
func (p Playing) top() bool { return p.At >= 0 && p.At == highestWithin(p.Renditions, math.Inf(1)) }

// kbps is the bandwidth of the rendition at At; 0 when not known.
func (p Playing) kbps() float64 {
	if p.At < 0 {
		return 0
	}
	return p.Renditions[p.At].Kbps
}

// Bandwidth measures by complete segments of video.
type Bandwidth interface {
	// Sample takes the time from the request to the first byte, from there to
	// the last, and the bytes.
	Sample(first, transfer time.Duration, bytes int64)
	// Kbps is the estimate; 0 before anything was measured.
	Kbps() float64
	// FirstByte is how long an answer takes to begin.
	FirstByte() time.Duration
}

// goal is how much of a track the player wants to hold.
func (b *Buffering) goal(p Playing, audio bool) time.Duration {
	switch {
	case audio && b.AudioGoal != nil:
		return b.AudioGoal(p)
	case b.Goal != nil:
		return b.Goal(p)
	}
	return 30 * time.Second
}

// carried is the highest rendition that the bandwidth carries.
func carried(p Playing) int { return highestWithin(p.Renditions, p.Kbps) }

// holds is the goal of a player that always holds as much.
func holds(d time.Duration) func(Playing) time.Duration {
	return func(Playing) time.Duration { return d }
}

// averages estimate the bandwidth as hls.js and dash.js do: the lower of two
// averages weighted by the samples' time, of which one forgets faster.
type averages struct {
	fast, slow time.Duration // half-lives
	weight     float64       // of a second of a sample, in seconds
	transfer   bool          // what counts is the time from the first byte on; else also what the first byte takes longer than usual

	quick, steady average
	answer        average // ms until the first byte
	assumed       float64 // kbit/s before anything is measured; 0: nothing
}

// minAnswer is what the samples of the first byte must weigh (minWeight_, 0.001, and
// getEstimateTTFB in hls.js's utils/ewma-bandwidth-estimator.ts): one that takes long
// weighs next to nothing.
const minAnswer = 0.001

// Sample is [Bandwidth.Sample]. How long this answer took to begin counts before
// what it took longer than usual (onFragLoaded, then onFragBuffered in hls.js's
// controller/abr-controller.ts).
func (a *averages) Sample(first, transfer time.Duration, bytes int64) {
	a.begins(first)
	if bytes <= 0 {
		return
	}
	took, least := transfer, time.Millisecond
	if !a.transfer {
		took += first - min(first, a.FirstByte())
		least = min(50*time.Millisecond, 10*time.Duration(bytes)) // minDelayMs_; 800 Mbit/s
	}
	took = max(took, least)
	kbps, seconds := float64(bytes)*8/ms(took), took.Seconds()*a.weight
	a.quick.add(kbps, seconds, a.fast)
	a.steady.add(kbps, seconds, a.slow)
}

// begins takes how long an answer took to begin (sampleTTFB in hls.js's
// utils/ewma-bandwidth-estimator.ts).
func (a *averages) begins(first time.Duration) {
	a.answer.add(max(ms(first), 5), math.Sqrt2*math.Exp(-first.Seconds()*first.Seconds()/2), a.slow)
}

// assume forgets what was measured (resetEstimator in hls.js's
// controller/abr-controller.ts).
func (a *averages) assume(kbps float64) {
	*a = averages{fast: a.fast, slow: a.slow, weight: a.weight, transfer: a.transfer, assumed: kbps}
}

// Kbps is [Bandwidth.Kbps].
func (a *averages) Kbps() float64 {
	if a.quick.weight == 0 {
		return a.assumed
	}
	return min(a.quick.value(a.fast), a.steady.value(a.slow))
}

// FirstByte is [Bandwidth.FirstByte].
func (a *averages) FirstByte() time.Duration {
	if a.answer.weight < minAnswer {
		return 100 * time.Millisecond // defaultTTFB_
	}
	return time.Duration(a.answer.value(a.slow) * float64(time.Millisecond))
}

// median estimates the bandwidth as ExoPlayer does: the middle of the samples,
// weighted by the root of their bytes, of which the oldest go when they are too
// many (SlidingPercentile and DefaultBandwidthMeter in Media3).
type median struct {
	samples []weighed
	took    time.Duration
	bytes   int64
	last    float64
}

type weighed struct{ weight, kbps float64 }

// The bounds of DefaultBandwidthMeter: the most that the samples weigh
// (DEFAULT_SLIDING_WINDOW_MAX_WEIGHT), and what must have been received for an
// estimate (ELAPSED_MILLIS_FOR_ESTIMATE, BYTES_TRANSFERRED_FOR_ESTIMATE).
const (
	maxWeight    = 2000
	enoughTime   = 2 * time.Second
	enoughMedian = 512 << 10
)

// Sample is [Bandwidth.Sample]. Time counts from the first byte on
// (onTransferStart).
func (m *median) Sample(_, transfer time.Duration, bytes int64) {
	if transfer <= 0 {
		return
	}
	m.took, m.bytes = m.took+transfer, m.bytes+bytes
	m.samples = append(m.samples, weighed{math.Sqrt(float64(bytes)), float64(bytes) * 8 / ms(transfer)})
	total := 0.0
	for i := len(m.samples) - 1; i >= 0; i-- {
		if total += m.samples[i].weight; total > maxWeight {
			m.samples[i].weight -= total - maxWeight
			m.samples = slices.Clone(m.samples[i:])
			total = maxWeight
			break
		}
	}
	if m.took >= enoughTime || m.bytes >= enoughMedian {
		m.last = m.middle(total)
	}
}

// middle is the sample in the middle of the weights.
func (m *median) middle(total float64) float64 {
	sorted := slices.Clone(m.samples)
	slices.SortFunc(sorted, func(a, b weighed) int { return cmp.Compare(a.kbps, b.kbps) })
	sum := 0.0
	for _, s := range sorted {
		if sum += s.weight; sum >= total/2 {
			return s.kbps
		}
	}
	return 0
}

// Kbps is [Bandwidth.Kbps].
func (m *median) Kbps() float64 { return m.last }

// FirstByte is [Bandwidth.FirstByte]; ExoPlayer does not go by it.
func (m *median) FirstByte() time.Duration { return 0 }
