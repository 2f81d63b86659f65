package ship

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/VictoriaMetrics/easyproto"
	"github.com/hashicorp/go-cleanhttp"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/klauspost/compress/gzip"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// newHTTP is the client of single attempts.
func newHTTP(cfg Config) *http.Client {
	t := cleanhttp.DefaultPooledTransport()
	t.MaxIdleConnsPerHost = maxWorkers
	t.TLSClientConfig = &tls.Config{RootCAs: cfg.CAs, MinVersion: tls.VersionTLS12}
	if cfg.Bind.IsValid() {
		d := net.Dialer{Timeout: cfg.Timeout, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(cfg.Bind, 0))}
		t.DialContext = d.DialContext
	}
	return &http.Client{
		Transport: t,
		Timeout:   cfg.Timeout,
		// A redirected POST would arrive as a GET, or elsewhere than told.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// client is the one that retries. A patient one waits for a person to mend the
// configuration; another gives up on that at once.
func (s *Shipper) client(patient bool) *retryablehttp.Client {
	c := retryablehttp.NewClient()
	c.HTTPClient = s.http
	c.Logger = nil
	c.RetryMax = math.MaxInt
	c.RetryWaitMin, c.RetryWaitMax = s.cfg.MinWait, s.cfg.MaxWait
	c.Backoff = s.backoff
	c.CheckRetry = func(ctx context.Context, resp *http.Response, err error) (bool, error) {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		class := classify(resp)
		s.note(resp, err, class)
		return class == tryAgain || class == misconfigured && patient, nil
	}
	return c
}

// class is what an answer means for what was sent.
type class int

const (
	accepted class = iota
	tryAgain
	misconfigured
	bad
)

// classify is the table of the package's comment. No answer is nil.
func classify(resp *http.Response) class {
	if resp == nil {
		return tryAgain
	}
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return accepted
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusTooManyRequests:
		return tryAgain
	case code < 400, code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusNotFound,
		code == http.StatusMethodNotAllowed, code == http.StatusProxyAuthRequired:
		return misconfigured
	}
	return bad
}

// backoff doubles from min to max, with a half of jitter; Retry-After counts
// up to max, with a tenth added.
func (s *Shipper) backoff(shortest, longest time.Duration, attempt int, resp *http.Response) time.Duration {
	if classify(resp) == misconfigured {
		return jitter(s.cfg.SlowWait)
	}
	if resp != nil && resp.Header.Get("Retry-After") != "" {
		if d, ok := retryAfter(resp.Header.Get("Retry-After"), time.Now()); ok {
			d = max(min(d, longest), shortest)
			return d + rand.N(d/10+1)
		}
	}
	return jitter(retryablehttp.DefaultBackoff(shortest, longest, min(attempt, 30), nil))
}

// jitter is between a half of d and d.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// retryAfter reads a Retry-After (RFC 9110 section 10.2.3): seconds or a date.
func retryAfter(v string, now time.Time) (time.Duration, bool) {
	seconds := int64(0)
	for _, c := range []byte(v) {
		if c < '0' || c > '9' {
			at, err := http.ParseTime(v)
			return at.Sub(now), err == nil
		}
		seconds = min(seconds*10+int64(c-'0'), math.MaxInt32)
	}
	return time.Duration(seconds) * time.Second, v != ""
}

// note keeps how the last attempt went, and logs when that changed.
func (s *Shipper) note(resp *http.Response, err error, class class) {
	if err == nil && class != accepted {
		err = fmt.Errorf("%s answers %s", s.url, resp.Status)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	wasAlarm, wasError := s.stats.Alarm, s.stats.LastError
	s.stats.Alarm, s.stats.LastError = "", ""
	if err != nil {
		s.stats.LastError = err.Error()
	}
	switch class {
	case tryAgain:
		s.stats.Retries++
		if wasError == "" {
			s.cfg.Log.Warn("ship: will try again", "error", err)
		}
	case misconfigured:
		s.stats.Retries++
		s.stats.Alarm = err.Error()
		if wasAlarm == "" {
			s.cfg.Log.Error("ship: nothing is taken until the configuration is mended; runs are kept", "error", err)
		}
	case accepted:
		s.stats.LastSuccess = time.Now()
		if wasError != "" {
			s.cfg.Log.Info("ship: the collector takes runs again")
		}
	}
}

// post sends bodies as one request: OTLP requests may be concatenated, as
// their one field repeats. It fails with ErrRefused, or because ctx ended.
func (s *Shipper) post(ctx context.Context, client *retryablehttp.Client, bodies [][]byte) error {
	packed, err := pack(bodies)
	if err != nil {
		return fmt.Errorf("gzip: %w", err)
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, s.url, packed)
	if err != nil {
		return err
	}
	for k, v := range s.cfg.Header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Content-Encoding", "gzip")
	req.Header.Set("User-Agent", s.cfg.UserAgent)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	// An answer's head is the word; a body that breaks off only says less.
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if classify(resp) != accepted {
		return fmt.Errorf("%s: %w: %s: %.200q", s.url, ErrRefused, resp.Status, reason(resp, text))
	}
	s.mu.Lock()
	s.stats.Runs += int64(len(bodies))
	s.stats.Batches++
	s.stats.Bytes += int64(len(packed))
	s.mu.Unlock()
	s.partial(resp, text)
	return nil
}

// partial counts what a partial success refuses.
func (s *Shipper) partial(resp *http.Response, text []byte) {
	if resp.Header.Get("Content-Type") != "application/x-protobuf" {
		return
	}
	rejected, message, err := parseResponse(text)
	if err != nil {
		s.cfg.Log.Warn("ship: the answer is not OTLP", "error", err)
		return
	}
	if rejected == 0 && message == "" {
		return
	}
	s.cfg.Log.Warn("ship: the collector refused a part", "spans", rejected, "message", message)
	s.mu.Lock()
	s.stats.RejectedSpans += rejected
	s.mu.Unlock()
}

// pack is the bodies in one gzip stream.
func pack(bodies [][]byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	for _, b := range bodies {
		if _, err := w.Write(b); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// parseResponse reads ExportTraceServiceResponse.partial_success.
func parseResponse(src []byte) (rejected int64, message string, err error) {
	part, ok, err := easyproto.GetMessageData(src, 1)
	if err != nil || !ok {
		return 0, "", err
	}
	rejected, _, err = easyproto.GetInt64(part, 1)
	message, _, err2 := easyproto.GetString(part, 2)
	return max(rejected, 0), message, errors.Join(err, err2)
}

// reason is the message of a google.rpc.Status, which OTLP answers errors
// with, or the text as it is.
func reason(resp *http.Response, text []byte) string {
	if resp.Header.Get("Content-Type") == "application/x-protobuf" {
		if m, ok, err := easyproto.GetString(text, 2); ok && err == nil {
			return m
		}
	}
	return string(text)
}
