package tape

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/firstframe/firstframe/probes/bundle"
	"github.com/firstframe/firstframe/probes/clocks"
	"github.com/firstframe/firstframe/probes/cmcd"
	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// silence is how long no byte must have come for a body that met its limit to
// count as stalled, as in package fetch.
const silence = time.Second

// What the machine may have taken for itself of a recording's times, at most. A
// request that would go out by lag earlier waits until the time at which it did,
// and one that did not go out may have been about to for so long. A limit that
// ends an exchange by slack earlier than it did is the same failure still.
const (
	lag   = time.Second
	slack = 250 * time.Millisecond
)

// Player answers requests from a recording. It is safe for concurrent use.
type Player struct {
	clock clocks.Clock
	start time.Time // press play
	clean func(string) string

	mu      sync.Mutex
	left    map[request][]*bundle.Exchange
	missing []string
}

// request is what tells one request from another.
type request struct {
	method, url    string
	offset, length int64
}

// String is the request in words.
func (r request) String() string {
	if r.offset == 0 && r.length == 0 {
		return r.method + " " + r.url
	}
	return fmt.Sprintf("%s %s, %d bytes at %d", r.method, r.url, r.length, r.offset)
}

// NewPlayer plays exchanges by a clock, which shows the time at which play is
// pressed. Requests of the same method, address and
// range are answered in the order in which they were recorded. clean takes
// secrets out of an address, as was done with the recording's.
func NewPlayer(exchanges []bundle.Exchange, clock clocks.Clock, clean func(string) string) *Player {
	p := &Player{clock: clock, start: clock.Now(), clean: clean, left: map[request][]*bundle.Exchange{}}
	for i := range exchanges {
		e := &exchanges[i]
		r := request{method: e.Request.Method, url: p.plain(e.Request.URL)}
		if rng := e.Request.Range; rng != nil {
			r.offset, r.length = rng.Offset, rng.Length
		}
		p.left[r] = append(p.left[r], e)
	}
	return p
}

// plain is an address without secrets, and without what the player told of
// itself, which is not the same each time.
func (p *Player) plain(address string) string { return p.clean(cmcd.Strip(address)) }

// Missing are the requests so far that the recording does not hold, in words.
func (p *Player) Missing() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.missing)
}

// take is the next recorded exchange of a request; nil where there is none.
func (p *Player) take(r request) *bundle.Exchange {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.left[r]
	if len(list) == 0 {
		return nil
	}
	p.left[r] = list[1:]
	return list[0]
}

// miss notes what the recording does not hold, and is the failure of it.
func (p *Player) miss(what string) *fetch.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missing = append(p.missing, what)
	return &fetch.Error{Type: run.ErrInternal, Detail: "the recording does not hold " + what, Err: ErrMissing}
}

// Do plays one exchange, as it was recorded. Of a request that is not in the
// recording the failure is of type internal, and [ErrMissing], a second later.
func (p *Player) Do(ctx context.Context, req fetch.Request) *fetch.Exchange {
	r := request{method: req.Method, url: p.plain(req.URL)}
	if r.method == "" {
		r.method = "GET"
	}
	if req.Range != nil {
		r.offset, r.length = req.Range.Offset, req.Range.Length
	}
	start := p.clock.Now()
	e := p.take(r)
	if e != nil {
		if then := p.start.Add(bundle.Duration(e.StartMs)); then.After(start) && then.Sub(start) <= lag {
			_ = clocks.Sleep(ctx, p.clock, then) // that ctx has ended is seen below
			start = p.clock.Now()
		}
	}
	if e == nil {
		return p.unknown(ctx, r, start)
	}
	s := &showing{player: p, recorded: e, req: req, x: exchangeOf(e, start)}
	s.run(ctx)
	return s.x
}

// unknown is what comes of a request that the recording does not hold. It may be
// one that a machine with much to do was about to make when the run ended: for a
// while it is left without an answer.
func (p *Player) unknown(ctx context.Context, r request, start time.Time) *fetch.Exchange {
	err := clocks.Sleep(ctx, p.clock, start.Add(lag))
	x := &fetch.Exchange{Start: start, End: p.clock.Now()}
	x.Timing.Queue = x.End.Sub(start)
	if errors.Is(err, context.Canceled) {
		x.Err = &fetch.Error{Detail: r.String() + ": " + context.Cause(ctx).Error(), Err: context.Cause(ctx)}
	} else {
		x.Err = p.miss(r.String())
	}
	return x
}

