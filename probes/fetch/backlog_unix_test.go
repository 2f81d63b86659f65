//go:build unix

package fetch_test

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// backlogged listens on ip without accepting and fills the queue, so that Linux
// drops further SYNs: connecting hangs. It returns the port.
func backlogged(t *testing.T, ip string) string {
	t.Helper()
	addr := netip.MustParseAddr(ip)
	family := syscall.AF_INET6
	var at syscall.Sockaddr = &syscall.SockaddrInet6{Addr: addr.As16()}
	if addr.Is4() {
		family, at = syscall.AF_INET, &syscall.SockaddrInet4{Addr: addr.As4()}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, at); err != nil {
		t.Skipf("%s cannot be bound here: %v", ip, err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	var port string
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		port = fmt.Sprint(sa.Port)
	case *syscall.SockaddrInet6:
		port = fmt.Sprint(sa.Port)
	}
	var conns []net.Conn
	t.Cleanup(func() {
		for _, c := range conns {
			c.Close()
		}
	})
	// One that fails could be a busy machine's.
	for failed := 0; failed < 2; {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(ip, port), 100*time.Millisecond)
		if err != nil {
			failed++
			continue
		}
		failed = 0
		conns = append(conns, c)
		if len(conns) == 8 {
			t.Skip("the queue does not fill here")
		}
	}
	return port
}
