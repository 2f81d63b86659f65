// Package prometheus_test proves the rules for Prometheus in this folder.
package prometheus_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/dashboards/internal/harness"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/trace"
)

var ruleFiles = []string{"recording.yaml", "alerts.yaml"}

// promtool runs Debian's promtool.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("promtool is missing: it is in Debian's package prometheus; deploy/tools.sh promtool installs it")
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestRules(t *testing.T) {
	t.Run("check", func(t *testing.T) { promtool(t, append([]string{"check", "rules"}, ruleFiles...)...) })
	files, err := filepath.Glob("tests/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests of rules found: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			promtool(t, "test", "rules", file)
		})
	}
}

func readRules(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, file := range ruleFiles {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

var (
	metricName = regexp.MustCompile(`\bfirstframe_[a-z_]+`)
	recorded   = regexp.MustCompile(`[a-z_]+:firstframe_[a-z_]+(:[a-z_]+)?`)
	runbook    = regexp.MustCompile(`runbook_url: (\S+)`)
	labelName  = regexp.MustCompile(`(?m)^firstframe_runs_total\{([^}]*)\}`)
)

// TestMetricsAreExported scrapes a collector with one run in it: each metric
// that a rule reads must be there, with the labels that the rules go by.
func TestMetricsAreExported(t *testing.T) {
	rules := recorded.ReplaceAllString(readRules(t), "")
	names := slices.Compact(slices.Sorted(slices.Values(metricName.FindAllString(rules, -1))))
	if len(names) < 8 {
		t.Fatalf("only %q found in the rules", names)
	}
	scraped := scrape(t)
	for _, name := range names {
		if !regexp.MustCompile(`(?m)^` + name + `[ {]`).MatchString(scraped) {
			t.Errorf("%s is used in the rules, and not exported", name)
		}
	}
	labels := labelName.FindStringSubmatch(scraped)
	if want := `app_version="4.1.3",cdn="b",country="BR",target="news"`; labels == nil || labels[1] != want {
		t.Errorf("labels of firstframe_runs_total are %q, want %q", labels, want)
	}
}

func TestRunbooksExist(t *testing.T) {
	rules := readRules(t)
	links := runbook.FindAllStringSubmatch(rules, -1)
	if len(links) == 0 {
		t.Fatal("no rule links a runbook")
	}
	for _, link := range links {
		page, ok := strings.CutPrefix(link[1], "https://github.com/firstframe/firstframe/blob/main/")
		if !ok {
			t.Errorf("%s is not a page of this repository", link[1])
		} else if _, err := os.Stat(filepath.Join("..", "..", page)); err != nil {
			t.Errorf("%s: %v", link[1], err)
		}
	}
	alerts := strings.Count(rules, "- alert: ")
	annotated := strings.Count(rules, "annotations:")
	shared := strings.Count(rules, "annotations: *")
	if alerts != annotated || len(links) != alerts-shared {
		t.Errorf("%d alerts, %d with annotations, of which %d link a runbook and %d share another's", alerts, annotated, len(links), shared)
	}
}

// scrape starts a collector, hands it a run and reads its /metrics.
func scrape(t *testing.T) string {
	t.Helper()
	programs, err := harness.Build(harness.CollectorProgram)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(programs.Remove)
	c := programs.Collector(t)
	at := time.Now().UTC()
	id, ttff := run.NewID(at), 812.5
	body, err := trace.Marshal(run.Run{RunID: id, Round: id, StartedAt: at, DurationMs: ttff, Source: run.SourceFleet,
		Agent: "sao-1", Country: "BR", Target: "news", CDN: "b", AppVersion: "4.1.3", ThresholdMs: 2000,
		OK: true, Good: true, TTFFMs: &ttff, Attempts: 1,
		Steps: []run.Step{{Name: run.StepManifest, URL: "https://b.example/m.m3u8", Attempt: 1, EndMs: 100, Status: 200}}})
	if err != nil {
		t.Fatal(err)
	}
	c.Send(t, "application/x-protobuf", body, 1)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		text := metrics(t, c.URL)
		if strings.Contains(text, "\nfirstframe_runs_total{") { // counted a moment after they can be asked for
			return text
		}
		if time.Now().After(deadline) {
			t.Fatalf("the run is not counted:\n%s", text)
		}
	}
}

func metrics(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
