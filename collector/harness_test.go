package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	probe "github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/trace"
)

const childEnv = "COLLECTOR_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" { // this process is the collector itself
		main()
	}
	goleak.VerifyTestMain(m)
}

// addresses are what --print-addresses tells.
type addresses struct {
	HTTP     string `json:"http"`
	OTLPHTTP string `json:"otlp_http"`
	OTLPGRPC string `json:"otlp_grpc"`
}

func arguments(dir string, more ...string) []string {
	return append([]string{"serve", "--data", dir, "--print-addresses", "--http", "127.0.0.1:0",
		"--otlp-http", "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0"}, more...)
}

func readAddresses(t testing.TB, r io.Reader) (a addresses) {
	t.Helper()
	line, err := bufio.NewReader(r).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(line, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// serveIn runs a collector in this process; stop ends it as a signal would.
func serveIn(t testing.TB, dir string, more ...string) (a addresses, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	var stderr bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, arguments(dir, more...), w, &stderr)
		w.CloseWithError(fmt.Errorf("the collector ended: %s", &stderr))
	}()
	a = readAddresses(t, r)
	stop = sync.OnceFunc(func() {
		cancel()
		if c := <-code; c != 0 {
			t.Errorf("exit code %d: %s", c, &stderr)
		}
	})
	t.Cleanup(stop)
	return a, stop
}

// process runs a collector as a process of its own.
func process(t testing.TB, dir string) (*exec.Cmd, addresses) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, arguments(dir)...)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
		if t.Failed() {
			t.Logf("collector: %s", &stderr)
		}
	})
	return cmd, readAddresses(t, stdout)
}

var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}

func do(t testing.TB, method, url string, body []byte, headers ...string) (int, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if h := req.Header.Get("Host"); h != "" {
		req.Host = h
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, text
}

func makeRun(cdn string, good bool) probe.Run {
	at := time.Now().UTC()
	ttff := 812.5
	id := probe.NewID(at)
	return probe.Run{RunID: id, Round: id, StartedAt: at, DurationMs: ttff, Source: probe.SourceFleet, Agent: "sao-1", Country: "BR",
		Target: "news", CDN: cdn, AppVersion: "4.1.3", ThresholdMs: 2000, OK: true, Good: good, TTFFMs: &ttff, Attempts: 1,
		Steps: []probe.Step{{Name: probe.StepManifest, URL: "https://b.example/m.m3u8", Attempt: 1, EndMs: 100, Status: 200}}}
}

func marshal(t testing.TB, runs ...probe.Run) []byte {
	t.Helper()
	var all []byte
	for _, r := range runs {
		b, err := trace.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

func ship(t testing.TB, a addresses, body []byte) {
	t.Helper()
	code, _, text := do(t, "POST", "http://"+a.OTLPHTTP+"/v1/traces", body, "Content-Type", "application/x-protobuf")
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, text)
	}
}

// ask asks for runs and good by group, and gives the rows.
func ask(t testing.TB, a addresses, group string) [][]any {
	t.Helper()
	code, _, text := do(t, "POST", "http://"+a.HTTP+"/api/v1/query",
		fmt.Appendf(nil, `{"measures":["runs","good"],"group_by":[%s],"limit":10000}`, group), "Content-Type", "application/json")
	var answer struct{ Rows [][]any }
	if err := json.Unmarshal(text, &answer); code != http.StatusOK || err != nil {
		t.Fatalf("%d %s", code, text)
	}
	return answer.Rows
}

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s still not: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
