package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
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

// maxUnsent bounds the connections on which a request is to be made that never
// goes out.
const maxUnsent = 3

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
	hr = hr.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotFirstResponseByte: func() {
			x.first.Store(int64(time.Since(x.Start)))
			firstByte()
		},
	}))
	t := targetOf(x.url)
	defer func() { x.Names = p.resolver.aliases.of(x.url) }()
	resp, err := x.send(ctx, p, t, hr)
	if x.lease.conn == nil {
		x.finish(x.noConnection(ctx))
		return
	}
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

// send gets a connection and makes the request on it. A request that did not
// go out, because its connection was being closed, is made on another.
func (x *exchange) send(ctx context.Context, p *pool, t target, r *http.Request) (*http.Response, error) {
	for tries := 1; ; tries++ {
		x.lease = p.acquire(ctx, t)
		if x.lease.err != nil {
			return nil, x.lease.err
		}
		x.describe()
		resp, err := x.lease.conn.RoundTrip(r)
		if tries == maxUnsent || !errors.Is(err, errUnsent) || ctx.Err() != nil {
			return resp, err
		}
		p.release(t, x.lease.conn)
	}
}

// build makes the request for net/http.
func (x *exchange) build(ctx context.Context) (*http.Request, error) {
	u, err := url.Parse(x.req.URL)
	if err != nil {
		return nil, err
	}
	if err := x.cfg.speaks(u); err != nil {
		return nil, err
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
	if user := x.url.User; user != nil && r.Header.Get("Authorization") == "" {
		password, _ := user.Password()
		r.SetBasicAuth(user.Username(), password)
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

// SameOrigin tells whether two URLs are of one origin (RFC 6454, 5): the same scheme,
// host, and port, be it named or the scheme's own. What is no URL of a host, such as
// the origin null, is of none.
func SameOrigin(a, b string) bool {
	u, err := url.Parse(a)
	if err != nil || u.Hostname() == "" {
		return false
	}
	v, err := url.Parse(b)
	return err == nil && targetOf(u) == targetOf(v)
}

// describe notes what is known of the connection.
func (x *exchange) describe() {
	rec := x.lease.rec
	x.Reused = x.lease.reused
	if rec.read != nil {
		x.readFrom = rec.read()
	}
	x.Remote, x.TLSExpires = rec.reached()
	x.Proto = x.lease.conn.proto
	if rec.tls != nil {
		x.TLSVersion = tlsVersions[rec.tls.Version]
	}
}

// answer takes the answer's head and body.
func (x *exchange) answer(resp *http.Response) error {
	x.Status = resp.StatusCode
	x.Header = resp.Header
	if a := x.cfg.AltSvc; a != nil && x.url.Scheme == "https" {
		a.learn(targetOf(x.url).address, resp.Header.Values("Alt-Svc"), x.last)
	}
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
	_, err = io.Copy(x.other(), io.LimitReader(arrival{x, resp.Body}, drainBytes))
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
	if rec := x.lease.rec; rec != nil && !x.lease.reused {
		x.Attempts = rec.tried()
		x.Remote, x.TLSExpires = rec.reached()
	}
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
