package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/firstframe/firstframe/deploy/lab/fault"
	"github.com/firstframe/firstframe/deploy/lab/lab"
	"github.com/firstframe/firstframe/deploy/lab/world"
	"github.com/firstframe/firstframe/probes/run"
)

// TestScripts runs the command lines in testdata/script against a lab. LAB are
// the flags that lead an agent into it.
func TestScripts(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"agent", "collector", "lab"} {
		program(t, name)
	}
	w := world.Default()
	w.CDN("cdn-c").AltSvc = true
	l := startLab(t, lab.Config{World: w, Fast: true})
	testscript.Run(t, testscript.Params{
		Dir:             "testdata/script",
		ContinueOnError: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", binDir+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("CA", l.Info.CA)
			e.Setenv("DNS", l.Info.DNS.String())
			e.Setenv("BIND", addr(l, "BR").String())
			e.Setenv("PLAN", l.Info.Plan)
			e.Setenv("FEATURES", l.Info.Features)
			e.Setenv("ORIGIN", l.Info.Origin)
			for name, url := range l.Info.Streams {
				e.Setenv(strings.ToUpper(strings.ReplaceAll(name, "-", "_")), url)
			}
			for name, host := range l.Info.CDNs {
				e.Setenv(strings.ToUpper(strings.ReplaceAll(name, "-", "_")), host)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exitcode": exitcodeCommand,
			"runs":     runsCommand,
			"fault":    func(ts *testscript.TestScript, neg bool, args []string) { faultCommand(ts, l, neg, args) },
		},
	})
}

// exitcodeCommand is "exitcode CODE PROGRAM [ARG…]".
func exitcodeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode CODE PROGRAM [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// runsCommand is "runs COUNT [FIELD=JSON…]": standard output is exactly COUNT
// lines, each a run with exactly the names of a run's fields, and steps; each
// run has each FIELD.
func runsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: runs COUNT [FIELD=JSON...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	out := ts.ReadFile("stdout")
	lines := strings.SplitAfter(out, "\n")
	if lines[len(lines)-1] != "" {
		ts.Fatalf("the last line is not complete: %.100q", lines[len(lines)-1])
	}
	if lines = lines[:len(lines)-1]; len(lines) != want {
		ts.Fatalf("%d lines, want %d", len(lines), want)
	}
	names := []string{"steps"}
	for _, f := range run.Fields {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	for i, line := range lines {
		var raw map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &raw); err != nil {
			ts.Fatalf("line %d: %v: %.100q", i+1, err, line)
		}
		var got []string
		for name := range raw {
			got = append(got, name)
		}
		if slices.Sort(got); !slices.Equal(got, names) {
			ts.Fatalf("line %d has the keys %v, want %v", i+1, got, names)
		}
		var r run.Run
		ts.Check(json.Unmarshal([]byte(line), &r))
		for _, arg := range args[1:] {
			name, value, _ := strings.Cut(arg, "=")
			if string(raw[name]) != value {
				ts.Fatalf("line %d: %s is %s, want %s", i+1, name, raw[name], value)
			}
		}
	}
}

// faultCommand is "fault ORDER", as POST /faults takes it, until the script
// ends.
func faultCommand(ts *testscript.TestScript, l *lab.Lab, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fault ORDER")
	}
	f, err := fault.Parse([]byte(args[0]))
	ts.Check(err)
	f.ID = fmt.Sprint(f.ID, time.Now().UnixNano())
	_, err = l.Faults.Add(f)
	ts.Check(err)
	ts.Defer(func() { l.Faults.Delete(f.ID) })
}
