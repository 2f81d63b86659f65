package fetch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/firstframe/firstframe/probes/run"
)

// drainBytes bounds what is read of a body that nobody wants, so that its
// connection can serve again.
const drainBytes = 64 << 10

// exchange is the state of one [Client.Do].
type exchange struct {
	Exchange
	req Request
	cfg *Config
	url *url.URL

	lease    lease
	readFrom int64        // bytes that the connection had read before
	first    atomic.Int64 // first byte, in ns since Start; set by the transport's goroutine
	last     time.Time    // end of the last read, from the head on
	lastByte time.Time    // of those, the last that brought something
	stall    *time.Timer
}

// do makes the exchange and fills x, whatever happens.
func (x *exchange) do(parent context.Context, p *pool) {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	hr, err := x.build(ctx)
	if err != nil {
		x.finish(&Error{Type: run.ErrUnsupported, Detail: err.Error(), Err: err})
		return
	}
	if d := x.req.Timeout; d > 0 {
		defer time.AfterFunc(d, func() { cancel(ErrTimeout) }).Stop()
	}
	firstByte := func() bool { return true }
	if d := x.req.FirstByteTimeout; d > 0 {
		firstByte = time.AfterFunc(d, func() { cancel(ErrFirstByteTimeout) }).Stop
		defer firstByte()
	}
	t := targetOf(x.url)
	x.lease = p.acquire(ctx, t)
	if x.lease.err != nil {
		x.finish(x.noConnection(ctx))
		return
	}
	x.describe()
	hr = hr.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotFirstResponseByte: func() {
			x.first.Store(int64(time.Since(x.Start)))
			firstByte()
		},
	}))
	resp, err := x.lease.conn.RoundTrip(hr)
	if err == nil {
		x.last = time.Now()
		x.lastByte = x.last
		if d := x.req.StallTimeout; d > 0 {
			x.stall = time.AfterFunc(d, func() { cancel(ErrStallTimeout) })
			defer x.stall.Stop()
		}
		err = x.answer(resp)
		x.End = x.last
		resp.Body.Close() // what matters of it has been read
	}
	failure := x.failure(ctx, err, p.isClosed())
	p.release(t, x.lease.conn)
	x.finish(failure)
}

// build makes the request for net/http.
func (x *exchange) build(ctx context.Context) (*http.Request, error) {
	u, err := url.Parse(x.req.URL)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Errorf("%q is no http or https URL", x.req.URL)
	}
	x.url = u
	r, err := http.NewRequestWithContext(ctx, x.req.Method, x.req.URL, nil)
	if err != nil {
		return nil, err
	}
	if len(x.req.Payload) > 0 {
		r.ContentLength = int64(len(x.req.Payload))
		r.Body = io.NopCloser(bytes.NewReader(x.req.Payload))
	}
	if err := x.setHeader(r); err != nil {
		return nil, err
	}
	if rg := x.req.Range; rg != nil {
		if rg.Offset < 0 || rg.Length < 0 {
			return nil, fmt.Errorf("range of %d bytes at %d", rg.Length, rg.Offset)
		}
		v := fmt.Sprintf("bytes=%d-", rg.Offset)
		if rg.Length > 0 {
			v += fmt.Sprint(rg.Offset + rg.Length - 1)
		}
		r.Header.Set("Range", v)
	}
	return r, nil
}

// setHeader sets r's header: ours, then the client's, then the request's.
func (x *exchange) setHeader(r *http.Request) error {
	r.Header.Set("User-Agent", x.cfg.UserAgent) // net/http sends none for ""
	r.Header.Set("Accept-Encoding", "identity")
	if x.req.Compress {
		r.Header.Set("Accept-Encoding", "gzip")
	}
	for _, h := range []http.Header{x.cfg.Header, x.req.Header} {
		for k, v := range h {
			r.Header[http.CanonicalHeaderKey(k)] = v
		}
	}
	for k, values := range r.Header {
		for _, v := range values {
			if !httpguts.ValidHeaderFieldName(k) || !httpguts.ValidHeaderFieldValue(v) {
				return fmt.Errorf("header %q: invalid name or value", k)
			}
		}
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	return nil
}

// targetOf says where u's connections lead to.
func targetOf(u *url.URL) target {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return target{u.Scheme, net.JoinHostPort(canonical(u.Hostname()), port)}
}

// describe notes what is known of the connection.
func (x *exchange) describe() {
	rec := x.lease.rec
	x.Reused = x.lease.reused
	x.readFrom = rec.net.read.Load()
	if a, err := netip.ParseAddrPort(rec.net.RemoteAddr().String()); err == nil {
		x.Remote = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	x.Proto = "1.1"
	if x.lease.conn.h2 {
		x.Proto = "2"
	}
	if rec.tls == nil {
		return
	}
	x.TLSVersion = tlsVersions[rec.tls.Version]
	if certs := rec.tls.PeerCertificates; len(certs) > 0 {
		x.TLSExpires = certs[0].NotAfter
	}
}

// answer takes the answer's head and body.
func (x *exchange) answer(resp *http.Response) error {
	x.Status = resp.StatusCode
	x.Header = resp.Header
	if e := strings.ToLower(resp.Header.Get("Content-Encoding")); e != "identity" {
		x.Encoding = e
	}
	location, err := x.location(resp)
	x.Location = location
	if err != nil {
		return err
	}
	if x.req.Head != nil {
		if err := x.req.Head(&x.Exchange); err != nil {
			return callbackError{err}
		}
	}
	if x.Status/100 == 2 {
		return x.receive(resp)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(arrival{x, resp.Body}, drainBytes))
	if x.Status/100 >= 4 {
		return statusError(resp.Status)
	}
	return err
}

// location resolves the answer's Location, if it is a redirect with one.
func (x *exchange) location(resp *http.Response) (string, error) {
	l := resp.Header.Get("Location")
	if x.Status/100 != 3 || l == "" {
		return "", nil
	}
	u, err := x.url.Parse(l)
	if err != nil {
		return "", redirectError(fmt.Sprintf("%d to %q: %v", x.Status, l, err))
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return u.String(), redirectError(fmt.Sprintf("%d to %q: no http or https URL", x.Status, l))
	}
	return u.String(), nil
}

// finish sets End, unless the last byte did, and divides up the time until
// then.
func (x *exchange) finish(failure *Error) {
	x.Err = failure
	if failure != nil || x.End.IsZero() {
		x.End = time.Now()
	}
	if ns := x.first.Load(); ns > 0 {
		x.FirstByte = x.Start.Add(time.Duration(ns))
	}
	x.Timing = divide(x.Start, x.End, x.FirstByte, x.lease)
}

// divide partitions start to end. The phases of a dial count as far as they lie
// within; what lies before them is queue, what lies behind them wait.
func divide(start, end, first time.Time, l lease) Timing {
	var t Timing
	at := start
	until := func(next time.Time) time.Duration {
		if next.IsZero() || next.After(end) {
			next = end
		}
		d := max(next.Sub(at), 0)
		at = at.Add(d)
		return d
	}
	switch {
	case l.rec == nil:
		t.Queue = until(end)
	case l.reused:
		t.Queue = until(l.at)
	default:
		is, began := l.rec.load()
		t.Queue = until(began[phaseDNS])
		for i, d := range []*time.Duration{&t.DNS, &t.Connect, &t.TLS} {
			next := end
			if phase(i) < is {
				next = began[i+1]
			}
			*d = until(next)
		}
	}
	t.Wait = until(first)
	t.Receive = until(end)
	return t
}
