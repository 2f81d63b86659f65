package media

// Flags of tfhd and trun, and of a sample (ISO/IEC 14496-12 clauses 8.8.7,
// 8.8.8 and 8.8.3).
const (
	tfhdBaseDataOffset    = 0x000001
	tfhdDescriptionIndex  = 0x000002
	tfhdDefaultDuration   = 0x000008
	tfhdDefaultSize       = 0x000010
	tfhdDefaultFlags      = 0x000020
	tfhdDefaultBaseIsMoof = 0x020000

	trunDataOffset       = 0x001
	trunFirstSampleFlags = 0x004
	trunDuration         = 0x100
	trunSize             = 0x200
	trunFlags            = 0x400
	trunCompositionTime  = 0x800

	nonSync = 0x00010000
)

// moof is what a movie fragment says about where samples end, in bytes from
// the segment's start.
type moof struct {
	each     bool   // every sample of the wanted track counts as a sync sample
	keyframe int64  // end of the first sync sample of the wanted track, 0: none
	end      int64  // of all samples of all tracks
	lasts    uint64 // all samples of the wanted track, in units of its timescale
}

// parseMoof reads the body of the moof box that began at start. The sizes and
// flags that it leaves to defaults come from init.
func parseMoof(body []byte, start int64, init *Init, want uint32, each bool) (moof, error) {
	m := moof{each: each}
	next := start // where a track without any offset begins: after the one before
	for w := (boxes{rest: body}); ; {
		if !w.next() {
			return m, w.err
		}
		if w.typ != "traf" {
			continue
		}
		var err error
		if next, err = m.traf(w.body, start, next, init, want); err != nil {
			return m, err
		}
	}
}

// track is what holds for all runs of a track fragment.
type track struct {
	id          uint32
	base        int64
	duration    uint32
	size, flags uint32
	wanted      bool
}

func (m *moof) traf(body []byte, start, next int64, init *Init, want uint32) (end int64, err error) {
	var t track
	end = next
	for w := (boxes{rest: body}); ; {
		if !w.next() {
			return end, w.err
		}
		switch w.typ {
		case "tfhd":
			if t, err = parseTfhd(w.body, start, next, init); err != nil {
				return 0, err
			}
			t.wanted = t.id == want
			end = t.base
		case "trun":
			if t.id == 0 {
				return 0, invalid("trun before tfhd")
			}
			if end, err = m.trun(w.body, t, end); err != nil {
				return 0, err
			}
			m.end = max(m.end, end)
		}
	}
}

func parseTfhd(body []byte, start, next int64, init *Init) (track, error) {
	f := fields{b: body}
	_, flags := f.full()
	t := track{id: f.u32(), base: next}
	if tr := init.track(t.id); tr != nil {
		t.duration, t.size, t.flags = tr.DefaultDuration, tr.DefaultSize, tr.DefaultFlags
	}
	if flags&tfhdDefaultBaseIsMoof != 0 {
		t.base = start
	}
	if flags&tfhdBaseDataOffset != 0 {
		base := f.u64()
		if base > maxBox {
			return t, invalid("base_data_offset %d", base)
		}
		t.base = int64(base)
	}
	if flags&tfhdDescriptionIndex != 0 {
		f.skip(4)
	}
	if flags&tfhdDefaultDuration != 0 {
		t.duration = f.u32()
	}
	if flags&tfhdDefaultSize != 0 {
		t.size = f.u32()
	}
	if flags&tfhdDefaultFlags != 0 {
		t.flags = f.u32()
	}
	if f.short || t.id == 0 {
		return t, invalid("tfhd of %d bytes, track %d", len(body), t.id)
	}
	return t, nil
}

// trun adds one run, which starts at the track's base plus its offset or, when
// it has none, at prev, and says where it ends.
func (m *moof) trun(body []byte, t track, prev int64) (end int64, err error) {
	f := fields{b: body}
	_, flags := f.full()
	count := int64(f.u32())
	end = prev
	if flags&trunDataOffset != 0 {
		end = t.base + int64(int32(f.u32()))
	}
	first := t.flags
	if flags&trunFirstSampleFlags != 0 {
		first = f.u32()
	}
	if end < 0 || f.short {
		return 0, invalid("trun of %d bytes, data from %d", len(body), end)
	}
	if flags&(trunDuration|trunSize|trunFlags|trunCompositionTime) == 0 {
		return m.uniform(t, first, count, end)
	}
	for i := range count {
		duration, size, sample := t.duration, t.size, t.flags
		if flags&trunDuration != 0 {
			duration = f.u32()
		}
		if flags&trunSize != 0 {
			size = f.u32()
		}
		if flags&trunFlags != 0 {
			sample = f.u32()
		}
		if flags&trunCompositionTime != 0 {
			f.skip(4)
		}
		if i == 0 && flags&trunFirstSampleFlags != 0 {
			sample = first
		}
		if f.short {
			return 0, invalid("trun of %d bytes for %d samples", len(body), count)
		}
		end += int64(size)
		m.sample(t, sample, size, end)
		m.last(t, 1, duration)
	}
	return end, bounded(end)
}

// uniform is a run whose samples all have the track's size and, but for the
// first, flags: however many it claims to have, two decide.
func (m *moof) uniform(t track, first uint32, count, start int64) (int64, error) {
	if count > 0 {
		m.sample(t, first, t.size, start+int64(t.size))
	}
	if count > 1 {
		m.sample(t, t.flags, t.size, start+2*int64(t.size))
	}
	if t.size > 0 && count > maxBox/int64(t.size) {
		return 0, invalid("trun of %d samples of %d bytes", count, t.size)
	}
	m.last(t, count, t.duration)
	end := start + count*int64(t.size)
	return end, bounded(end)
}

func (m *moof) last(t track, count int64, each uint32) {
	if t.wanted {
		m.lasts += uint64(count) * uint64(each) // both below 2³²
	}
}

func (m *moof) sample(t track, flags, size uint32, end int64) {
	if t.wanted && m.keyframe == 0 && (m.each || flags&nonSync == 0) && size > 0 {
		m.keyframe = end
	}
}

func bounded(end int64) error {
	if end > maxBox {
		return invalid("samples up to byte %d", end)
	}
	return nil
}
