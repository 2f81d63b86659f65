//go:build !race

package probes_test

// slack is nothing without the race detector.
const slack = 0
