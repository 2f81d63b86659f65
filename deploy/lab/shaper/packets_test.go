package shaper

import (
	"container/heap"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/world"
)

// datagrams are both ends of shaped datagrams.
func datagrams(t *testing.T, path world.Path) (server *Packets, client net.PacketConn) {
	t.Helper()
	var sockets [2]net.PacketConn
	for i := range sockets {
		var err error
		if sockets[i], err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := New(inner, func(netip.Addr) world.Path { return path })
	server = l.Packets(sockets[0])
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), sockets[1].Close()); err != nil {
			t.Error(err)
		}
		l.Stop()
		if len(l.lines) > 0 {
			t.Errorf("%d lines are left", len(l.lines))
		}
	})
	return server, sockets[1]
}

// arrivals writes n datagrams at once and says how long that took and when each
// came, in the order of writing; it stops at the first that does not come within a
// second.
func arrivals(t *testing.T, server *Packets, client net.PacketConn, n, size int) (wrote time.Duration, at []time.Duration) {
	t.Helper()
	start := time.Now()
	for i := range n {
		b := make([]byte, size)
		b[0] = byte(i)
		if k, err := server.WriteTo(b, client.LocalAddr()); k != size || err != nil {
			t.Fatalf("datagram %d: %d bytes, %v", i, k, err)
		}
	}
	wrote = time.Since(start)
	buf := make([]byte, 2048)
	for range n {
		client.SetReadDeadline(time.Now().Add(time.Second))
		k, _, err := client.ReadFrom(buf)
		if err != nil {
			break
		}
		if at = append(at, time.Since(start)); k != size || int(buf[0]) != len(at)-1 {
			t.Errorf("datagram %d has %d bytes of datagram %d", len(at)-1, k, buf[0])
		}
	}
	return wrote, at
}

// A datagram takes a round trip and its time on the line.
func TestDatagrams(t *testing.T) {
	const ms = time.Millisecond
	for _, tc := range []struct {
		name        string
		path        world.Path
		n, size     int
		first, last time.Duration
	}{
		{"nothing shaped", world.Path{}, 10, 1000, 0, 0},
		{"round trip", world.Path{RTT: 80 * ms}, 10, 1000, 80 * ms, 80 * ms},
		// 1 byte per µs.
		{"bandwidth", world.Path{Kbps: 8000}, 100, 1200, 1200 * time.Microsecond, 120 * ms},
		{"both", world.Path{RTT: 40 * ms, Kbps: 8000}, 100, 1200, 41200 * time.Microsecond, 160 * ms},
	} {
		t.Run(tc.name, func(t *testing.T) {
			best := []time.Duration{time.Hour, time.Hour}
			for range 3 {
				server, client := datagrams(t, tc.path)
				_, at := arrivals(t, server, client, tc.n, tc.size)
				if len(at) != tc.n {
					t.Fatalf("%d of %d came", len(at), tc.n)
				}
				best[0], best[1] = min(best[0], at[0]), min(best[1], at[tc.n-1])
			}
			for i, want := range []time.Duration{tc.first, tc.last} {
				if best[i] < want-ms || best[i] > want+30*ms {
					t.Errorf("%v after %v, want %v", []string{"the first", "the last"}[i], best[i], want)
				}
			}
		})
	}
}

// At 1 byte a millisecond the line takes six datagrams of 100 bytes, the last to
// start 500 ms from now. The others are lost, unless writing takes so long that
// there is room again.
func TestDatagramsLost(t *testing.T) {
	server, client := datagrams(t, world.Path{Kbps: 8})
	wrote, at := arrivals(t, server, client, 20, 100)
	if most := 6 + int(wrote/(100*time.Millisecond)); len(at) < 6 || len(at) > most {
		t.Errorf("%d came, want 6 to %d: %v", len(at), most, at)
	}
}

// What is due at the same time goes in the order of writing.
func TestDatagramsInOrder(t *testing.T) {
	now := time.Now()
	p := &Packets{}
	for n := range uint64(20) {
		heap.Push(&p.flight, packet{at: now, n: n * 7 % 20})
	}
	due, next, _ := p.step(now)
	if len(due) != 20 || !next.IsZero() {
		t.Fatalf("%d are due, the next at %v", len(due), next)
	}
	for i, d := range due {
		if d.n != uint64(i) {
			t.Errorf("number %d goes as number %d", d.n, i)
		}
	}
}

// What is on its way when the socket is closed is dropped.
func TestDatagramsEnd(t *testing.T) {
	server, client := datagrams(t, world.Path{RTT: time.Hour})
	if _, err := server.WriteTo([]byte("late"), client.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := server.WriteTo([]byte("later"), client.LocalAddr()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}
