package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/firstframe/firstframe/deploy/lab/lab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestExitCodes(t *testing.T) {
	for _, tc := range []struct {
		name, args     string
		code           int
		stdout, stderr string
	}{
		{"nothing", "", exitNotKnown, "", "serve"},
		{"help", "--help", exitOK, "Exit codes", ""},
		{"help of a command", "serve --help", exitOK, "--collector", ""},
		{"unknown flag", "serve --nope", exitNotKnown, "", "--nope"},
		{"unknown command", "dance", exitNotKnown, "", "dance"},
		{"not a duration", "serve --interval=soon", exitNotKnown, "", "soon"},
		{"no such folder", "serve --dir=/dev/null/x", exitFailed, "", "/dev/null"},
		{"no address for control", "serve --fast --control=nowhere", exitFailed, "", "nowhere"},
		{"demo without programs", "demo --bin=/nonexistent", exitFailed, "", "/nonexistent/collector"},
		{"demo of no country", "demo --country=XX", exitFailed, "", "no country XX"},
		{"no agent", "serve --fast --agents --agent-bin=/nonexistent", exitFailed, "", "/nonexistent"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), strings.Fields(tc.args), &stdout, &stderr)
			if code != tc.code || !strings.Contains(stdout.String(), tc.stdout) || !strings.Contains(stderr.String(), tc.stderr) {
				t.Errorf("%d, %q, %q", code, stdout.String(), stderr.String())
			}
		})
	}
}

func TestServe(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, w := io.Pipe()
	var stderr bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"serve", "--fast", "--interval=7s", "--control=127.0.0.2:0"}, w, &stderr)
	}()
	var info lab.Info
	if err := json.NewDecoder(r).Decode(&info); err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, r) // ends with w
	if !strings.HasPrefix(info.Control, "http://127.0.0.2:") {
		t.Errorf("control is at %s", info.Control)
	}
	res, err := http.Get(info.Control + "/healthz")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res, err)
	}
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if got := <-code; got != exitOK || !strings.Contains(stderr.String(), "agent probe --allow-private --ca "+info.CA) {
		t.Errorf("%d, %s", got, stderr.String())
	}
	w.Close()
}
