package player

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// isInline tells whether an address holds its resource itself (RFC 2397), as
// keys and initialization segments of manifests may.
func isInline(u string) bool {
	return len(u) >= 5 && strings.EqualFold(u[:5], "data:")
}

// inline answers a request by the address itself. It is no step: nothing is
// asked of anybody.
func (s *session) inline(ctx context.Context, a ask) (answer, error) {
	at := Moment{later(s.instant(), a.after.At), a.after.Step}
	if a.asked != nil {
		a.asked()
	}
	if a.reset != nil {
		a.reset()
	}
	body, err := decodeInline(a.url)
	if err == nil && int64(len(body)) > a.maxBytes {
		return answer{}, failed(run.ErrTooLarge, a.name, fmt.Sprintf("a data: URL of %d bytes, at most %d", len(body), a.maxBytes), at)
	}
	if err == nil && a.rng != nil {
		body, err = cutInline(body, a.rng)
	}
	x := &fetch.Exchange{Start: at.At, End: at.At, FirstByte: at.At, Status: http.StatusOK, Header: http.Header{}, Bytes: int64(len(body))}
	if err == nil && a.body != nil {
		err = a.body(body, at.At)
	}
	if err == nil && a.done != nil {
		err = a.done(x)
	}
	if err != nil {
		f := asFailure(a.name, err)
		f.at = at
		return answer{}, s.ended(ctx, f)
	}
	return answer{Moment: at, Exchange: x, url: a.url}, nil
}

// decodeInline is what a data: URL holds. The error is a fault.
func decodeInline(u string) ([]byte, error) {
	head, data, ok := strings.Cut(u[len("data:"):], ",")
	if !ok {
		return nil, &fault{run.ErrManifestInvalid, fmt.Errorf("a data: URL without a comma")}
	}
	text, err := url.PathUnescape(data)
	if err != nil {
		return nil, &fault{run.ErrManifestInvalid, fmt.Errorf("a data: URL: %w", err)}
	}
	if !strings.HasSuffix(strings.ToLower(head), ";base64") {
		return []byte(text), nil
	}
	// Padding may be left out, and either alphabet occurs.
	text = strings.NewReplacer("-", "+", "_", "/", "\n", "", "\r", "", " ", "").Replace(strings.TrimRight(text, "="))
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, &fault{run.ErrManifestInvalid, fmt.Errorf("a data: URL: %w", err)}
	}
	return b, nil
}

func cutInline(b []byte, r *fetch.Range) ([]byte, error) {
	end := int64(len(b))
	if r.Length > 0 {
		end = r.Offset + r.Length
	}
	if r.Offset > end || end > int64(len(b)) {
		return nil, &fault{run.ErrSegmentTruncated, fmt.Errorf("%d bytes at %d of a data: URL of %d", r.Length, r.Offset, len(b))}
	}
	return b[r.Offset:end], nil
}
