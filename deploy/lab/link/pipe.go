package link

import (
	"math/rand/v2"
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
	delay   time.Duration
	perByte float64 // nanoseconds
	queue   int     // bytes
	loss    float64
	random  *rand.Rand

	free time.Time // when the last packet taken has left the queue
}

func newPipe(c Config, stream uint64) *pipe {
	p := &pipe{delay: c.RTT / 2, queue: c.queue(), loss: c.Loss, random: rand.New(rand.NewPCG(c.Seed, stream))}
	if c.Kbps > 0 {
		p.perByte = 8e6 / c.Kbps
	}
	return p
}

// take says what becomes of a packet of so many bytes that comes now, and when
// it arrives if it does. A packet that gets lost takes its time on the line.
// Instants must not go backwards.
func (p *pipe) take(now time.Time, size int) (due time.Time, f fate) {
	unlucky := p.loss > 0 && p.random.Float64() < p.loss
	start := now
	if p.free.After(now) {
		start = p.free
	}
	if waiting := float64(start.Sub(now)); waiting+float64(size)*p.perByte > float64(p.queue)*p.perByte {
		return time.Time{}, dropped
	}
	p.free = start.Add(time.Duration(float64(size) * p.perByte))
	if unlucky {
		return time.Time{}, lost
	}
	return p.free.Add(p.delay), arrives
}
