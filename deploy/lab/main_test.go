package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/firstframe/firstframe/deploy/lab/lab"
	"github.com/firstframe/firstframe/deploy/lab/link"
)

// getEnv names a URL that this program is to get in place of testing, in the
// namespace where it was started.
const getEnv = "FIRSTFRAME_TEST_GET"

func TestMain(m *testing.M) {
	if url := os.Getenv(getEnv); url != "" {
		res, err := http.Get(url)
		if err == nil {
			_, err = io.Copy(os.Stdout, res.Body)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

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
		{"link of more loss than all", "link --loss=2", exitFailed, "", "not a possible link"},
		{"link's command is missing", "link --", exitFailed, "", "no command"},
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

// A command at the near end reaches the lab's media over the line; what it
// ends with is what the lab ends with.
func TestLink(t *testing.T) {
	for _, tc := range []struct {
		name, script string
		code         int
		stdout       string
	}{
		{"good", "grep -c ff0 /proc/net/dev", exitOK, "1\n"},
		{"bad", "exit 3", exitFailed, ""},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), []string{"link", "--rtt=1ms", "--", "sh", "-c", tc.script}, &stdout, &stderr)
		if strings.Contains(stderr.String(), link.ErrUnavailable.Error()) {
			t.Skip(stderr.String())
		}
		if code != tc.code || stdout.String() != tc.stdout {
			t.Errorf("%s: %d, %q, %q", tc.name, code, stdout.String(), stderr.String())
		}
	}
}

func TestLinkServes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, w := io.Pipe()
	var stderr bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"link", "--rtt=20ms"}, w, &stderr)
		w.Close()
	}()
	var info linkInfo
	if err := json.NewDecoder(r).Decode(&info); err != nil {
		<-code
		if strings.Contains(stderr.String(), link.ErrUnavailable.Error()) {
			t.Skip(stderr.String())
		}
		t.Fatal(err, stderr.String())
	}
	get := exec.CommandContext(ctx, "nsenter", "--net="+info.Near.Path, os.Args[0])
	get.Env = append(os.Environ(), getEnv+"="+info.Origin+"/vod/ts/master.m3u8")
	if out, err := get.Output(); err != nil || !strings.HasPrefix(string(out), "#EXTM3U") {
		t.Errorf("%v\n%s", err, out)
	}
	cancel()
	if got := <-code; got != exitOK {
		t.Errorf("%d, %s", got, stderr.String())
	}
}
