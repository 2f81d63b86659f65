package fetch

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// buffers are for reading bodies.
var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// arrival reads a body as it is received: it counts, bounds and notes when.
type arrival struct {
	x *exchange
	r io.Reader
}

// Read reads one piece.
func (a arrival) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	x := a.x
	x.last = time.Now()
	if n > 0 {
		x.lastByte = x.last
		x.Bytes += int64(n)
		if x.stall != nil {
			x.stall.Reset(x.req.StallTimeout)
		}
	}
	if x.Bytes > x.req.MaxBytes {
		err = fmt.Errorf("%w: body of more than %d bytes", ErrTooLarge, x.req.MaxBytes)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: it ended after %d bytes", ErrTruncated, x.Bytes)
	}
	return n, err
}

// window is the part of a body that the caller asked for.
type window struct {
	skip int64 // bytes before it
	size int64 // its length; 0 is up to the end
	seen int64 // bytes of the body so far
	got  int64 // bytes of the window so far
}

// cut returns what of p, the body's next piece, lies in the window.
func (w *window) cut(p []byte) []byte {
	before := min(max(w.skip-w.seen, 0), int64(len(p)))
	w.seen += int64(len(p))
	p = p[before:]
	if w.size > 0 {
		p = p[:min(int64(len(p)), w.size-w.got)]
	}
	w.got += int64(len(p))
	return p
}

// full says that nothing more of the window is to come.
func (w *window) full() bool { return w.size > 0 && w.got == w.size }

// window says what of resp's body to take.
func (x *exchange) window(resp *http.Response) (window, error) {
	rg := x.req.Range
	if rg == nil {
		return window{}, nil
	}
	if resp.StatusCode != http.StatusPartialContent {
		return window{skip: rg.Offset, size: rg.Length}, nil
	}
	v := resp.Header.Get("Content-Range")
	// RFC 9110 section 14.4; the complete length may be unknown.
	if !strings.HasPrefix(v, fmt.Sprintf("bytes %d-", rg.Offset)) {
		return window{}, fmt.Errorf("%w: %d bytes at %d, the answer's Content-Range is %q", ErrRange, rg.Length, rg.Offset, v)
	}
	return window{size: rg.Length}, nil
}

// receive reads the body of a 2xx answer and hands it to the caller.
func (x *exchange) receive(resp *http.Response) error {
	if x.req.Method == http.MethodHead {
		return nil
	}
	w, err := x.window(resp)
	if err != nil {
		return err
	}
	if n := resp.ContentLength; n > x.req.MaxBytes && (w.size == 0 || w.skip+w.size > x.req.MaxBytes) {
		return fmt.Errorf("%w: body of %d bytes, more than %d", ErrTooLarge, n, x.req.MaxBytes)
	}
	var body io.Reader = arrival{x, resp.Body}
	if x.Encoding == "gzip" || x.Encoding == "x-gzip" {
		body = &gunzip{src: source{r: body}}
	}
	buf := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buf)
	for {
		n, err := body.Read(buf[:])
		if w.seen+int64(n) > x.req.MaxBytes {
			return fmt.Errorf("%w: decoded body of more than %d bytes", ErrTooLarge, x.req.MaxBytes)
		}
		if p := w.cut(buf[:n]); len(p) > 0 && x.req.Body != nil {
			if err := x.req.Body(p, x.lastByte); err != nil {
				return callbackError{err}
			}
		}
		switch {
		case errors.Is(err, io.EOF) && (w.seen < w.skip || w.got < w.size):
			return fmt.Errorf("%w: %d bytes of %d at %d", ErrTruncated, w.got, w.size, x.req.Range.Offset)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case w.full() && resp.StatusCode != http.StatusPartialContent:
			return nil // the rest of the whole is of no interest
		}
	}
}

// other is where a body goes that is not 2xx.
func (x *exchange) other() io.Writer {
	if x.req.Other == nil {
		return io.Discard
	}
	return writerFunc(func(p []byte) (int, error) {
		x.req.Other(p, x.last)
		return len(p), nil
	})
}

// writerFunc is a function as a writer.
type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// source keeps the error that ended r, to tell it from one of the decoder.
type source struct {
	r   io.Reader
	err error
}

// Read reads from r.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.err = err
	return n, err
}

// gunzip decodes what src delivers, as it comes.
type gunzip struct {
	src source
	zr  *gzip.Reader
}

// Read decodes one piece. An error of the source is returned as it is.
func (g *gunzip) Read(p []byte) (n int, err error) {
	if g.zr == nil {
		g.zr, err = gzip.NewReader(&g.src)
	}
	if err == nil {
		n, err = g.zr.Read(p)
	}
	switch {
	case err == nil, err == io.EOF:
		return n, err
	case g.src.err != nil && g.src.err != io.EOF:
		return n, g.src.err
	}
	g.zr = nil
	return n, fmt.Errorf("%w: gzip: %w", ErrEncoding, err)
}
