// Package dash reads DASH media presentation descriptions and answers what a
// player would request next. [Parse] is the entry; from there a player chooses
// a [Period], an [AdaptationSet] and a [Representation], which answers with the
// [Ref] of its initialization, of the segment at a time, or of the live edge.
//
// The rules are those of ISO/IEC 23009-1:2022; clause numbers in this package
// are its own. Segments are computed when they are asked for and never listed: a
// live presentation that began years ago has millions.
//
// Times are on the MPD timeline: 0 is the start of the presentation, and of a
// dynamic one its availabilityStartTime. A period's start and a
// presentationTimeOffset are already reckoned in.
//
// Input is hostile. encoding/xml resolves no external entities and expands none
// of the document's own, and a document that declares entities is refused; depth,
// elements and attributes are bounded, see [MaxBytes] and what is beside it.
// Beyond a bound the answer is [ErrTooLarge].
//
// The package does no input or output, starts no goroutine and keeps no state.
package dash

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The bounds on an MPD. They lie well above what players meet: a window of a day
// whose segments of two seconds are all listed one by one, video and audio, has
// 86 400 elements.
const (
	MaxBytes      = 16 << 20
	MaxDepth      = 32
	MaxElements   = 200_000
	MaxAttributes = 128       // of one element
	MaxValue      = 256 << 10 // bytes in an attribute or between two tags
	MaxBaseURLs   = 16        // alternatives of one representation
	MaxFaults     = 32        // kept; later ones are dropped
	MaxCodecs     = 32        // of one representation; later ones are left out

	// MaxExpansion bounds what inheritance makes of an MPD, in bytes: a short
	// element can have long ones above it.
	MaxExpansion = 32 << 20
)

// The classes of failure; an error of this package wraps exactly one.
var (
	// ErrInvalid says that this is not an MPD, or one that cannot be read.
	ErrInvalid = errors.New("invalid MPD")
	// ErrEmpty says that the MPD is sound but has nothing to play.
	ErrEmpty = errors.New("empty MPD")
	// ErrTooLarge says that the MPD exceeds a bound of this package.
	ErrTooLarge = errors.New("MPD too large")
	// ErrUnsupported says that the document is sound but of a kind that is not
	// read here: a patch of an MPD (5.15), or an MPD whose periods are all
	// elsewhere (xlink, 5.5).
	ErrUnsupported = errors.New("not supported")
	// ErrNoSegment says that the representation has no segment there: before its
	// first, after its last, or not available yet.
	ErrNoSegment = errors.New("no such segment")
	// ErrIndexed says that the segments stand in an index inside the resource:
	// see [Representation.Index] and [Representation.WithIndex].
	ErrIndexed = errors.New("segments are in the index")
)

// MPD is a media presentation description (5.3.1). Pointers are nil where the
// attribute is absent.
type MPD struct {
	ID       string
	Profiles string
	Dynamic  bool

	AvailabilityStart time.Time // zero when absent
	AvailabilityEnd   time.Time // zero when absent
	PublishTime       time.Time // zero when absent

	Duration                   *time.Duration // mediaPresentationDuration
	MinBufferTime              time.Duration
	MaxSegmentDuration         time.Duration  // 0 when absent
	MinimumUpdatePeriod        *time.Duration // nil: the MPD does not change
	TimeShiftBufferDepth       *time.Duration // nil: all since the start
	SuggestedPresentationDelay *time.Duration
	LatencyTarget              *time.Duration // ServiceDescription/Latency@target

	BaseURL   string      // of the presentation, absolute: the first there is, else its own URL; what clocks are relative to
	Locations []string    // where to ask for updates, absolute
	Patches   []Patch     // where to ask for patches of it; the whole MPD can be had as well
	UTCTiming []UTCTiming // clocks, in order of preference
	Steering  *Steering
	Periods   []Period // those whose start is known, in order

	Faults []string // what was wrong and yet could be played with, at most MaxFaults
}

// UTCTiming names a clock to synchronise with (5.8.4.11).
type UTCTiming struct {
	Scheme string // urn:mpeg:dash:utc:…
	Value  string
}

// Patch is PatchLocation (5.15): where changes to the MPD are, in place of the
// whole. This package reads no patches; the MPD is to be asked for as a whole.
type Patch struct {
	URL string        // absolute
	TTL time.Duration // after the MPD's publication the patch is there for so long; 0: not said
}

// Steering is ContentSteering (ETSI TS 103 998).
type Steering struct {
	URL                    string
	DefaultServiceLocation string
	QueryBeforeStart       bool
}

// Period is one Period (5.3.2).
type Period struct {
	ID             string
	Start          time.Duration
	Duration       time.Duration // 0: open, its end is not known
	AdaptationSets []AdaptationSet
}

// End is the period's end; ok is false when it is not known.
func (p *Period) End() (end time.Duration, ok bool) {
	return p.Start + p.Duration, p.Duration > 0
}

// AdaptationSet is one AdaptationSet (5.3.3).
type AdaptationSet struct {
	ID                string
	ContentType       string // video, audio, text, image; empty when it cannot be told
	Lang              string
	Roles             []string // Role@value: main, alternate, …
	Trick             bool     // trick mode: never a start candidate
	Unknown           []string // schemes of EssentialProperty that are not known here: to be passed over (5.8.4.8)
	Switching         []string // ids of the sets that it may be switched with (adaptation-set-switching:2016)
	SelectionPriority int64    // 1 when absent; higher is preferred
	Protection        []string // schemeIdUri of each ContentProtection, lower case
	Representations   []Representation
}

