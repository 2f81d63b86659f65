package duck_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firstframe/firstframe/collector/internal/smalldisk"
	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/collector/store/duck"
	"github.com/firstframe/firstframe/collector/store/storetest"
)

// A disk that is full when a new day begins, with anything from no room to room
// for a part of its file, refuses the rows; when there is room again the same
// store takes them, and what was killed meanwhile opens again.
func TestDiskFull(t *testing.T) {
	smalldisk.Run(t, "8m", func(t *testing.T, dir string) {
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
	})
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
