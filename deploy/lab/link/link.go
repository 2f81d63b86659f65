// Package link joins two network namespaces by a line in user space: delay, a
// rate with a bounded queue, and loss. Handshakes, slow start and retransmission
// over it are the kernel's own, for any program, which package shaper cannot
// offer. The kernel remembers nothing of one connection for the next.
//
// One process holds a TUN device in each namespace and carries IPv4 packets of
// at most 1500 bytes from one to the other. The namespaces have no name: they,
// their devices and addresses are gone when the link is closed or its process
// ends, however it ends. It needs Linux, /dev/net/tun, and the rights
// CAP_SYS_ADMIN and CAP_NET_ADMIN; where these are not to be had, [Open] fails
// with [ErrUnavailable].
//
// The line is a thread of its own, with real-time priority where the process may
// have that (CAP_SYS_NICE), so that a busy machine does not lengthen the line:
// a packet by itself is some 0.1 ms late then, one in a dense row at most 0.5 ms
// more, and lateness does not add up from packet to packet. Programs at the ends
// are as slow as the machine makes them.
package link

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The addresses of the two ends, the same in every link: no other interface but
// loopback is where they are.
var (
	NearAddr = netip.MustParseAddr("10.71.0.1")
	FarAddr  = netip.MustParseAddr("10.71.0.2")
)

// Congestion is the congestion control of the connections that [End.Listen]
// accepts: that of most servers, whatever this machine's own is.
const Congestion = "cubic"

// The errors of this package.
var (
	// ErrUnavailable means that this machine or user may not make namespaces or
	// TUN devices.
	ErrUnavailable = errors.New("link: network namespaces or /dev/net/tun are not to be had")
	ErrConfig      = errors.New("link: not a possible link")
	ErrClosed      = errors.New("link: closed")
)

// Config says what a link is like; both directions are alike. The zero value
// neither delays, limits nor loses.
type Config struct {
	RTT  time.Duration // round-trip time of a packet that nothing holds up; half of it each way; at most 10 s
	Kbps float64       // rate of IP packets, headers included; 0: no limit
	// Queue is how many bytes wait for the line at most, in each direction; what
	// comes when it is full is dropped. 0: what the line sends in 100 ms, at least
	// 48 KiB. Without Kbps nothing waits.
	Queue int
	Loss  float64 // share of packets that are lost on the way, 0 to 1
	Seed  uint64  // decides which: the n-th packet of a direction has the same fate in every link of the same Seed and Loss
}

const (
	maxRTT     = 10 * time.Second
	queueTime  = 100 * time.Millisecond
	queueLeast = 48 << 10
)

// queue is how many bytes may wait.
func (c Config) queue() int {
	if c.Queue > 0 {
		return c.Queue
	}
	return max(queueLeast, int(c.Kbps/8*float64(queueTime.Milliseconds())))
}

func (c Config) check() error {
	switch {
	case c.RTT < 0 || c.RTT > maxRTT:
		return fmt.Errorf("%w: a round-trip time of %v, which is not 0 to %v", ErrConfig, c.RTT, maxRTT)
	case !(c.Kbps >= 0) || math.IsInf(c.Kbps, 1):
		return fmt.Errorf("%w: a rate of %v kbit/s", ErrConfig, c.Kbps)
	case c.Queue < 0 || c.Queue > 0 && c.Queue < mtu:
		return fmt.Errorf("%w: a queue of %d bytes, less than a packet of %d", ErrConfig, c.Queue, mtu)
	case !(c.Loss >= 0 && c.Loss <= 1):
		return fmt.Errorf("%w: a loss of %v, which is not 0 to 1", ErrConfig, c.Loss)
	}
	return nil
}

// Link is a line between two network namespaces. Make one with [Open].
type Link struct {
	Near, Far *End

	config Config
	line   *line
	close  sync.Once
	err    error
}

// End is one of the two namespaces. It may be used by many at once.
type End struct {
	Addr netip.Addr
	name string
	ns   *namespace
	out  *way
}

// Open makes two namespaces and the line between them. The caller closes it.
// Its errors are [ErrConfig] and [ErrUnavailable].
func Open(c Config) (*Link, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	near, err := newNamespace(NearAddr)
	if err != nil {
		return nil, err
	}
	far, err := newNamespace(FarAddr)
	if err != nil {
		return nil, errors.Join(err, near.close())
	}
	up := &way{pipe: newPipe(c, 0), from: near.tun, to: far.tun}
	down := &way{pipe: newPipe(c, 1), from: far.tun, to: near.tun}
	line, err := startLine(up, down)
	if err != nil {
		return nil, errors.Join(err, near.close(), far.close())
	}
	return &Link{config: c, line: line,
		Near: &End{Addr: NearAddr, name: "near", ns: near, out: up},
		Far:  &End{Addr: FarAddr, name: "far", ns: far, out: down}}, nil
}

// SetKbps changes the rate of both directions, and the queue that [Config] gives
// for it, for the packets that come from now on. Its error is [ErrConfig]. It may
// be called while the link is in use.
func (l *Link) SetKbps(kbps float64) error {
	c := l.config
	c.Kbps = kbps
	if err := c.check(); err != nil {
		return err
	}
	for _, e := range []*End{l.Near, l.Far} {
		e.out.pipe.rate.Store(c.rate())
	}
	return nil
}

// Close takes the line down and returns when nothing of it runs any more. Its
// error is what the line broke with before. Sockets that were made in a
// namespace, and processes that were started there, keep it alive, without its
// device. To close again is no mistake.
func (l *Link) Close() error {
	l.close.Do(func() {
		l.err = errors.Join(l.line.stop(), l.Near.ns.close(), l.Far.ns.close())
	})
	return l.err
}

// Do runs f in the namespace: sockets that f makes and processes that f starts
// are there for good. What f leaves to other goroutines (as dialling a name
// does) is not.
func (e *End) Do(f func() error) error {
	if err := e.ns.do(f); err != nil {
		return fmt.Errorf("link: %s end: %w", e.name, err)
	}
	return nil
}

// Listen listens for TCP at an address in the namespace, HOST:PORT, port 0 being
// a free one; what it accepts sends by [Congestion]'s rules.
func (e *End) Listen(ctx context.Context, address string) (l net.Listener, err error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		failed := c.Control(func(fd uintptr) {
			err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, Congestion)
		})
		return errors.Join(failed, err)
	}}
	err = e.Do(func() (err error) {
		l, err = config.Listen(ctx, "tcp4", address)
		return err
	})
	return l, err
}

// Start starts a command in the namespace.
func (e *End) Start(cmd *exec.Cmd) error { return e.Do(cmd.Start) }

// Path is a file that stands for the namespace as long as this process keeps
// the link: nsenter --net=PATH enters it.
func (e *End) Path() string { return e.ns.path() }

// Sent counts what this end has sent.
func (e *End) Sent() Count { return e.out.count() }
