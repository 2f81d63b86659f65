package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/google/go-cmp/cmp"

	probe "github.com/firstframe/firstframe/probes/run"
)

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
	for _, line := range []string{
		`firstframe_runs_total{app_version="4.1.3",cdn="cdn-b",country="BR",target="news"} 1`,
		`firstframe_good_runs_total{app_version="4.1.3",cdn="cdn-c",country="BR",target="news"} 0`,
		`firstframe_ingest_duplicate_runs_total 1`,
		`firstframe_store_runs 2`,
	} {
		until(t, "/metrics shows "+line, func() bool { // counted once stored, which queries may see before
			_, _, text := do(t, "GET", "http://"+a.HTTP+"/metrics", nil)
			return strings.Contains(string(text), line+"\n")
		})
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
	if code, _, _ := do(t, "GET", "http://"+a.OTLPHTTP+"/v1/plan?agent=a", nil, "Host", "evil.example"); code != http.StatusMisdirectedRequest {
		t.Errorf("foreign name for the plan: %d, want 421", code)
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

// With --no-auth the collector answers to any name, as it must in a container
// or behind a proxy.
func TestNamesOfProxies(t *testing.T) {
	a, _ := serveIn(t, t.TempDir(), "--no-auth")
	for _, url := range []string{"http://" + a.HTTP + "/api/v1/measures", "http://" + a.HTTP + "/"} {
		if code, _, text := do(t, "GET", url, nil, "Host", "firstframe.example"); code != 200 {
			t.Errorf("%s: %d %.80s, want 200", url, code, text)
		}
	}
	code, _, text := do(t, "POST", "http://"+a.OTLPHTTP+"/v1/traces", marshal(t, makeRun("cdn-b", true)),
		"Host", "collector:4318", "Content-Type", "application/x-protobuf")
	if code != 200 {
		t.Errorf("runs: %d %s", code, text)
	}
}
