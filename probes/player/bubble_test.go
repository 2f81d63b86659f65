package player

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// exactly calls play in a bubble of testing/synctest, with a client of o: time
// passes there only while everything waits, so that no other work of the machine
// holds anything up. An answer begins a millisecond after it was asked for.
func exactly(t *testing.T, o *origin, play func(t *testing.T, c Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var answers sync.WaitGroup
		l := &pipes{made: make(chan net.Conn), closed: make(chan struct{})}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answers.Add(1)
			defer answers.Done()
			time.Sleep(time.Millisecond)
			o.Config.Handler.ServeHTTP(w, r)
		})}
		go server.Serve(l)
		way := &http.Transport{DialContext: l.dial, DisableCompression: true}
		play(t, piped{&http.Client{Transport: way, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}})
		way.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		answers.Wait()
	})
}

// pipes is a listener for connections within a bubble.
type pipes struct {
	made   chan net.Conn
	closed chan struct{}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.made <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.made:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// piped is a Client as far as the tests in a bubble need it: it knows no limits.
type piped struct{ *http.Client }

func (p piped) Do(ctx context.Context, r fetch.Request) *fetch.Exchange {
	x := &fetch.Exchange{Start: time.Now()}
	err := p.ask(ctx, r, x)
	x.End = time.Now()
	if x.FirstByte.IsZero() {
		x.FirstByte = x.End
	}
	x.Timing = fetch.Timing{Wait: x.FirstByte.Sub(x.Start), Receive: x.End.Sub(x.FirstByte)}
	switch {
	case ctx.Err() != nil:
		x.Err = &fetch.Error{Detail: ctx.Err().Error(), Err: ctx.Err()}
	case errors.Is(err, io.ErrUnexpectedEOF):
		x.Err = &fetch.Error{Type: run.ErrReset, Detail: err.Error(), Err: fetch.ErrTruncated}
	case err != nil:
		x.Err = &fetch.Error{Detail: err.Error(), Err: err}
	case x.Status >= 500:
		x.Err = &fetch.Error{Type: run.ErrHTTP5xx, Detail: fmt.Sprintf("GET %s: status %d", r.URL, x.Status)}
	case x.Status >= 400:
		x.Err = &fetch.Error{Type: run.ErrHTTP4xx, Detail: fmt.Sprintf("GET %s: status %d", r.URL, x.Status)}
	}
	return x
}

// ask asks, and passes the answer on.
func (p piped) ask(ctx context.Context, r fetch.Request, x *fetch.Exchange) error {
	req, err := http.NewRequestWithContext(ctx, cmp.Or(r.Method, http.MethodGet), r.URL, bytes.NewReader(r.Payload))
	if err != nil {
		return err
	}
	if r.Range != nil {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", r.Range.Offset, r.Range.Offset+r.Range.Length-1))
	}
	res, err := p.Client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	x.FirstByte, x.Status, x.Header, x.Proto = time.Now(), res.StatusCode, res.Header, "1.1"
	if r.Head != nil {
		if err := r.Head(x); err != nil {
			return err
		}
	}
	for piece := make([]byte, 32<<10); ; {
		n, err := res.Body.Read(piece)
		x.Bytes += int64(n)
		if n > 0 && r.Body != nil && x.Status < 300 {
			if err := r.Body(piece[:n], time.Now()); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
