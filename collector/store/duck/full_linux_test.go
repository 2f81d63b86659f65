package duck_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/collector/store/duck"
	"github.com/firstframe/firstframe/collector/store/storetest"
)

const fullEnv = "DUCK_TEST_FULL"

// A disk that is full when a new day begins, with anything from no room to room
// for a part of its file, refuses the rows; when there is room again the same
// store takes them, and what was killed meanwhile opens again. The test runs
// itself again in a mount namespace of its own, on a small file system.
func TestDiskFull(t *testing.T) {
	dir := os.Getenv(fullEnv)
	if dir == "" {
		inNamespace(t)
		return
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	cfg := duck.Config{Dir: filepath.Join(dir, "runs")}
	s := open(t, cfg)
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	refused := 0
	for i, room := range []int64{0, 4 << 10, 8 << 10, 12 << 10, 64 << 10, 256 << 10} {
		var rows []store.Row
		for _, r := range storetest.Runs(uint64(i), 100, noon.AddDate(0, 0, i), time.Hour) {
			rows = append(rows, store.Row{Run: r})
		}
		next := store.Location{Segment: 1, Offset: int64(i + 1)}
		fill(t, filepath.Join(dir, "ballast"), room)
		if _, err := s.Append(t.Context(), rows, nil, next); err != nil {
			refused++
		}
		if err := os.Remove(filepath.Join(dir, "ballast")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append(t.Context(), rows, nil, next); err != nil {
			t.Errorf("%d bytes of room, then more: %v", room, err)
		}
	}
	if refused < 4 {
		t.Errorf("%d of 6 were refused: the disk was not full", refused)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, cfg)
	if st, err := s.Stats(t.Context()); err != nil || st.Runs != 600 || st.Days != 6 {
		t.Errorf("after reopening: %+v, %v; want 600 runs of 6 days", st, err)
	}
}

// fill makes a file that leaves so many bytes of the file system.
func fill(t *testing.T, path string, room int64) {
	t.Helper()
	var fs unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &fs); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, int64(fs.Bavail)*fs.Bsize-room), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A process killed, or a machine that lost power, while it made a day's file
// leaves a part of it that nobody needs.
func TestUnfinishedFile(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, "2026-11-23.duckdb.new")
	for _, path := range []string{left, left + ".wal"} {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open(t, duck.Config{Dir: dir})
	if found, err := filepath.Glob(filepath.Join(dir, "*.new*")); err != nil || len(found) > 0 {
		t.Errorf("left behind: %v, %v", found, err)
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
