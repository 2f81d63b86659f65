package media

// spsInfo is what a sequence parameter set says about its pictures.
type spsInfo struct {
	codec         string
	width, height int // in pixels, 0 where they cannot be read
	reorder       int // of H.264 max_num_reorder_frames, 0 where it is not said
}

// maxDimension bounds a picture's width and height: the longest side that
// H.265 level 6.2 allows (ISO/IEC 23008-2 clause A.4.1).
const maxDimension = 16888

// parseSPS reads a sequence parameter set. What cannot be read is left out.
func parseSPS(c codec, nal []byte) spsInfo {
	if c == hevc {
		return parseHEVC(nal)
	}
	return parseAVC(nal)
}

// parseAVC is after ISO/IEC 14496-10 clause 7.3.2.1.1.
func parseAVC(nal []byte) spsInfo {
	info := spsInfo{codec: "avc1"}
	if len(nal) < 4 {
		return info
	}
	r := newBits(nal[1:])
	profile := r.u(8)
	r.u(16)
	info.codec = avcCodec("avc1", nal[1:4])
	r.ue() // ID
	chroma := uint32(1)
	switch profile {
	case 44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244:
		if chroma = r.ue(); chroma == 3 && r.flag() {
			chroma = 0 // separate planes
		}
		r.ue() // bit depths
		r.ue()
		r.flag()
		if r.flag() {
			r.scalingLists(chroma)
		}
	}
	r.ue() // log2_max_frame_num
	switch r.ue() {
	case 0:
		r.ue()
	case 1:
		r.flag()
		r.ue()
		r.ue()
		for n := r.ue(); n > 0 && !r.short; n-- {
			r.ue()
		}
	}
	r.ue() // max_num_ref_frames
	r.flag()
	width, height := (uint64(r.ue())+1)*16, (uint64(r.ue())+1)*16
	fields := uint64(1)
	if !r.flag() {
		fields = 2
		r.flag()
	}
	height *= fields
	r.flag()
	if r.flag() {
		x, y := cropUnits(chroma)
		y *= fields
		width -= x * (uint64(r.ue()) + uint64(r.ue()))
		height -= y * (uint64(r.ue()) + uint64(r.ue()))
	}
	info.size(r, width, height)
	if r.flag() {
		info.reorder = r.reorderFrames()
	}
	return info
}

// parseHEVC is after ISO/IEC 23008-2 clause 7.3.2.2.1.
func parseHEVC(nal []byte) spsInfo {
	info := spsInfo{codec: "hvc1"}
	const header, ids, ptl = 2, 1, 12 // bytes
	rbsp := unescape(nal)
	if len(rbsp) < header+ids+ptl {
		return info
	}
	info.codec = hevcCodec("hvc1", rbsp[header+ids:header+ids+ptl])
	r := &bitReader{b: rbsp[header:]}
	r.u(4)
	layers := r.u(3)
	r.flag()
	r.skip(8 * ptl)
	r.subLayers(int(layers))
	r.ue() // ID
	chroma := r.ue()
	if chroma == 3 && r.flag() {
		chroma = 0
	}
	width, height := uint64(r.ue()), uint64(r.ue())
	if r.flag() {
		x, y := cropUnits(chroma)
		width -= x * (uint64(r.ue()) + uint64(r.ue()))
		height -= y * (uint64(r.ue()) + uint64(r.ue()))
	}
	info.size(r, width, height)
	return info
}

// maxReorder bounds the pictures that are held back: the frames that an H.264
// decoder can hold (ISO/IEC 14496-10 clause A.3.1).
const maxReorder = 16

// reorderFrames is max_num_reorder_frames of the usability information of H.264,
// 0 where it is not said or makes no sense (clause E.1.1).
func (r *bitReader) reorderFrames() int {
	const extendedSAR = 255
	if r.flag() && r.u(8) == extendedSAR {
		r.skip(32)
	}
	if r.flag() { // overscan
		r.skip(1)
	}
	if r.flag() { // video signal type
		r.skip(4)
		if r.flag() { // colours
			r.skip(24)
		}
	}
	if r.flag() { // chroma sample location
		r.ue()
		r.ue()
	}
	if r.flag() { // timing
		r.skip(65)
	}
	nal := r.flag()
	if nal {
		r.hrd()
	}
	vcl := r.flag()
	if vcl {
		r.hrd()
	}
	if nal || vcl {
		r.skip(1) // low delay
	}
	r.skip(1)      // pic_struct
	if !r.flag() { // bitstream restriction
		return 0
	}
	r.skip(1)
	for range 4 {
		r.ue()
	}
	n := r.ue()
	if r.short || n > maxReorder {
		return 0
	}
	return int(n)
}

