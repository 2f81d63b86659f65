package link

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Count is what became of the packets of one direction.
type Count struct {
	Packets int64 // that came to the line, those below included
	Bytes   int64 // of these, IP headers included
	Dropped int64 // packets that found the queue full
	Lost    int64 // packets lost on the way
}

type fate int

const (
	arrives fate = iota
	dropped
	lost
)

// pipe decides what happens to each packet of one direction. It knows no clock.
type pipe struct {
	delay  time.Duration
	rate   atomic.Pointer[rate] // may change meanwhile
	loss   float64
	random *rand.Rand

	free time.Time // when the last packet taken has left the queue
}

// rate is how fast a pipe is, and what waits for it.
type rate struct {
	perByte float64 // nanoseconds
	queue   int     // bytes
}

func (c Config) rate() *rate {
	r := &rate{queue: c.queue()}
	if c.Kbps > 0 {
		r.perByte = 8e6 / c.Kbps
	}
	return r
}

func newPipe(c Config, stream uint64) *pipe {
	p := &pipe{delay: c.RTT / 2, loss: c.Loss, random: rand.New(rand.NewPCG(c.Seed, stream))}
	p.rate.Store(c.rate())
	return p
}

// take says what becomes of a packet of so many bytes that comes now, and when
// it arrives if it does. A packet that gets lost takes its time on the line.
// Instants must not go backwards.
func (p *pipe) take(now time.Time, size int) (due time.Time, f fate) {
	unlucky := p.loss > 0 && p.random.Float64() < p.loss
	r, start := p.rate.Load(), now
	if p.free.After(now) {
		start = p.free
	}
	if waiting := float64(start.Sub(now)); waiting+float64(size)*r.perByte > float64(r.queue)*r.perByte {
		return time.Time{}, dropped
	}
	p.free = start.Add(time.Duration(float64(size) * r.perByte))
	if unlucky {
		return time.Time{}, lost
	}
	return p.free.Add(p.delay), arrives
}
