//go:build race

package fetch_test

import "time"

// tolerance is wider under the race detector, which makes handshakes several
// times as expensive.
const tolerance = 20 * time.Millisecond
