package dash

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// inherit is the addressing of a level: its own where it has one, filled up
// attribute by attribute from the level above (5.3.9.1).
func inherit(above, own xmlAddressing) xmlAddressing {
	switch {
	case own.Template != nil:
		return xmlAddressing{Template: merge(above.Template, own.Template)}
	case own.List != nil:
		return xmlAddressing{List: merge(above.List, own.List)}
	case own.Base != nil:
		return xmlAddressing{Base: merge(above.Base, own.Base)}
	}
	return above
}

func merge(above, own *xmlSegment) *xmlSegment {
	if above == nil {
		return own
	}
	m := *own
	for _, f := range []struct{ own, above *number }{
		{&m.Timescale, &above.Timescale}, {&m.PTO, &above.PTO}, {&m.Duration, &above.Duration},
		{&m.StartNumber, &above.StartNumber}, {&m.EndNumber, &above.EndNumber}, {&m.Sequence, &above.Sequence},
	} {
		if !f.own.set {
			*f.own = *f.above
		}
	}
	for _, f := range []struct{ own, above *string }{
		{&m.Complete, &above.Complete}, {&m.IndexRange, &above.IndexRange}, {&m.Media, &above.Media},
		{&m.InitURL, &above.InitURL}, {&m.Index, &above.Index},
	} {
		if *f.own == "" {
			*f.own = *f.above
		}
	}
	if m.Offset.d == 0 {
		m.Offset = above.Offset
	}
	if m.Init == nil {
		m.Init = above.Init
	}
	if m.IndexAt == nil {
		m.IndexAt = above.IndexAt
	}
	if m.Timeline == nil {
		m.Timeline = above.Timeline
	}
	if m.URLs == nil {
		m.URLs = above.URLs
	}
	return &m
}

// maxScale bounds a timescale: xs:unsignedInt.
const maxScale = math.MaxUint32

// addressing reads how the segments of a representation are found.
func (b *builder) addressing(a xmlAddressing, p *Period) (*segments, error) {
	x := a.Template
	if x == nil {
		x = a.List
	}
	if x == nil {
		x = a.Base
	}
	if x == nil {
		return &segments{scale: 1, first: 1, end: -1, complete: true, parts: 1}, nil
	}
	s := &segments{
		scale: x.Timescale.or(1), pto: x.PTO.or(0), first: x.StartNumber.or(1), end: x.EndNumber.or(-1),
		offset: x.Offset.d, complete: x.Complete != "false", parts: sequence(x.Sequence),
	}
	switch {
	case s.scale < 1 || s.scale > maxScale:
		return nil, fmt.Errorf("timescale %d", s.scale)
	case s.first < 0 || s.first > 1<<62 || s.end < -1 || s.end > 1<<62:
		return nil, fmt.Errorf("startNumber %d, endNumber %d", s.first, s.end)
	case s.pto < 0:
		return nil, fmt.Errorf("presentationTimeOffset %d", s.pto)
	}
	if x.Duration.set {
		if s.ticks = x.Duration.n; s.ticks <= 0 {
			return nil, fmt.Errorf("duration %d", s.ticks)
		}
		s.kind = uniform
	}
	if x.Timeline != nil {
		s.kind = timeline
		l, err := b.timeline(x.Timeline, s, p)
		if err != nil {
			return nil, err
		}
		s.runs, s.parts = l.runs, l.parts
	}
	if err := b.initialization(s, x, a.Template != nil); err != nil {
		return nil, err
	}
	switch {
	case a.Template != nil:
		return s, b.template(s, x)
	case a.List != nil:
		return s, b.segmentList(s, x, p)
	}
	return s, b.segmentBase(s, x)
}

func (b *builder) initialization(s *segments, x *xmlSegment, isTemplate bool) (err error) {
	switch {
	case isTemplate && x.InitURL != "":
		s.hasInit = true
		s.initMedia, err = b.parseTemplate(x.InitURL)
		return err
	case x.Init != nil:
		s.hasInit = true
		s.init.URL = x.Init.SourceURL
		if s.init.ByteRange, err = parseRange(x.Init.Range); err != nil {
			return fmt.Errorf("range of Initialization is %w", err)
		}
	}
	return nil
}

func (b *builder) template(s *segments, x *xmlSegment) error {
	if x.Media == "" {
		return errors.New("a SegmentTemplate without media")
	}
	media, err := b.parseTemplate(x.Media)
	if err != nil {
		return err
	}
	if s.kind == uniform && !media.uses(numberOf) && !media.uses(timeOf) {
		b.note("SegmentTemplate@media has neither $Number$ nor $Time$")
	}
	s.media = media
	if s.parts > 1 && !media.uses(subNumberOf) {
		b.note("segment sequences without $SubNumber$")
		s.whole = true
	}
	return nil
}

// maxSequence bounds the segments of a sequence.
const maxSequence = 1 << 16

// sequence is how many segments a segment sequence has, as @k says; without it one.
func sequence(k number) int64 { return min(max(k.or(1), 1), maxSequence) }

// parseTemplate cuts a URL template, once for all representations that share it.
func (b *builder) parseTemplate(s string) (template, error) {
	if !b.spend(len(s)) {
		return nil, ErrTooLarge
	}
	if t, ok := b.parsed[s]; ok {
		return t, nil
	}
	t, complaint, err := parseTemplate(s)
	if err != nil {
		return nil, err
	}
	if !b.spend(48 * len(t)) {
		return nil, ErrTooLarge
	}
	if complaint != "" {
		b.note("URL template: %s", complaint)
	}
	if b.parsed == nil {
		b.parsed = map[string]template{}
	}
	b.parsed[s] = t
	return t, nil
}

