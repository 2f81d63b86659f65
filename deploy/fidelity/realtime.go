package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// playPriority is that of a link's line too: Go's runtime yields where it waits for
// another of its threads, which lets those of a lower priority wait for ever.
const playPriority = 1

// hurry lets this process, and with it the browsers and agents that it starts, go
// before the machine's other work: they are threads that run in turn with one
// another (SCHED_RR), at the lowest real-time priority. It is false where that is
// not permitted (CAP_SYS_NICE, RLIMIT_RTPRIO).
//
// Threads that come later are as those that make them. A link's own thread leaves
// an ordinary one behind, so this is to be called before each play.
func hurry() bool {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return false
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return false
		}
		attr, err := unix.SchedGetAttr(id, 0)
		if err != nil {
			continue // it has ended
		}
		if attr.Policy == unix.SCHED_RR || attr.Policy == unix.SCHED_FIFO {
			continue
		}
		attr = &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: playPriority}
		if err := unix.SchedSetAttr(id, attr, 0); err != nil && err != unix.ESRCH {
			return false
		}
	}
	return true
}

var errNotAlone = errors.New("another one plays on this machine, and the two would disturb one another")

// alone makes sure that no other one plays that asks by the same name, until free
// is called or the process ends. The name is that of an abstract socket (unix(7)):
// one for all users of the machine's network, whatever folders they work in.
func alone(name string) (free func(), err error) {
	l, err := net.Listen("unix", "@"+name)
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("%s: %w", name, errNotAlone)
	}
	if err != nil {
		return nil, err
	}
	return func() { _ = l.Close() }, nil
}
