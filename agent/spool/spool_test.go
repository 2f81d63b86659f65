package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("SPOOL_TEST_HELPER"); dir != "" {
		helper(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func open(t testing.TB, cfg Config) *Spool {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	cfg.Log = quiet
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

var start = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

func put(t testing.TB, s *Spool, bodies ...string) {
	t.Helper()
	for _, b := range bodies {
		kept, err := s.Put(context.Background(), Record{At: start, Target: "news", Body: []byte(b)})
		if err != nil || kept != OnDisk {
			t.Fatalf("put %q: kept %d, %v", b, kept, err)
		}
	}
}

// take takes n runs at most, without waiting.
func take(t testing.TB, s *Spool, n int) ([]Item, []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	items, err := s.Take(ctx, Want{Runs: n})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	var got []string
	for _, it := range items {
		got = append(got, string(it.Body))
	}
	return items, got
}

func wantTaken(t testing.TB, s *Spool, want ...string) []Item {
	t.Helper()
	items, got := take(t, s, 1000)
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("taken (-want +got):\n%s", d)
	}
	return items
}

func TestCommitGiveBackAndReopen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	put(t, s, "a", "b", "c", "d")
	items := wantTaken(t, s, "a", "b", "c", "d")
	wantTaken(t, s)
	if err := s.Commit(items[0], items[2]); err != nil {
		t.Fatal(err)
	}
	s.GiveBack(items...) // the committed ones stay so
	items = wantTaken(t, s, "b", "d")
	s.GiveBack(items[0])
	if st := s.Stats(); st.Committed != 2 || st.InFlight != 1 || st.Fresh != 1 {
		t.Errorf("stats %+v", st)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Dir: dir})
	items = wantTaken(t, s, "b", "d")
	if !items[0].At.Equal(start) || items[0].Target != "news" {
		t.Errorf("record %+v", items[0].Record)
	}
	if err := s.Commit(items...); err != nil {
		t.Fatal(err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*.seg")); len(files) != 0 {
		t.Errorf("segments left: %v", files)
	}
}

func TestFreshRunsFirstAndAFifthForTheBacklog(t *testing.T) {
	now := start
	s := open(t, Config{FreshFor: time.Minute, now: func() time.Time { return now }})
	for i := range 40 {
		put(t, s, fmt.Sprintf("old%02d", i))
	}
	now = now.Add(2 * time.Minute)
	for i := range 40 {
		put(t, s, fmt.Sprintf("new%02d", i))
	}
	items, got := take(t, s, 40)
	if got[0] != "new00" {
		t.Errorf("first is %s, want the oldest fresh run", got[0])
	}
	old := strings.Count(strings.Join(got, " "), "old")
	if old != 8 {
		t.Errorf("%d of 40 from the backlog, want a fifth: 8 (%v)", old, got)
	}
	s.GiveBack(items...)
	if _, got := take(t, s, 1000); len(got) != 80 {
		t.Errorf("%d runs, want all 80", len(got))
	}
}

func TestSizeBoundDropsTheOldestAndCounts(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, MaxBytes: 8000})
	body := strings.Repeat("x", 78) // 100 bytes a record with head and target
	for i := range 200 {
		at := start.Add(time.Duration(i) * time.Minute)
		if _, err := s.Put(t.Context(), Record{At: at, Target: "news", Body: fmt.Appendf(nil, "%03d%s", i, body[3:])}); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Stats(); st.Bytes > 8000 {
		t.Errorf("%d bytes on disk, want at most 8000", st.Bytes)
	} else if sum := droppedRuns(st); sum == 0 || sum != int64(200-st.Fresh-st.Backlog) {
		t.Errorf("%d dropped and %d waiting, want 200 together", sum, st.Fresh+st.Backlog)
	}
	_, got := take(t, s, 1000)
	if n := len(got); n < 60 || got[n-1][:3] != "199" || got[0][:3] != fmt.Sprintf("%03d", 200-n) {
		t.Errorf("kept %d, first %.3s", n, got[0])
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Dir: dir, MaxBytes: 8000})
	if dropped := droppedRuns(s.Stats()); dropped != int64(200-len(got)) {
		t.Errorf("%d counted as dropped after reopening, want %d", dropped, 200-len(got))
	}
	if d := s.Stats().Dropped[0]; d.Runs != 30 || d.Target != "news" || !d.Hour.Equal(start.Truncate(time.Hour)) {
		t.Errorf("first hour %+v, want 30 runs of news at 09:00", d)
	}
}

func droppedRuns(st Stats) (n int64) {
	for _, d := range st.Dropped {
		n += d.Runs
	}
	return n
}

// faultyFile fails while full is set; partial writes reach the disk.
type faultyFile struct {
	*os.File
	full, badSync *atomic.Bool
}

func (f faultyFile) Write(b []byte) (int, error) {
	if f.full.Load() {
		n, _ := f.File.Write(b[:len(b)/2])
		return n, syscall.ENOSPC
	}
	return f.File.Write(b)
}

func (f faultyFile) Sync() error {
	if f.badSync.Load() {
		return syscall.EIO
	}
	return f.File.Sync()
}

