package duck_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/collector/store/duck"
	"github.com/firstframe/firstframe/collector/store/storetest"
)

// appendDir makes the test binary a process that appends until it is killed.
const appendDir = "FIRSTFRAME_TEST_APPEND_DIR"

const batch = 25

func TestMain(m *testing.M) {
	if dir := os.Getenv(appendDir); dir != "" {
		fmt.Fprintln(os.Stderr, appendForEver(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// appendForEver appends batches over two days, and prints position and ids of
// each once it is acknowledged.
func appendForEver(dir string) error {
	ctx := context.Background()
	s, err := duck.Open(ctx, duck.Config{Dir: dir})
	if err != nil {
		return err
	}
	at, err := s.Position(ctx)
	if err != nil {
		return err
	}
	midnight := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for {
		at.Offset++
		var rows []store.Row
		var ids []string
		for _, r := range storetest.Runs(uint64(at.Offset), batch, midnight.Add(time.Hour), 2*time.Hour) {
			rows, ids = append(rows, store.Row{Run: r, At: at}), append(ids, r.RunID)
		}
		if _, err := s.Append(ctx, rows, nil, at); err != nil {
			return err
		}
		fmt.Println(at.Offset, strings.Join(ids, " "))
	}
}

// TestKill kills a process that appends with SIGKILL at random instants: what
// it acknowledged is there after each, and the position never falls behind.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 1))
	var acked []string
	var position int64
	for range 6 {
		ids, last := killed(t, dir, 3+rng.IntN(10), time.Duration(rng.IntN(20))*time.Millisecond)
		acked = append(acked, ids...)
		position = max(position, last)
		s := open(t, duck.Config{Dir: dir})
		at, err := s.Position(t.Context())
		if err != nil || at.Offset < position {
			t.Fatalf("position %v (%v), acknowledged was %d", at, err, position)
		}
		counts := stored(t, s)
		for _, id := range acked {
			if counts[id] != 1 {
				t.Fatalf("acknowledged run %s is there %d times", id, counts[id])
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// stored counts the rows of each run.
func stored(t *testing.T, s store.Store) map[string]int64 {
	t.Helper()
	a, err := s.Query(t.Context(), &query.Request{From: query.Ago(48 * time.Hour), GroupBy: []string{"run_id"}, Limit: query.MaxLimit,
		Where: []query.Cond{{Dim: "source", Op: query.Exists}}}, time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC))
	if err != nil || a.Meta.Truncated {
		t.Fatalf("Query: %v, truncated %v", err, a.Meta.Truncated)
	}
	counts := map[string]int64{}
	for _, row := range a.Rows {
		counts[row[0].(string)] = row[1].(int64)
	}
	return counts
}

// killed runs a process until it has acknowledged so many batches, and kills it
// a delay later. It answers with the acknowledged ids and the last position.
func killed(t *testing.T, dir string, batches int, delay time.Duration) (ids []string, last int64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), appendDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for n := 0; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == batch+1 { // the last line can be torn
			if _, err := fmt.Sscan(fields[0], &last); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, fields[1:]...)
		}
		if n == batches {
			time.AfterFunc(delay, func() { _ = cmd.Process.Kill() }) // it may have ended by itself: Wait tells
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the process ended by itself: %v", err)
	}
	return ids, last
}
