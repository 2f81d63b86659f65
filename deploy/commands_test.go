package deploy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/proc"
)

// build builds the programs that the images have, or finds them in
// $FIRSTFRAME_BIN, the folder of make build.
func build(t *testing.T) (dir string) {
	t.Helper()
	if bin := os.Getenv("FIRSTFRAME_BIN"); bin != "" {
		return bin
	}
	dir = t.TempDir()
	for name, pkg := range map[string]string{"agent": "./agent", "collector": "./collector", "lab": "./deploy/lab"} {
		cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", filepath.Join(dir, name), pkg)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, out)
		}
	}
	return dir
}

// What compose starts is started, with other folders and ports: both are
// healthy, and the fleet's runs arrive from the countries where agents are.
func TestCommands(t *testing.T) {
	bin, c := build(t), compose(t)
	checkDefaults(t, bin, c)
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	dir, otlp := t.TempDir(), free(t)
	here := []string{"/var/lib/lab", filepath.Join(dir, "lab"), "/var/lib/firstframe", filepath.Join(dir, "data")}
	for _, port := range []string{"8480", "8490"} {
		addr := free(t)
		here = append(here, "0.0.0.0:"+port, addr, "127.0.0.1:"+port, addr)
	}
	replace := strings.NewReplacer(here...)
	more := map[string][]string{
		"lab":       {"--interval=3s", "--collector=http://" + otlp},
		"collector": {"--otlp-http=" + otlp, "--otlp-grpc=127.0.0.1:0"},
	}
	for _, name := range []string{"lab", "collector"} {
		s := c.Services[name]
		args := append(strings.Split(replace.Replace(strings.Join(s.Command, "\n")), "\n"), more[name]...)
		p, err := proc.Start(proc.Spec{Name: name, Path: filepath.Join(bin, name), Args: args, Logs: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
			defer cancel()
			if err := proc.StopAll(stopping, []*proc.Process{p}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}()
		if err := p.AwaitHTTP(ctx, replace.Replace(s.Healthcheck.Test[len(s.Healthcheck.Test)-1])); err != nil {
			log, _ := os.ReadFile(filepath.Join(dir, name+".log"))
			t.Fatalf("%s is not healthy: %v\n%s", name, err, log)
		}
	}
	awaitCountries(ctx, t, "http://"+replace.Replace("127.0.0.1:8480"), 7)
}

// checkDefaults holds the ports against what the programs do when not told.
func checkDefaults(t *testing.T, bin string, c composeFile) {
	t.Helper()
	port := func(program, flag string) string {
		out, err := exec.CommandContext(t.Context(), filepath.Join(bin, program), "serve", "--help").Output()
		if err != nil {
			t.Fatal(err)
		}
		// The default is in brackets at the end of the flag's help.
		text := regexp.MustCompile(`\s+`).ReplaceAllString(string(out), " ")
		found := regexp.MustCompile(` --` + flag + `=[A-Z]+ [^()]*\((?:http://)?127\.0\.0\.1:(\d+)\)`).FindStringSubmatch(text)
		if found == nil {
			t.Fatalf("%s serve --help does not tell the default of --%s", program, flag)
		}
		return found[1]
	}
	if http := port("collector", "http"); !strings.Contains(strings.Join(c.Services["collector"].Command, " "), "--http=0.0.0.0:"+http) {
		t.Errorf("the collector's own port is %s", http)
	}
	if at, to := port("collector", "otlp-http"), port("lab", "collector"); at != to {
		t.Errorf("the lab's agents ship to port %s, the collector listens at %s", to, at)
	}
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// awaitCountries waits until runs from so many countries are there.
func awaitCountries(ctx context.Context, t *testing.T, collector string, want int) {
	t.Helper()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	last := ""
	for {
		select {
		case <-ctx.Done():
			t.Fatalf("no runs from %d countries in time; last: %s", want, last)
		case <-tick.C:
		}
		rows, err := ask(ctx, collector, `{"measures":["runs"],"group_by":["country"],"where":[{"dim":"country","op":"exists"}]}`)
		if err != nil {
			last = err.Error()
			continue
		}
		if len(rows) == want {
			return
		}
		last = fmt.Sprint(rows)
	}
}

func ask(ctx context.Context, collector, query string) ([][]any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, collector+"/api/v1/query", strings.NewReader(query))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", res.StatusCode)
	}
	var a struct{ Rows [][]any }
	return a.Rows, json.NewDecoder(res.Body).Decode(&a)
}
