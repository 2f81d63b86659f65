package media

import (
	"fmt"
	"time"
)

// fmp4 finds the first sync sample of the video track in fragmented MP4, or,
// where sound is wanted, the first sample of the track of sound.
type fmp4 struct {
	sound  bool
	either bool  // which of the two the init segment tells
	pos    int64 // bytes taken so far
	start  int64 // of the box being read
	head   [16]byte
	n      int   // bytes of head that are there
	left   int64 // bytes of the box's body still to come; -1: up to the end of the segment
	keep   bool  // the body is collected in buf: a moof or moov
	buf    []byte

	init    *Init
	initAt  time.Time
	waiting []fragment // moofs that came before the init segment
	held    int        // bytes of them
	marks   marks      // arrivals, for as long as the init segment is missing

	moofs   int
	want    int64  // end of the keyframe once a moof told, 0 before
	promise int64  // end of all samples that the moofs promised
	lasts   uint64 // all samples of the track, in units of its timescale
	key     *Keyframe
}

// fragment is a moof's body and where its box began.
type fragment struct {
	body  []byte
	start int64
}

func (m *fmp4) keyframe() *Keyframe { return m.key }

func (m *fmp4) feed(p []byte, at time.Time) error {
	if m.init == nil && len(p) > 0 {
		m.marks.add(m.pos+int64(len(p)), at)
	}
	for len(p) > 0 {
		n, err := m.step(p, at)
		if err != nil {
			return err
		}
		p = p[n:]
		m.pos += int64(n)
	}
	m.look(at)
	return nil
}

// step takes some of p: a header's or a body's.
func (m *fmp4) step(p []byte, at time.Time) (int, error) {
	if m.left == 0 {
		return m.header(p)
	}
	n := len(p)
	if m.left > 0 {
		n = int(min(int64(n), m.left))
		m.left -= int64(n)
	}
	if !m.keep {
		return n, nil
	}
	m.buf = append(m.buf, p[:n]...)
	if m.left > 0 {
		return n, nil
	}
	m.keep = false
	return n, m.whole(at)
}

// header takes a byte of the next box's header: they are few.
func (m *fmp4) header(p []byte) (int, error) {
	if m.n == 0 {
		m.start = m.pos
	}
	m.head[m.n] = p[0]
	m.n++
	size, n, err := header(m.head[:m.n])
	if err != nil {
		return 0, fmt.Errorf("%w at byte %d", err, m.start)
	}
	if n == 0 {
		return 1, nil
	}
	m.n = 0
	m.left = size - int64(n)
	if size == 0 {
		m.left = -1
	}
	bound := int64(0)
	switch string(m.head[4:8]) {
	case "moof":
		bound = MaxMoof
	case "moov":
		bound = MaxInit
	}
	m.keep, m.buf = bound > 0, m.buf[:0]
	if m.keep && (m.left < 0 || m.left > bound) {
		return 0, invalid("box %s of %d bytes, at most %d are read", m.head[4:8], size, bound)
	}
	if m.keep && m.left == 0 {
		return 0, invalid("empty box %s", m.head[4:8])
	}
	return 1, nil
}

// whole deals with a moof or moov that is complete.
func (m *fmp4) whole(at time.Time) error {
	if string(m.head[4:8]) == "moov" {
		init, err := parseMoov(m.buf)
		if err != nil {
			return err
		}
		return m.setInit(init, at)
	}
	m.moofs++
	if m.init != nil {
		return m.moof(m.buf, m.start)
	}
	if m.held += len(m.buf); m.held > MaxMoof {
		return invalid("movie fragments of %d bytes without an init segment", m.held)
	}
	m.waiting = append(m.waiting, fragment{append([]byte(nil), m.buf...), m.start})
	return nil
}

func (m *fmp4) moof(body []byte, start int64) error {
	want := uint32(0)
	if t := m.track(); t != nil {
		want = t.ID
	}
	mf, err := parseMoof(body, start, m.init, want, m.sound)
	if err != nil {
		return fmt.Errorf("%w in the moof at byte %d", err, start)
	}
	m.promise = max(m.promise, mf.end)
	m.lasts += mf.lasts
	if m.want == 0 {
		m.want = mf.keyframe
	}
	return nil
}

// track is the one that is wanted, nil if the init segment has none.
func (m *fmp4) track() *Track {
	if m.sound {
		return m.init.Audio()
	}
	return m.init.Video()
}

func (m *fmp4) setInit(init *Init, at time.Time) error {
	m.init, m.initAt = init, at
	if m.either {
		m.sound = init.Video() == nil && init.Audio() != nil
	}
	for _, f := range m.waiting {
		if err := m.moof(f.body, f.start); err != nil {
			return err
		}
	}
	m.waiting = nil
	if m.want > 0 && m.want <= m.marks.end {
		m.look(m.marks.arrival(m.want))
	}
	return nil
}

// look takes note of the keyframe if its last byte has come by now.
func (m *fmp4) look(at time.Time) {
	if m.key != nil || m.want == 0 || m.pos < m.want {
		return
	}
	t := m.track()
	m.key = &Keyframe{
		At: later(at, m.initAt), Offset: m.want, Track: t.ID, Kind: Sync,
		Codec: t.Codec, Width: t.Width, Height: t.Height, Reorder: t.Reorder,
	}
	if m.sound {
		m.key.Kind = Frame
	}
}

func (m *fmp4) close() error {
	switch {
	case m.n > 0:
		return truncated("%d bytes of a box's header at byte %d", m.n, m.start)
	case m.left > 0:
		return truncated("%d bytes of the box %s at byte %d are missing", m.left, m.head[4:8], m.start)
	case m.promise > m.pos:
		return truncated("samples reach to byte %d, the segment ends at %d", m.promise, m.pos)
	case m.key != nil:
		return nil
	case m.init == nil && m.moofs > 0:
		return ErrNoInit
	case m.sound && m.init != nil && m.track() == nil:
		return fmt.Errorf("%w: no track of sound in the init segment", ErrNoAudio)
	case m.sound && m.moofs > 0:
		return fmt.Errorf("%w: no sample of track %d among %d movie fragments", ErrNoAudio, m.track().ID, m.moofs)
	case m.sound:
		return fmt.Errorf("%w: no movie fragment", ErrNoAudio)
	case m.init != nil && m.init.Video() == nil:
		return ErrNoVideo
	case m.moofs == 0:
		return fmt.Errorf("%w: no movie fragment", ErrNoKeyframe)
	}
	return fmt.Errorf("%w: no sync sample among %d movie fragments", ErrNoKeyframe, m.moofs)
}
