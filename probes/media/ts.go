package media

import (
	"bytes"
	"fmt"
	"time"
)

const (
	syncByte   = 0x47
	packetSize = 188
	maxJunk    = 64 << 10 // bytes skipped while looking for the next packet
	noPID      = -1
)

// ts finds the first keyframe in MPEG-TS, or where sound is wanted its first
// frame. The random access indicator is not
// asked: it is a hint, and the NAL units say it better.
type ts struct {
	pkt  [packetSize]byte // a packet that came in pieces
	n    int
	pos  int64
	junk int

	pat, pmt  section
	pmtPID    int
	wanted    int // PID of the pictures, or of the sound
	scrambled bool
	cc        int // the wanted PID's last continuity counter
	last      [packetSize]byte
	lastLen   int // bytes of its last payload, in last

	pes    pes
	es     picture
	sound  *sound // nil where pictures are wanted
	either bool   // sound is, where the program has no pictures
	opaque bool   // its frames are not known here: the first payload will do
	key    *Keyframe
	err    error
}

func newTS(want wants) *ts {
	t := &ts{pmtPID: noPID, wanted: noPID, cc: -1, either: want == either}
	if want == sounds {
		t.sound = &sound{}
	}
	return t
}

func (t *ts) keyframe() *Keyframe            { return t.key }
func (t *ts) setInit(*Init, time.Time) error { return nil }

func (t *ts) feed(p []byte, at time.Time) error {
	for len(p) > 0 {
		if t.n == 0 && p[0] != syncByte {
			n, err := t.resync(p)
			if err != nil {
				return err
			}
			p = p[n:]
			continue
		}
		if t.n == 0 && len(p) >= packetSize {
			t.pos += packetSize
			t.packet(p[:packetSize], at)
			p = p[packetSize:]
			continue
		}
		n := copy(t.pkt[t.n:], p)
		t.n += n
		t.pos += int64(n)
		p = p[n:]
		if t.n == packetSize {
			t.n = 0
			t.packet(t.pkt[:], at)
		}
	}
	return t.err
}

// resync skips to the next sync byte. Right after the first packet there is
// nothing to skip: that was no packet.
func (t *ts) resync(p []byte) (int, error) {
	n := bytes.IndexByte(p, syncByte)
	if n < 0 {
		n = len(p)
	}
	t.junk += n
	if t.pos == packetSize || t.junk > maxJunk {
		return 0, invalid("no MPEG-TS packet at byte %d", t.pos)
	}
	t.pos += int64(n)
	return n, nil
}

// packet takes one packet (ISO/IEC 13818-1 clause 2.4.3.2).
func (t *ts) packet(p []byte, at time.Time) {
	if t.key != nil || t.err != nil || p[1]&0x80 != 0 { // done, or damaged in transport
		return
	}
	pid := int(p[1]&0x1f)<<8 | int(p[2])
	start, control := p[1]&0x40 != 0, p[3]
	payload := p[4:]
	if control&0x10 == 0 {
		return
	}
	if control&0x20 != 0 {
		n := 1 + int(payload[0])
		if n >= len(payload) {
			return
		}
		payload = payload[n:]
	}
	switch {
	case pid == 0 && t.pmtPID == noPID:
		if table := t.pat.add(payload, start); table != nil {
			t.pmtPID = parsePAT(table)
		}
	case pid == t.pmtPID && t.wanted == noPID:
		if table := t.pmt.add(payload, start); table != nil {
			t.choose(table)
		}
	case pid == t.wanted && control&0xc0 != 0:
		t.scrambled = true
	case pid == t.wanted && !t.twice(payload, int(control&0x0f)):
		t.elementary(payload, start, at)
	}
}

// choose takes the wanted stream out of a program map table.
func (t *ts) choose(table []byte) {
	if t.sound == nil {
		t.wanted, t.es.codec = parsePMT(table)
	}
	if t.either && t.wanted == noPID {
		t.sound = &sound{}
	}
	if t.sound != nil {
		t.wanted, t.opaque = parseSound(table)
	}
}

// twice tells whether a packet of the wanted PID repeats the one before, as it
// may once (clause 2.4.3.3).
func (t *ts) twice(payload []byte, cc int) bool {
	if cc == t.cc && bytes.Equal(payload, t.last[:t.lastLen]) {
		return true
	}
	t.cc, t.lastLen = cc, copy(t.last[:], payload)
	return false
}

// elementary takes a payload of the wanted PID.
func (t *ts) elementary(p []byte, start bool, at time.Time) {
	if start {
		t.pes.begin()
	}
	wasOpen := t.pes.open
	p = t.pes.payload(p)
	if t.opaque && len(p) > 0 {
		t.done(&Keyframe{At: at, Offset: t.pos, Kind: Frame})
		return
	}
	if t.sound != nil {
		found, err := t.sound.add(p, t.pos, at)
		if t.err = err; found {
			t.done(t.sound.keyframe(0, t.sound.last.off))
		}
		return
	}
	if t.pes.open && !wasOpen && t.pes.timed {
		t.done(t.es.finish())
	}
	if t.key == nil && len(p) > 0 {
		t.done(t.es.add(p, t.pos, at))
	}
}

// done takes note of a picture that ended, if it is a keyframe.
func (t *ts) done(k *Keyframe) {
	if t.key == nil && k != nil {
		k.Track = uint32(t.wanted)
		t.key = k
	}
}

func (t *ts) close() error {
	if t.n > 0 {
		return truncated("%d bytes of a packet at byte %d", t.n, t.pos-int64(t.n))
	}
	if t.key == nil && t.pes.left > 0 {
		return truncated("%d bytes of a PES packet are missing", t.pes.left)
	}
	none := ErrNoKeyframe
	var why error
	if t.sound != nil {
		none = ErrNoAudio
		if t.wanted != noPID && !t.scrambled && t.key == nil {
			if why = t.sound.close(); why == nil {
				t.done(t.sound.keyframe(0, t.sound.last.off))
			}
		}
	} else {
		t.done(t.es.finish())
	}
	switch {
	case t.key != nil:
		return nil
	case t.pmtPID == noPID:
		return fmt.Errorf("%w: no program association table", none)
	case !t.pmt.whole:
		return fmt.Errorf("%w: no program map table", none)
	case t.wanted == noPID && t.sound != nil:
		return fmt.Errorf("%w: no stream of sound", none)
	case t.wanted == noPID:
		return ErrNoVideo
	case t.scrambled:
		return fmt.Errorf("%w: packets are scrambled", none)
	case t.sound != nil:
		return why
	}
	return fmt.Errorf("%w: %s", none, t.es.why())
}
