package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"strconv"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// timetable is when the rounds of one target are due. Slot n is the interval of
// the Unix clock from n×interval; its round lies inside it, so that the rounds
// of different agents in one slot can be compared.
type timetable struct {
	agent, name string
	interval    time.Duration
	phase       time.Duration // of this agent's rounds, from the start of a slot
	jitter      time.Duration // rounds come this much later at most
	jobs        []Job
	slot        int64     // whose round comes next
	at          time.Time // when that round is due
}

func newTimetable(agent, name string, jobs []Job) *timetable {
	t := &timetable{agent: agent, name: name, jobs: jobs, interval: jobs[0].Target.Interval}
	if t.interval <= 0 {
		t.interval = run.DefaultInterval
	}
	t.jitter = t.interval / 50
	t.phase = part(t.interval-t.jitter, agent, name)
	return t
}

// begin is the start of a slot.
func (t *timetable) begin(slot int64) time.Time {
	return time.Unix(0, slot*int64(t.interval)).UTC()
}

// due is when the round of a slot should start.
func (t *timetable) due(slot int64) time.Time {
	return t.begin(slot).Add(t.phase + part(t.jitter, t.agent, t.name, strconv.FormatInt(slot, 10)))
}

// move makes the round of a slot the one that comes next.
func (t *timetable) move(slot int64) { t.slot, t.at = slot, t.due(slot) }

// next is the first slot whose round is due after now.
func (t *timetable) next(now time.Time) int64 {
	slot := now.UnixNano()/int64(t.interval) - 1
	for !t.due(slot).After(now) {
		slot++
	}
	return slot
}

// round names the round of a slot.
func (t *timetable) round(slot int64) string {
	return t.name + "@" + t.begin(slot).Format(time.RFC3339Nano)
}

// part is an even share of whole, at least 0 and less than whole, that depends
// on the names alone.
func part(whole time.Duration, names ...string) time.Duration {
	h := sha256.New()
	for _, n := range names {
		h.Write([]byte(n)) // never fails, see hash.Hash
		h.Write([]byte{0})
	}
	hi, _ := bits.Mul64(binary.BigEndian.Uint64(h.Sum(nil)), uint64(whole))
	return time.Duration(hi)
}

// queue is a heap of timetables, the one that is due first at the top.
type queue []*timetable

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(*timetable)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
