package hls

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The ways in which a copy of a live playlist can contradict an earlier one; an
// error of [Media.Follow] wraps one of them.
var (
	// ErrBackwards says that the copy is older than the one before: its media
	// sequence number, or its end, went back (6.2.1, 6.2.2).
	ErrBackwards = errors.New("playlist went backwards")
	// ErrRewritten says that what must not change has: the target duration, or
	// the URI of a media sequence number (6.2.1).
	ErrRewritten = errors.New("playlist was rewritten")
	// ErrSkipped says that a delta update leaves out what the earlier copy does
	// not hold either (6.2.5.1): the whole playlist is to be asked for.
	ErrSkipped = errors.New("playlist skips unknown segments")
)

// StaleFactor is how many target durations after one segment the next must be in
// the playlist at the latest (6.2.1).
const StaleFactor = 1.5

// Follow takes m as the copy that came after prev, of the same playlist, and
// fills in from prev what m, a delta update, skipped (4.4.5.2). advanced says
// whether m holds anything that prev did not. The error wraps [ErrBackwards],
// [ErrRewritten] or [ErrSkipped]; with ErrRewritten m can be played nevertheless.
func (m *Media) Follow(prev *Media) (advanced bool, err error) {
	if err := m.fillIn(prev); err != nil {
		return false, err
	}
	was, is := prev.edge(), m.edge()
	switch {
	case m.MediaSequence < prev.MediaSequence:
		return false, fmt.Errorf("hls: media sequence %d after %d: %w", m.MediaSequence, prev.MediaSequence, ErrBackwards)
	case is.before(was):
		return false, fmt.Errorf("hls: the playlist ends with segment %d part %d, before it was %d part %d: %w", is.MSN, is.Part, was.MSN, was.Part, ErrBackwards)
	}
	advanced = was.before(is) || m.EndList && !prev.EndList
	if m.TargetDuration != prev.TargetDuration {
		return advanced, fmt.Errorf("hls: target duration %v after %v: %w", m.TargetDuration, prev.TargetDuration, ErrRewritten)
	}
	for i := range m.Segments {
		s := &m.Segments[i]
		if old := prev.segment(s.Sequence); old != nil && (old.URI != s.URI || old.ByteRange != s.ByteRange) {
			return advanced, fmt.Errorf("hls: segment %d is %s, before it was %s: %w", s.Sequence, short(s.URI), short(old.URI), ErrRewritten)
		}
	}
	return advanced, nil
}

// fillIn puts the segments that a delta update skipped in front of its own.
func (m *Media) fillIn(prev *Media) error {
	if m.Skipped == 0 {
		return nil
	}
	first := slices.IndexFunc(prev.Segments, func(s Segment) bool { return s.Sequence == m.MediaSequence })
	if first < 0 || m.Skipped > int64(len(prev.Segments)-first) {
		return fmt.Errorf("hls: a delta update skips %d segments from %d on: %w", m.Skipped, m.MediaSequence, ErrSkipped)
	}
	skipped := prev.Segments[first : first+int(m.Skipped)]
	// What was in force at the end of the skipped ones stays so, unless the
	// update has tags of its own.
	last := &skipped[len(skipped)-1]
	for i := range m.Segments {
		m.Segments[i].inherit(last)
	}
	if m.Partial != nil {
		m.Partial.inherit(last)
	}
	m.Segments = slices.Concat(skipped, m.Segments)
	m.Skipped = 0
	if !last.ProgramDateTime.IsZero() {
		m.date(len(skipped), last.ProgramDateTime.Add(last.Duration))
	}
	return nil
}

// inherit takes over what a segment before has in force. A delta update after
// METHOD=NONE or with an EXT-X-MAP of its own says so again where it matters:
// servers skip no tag that changes what follows (6.2.5.1).
func (s *Segment) inherit(from *Segment) {
	if s.Map == nil {
		s.Map = from.Map
	}
	if s.Keys == nil {
		s.Key, s.Keys = from.Key, from.Keys
	}
}

// date reckons the wall clock of the segments from index i on that have none.
func (m *Media) date(i int, clock time.Time) {
	for ; i < len(m.Segments) && m.Segments[i].ProgramDateTime.IsZero(); i++ {
		m.Segments[i].ProgramDateTime = clock
		clock = clock.Add(m.Segments[i].Duration)
	}
	if i == len(m.Segments) && m.Partial != nil && m.Partial.ProgramDateTime.IsZero() {
		m.Partial.ProgramDateTime = clock
	}
}

func (m *Media) segment(sequence int64) *Segment {
	if len(m.Segments) == 0 {
		return nil
	}
	if i := sequence - m.Segments[0].Sequence; i >= 0 && i < int64(len(m.Segments)) {
		return &m.Segments[i]
	}
	return nil
}