// Representation is one Representation (5.3.5), with what it inherits.
type Representation struct {
	ID            string
	Bandwidth     int64 // bit/s; 0 when it is not said
	Width, Height int   // pixels; 0 when not said
	FrameRate     float64
	Range         string // PQ or HLG, by TransferCharacteristics; empty: neither is said
	Channels      int    // of sound; 0 when it is not said
	Codecs        []string
	MimeType      string
	BaseURLs      []BaseURL // alternatives, the preferred one first; never empty

	seg    *segments
	mpd    *MPD
	period int
}

// BaseURL is where a representation's resources are (5.6).
type BaseURL struct {
	URL             string // absolute
	ServiceLocation string
	Priority        int64 // dvb:priority, lower is better; 1 when absent (ETSI TS 103 285, 10.8.2.1)

	// AvailabilityTimeOffset is how much earlier segments are available here;
	// math.MaxInt64 is INF.
	AvailabilityTimeOffset   time.Duration
	AvailabilityTimeComplete bool // false: segments can be asked for while they are made
}

// ByteRange is a part of a resource in bytes; the zero value is the whole.
type ByteRange struct {
	Offset, Length int64
}

// IsWhole says whether the range is the whole resource.
func (r ByteRange) IsWhole() bool { return r.Length == 0 }

// Ref is one thing to request. Of a segment sequence (5.3.9.6.4) it is a segment of
// it, not the whole; all have one Number and one Time.
type Ref struct {
	URL       string
	ByteRange ByteRange
	Start     time.Duration // on the MPD timeline; 0 of an initialization or index
	Duration  time.Duration
	Number    int64  // $Number$
	Time      uint64 // $Time$

	index int64 // from 0 within the representation, of a sequence its own
	sub   int64 // from 0 within the sequence
}

// Inf is an unbounded availabilityTimeOffset.
const Inf = time.Duration(math.MaxInt64)

// Sets are the adaptation sets of a content type, in the order listed, without
// those for trick mode and those that take what is not known here.
func (p *Period) Sets(contentType string) []*AdaptationSet {
	var sets []*AdaptationSet
	for i := range p.AdaptationSets {
		if s := &p.AdaptationSets[i]; s.ContentType == contentType && !s.Trick && s.Unknown == nil {
			sets = append(sets, s)
		}
	}
	return sets
}

// Main are the sets of what a player plays in the first place: video, and where
// there is none audio; without those that have no representations.
func (p *Period) Main() []*AdaptationSet {
	for _, contentType := range []string{"video", "audio"} {
		sets := slices.DeleteFunc(p.Sets(contentType), func(s *AdaptationSet) bool { return len(s.Representations) == 0 })
		if len(sets) > 0 {
			return sets
		}
	}
	return nil
}

// PeriodAt is the period that plays at t: the last that has begun, the first
// when none has, nil when there are none.
func (m *MPD) PeriodAt(t time.Duration) *Period {
	if len(m.Periods) == 0 {
		return nil
	}
	at := 0
	for i := range m.Periods {
		if m.Periods[i].Start <= t {
			at = i
		}
	}
	return &m.Periods[at]
}

// StaleAfter is how far the end of the newest segment listed in a dynamic MPD may
// lie back before the MPD is out of date, where its segments are as long as
// segment: the one that is being made, and the time for which a copy holds
// (minimumUpdatePeriod, 5.3.1.2). ok is false where the MPD is not updated.
func (m *MPD) StaleAfter(segment time.Duration) (after time.Duration, ok bool) {
	if !m.Dynamic || m.MinimumUpdatePeriod == nil {
		return 0, false
	}
	return segment + *m.MinimumUpdatePeriod, true
}

// LowLatency says whether the presentation is made to be played while its
// segments are being made: some video, or sound where there is nothing else, can be asked for before it is complete
// (availabilityTimeOffset with availabilityTimeComplete=false, 5.3.9.5.3).
func (m *MPD) LowLatency() bool {
	for i := range m.Periods {
		for _, set := range m.Periods[i].Main() {
			for j := range set.Representations {
				if r := &set.Representations[j]; m.Dynamic && r.Chunked() && r.early() > 0 {
					return true
				}
			}
		}
	}
	return false
}

// Early is the least availabilityTimeOffset of the representations of video and
// sound: by how much earlier all of them can be asked for.
func (m *MPD) Early() time.Duration {
	least := Inf
	for i := range m.Periods {
		for _, set := range append(m.Periods[i].Sets("video"), m.Periods[i].Sets("audio")...) {
			for j := range set.Representations {
				least = min(least, set.Representations[j].early())
			}
		}
	}
	if least == Inf {
		return 0
	}
	return least
}

// Window is what a dynamic presentation offers at now: from the start of the
// time shift buffer to the live edge, on the MPD timeline (5.3.9.5.3). It does
// not know of segment lengths: the newest complete segment ends at or before
// the edge. Of a static one it is the whole, edge 0 when its end is not known.
func (m *MPD) Window(now time.Time) (start, edge time.Duration) {
	if len(m.Periods) == 0 {
		return 0, 0
	}
	first, last := &m.Periods[0], &m.Periods[len(m.Periods)-1]
	end, known := last.End()
	if !m.Dynamic {
		return first.Start, end
	}
	edge = now.Sub(m.AvailabilityStart)
	if known {
		edge = min(edge, end)
	}
	start = first.Start
	if d := m.TimeShiftBufferDepth; d != nil {
		start = max(start, now.Sub(m.AvailabilityStart)-*d)
	}
	return min(start, edge), edge
}

// short is u for messages: without its query and fragment.
func short(u string) string {
	if i := strings.IndexAny(u, "?#"); i >= 0 {
		u = u[:i]
	}
	if v, err := url.Parse(u); err == nil {
		u = v.Redacted()
	}
	return u
}

func errorf(u string, class error, format string, args ...any) error {
	return fmt.Errorf("dash: %s: %s: %w", short(u), fmt.Sprintf(format, args...), class)
}
