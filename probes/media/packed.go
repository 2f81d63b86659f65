package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"
)

// packedAudio is an elementary stream of sound (RFC 8216bis section 3.1.4): an
// ID3 tag with the timestamp of its first frame, perhaps others, then frames.
type packedAudio struct {
	wanted bool // sound is looked for; else there is nothing to be found
	pos    int64
	frames bool          // the tags are over
	base   int64         // where the frames begin
	head   [tagHead]byte // of a tag, or what might be one
	n      int
	skip   int // bytes of a tag's body still to come
	tag    []byte

	sound   sound
	stamp   uint64
	stamped bool
	frame   *Keyframe
}

const (
	tagHead = 10      // bytes of an ID3v2 tag's header
	maxTag  = 4 << 10 // bytes of a tag that are looked at
)

func (a *packedAudio) keyframe() *Keyframe            { return a.frame }
func (a *packedAudio) setInit(*Init, time.Time) error { return nil }

func (a *packedAudio) feed(p []byte, at time.Time) error {
	for len(p) > 0 && a.wanted && a.frame == nil {
		n := len(p)
		switch {
		case a.skip > 0:
			n = a.body(p)
		case !a.frames:
			n = 1
			if err := a.header(p[0], at); err != nil {
				return err
			}
		default:
			a.pos += int64(n)
			if err := a.add(p, at); err != nil {
				return err
			}
		}
		p = p[n:]
	}
	return nil
}

// header takes a byte of what may be a tag's header; what is none is frames.
func (a *packedAudio) header(c byte, at time.Time) error {
	a.head[a.n] = c
	a.n++
	a.pos++
	b := a.head[:a.n]
	if !bytes.HasPrefix(b, []byte("ID3")[:min(a.n, 3)]) {
		a.frames, a.base = true, a.pos-int64(a.n)
		return a.add(b, at)
	}
	if a.n == tagHead {
		// ID3v2.4 section 3.1: the size has seven bits a byte, and no footer in it.
		a.skip = int(b[6]&0x7f)<<21 | int(b[7]&0x7f)<<14 | int(b[8]&0x7f)<<7 | int(b[9]&0x7f)
		if b[5]&0x10 != 0 {
			a.skip += tagHead
		}
		a.n, a.tag = 0, a.tag[:0]
	}
	return nil
}

// body takes some of a tag's body, and at its end the timestamp in it.
func (a *packedAudio) body(p []byte) int {
	n := min(len(p), a.skip)
	a.tag = append(a.tag, p[:min(n, maxTag-len(a.tag))]...)
	a.skip -= n
	a.pos += int64(n)
	if a.skip > 0 || a.stamped {
		return n
	}
	const owner = "com.apple.streaming.transportStreamTimestamp\x00"
	if i := bytes.Index(a.tag, []byte(owner)); i >= 0 && len(a.tag) >= i+len(owner)+8 {
		a.stamp, a.stamped = binary.BigEndian.Uint64(a.tag[i+len(owner):])&(1<<33-1), true
	}
	return n
}

func (a *packedAudio) add(p []byte, at time.Time) error {
	found, err := a.sound.add(p, a.pos, at)
	if found {
		a.frame = a.sound.keyframe(0, a.base+a.sound.end)
	}
	return err
}

func (a *packedAudio) close() error {
	switch {
	case !a.wanted:
		return fmt.Errorf("%w: packed audio", ErrNoVideo)
	case a.frame != nil:
		return nil
	case a.skip > 0 || a.n > 0 && !a.frames:
		return truncated("%d bytes of an ID3 tag are missing", max(a.skip, tagHead-a.n))
	}
	err := a.sound.close()
	if err == nil {
		a.frame = a.sound.keyframe(0, a.base+a.sound.end)
	}
	return err
}
