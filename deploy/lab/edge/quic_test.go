package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/firstframe/firstframe/deploy/lab/world"
)

// overQUIC asks from an address, over HTTP/3.
func (h *harness) overQUIC(from string) *http.Client {
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(from)})
	if err != nil {
		h.t.Fatal(err)
	}
	way := &quic.Transport{Conn: socket}
	tr := &http3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: h.roots},
		Dial: func(ctx context.Context, _ string, c *tls.Config, q *quic.Config) (*quic.Conn, error) {
			to, err := net.ResolveUDPAddr("udp", h.secure)
			if err != nil {
				return nil, err
			}
			return way.DialEarly(ctx, to, c, q)
		},
	}
	h.t.Cleanup(func() {
		if err := errors.Join(tr.Close(), way.Close(), socket.Close()); err != nil {
			h.t.Error(err)
		}
	})
	return &http.Client{Transport: tr, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// isReset tells whether a connection was broken, over TCP or QUIC.
func isReset(err error) bool {
	var ended *http3.Error
	return errors.Is(err, syscall.ECONNRESET) || errors.As(err, &ended) && ended.ErrorCode == http3.ErrCodeInternalError && ended.ErrorMessage == aborted
}

// Every edge speaks HTTP/3, one whose CDN says so tells of it, and the ledger
// knows what was asked for so.
func TestHTTP3(t *testing.T) {
	for _, announced := range []bool{false, true} {
		t.Run(fmt.Sprintf("announced %v", announced), func(t *testing.T) {
			h := newHarness(t, "cdn-c", func(c *world.CDN) { c.AltSvc = announced })
			want := ""
			if _, port, _ := net.SplitHostPort(h.secure); announced {
				want = `h3=":` + port + `"; ma=86400`
			}
			for _, proto := range protocols {
				res, _, err := h.get(h.client(brazil, proto), "/time")
				if err != nil || res.Proto != proto || res.Header.Get("Alt-Svc") != want {
					t.Errorf("%s: %v, %v; want Alt-Svc: %s", proto, res, err, want)
				}
			}
			h.edge.Close()
			var got []string
			for _, e := range h.entries(t) {
				got = append(got, e.Proto+" "+e.Country)
			}
			if s := strings.Join(got, ", "); s != "HTTP/1.1 BR, HTTP/2.0 BR, HTTP/3.0 BR" {
				t.Errorf("the ledger has %s", s)
			}
		})
	}
}
