package media

import (
	"fmt"
	"time"
)

// maxUnsynced is how many bytes that begin no frame are skipped in a stream of
// sound. What is held is as much, a frame (none is longer), and the head of the
// next.
const maxUnsynced = 8 << 10

// frameHead is how many bytes of a frame tell all that is asked of it here.
const frameHead = 8

// audioFrame is what a frame's head says.
type audioFrame struct {
	size  int // of the whole frame, in bytes
	codec string
}

// parseFrame reads a frame's head of at least frameHead bytes: ADTS (ISO/IEC
// 14496-3 clause 1.A.2), LOAS (1.7.2), MPEG audio (11172-3 clause 2.4.1.3),
// AC-3 and E-AC-3 (ETSI TS 102 366 clauses 4.3 and E.1.3). SAMPLE-AES leaves
// heads in the clear. ok is false where no frame begins.
func parseFrame(b []byte) (f audioFrame, ok bool) {
	switch {
	case b[0] == 0xff && b[1]&0xf6 == 0xf0:
		return adts(b)
	case b[0] == 0xff && b[1]&0xe0 == 0xe0:
		return mpegAudio(b)
	case b[0] == 0x56 && b[1]&0xe0 == 0xe0:
		n := int(b[1]&0x1f)<<8 | int(b[2])
		return audioFrame{3 + n, "mp4a.40"}, n > 0
	case b[0] == 0x0b && b[1] == 0x77:
		return dolby(b)
	}
	return f, false
}

func adts(b []byte) (audioFrame, bool) {
	size := int(b[3]&3)<<11 | int(b[4])<<3 | int(b[5])>>5
	head := 7
	if b[1]&1 == 0 {
		head += 2 // checksum
	}
	rate := b[2] >> 2 & 15
	return audioFrame{size, fmt.Sprintf("mp4a.40.%d", b[2]>>6+1)}, size > head && rate < 13
}

// mpegRates are the bit rates in kbit/s of layers I, II and III of MPEG-1, and
// of layers I, and II and III, of MPEG-2 and 2.5.
var mpegRates = [5][15]int{
	{0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
	{0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
	{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
	{0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
	{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
}

func mpegAudio(b []byte) (audioFrame, bool) {
	version, layer := b[1]>>3&3, 4-int(b[1]>>1&3) // 3 is MPEG-1, 2 MPEG-2, 0 MPEG-2.5
	kbps, hertz := int(b[2]>>4), int(b[2]>>2&3)
	if version == 1 || layer == 4 || kbps == 0 || kbps == 15 || hertz == 3 {
		return audioFrame{}, false
	}
	table := layer - 1
	rate := [3]int{44100, 48000, 32000}[hertz]
	if version != 3 {
		table, rate = min(2+layer, 4), rate/2
		if version == 0 {
			rate /= 2
		}
	}
	bits, pad := mpegRates[table][kbps]*1000, int(b[2]>>1&1)
	f := audioFrame{codec: "mp4a.40.34"}
	switch {
	case layer == 1:
		f.size, f.codec = (12*bits/rate+pad)*4, "mp4a.40.32"
	case layer == 2:
		f.size, f.codec = 144*bits/rate+pad, "mp4a.40.33"
	case version == 3:
		f.size = 144*bits/rate + pad
	default:
		f.size = 72*bits/rate + pad
	}
	return f, f.size > 4
}

// ac3Words are the frame sizes of AC-3 at 48 kHz in words of two bytes, by
// frmsizecod/2.
var ac3Words = [19]int{64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1152, 1280}

func dolby(b []byte) (audioFrame, bool) {
	if b[5]>>3 > 10 { // bsid
		return audioFrame{2 * ((int(b[2]&7)<<8 | int(b[3])) + 1), "ec-3"}, b[5]>>3 <= 16
	}
	rate, code := b[4]>>6, int(b[4]&0x3f)
	if rate == 3 || code/2 >= len(ac3Words) {
		return audioFrame{}, false
	}
	words := ac3Words[code/2]
	switch rate {
	case 1: // 44.1 kHz
		words = words*480/441 + code&1
	case 2: // 32 kHz
		words = words * 3 / 2
	}
	return audioFrame{2 * words, "ac-3"}, true
}

// sound finds the first frame in a stream of sound: a head, and where it says
// that the frame ends another of the same codec, or the end of the stream.
type sound struct {
	buf     []byte
	from    int         // no frame begins before
	arrived []packetEnd // of the pieces in buf
	codec   string      // of the frame found; empty before
	end     int64       // where in the stream it ends
	last    packetEnd   // of the piece that holds its last byte
}

// add takes the piece of the stream that ends at off in the segment. It is true
// once the frame is found. The error is [ErrInvalid].
func (s *sound) add(p []byte, off int64, at time.Time) (bool, error) {
	if s.codec != "" || len(p) == 0 {
		return s.codec != "", nil
	}
	s.buf = append(s.buf, p...)
	s.arrived = append(s.arrived, packetEnd{int64(len(s.buf)), off, at})
	for ; s.from+frameHead <= len(s.buf); s.from++ {
		f, ok := parseFrame(s.buf[s.from:])
		if !ok {
			continue
		}
		end := s.from + f.size
		if end+frameHead > len(s.buf) {
			break
		}
		if s.continues(end, f) {
			s.found(f, end)
			return true, nil
		}
	}
	if s.from > maxUnsynced {
		return false, invalid("no frame of sound in the first %d bytes", s.from)
	}
	return false, nil
}

func (s *sound) found(f audioFrame, end int) {
	s.codec, s.end = f.codec, int64(end)
	for _, p := range s.arrived {
		if s.last = p; p.es >= int64(end) {
			break
		}
	}
	s.buf, s.arrived = nil, nil
}

// close ends the stream; the error is [ErrNoAudio], [ErrInvalid] or
// [ErrTruncated].
func (s *sound) close() error {
	switch {
	case s.codec != "":
		return nil
	case len(s.buf) == 0:
		return fmt.Errorf("%w: nothing in the stream of sound", ErrNoAudio)
	}
	missing := 0
	for ; s.from+frameHead <= len(s.buf); s.from++ {
		f, ok := parseFrame(s.buf[s.from:])
		if !ok {
			continue
		}
		end := s.from + f.size
		alone := end+frameHead > len(s.buf) // it counts where nothing is before it
		if end <= len(s.buf) && (s.from == 0 || !alone) && s.continues(end, f) {
			s.found(f, end)
			return nil
		}
		if s.from == 0 {
			missing = end - len(s.buf)
		}
	}
	if missing > 0 {
		return truncated("%d bytes of a frame of sound are missing", missing)
	}
	return invalid("no frame of sound in %d bytes", len(s.buf))
}

// continues tells whether after a frame that ends at end there is another of
// its codec, or not enough to tell.
func (s *sound) continues(end int, f audioFrame) bool {
	if end+frameHead > len(s.buf) {
		return true
	}
	next, ok := parseFrame(s.buf[end:])
	return ok && next.codec == f.codec
}

// keyframe is the frame found, as a Finder answers with it.
func (s *sound) keyframe(track uint32, offset int64) *Keyframe {
	return &Keyframe{At: s.last.at, Offset: offset, Track: track, Kind: Frame, Codec: s.codec}
}
