package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// media are the lab's streams.
const media = "../deploy/lab/media"

// TestMain lets scripts run this test as the program agent.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"agent": main})
}

// TestScripts runs the command lines in testdata/script. A and B are the hosts of
// two servers of the lab's streams, of which B answers with 503 for what lies
// below /broken/. C is the host of a server of the script's own files. ALONE is a
// PATH with the agent and nothing else.
func TestScripts(t *testing.T) {
	root, err := filepath.Abs(media)
	if err != nil {
		t.Fatal(err)
	}
	files := http.FileServer(http.Dir(root))
	serve := func(fail bool) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			path, broken := strings.CutPrefix(r.URL.Path, "/broken")
			if fail && broken && strings.HasSuffix(path, ".ts") {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			r.URL.Path = path
			files.ServeHTTP(w, r)
		}))
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	a, b := serve(false), serve(true)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("A", a)
			e.Setenv("B", b)
			own := httptest.NewServer(http.FileServer(http.Dir(e.WorkDir)))
			e.Defer(own.Close)
			e.Setenv("C", own.Listener.Addr().String())
			alone, _, _ := strings.Cut(e.Getenv("PATH"), string(os.PathListSeparator))
			e.Setenv("ALONE", alone)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"count": countCommand},
	})
}

// countCommand is "count N TEXT FILE": the file holds the text exactly N times.
func countCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: count N TEXT FILE")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	content, err := os.ReadFile(ts.MkAbs(args[2]))
	ts.Check(err)
	if got := strings.Count(string(content), args[1]); got != want {
		ts.Fatalf("%q is %d times in %s, want %d", args[1], got, args[2], want)
	}
}