func TestDiskThatTakesNothing(t *testing.T) {
	for _, kind := range []string{"full", "sync"} {
		t.Run(kind, func(t *testing.T) {
			var full, badSync atomic.Bool
			dir := t.TempDir()
			s := open(t, Config{Dir: dir, MaxMemory: 1000, create: func(path string) (file, error) {
				f, err := createFile(path)
				if err != nil {
					return nil, err
				}
				return faultyFile{f.(*os.File), &full, &badSync}, nil
			}})
			put(t, s, "before")
			full.Store(kind == "full")
			badSync.Store(kind == "sync")
			for i := range 50 {
				kept, err := s.Put(t.Context(), Record{At: start, Target: "news", Body: fmt.Appendf(nil, "during%02d", i)})
				if err != nil || kept != InMemory {
					t.Fatalf("kept %d, %v; want in memory", kept, err)
				}
			}
			st := s.Stats()
			if st.DiskError == "" || st.Memory == 0 || st.MemoryBytes > 1000 {
				t.Errorf("stats %+v", st)
			}
			if len(st.Dropped) != 1 || st.Dropped[0].Runs != int64(50-st.Memory) {
				t.Errorf("%d in memory, dropped %v, want 50 together", st.Memory, st.Dropped)
			}
			items, got := take(t, s, 3)
			if want := "before during" + fmt.Sprint(50-st.Memory); strings.Join(got[:2], " ") != want {
				t.Errorf("took %v, want %s", got, want)
			}
			full.Store(false)
			badSync.Store(false)
			put(t, s, "after")
			// What waits in memory follows to disk; the two that are out do not.
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for n := 0; s.Stats().Memory != 2; n++ {
				if <-tick.C; n == 5000 {
					t.Fatalf("stats %+v, want 2 runs in memory", s.Stats())
				}
			}
			s.GiveBack(items[0])
			if err := s.Commit(items[1:]...); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, Config{Dir: dir})
			_, got = take(t, s, 1000)
			seen := map[string]int{}
			for _, g := range got {
				seen[g]++
			}
			if len(got) != st.Memory || seen["before"] != 1 || seen["after"] != 1 || seen["during49"] != 1 {
				t.Errorf("%d runs after reopening, want %d: %v", len(got), st.Memory, got)
			}
		})
	}
}

func TestTornEndsAreCut(t *testing.T) {
	whole := appendRecord(appendRecord(nil, Record{At: start, Target: "t", Body: []byte("first")}), Record{At: start, Target: "t", Body: []byte("second")})
	first := len(appendRecord(nil, Record{At: start, Target: "t", Body: []byte("first")}))
	flip := bytes.Clone(whole)
	flip[len(flip)-1] ^= 1
	tests := []struct {
		name string
		file []byte
		want []string
	}{
		{"whole", whole, []string{"first", "second"}},
		{"empty", nil, nil},
		{"last byte missing", whole[:len(whole)-1], []string{"first"}},
		{"half a head", whole[:first+5], []string{"first"}},
		{"a bit flipped", flip, []string{"first"}},
		{"zeros behind", append(bytes.Clone(whole), make([]byte, 4096)...), []string{"first", "second"}},
		{"absurd length", append(bytes.Clone(whole[:first]), bytes.Repeat([]byte{0xff}, 100)...), []string{"first"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(segmentPath(dir, 7)+recordExt, tt.file, 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, Config{Dir: dir})
			put(t, s, "new")
			wantTaken(t, s, append(tt.want, "new")...)
		})
	}
}

func TestOneProcessPerDirectory(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	if _, err := Open(Config{Dir: dir}); !errors.Is(err, ErrLocked) {
		t.Fatalf("second Open: %v, want ErrLocked", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, Config{Dir: dir})
}

func TestSetAside(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	put(t, s, "bad", "good")
	items := wantTaken(t, s, "bad", "good")
	if err := s.SetAside(items[0], "400: no"); err != nil {
		t.Fatal(err)
	}
	s.GiveBack(items...)
	wantTaken(t, s, "good")
	text, err := os.ReadFile(filepath.Join(dir, "rejected.jsonl"))
	if err != nil || !strings.Contains(string(text), `"reason":"400: no","target":"news","body":"YmFk"`) {
		t.Errorf("rejected.jsonl: %s, %v", text, err)
	}
	if st := s.Stats(); st.SetAside != 1 || st.Committed != 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestTakeWaitsAndEnds(t *testing.T) {
	s := open(t, Config{})
	got := make(chan []Item)
	go func() {
		items, _ := s.Take(context.Background(), Want{})
		got <- items
		_, err := s.Take(context.Background(), Want{})
		if !errors.Is(err, ErrClosed) {
			t.Errorf("Take of a closed spool: %v, want ErrClosed", err)
		}
		close(got)
	}()
	put(t, s, "x")
	if items := <-got; len(items) != 1 {
		t.Fatalf("%d items", len(items))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	<-got
	if _, err := s.Put(t.Context(), Record{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Put: %v, want ErrClosed", err)
	}
}

func TestTooLarge(t *testing.T) {
	s := open(t, Config{})
	if _, err := s.Put(t.Context(), Record{Body: make([]byte, MaxBody+1)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}

func FuzzScan(f *testing.F) {
	whole := appendRecord(nil, Record{At: start, Target: "t", Body: []byte("body")})
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add(append(bytes.Clone(whole), make([]byte, 100)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		good, err := scan(bytes.NewReader(b), int64(len(b)), func(offset int64, rec Record) {
			if offset != int64(len(again)) {
				t.Errorf("record at %d, want %d", offset, len(again))
			}
			again = appendRecord(again, rec)
		})
		if err != nil || !bytes.Equal(again, b[:good]) {
			t.Errorf("%d good bytes are not what was read: %v", good, err)
		}
		parseCommits(b)
	})
}
