//go:build !race

package fetch_test

import "time"

// tolerance is what a phase may differ from the delay that caused it.
const tolerance = 5 * time.Millisecond
