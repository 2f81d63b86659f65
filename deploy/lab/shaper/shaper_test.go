package shaper

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/firstframe/firstframe/deploy/lab/world"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listen serves each connection over path with serve.
func listen(t testing.TB, path world.Path, serve func(*Conn)) string {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := New(inner, func(netip.Addr) world.Path { return path })
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serve(c.(*Conn)) })
		}
	})
	t.Cleanup(func() {
		l.Stop()
		wg.Wait()
	})
	return inner.Addr().String()
}

// receive dials and says when each of the marks, in bytes, had come.
func receive(t testing.TB, addr string, marks ...int) []time.Duration {
	t.Helper()
	start := time.Now()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var at []time.Duration
	n, buf := 0, make([]byte, 64<<10)
	for len(at) < len(marks) {
		k, err := c.Read(buf)
		n += k
		for len(at) < len(marks) && n >= marks[len(at)] {
			at = append(at, time.Since(start))
		}
		if err != nil && len(at) < len(marks) {
			t.Fatalf("after %d bytes: %v", n, err)
		}
	}
	return at
}

// The times are computed by hand: the first round trip is the TCP handshake's,
// the second the answer's, and each further one lets the window double.
func TestTimes(t *testing.T) {
	const ms, us = time.Millisecond, time.Microsecond
	for _, tc := range []struct {
		name string
		path world.Path
		size int
		mark []int
		want []time.Duration
	}{
		{"nothing shaped", world.Path{}, 1 << 20, []int{1 << 20}, []time.Duration{0}},
		{"round trips only", world.Path{RTT: 80 * ms}, 14_600, []int{1, 14_600}, []time.Duration{160 * ms, 160 * ms}},
		// 14 600, 29 200, 58 400 and 116 800 bytes, a round trip apart.
		{"slow start", world.Path{RTT: 60 * ms}, 200_000, []int{14_600, 14_601, 43_800, 43_801, 102_200, 102_201, 200_000},
			[]time.Duration{120 * ms, 180 * ms, 180 * ms, 240 * ms, 240 * ms, 300 * ms, 300 * ms}},
		// 1 byte per µs; 10 kB in flight are less than the first window.
		{"bandwidth", world.Path{RTT: 10 * ms, Kbps: 8000}, 400_000, []int{100_000, 400_000}, []time.Duration{120 * ms, 420 * ms}},
		// The first window is sent in 14.6 ms of the 100, the second in 29.2, the
		// third in 58.4, each begun by the acknowledgement of the first segment of
		// the one before, 101.46 ms after that; the last 147.8 kB are the line's.
		{"both", world.Path{RTT: 100 * ms, Kbps: 8000}, 250_000, []int{14_600, 43_800, 102_200, 250_000},
			[]time.Duration{214600 * us, 330660 * us, 461320 * us, 652180 * us}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			addr := listen(t, tc.path, func(c *Conn) {
				defer c.Close()
				c.Write(make([]byte, tc.size))
				io.Copy(io.Discard, c)
			})
			var runs [][]time.Duration
			for range 3 {
				runs = append(runs, receive(t, addr, tc.mark...))
			}
			for i, want := range tc.want {
				got := []time.Duration{runs[0][i], runs[1][i], runs[2][i]}
				slices.Sort(got)
				// Never early; the best late by what a busy machine takes.
				if got[0] < want-3*ms || got[0] > want+30*ms {
					t.Errorf("byte %d came after %v, want %v", tc.mark[i], got, want)
				}
			}
		})
	}
}

// Each request and its answer on a connection that is open take one round trip.
func TestRequestAndAnswer(t *testing.T) {
	const rtt = 40 * time.Millisecond
	addr := listen(t, world.Path{RTT: rtt}, func(c *Conn) {
		defer c.Close()
		io.Copy(c, c)
	})
	want := []time.Duration{2 * rtt, rtt, rtt}
	best := []time.Duration{time.Hour, time.Hour, time.Hour}
	for range 3 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			start := time.Now()
			if _, err := c.Write([]byte("ping")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
			best[i] = min(best[i], time.Since(start))
		}
		c.Close()
	}
	for i, want := range want {
		if best[i] < want-3*time.Millisecond || best[i] > want+30*time.Millisecond {
			t.Errorf("exchange %d took %v, want %v", i, best[i], want)
		}
	}
}

// Two connections of one client share its line, and neither starves.
func TestConnectionsShareTheLine(t *testing.T) {
	const size = 200_000 // 200 ms alone
	addr := listen(t, world.Path{Kbps: 8000}, func(c *Conn) {
		defer c.Close()
		c.Write(make([]byte, size))
		io.Copy(io.Discard, c)
	})
	took := make([][]time.Duration, 2)
	var wg sync.WaitGroup
	for i := range took {
		wg.Go(func() { took[i] = receive(t, addr, size) })
	}
	wg.Wait()
	last := max(took[0][0], took[1][0])
	if last < 395*time.Millisecond || last > 600*time.Millisecond {
		t.Errorf("both had everything after %v, want 400 ms", last)
	}
	for i, at := range took {
		if at[0] < 280*time.Millisecond { // 200 ms if it had the line for itself
			t.Errorf("connection %d had all after %v: it was preferred", i, at[0])
		}
	}
}

func TestBytesArriveAsWritten(t *testing.T) {
	want := make([]byte, 1<<20)
	for i := range want {
		want[i] = byte(i * 7 >> 3)
	}
	addr := listen(t, world.Path{RTT: 2 * time.Millisecond, Kbps: 100_000}, func(c *Conn) {
		for b := want; len(b) > 0; {
			n, err := c.Write(b[:min(len(b), 12_345)])
			if err != nil {
				t.Error(err)
				return
			}
			b = b[n:]
		}
		c.Close() // delivers what is left
	})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestAbortResets(t *testing.T) {
	for _, path := range []world.Path{{}, {RTT: 5 * time.Millisecond}} {
		addr := listen(t, path, func(c *Conn) {
			c.Read(make([]byte, 1))
			c.Write([]byte("half"))
			if err := c.Drain(context.Background()); err != nil {
				t.Error(err)
			}
			c.Abort()
			if _, err := c.Write([]byte("more")); err == nil {
				t.Error("wrote after Abort")
			}
		})
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte("?"))
		got, err := io.ReadAll(c)
		c.Close()
		if string(got) != "half" || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%+v: %q, %v", path, got, err)
		}
	}
}

// A writer whose client takes nothing is held, within its deadline, and does
// not outlive the listener.
func TestWriterIsBounded(t *testing.T) {
	result := make(chan error, 1)
	addr := listen(t, world.Path{Kbps: 8}, func(c *Conn) {
		c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		n, err := c.Write(make([]byte, 10<<20))
		if n > maxQueue+64<<10 {
			t.Errorf("took %d bytes", n)
		}
		result <- err
	})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := <-result; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := Sleep(context.Background(), time.Millisecond); err != nil {
		t.Error(err)
	}
}

// Bytes per second through a shaped connection whose line is no limit.
func BenchmarkConn(b *testing.B) {
	const size = 1 << 20
	addr := listen(b, world.Path{Kbps: 10_000_000}, func(c *Conn) {
		defer c.Close()
		c.Write(make([]byte, size))
		io.Copy(io.Discard, c)
	})
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		receive(b, addr, size)
	}
}
