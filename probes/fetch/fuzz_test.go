package fetch_test

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// FuzzAnswer lets a server answer anything: the exchange ends in time, its
// phases are a partition, its bounds hold and its error is of the closed list.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-5/9\r\nContent-Length: 4\r\n\r\n2345",
		"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 9223372036854775807-0/*\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
		"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.0 999 \r\n\r\n", "\x16\x03\x01\x00", "",
	} {
		f.Add([]byte(seed))
	}
	var runs atomic.Uint32
	var mu sync.Mutex
	var text []byte
	addr := raw(f, func(c net.Conn) {
		mu.Lock()
		defer mu.Unlock()
		if readHead(c) {
			c.Write(text)
		}
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		mu.Lock()
		text = data
		mu.Unlock()
		const bound = 1 << 10
		got := 0
		// A new source address each time: one alone runs out of ports.
		n := runs.Add(1)
		source := netip.AddrFrom4([4]byte{127, byte(1 + n>>16%100), byte(n >> 8), byte(1 + n%200)})
		c := fetch.New(fetch.Config{AllowAddresses: loopback, LocalAddr: source})
		defer c.Close()
		x := c.Do(t.Context(), fetch.Request{URL: "http://" + addr, MaxBytes: bound, Timeout: 5 * time.Second,
			Range: &fetch.Range{Offset: 2, Length: 4}, Compress: true,
			Body: func(p []byte, at time.Time) error { got += len(p); return nil }})
		check(t, x)
		if x.Err != nil && x.Err.Type == run.ErrConnect {
			t.Skip("nobody accepted in time: the subject is what comes after that")
		}
		if got > 4 {
			t.Errorf("%d bytes of a range of 4", got)
		}
		if x.Err == nil && x.Status/100 == 2 && got != 4 {
			t.Errorf("%d bytes of a range of 4, and no error", got)
		}
		if x.Err != nil && !slices.Contains(run.ErrorTypes, x.Err.Type) {
			t.Errorf("type %q: %v", x.Err.Type, x.Err)
		}
		if x.End.Sub(x.Start) > 4*time.Second {
			t.Errorf("%v for an answer that ended at once: %v", x.End.Sub(x.Start), x.Err)
		}
	})
}
