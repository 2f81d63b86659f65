package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/firstframe/firstframe/collector/wal"
	"github.com/firstframe/firstframe/probes/trace"
)

// The content types and codings that are understood.
const (
	typeProto = "application/x-protobuf"
	typeJSON  = "application/json"

	codingGzip = "gzip"
	codingZstd = "zstd"
)

// jsonCost is about how many times its size a JSON body takes in memory while
// it is turned into protobuf.
const jsonCost = 6

// plainOTLP decompresses at most limit bytes, as they are read, and takes what
// they need from h.
func plainOTLP(rec *wal.Record, limit int, h *hold) ([]byte, error) {
	plain, err := decompress(rec.Body, rec.Encoding, limit, h)
	if err != nil || rec.ContentType != typeJSON {
		return plain, err
	}
	cost := jsonCost * int64(len(plain))
	if !h.take(cost) {
		return nil, busy("too many bytes are on their way")
	}
	defer h.give(cost)
	proto, err := trace.JSONToProto(plain)
	switch {
	case errors.Is(err, trace.ErrLimit):
		return nil, tooLarge("%v", err)
	case err != nil:
		return nil, invalid("%v", err)
	}
	return proto, nil
}

func decompress(body []byte, encoding string, limit int, h *hold) ([]byte, error) {
	src := bytes.NewReader(body)
	switch encoding {
	case "":
		return body, nil
	case codingGzip:
		z := gzips.Get().(*gzip.Reader)
		defer gzips.Put(z)
		if err := z.Reset(src); err != nil {
			return nil, invalid("gzip: %v", err)
		}
		return expand(z, encoding, len(body), limit, h)
	case codingZstd:
		z := zstds.Get().(*zstd.Decoder)
		defer zstds.Put(z)
		if err := z.Reset(src); err != nil {
			return nil, invalid("zstd: %v", err)
		}
		return expand(z, encoding, len(body), limit, h)
	}
	return nil, unsupported("Content-Encoding %.40q is not understood; there are gzip, zstd and identity", encoding)
}

var (
	gzips = sync.Pool{New: func() any { return new(gzip.Reader) }}
	zstds = sync.Pool{New: func() any {
		// Without concurrency a decoder has no goroutines and needs no Close.
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			panic(fmt.Sprintf("ingest: zstd: %v", err)) // the options are constant
		}
		return z
	}}
)

// expand reads all of z, of which a refusal says that it is broken or a bomb.
func expand(z io.Reader, encoding string, compressed, limit int, h *hold) ([]byte, error) {
	plain, err := readAll(z, 4*compressed, limit, h)
	var r *refusal
	if err == nil || errors.As(err, &r) {
		return plain, err
	}
	return nil, invalid("%s: %v", encoding, err)
}

// firstRead bounds what is reserved on the strength of a header alone.
const firstRead = 1 << 20

// readAll reads src to its end, at most limit bytes, and takes the memory for
// it from h as it grows. Refusals are its own; other errors are src's.
func readAll(src io.Reader, hint, limit int, h *hold) ([]byte, error) {
	buf, err := grow(nil, min(max(hint, 512), firstRead, limit+1), h)
	for err == nil {
		if len(buf) == cap(buf) {
			if buf, err = grow(buf, min(2*cap(buf), limit+1), h); err != nil {
				break
			}
		}
		var n int
		n, err = src.Read(buf[len(buf):cap(buf)])
		if buf = buf[:len(buf)+n]; len(buf) > limit {
			return nil, tooLarge("body of more than %d bytes once decompressed; send fewer runs at a time", limit)
		}
	}
	if err == io.EOF {
		return buf, nil
	}
	return nil, err
}

func grow(buf []byte, size int, h *hold) ([]byte, error) {
	if !h.take(int64(size)) {
		return nil, busy("too many bytes are on their way")
	}
	bigger := make([]byte, len(buf), size)
	copy(bigger, buf)
	h.give(int64(cap(buf)))
	return bigger, nil
}

// readBody reads a request's body as it came.
func (in *Ingester) readBody(r *http.Request, h *hold) ([]byte, error) {
	if r.ContentLength > int64(in.cfg.MaxBody) {
		return nil, tooLarge("body of %d bytes, at most %d are taken; send fewer runs at a time", r.ContentLength, in.cfg.MaxBody)
	}
	body, err := readAll(r.Body, int(r.ContentLength)+1, in.cfg.MaxBody, h)
	var own *refusal
	var timeout net.Error
	switch {
	case err == nil || errors.As(err, &own):
		return body, err
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return nil, slow("the body did not come in time")
	}
	return nil, invalid("body: %v", err)
}
