// Package smalldisk gives a test a small file system of its own, to be filled.
package smalldisk

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// dirEnv is the folder at which the process that Run starts mounts.
const dirEnv = "FIRSTFRAME_TEST_SMALL_DISK"

// Run runs test with the folder of an empty tmpfs of so many bytes ("8m"). For
// that the test binary is run again, this one test of it, in user and mount
// namespaces of its own; where these are not to be had, t is skipped.
func Run(t *testing.T, size string, test func(t *testing.T, dir string)) {
	t.Helper()
	if dir := os.Getenv(dirEnv); dir != "" {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
			t.Skipf("cannot mount: %v", err)
		}
		test(t, dir)
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if end, ok := t.Deadline(); ok {
		// So much before the tests' own end, at which nobody would end the child,
		// that there is time to say what it came to.
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-time.Until(end)/10))
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.WaitDelay = time.Second
	cmd.Env = append(os.Environ(), dirEnv+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) || strings.Contains(string(out), "--- SKIP") {
		t.Skipf("no mount namespace to be had: %v", err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", cmp.Or(context.Cause(ctx), err), out)
	}
}
