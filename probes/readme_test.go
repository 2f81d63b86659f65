package probes_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

// TestReadme: every test that README.md names exists.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]string{}
	named := regexp.MustCompile("`([a-z]+)\\.((?:Test|Fuzz|Benchmark)\\w+)`").FindAllStringSubmatch(string(text), -1)
	for _, n := range named {
		dir, test := n[1], n[2]
		switch dir {
		case "probes":
			dir = "."
		case "e2e": // against a whole lab
			dir = "../deploy/lab/e2e"
		}
		if sources[dir] == "" {
			files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				b, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				sources[dir] += string(b)
			}
		}
		if !strings.Contains(sources[dir], "\nfunc "+test+"(") {
			t.Errorf("there is no %s.%s", n[1], test)
		}
	}
	if len(named) < 50 {
		t.Errorf("only %d tests are named", len(named))
	}
}

// TestErrorTable: the table of what failed is that of the code. Its types and
// what they mean are those of package run, its steps are steps, and each failure
// that is ordered here happens at a step at which the table has it.
func TestErrorTable(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	means := meanings(t)
	steps := map[run.ErrorType][]run.StepName{}
	var order []run.ErrorType
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| (.+) \\| (.+) \\| `.+` \\|$").FindAllStringSubmatch(string(text), -1) {
		typ := run.ErrorType(row[1])
		order = append(order, typ)
		if row[2] != means[typ] {
			t.Errorf("%s means %q, in package run %q", typ, row[2], means[typ])
		}
		for _, word := range regexp.MustCompile("[a-z_]+").FindAllString(row[3], -1) {
			switch step := run.StepName(word); {
			case row[3] == "any":
				steps[typ] = run.StepNames
			case slices.Contains(run.StepNames, step):
				steps[typ] = append(steps[typ], step)
			}
		}
		if len(steps[typ]) == 0 {
			t.Errorf("%s: no step in %q", typ, row[3])
		}
	}
	if diff := cmp.Diff(run.ErrorTypes, order); diff != "" {
		t.Error(diff)
	}
	for _, f := range failing {
		if !slices.Contains(steps[f.want], f.step) {
			t.Errorf("%s: %s is not at %s in the table", f.name, f.want, f.step)
		}
	}
}

// meanings are the comments of package run's error types.
func meanings(t *testing.T) map[run.ErrorType]string {
	t.Helper()
	source, err := os.ReadFile("run/run.go")
	if err != nil {
		t.Fatal(err)
	}
	all := map[run.ErrorType]string{}
	for _, m := range regexp.MustCompile(`(?m)^\tErr\w+ +ErrorType = "(\w+)" +// (.+)$`).FindAllStringSubmatch(string(source), -1) {
		all[run.ErrorType(m[1])] = m[2]
	}
	return all
}
