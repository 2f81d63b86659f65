package link

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	device = "ff0"
	// tunQueue is how many packets wait in the kernel until the line has read
	// them: enough that a busy machine drops none there.
	tunQueue = 4096
)

// namespace is a network namespace that nobody else knows, with one TUN device.
type namespace struct {
	tun int // does not block; -1: there is none

	mu sync.RWMutex
	ns *os.File // nil: left
}

// newNamespace makes a namespace with a TUN device of the address, in a /30.
func newNamespace(addr netip.Addr) (*namespace, error) {
	n := &namespace{tun: -1}
	err := onThread(func() error { return unix.Unshare(unix.CLONE_NEWNET) }, func() (err error) {
		if n.ns, err = os.Open(self); err != nil {
			return err
		}
		if n.tun, err = openTUN(); err != nil {
			return err
		}
		return configure(addr)
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrUnavailable, err), n.close())
	}
	return n, nil
}

// self is the network namespace of the thread that opens it.
const self = "/proc/thread-self/ns/net"

// onThread runs f on a thread that enter has taken elsewhere, and takes it back.
// A thread that cannot be taken back ends.
func onThread(enter, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open(self)
		if err != nil {
			runtime.UnlockOSThread()
			done <- err
			return
		}
		defer home.Close()
		if err = enter(); err == nil {
			err = f()
		}
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// openTUN makes the device in the thread's namespace.
func openTUN() (fd int, err error) {
	fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: "/dev/net/tun", Err: err}
	}
	request, err := unix.NewIfreq(device)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("make the TUN device %s: %w", device, err)
	}
	return fd, nil
}

// configure gives the device its address and takes it and loopback up, in the
// thread's namespace.
func configure(addr netip.Addr) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(fd)
	inet := func(b ...byte) func(*unix.Ifreq) error {
		return func(r *unix.Ifreq) error { return r.SetInet4Addr(b) }
	}
	up := func(r *unix.Ifreq) error { r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil }
	for _, s := range []struct {
		what, device string
		call         uint
		value        func(*unix.Ifreq) error
	}{
		{"address", device, unix.SIOCSIFADDR, inet(addr.AsSlice()...)},
		{"netmask", device, unix.SIOCSIFNETMASK, inet(255, 255, 255, 252)},
		{"queue", device, unix.SIOCSIFTXQLEN, func(r *unix.Ifreq) error { r.SetUint32(tunQueue); return nil }},
		{"device", device, unix.SIOCSIFFLAGS, up},
		{"device", "lo", unix.SIOCSIFFLAGS, up},
	} {
		request, err := unix.NewIfreq(s.device)
		if err == nil {
			err = s.value(request)
		}
		if err == nil {
			err = unix.IoctlIfreq(fd, s.call, request)
		}
		if err != nil {
			return fmt.Errorf("set the %s of %s: %w", s.what, s.device, err)
		}
	}
	// What the kernel learns of the other end by one connection must not make the
	// next one start otherwise.
	return os.WriteFile("/proc/sys/net/ipv4/tcp_no_metrics_save", []byte("1"), 0)
}

func (n *namespace) do(f func() error) error {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.ns == nil {
		return ErrClosed
	}
	return onThread(func() error { return unix.Setns(int(n.ns.Fd()), unix.CLONE_NEWNET) }, f)
}

func (n *namespace) path() string {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.ns == nil {
		return ""
	}
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.ns.Fd())
}

// close takes the device away, and lets go of the namespace once nobody is
// entering it.
func (n *namespace) close() (err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.tun >= 0 {
		err = unix.Close(n.tun)
		n.tun = -1
	}
	if n.ns != nil {
		err = errors.Join(err, n.ns.Close())
		n.ns = nil
	}
	return err
}
