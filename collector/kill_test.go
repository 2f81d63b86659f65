package main

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	probe "github.com/firstframe/firstframe/probes/run"
)

// Whatever was acknowledged before SIGKILL, at any moment of the load, is in
// the store exactly once after the last restart.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	var mu sync.Mutex
	acked := map[string]bool{}
	for range 4 {
		cmd, a := process(t, dir)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					runs := []probe.Run{makeRun("cdn-b", true), makeRun("cdn-c", true)}
					body := marshal(t, runs...)
					res, err := client.Post("http://"+a.OTLPHTTP+"/v1/traces", "application/x-protobuf", bytes.NewReader(body))
					if err != nil {
						return // killed
					}
					res.Body.Close()
					if res.StatusCode != http.StatusOK {
						t.Errorf("%s", res.Status)
						return
					}
					mu.Lock()
					acked[runs[0].RunID], acked[runs[1].RunID] = true, true
					mu.Unlock()
				}
			})
		}
		until(t, "some are acknowledged", func() bool { mu.Lock(); defer mu.Unlock(); return len(acked) > 20 })
		time.Sleep(time.Duration(100+rand.IntN(1200)) * time.Millisecond) // a random moment, between flushes too
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		wg.Wait()
	}
	a, _ := serveIn(t, dir)
	until(t, "ready", func() bool {
		code, _, _ := do(t, "GET", "http://"+a.HTTP+"/readyz", nil)
		return code == 200
	})
	stored := map[string]any{} // runs by round, which here is the run's id
	for _, row := range ask(t, a, `"round"`) {
		stored[row[0].(string)] = row[1]
	}
	looked := 0
	for id := range acked {
		if stored[id] != 1.0 {
			t.Errorf("acknowledged run %s is stored %v times", id, stored[id])
		}
		if looked++; looked > 50 {
			continue
		}
		if code, _, text := do(t, "GET", "http://"+a.HTTP+"/api/v1/runs/"+id, nil); code != 200 || !bytes.Contains(text, []byte(`m.m3u8"`)) {
			t.Errorf("steps of acknowledged run %s: %d %.200s", id, code, text)
		}
	}
	// Runs in flight at a kill may be stored without having been acknowledged:
	// at most what 4 senders had out, 2 runs each, at each of 4 kills.
	if len(stored) > len(acked)+4*4*2 || len(stored) == 10_000 {
		t.Errorf("%d runs in the store, %d acknowledged", len(stored), len(acked))
	}
	t.Logf("%d acknowledged, %d stored", len(acked), len(stored))
}

// SIGTERM ends a collector with code 0, and what it had acknowledged is stored.
func TestTerminate(t *testing.T) {
	dir := t.TempDir()
	cmd, a := process(t, dir)
	ship(t, a, marshal(t, makeRun("cdn-b", true)))
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("after SIGTERM: %v", err)
	}
	a, _ = serveIn(t, dir)
	if got := ask(t, a, `"cdn"`); !cmp.Equal([][]any{{"cdn-b", 1.0, 1.0}}, got) {
		t.Errorf("stored: %v", got)
	}
}