// Directives are what a client may ask of a server that delivers low latency
// (6.2.5). Their zero value asks for nothing.
type Directives struct {
	Block bool  // hold the answer until what MSN and Part name is there
	MSN   int64 // _HLS_msn: a media sequence number
	Part  int64 // _HLS_part: counted from 0, of the segment MSN; -1 is the whole segment
	Skip  bool  // _HLS_skip=YES: a delta update will do
}

// before tells whether d names something that comes earlier in a playlist.
func (d Directives) before(e Directives) bool {
	if d.MSN != e.MSN {
		return d.MSN < e.MSN
	}
	return d.Part < e.Part
}

// edge is the playlist's last part, or its last segment, which no part follows.
func (m *Media) edge() Directives {
	next := m.MediaSequence + m.Skipped
	if n := len(m.Segments); n > 0 {
		next = m.Segments[n-1].Sequence + 1
	}
	if n := len(m.Parts); n > 0 {
		return Directives{MSN: next, Part: int64(n) - 1}
	}
	return Directives{MSN: next - 1, Part: math.MaxInt32}
}

// Next asks for the part, or segment, that comes next; ok is false where the
// server does not hold answers (CAN-BLOCK-RELOAD), or nothing comes any more.
func (m *Media) Next() (d Directives, ok bool) {
	if !m.ServerControl.CanBlockReload || m.EndList {
		return Directives{}, false
	}
	d = m.edge()
	d.Block = true
	switch {
	case len(m.Parts) > 0:
		d.Part++
	case m.LowLatency():
		d.MSN, d.Part = d.MSN+1, 0
	default:
		d.MSN, d.Part = d.MSN+1, -1
	}
	return d, true
}

// Reported asks for another playlist of the presentation, at the absolute URI, as
// far as m says that it has come (4.4.5.4): that answer is up to date, and there
// already. ok is false where m says nothing of it, or the server does not hold
// answers.
func (m *Media) Reported(uri string) (d Directives, ok bool) {
	for i := range m.Reports {
		if r := &m.Reports[i]; r.URI == uri && m.ServerControl.CanBlockReload {
			return Directives{Block: true, MSN: r.LastMSN, Part: r.LastPart}, true
		}
	}
	return Directives{}, false
}

// TuneIn asks for the playlist as it is now, where a cache has held this copy
// for age (appendix C): so much further than its end. A part that goes beyond
// its segment is the server's to carry over (6.2.5.2). ok is false where the
// copy is fresh enough, or the server does not hold answers.
func (m *Media) TuneIn(age time.Duration) (d Directives, ok bool) {
	d, ok = m.Next()
	if !ok || !m.LowLatency() || m.TargetDuration <= 0 {
		return Directives{}, false
	}
	if age > 0 && m.PartTarget < time.Second {
		age += time.Second // Age counts whole seconds
	}
	goal := min(age-m.PartTarget, 3*m.TargetDuration)
	if goal <= 0 {
		return Directives{}, false
	}
	d.MSN += int64(goal / m.TargetDuration)
	d.Part += int64(goal % m.TargetDuration / m.PartTarget)
	return d, true
}

// URL is u, the URL of a playlist, with the directives in its query, in the
// order of UTF-8 (6.2.5): they come in place of those that it has.
func (d Directives) URL(u string) string {
	v, err := url.Parse(u)
	if err != nil {
		return u
	}
	var query []string
	for p := range strings.SplitSeq(v.RawQuery, "&") {
		if p != "" && !strings.HasPrefix(p, "_HLS_") {
			query = append(query, p)
		}
	}
	if d.Block {
		query = append(query, "_HLS_msn="+strconv.FormatInt(d.MSN, 10))
		if d.Part >= 0 {
			query = append(query, "_HLS_part="+strconv.FormatInt(d.Part, 10))
		}
	}
	if d.Skip {
		query = append(query, "_HLS_skip=YES")
	}
	slices.Sort(query)
	v.RawQuery = strings.Join(query, "&")
	return v.String()
}

// ReloadAfter is how long after a request for the playlist a client asks again
// (6.3.4): the last segment's duration where the playlist had changed, else half
// the target duration. Of a playlist that ended it is 0.
func (m *Media) ReloadAfter(advanced bool) time.Duration {
	switch n := len(m.Segments); {
	case m.EndList:
		return 0
	case advanced && len(m.Parts) > 0:
		return m.PartTarget
	case advanced && n > 0:
		return m.Segments[n-1].Duration
	}
	return m.TargetDuration / 2
}

// StaleAfter is how long a live playlist may stay as it is before its server is
// at fault: 1.5 target durations (6.2.1).
func (m *Media) StaleAfter() time.Duration {
	return time.Duration(StaleFactor * float64(m.TargetDuration))
}
