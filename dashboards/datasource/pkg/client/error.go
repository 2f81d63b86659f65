package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"

	"github.com/firstframe/firstframe/collector/query"
)

// Error is why the collector gave no answer.
type Error struct {
	Status  int    // of HTTP, as Grafana is to be told
	Message string // for people; says what to do
	cause   error
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Unwrap is the cause, if there is one.
func (e *Error) Unwrap() error { return e.cause }

// Explain is a query error as one line, with the nearest valid names.
func Explain(e *query.Error) string {
	text := e.Message
	if e.Field != "" {
		text = e.Field + ": " + text
	}
	if len(e.DidYouMean) > 0 {
		text += "; did you mean " + strings.Join(e.DidYouMean, ", ") + "?"
	}
	return text
}

// refused is the error for an answer of that status.
func (c *Client) refused(status int, text []byte) error {
	var q query.Error
	ours := json.Unmarshal(text, &q) == nil && q.Code != "" && q.Message != ""
	switch {
	case status == http.StatusUnauthorized && c.token == "":
		return &Error{Status: status, Message: fmt.Sprintf("the collector at %s wants a token: set one in the data source's settings", c.base)}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return &Error{Status: status, Message: fmt.Sprintf("the collector at %s refuses this token (%d): set a valid one in the data source's settings", c.base, status)}
	case !ours && status < 500:
		return c.strange("status %d without a collector's message", status)
	case !ours:
		return &Error{Status: http.StatusBadGateway,
			Message: fmt.Sprintf("no collector behind %s (status %d): is collector serve running?", c.base, status)}
	case status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests:
		return &Error{Status: status, Message: "the collector is busy: " + q.Message + "; it goes on by itself, try again", cause: &q}
	case status == http.StatusGatewayTimeout:
		return &Error{Status: status, Message: "the collector took too long: " + q.Message + "; choose a shorter range or fewer groups", cause: &q}
	case status >= 500:
		return &Error{Status: http.StatusBadGateway, Message: "the collector failed: " + q.Message, cause: &q}
	case status == http.StatusNotFound:
		return &Error{Status: status, Message: q.Message, cause: &q}
	}
	return &Error{Status: http.StatusBadRequest, Message: Explain(&q), cause: &q}
}

// strange is the error for an answer that no collector gives.
func (c *Client) strange(format string, args ...any) error {
	return &Error{Status: http.StatusBadGateway, Message: fmt.Sprintf(
		"what answers at %s is not the people's side of a collector (%s): the URL is the address of collector serve --http, 8480 by default, not that of OTLP",
		c.base, fmt.Sprintf(format, args...))}
}

// unreachable is the error for a request that was not answered.
func (c *Client) unreachable(err error) error {
	e := &Error{Status: http.StatusBadGateway, cause: err}
	var dns *net.DNSError
	var plain tls.RecordHeaderError
	var cert *tls.CertificateVerificationError
	var alert tls.AlertError
	switch {
	case errors.Is(err, context.Canceled):
		e.Status, e.Message = 499, "the query was cancelled"
	case errors.Is(err, context.DeadlineExceeded) || os.IsTimeout(err):
		e.Status = http.StatusGatewayTimeout
		e.Message = fmt.Sprintf("the collector at %s did not answer in time: is the address right, is it overloaded?", c.base)
	case errors.As(err, &dns):
		e.Message = fmt.Sprintf("the name %s of the collector does not resolve: %s", c.base.Hostname(), dns.Err)
	case errors.As(err, &cert):
		e.Message = fmt.Sprintf("the certificate of %s is not trusted: %s", c.base, certificate(cert.Err))
	case errors.As(err, &plain) || errors.Is(err, http.ErrSchemeMismatch):
		e.Message = fmt.Sprintf("%s does not speak TLS: the URL may have to begin with http://", c.base)
	case errors.As(err, &alert):
		e.Message = fmt.Sprintf("%s refuses the TLS handshake (%v): does it want a client certificate?", c.base, alert)
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Message = fmt.Sprintf("nothing listens at %s: is collector serve running, and is this its --http address as seen from Grafana?", c.base)
	default:
		e.Message = fmt.Sprintf("the collector at %s cannot be reached: %v", c.base, inner(err))
	}
	return e
}

// inner is err without the method and URL that net/http puts before it.
func inner(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// certificate says what to do about a certificate that does not verify.
func certificate(err error) string {
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return "set its CA certificate in the data source's settings"
	}
	return err.Error()
}
