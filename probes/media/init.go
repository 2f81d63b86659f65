package media

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// Init is what an initialization segment says: what is needed to read the
// segments that belong to it.
type Init struct {
	Tracks []Track // in the order of the file, at most MaxTracks
}

// Track is one track of an initialization segment.
type Track struct {
	ID        uint32
	Handler   string // "vide", "soun", or another of ISO/IEC 14496-12 clause 8.4.3
	Timescale uint32 // units per second
	// Codec is as in RFC 6381 for H.264, H.265, AV1 and AAC, and else the
	// sample entry's four characters. Encrypted tracks say what they protect.
	Codec         string
	Width, Height int // in pixels; 0 for sound
	Reorder       int // as [Keyframe.Reorder]
	// Encrypted is set where samples are under Common Encryption. It hides no
	// sizes, so no key is needed to find a keyframe.
	Encrypted bool
	// DefaultDuration, DefaultSize and DefaultFlags hold for samples whose movie
	// fragment does not say (the trex box).
	DefaultDuration, DefaultSize, DefaultFlags uint32
}

// Video is the first video track, nil if there is none.
func (i *Init) Video() *Track { return i.first("vide") }

// Audio is the first track of sound, nil if there is none.
func (i *Init) Audio() *Track { return i.first("soun") }

func (i *Init) first(handler string) *Track {
	for n := range i.Tracks {
		if i.Tracks[n].Handler == handler {
			return &i.Tracks[n]
		}
	}
	return nil
}

func (i *Init) track(id uint32) *Track {
	for n := range i.Tracks {
		if i.Tracks[n].ID == id {
			return &i.Tracks[n]
		}
	}
	return nil
}

// InitReader is a [Sink] for an initialization segment of at most [MaxInit]
// bytes. Its zero value is ready.
type InitReader struct {
	buf  []byte
	init *Init
}

// Feed takes the next piece. The error is [ErrInvalid]: too many bytes, or
// surely no MP4.
func (r *InitReader) Feed(p []byte, _ time.Time) error {
	if len(r.buf)+len(p) > MaxInit {
		return invalid("an init segment of more than %d bytes", MaxInit)
	}
	r.buf = append(r.buf, p...)
	_, err := sniff(r.buf[:min(len(r.buf), sniffLen)], pictures)
	return err
}

// Close reads what came. The errors are those of [ParseInit].
func (r *InitReader) Close(time.Time) (err error) {
	r.init, err = ParseInit(r.buf)
	return err
}

// Init is the initialization segment, nil before a Close without error.
func (r *InitReader) Init() *Init { return r.init }

// ParseInit reads an initialization segment in fragmented MP4: its moov box.
// The error is [ErrInvalid], or [ErrTruncated] if b ends within a box.
func ParseInit(b []byte) (*Init, error) {
	if _, err := sniff(b[:min(len(b), sniffLen)], pictures); err != nil {
		return nil, err
	}
	for rest := b; len(rest) > 0; {
		size, n, err := header(rest)
		if err != nil {
			return nil, err
		}
		if size == 0 {
			size = int64(len(rest))
		}
		if n == 0 || size > int64(len(rest)) {
			return nil, truncated("the init segment ends at byte %d, within a box", len(b))
		}
		if string(rest[4:8]) == "moov" {
			return parseMoov(rest[n:size])
		}
		rest = rest[size:]
	}
	return nil, invalid("an init segment of %d bytes without a moov box", len(b))
}

func parseMoov(body []byte) (*Init, error) {
	init := &Init{}
	var mvex []byte // may come before the tracks
	w := boxes{rest: body}
	for w.next() {
		switch w.typ {
		case "trak":
			if len(init.Tracks) == MaxTracks {
				return nil, invalid("more than %d tracks", MaxTracks)
			}
			var t Track
			if err := t.trak(w.body, 0); err != nil {
				return nil, err
			}
			if t.ID == 0 || init.track(t.ID) != nil {
				return nil, invalid("track ID %d is zero or twice there", t.ID)
			}
			init.Tracks = append(init.Tracks, t)
		case "mvex":
			mvex = w.body
		}
	}
	if w.err != nil {
		return nil, w.err
	}
	if len(init.Tracks) == 0 {
		return nil, invalid("a moov box without tracks")
	}
	if err := init.mvex(mvex); err != nil {
		return nil, err
	}
	return init, nil
}

func (i *Init) mvex(body []byte) error {
	w := boxes{rest: body}
	for w.next() {
		if w.typ != "trex" {
			continue
		}
		f := fields{b: w.body}
		f.full()
		id := f.u32()
		f.skip(4) // sample description index
		duration, size, flags := f.u32(), f.u32(), f.u32()
		if f.short {
			return invalid("trex of %d bytes", len(w.body))
		}
		if t := i.track(id); t != nil {
			t.DefaultDuration, t.DefaultSize, t.DefaultFlags = duration, size, flags
		}
	}
	return w.err
}

// maxDepth is how deep the boxes wanted here lie in a trak: mdia, minf, stbl.
const maxDepth = 3

// trak reads a trak box, or one of the boxes in it that hold others.
func (t *Track) trak(body []byte, depth int) error {
	w := boxes{rest: body}
	for w.next() {
		var err error
		f := fields{b: w.body}
		switch w.typ {
		case "mdia", "minf", "stbl":
			if depth < maxDepth {
				err = t.trak(w.body, depth+1)
			}
		case "tkhd":
			if v, _ := f.full(); v == 1 {
				f.skip(16)
			} else {
				f.skip(8)
			}
			t.ID = f.u32()
		case "mdhd":
			if v, _ := f.full(); v == 1 {
				f.skip(16)
			} else {
				f.skip(8)
			}
			t.Timescale = f.u32()
		case "hdlr":
			f.skip(8)
			t.Handler = string(f.take(4))
		case "stsd":
			f.skip(8)
			if !f.short {
				err = t.sampleEntry(f.b)
			}
		}
		if err != nil {
			return err
		}
		if f.short {
			return invalid("%s of %d bytes", w.typ, len(w.body))
		}
	}
	return w.err
}

