package link

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a link that ends with the test, which is skipped where there can
// be none.
func open(t testing.TB, c Config) *Link {
	t.Helper()
	l, err := Open(c)
	if errors.Is(err, ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// serve answers every connection to the far end until the test ends, and says
// where it is.
func serve(t testing.TB, l *Link, answer func(net.Conn)) string {
	t.Helper()
	listener, err := l.Far.Listen(t.Context(), l.Far.Addr.String()+":0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				answer(c)
			})
		}
	})
	t.Cleanup(all.Wait)
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}

func dial(t testing.TB, l *Link, addr string) net.Conn {
	t.Helper()
	var c net.Conn
	if err := l.Near.Do(func() (err error) {
		c, err = net.DialTimeout("tcp4", addr, 5*time.Second)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// The kernel's handshake and an exchange take one round trip each: never less,
// and as the median not much more. A busy machine adds to it, hence the bound.
func TestDelay(t *testing.T) {
	const rtt, late = 40 * time.Millisecond, 100 * time.Millisecond
	l := open(t, Config{RTT: rtt})
	addr := serve(t, l, func(c net.Conn) { io.Copy(c, c) })
	var connects, echoes []time.Duration
	for range 9 {
		begin := time.Now()
		c := dial(t, l, addr)
		connects = append(connects, time.Since(begin))
		begin = time.Now()
		if _, err := c.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		echoes = append(echoes, time.Since(begin))
		c.Close()
	}
	for name, times := range map[string][]time.Duration{"connect": connects, "echo": echoes} {
		slices.Sort(times)
		t.Logf("%s: least %v, median %v", name, times[0], times[len(times)/2])
		if times[0] < rtt || times[len(times)/2] > rtt+late {
			t.Errorf("%s took %v, %v asked", name, times, rtt)
		}
	}
}

// TCP gets what the rate leaves: never more, and in the best of five tries most
// of it. The rate is low, so that its queue outlasts the time that a busy machine
// lets this process wait.
func TestRate(t *testing.T) {
	const kbps, size = 4000, 512 << 10
	l := open(t, Config{Kbps: kbps, RTT: 10 * time.Millisecond})
	addr := serve(t, l, func(c net.Conn) { c.Write(make([]byte, size)) })
	best := 0.0
	for try := 0; try < 5 && best < 0.7; try++ {
		begin := time.Now()
		c := dial(t, l, addr)
		n, err := io.Copy(io.Discard, c)
		c.Close()
		if n != size || err != nil {
			t.Fatal(n, err)
		}
		got := size * 8 / time.Since(begin).Seconds() / 1000 / kbps
		t.Logf("%.3f of the rate; %+v", got, l.Far.Sent())
		if got > 1 {
			t.Errorf("%.3f of the rate", got)
		}
		best = max(best, got)
	}
	if best < 0.7 {
		t.Errorf("%.3f of the rate at best", best)
	}
}

// A rate that is lowered holds from then on.
func TestSetKbps(t *testing.T) {
	const kbps, size = 4000, 256 << 10
	l := open(t, Config{Kbps: 1_000_000})
	addr := serve(t, l, func(c net.Conn) { c.Write(make([]byte, size)) })
	if err := l.SetKbps(kbps); err != nil {
		t.Fatal(err)
	}
	if err := l.SetKbps(-1); !errors.Is(err, ErrConfig) {
		t.Errorf("%v, want %v", err, ErrConfig)
	}
	begin := time.Now()
	c := dial(t, l, addr)
	defer c.Close()
	if n, err := io.Copy(io.Discard, c); n != size || err != nil {
		t.Fatal(n, err)
	}
	if took, least := time.Since(begin), time.Duration(size*8/kbps)*time.Millisecond; took < least {
		t.Errorf("%d bytes took %v, want %v or more", size, took, least)
	}
}

// Half as large a queue as the sender fills drops; what is lost TCP repeats, and
// every byte arrives.
func TestDropAndLoss(t *testing.T) {
	const size = 256 << 10
	l := open(t, Config{Kbps: 20000, Queue: 2 * mtu, Loss: 0.02, Seed: 3})
	addr := serve(t, l, func(c net.Conn) { c.Write(make([]byte, size)) })
	c := dial(t, l, addr)
	defer c.Close()
	if n, err := io.Copy(io.Discard, c); n != size || err != nil {
		t.Fatal(n, err)
	}
	sent := l.Far.Sent()
	t.Logf("%+v", sent)
	if sent.Dropped == 0 || sent.Lost == 0 || sent.Bytes < size || sent.Packets < size/mtu {
		t.Errorf("%+v", sent)
	}
}

// The packets that are lost are those that the seed says.
func TestSeed(t *testing.T) {
	const n = 400
	c := Config{Loss: 0.2, Seed: 11}
	l := open(t, c)
	want, p := int64(0), newPipe(c, 0)
	for range n {
		if _, f := p.take(time.Time{}, 100); f == lost {
			want++
		}
	}
	var conn net.PacketConn // not connected, or a refusal would be a packet's error
	if err := l.Near.Do(func() (err error) {
		conn, err = net.ListenPacket("udp4", ":0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range n {
		if _, err := conn.WriteTo([]byte("x"), &net.UDPAddr{IP: l.Far.Addr.AsSlice(), Port: 9}); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(5 * time.Second); l.Near.Sent().Packets < n && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	if sent := l.Near.Sent(); sent.Packets != n || sent.Lost != want || want == 0 {
		t.Errorf("%+v, want %d lost of %d", sent, want, n)
	}
}

// A command runs in the namespace, which has the device and nothing else; its
// Path leads there too, as long as the link is there.
func TestNamespaces(t *testing.T) {
	l := open(t, Config{})
	var text strings.Builder
	cmd := exec.CommandContext(t.Context(), "cat", "/proc/net/dev", "/proc/sys/net/ipv4/tcp_no_metrics_save")
	cmd.Stdout = &text
	if err := l.Near.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := text.String(); !strings.Contains(got, device+":") || strings.Count(got, ":") != 2 || !strings.HasSuffix(got, "\n1\n") {
		t.Errorf("the near end has\n%s", got)
	}
	near, err := os.Readlink(l.Near.Path())
	if err != nil {
		t.Fatal(err)
	}
	far, _ := os.Readlink(l.Far.Path())
	here, _ := os.Readlink(self)
	if !strings.HasPrefix(near, "net:[") || near == far || near == here {
		t.Errorf("near %s, far %s, here %s", near, far, here)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := l.Near.Do(func() error { return nil }); !errors.Is(err, ErrClosed) || l.Near.Path() != "" {
		t.Errorf("after the end: %v", err)
	}
}

// Two links at once do not see one another, and an end's threads come home.
func TestMany(t *testing.T) {
	var all sync.WaitGroup
	for range 3 {
		l := open(t, Config{})
		addr := serve(t, l, func(c net.Conn) { c.Write([]byte(addrOf(c))) })
		all.Go(func() {
			c := dial(t, l, addr)
			defer c.Close()
			if got, err := io.ReadAll(c); err != nil || string(got) != NearAddr.String() {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	all.Wait()
	home, _ := os.Readlink("/proc/self/ns/net")
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		if at, err := os.Readlink("/proc/self/task/" + task.Name() + "/ns/net"); err == nil && at != home {
			t.Errorf("thread %s is in %s, not %s", task.Name(), at, home)
		}
	}
}

func addrOf(c net.Conn) string {
	host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
	return host
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]Config{
		"negative time": {RTT: -1},
		"an hour":       {RTT: time.Hour},
		"negative rate": {Kbps: -1},
		"no rate":       {Kbps: math.NaN()},
		"endless rate":  {Kbps: math.Inf(1)},
		"tiny queue":    {Queue: 100},
		"more than all": {Loss: 1.1},
		"no loss":       {Loss: math.NaN()},
	} {
		if l, err := Open(c); !errors.Is(err, ErrConfig) || l != nil {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
}

// What a server accepts is as [Congestion] says.
func TestCongestion(t *testing.T) {
	l := open(t, Config{})
	got := make(chan string, 1)
	addr := serve(t, l, func(c net.Conn) {
		raw, err := c.(*net.TCPConn).SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) {
				name, _ := unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION)
				got <- name
			})
		}
		if err != nil {
			t.Error(err)
			close(got)
		}
	})
	c := dial(t, l, addr)
	defer c.Close()
	if name := <-got; name != Congestion {
		t.Errorf("%q", name)
	}
}

// How much a line without a limit carries, and what a 50 Mbit/s line costs: the
// share of a core that this process, both ends' kernel included, takes of it.
func BenchmarkLink(b *testing.B) {
	const size = 4 << 20
	for name, c := range map[string]Config{"no limit": {}, "50 Mbps": {Kbps: 50000}} {
		b.Run(name, func(b *testing.B) {
			l := open(b, c)
			addr := serve(b, l, func(c net.Conn) { c.Write(make([]byte, size)) })
			b.SetBytes(size)
			var before, after unix.Rusage
			if err := unix.Getrusage(unix.RUSAGE_SELF, &before); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				c := dial(b, l, addr)
				if n, err := io.Copy(io.Discard, c); n != size || err != nil {
					b.Fatal(n, err)
				}
				c.Close()
			}
			if err := unix.Getrusage(unix.RUSAGE_SELF, &after); err != nil {
				b.Fatal(err)
			}
			cpu := after.Utime.Nano() - before.Utime.Nano() + after.Stime.Nano() - before.Stime.Nano()
			b.ReportMetric(float64(cpu)/float64(b.Elapsed()), "cores")
		})
	}
}

// A caller that fails leaves nothing behind: not even its own error is lost.
func TestDoFails(t *testing.T) {
	l := open(t, Config{})
	if err := l.Far.Do(func() error { return context.Canceled }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
