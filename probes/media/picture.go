package media

import (
	"bytes"
	"time"
)

type codec int

const (
	avc codec = iota + 1
	hevc
)

// class is what a NAL unit is for the search.
type class int

const (
	other     class = iota
	vps             // parameter sets
	sps             //
	pps             //
	sei             // may hold a recovery point
	delimiter       // an access unit delimiter: a picture begins
	slice           // of a picture that needs others
	key             // of a picture that does not
)

func (c codec) class(b byte) class {
	if c == hevc {
		switch n := b >> 1 & 63; {
		case n >= 16 && n <= 21:
			return key
		case n < 32:
			return slice
		case n <= 34:
			return vps + class(n-32)
		case n == 35:
			return delimiter
		}
		return other
	}
	switch b & 31 {
	case 1, 2, 3, 4:
		return slice
	case 5:
		return key
	case 6:
		return sei
	case 7:
		return sps
	case 8:
		return pps
	case 9:
		return delimiter
	}
	return other
}

// maxNAL is how much of a parameter set or SEI is looked at, in bytes.
const maxNAL = 1024

// packetEnd says up to where in the elementary stream a packet reached.
type packetEnd struct {
	es  int64
	off int64 // in the segment
	at  time.Time
}

// picture reads an elementary stream in Annex B form up to the first keyframe.
type picture struct {
	codec codec

	pos     int64 // in the elementary stream
	zeros   int   // that the bytes before pos end with
	prefix  int64 // length of the last start code
	header  bool  // the next byte is a NAL unit's first
	nal     class // being read
	kept    [maxNAL]byte
	n       int
	packets [8]packetEnd // the last ones: more than a start code can lie in
	count   int

	params   [pps + 1]bool // seen so far
	info     spsInfo
	vcl      class // the picture's slices: slice, key, or other if none yet
	recovery bool  // the picture has a recovery point SEI
	sawKey   bool
}

// add takes the payload of the packet that ends at off. It is the first
// keyframe if that ended within p, by an access unit delimiter.
func (s *picture) add(p []byte, off int64, at time.Time) *Keyframe {
	start := s.pos
	s.packets[s.count%len(s.packets)] = packetEnd{start + int64(len(p)), off, at}
	s.count++
	var found *Keyframe
	for i := 0; i < len(p) && found == nil; i++ {
		b := p[i]
		switch {
		case s.header:
			s.header = false
			found = s.unit(b, start+int64(i)-s.prefix)
		case b == 0:
			s.keep(p[i : i+1])
			s.zeros++
			continue
		case b == 1 && s.zeros >= 2:
			s.endUnit()
			s.header, s.prefix = true, int64(min(s.zeros, 3)+1)
		default:
			next := bytes.IndexByte(p[i:], 0)
			if next < 0 {
				next = len(p) - i
			}
			s.keep(p[i : i+next])
			i += next - 1
		}
		s.zeros = 0
	}
	s.pos = start + int64(len(p))
	return found
}

func (s *picture) keep(p []byte) {
	if s.nal >= vps && s.nal <= sei {
		s.n += copy(s.kept[s.n:], p)
	}
}

// unit begins a NAL unit whose start code begins at es.
func (s *picture) unit(b byte, es int64) *Keyframe {
	var found *Keyframe
	if s.nal = s.codec.class(b); s.nal == delimiter {
		found = s.end(es)
	}
	switch s.nal {
	case slice, key:
		s.vcl = max(s.vcl, s.nal)
	}
	s.n = 0
	s.keep([]byte{b})
	return found
}

// endUnit deals with a NAL unit that is complete.
func (s *picture) endUnit() {
	b := s.kept[:s.n]
	switch s.nal {
	case sps:
		s.info = parseSPS(s.codec, b)
		s.params[sps] = true
	case vps, pps:
		s.params[s.nal] = true
	case sei:
		s.recovery = s.recovery || hasRecoveryPoint(b)
	}
	s.nal = other
}

// finish ends the picture where the stream has come to.
func (s *picture) finish() *Keyframe {
	s.endUnit()
	s.header, s.zeros = false, 0
	return s.end(s.pos)
}

// end ends the picture before byte es; it is the keyframe if it is one that can
// be decoded.
func (s *picture) end(es int64) *Keyframe {
	vcl, recovery := s.vcl, s.recovery
	s.vcl, s.recovery = other, false
	if vcl == other {
		s.recovery = recovery // parameter sets and SEI of the picture to come
		return nil
	}
	kind := IDR
	switch {
	case vcl == key && s.codec == hevc:
		kind = IRAP
	case vcl == slice && recovery:
		kind = RecoveryPoint
	case vcl == slice:
		return nil
	}
	s.sawKey = true
	if !s.params[sps] || !s.params[pps] || s.codec == hevc && !s.params[vps] {
		return nil
	}
	last := s.packet(es)
	return &Keyframe{
		At: last.at, Offset: last.off, Kind: kind,
		Codec: s.info.codec, Width: s.info.width, Height: s.info.height, Reorder: s.info.reorder,
	}
}

// packet is the one that holds the byte before es, of those remembered.
func (s *picture) packet(es int64) packetEnd {
	n := min(s.count, len(s.packets))
	for i := s.count - n; i < s.count; i++ {
		if p := s.packets[i%len(s.packets)]; p.es >= es {
			return p
		}
	}
	return s.packets[(s.count-1)%len(s.packets)]
}

// why says why no keyframe was found.
func (s *picture) why() string {
	switch {
	case s.count == 0:
		return "no video packets"
	case s.sawKey:
		return "a keyframe without its parameter sets"
	}
	return "no keyframe in the elementary stream"
}