// showing is one exchange as it is played.
type showing struct {
	player   *Player
	recorded *bundle.Exchange
	req      fetch.Request
	x        *fetch.Exchange // as it was recorded; what does not come to pass is taken back

	got  int64     // bytes of the body so far
	last time.Time // of the last of them, or of the head
}

// run lets pass what was recorded, unless ctx or a limit ends it.
func (s *showing) run(parent context.Context) {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	limit := func(d time.Duration, why error) (stop func() bool) {
		if d <= 0 {
			return func() bool { return true }
		}
		return s.player.clock.AfterFunc(d, func() { cancel(why) })
	}
	defer limit(s.req.Timeout, fetch.ErrTimeout)()
	firstByte := limit(s.req.FirstByteTimeout, fetch.ErrFirstByteTimeout)
	defer func() { firstByte() }()

	if !s.x.FirstByte.IsZero() {
		if !s.wait(ctx, s.x.FirstByte) {
			return
		}
		firstByte()
		s.last = s.x.FirstByte
		if s.req.Head != nil {
			if err := s.req.Head(s.x); err != nil {
				s.refuse(err)
				return
			}
		}
	}
	stall := limit(0, nil)
	defer func() { stall() }()
	quiet := func() {
		stall()
		stall = limit(s.req.StallTimeout, fetch.ErrStallTimeout)
	}
	quiet()
	if !s.body(ctx, quiet) || !s.wait(ctx, s.x.End) {
		return
	}
	if s.x.Err != nil && s.x.Err.Type == "" {
		// Whoever asked had ended it here. What would have come after that was
		// never seen.
		if s.wait(ctx, s.x.End.Add(silence)) {
			s.x.End = s.player.clock.Now()
			s.x.Err = s.player.miss(fmt.Sprintf("more than %d bytes of %s %s, which was given up then", s.got, s.recorded.Request.Method, s.recorded.Request.URL))
		}
	}
}

// body hands on the body; false when the exchange has ended with that.
func (s *showing) body(ctx context.Context, quiet func()) bool {
	b := s.recorded.Body
	if b == nil || s.x.Status/100 != 2 { // which no player reads
		return true
	}
	if b.Cut && b.Text {
		s.x.Err = s.player.miss(fmt.Sprintf("all of the %d bytes of %s %s", b.Size, s.recorded.Request.Method, s.recorded.Request.URL))
		return false
	}
	r := reader{body: b}
	for i, piece := range b.Pieces {
		at := s.x.Start.Add(bundle.Duration(piece.AtMs))
		if !s.wait(ctx, at) {
			return false
		}
		s.got, s.last = s.got+piece.Bytes, at
		if s.got > s.most() {
			s.refuse(nil)
			return false
		}
		quiet()
		err := r.next(piece.Bytes, i == len(b.Pieces)-1, func(p []byte) error {
			if s.req.Body == nil {
				return nil
			}
			return s.req.Body(p, at)
		})
		if err != nil {
			s.refuse(err)
			return false
		}
	}
	return true
}

// most bounds the body, in bytes.
func (s *showing) most() int64 {
	return cmp.Or(max(s.req.MaxBytes, 0), fetch.DefaultMaxBytes)
}

// refuse ends the exchange with a callback's error, or nil: it is too large.
func (s *showing) refuse(err error) {
	s.x.End, s.x.Bytes = s.player.clock.Now(), s.got
	s.x.Timing = upTo(s.x.Timing, s.x.End.Sub(s.x.Start))
	if s.x.Err = (&fetch.Error{Err: err}); err == nil {
		s.x.Err.Type, s.x.Err.Err = run.ErrTooLarge, fmt.Errorf("%w: body of more than %d bytes", fetch.ErrTooLarge, s.most())
	}
	s.x.Err.Detail = s.x.Err.Err.Error()
}

// wait waits until t; false when the exchange has ended before.
func (s *showing) wait(ctx context.Context, t time.Time) bool {
	if clocks.Sleep(ctx, s.player.clock, t) == nil {
		return true
	}
	now := s.player.clock.Now()
	asRecorded := s.x.Err != nil && s.x.Err.Type != "" && s.x.End.Sub(now) <= slack
	if !asRecorded {
		s.x.Err = s.ended(ctx, now)
	}
	s.x.Timing = upTo(s.x.Timing, now.Sub(s.x.Start))
	s.x.End = now
	if s.x.FirstByte.After(now) {
		s.x.FirstByte, s.x.Status, s.x.Header, s.x.Location = time.Time{}, 0, nil, ""
	}
	if !asRecorded {
		s.x.Bytes = s.got
	}
	return false
}

