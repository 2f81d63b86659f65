package shaper

import (
	"container/heap"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/world"
)

// backlog is how much a client's line holds for packets that wait for it, as
// time; what comes beyond is lost, as at a router whose buffer is full.
const backlog = 500 * time.Millisecond

// Packets is the server's end of shaped datagrams, for QUIC. What is written
// arrives at its client one round trip later and as its line is free; what
// clients send arrives at once, its way being charged to the answer. Handshake,
// window and acknowledgements are QUIC's own.
type Packets struct {
	net.PacketConn
	listener *Listener

	wake  chan struct{}
	ended chan struct{} // closed with the pump
	stop  sync.Once

	mu     sync.Mutex
	flight packetHeap
	sent   uint64
	closed bool
}

type packet struct {
	data   []byte
	to     net.Addr
	client netip.Addr
	at     time.Time // due at the client
	n      uint64    // in the order of writing
}

// Packets shapes the datagrams that are written to inner by the paths of l, on
// the lines that l's connections of the same client are on.
func (l *Listener) Packets(inner net.PacketConn) *Packets {
	p := &Packets{PacketConn: inner, listener: l, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go p.pump()
	return p
}

// WriteTo takes one packet. One that the line has no room for is lost, and no
// error.
func (p *Packets) WriteTo(b []byte, to net.Addr) (int, error) {
	client, now := Addr(to), time.Now()
	path := p.listener.path(client)
	if path == (world.Path{}) {
		return p.PacketConn.WriteTo(b, to)
	}
	link := p.listener.join(client, path)
	end, ok := link.Reserve(len(b), now, now.Add(backlog))
	p.mu.Lock()
	defer p.mu.Unlock()
	if !ok || p.closed {
		p.listener.leave(client)
		if p.closed {
			return 0, net.ErrClosed
		}
		return len(b), nil
	}
	p.sent++
	heap.Push(&p.flight, packet{append([]byte(nil), b...), to, client, end.Add(path.RTT), p.sent})
	signal(p.wake)
	return len(b), nil
}

// SetReadBuffer asks the kernel for room, as SetWriteBuffer does: QUIC complains
// of a connection that cannot be asked to.
func (p *Packets) SetReadBuffer(n int) error {
	return p.PacketConn.(interface{ SetReadBuffer(int) error }).SetReadBuffer(n)
}

// SetWriteBuffer is as SetReadBuffer.
func (p *Packets) SetWriteBuffer(n int) error {
	return p.PacketConn.(interface{ SetWriteBuffer(int) error }).SetWriteBuffer(n)
}

// Close closes the socket, drops what is on its way and returns when nothing is
// under way.
func (p *Packets) Close() (err error) {
	p.stop.Do(func() {
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		signal(p.wake)
		err = p.PacketConn.Close()
	})
	<-p.ended
	return err
}

// pump delivers until the socket is closed.
func (p *Packets) pump() {
	defer close(p.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		due, next, over := p.step(time.Now())
		for _, d := range due {
			p.PacketConn.WriteTo(d.data, d.to) // a datagram that cannot be sent is lost
			p.listener.leave(d.client)
		}
		if over {
			return
		}
		pause(timer, next, p.wake)
	}
}

// step takes out what is due, and says when the next is, zero for not before a
// wake.
func (p *Packets) step(now time.Time) (due []packet, next time.Time, over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.flight) > 0 && (p.closed || !p.flight[0].at.After(now)) {
		due = append(due, heap.Pop(&p.flight).(packet))
	}
	if len(p.flight) > 0 {
		next = p.flight[0].at
	}
	return due, next, p.closed
}

// packetHeap has the packet that is due first in front.
type packetHeap []packet

func (h packetHeap) Len() int { return len(h) }
func (h packetHeap) Less(i, k int) bool {
	return h[i].at.Before(h[k].at) || h[i].at.Equal(h[k].at) && h[i].n < h[k].n
}
func (h packetHeap) Swap(i, k int) { h[i], h[k] = h[k], h[i] }

// Push is for package heap.
func (h *packetHeap) Push(x any) { *h = append(*h, x.(packet)) }

// Pop is for package heap.
func (h *packetHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = packet{}
	*h = old[:len(old)-1]
	return last
}
