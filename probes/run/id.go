package run

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// NewID makes a run's id, which is also its trace id: 6 bytes Unix
// milliseconds of start, 10 random bytes, as 32 hex digits. So ids sort by
// time, and a run is found without an index.
func NewID(start time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(start.UnixMilli())<<16)
	rand.Read(b[6:]) // never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}

// IDTime is the instant that id was made for, in UTC and to the millisecond.
// It fails when id is not 32 lower-case hex digits.
func IDTime(id string) (time.Time, error) {
	b, err := ParseID(id)
	if err != nil {
		return time.Time{}, err
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b[:8]) >> 16)).UTC(), nil
}

// ParseID is id's 16 bytes. It fails when id is not 32 lower-case hex digits.
func ParseID(id string) (b [16]byte, err error) {
	if len(id) != 32 {
		return b, fmt.Errorf("run: id %.40q has %d characters, want 32 hex digits", id, len(id))
	}
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return b, fmt.Errorf("run: id %q: %q is not a lower-case hex digit", id, c)
		}
	}
	_, err = hex.Decode(b[:], []byte(id))
	return b, err
}
