package dash

import (
	"fmt"
	"math"
	"math/bits"
	"sort"
	"time"
)

// segments is how a representation's segments are found, after inheritance.
// Ticks are counted in scale per second.
type segments struct {
	kind  kind
	scale int64
	pto   int64 // presentationTimeOffset, ticks

	offset   time.Duration // availabilityTimeOffset
	complete bool

	first int64 // startNumber
	end   int64 // endNumber; -1 when absent
	ticks int64 // of a segment, where all are as long
	parts int64 // of a segment sequence, of a timeline the most; 1: there are none
	whole bool  // sequences are asked for as one segment: their segments have no addresses
	runs  []run // SegmentTimeline

	media     template
	initMedia template
	list      []Ref // SegmentList: URL not yet resolved, and range

	hasInit bool
	init    Ref // Initialization element; URL not yet resolved
	index   ByteRange
	sized   []int64 // where each segment of a read index begins, and the end
}

type kind byte

const (
	whole    kind = iota // one segment: the resource
	uniform              // template or list by duration
	timeline             // template or list by SegmentTimeline
	indexed              // SegmentBase whose index is not read yet
)

// run is one S element: n segments of d ticks from t on. The first has the index
// first in the representation. n is open when its end is not known.
type run struct {
	t, d, n, first int64
	parts          int64 // each segment is a sequence of so many
}

// open is the number of segments in a run without an end.
const open = math.MaxInt64

// toTicks is d in ticks, rounded down; d is not negative. Beyond 63 bits it is
// the most there is.
func toTicks(d time.Duration, scale int64) int64 {
	hi, lo := bits.Mul64(uint64(d), uint64(scale))
	if hi >= uint64(time.Second) {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, uint64(time.Second))
	return int64(min(q, math.MaxInt64))
}

// toDuration is ticks as a duration, rounded up, so that toTicks gives the same
// ticks back. Beyond maxSpan it is maxSpan.
func toDuration(ticks, scale int64) time.Duration {
	if ticks < 0 {
		if ticks == math.MinInt64 {
			return -maxSpan
		}
		hi, lo := bits.Mul64(uint64(-ticks), uint64(time.Second))
		return -quotient(hi, lo, uint64(scale))
	}
	hi, lo := bits.Mul64(uint64(ticks), uint64(time.Second))
	lo, carry := bits.Add64(lo, uint64(scale)-1, 0)
	return quotient(hi+carry, lo, uint64(scale))
}

func quotient(hi, lo, scale uint64) time.Duration {
	if hi >= scale {
		return maxSpan
	}
	q, _ := bits.Div64(hi, lo, scale)
	return time.Duration(min(q, uint64(maxSpan)))
}

// count is the number of segments; open when it is not known.
func (r *Representation) count() int64 {
	s := r.seg
	n := int64(1)
	switch s.kind {
	case timeline:
		if len(s.runs) == 0 {
			return 0
		}
		last := s.runs[len(s.runs)-1]
		if last.n == open {
			n = open
		} else {
			n = last.first + last.n
		}
	case uniform:
		n = open
		if p := r.at(); p.Duration > 0 {
			total := toTicks(p.Duration, s.scale)
			if n = total / s.ticks; total%s.ticks != 0 {
				n++
			}
		}
	}
	if s.end >= 0 {
		n = min(n, max(s.end-s.first+1, 0))
	}
	if s.list != nil {
		n = min(n, int64(len(s.list)))
	}
	return n
}

func (r *Representation) at() *Period { return &r.mpd.Periods[r.period] }

// Init is the initialization segment; ok is false when the representation has
// none: its segments initialize themselves (5.3.9.5.1).
func (r *Representation) Init() (ref Ref, ok bool) {
	s := r.seg
	if !s.hasInit {
		return Ref{}, false
	}
	ref = s.init
	if s.initMedia != nil {
		ref.URL = s.initMedia.expand(r.ID, r.Bandwidth, s.first, 0, 0)
	}
	abs, err := resolve(r.BaseURLs[0].URL, ref.URL)
	if err != nil {
		return Ref{}, false
	}
	ref.URL = abs
	return ref, true
}