// segmentList reads a SegmentList (5.3.9.3). Without a duration its segments are
// taken to be of equal length.
func (b *builder) segmentList(s *segments, x *xmlSegment, p *Period) error {
	var err error
	if s.list, err = b.urls(x.URLs); err != nil {
		return err
	}
	if s.kind == whole && len(s.list) > 1 {
		b.note("SegmentList without a duration")
		if p.Duration == 0 {
			return errors.New("a SegmentList without a duration, in an open period")
		}
		s.kind = uniform
		s.ticks = max((toTicks(p.Duration, s.scale)+int64(len(s.list))-1)/int64(len(s.list)), 1)
	}
	return nil
}

// urls reads SegmentURLs, once for all representations that share them.
func (b *builder) urls(list []xmlURL) ([]Ref, error) {
	if len(list) == 0 {
		return []Ref{}, nil
	}
	if refs, ok := b.lists[&list[0]]; ok {
		return refs, nil
	}
	if !b.spend(96 * len(list)) {
		return nil, ErrTooLarge
	}
	refs := make([]Ref, 0, len(list))
	for i := range list {
		r, err := parseRange(list[i].Range)
		if err != nil {
			return nil, fmt.Errorf("mediaRange of SegmentURL is %w", err)
		}
		refs = append(refs, Ref{URL: list[i].Media, ByteRange: r})
	}
	if b.lists == nil {
		b.lists = map[*xmlURL][]Ref{}
	}
	b.lists[&list[0]] = refs
	return refs, nil
}

// segmentBase reads a SegmentBase (5.3.9.2). Without an Initialization what is
// before the index initializes.
func (b *builder) segmentBase(s *segments, x *xmlSegment) (err error) {
	s.kind = whole
	if x.IndexRange == "" {
		return nil
	}
	if s.index, err = parseRange(x.IndexRange); err != nil {
		return fmt.Errorf("indexRange of SegmentBase is %w", err)
	}
	s.kind = indexed
	if !s.hasInit && s.index.Offset > 0 {
		s.hasInit = true
		s.init.ByteRange = ByteRange{Length: s.index.Offset}
	}
	return nil
}

// lineKey is all that the runs of a timeline depend on.
type lineKey struct {
	timeline   *xmlTimeline
	scale, pto int64
	first      int64
	period     time.Duration
}

// line is a SegmentTimeline that has been read.
type line struct {
	runs  []run
	parts int64 // of the longest segment sequence
}

// timeline is a SegmentTimeline, read once for all representations that share it.
func (b *builder) timeline(x *xmlTimeline, s *segments, p *Period) (line, error) {
	key := lineKey{x, s.scale, s.pto, s.first, p.Duration}
	l, ok := b.lines[key]
	if ok {
		return l, nil
	}
	if !b.spend(32 * len(x.S)) {
		return line{}, ErrTooLarge
	}
	if b.lines == nil {
		b.lines = map[lineKey]line{}
	}
	l = line{runs: b.runs(x.S, s, p)}
	for i := range l.runs {
		l.parts = max(l.parts, l.runs[i].parts)
	}
	b.lines[key] = l
	return l, nil
}

// runs reads a SegmentTimeline (5.3.9.6): @t defaults to the end of the one
// before, @r repeats so many times more, a negative @r until the next @t, the
// period's end, or, where that is not known, for ever.
func (b *builder) runs(list []xmlS, s *segments, p *Period) []run {
	runs := make([]run, 0, len(list))
	var next, index int64
	for i := range list {
		x := &list[i]
		t, d := x.T.or(next), x.D.n
		if d <= 0 || t < 0 || d > 1<<62 || t > 1<<62 {
			b.note("S t=%d d=%d is left out", t, d)
			continue
		}
		if i > 0 && t < next {
			b.note("S t=%d begins before %d, the end of the one before", t, next)
			if len(runs) > 0 && t <= runs[len(runs)-1].t {
				continue
			}
		}
		if x.N.set && x.N.n != s.first+index {
			b.note("S n=%d where the count is at %d: players go by the count", x.N.n, s.first+index)
		}
		r := run{t: t, d: d, n: 1, first: index, parts: sequence(x.K)}
		switch n := x.R.or(0); {
		case n >= 0:
			r.n = min(n, 1<<40) + 1
		case i+1 < len(list) && list[i+1].T.set:
			r.n = max(ceilDiv(list[i+1].T.n-t, d), 1)
		case i+1 < len(list):
			b.note("S r=%d before an S without t", n)
		case p.Duration > 0:
			r.n = max(ceilDiv(addTicks(toTicks(p.Duration, s.scale), s.pto)-t, d), 1)
		default:
			r.n = open
		}
		if r.n != open && r.n > (math.MaxInt64>>1-t)/d {
			b.note("S t=%d d=%d r=%d is beyond all time and left out", t, d, x.R.n)
			continue
		}
		runs = append(runs, r)
		if r.n == open {
			break
		}
		next, index = t+r.n*d, index+r.n
	}
	return runs
}

func ceilDiv(a, b int64) int64 {
	if a <= 0 {
		return 0
	}
	return (a-1)/b + 1
}
