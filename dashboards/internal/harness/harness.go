// Package harness runs the programs that dashboards speak to, for tests: the
// data source's binary, over the protocol that Grafana speaks to it, and a
// collector.
//
// [Build] builds both as they are shipped; [Programs.Collector] and
// [Programs.Plugin] start them. What they start ends with the test.
package harness

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
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/grpcplugin"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
)

const (
	module  = "github.com/firstframe/firstframe/"
	patient = 30 * time.Second // how long a test waits for a program
)

// Programs are the two programs, built.
type Programs struct{ dir string }

// The programs, by name.
const (
	PluginProgram    = "gpx_firstframe"
	CollectorProgram = "collector"
)

var programs = map[string]struct{ path, cgo string }{
	PluginProgram:    {"dashboards/datasource/pkg", "0"},
	CollectorProgram: {"collector", "1"},
}

// Build builds the named programs into a folder of their own, which Remove
// removes. What is in $FIRSTFRAME_BIN, the folder of make build, is taken from
// there.
func Build(names ...string) (*Programs, error) {
	dir, err := os.MkdirTemp("", "firstframe-dashboards")
	if err != nil {
		return nil, err
	}
	p := &Programs{dir}
	for _, name := range names {
		if err := p.build(name); err != nil {
			p.Remove()
			return nil, err
		}
	}
	return p, nil
}

func (p *Programs) build(name string) error {
	if bin := os.Getenv("FIRSTFRAME_BIN"); bin != "" {
		built := filepath.Join(bin, name)
		if _, err := os.Stat(built); err == nil {
			return os.Symlink(built, filepath.Join(p.dir, name))
		}
	}
	b := programs[name]
	cmd := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(p.dir, name), module+b.path)
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+b.cgo)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", name, err, text)
	}
	return nil
}

// Remove removes the built programs.
func (p *Programs) Remove() { os.RemoveAll(p.dir) }

// Main is a TestMain: it builds both programs, hands them to use, and runs the
// tests.
func Main(m *testing.M, use func(*Programs)) int {
	p, err := Build(PluginProgram, CollectorProgram)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer p.Remove()
	use(p)
	return m.Run()
}

// Collector is a running collector.
type Collector struct {
	URL  string // of the people's side
	OTLP string // where runs are sent
	Stop func() // ends it before the test does
}

// Collector starts a collector without runs.
func (p *Programs) Collector(t testing.TB) *Collector {
	t.Helper()
	cmd := exec.Command(filepath.Join(p.dir, "collector"), "serve", "--data", t.TempDir(), "--print-addresses",
		"--http", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &Collector{Stop: func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	}}
	t.Cleanup(c.Stop)
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		c.Stop()
		t.Fatalf("the collector's addresses: %v\n%s", err, &log)
	}
	var at struct {
		HTTP string `json:"http"`
		OTLP string `json:"otlp_http"`
	}
	if err := json.Unmarshal(line, &at); err != nil {
		t.Fatal(err)
	}
	c.URL, c.OTLP = "http://"+at.HTTP, "http://"+at.OTLP+"/v1/traces"
	return c
}

// Send sends runs, as one OTLP request of the given content type, and waits
// until the collector counts wait runs.
func (c *Collector) Send(t testing.TB, contentType string, body []byte, wait int) {
	t.Helper()
	if text := post(t, c.OTLP, contentType, body); bytes.Contains(text, []byte("rejected")) {
		t.Fatalf("runs were rejected: %s", text)
	}
	want := fmt.Sprintf(`"rows":[[%d]]`, wait)
	for deadline := time.Now().Add(patient); ; time.Sleep(20 * time.Millisecond) {
		text := post(t, c.URL+"/api/v1/query", "application/json", []byte(`{"from":"now-3d","where":[{"dim":"source","op":"exists"}]}`))
		if bytes.Contains(text, []byte(want)) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("want %s, got %s", want, text)
		}
	}
}

