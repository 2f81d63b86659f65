package media

// maxSection bounds a PAT or PMT section: 3 bytes before the length, at most
// 1021 after it (ISO/IEC 13818-1 clause 2.4.4).
const maxSection = 1024

// section puts a table's section together from packets. Its checksum is not
// looked at, as players do not either.
type section struct {
	buf   [maxSection]byte
	n     int
	begun bool
	whole bool // one was complete
}

// add takes a packet's payload; it is the section once that is complete.
func (s *section) add(p []byte, start bool) []byte {
	if start {
		skip := 1 + int(p[0])
		if skip > len(p) {
			return nil
		}
		p, s.n, s.begun = p[skip:], 0, true
	}
	if !s.begun {
		return nil
	}
	s.n += copy(s.buf[s.n:], p)
	if s.n < 3 {
		return nil
	}
	size := 3 + (int(s.buf[1]&0x0f)<<8 | int(s.buf[2]))
	if size > maxSection {
		s.begun = false
		return nil
	}
	if s.n < size {
		return nil
	}
	s.begun, s.whole = false, true
	return s.buf[:size]
}

// content is what lies between a section's eight leading bytes and its
// checksum, nil for another table than id or a section yet to come into force.
func content(section []byte, id byte) []byte {
	if len(section) < 12 || section[0] != id || section[5]&1 == 0 {
		return nil
	}
	return section[8 : len(section)-4]
}

// parsePAT is the PID of the first program's map, noPID if there is none
// (clause 2.4.4.3).
func parsePAT(section []byte) int {
	for b := content(section, 0); len(b) >= 4; b = b[4:] {
		if b[0] != 0 || b[1] != 0 { // program 0 is the network's
			return int(b[2]&0x1f)<<8 | int(b[3])
		}
	}
	return noPID
}

// Stream types of ISO/IEC 13818-1 clause 2.4.4.10, and Apple's for H.264 under
// SAMPLE-AES, which leaves NAL unit types and parameter sets readable.
const (
	streamAVC       = 0x1b
	streamHEVC      = 0x24
	streamSampleAES = 0xdb
)

// isSound tells whether a stream of that type and descriptors is of sound whose
// frames are known here: MPEG audio, AAC as ADTS and LOAS (clause 2.4.4.10),
// AC-3 and E-AC-3 (ATSC A/53 part 3; ETSI EN 300 468 annex D in a private
// stream), and those that Apple's SAMPLE-AES names.
func isSound(kind byte, descriptors []byte) bool {
	switch kind {
	case 0x03, 0x04, 0x0f, 0x11, 0x81, 0x87, 0xc1, 0xc2, 0xcf:
		return true
	case 0x06:
		for d := descriptors; len(d) >= 2 && int(d[1]) <= len(d)-2; d = d[2+int(d[1]):] {
			if d[0] == 0x6a || d[0] == 0x7a {
				return true
			}
		}
	}
	return false
}

// parseSound is the PID of the first stream of sound whose frames are known
// here; without one that of the first stream which may be of sound, opaque;
// noPID if there is none.
func parseSound(section []byte) (pid int, opaque bool) {
	f := fields{b: content(section, 2)}
	f.skip(2)
	f.skip(int(f.u16() & 0x0fff))
	pid = noPID
	for !f.short && len(f.b) > 0 {
		kind, at := f.u8(), int(f.u16()&0x1fff)
		d := f.take(int(f.u16() & 0x0fff))
		switch {
		case f.short:
		case isSound(kind, d):
			return at, false
		case pid == noPID && (kind == 0x06 || kind >= 0x80 && kind != streamSampleAES):
			pid, opaque = at, true
		}
	}
	return pid, opaque
}

// parsePMT is the PID of the first H.264 or H.265 stream, noPID if there is
// none (clause 2.4.4.9).
func parsePMT(section []byte) (pid int, c codec) {
	f := fields{b: content(section, 2)}
	f.skip(2)
	f.skip(int(f.u16() & 0x0fff))
	for !f.short && len(f.b) > 0 {
		kind, pid := f.u8(), int(f.u16()&0x1fff)
		f.skip(int(f.u16() & 0x0fff))
		switch {
		case f.short:
		case kind == streamAVC, kind == streamSampleAES:
			return pid, avc
		case kind == streamHEVC:
			return pid, hevc
		}
	}
	return noPID, 0
}

// pes takes the headers of PES packets away (clause 2.4.3.6).
type pes struct {
	head  [9]byte
	n     int
	skip  int  // bytes of the optional header still to come
	left  int  // bytes of the packet still to come, where it says its length
	open  bool // the header is complete
	timed bool // it has a PTS: a picture begins in this packet
}

func (s *pes) begin() { *s = pes{n: 0} }

// payload is what of a TS packet's payload is elementary stream.
func (s *pes) payload(p []byte) []byte {
	if s.n < len(s.head) {
		n := copy(s.head[s.n:], p)
		s.n += n
		p = p[n:]
		if s.n < len(s.head) {
			return nil
		}
		s.skip = int(s.head[8])
		s.timed = s.head[7]&0x80 != 0
		if size := int(s.head[4])<<8 | int(s.head[5]); size > 0 {
			s.left = max(0, size-3-s.skip)
		}
	}
	if s.head[0] != 0 || s.head[1] != 0 || s.head[2] != 1 {
		return nil
	}
	n := min(s.skip, len(p))
	s.skip -= n
	p = p[n:]
	s.open = s.skip == 0
	s.left -= min(s.left, len(p))
	return p
}
