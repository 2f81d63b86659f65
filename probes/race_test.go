//go:build race

package probes_test

// slack is what the race detector may add to a time, in milliseconds: it makes
// handshakes and reading several times as expensive.
const slack = 20
