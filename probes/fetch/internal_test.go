package fetch

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPublic(t *testing.T) {
	for addr, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "2001:4860:4860::8888": true, "192.0.1.1": true, "172.32.0.1": true,
		"0.0.0.0": false, "0.1.2.3": false, "10.1.2.3": false, "100.64.0.1": false, "100.100.100.200": false, "127.0.0.1": false,
		"127.255.255.254": false, "169.254.169.254": false, "168.63.129.16": false, "172.16.0.1": false, "172.31.255.255": false,
		"192.0.0.192": false, "192.168.1.1": false, "198.19.0.1": false, "224.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd00:ec2::254": false,
		"fec0::1": false, "ff02::1": false, "2001:db8::1": false,
		"::ffff:127.0.0.1": false, "::ffff:8.8.8.8": true, "::ffff:0:10.0.0.1": false, "::10.0.0.1": false,
		"64:ff9b::127.0.0.1": false, "64:ff9b::a00:1": false, "64:ff9b::8.8.8.8": true, "64:ff9b:1::8.8.8.8": false,
		"2002:7f00:1::": false, "2002:808:808::": true, "2001::80ff:fffe": false, "2001::f7f7:f7f7": true,
	} {
		if got := public(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: public %v, want %v", addr, got, want)
		}
	}
	if public(netip.Addr{}) {
		t.Error("the zero address is public")
	}
}

// Whatever a dial recorded, the phases add up and none is negative.
func TestDivideIsPartition(t *testing.T) {
	origin := time.Now()
	rapid.Check(t, func(t *rapid.T) {
		at := func(name string) time.Time {
			return origin.Add(time.Duration(rapid.Int64Range(0, 1000).Draw(t, name)))
		}
		start := at("start")
		end := start.Add(time.Duration(rapid.Int64Range(0, 1000).Draw(t, "length")))
		l := lease{reused: rapid.Bool().Draw(t, "reused"), at: at("handed over")}
		var first time.Time
		if rapid.Bool().Draw(t, "has dial") {
			l.rec = &record{is: phase(rapid.IntRange(0, 3).Draw(t, "phase"))}
			for i := range l.rec.at {
				l.rec.at[i] = at("began")
			}
			if rapid.Bool().Draw(t, "has first byte") {
				first = at("first")
			}
		}
		got := divide(start, end, first, l)
		if got.Sum() != end.Sub(start) {
			t.Fatalf("%+v adds up to %v of %v", got, got.Sum(), end.Sub(start))
		}
		for _, d := range []time.Duration{got.Queue, got.DNS, got.Connect, got.TLS, got.Wait, got.Receive} {
			if d < 0 {
				t.Fatalf("negative phase in %+v", got)
			}
		}
	})
}

// A window gives the same bytes however the body is cut into pieces.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "body")
		w := window{skip: rapid.Int64Range(0, 120).Draw(t, "skip"), size: rapid.Int64Range(0, 120).Draw(t, "size")}
		want := body[min(int(w.skip), len(body)):]
		if w.size > 0 {
			want = want[:min(int(w.size), len(want))]
		}
		var got []byte
		for rest := body; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			got = append(got, w.cut(rest[:n])...)
			rest = rest[n:]
		}
		if string(got) != string(want) || w.got != int64(len(want)) || w.seen != int64(len(body)) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}
