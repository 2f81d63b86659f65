package spool

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// A record is, little-endian: CRC-32C of all that follows, uint32 length of
// the body, int64 Unix nanoseconds of At, uint16 length of the target, target,
// body.
const headerSize = 4 + 4 + 8 + 2

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errTorn: a record that is not whole, or not as it was written.
var errTorn = errors.New("torn record")

func recordSize(r Record) int64 { return int64(headerSize + len(r.Target) + len(r.Body)) }

// appendRecord adds r to b.
func appendRecord(b []byte, r Record) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.Body)))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.At.UnixNano()))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(r.Target)))
	b = append(b, r.Target...)
	b = append(b, r.Body...)
	binary.LittleEndian.PutUint32(b[start:], crc32.Checksum(b[start+4:], castagnoli))
	return b
}

// readRecord reads the next record of at most left bytes. It fails with io.EOF
// at the end, with errTorn when what follows is not a whole record.
func readRecord(r io.Reader, left int64) (Record, error) {
	var head [headerSize]byte
	if left == 0 {
		return Record{}, io.EOF
	}
	if left < headerSize {
		return Record{}, fmt.Errorf("%w: %d bytes", errTorn, left)
	}
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Record{}, err
	}
	body := int64(binary.LittleEndian.Uint32(head[4:]))
	target := int64(binary.LittleEndian.Uint16(head[16:]))
	if body > MaxBody || target > MaxTarget || headerSize+target+body > left {
		return Record{}, fmt.Errorf("%w: of %d bytes, %d left", errTorn, headerSize+target+body, left)
	}
	rest := make([]byte, target+body)
	if _, err := io.ReadFull(r, rest); err != nil {
		return Record{}, err
	}
	sum := crc32.Update(crc32.Checksum(head[4:], castagnoli), castagnoli, rest)
	if want := binary.LittleEndian.Uint32(head[:]); sum != want {
		return Record{}, fmt.Errorf("%w: checksum %08x, want %08x", errTorn, sum, want)
	}
	at := time.Unix(0, int64(binary.LittleEndian.Uint64(head[8:]))).UTC()
	return Record{At: at, Target: string(rest[:target]), Body: rest[target:]}, nil
}

// scan calls fn for each whole record of a segment of the given size, and
// returns where the last of them ends. Its error is of reading, not of content.
func scan(r io.Reader, size int64, fn func(offset int64, rec Record)) (good int64, err error) {
	br := bufio.NewReaderSize(r, 256<<10)
	for {
		rec, err := readRecord(br, size-good)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, errTorn), errors.Is(err, io.ErrUnexpectedEOF):
			return good, nil
		case err != nil:
			return good, err
		}
		fn(good, rec)
		good += recordSize(rec)
	}
}

// A commit is the record's offset and the CRC-32C of that, uint32 each. Commits
// are not synced: one that is lost means that its run is sent once more.
const commitSize = 8

func appendCommit(b []byte, offset uint32) []byte {
	b = binary.LittleEndian.AppendUint32(b, offset)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[len(b)-4:], castagnoli))
}

// parseCommits is the set of offsets up to the first torn commit.
func parseCommits(b []byte) map[int64]bool {
	set := make(map[int64]bool, len(b)/commitSize)
	for ; len(b) >= commitSize; b = b[commitSize:] {
		if binary.LittleEndian.Uint32(b[4:]) != crc32.Checksum(b[:4], castagnoli) {
			break
		}
		set[int64(binary.LittleEndian.Uint32(b))] = true
	}
	return set
}