// sampleEntry reads the first sample entry of stsd (ISO/IEC 14496-12 clauses
// 12.1.3 and 12.2.3).
func (t *Track) sampleEntry(b []byte) error {
	w := boxes{rest: b}
	if !w.next() {
		return w.err
	}
	t.Codec = w.typ
	f := fields{b: w.body}
	switch t.Handler {
	case "vide":
		f.skip(24)
		t.Width, t.Height = int(f.u16()), int(f.u16())
		f.skip(50)
	case "soun":
		f.skip(8)
		version := f.u16()
		f.skip(18)
		if version == 1 { // QuickTime
			f.skip(16)
		}
	default:
		return nil
	}
	if f.short {
		return invalid("sample entry %s of %d bytes", w.typ, len(w.body))
	}
	config := boxes{rest: f.b}
	var record []byte
	var kind string
	for config.next() {
		switch config.typ {
		case "sinf":
			t.Encrypted = true
			t.Codec = original(config.body, t.Codec)
		case "avcC", "hvcC", "av1C", "esds":
			kind, record = config.typ, config.body
		}
	}
	t.Codec = codecString(t.Codec, kind, record)
	if kind == "avcC" {
		t.Reorder = parseAVC(firstSPS(record)).reorder
	}
	return config.err
}

// firstSPS is the first sequence parameter set of an avcC box (ISO/IEC 14496-15
// clause 5.3.3.1.2), nil where there is none.
func firstSPS(record []byte) []byte {
	const sets = 5
	f := fields{b: record[min(sets, len(record)):]}
	if n := f.u8() & 31; n == 0 {
		return nil
	}
	return f.take(int(f.u16()))
}

// original is the format that a protection scheme (sinf) hides.
func original(sinf []byte, otherwise string) string {
	w := boxes{rest: sinf}
	for w.next() {
		if w.typ == "frma" && len(w.body) == 4 {
			return string(w.body)
		}
	}
	return otherwise
}

// codecString completes a sample entry's name by its configuration record, as
// far as both are known here.
func codecString(entry, kind string, record []byte) string {
	switch {
	case kind == "avcC" && len(record) >= 4:
		return avcCodec(entry, record[1:4])
	case kind == "hvcC" && len(record) >= 13:
		return hevcCodec(entry, record[1:13])
	case kind == "av1C" && len(record) >= 3:
		tier, depth := 'M', 8
		if record[2]&0x80 != 0 {
			tier = 'H'
		}
		switch {
		case record[2]&0x60 == 0x60:
			depth = 12
		case record[2]&0x40 != 0:
			depth = 10
		}
		return fmt.Sprintf("%s.%d.%02d%c.%02d", entry, record[1]>>5, record[1]&31, tier, depth)
	case kind == "esds":
		return entry + esdsCodec(record)
	}
	return entry
}

// avcCodec takes profile, constraints and level: three bytes of an avcC box or
// a sequence parameter set.
func avcCodec(entry string, b []byte) string { return entry + "." + hex.EncodeToString(b) }

// hevcCodec takes the twelve bytes of a profile_tier_level (ISO/IEC 14496-15
// annex E.3).
func hevcCodec(entry string, ptl []byte) string {
	var s strings.Builder
	s.WriteString(entry + ".")
	if space := ptl[0] >> 6; space > 0 {
		s.WriteByte('A' + space - 1)
	}
	compatible := bits.Reverse32(uint32(ptl[1])<<24 | uint32(ptl[2])<<16 | uint32(ptl[3])<<8 | uint32(ptl[4]))
	tier := 'L'
	if ptl[0]&0x20 != 0 {
		tier = 'H'
	}
	fmt.Fprintf(&s, "%d.%X.%c%d", ptl[0]&31, compatible, tier, ptl[11])
	for _, c := range bytes.TrimRight(ptl[5:11], "\x00") {
		fmt.Fprintf(&s, ".%X", c)
	}
	return s.String()
}

// esdsCodec is what an esds box adds to "mp4a": object type indication and, for
// MPEG-4 audio, the audio object type (ISO/IEC 14496-1 clause 7.2.6).
func esdsCodec(b []byte) string {
	f := fields{b: b}
	f.full()
	const esDescr, decoderConfig, decoderSpecific = 3, 4, 5
	if !f.descriptor(esDescr) {
		return ""
	}
	f.skip(2)
	flags := f.u8()
	if flags&0x80 != 0 {
		f.skip(2)
	}
	if flags&0x40 != 0 {
		f.skip(int(f.u8()))
	}
	if flags&0x20 != 0 {
		f.skip(2)
	}
	if !f.descriptor(decoderConfig) {
		return ""
	}
	oti := f.u8()
	f.skip(12)
	if f.short {
		return ""
	}
	if oti != 0x40 || !f.descriptor(decoderSpecific) {
		return fmt.Sprintf(".%x", oti)
	}
	aot := f.u8() >> 3
	if f.short || aot == 31 {
		return fmt.Sprintf(".%x", oti)
	}
	return fmt.Sprintf(".%x.%d", oti, aot)
}

// descriptor reads a descriptor's tag, which must be want, and length.
func (f *fields) descriptor(want byte) bool {
	if f.u8() != want {
		return false
	}
	for range 4 {
		if f.u8()&0x80 == 0 {
			break
		}
	}
	return !f.short
}
