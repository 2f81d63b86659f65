package spool

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// helper puts and commits without end, and tells what it did on stdout, until
// it is killed. One write per line: a pipe keeps those whole.
func helper(dir string) {
	s, err := Open(Config{Dir: dir, Log: quiet, segmentBytes: 16 << 10})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	ctx := context.Background()
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				if _, err := s.Put(ctx, Record{At: time.Now(), Target: "t", Body: []byte(id)}); err != nil {
					fmt.Println("error", err)
					return
				}
				fmt.Println("put", id)
			}
		})
	}
	wg.Go(func() {
		for {
			items, err := s.Take(ctx, Want{Runs: 20})
			if err != nil {
				fmt.Println("error", err)
				return
			}
			for i, it := range items {
				if i%2 == 0 {
					fmt.Println("committing", string(it.Body))
				}
			}
			for i, it := range items {
				if i%2 == 0 {
					if err := s.Commit(it); err != nil {
						fmt.Println("error", err)
					}
					fmt.Println("committed", string(it.Body))
				}
			}
			s.GiveBack(items...)
		}
	})
	wg.Wait()
}

func TestKillLosesNothing(t *testing.T) {
	dir := t.TempDir()
	told := map[string]map[string]bool{"put": {}, "committing": {}, "committed": {}}
	for range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SPOOL_TEST_HELPER="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := 20 + rand.IntN(400)
		in := bufio.NewScanner(out)
		for n := 0; in.Scan(); n++ {
			verb, id, _ := strings.Cut(in.Text(), " ")
			if verb == "error" {
				t.Error(in.Text())
			}
			told[verb][id] = true
			if n == kill {
				cmd.Process.Kill()
			}
		}
		cmd.Wait()
	}
	s := open(t, Config{Dir: dir})
	_, got := take(t, s, 1<<20)
	there := map[string]int{}
	for _, id := range got {
		there[id]++
	}
	for id := range told["put"] {
		if n := there[id]; n != 1 && !told["committing"][id] {
			t.Errorf("%s was acknowledged and is there %d times", id, n)
		}
	}
	for id := range told["committed"] {
		if there[id] != 0 {
			t.Errorf("%s was committed and is there again", id)
		}
	}
	if len(told["put"]) < 100 || len(told["committed"]) < 10 || len(got) == 0 {
		t.Errorf("only %d puts, %d commits, %d left: too few to show anything", len(told["put"]), len(told["committed"]), len(got))
	}
}
