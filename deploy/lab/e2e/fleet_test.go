package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/lab"
	"github.com/firstframe/firstframe/deploy/lab/proc"
)

// fleet is a lab, a collector and agents, each as a process of its own.
type fleet struct {
	*lab.Lab  // what runs in another process: only Info, and the demo's World, are filled in
	bins      map[string]string
	collector *lab.Collector
	agents    []*proc.Process // beside Info.Agents
}

// startFleet starts a lab with the given flags, a collector, and the agents
// that choose picks.
func startFleet(t *testing.T, choose func(lab.AgentInfo) bool, flags ...string) *fleet {
	t.Helper()
	f := &fleet{Lab: new(lab.Lab), bins: map[string]string{}}
	for name := range programs {
		f.bins[name] = program(t, name)
	}
	dir := t.TempDir()
	server, err := proc.Start(proc.Spec{Name: "lab", Path: f.bins["lab"], Logs: dir, Args: append([]string{"serve", "--dir", dir}, flags...)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, server) })
	out := filepath.Join(dir, "lab.out")
	eventually(t, 30*time.Second, "the lab says where it is", func() bool {
		text, err := os.ReadFile(out)
		return err == nil && bytes.HasSuffix(text, []byte("\n")) && json.Unmarshal(text, &f.Info) == nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if f.collector, err = f.StartCollector(ctx, lab.CollectorConfig{Binary: f.bins["collector"]}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			logTail(t, filepath.Join(f.collector.Spec.Logs, "collector.log"))
		}
		stop(t, f.collector.Process)
	})
	for _, a := range f.Info.Agents {
		if !choose(a) {
			continue
		}
		p, err := f.StartAgent(a, lab.AgentConfig{Binary: f.bins["agent"], Collector: f.collector.OTLPHTTP})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if t.Failed() {
				logTail(t, filepath.Join(p.Spec.Logs, p.Spec.Name+".log"))
			}
			stop(t, p)
		})
		f.agents = append(f.agents, p)
	}
	return f
}

// stop ends a process as Ctrl-C does.
func stop(t *testing.T, p *proc.Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Errorf("%s does not stop: %v", p.Spec.Name, err)
	}
}

func logTail(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Log(err)
	}
	t.Logf("%s ends with:\n%s", filepath.Base(file), text[max(0, len(text)-2000):])
}

// eventually waits until ok, for so long at most.
func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %v still not: %s", limit, what)
		}
	}
}

// client keeps no connection, so that none is left in the end.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}

// call makes a request with a JSON body, when there is one, and gives status
// and answer.
func call(method, url string, body any) (int, []byte, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return 0, nil, err
		}
	}
	req, err := http.NewRequest(method, url, bytes.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

// query asks the collector and gives the rows, by the columns' names.
func (f *fleet) query(t *testing.T, q map[string]any) []map[string]any {
	t.Helper()
	code, text, err := call("POST", f.collector.HTTP+"/api/v1/query", q)
	var answer struct {
		Columns []struct{ Name string }
		Rows    [][]any
	}
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	if err != nil || code != http.StatusOK {
		t.Fatalf("query: %d, %v: %s", code, err, text)
	}
	rows := make([]map[string]any, len(answer.Rows))
	for i, row := range answer.Rows {
		rows[i] = map[string]any{}
		for k, c := range answer.Columns {
			rows[i][c.Name] = row[k]
		}
	}
	return rows
}

// countries are those of the fleet, each once.
func (f *fleet) countries() (codes []string) {
	seen := map[string]bool{}
	for _, a := range f.Info.Agents {
		if !seen[a.Country] {
			codes = append(codes, a.Country)
		}
		seen[a.Country] = true
	}
	return codes
}

// cell is a country through a CDN.
func cell(row map[string]any) string { return fmt.Sprintf("%v through %v", row["country"], row["cdn"]) }
