package rewrite

import "fmt"

const (
	packet  = 188
	sync    = 0x47
	ptsMask = 1<<33 - 1 // times of MPEG-TS wrap here, at 90 kHz
)

// NAL unit types of H.264 (ISO/IEC 14496-10, table 7-1).
const (
	nalSlice = 1
	nalIDR   = 5
)

func isTS(b []byte) bool { return len(b) >= packet && b[0] == sync && len(b)%packet == 0 }

// eachPacket calls f with every packet, its adaptation field (without its
// length) and its payload, nil where it has none (ISO/IEC 13818-1, 2.4.3.2).
func eachPacket(b []byte, f func(pid int, start bool, p, adaptation, payload []byte)) error {
	for ; len(b) >= packet; b = b[packet:] {
		p := b[:packet]
		if p[0] != sync {
			return fmt.Errorf("%w: packet without sync byte", ErrForeign)
		}
		rest := p[4:]
		var adaptation []byte
		if p[3]&0x20 != 0 {
			n := int(rest[0])
			if n > len(rest)-1 {
				return fmt.Errorf("%w: adaptation field of %d bytes", ErrForeign, n)
			}
			adaptation, rest = rest[1:1+n], rest[1+n:]
		}
		if p[3]&0x10 == 0 {
			rest = nil
		}
		f(int(p[1]&0x1f)<<8|int(p[2]), p[1]&0x40 != 0, p, adaptation, rest)
	}
	return nil
}

// shiftTS adds ticks of 90 kHz to every PCR, PTS and DTS.
func shiftTS(b []byte, ticks uint64) error {
	return eachPacket(b, func(_ int, start bool, _, adaptation, payload []byte) {
		if len(adaptation) >= 7 && adaptation[0]&0x10 != 0 {
			shiftPCR(adaptation[1:7], ticks)
		}
		if !start || !isPES(payload) {
			return
		}
		if payload[7]&0x80 != 0 && len(payload) >= 14 {
			shiftPTS(payload[9:14], ticks)
		}
		if payload[7]&0x40 != 0 && len(payload) >= 19 {
			shiftPTS(payload[14:19], ticks)
		}
	})
}

// continueTS adds to every continuity counter what by gives for its PID.
func continueTS(b []byte, by func(pid int) int64) error {
	return eachPacket(b, func(pid int, _ bool, p, _, _ []byte) {
		p[3] = p[3]&0xf0 | byte(int64(p[3])+by(pid))&0x0f
	})
}

// isPES tells a PES packet of sound or pictures, with its optional header.
func isPES(p []byte) bool {
	return len(p) >= 9 && p[0] == 0 && p[1] == 0 && p[2] == 1 && p[3] >= 0xc0 && p[3] <= 0xef
}

// shiftPCR moves program_clock_reference_base, the first 33 of 48 bits.
func shiftPCR(b []byte, ticks uint64) {
	base := uint64(b[0])<<25 | uint64(b[1])<<17 | uint64(b[2])<<9 | uint64(b[3])<<1 | uint64(b[4])>>7
	base = (base + ticks) & ptsMask
	b[0], b[1], b[2], b[3] = byte(base>>25), byte(base>>17), byte(base>>9), byte(base>>1)
	b[4] = b[4]&0x7f | byte(base<<7)
}

// shiftPTS moves a time of 33 bits among its marker bits (2.4.3.7).
func shiftPTS(b []byte, ticks uint64) {
	t := uint64(b[0]>>1&7)<<30 | uint64(b[1])<<22 | uint64(b[2]>>1)<<15 | uint64(b[3])<<7 | uint64(b[4]>>1)
	t = (t + ticks) & ptsMask
	b[0] = b[0]&0xf1 | byte(t>>29)&0x0e
	b[1] = byte(t >> 22)
	b[2] = b[2]&1 | byte(t>>14)&0xfe
	b[3] = byte(t >> 7)
	b[4] = b[4]&1 | byte(t<<1)
}

// hideTS makes slices of IDR pictures those of others and takes back every
// random_access_indicator.
func hideTS(b []byte) error {
	zeros := map[int]int{} // by PID: where a start code stands, 0 to 3 bytes of it seen
	pictures := map[int]bool{}
	return eachPacket(b, func(pid int, start bool, _, adaptation, payload []byte) {
		if len(adaptation) > 0 {
			adaptation[0] &^= 0x40
		}
		if start {
			pictures[pid] = isPES(payload) && payload[3] >= 0xe0
			zeros[pid] = 0
		}
		if !pictures[pid] {
			return
		}
		seen := zeros[pid]
		for i, c := range payload {
			switch {
			case seen == 3:
				if c&0x1f == nalIDR {
					payload[i] = c&^0x1f | nalSlice
				}
				seen = 0
			case c == 0:
				seen = min(seen+1, 2)
			case c == 1 && seen == 2:
				seen = 3
			default:
				seen = 0
			}
		}
		zeros[pid] = seen
	})
}
