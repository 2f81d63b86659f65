package link

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// mtu is the largest packet, bytes.
	mtu = 1500
	// inFlight is how many packets are on their way in one direction at most; what
	// comes beyond that is dropped. It is enough for 600 Mbit/s over 80 ms.
	inFlight = 4096
	// burst is how many packets are read before the clock is looked at again.
	burst = 32
	// grain is how long a packet waits for those behind it at most: to wake up for
	// each takes a third more of a core at 50 Mbit/s.
	grain = 500 * time.Microsecond
)

// line carries packets both ways, on one thread that blocks in the kernel: Go's
// own timers are 1 ms coarse, and its poller has to wait for another thread.
type line struct {
	ways [2]*way
	wake int           // an eventfd, written to end the line
	done chan struct{} // closed when the thread has ended, after err is set
	err  error
}

// startLine runs a line until it is stopped.
func startLine(ways ...*way) (*line, error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("link: eventfd: %w", err)
	}
	l := &line{ways: [2]*way(ways), wake: wake, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		runtime.LockOSThread()
		hurried := setPolicy(unix.SCHED_FIFO, 1) == nil
		l.err = l.run()
		if !hurried || setPolicy(unix.SCHED_NORMAL, 0) == nil {
			runtime.UnlockOSThread() // else the thread ends, and its priority with it
		}
	}()
	return l, nil
}

// setPolicy says when the thread runs. Of SCHED_FIFO it runs before all others
// when it has something to do, so that a busy machine does not lengthen the line;
// without the right to, it is a thread like others.
func setPolicy(policy uint32, priority uint32) error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: policy, Priority: priority, Flags: unix.SCHED_FLAG_RESET_ON_FORK}
	return unix.SchedSetAttr(0, &attr, 0)
}

// stop ends the line and waits for its thread. Its error is what the line
// broke with before.
func (l *line) stop() error {
	_, err := unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	if err != nil {
		return fmt.Errorf("link: end the line: %w", err)
	}
	<-l.done
	return errors.Join(l.err, unix.Close(l.wake))
}

func (l *line) run() error {
	fds := []unix.PollFd{{Fd: int32(l.wake), Events: unix.POLLIN}}
	for _, w := range l.ways {
		fds = append(fds, unix.PollFd{Fd: int32(w.from), Events: unix.POLLIN})
	}
	for {
		_, err := unix.Ppoll(fds, l.until(), nil)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("link: wait for packets: %w", err)
		}
		if fds[0].Revents != 0 {
			return nil
		}
		for i, w := range l.ways {
			if fds[1+i].Revents != 0 {
				err = w.take()
			} else {
				err = nil
			}
			if err := errors.Join(err, w.deliver()); err != nil {
				return err
			}
		}
	}
}

// until is how long nothing is to be delivered; nil is for ever.
func (l *line) until() *unix.Timespec {
	var next time.Time
	for _, w := range l.ways {
		if due := w.next(); next.IsZero() || !due.IsZero() && due.Before(next) {
			next = due
		}
	}
	if next.IsZero() {
		return nil
	}
	wait := unix.NsecToTimespec(max(0, time.Until(next)).Nanoseconds())
	return &wait
}

// way is one direction of a line. Only its line's thread uses it, but for the
// counts.
type way struct {
	pipe     *pipe
	from, to int       // TUN devices
	flight   []*packet // in order of due
	free     []*packet // to be used again

	packets, bytes, dropped, lost atomic.Int64
}

type packet struct {
	due  time.Time
	size int
	data [mtu]byte
}

func (w *way) count() Count {
	return Count{Packets: w.packets.Load(), Bytes: w.bytes.Load(), Dropped: w.dropped.Load(), Lost: w.lost.Load()}
}

// next is when something is to be delivered: the first packet, and with it
// those that are due within grain. Zero is never.
func (w *way) next() (due time.Time) {
	if len(w.flight) == 0 {
		return due
	}
	last := w.flight[0].due.Add(grain)
	for _, p := range w.flight {
		if p.due.After(last) {
			break
		}
		due = p.due
	}
	return due
}

// take sends the packets that wait in the device on their way.
func (w *way) take() error {
	for range burst {
		if len(w.free) == 0 {
			w.free = append(w.free, new(packet))
		}
		p := w.free[len(w.free)-1]
		n, err := unix.Read(w.from, p.data[:])
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("link: read a packet: %w", err)
		}
		if p.size = n; n == 0 || p.data[0]>>4 != 4 || !w.admit(p) {
			continue
		}
		w.free = w.free[:len(w.free)-1]
		w.flight = append(w.flight, p)
	}
	return nil
}

// admit says whether a packet is to arrive, and when.
func (w *way) admit(p *packet) bool {
	w.packets.Add(1)
	w.bytes.Add(int64(p.size))
	due, f := w.pipe.take(time.Now(), p.size)
	switch {
	case f == lost:
		w.lost.Add(1)
	case f == dropped || len(w.flight) == inFlight:
		w.dropped.Add(1)
	default:
		p.due = due
		return true
	}
	return false
}

// deliver lets the packets arrive that are due.
func (w *way) deliver() error {
	n, now := 0, time.Now()
	for ; n < len(w.flight) && !w.flight[n].due.After(now); n++ {
		p := w.flight[n]
		if _, err := unix.Write(w.to, p.data[:p.size]); err != nil {
			return fmt.Errorf("link: deliver a packet: %w", err)
		}
		w.free = append(w.free, p)
	}
	w.flight = append(w.flight[:0], w.flight[n:]...)
	return nil
}
