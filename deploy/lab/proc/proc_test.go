package proc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The test's own binary plays the programs.
func TestMain(m *testing.M) {
	switch os.Getenv("PROC_TEST_ROLE") {
	case "":
		goleak.VerifyTestMain(m)
	case "sleeper":
		fmt.Println("out")
		fmt.Fprintln(os.Stderr, "err")
		select {}
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("out")
		select {}
	case "failing":
		os.Exit(3)
	case "parent":
		p, err := Start(Spec{Name: "child", Path: os.Args[0], Env: []string{"PROC_TEST_ROLE=sleeper"}, Logs: os.Args[1]})
		fmt.Println(p.PID(), err)
		select {}
	}
}

func start(t *testing.T, role string, args ...string) *Process {
	t.Helper()
	p, err := Start(Spec{Name: role, Path: os.Args[0], Args: args, Env: []string{"PROC_TEST_ROLE=" + role}, Logs: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// said waits for a program's output.
func said(t *testing.T, p *Process, suffix, want string) {
	t.Helper()
	name := filepath.Join(p.Spec.Logs, p.Spec.Name+suffix)
	for range 500 {
		if b, _ := os.ReadFile(name); string(b) == want {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	b, err := os.ReadFile(name)
	t.Fatalf("%s: %q, %v; want %q", name, b, err, want)
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestKillAndRestart(t *testing.T) {
	p := start(t, "sleeper")
	said(t, p, ".out", "out\n")
	said(t, p, ".log", "err\n")
	first := p.PID()
	if err := p.Restart(); err == nil {
		t.Error("started twice")
	}
	if err := p.Kill(); err != nil || alive(first) {
		t.Errorf("killed: %v, alive %v", err, alive(first))
	}
	var exit *exec.ExitError
	if err := p.Wait(t.Context()); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("ended with %v", err)
	}
	if err := p.Restart(); err != nil || p.PID() == first {
		t.Fatalf("again: %v, pid %d", err, p.PID())
	}
	said(t, p, ".out", "out\nout\n") // appended
	if err := p.Stop(t.Context()); err != nil || alive(p.PID()) {
		t.Errorf("stopped: %v", err)
	}
	if err := errors.Join(p.Kill(), p.Stop(t.Context())); err != nil {
		t.Errorf("after its end: %v", err)
	}
}

func TestStopKillsTheStubborn(t *testing.T) {
	p, q := start(t, "stubborn"), start(t, "sleeper")
	said(t, p, ".out", "out\n")
	said(t, q, ".out", "out\n")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := StopAll(ctx, []*Process{p, q}); !errors.Is(err, context.DeadlineExceeded) || alive(p.PID()) || alive(q.PID()) {
		t.Errorf("%v; alive: %v, %v", err, alive(p.PID()), alive(q.PID()))
	}
}

// A child dies with its parent, even if that is killed.
func TestNoOrphans(t *testing.T) {
	dir := t.TempDir()
	parent := exec.Command(os.Args[0], dir)
	parent.Env = append(os.Environ(), "PROC_TEST_ROLE=parent")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	pid, err := strconv.Atoi(strings.Fields(line)[0])
	if err != nil || !alive(pid) {
		t.Fatalf("%q: %v", line, err)
	}
	parent.Process.Kill()
	parent.Wait()
	for range 500 {
		state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(state), ") Z ") {
			return // gone, or waiting for init to notice
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d outlived its parent", pid)
}

func TestAwaitHTTP(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	p := start(t, "sleeper")
	if err := p.AwaitHTTP(t.Context(), server.URL); err != nil || asked != 3 {
		t.Errorf("%v after %d questions", err, asked)
	}
	f := start(t, "failing")
	if err := f.AwaitHTTP(t.Context(), "http://127.0.0.1:1/"); !errors.Is(err, ErrExited) || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("of a process that ends: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.AwaitHTTP(ctx, "http://127.0.0.1:1/"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestStartFails(t *testing.T) {
	for name, s := range map[string]Spec{
		"no program": {Name: "x", Path: "/nonexistent", Logs: t.TempDir()},
		"no folder":  {Name: "x", Path: os.Args[0], Logs: "/nonexistent"},
	} {
		if _, err := Start(s); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
