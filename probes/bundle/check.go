package bundle

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

const (
	maxMs       = 24 * 60 * 60 * 1000 // no run takes a day
	maxBody     = 1 << 30             // bytes of an answer, of which most are not kept
	maxReceived = 16 << 30            // bytes of all answers
)

// Check says what must not be in a bundle, as reading and writing do: the error
// is of class [ErrInvalid].
func (b *Bundle) Check() error {
	if len(b.Exchanges) > MaxExchanges {
		return fmt.Errorf("%w: %d exchanges, more than %d", ErrInvalid, len(b.Exchanges), MaxExchanges)
	}
	if t := &b.Probe.Target; !isTime(t.ThresholdMs) || !isTime(t.TimeoutMs) || !isTime(t.PlayMs) || t.IntervalMs < 0 || t.IntervalMs > 400*maxMs {
		return fmt.Errorf("%w: a target's times of %v, %v, %v and %v ms", ErrInvalid, t.ThresholdMs, t.TimeoutMs, t.PlayMs, t.IntervalMs)
	}
	if r := &b.Run; !isErrorType(r.ErrorType) || r.ErrorStep != "" && !slices.Contains(run.StepNames, r.ErrorStep) {
		return fmt.Errorf("%w: a run that failed of %q at %q", ErrInvalid, r.ErrorType, r.ErrorStep)
	}
	seen := map[string]bool{}
	content, received := int64(0), int64(0)
	for i := range b.Exchanges {
		x := &b.Exchanges[i]
		if err := x.check(); err != nil {
			return fmt.Errorf("%w: exchange %d: %w", ErrInvalid, i+1, err)
		}
		if x.Body == nil {
			continue
		}
		if f := x.Body.File; f != "" && seen[f] {
			return fmt.Errorf("%w: exchange %d: body %s is another's", ErrInvalid, i+1, f)
		}
		seen[x.Body.File] = true
		content += int64(len(x.Body.Data))
		received += x.Body.Size
	}
	if content > MaxContent || received > maxReceived {
		return fmt.Errorf("%w: bodies of %d bytes, of which %d are kept; more than %d or %d", ErrInvalid, received, content, maxReceived, MaxContent)
	}
	return nil
}

func (x *Exchange) check() error {
	for _, t := range []float64{x.StartMs, x.QueueMs, x.DNSMs, x.ConnectMs, x.TLSMs, x.WaitMs, x.ReceiveMs} {
		if !isTime(t) {
			return fmt.Errorf("a time of %v ms", t)
		}
	}
	switch {
	case x.FirstByteMs != nil && !isTime(*x.FirstByteMs):
		return fmt.Errorf("a first byte at %v ms", *x.FirstByteMs)
	case x.Request.Method == "" || x.Request.URL == "":
		return fmt.Errorf("no method, or no URL")
	case x.Error != nil && !isErrorType(x.Error.Type):
		return fmt.Errorf("a failure of type %q", x.Error.Type)
	case x.Step != "" && !slices.Contains(run.StepNames, x.Step):
		return fmt.Errorf("step %q", x.Step)
	case x.Status < 0 || x.Status > 999 || x.Bytes < 0:
		return fmt.Errorf("status %d, %d bytes", x.Status, x.Bytes)
	}
	if r := x.Request.Range; r != nil && (r.Offset < 0 || r.Length < 0) {
		return fmt.Errorf("a range of %d bytes at %d", r.Length, r.Offset)
	}
	if x.Remote != "" {
		if _, err := netip.ParseAddrPort(x.Remote); err != nil {
			return fmt.Errorf("remote address: %w", err)
		}
	}
	if x.TLSExpires != "" {
		if _, err := time.Parse(time.RFC3339Nano, x.TLSExpires); err != nil {
			return fmt.Errorf("tls_expires_at: %w", err)
		}
	}
	for _, c := range x.Attempts {
		if _, err := netip.ParseAddrPort(c.Address); err != nil || !isTime(c.StartMs) || c.EndMs != nil && !isTime(*c.EndMs) {
			return fmt.Errorf("an attempt to connect to %q at %v ms", c.Address, c.StartMs)
		}
	}
	if x.Body == nil {
		return nil
	}
	return x.Body.check()
}

func (b *Body) check() error {
	kept := int64(len(b.Data))
	switch {
	case b.File != "" && !bodyName.MatchString(b.File):
		return fmt.Errorf("body: file %q", b.File)
	case b.File == "" && kept > 0:
		return fmt.Errorf("body: %d bytes without a file", kept)
	case kept > MaxBody:
		return fmt.Errorf("body: %d bytes kept, more than %d", kept, MaxBody)
	case len(b.Pieces) > MaxPieces:
		return fmt.Errorf("body: %d pieces, more than %d", len(b.Pieces), MaxPieces)
	case b.Size < 0 || b.Size > maxBody:
		return fmt.Errorf("body: %d bytes", b.Size)
	case b.Tail < 0 || b.Tail > kept || b.Tail > 0 && (!b.Cut || b.Text):
		return fmt.Errorf("body: a tail of %d bytes", b.Tail)
	case !b.Text && !b.Cut && kept != b.Size, !b.Text && b.Cut && kept >= b.Size:
		return fmt.Errorf("body: %d bytes of %d kept", kept, b.Size)
	}
	size, at := int64(0), 0.0
	for _, p := range b.Pieces {
		if p.Bytes < 0 || p.Bytes > b.Size-size || !isTime(p.AtMs) || p.AtMs < at {
			return fmt.Errorf("body: a piece of %d bytes at %v ms", p.Bytes, p.AtMs)
		}
		size, at = size+p.Bytes, p.AtMs
	}
	if size != b.Size {
		return fmt.Errorf("body: pieces of %d bytes, want %d", size, b.Size)
	}
	return nil
}

func isErrorType(t run.ErrorType) bool {
	return t == "" || slices.Contains(run.ErrorTypes, t)
}

func isTime(ms float64) bool { return ms >= 0 && ms <= maxMs }
