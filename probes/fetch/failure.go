package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// silence is how long no byte must have come for a body that met its deadline
// to count as stalled instead of slow.
const silence = time.Second

// tlsVersions are the names that runs use.
var tlsVersions = map[uint16]string{
	tls.VersionTLS10: "1.0", tls.VersionTLS11: "1.1", tls.VersionTLS12: "1.2", tls.VersionTLS13: "1.3",
}

// callbackError is the error of a callback of the caller.
type callbackError struct{ error }

// statusError is the status line of an answer 4xx or 5xx.
type statusError string

func (e statusError) Error() string { return "status " + string(e) }

// redirectError says why a redirect cannot be followed.
type redirectError string

func (e redirectError) Error() string { return "redirect " + string(e) }

// noConnection explains why there was no connection.
func (x *exchange) noConnection(ctx context.Context) *Error {
	e := &Error{Err: x.lease.err}
	is := phaseReady
	if x.lease.rec != nil {
		is, _ = x.lease.rec.load()
	}
	switch {
	case errors.Is(e.Err, ErrClosed), canceled(ctx):
	case errors.Is(e.Err, ErrBlocked):
		e.Type = run.ErrBlockedAddress
	default:
		e.Type = phaseErrors[is]
	}
	e.Detail = x.what() + ": " + phaseNames[is] + ": " + e.Err.Error()
	return e
}

// failure explains err, with which an exchange that had a connection ended; nil
// stays nil.
func (x *exchange) failure(ctx context.Context, err error, closed bool) *Error {
	if err == nil {
		return nil
	}
	e := &Error{Err: err}
	var (
		callback callbackError
		status   statusError
		redirect redirectError
	)
	switch {
	case errors.As(err, &callback):
		return &Error{Detail: callback.Error(), Err: callback.error}
	case errors.As(err, &status) && x.Status < http.StatusInternalServerError:
		e.Type = run.ErrHTTP4xx
	case errors.As(err, &status):
		e.Type = run.ErrHTTP5xx
	case errors.As(err, &redirect):
		e.Type = run.ErrRedirect
	case errors.Is(err, ErrTooLarge):
		e.Type = run.ErrTooLarge
	case errors.Is(err, ErrRange):
		e.Type = run.ErrMediaInvalid
	case errors.Is(err, ErrEncoding):
		e.Type = run.ErrUnsupported
	case closed:
		e.Err = ErrClosed
	case ctx.Err() != nil:
		e.Type, e.Err = x.ended(ctx)
	case x.headTooLarge(err):
		e.Type = run.ErrTooLarge
		e.Err = fmt.Errorf("%w: head of more than %d bytes: %w", ErrTooLarge, x.cfg.MaxHeaderBytes, err)
	default:
		e.Type = run.ErrReset
	}
	e.Detail = x.what() + ": " + e.Err.Error()
	return e
}

// ended says what the end of ctx means for an exchange that has a connection.
func (x *exchange) ended(ctx context.Context) (run.ErrorType, error) {
	cause := context.Cause(ctx)
	switch {
	case canceled(ctx):
		return "", cause
	case errors.Is(cause, ErrStallTimeout):
		return run.ErrStalled, fmt.Errorf("%w after %d bytes", cause, x.Bytes)
	case x.Status != 0 && time.Since(x.lastByte) >= silence:
		return run.ErrStalled, fmt.Errorf("%w after %d bytes: %w", ErrStallTimeout, x.Bytes, cause)
	}
	return run.ErrTimeout, cause
}

// canceled says that ctx was ended by the caller's cancelling, not by a limit.
func canceled(ctx context.Context) bool {
	if !errors.Is(ctx.Err(), context.Canceled) {
		return false
	}
	cause := context.Cause(ctx)
	return !errors.Is(cause, ErrFirstByteTimeout) && !errors.Is(cause, ErrTimeout) && !errors.Is(cause, ErrStallTimeout)
}

// headTooLarge says that err came of an answer's head that passed its bound.
// Neither net/http nor http3 has an error for it that can be told from others:
// of TCP the bytes are counted, of http3 it is the text.
func (x *exchange) headTooLarge(err error) bool {
	switch {
	case x.Status != 0:
		return false
	case x.lease.rec.read != nil:
		return x.lease.rec.read()-x.readFrom >= x.cfg.MaxHeaderBytes
	}
	return strings.Contains(err.Error(), "too large")
}

// what names the request without its query, which may hold a token.
func (x *exchange) what() string {
	method := x.req.Method
	if method == "" {
		method = http.MethodGet
	}
	return method + " " + x.url.Scheme + "://" + x.url.Host + x.url.EscapedPath()
}
