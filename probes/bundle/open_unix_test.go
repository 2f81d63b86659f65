//go:build unix

package bundle

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What is no regular file is refused at once, and the error says what it is.
func TestOpenNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe, socket := filepath.Join(dir, "pipe"), filepath.Join(dir, "socket")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, want := range map[string]string{dir: "is a folder", pipe: "is a pipe", socket: "is a socket", "/dev/zero": "is a device"} {
		if _, err := Open(name); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), name+" "+want) {
			t.Errorf("%v, want that %s %s", err, name, want)
		}
	}
}