// hrd skips the parameters of a hypothetical reference decoder (clause E.1.2).
func (r *bitReader) hrd() {
	n := r.ue() + 1
	r.skip(8)
	for ; n > 0 && !r.short; n-- {
		r.ue()
		r.ue()
		r.skip(1)
	}
	r.skip(20)
}

// subLayers skips what profile_tier_level says about n sub-layers.
func (r *bitReader) subLayers(n int) {
	if n == 0 {
		return
	}
	present := r.u(16) // two bits for each of eight
	for i := range n {
		if present&(0x8000>>(2*i)) != 0 {
			r.skip(88)
		}
		if present&(0x4000>>(2*i)) != 0 {
			r.skip(8)
		}
	}
}

// cropUnits is by how many samples a unit of cropping moves an edge.
func cropUnits(chroma uint32) (x, y uint64) {
	switch chroma {
	case 1:
		return 2, 2
	case 2:
		return 2, 1
	}
	return 1, 1
}

// size sets width and height if they were read and make sense.
func (i *spsInfo) size(r *bitReader, width, height uint64) {
	if !r.short && width > 0 && width <= maxDimension && height > 0 && height <= maxDimension {
		i.width, i.height = int(width), int(height)
	}
}

// scalingLists skips the scaling matrices of H.264 (clause 7.3.2.1.1.1).
func (r *bitReader) scalingLists(chroma uint32) {
	lists := 8
	if chroma == 3 {
		lists = 12
	}
	for i := range lists {
		if !r.flag() {
			continue
		}
		size := 16
		if i >= 6 {
			size = 64
		}
		last, next := int32(8), int32(8)
		for range size {
			if next != 0 {
				next = (last + r.se() + 256) & 255
			}
			if next != 0 {
				last = next
			}
		}
	}
}

// hasRecoveryPoint tells whether an H.264 SEI NAL unit holds a recovery point
// message (clause 7.3.2.3, payload type 6).
func hasRecoveryPoint(nal []byte) bool {
	const recoveryPoint = 6
	b := unescape(nal)
	f := fields{b: b[min(1, len(b)):]}
	for len(f.b) > 1 && !f.short { // the last byte is the trailing bits
		if kind := f.ff(); kind == recoveryPoint && !f.short {
			return true
		}
		f.skip(f.ff())
	}
	return false
}

// ff reads a number written as a row of 255s and a rest.
func (f *fields) ff() int {
	n := 0
	for !f.short {
		c := f.u8()
		n += int(c)
		if c != 255 {
			break
		}
	}
	return n
}

// bitReader reads bits; past the end it yields zeros and short is set.
type bitReader struct {
	b     []byte
	pos   int
	short bool
}

func newBits(nal []byte) *bitReader { return &bitReader{b: unescape(nal)} }

// unescape takes the emulation prevention bytes out of a NAL unit.
func unescape(nal []byte) []byte {
	out := make([]byte, 0, len(nal))
	zeros := 0
	for _, c := range nal {
		if zeros >= 2 && c == 3 {
			zeros = 0
			continue
		}
		if c == 0 {
			zeros++
		} else {
			zeros = 0
		}
		out = append(out, c)
	}
	return out
}

func (r *bitReader) skip(n int) {
	if r.pos += n; r.pos > 8*len(r.b) {
		r.short, r.pos = true, 8*len(r.b)
	}
}

func (r *bitReader) u(n int) uint32 {
	var v uint32
	for range n {
		v <<= 1
		if r.flag() {
			v |= 1
		}
	}
	return v
}

func (r *bitReader) flag() bool {
	at := r.pos
	r.skip(1)
	return !r.short && r.b[at/8]&(0x80>>(at%8)) != 0
}

// ue reads an unsigned Exp-Golomb number of at most 32 bits.
func (r *bitReader) ue() uint32 {
	zeros := 0
	for !r.flag() {
		if zeros++; zeros > 31 || r.short {
			r.short = true
			return 0
		}
	}
	return uint32(1)<<zeros - 1 + r.u(zeros)
}

// se reads a signed Exp-Golomb number.
func (r *bitReader) se() int32 {
	v := r.ue()
	if v&1 == 1 {
		return int32(v/2 + 1)
	}
	return -int32(v / 2)
}