// post gives the answer, which must be good.
func post(t testing.TB, url, contentType string, body []byte) []byte {
	t.Helper()
	res, err := http.Post(url, contentType, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %q %v", url, res.StatusCode, text, err)
	}
	return text
}

// Plugin is the data source as Grafana has it: a process, spoken to by gRPC.
type Plugin struct {
	Data     grpcplugin.DataClient
	Resource grpcplugin.ResourceClient
	Health   grpcplugin.DiagnosticsClient
}

// Plugin starts the data source's binary with the handshake of Grafana.
func (p *Programs) Plugin(t testing.TB) Plugin {
	t.Helper()
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: plugin.HandshakeConfig{ProtocolVersion: grpcplugin.ProtocolVersion,
			MagicCookieKey: grpcplugin.MagicCookieKey, MagicCookieValue: grpcplugin.MagicCookieValue},
		VersionedPlugins: map[int]plugin.PluginSet{grpcplugin.ProtocolVersion: {
			"data": &grpcplugin.DataGRPCPlugin{}, "resource": &grpcplugin.ResourceGRPCPlugin{}, "diagnostics": &grpcplugin.DiagnosticsGRPCPlugin{}}},
		Cmd:              exec.Command(filepath.Join(p.dir, "gpx_firstframe")),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
	})
	t.Cleanup(client.Kill)
	rpc, err := client.Client()
	if err != nil {
		t.Fatal(err)
	}
	dispense := func(name string) any {
		raw, err := rpc.Dispense(name)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	return Plugin{dispense("data").(grpcplugin.DataClient), dispense("resource").(grpcplugin.ResourceClient),
		dispense("diagnostics").(grpcplugin.DiagnosticsClient)}
}

// Settings are a data source's, as Grafana hands them to the plugin.
func Settings(url string, options map[string]any, secrets map[string]string) *pluginv2.PluginContext {
	text, err := json.Marshal(options)
	if err != nil {
		panic(err)
	}
	return &pluginv2.PluginContext{OrgId: 1, PluginId: "firstframe-datasource",
		DataSourceInstanceSettings: &pluginv2.DataSourceInstanceSettings{Uid: "ff", Name: "Firstframe", Url: url,
			JsonData: text, DecryptedSecureJsonData: secrets, LastUpdatedMS: time.Now().UnixNano()}}
}

// Query is a query as Grafana hands it over.
type Query struct {
	From, To time.Time
	JSON     string // of the editor
	Interval time.Duration
	Points   int64
}

// Ask asks queries, as A, B, ….
func (p Plugin) Ask(t testing.TB, at *pluginv2.PluginContext, queries ...Query) backend.Responses {
	t.Helper()
	req := &pluginv2.QueryDataRequest{PluginContext: at}
	for i, q := range queries {
		if !json.Valid([]byte(q.JSON)) {
			t.Fatalf("not JSON: %s", q.JSON)
		}
		req.Queries = append(req.Queries, &pluginv2.DataQuery{RefId: string(rune('A' + i)), Json: []byte(q.JSON),
			IntervalMS: q.Interval.Milliseconds(), MaxDataPoints: q.Points,
			TimeRange: &pluginv2.TimeRange{FromEpochMS: q.From.UnixMilli(), ToEpochMS: q.To.UnixMilli()}})
	}
	res, err := p.Data.QueryData(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := backend.FromProto().QueryDataResponse(res)
	if err != nil {
		t.Fatal(err)
	}
	for ref, raw := range res.Responses { // which the conversion leaves out
		r := answer.Responses[ref]
		r.ErrorSource = backend.ErrorSource(raw.ErrorSource)
		answer.Responses[ref] = r
	}
	return answer.Responses
}

// Call calls a resource.
func (p Plugin) Call(t testing.TB, at *pluginv2.PluginContext, method, path, body string) (status int32, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	stream, err := p.Resource.CallResource(ctx, &pluginv2.CallResourceRequest{PluginContext: at, Method: method, Path: path, Url: path, Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	res, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return res.Code, strings.TrimSpace(string(res.Body))
}
