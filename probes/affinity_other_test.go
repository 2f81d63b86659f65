//go:build !linux

package probes_test

// The processors that a process can be pinned to: none can.
const (
	firstProcessor = iota
	lastProcessor
	anyProcessor
)

func processors() int { return 1 }

func pin(int) error { return nil }
