package wal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"net/netip"
	"time"
)

// Record is one request body as it was received.
type Record struct {
	ReceivedAt  time.Time  // nanoseconds are kept; given back in UTC
	ClientIP    netip.Addr // the zero value where it is not known; a zone is not kept
	Encoding    string     // content coding of Body: gzip, zstd, empty; at most 255 bytes
	ContentType string     // media type without parameters; at most 255 bytes
	Body        []byte
}

// A frame is: length of the payload, CRC32C of the payload, CRC32C of these
// two with the segment's salt and the frame's offset; then the payload. All
// little endian. The payload is the record's head and its body.
const (
	frameHead   = 12
	sealedBytes = 8 // of the frame's head, covered by its own checksum
)

// newFrame is the frame's head and the payload's head for r; the body follows.
// It has yet to be sealed.
func newFrame(r *Record) ([]byte, error) {
	if len(r.Encoding) > math.MaxUint8 || len(r.ContentType) > math.MaxUint8 {
		return nil, fmt.Errorf("wal: encoding of %d and content type of %d bytes, at most 255 are allowed: %w",
			len(r.Encoding), len(r.ContentType), ErrTooLarge)
	}
	ip := r.ClientIP.Unmap().AsSlice()
	b := make([]byte, frameHead, frameHead+8+3+len(ip)+len(r.Encoding)+len(r.ContentType))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.ReceivedAt.UnixNano()))
	b = append(append(b, byte(len(ip))), ip...)
	b = append(append(b, byte(len(r.Encoding))), r.Encoding...)
	b = append(append(b, byte(len(r.ContentType))), r.ContentType...)
	length := int64(len(b)) - frameHead + int64(len(r.Body))
	if length > math.MaxUint32 {
		return nil, fmt.Errorf("wal: %d bytes: %w", length, ErrTooLarge)
	}
	sum := crc32.Update(crc32.Checksum(b[frameHead:], castagnoli), castagnoli, r.Body)
	binary.LittleEndian.PutUint32(b[0:], uint32(length))
	binary.LittleEndian.PutUint32(b[4:], sum)
	return b, nil
}

// seal ties a frame's head to its place.
func seal(head []byte, salt uint64, at int64) {
	binary.LittleEndian.PutUint32(head[sealedBytes:], sealOf(head, salt, at))
}

func sealOf(head []byte, salt uint64, at int64) uint32 {
	var place [16]byte
	binary.LittleEndian.PutUint64(place[0:], salt)
	binary.LittleEndian.PutUint64(place[8:], uint64(at))
	return crc32.Update(crc32.Checksum(place[:], castagnoli), castagnoli, head[:sealedBytes])
}

// parsePayload reads what newFrame wrote. The record's body shares payload's
// memory.
func parsePayload(payload []byte) (Record, error) {
	var r Record
	if len(payload) < 8 {
		return r, fmt.Errorf("payload of %d bytes: %w", len(payload), ErrCorrupt)
	}
	r.ReceivedAt = time.Unix(0, int64(binary.LittleEndian.Uint64(payload))).UTC()
	rest := payload[8:]
	ip, rest, ok1 := short(rest)
	encoding, rest, ok2 := short(rest)
	contentType, rest, ok3 := short(rest)
	addr, ok4 := netip.AddrFromSlice(ip)
	if !ok1 || !ok2 || !ok3 || len(ip) > 0 && !ok4 {
		return Record{}, fmt.Errorf("payload's head: %w", ErrCorrupt)
	}
	r.ClientIP, r.Encoding, r.ContentType, r.Body = addr, string(encoding), string(contentType), rest
	return r, nil
}

// short takes a byte string that is led by its length in one byte.
func short(b []byte) (s, rest []byte, ok bool) {
	if len(b) == 0 || len(b)-1 < int(b[0]) {
		return nil, nil, false
	}
	n := 1 + int(b[0])
	return b[1:n], b[n:], true
}
