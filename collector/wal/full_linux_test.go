package wal

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/firstframe/firstframe/collector/internal/smalldisk"
)

// A full disk refuses records and loses none; when there is room again the
// same log goes on.
func TestDiskFull(t *testing.T) {
	smalldisk.Run(t, "256k", func(t *testing.T, dir string) {
		// The ballast is what an operator would delete.
		ballast := filepath.Join(dir, "ballast")
		if err := os.WriteFile(ballast, make([]byte, 64<<10), 0o600); err != nil {
			t.Fatal(err)
		}
		l := open(t, filepath.Join(dir, "log"), Config{SegmentBytes: 64 << 10})
		var want []string
		var err error
		for i := 0; err == nil && i < 1000; i++ {
			body := strings.Repeat(string(rune('a'+i%26)), 3000)
			if _, err = l.Append(record(body)); err == nil {
				want = append(want, body)
			}
		}
		if !errors.Is(err, unix.ENOSPC) {
			t.Fatalf("%d records fitted, then: %v; want ENOSPC", len(want), err)
		}
		if _, err := l.Append(record(strings.Repeat("y", 9000))); !errors.Is(err, unix.ENOSPC) {
			t.Fatalf("still full: %v, want ENOSPC", err)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		want = append(want, "there is room again")
		appendBody(t, l, want[len(want)-1])
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, filepath.Join(dir, "log"), Config{})
		got, errs := bodies(l, Location{})
		if !slices.Equal(got, want) || errs != nil {
			t.Errorf("%d records after reopening, want %d; errors %v", len(got), len(want), errs)
		}
	})
}
