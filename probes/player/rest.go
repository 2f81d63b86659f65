package player

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// rest is what is missing of an answer that was cut off; nil where another try has
// to begin anew. A browser keeps what came, if it can find out later whether the
// resource is still the same and the server gives parts of it (CanResume in
// Chromium's net/http/http_cache_transaction.cc): when the player asks for it
// again, the browser asks for the rest.
func (s *session) rest(a ask, x *fetch.Exchange) *fetch.Range {
	media := a.name == run.StepSegment || a.name == run.StepInit
	if !s.model.Web || !media || a.method != "" || x.Bytes == 0 {
		return nil
	}
	switch {
	case a.rest != nil && x.Bytes >= a.rest.Length:
		return nil // more than it was to be
	case a.rest != nil && x.Status == http.StatusPartialContent:
		return &fetch.Range{Offset: a.rest.Offset + x.Bytes, Length: a.rest.Length - x.Bytes}
	case a.rng != nil || x.Status != http.StatusOK || x.Header.Get("Content-Encoding") != "" ||
		x.Header.Get("Accept-Ranges") != "bytes" || strings.Contains(x.Header.Get("Cache-Control"), "no-store") || !recognisable(x.Header):
		return nil
	}
	whole, err := strconv.ParseInt(x.Header.Get("Content-Length"), 10, 64)
	if err != nil || whole <= x.Bytes {
		return nil
	}
	return &fetch.Range{Offset: x.Bytes, Length: whole - x.Bytes}
}

// held is how much of the answer is there already.
func (a *ask) held() int64 {
	if a.rest == nil {
		return 0
	}
	return a.rest.Offset
}

// recognisable tells whether a resource can be known again byte for byte: it has a
// strong entity tag, or was changed a minute or more before the answer (RFC 9110,
// 8.8.1 and 8.8.2.2).
func recognisable(h http.Header) bool {
	if tag := h.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return true
	}
	changed, err := http.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		return false
	}
	date, err := http.ParseTime(h.Get("Date"))
	return err == nil && date.Sub(changed) >= time.Minute
}

// resume asks for the first byte of what is missing of an answer, as Chromium's
// cache does before it asks for all of it. When that is there, so is what came
// before, to the player: it knows of one request. It answers the request for the
// rest; where the server does not give parts after all, that for the whole.
func (s *session) resume(ctx context.Context, a ask, p Policy, number int64, after Moment) (ask, Moment, error) {
	first := a
	first.rest = nil // what comes now is not kept
	first.rng, first.body, first.done, first.reading = &fetch.Range{Offset: a.rest.Offset, Length: 1}, nil, nil, nil
	got, err := s.exchange(ctx, first, p, a.url, number, after)
	if err != nil {
		return a, after, err
	}
	if got.Status == http.StatusPartialContent {
		a.rng = a.rest
		a.reading.read(a.held(), got.Moment)
	} else {
		a.rest = nil
	}
	return a, got.Moment, nil
}
