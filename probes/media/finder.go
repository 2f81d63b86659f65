package media

import (
	"bytes"
	"fmt"
	"time"
)

// demuxer finds the first keyframe in one container.
type demuxer interface {
	// feed takes bytes that had all arrived at the instant.
	feed(p []byte, at time.Time) error
	close() error
	keyframe() *Keyframe
	setInit(init *Init, at time.Time) error
}

// Finder watches one media segment as it arrives. Its zero value is ready.
type Finder struct {
	head   [sniffLen]byte // the first bytes, until the container is known
	n      int
	first  marks // their arrivals
	dmx    demuxer
	init   *Init
	initAt time.Time
	closed bool
	wants  wants
	err    error
}

// wants is what is looked for.
type wants byte

const (
	pictures wants = iota
	sounds
	either // pictures, and where there is no track of them sound
)

// NewFinder is a Finder for one segment.
func NewFinder() *Finder { return &Finder{} }

// NewAudioFinder is a Finder for one segment of sound: what it calls the
// keyframe is the first frame of the first track of sound. Where [Finder.Close]
// would say [ErrNoKeyframe], it says [ErrNoAudio].
func NewAudioFinder() *Finder { return &Finder{wants: sounds} }

// NewAnyFinder is a Finder for one segment of which it is not known whether it
// has pictures: where it has no track of them it is as one of [NewAudioFinder].
func NewAnyFinder() *Finder { return &Finder{wants: either} }

// Feed takes the segment's next piece, whose last byte had arrived at the
// instant. The container is known from the first bytes. The error is
// [ErrInvalid] or [ErrUnsupported], and stays: nothing more is to be expected of
// the segment.
func (f *Finder) Feed(p []byte, at time.Time) error {
	if f.err == nil && !f.closed {
		f.err = f.feed(p, at)
	}
	return f.err
}

func (f *Finder) feed(p []byte, at time.Time) error {
	if f.dmx != nil {
		return f.dmx.feed(p, at)
	}
	n := copy(f.head[f.n:], p)
	f.n += n
	f.first.add(int64(f.n), at)
	dmx, err := sniff(f.head[:f.n], f.wants)
	if dmx == nil || err != nil {
		return err
	}
	f.dmx = dmx
	if f.init != nil {
		if err := dmx.setInit(f.init, f.initAt); err != nil {
			return err
		}
	}
	start := int64(0)
	for _, m := range f.first.list {
		if err := dmx.feed(f.head[start:m.end], m.at); err != nil {
			return err
		}
		start = m.end
	}
	return dmx.feed(p[n:], at)
}

// SetInit gives the segment's initialization segment, which was complete at
// the instant. It may come before, between or after the pieces, even after
// Close; MPEG-TS and segments that hold a moov box of their own need none. The
// error is Feed's, or after Close what Close would have said.
func (f *Finder) SetInit(init *Init, at time.Time) error {
	if f.err != nil {
		return f.err
	}
	f.init, f.initAt = init, at
	if f.dmx == nil {
		return nil
	}
	if f.err = f.dmx.setInit(init, at); f.err == nil && f.closed {
		return f.dmx.close()
	}
	return f.err
}

// Close says that the segment ended. The error is Feed's if there was one, and
// else [ErrTruncated], [ErrNoInit] (see there), [ErrNoKeyframe] or
// [ErrNoVideo]. ErrTruncated may be said of a segment whose keyframe is whole.
//
// MPEG-TS that is cut between packets, within a picture whose PES packet does
// not say its length, looks whole: only HTTP knows better.
func (f *Finder) Close(time.Time) error {
	f.closed = true
	switch {
	case f.err != nil:
		return f.err
	case f.n == 0:
		return fmt.Errorf("%w: the segment is empty", ErrTruncated)
	case f.dmx == nil:
		return invalid("the segment of %d bytes is no media", f.n)
	}
	return f.dmx.close()
}

// Timestamp is the presentation time of the first frame of packed audio, in
// units of 1/90000 s with 33 bits, as its ID3 tag says (RFC 8216bis section
// 3.1.4); ok is false where there is none.
func (f *Finder) Timestamp() (ticks uint64, ok bool) {
	if a, is := f.dmx.(*packedAudio); is {
		return a.stamp, a.stamped
	}
	return 0, false
}

// Keyframe is the first video keyframe, once it is known. In MPEG-TS that is
// when its end is seen: at the next picture or the end of the segment. Its At
// is the true instant nevertheless.
func (f *Finder) Keyframe() (Keyframe, bool) {
	if f.dmx == nil || f.dmx.keyframe() == nil {
		return Keyframe{}, false
	}
	return *f.dmx.keyframe(), true
}

// Fragmented says whether the segment is fragmented MP4; false before its first
// eight bytes are there.
func (f *Finder) Fragmented() bool {
	_, is := f.dmx.(*fmp4)
	return is
}

// Duration is how long the samples last that fragmented MP4 has announced so far
// for the track that is looked at; ok is false of other containers, before the
// init segment is there, and where it would be more than a day.
func (f *Finder) Duration() (d time.Duration, ok bool) {
	m, is := f.dmx.(*fmp4)
	if !is || m.init == nil {
		return 0, false
	}
	t := m.track()
	if t == nil || t.Timescale == 0 || m.lasts == 0 {
		return 0, false
	}
	s := float64(m.lasts) / float64(t.Timescale)
	return time.Duration(s * float64(time.Second)), s < 24*60*60
}

const sniffLen = 8

// sniff knows a container by its first bytes; it is nil while they are too few.
func sniff(head []byte, want wants) (demuxer, error) {
	switch {
	case len(head) == 0:
		return nil, nil
	case head[0] == syncByte:
		return newTS(want), nil
	case len(head) < sniffLen:
		return nil, nil
	}
	switch string(head[4:8]) {
	case "styp", "ftyp", "moof", "moov", "sidx", "ssix", "emsg", "prft", "mdat", "free", "skip", "uuid":
		return &fmp4{sound: want == sounds, either: want == either}, nil
	}
	switch text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n"); {
	case bytes.HasPrefix(text, []byte("#EXT")):
		return nil, invalid("a playlist in place of a segment")
	case bytes.HasPrefix(text, []byte("<")):
		return nil, invalid("HTML or XML in place of a segment")
	case bytes.HasPrefix(head, []byte("\x1a\x45\xdf\xa3")): // EBML
		return nil, fmt.Errorf("%w: WebM", ErrUnsupported)
	case bytes.HasPrefix(head, []byte("ID3")):
		return &packedAudio{wanted: want != pictures}, nil
	}
	if _, ok := parseFrame(head); ok {
		return &packedAudio{wanted: want != pictures}, nil
	}
	return nil, invalid("neither MPEG-TS nor MP4: it begins with %q", head)
}
