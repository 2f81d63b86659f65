package fetch_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/firstframe/firstframe/probes/fetch"
)

// BenchmarkDo compares an exchange on a warm connection with the same request
// by net/http or http3 alone, against the same server; ratio is the time
// against theirs, taking turns.
func BenchmarkDo(b *testing.B) {
	for _, p := range protocols {
		for _, size := range []int{1 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("%s/%d KiB", p.name, size>>10), func(b *testing.B) {
				body := make([]byte, size)
				s, cfg := p.serve(b, func(w http.ResponseWriter, r *http.Request) { w.Write(body) })
				c := open(b, cfg)
				var bare http.RoundTripper = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: cfg.RootCAs}, ForceAttemptHTTP2: p.many, DisableCompression: true}
				if p.proto == "3" {
					bare = &http3.Transport{TLSClientConfig: &tls.Config{RootCAs: cfg.RootCAs}, DisableCompression: true}
					defer bare.(*http3.Transport).Close()
				} else {
					defer bare.(*http.Transport).CloseIdleConnections()
				}
				do := func() {
					got := 0
					x := c.Do(b.Context(), fetch.Request{URL: s.URL, Body: func(p []byte, _ time.Time) error { got += len(p); return nil }})
					if x.Err != nil || got != size {
						b.Fatalf("%d bytes, %v", got, x.Err)
					}
				}
				buf := make([]byte, 32<<10)
				peer := func() {
					r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.URL, nil)
					if err != nil {
						b.Fatal(err)
					}
					resp, err := bare.RoundTrip(r)
					if err != nil {
						b.Fatal(err)
					}
					defer resp.Body.Close()
					if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, buf); err != nil || n != int64(size) {
						b.Fatalf("%d bytes, %v", n, err)
					}
				}
				do()
				peer()
				b.SetBytes(int64(size))
				b.ReportAllocs()
				var theirs time.Duration
				for b.Loop() {
					do()
					b.StopTimer()
					begin := time.Now()
					peer()
					theirs += time.Since(begin)
					b.StartTimer()
				}
				b.ReportMetric(float64(b.Elapsed())/float64(theirs), "ratio")
			})
		}
	}
}
