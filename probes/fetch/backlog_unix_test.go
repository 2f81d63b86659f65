//go:build unix

package fetch_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
)

// backlogged listens on ip without accepting and fills the queue, so that Linux
// drops further SYNs: connecting hangs. It returns the port.
func backlogged(t *testing.T, ip string) string {
	t.Helper()
	_, port := filled(t, ip)
	return port
}

// filled is backlogged with the listening socket.
func filled(t *testing.T, ip string) (fd int, port string) {
	t.Helper()
	addr := netip.MustParseAddr(ip)
	family := syscall.AF_INET6
	var at syscall.Sockaddr = &syscall.SockaddrInet6{Addr: addr.As16()}
	if addr.Is4() {
		family, at = syscall.AF_INET, &syscall.SockaddrInet4{Addr: addr.As4()}
	}
	var err error
	fd, err = syscall.Socket(family, syscall.SOCK_STREAM, 0)
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
	return fd, port
}

// A SYN that is lost costs a browser's model 250 ms, others the second after
// which the kernel repeats it.
func TestSecondDial(t *testing.T) {
	const ip = "127.0.0.7"
	connect := func(style fetch.Eyeballs) *fetch.Exchange {
		fd, port := filled(t, ip)
		again, err := syscall.Dup(fd)
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(again), "")
		l, err := net.FileListener(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "late") })}
		var wg sync.WaitGroup
		defer wg.Wait()
		defer s.Close()
		defer time.AfterFunc(50*time.Millisecond, func() { wg.Go(func() { s.Serve(l) }) }).Stop()
		return once(t, fetch.Config{AllowAddresses: loopback, Eyeballs: style}, "http://"+ip+":"+port)
	}
	if x := connect(fetch.EyeballsRFC8305); x.Timing.Connect < 900*ms || len(x.Attempts) != 1 {
		t.Skipf("connected after %v: no SYN is lost here", x.Timing.Connect)
	}
	const want = "tcp 127.0.0.7 overtaken, tcp 127.0.0.7 connected"
	var took []time.Duration
	for range 5 {
		x := connect(fetch.EyeballsChromium)
		took = append(took, x.Timing.Connect)
		if d := x.Timing.Connect; d > 240*ms && d < 900*ms {
			if got := tried(x.Attempts); got != want || x.Reused {
				t.Errorf("%s; want %s", got, want)
			}
			return
		}
	}
	t.Errorf("connected after %v, want 250 ms", took)
}