// ended says what the end of ctx means at this point of the exchange, as package
// fetch does.
func (s *showing) ended(ctx context.Context, now time.Time) *fetch.Error {
	e := &fetch.Error{Err: context.Cause(ctx)}
	during := ""
	t := s.x.Timing
	gone, connected := now.Sub(s.x.Start), t.Queue+t.DNS+t.Connect+t.TLS
	switch {
	case s.x.Reused || gone >= connected:
		e.Type = run.ErrTimeout
		if stalled := errors.Is(e.Err, fetch.ErrStallTimeout); !s.last.IsZero() && (stalled || now.Sub(s.last) >= silence) {
			e.Type, e.Err = run.ErrStalled, fmt.Errorf("%w after %d bytes: %w", fetch.ErrStallTimeout, s.got, e.Err)
		}
	case gone < t.Queue:
		e.Type, during = run.ErrTimeout, "waiting for a connection: "
	case gone < t.Queue+t.DNS:
		e.Type, during = run.ErrDNS, "resolving: "
	case gone < connected-t.TLS:
		e.Type, during = run.ErrConnect, "connecting: "
	default:
		e.Type, during = run.ErrTLS, "TLS handshake: "
	}
	if !limited(e.Err) {
		e.Type = ""
	}
	url, _, _ := strings.Cut(s.recorded.Request.URL, "?")
	e.Detail = s.recorded.Request.Method + " " + url + ": " + during + e.Err.Error()
	return e
}

// limited tells whether it was a limit that ended an exchange, and not whoever
// asked.
func limited(err error) bool {
	for _, limit := range []error{context.DeadlineExceeded, fetch.ErrTimeout, fetch.ErrFirstByteTimeout, fetch.ErrStallTimeout} {
		if errors.Is(err, limit) {
			return true
		}
	}
	return false
}

// upTo is what of the phases lies within the first d.
func upTo(t fetch.Timing, d time.Duration) fetch.Timing {
	for _, phase := range []*time.Duration{&t.Queue, &t.DNS, &t.Connect, &t.TLS, &t.Wait, &t.Receive} {
		*phase = min(*phase, d)
		d -= *phase
	}
	t.Receive += d
	return t
}

// reader gives a body's bytes. Those that are not kept, between beginning and
// end, are no media: in MPEG-TS null packets, else zeros.
type reader struct {
	body *bundle.Body
	pos  int64
}

// nothing and nulls stand in for what is not kept: zeros, and packets of
// MPEG-TS that are to be passed over (ISO/IEC 13818-1, 2.4.3.3: PID 0x1fff).
var (
	nothing = make([]byte, 170*packet)
	nulls   = bytes.Repeat(append([]byte{0x47, 0x1f, 0xff, 0x10}, bytes.Repeat([]byte{0xff}, packet-4)...), 171)
)

const packet = 188

// gap is at most n bytes that stand in for what is not kept at pos.
func (r *reader) gap(n int64) []byte {
	fill := nothing
	if b := r.body; !b.Rekeyed && int64(len(b.Data)) > b.Tail && b.Data[0] == nulls[0] {
		from := r.pos % packet
		fill = nulls[from : int64(len(nothing))+from]
	}
	return fill[:min(n, int64(len(fill)))]
}

// next hands on the next n bytes; of a text, whose length may not be the one
// received, the last piece is all that is left.
func (r *reader) next(n int64, last bool, to func([]byte) error) error {
	data := r.body.Data
	if r.body.Text {
		if left := int64(len(data)) - r.pos; last || n > left {
			n = left
		}
		p := data[r.pos : r.pos+n]
		r.pos += n
		return to(p)
	}
	head, end := int64(len(data))-r.body.Tail, r.pos+n
	for r.pos < end {
		var p []byte
		switch tail := r.body.Size - r.body.Tail; {
		case r.pos < head:
			p = data[r.pos:head]
		case r.pos < tail:
			p = r.gap(tail - r.pos)
		default:
			p = data[head+r.pos-tail:]
		}
		p = p[:min(int64(len(p)), end-r.pos)]
		r.pos += int64(len(p))
		if err := to(p); err != nil {
			return err
		}
	}
	return nil
}
