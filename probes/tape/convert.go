package tape

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/firstframe/firstframe/probes/bundle"
	"github.com/firstframe/firstframe/probes/fetch"
)

// Bundled is the take for a bundle, with all its secrets and without its body;
// start is when play was pressed.
func (t *Take) Bundled(start time.Time) bundle.Exchange {
	x := t.Exchange
	e := bundle.Exchange{
		StartMs: max(ms(x.Start.Sub(start)), 0),
		Request: bundle.Request{
			Method: cmp.Or(t.Request.Method, http.MethodGet), URL: t.Request.URL,
			Headers: maps.Clone(t.Request.Header), Payload: int64(len(t.Request.Payload)),
		},
		QueueMs: ms(x.Timing.Queue), DNSMs: ms(x.Timing.DNS), ConnectMs: ms(x.Timing.Connect), TLSMs: ms(x.Timing.TLS),
		WaitMs: ms(x.Timing.Wait), ReceiveMs: ms(x.Timing.Receive),
		Names: x.Names, Reused: x.Reused, Protocol: x.Proto, TLSVersion: x.TLSVersion,
		Status: x.Status, Headers: maps.Clone(x.Header), Location: x.Location, Encoding: x.Encoding, Bytes: x.Bytes,
	}
	if r := t.Request.Range; r != nil {
		e.Request.Range = &bundle.Range{Offset: r.Offset, Length: r.Length}
	}
	if !x.FirstByte.IsZero() {
		at := max(ms(x.FirstByte.Sub(x.Start)), 0)
		e.FirstByteMs = &at
	}
	if x.Remote.IsValid() {
		e.Remote = x.Remote.String()
	}
	if !x.TLSExpires.IsZero() {
		e.TLSExpires = x.TLSExpires.UTC().Format(time.RFC3339Nano)
	}
	for _, a := range x.Attempts {
		c := bundle.Connect{Network: a.Network, Address: a.Addr.String(), StartMs: max(ms(a.Start.Sub(x.Start)), 0)}
		if !a.End.IsZero() {
			end := max(ms(a.End.Sub(x.Start)), 0)
			c.EndMs = &end
		}
		if a.Err != nil {
			c.Error = a.Err.Error()
		}
		e.Attempts = append(e.Attempts, c)
	}
	if x.Err != nil {
		e.Error = failureOf(x.Err)
	}
	return e
}

// failureOf is a failure for a bundle.
func failureOf(err *fetch.Error) *bundle.Failure {
	f := &bundle.Failure{Type: err.Type, Detail: err.Detail}
	for _, name := range slices.Sorted(maps.Keys(sentinels)) {
		if errors.Is(err, sentinels[name]) {
			f.Is = append(f.Is, name)
		}
	}
	return f
}

// errorOf is the failure as a client would have told it.
func errorOf(f *bundle.Failure) *fetch.Error {
	var all []error
	for _, name := range f.Is {
		if err := sentinels[name]; err != nil {
			all = append(all, err)
		}
	}
	return &fetch.Error{Type: f.Type, Detail: f.Detail, Err: errors.Join(all...)}
}

// exchangeOf is an exchange that begins at start, as it was.
func exchangeOf(e *bundle.Exchange, start time.Time) *fetch.Exchange {
	at := func(ms float64) time.Time { return start.Add(bundle.Duration(ms)) }
	x := &fetch.Exchange{
		Start: start,
		Timing: fetch.Timing{
			Queue: bundle.Duration(e.QueueMs), DNS: bundle.Duration(e.DNSMs), Connect: bundle.Duration(e.ConnectMs),
			TLS: bundle.Duration(e.TLSMs), Wait: bundle.Duration(e.WaitMs), Receive: bundle.Duration(e.ReceiveMs),
		},
		Names: e.Names, Reused: e.Reused, Proto: e.Protocol, TLSVersion: e.TLSVersion,
		Status: e.Status, Location: e.Location, Encoding: e.Encoding, Bytes: e.Bytes,
	}
	x.End = start.Add(x.Timing.Sum())
	if e.Status != 0 {
		x.Header = http.Header{}
		for name, values := range e.Headers {
			x.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	if e.FirstByteMs != nil {
		x.FirstByte = at(*e.FirstByteMs)
	}
	x.Remote, _ = netip.ParseAddrPort(e.Remote)                  // zero where it is not known
	x.TLSExpires, _ = time.Parse(time.RFC3339Nano, e.TLSExpires) // likewise
	for _, c := range e.Attempts {
		a := fetch.Attempt{Network: c.Network, Start: at(c.StartMs)}
		a.Addr, _ = netip.ParseAddrPort(c.Address)
		if c.EndMs != nil {
			a.End = at(*c.EndMs)
		}
		switch c.Error {
		case "":
		case fetch.ErrOvertaken.Error():
			a.Err = fetch.ErrOvertaken
		default:
			a.Err = errors.New(c.Error)
		}
		x.Attempts = append(x.Attempts, a)
	}
	if e.Error != nil {
		x.Err = errorOf(e.Error)
	}
	return x
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