// Index is the range of the segment index (sidx) of a representation whose
// segments are in one resource (5.3.9.2); ok is false for every other.
func (r *Representation) Index() (ref Ref, ok bool) {
	if r.seg.index.IsWhole() {
		return Ref{}, false
	}
	return Ref{URL: r.BaseURLs[0].URL, ByteRange: r.seg.index}, true
}

// Listed says whether the segments are listed in a SegmentTimeline (5.3.9.6),
// not counted by a duration nor read from an index.
func (r *Representation) Listed() bool { return r.seg.kind == timeline && r.seg.sized == nil }

// maxSummed bounds the segments that Longest looks at.
const maxSummed = 10_000

// Longest is how long the longest segment of a SegmentTimeline plays, of its first
// 10 000, as who reckons in floating-point seconds has it: a nanosecond more where
// the difference of an end and a start is rounded up. It is 0 where none is listed.
func (r *Representation) Longest() (longest time.Duration) {
	s := r.seg
	if !r.Listed() {
		return 0
	}
	seconds := func(ticks int64) float64 { return float64(ticks) / float64(s.scale) }
	left := min(r.count(), maxSummed)
	for _, e := range s.runs {
		n := min(e.n, left)
		if left -= n; n == 0 {
			break
		}
		d := toDuration(e.d, s.scale)
		for t := e.t - s.pto; n > 0 && t <= math.MaxInt64-e.d; t, n = t+e.d, n-1 {
			if seconds(t+e.d)-seconds(t) > seconds(e.d) {
				d++
				break
			}
		}
		longest = max(longest, d)
	}
	return longest
}

// First is the first segment. Of a dynamic presentation whose segments are
// numbered by duration that is the first there ever was: see [Representation.At]
// and [MPD.Window] for what is still to be had. It fails with ErrNoSegment or
// ErrIndexed.
func (r *Representation) First() (Ref, error) { return r.segment(0) }

// Last is the last segment, available or not. It fails with ErrNoSegment when
// there is none or the end is not known, and with ErrIndexed.
func (r *Representation) Last() (Ref, error) {
	n := r.count()
	if n == open {
		return Ref{}, r.none("its end is not known")
	}
	return r.segment(n - 1)
}

// Next is the segment after ref, which came from the same representation. It
// fails with ErrNoSegment.
func (r *Representation) Next(ref Ref) (Ref, error) {
	if ref.sub+1 < r.seg.sequence(ref.index) {
		return r.part(ref.index, ref.sub+1)
	}
	return r.segment(ref.index + 1)
}

// Again is the segment that ref is, of this representation or of one that is it
// [Representation.On] another base URL, as this one has it. It fails with
// ErrNoSegment and ErrIndexed.
func (r *Representation) Again(ref Ref) (Ref, error) { return r.part(ref.index, ref.sub) }

// At is the segment that plays at t on the MPD timeline; where a timeline has a
// gap, the one after it; of a segment sequence its first, with which playback can
// start. It fails with ErrNoSegment before the period and after the last segment,
// and with ErrIndexed.
func (r *Representation) At(t time.Duration) (Ref, error) {
	rel := t - r.at().Start
	if rel < 0 {
		return Ref{}, r.none("%v is before its period", t)
	}
	s := r.seg
	k := int64(0)
	switch s.kind {
	case uniform:
		k = toTicks(rel, s.scale) / s.ticks
	case timeline:
		k = s.find(toTicks(rel, s.scale))
	default:
		if d := r.at().Duration; d > 0 && rel >= d {
			return Ref{}, r.none("%v is after its period", t)
		}
	}
	return r.segment(k)
}

// find is the index of the segment that plays at rel ticks of the period, or of
// the next one; past the end it is one that does not exist.
func (s *segments) find(rel int64) int64 {
	m := addTicks(rel, s.pto)
	i := sort.Search(len(s.runs), func(i int) bool { return s.runs[i].t > m }) - 1
	if i < 0 {
		return 0
	}
	r := &s.runs[i]
	return r.first + min((m-r.t)/r.d, r.n)
}

