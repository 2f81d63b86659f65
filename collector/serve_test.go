package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/google/go-cmp/cmp"

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

func readAddresses(t *testing.T, r io.Reader) (a addresses) {
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
func serveIn(t *testing.T, dir string, more ...string) (a addresses, stop func()) {
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
func process(t *testing.T, dir string) (*exec.Cmd, addresses) {
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

func do(t *testing.T, method, url string, body []byte, headers ...string) (int, http.Header, []byte) {
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

func marshal(t *testing.T, runs ...probe.Run) []byte {
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

func ship(t *testing.T, a addresses, body []byte) {
	t.Helper()
	code, _, text := do(t, "POST", "http://"+a.OTLPHTTP+"/v1/traces", body, "Content-Type", "application/x-protobuf")
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, text)
	}
}

// ask asks for runs and good by group, and gives the rows.
func ask(t *testing.T, a addresses, group string) [][]any {
	t.Helper()
	code, _, text := do(t, "POST", "http://"+a.HTTP+"/api/v1/query",
		fmt.Appendf(nil, `{"measures":["runs","good"],"group_by":[%s],"limit":10000}`, group), "Content-Type", "application/json")
	var answer struct{ Rows [][]any }
	if err := json.Unmarshal(text, &answer); code != http.StatusOK || err != nil {
		t.Fatalf("%d %s", code, text)
	}
	return answer.Rows
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s still not: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// The way of a run through the real thing: sent over HTTP and gRPC, twice;
// asked for by query, CSV, id and metrics; still there after a restart.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	a, stop := serveIn(t, dir)
	b, c := makeRun("cdn-b", true), makeRun("cdn-c", false)
	ship(t, a, marshal(t, b))
	ship(t, a, marshal(t, b))
	conn, err := grpc.NewClient(a.OTLPGRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	req := ptraceotlp.NewExportRequest()
	if err := req.UnmarshalProto(marshal(t, c)); err != nil {
		t.Fatal(err)
	}
	if _, err := ptraceotlp.NewGRPCClient(conn).Export(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	want := [][]any{{"cdn-b", 1.0, 1.0}, {"cdn-c", 1.0, 0.0}}
	until(t, "both runs answered once", func() bool { return cmp.Equal(want, ask(t, a, `"cdn"`)) })

	code, _, text := do(t, "GET", "http://"+a.HTTP+"/api/v1/runs/"+b.RunID, nil)
	var got struct {
		RunID        string       `json:"run_id"`
		ClientIP     string       `json:"client_ip"`
		CountryFrom  string       `json:"country_from"`
		Steps        []probe.Step `json:"steps"`
		StepsExpired *bool        `json:"steps_expired"`
	}
	if err := json.Unmarshal(text, &got); err != nil || code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	if got.RunID != b.RunID || got.ClientIP != "127.0.0.1" || got.CountryFrom != "claimed" || got.StepsExpired == nil || *got.StepsExpired {
		t.Errorf("run: %s", text)
	}
	if diff := cmp.Diff(b.Steps, got.Steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	_, _, text = do(t, "GET", "http://"+a.HTTP+"/metrics", nil)
	for _, line := range []string{
		`firstframe_runs_total{app_version="4.1.3",cdn="cdn-b",country="BR",target="news"} 1`,
		`firstframe_good_runs_total{app_version="4.1.3",cdn="cdn-c",country="BR",target="news"} 0`,
		`firstframe_ingest_duplicate_runs_total 1`,
		`firstframe_store_runs 2`,
	} {
		if !strings.Contains(string(text), line+"\n") {
			t.Errorf("/metrics lacks %s", line)
		}
	}
	if code, _, text := do(t, "GET", "http://"+a.HTTP+"/", nil); code != 200 || !bytes.Contains(text, []byte("<html")) {
		t.Errorf("/: %d, %.40s", code, text)
	}
	conn.Close()
	stop()
	a, _ = serveIn(t, dir)
	if got := ask(t, a, `"cdn"`); !cmp.Equal(want, got) {
		t.Errorf("after a restart: %v, want %v", got, want)
	}
}

// Steps whose segment has gone are said to be expired, and the run remains.
func TestStepsExpired(t *testing.T) {
	dir := t.TempDir()
	a, stop := serveIn(t, dir)
	r := makeRun("cdn-b", true)
	ship(t, a, marshal(t, r))
	until(t, "stored", func() bool { return len(ask(t, a, `"cdn"`)) == 1 })
	stop()
	segments, err := filepath.Glob(filepath.Join(dir, "log", "*.log"))
	if err != nil || len(segments) != 1 {
		t.Fatal(err, segments)
	}
	if err := os.Remove(segments[0]); err != nil {
		t.Fatal(err)
	}
	a, _ = serveIn(t, dir)
	code, _, text := do(t, "GET", "http://"+a.HTTP+"/api/v1/runs/"+r.RunID, nil)
	if code != 200 || !bytes.Contains(text, []byte(`"steps":[],"steps_expired":true`)) {
		t.Errorf("%d %s", code, text)
	}
}

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

const planText = "version: 1\ntargets:\n  - {name: news, url: \"https://cdn.example/%s.m3u8\"}\n"

// An agent that has the plan waits for the next; one that does not check never
// reaches it.
func TestPlan(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plan.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	write(fmt.Sprintf(planText, "first"))
	a, _ := serveIn(t, t.TempDir(), "--plan", file)
	url := "http://" + a.OTLPHTTP + "/v1/plan?agent=sao-1"
	code, head, text := do(t, "GET", url, nil)
	if code != 200 || !strings.Contains(string(text), "first.m3u8") {
		t.Fatalf("%d %s", code, text)
	}
	etag := head.Get("ETag")
	if code, _, _ := do(t, "GET", url+"&wait=10ms", nil, "If-None-Match", etag); code != http.StatusNotModified {
		t.Errorf("the same plan: %d, want 304", code)
	}
	write("version: 1\ntargts: []\n")
	if code, _, _ := do(t, "GET", url+"&wait=2500ms", nil, "If-None-Match", etag); code != http.StatusNotModified {
		t.Errorf("a plan that does not check: %d, want 304", code)
	}
	go func() {
		time.Sleep(50 * time.Millisecond)
		write(fmt.Sprintf(planText, "second"))
	}()
	code, _, text = do(t, "GET", url+"&wait=25s", nil, "If-None-Match", etag)
	if code != 200 || !strings.Contains(string(text), "second.m3u8") {
		t.Errorf("a new plan: %d %s", code, text)
	}
	if code, _, text := do(t, "GET", "http://"+a.OTLPHTTP+"/v1/plan", nil); code != 400 || !strings.Contains(string(text), `"field":"agent"`) {
		t.Errorf("without an agent: %d %s", code, text)
	}
}

func TestCommandLine(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "plan.yaml")
	if err := os.WriteFile(bad, []byte("version: 1\ntargts: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct {
		name string
		args []string
		code int
		text string
	}{
		{"no command", nil, exitUse, "serve"},
		{"unknown flag", []string{"serve", "--htpp", "x"}, exitUse, "--http"},
		{"open to others", []string{"serve", "--otlp-http", "0.0.0.0:0"}, exitUse, "--no-auth"},
		{"open to others, IPv6", []string{"serve", "--otlp-grpc", ":0"}, exitUse, "--otlp-grpc"},
		{"no address", []string{"serve", "--http", "127.0.0.1"}, exitUse, "--http"},
		{"nothing kept", []string{"serve", "--retain", "0s"}, exitUse, "nothing"},
		{"unknown engine", []string{"serve", "--store", "oracle"}, exitUse, "duckdb"},
		{"no such database", []string{"serve", "--geoip", "/none.mmdb"}, exitUse, "none.mmdb"},
		{"port taken", arguments(t.TempDir(), "--http", taken.Addr().String()), exitBad, "--http"},
		{"bad plan", arguments(t.TempDir(), "--plan", bad), exitBad, "targts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), c.args, &stdout, &stderr); code != c.code || !strings.Contains(stderr.String(), c.text) {
				t.Errorf("code %d, want %d; stderr %q lacks %q", code, c.code, &stderr, c.text)
			}
			if stdout.Len() > 0 && c.code == exitBad {
				t.Errorf("stdout: %q", &stdout)
			}
		})
	}
}

// A web page under a foreign name must not be able to ask, nor one of another
// origin to send.
func TestForeignPages(t *testing.T) {
	a, _ := serveIn(t, t.TempDir())
	if code, _, _ := do(t, "GET", "http://"+a.HTTP+"/api/v1/measures", nil, "Host", "evil.example"); code != http.StatusMisdirectedRequest {
		t.Errorf("foreign name: %d, want 421", code)
	}
	if code, _, _ := do(t, "GET", "http://"+a.HTTP+"/api/v1/measures", nil, "Host", "localhost:8480"); code != 200 {
		t.Errorf("localhost: %d, want 200", code)
	}
	code, _, text := do(t, "POST", "http://"+a.HTTP+"/api/v1/query", []byte("{}"), "Content-Type", "application/json",
		"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	if code != http.StatusForbidden || !bytes.Contains(text, []byte("cross_origin")) {
		t.Errorf("foreign origin: %d %s, want 403", code, text)
	}
}
