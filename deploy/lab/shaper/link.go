package shaper

import (
	"sync"
	"time"
)

// Link is a line of limited bandwidth that one byte leaves after the other. It
// may be shared.
type Link struct {
	perByte float64 // nanoseconds

	mu   sync.Mutex
	free time.Time
}

// NewLink makes a line of kbps kbit/s; 0 is one without a limit.
func NewLink(kbps int) *Link {
	if kbps <= 0 {
		return &Link{}
	}
	return &Link{perByte: 8e6 / float64(kbps)}
}

// Reserve takes the line for n bytes that may start at earliest, and says when
// the last of them has left. When it cannot start until latest it takes
// nothing, and says when to ask again.
func (l *Link) Reserve(n int, earliest, latest time.Time) (end time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	start := later(earliest, l.free)
	if start.After(latest) {
		return start, false
	}
	l.free = start.Add(time.Duration(float64(n) * l.perByte))
	return l.free, true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
