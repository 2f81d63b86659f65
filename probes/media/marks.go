package media

import (
	"sort"
	"time"
)

// mark says that every byte before end had arrived at the instant.
type mark struct {
	end int64
	at  time.Time
}

// marks remembers at most MaxMarks arrivals. When it is full every second one
// is dropped, which makes what it answers later, never earlier, than the truth.
type marks struct {
	list []mark
	end  int64
}

func (m *marks) add(end int64, at time.Time) {
	m.end = end
	if n := len(m.list); n > 0 && !at.After(m.list[n-1].at) {
		m.list[n-1].end = end
		return
	}
	if len(m.list) == MaxMarks {
		for i := range MaxMarks / 2 {
			m.list[i] = m.list[2*i+1]
		}
		m.list = m.list[:MaxMarks/2]
	}
	m.list = append(m.list, mark{end, at})
}

// arrival is when the byte before end had arrived; it must have.
func (m *marks) arrival(end int64) time.Time {
	i := sort.Search(len(m.list), func(i int) bool { return m.list[i].end >= end })
	return m.list[i].at
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
