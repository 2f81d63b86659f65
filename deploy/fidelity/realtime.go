package main

import (
	"errors"
	"fmt"
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

// alone makes sure that no other one plays, by a lock on a file, until free is
// called or the process ends.
func alone(path string) (free func(), err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("%s: %w", path, errNotAlone)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { _ = file.Close() }, nil // the lock ends with it
}
