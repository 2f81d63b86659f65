package smalldisk

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The disk is as small as was asked for, and empty.
func TestRun(t *testing.T) {
	Run(t, "64k", func(t *testing.T, dir string) {
		name := filepath.Join(dir, "file")
		if err := os.WriteFile(name, make([]byte, 32<<10), 0o600); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(name, make([]byte, 128<<10), 0o600); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("%v, want a full disk", err)
		}
	})
}

// pidEnv is the file to which TestHangs writes which process it hangs in.
const pidEnv = "FIRSTFRAME_TEST_HANGS"

// TestHangs is what TestRunEnds runs.
func TestHangs(t *testing.T) {
	if os.Getenv(pidEnv) == "" {
		return
	}
	Run(t, "64k", func(t *testing.T, _ string) {
		if err := os.WriteFile(os.Getenv(pidEnv), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
	})
}

// A test that hangs is ended with its tests, and not left behind.
func TestRunEnds(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHangs$", "-test.v", "-test.timeout=4s")
	cmd.Env = append(os.Environ(), pidEnv+"="+pid)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "--- SKIP") {
		t.Skip("no mount namespace to be had")
	}
	if err == nil || !strings.Contains(string(out), "deadline exceeded") {
		t.Errorf("%v, want that the deadline is exceeded\n%s", err, out)
	}
	text, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	hung, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(hung, 0); !errors.Is(err, unix.ESRCH) {
		t.Errorf("process %d is left: %v", hung, err)
		_ = unix.Kill(hung, unix.SIGKILL)
	}
}
