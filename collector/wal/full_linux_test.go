package wal

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const fullEnv = "WAL_TEST_FULL"

// A full disk refuses records and loses none; when there is room again the
// same log goes on. The test runs itself again in a mount namespace of its own,
// on a file system of 256 KiB.
func TestDiskFull(t *testing.T) {
	dir := os.Getenv(fullEnv)
	if dir == "" {
		inNamespace(t)
		return
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
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
}

func inNamespace(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestDiskFull$", "-test.v")
	cmd.Env = append(os.Environ(), fullEnv+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) || strings.Contains(string(out), "--- SKIP") {
		t.Skipf("no mount namespace to be had: %v", err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
