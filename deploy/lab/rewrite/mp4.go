package rewrite

import (
	"encoding/binary"
	"fmt"
	"time"
)

// notSync is sample_is_non_sync_sample among a sample's flags (ISO/IEC
// 14496-12, 8.8.3.1).
const notSync = 0x00010000

// eachBox calls f with the type and body of every box, also of those inside
// moof and traf.
func eachBox(b []byte, f func(kind string, body []byte) error) error {
	for len(b) > 0 {
		if len(b) < 8 {
			return fmt.Errorf("%w: %d bytes are no box", ErrForeign, len(b))
		}
		size := int64(binary.BigEndian.Uint32(b))
		kind := string(b[4:8])
		if size < 8 || size > int64(len(b)) {
			return fmt.Errorf("%w: box %q of %d bytes in %d", ErrForeign, kind, size, len(b))
		}
		body := b[8:size]
		b = b[size:]
		err := f(kind, body)
		if err == nil && (kind == "moof" || kind == "traf") {
			err = eachBox(body, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// shiftMP4 moves sidx and tfdt, whose 64 bit forms it needs. The timescale is
// the one in sidx.
func shiftMP4(b []byte, d time.Duration, sequence uint32) error {
	var ticks uint64
	err := eachBox(b, func(kind string, body []byte) error {
		switch kind {
		case "sidx":
			if len(body) < 20 || body[0] != 1 {
				return fmt.Errorf("%w: sidx", ErrForeign)
			}
			timescale, second := uint64(binary.BigEndian.Uint32(body[8:])), uint64(time.Second)
			part := uint64(d) % second * timescale
			if ticks = uint64(d)/second*timescale + part/second; part%second != 0 {
				return fmt.Errorf("%w: %v are no whole number of its ticks", ErrForeign, d)
			}
			add64(body[12:], ticks)
		case "mfhd":
			if len(body) < 8 {
				return fmt.Errorf("%w: mfhd", ErrForeign)
			}
			binary.BigEndian.PutUint32(body[4:], sequence)
		case "tfdt":
			if len(body) < 12 || body[0] != 1 || ticks == 0 && d != 0 {
				return fmt.Errorf("%w: tfdt", ErrForeign)
			}
			add64(body[4:], ticks)
		}
		return nil
	})
	if err == nil && ticks == 0 && d != 0 {
		err = fmt.Errorf("%w: no sidx", ErrForeign)
	}
	return err
}

func add64(b []byte, n uint64) { binary.BigEndian.PutUint64(b, binary.BigEndian.Uint64(b)+n) }

// hideDefault marks default_sample_flags of a tfhd, which stand behind what
// its flags announce (8.8.7).
func hideDefault(tfhd []byte) error {
	if len(tfhd) < 8 {
		return fmt.Errorf("%w: tfhd", ErrForeign)
	}
	flags := binary.BigEndian.Uint32(tfhd)
	at := 8
	for _, field := range []struct{ flag, size int }{{0x1, 8}, {0x2, 4}, {0x8, 4}, {0x10, 4}} {
		if flags&uint32(field.flag) != 0 {
			at += field.size
		}
	}
	if flags&0x20 == 0 {
		return nil
	}
	return mark(tfhd, at)
}

// hideSamples marks first_sample_flags and every sample's own flags of a trun
// (8.8.8).
func hideSamples(trun []byte) error {
	if len(trun) < 8 {
		return fmt.Errorf("%w: trun", ErrForeign)
	}
	flags, count := binary.BigEndian.Uint32(trun), binary.BigEndian.Uint32(trun[4:])
	at := 8
	if flags&0x1 != 0 {
		at += 4
	}
	if flags&0x4 != 0 {
		if err := mark(trun, at); err != nil {
			return err
		}
		at += 4
	}
	stride, offset := 0, 0
	for _, flag := range []uint32{0x100, 0x200, 0x400, 0x800} {
		if flags&flag == 0 {
			continue
		}
		if flag == 0x400 {
			offset = stride
		}
		stride += 4
	}
	if flags&0x400 == 0 {
		return nil
	}
	for range count {
		if err := mark(trun, at+offset); err != nil {
			return err
		}
		at += stride
	}
	return nil
}

func mark(box []byte, at int) error {
	if at+4 > len(box) {
		return fmt.Errorf("%w: sample flags beyond their box", ErrForeign)
	}
	binary.BigEndian.PutUint32(box[at:], binary.BigEndian.Uint32(box[at:])|notSync)
	return nil
}
