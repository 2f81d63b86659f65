package probes_test

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// The processors that a process can be pinned to.
const (
	firstProcessor = iota
	lastProcessor
	anyProcessor
)

// allowed are the processors that this process began with.
var allowed = func() (set unix.CPUSet) {
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		panic(err)
	}
	return set
}()

// processors is how many there are.
func processors() int { return allowed.Count() }

// pin keeps every thread of this process, and those they will begin, on one
// processor of those it began with, or on all of them.
func pin(to int) error {
	var one []int
	for i := range len(allowed) * strconv.IntSize {
		if allowed.IsSet(i) {
			one = append(one, i)
		}
	}
	set := allowed
	if to != anyProcessor {
		set.Zero()
		set.Set(one[map[int]int{firstProcessor: 0, lastProcessor: len(one) - 1}[to]])
	}
	for range 2 { // a thread may have begun another in the meantime
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		for _, t := range threads {
			id, err := strconv.Atoi(t.Name())
			if err != nil {
				return err
			}
			if err := unix.SchedSetaffinity(id, &set); err != nil && err != unix.ESRCH {
				return err
			}
		}
	}
	return nil
}
