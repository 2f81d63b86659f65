package wal

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const childEnv = "WAL_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		child(dir)
	}
	os.Exit(m.Run())
}

// child appends for ever from several goroutines and prints each body once it
// is acknowledged.
func child(dir string) {
	l, err := Open(dir, Config{SegmentBytes: 32 << 10})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var out sync.Mutex
	for w := range 8 {
		go func() {
			for i := 0; ; i++ {
				body := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				if _, err := l.Append(record(body + strings.Repeat(".", i%997))); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				out.Lock()
				fmt.Println(body)
				out.Unlock()
			}
		}()
	}
	select {}
}

// Whatever was acknowledged before SIGKILL is there afterwards, exactly once.
func TestKill(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	acked := map[string]bool{}
	for range 8 {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		cmd.Stderr = os.Stderr
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stdout)
		kill := 20 + rand.IntN(400) // after so many acknowledgements
		for n := 0; lines.Scan(); n++ {
			acked[lines.Text()] = true
			if n == kill {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
			t.Fatalf("child ended by itself: %v", err)
		}
	}
	l := open(t, dir, Config{})
	found := map[string]int{}
	for e, err := range l.From(Location{}) {
		if err != nil {
			t.Error(err)
			continue
		}
		found[strings.TrimRight(string(e.Body), ".")]++
	}
	for body := range acked {
		if found[body] != 1 {
			t.Errorf("acknowledged record %s found %d times", body, found[body])
		}
	}
	t.Logf("%d acknowledged, %d found, %d segments", len(acked), len(found), l.Stats().Segments)
}

// BenchmarkAppend is the cost of an acknowledged record of 10 KiB, beside that
// of the same write with an fdatasync of its own.
func BenchmarkAppend(b *testing.B) {
	body := strings.Repeat("x", 10<<10)
	b.Run("bare", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "bare"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if _, err := f.WriteString(body); err != nil {
				b.Fatal(err)
			}
			if err := dataSync(f); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, writers := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			l := open(b, b.TempDir(), Config{})
			b.SetBytes(int64(len(body)))
			b.SetParallelism(writers)
			b.RunParallel(func(pb *testing.PB) {
				r := record(body)
				r.ReceivedAt = time.Now()
				for pb.Next() {
					if _, err := l.Append(r); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(l.Stats().Syncs)/float64(b.N), "syncs/op")
		})
	}
}