func addTicks(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// LiveEdge is the newest segment that is available at now, by the clock of the
// server (5.3.9.5.3): the whole of it has been made, or may be asked for earlier
// by availabilityTimeOffset. Of a static presentation it is the last. It fails
// with ErrNoSegment when none is available yet, and with ErrIndexed.
func (r *Representation) LiveEdge(now time.Time) (Ref, error) {
	early := r.early()
	switch over := r.mpd.AvailabilityEnd; {
	case !r.mpd.Dynamic:
		return r.Last()
	case !over.IsZero() && now.After(over):
		return Ref{}, r.none("the presentation is over since %s", over.UTC().Format(time.RFC3339))
	case early == Inf && r.count() < open:
		return r.Last()
	case early == Inf:
		early = 0 // all there ever will be is available: the edge is what is made by now
	}
	rel := now.Sub(r.mpd.AvailabilityStart) - r.at().Start
	if rel = time.Duration(addTicks(int64(rel), int64(early))); rel < 0 {
		return Ref{}, r.none("its period has not begun at %s", now.UTC().Format(time.RFC3339Nano))
	}
	s := r.seg
	k, sub := int64(0), int64(0)
	switch ticks := toTicks(rel, s.scale); s.kind {
	case uniform:
		k = ticks / s.ticks
		sub = s.made(k, ticks-k*s.ticks, s.ticks)
		k--
	case timeline:
		k, sub = s.ended(ticks)
	}
	if sub > 0 && k+1 < r.count() {
		return r.part(k+1, sub-1)
	}
	if k = min(k, r.count()-1); k < 0 {
		return Ref{}, r.none("none is available at %s", now.UTC().Format(time.RFC3339Nano))
	}
	return r.part(k, s.sequence(k)-1)
}

// sequence is the number of segments of the segment sequence k; 1: it is none.
func (s *segments) sequence(k int64) int64 {
	switch {
	case s.whole, s.parts <= 1:
		return 1
	case s.kind == uniform:
		return s.parts
	case s.kind == timeline && s.sized == nil:
		if i := sort.Search(len(s.runs), func(i int) bool { return s.runs[i].first > k }) - 1; i >= 0 {
			return s.runs[i].parts
		}
	}
	return 1
}

// made is how many segments of the sequence k, of d ticks, have ended when it is
// so many ticks old.
func (s *segments) made(k, age, d int64) int64 {
	hi, lo := bits.Mul64(uint64(max(age, 0)), uint64(s.sequence(k)))
	if hi >= uint64(d) {
		return 0
	}
	n, _ := bits.Div64(hi, lo, uint64(d))
	return min(int64(n), s.sequence(k)-1)
}

// early is the availabilityTimeOffset, of the base URL and the segments together.
func (r *Representation) early() time.Duration {
	return addOffsets(r.BaseURLs[0].AvailabilityTimeOffset, r.seg.offset)
}

// ended is the index of the last segment that has ended at rel ticks of the
// period, -1 when there is none, and how many segments of the sequence after it.
func (s *segments) ended(rel int64) (k, sub int64) {
	m := addTicks(rel, s.pto)
	i := sort.Search(len(s.runs), func(i int) bool { return s.runs[i].t > m-s.runs[i].d }) - 1
	k = -1
	if i >= 0 {
		r := &s.runs[i]
		k = r.first + min((m-r.t)/r.d, r.n) - 1
	}
	j := sort.Search(len(s.runs), func(j int) bool { return s.runs[j].t > m }) - 1
	if j < 0 {
		return k, 0
	}
	r := &s.runs[j]
	if n := (m - r.t) / r.d; n < r.n && r.first+n == k+1 {
		return k, s.made(k+1, m-r.t-n*r.d, r.d)
	}
	return k, 0
}

// segment computes the segment of an index, of a sequence its first.
func (r *Representation) segment(k int64) (Ref, error) { return r.part(k, 0) }

// part computes the segment sub of the sequence k.
func (r *Representation) part(k, sub int64) (Ref, error) {
	s := r.seg
	if s.kind == indexed {
		return Ref{}, r.fail(ErrIndexed, "asked for a segment")
	}
	if k < 0 || k >= r.count() || k > math.MaxInt64>>1 {
		return Ref{}, r.none("index %d", k)
	}
	p := r.at()
	ref := Ref{Number: s.first + k, index: k, Start: p.Start, Duration: p.Duration}
	switch s.kind {
	case uniform:
		if k > math.MaxInt64/s.ticks-1 {
			return Ref{}, r.none("index %d", k)
		}
		begin := toDuration(k*s.ticks, s.scale)
		ref.Start = p.Start + begin
		ref.Duration = toDuration((k+1)*s.ticks, s.scale) - begin
		if p.Duration > 0 {
			ref.Duration = min(ref.Duration, p.Duration-begin)
		}
		ref.Time = uint64(addTicks(k*s.ticks, s.pto))
	case timeline:
		i := sort.Search(len(s.runs), func(i int) bool { return s.runs[i].first > k }) - 1
		t := s.runs[i].t + (k-s.runs[i].first)*s.runs[i].d
		if t > math.MaxInt64-s.runs[i].d {
			return Ref{}, r.none("index %d", k)
		}
		begin := toDuration(t-s.pto, s.scale)
		ref.Start = p.Start + begin
		ref.Duration = toDuration(t-s.pto+s.runs[i].d, s.scale) - begin
		ref.Time = uint64(max(t, 0))
	}
	if n := s.sequence(k); n > 1 {
		if sub >= n {
			return Ref{}, r.none("index %d, %d", k, sub)
		}
		from, to := share(ref.Duration, sub, n), share(ref.Duration, sub+1, n)
		ref.Start, ref.Duration, ref.sub = ref.Start+from, to-from, sub
	}
	r.locate(&ref)
	abs, err := resolve(r.BaseURLs[0].URL, ref.URL)
	if err != nil {
		return Ref{}, r.fail(ErrInvalid, "segment %s is not a URL", clip(ref.URL))
	}
	ref.URL = abs
	return ref, nil
}

// locate fills in where a segment is, its URL not yet resolved.
func (r *Representation) locate(ref *Ref) {
	s := r.seg
	switch {
	case s.sized != nil:
		from := s.sized[ref.index]
		ref.ByteRange = ByteRange{Offset: from, Length: s.sized[ref.index+1] - from}
	case s.list != nil:
		ref.URL, ref.ByteRange = s.list[ref.index].URL, s.list[ref.index].ByteRange
	case s.media != nil:
		ref.URL = s.media.expand(r.ID, r.Bandwidth, ref.Number, ref.Time, ref.sub)
	}
}

// share is i of n equal parts of d.
func share(d time.Duration, i, n int64) time.Duration {
	hi, lo := bits.Mul64(uint64(d), uint64(i))
	q, _ := bits.Div64(hi, lo, uint64(n))
	return time.Duration(q)
}

// Chunked says whether segments can be asked for while they are still being made
// (availabilityTimeComplete=false, 5.3.9.5.3), so that waiting for them includes
// their production.
func (r *Representation) Chunked() bool {
	return !r.seg.complete || !r.BaseURLs[0].AvailabilityTimeComplete
}

// On is the representation as one of its alternative base URLs serves it.
func (r *Representation) On(i int) *Representation {
	c := *r
	c.BaseURLs = append([]BaseURL{r.BaseURLs[i]}, r.BaseURLs[:i]...)
	c.BaseURLs = append(c.BaseURLs, r.BaseURLs[i+1:]...)
	return &c
}

func (r *Representation) none(format string, args ...any) error {
	return r.fail(ErrNoSegment, format, args...)
}

func (r *Representation) fail(class error, format string, args ...any) error {
	return fmt.Errorf("dash: representation %s of period %d: %s: %w", clip(r.ID), r.period, fmt.Sprintf(format, args...), class)
}
