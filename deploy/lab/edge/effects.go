package edge

import (
	"cmp"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/fault"
	"github.com/firstframe/firstframe/deploy/lab/origin"
	"github.com/firstframe/firstframe/deploy/lab/shaper"
)

// errCut is what a body's writes fail with past the place where a fault cuts
// it off.
var errCut = errors.New("edge: the body is cut off here")

// cutAfter is how much of a body passes before it is cut off, in bytes: less
// than any keyframe.
const cutAfter = 4 << 10

// staleBy is how long before its order a stale manifest stopped, when the
// order does not say.
const staleBy = time.Minute

// oversize is what the body of an oversize fault announces, in bytes.
const oversize = 1_000_000_000_000

// serve does what the faults order: the delays of all of them, and of those
// that change the answer the first.
func (x *exchange) serve(faults []fault.Fault) {
	var order fault.Fault
	var out http.ResponseWriter = x.out
	for _, f := range faults {
		switch f.Effect.Kind {
		case "first_byte":
			if shaper.Sleep(x.request.Context(), f.Effect.Delay()) != nil {
				panic(http.ErrAbortHandler)
			}
		case "bandwidth":
			part := min(max(f.Effect.Kbps*pace/8, 16), maxPart)
			out = &paced{ResponseWriter: out, line: x.edge.line(f, x.client), part: part, exchange: x}
		default:
			if order.ID == "" {
				order = f
			}
		}
	}
	switch order.Effect.Kind {
	case "status":
		x.fail(order.Effect.Status)
	case "origin_down":
		x.fail(http.StatusBadGateway)
	case "redirect":
		x.edge.sign(x.out.Header(), generated, 0)
		x.out.Header().Set("Access-Control-Allow-Origin", "*")
		http.Redirect(out, x.request, x.request.URL.RequestURI(), http.StatusFound)
	case "oversize":
		x.blanks(out)
	case "truncate", "reset", "stall":
		x.begin(out, order.Effect)
	default:
		x.answer(out, order)
	}
}

// answer serves the object, spoilt as ordered.
func (x *exchange) answer(out http.ResponseWriter, order fault.Fault) {
	at, stale := time.Now(), order.Effect.Kind == "stale"
	if stale {
		at = order.Since.Add(-cmp.Or(order.Effect.Delay(), staleBy))
	}
	reply := x.edge.config.Service.Reply(x.request, at)
	if reply.Status != 0 {
		x.fail(reply.Status)
		return
	}
	var found origin.Object
	var age time.Duration
	var err error
	switch {
	case reply.Own != nil:
		x.status, found, err = bypass, *reply.Own, x.travel()
	case stale && strings.HasPrefix(reply.Path, "/live/"):
		found, err = x.fetch(reply.Path, at)
	default:
		found, age, err = x.object(reply.Path)
	}
	if x.request.Context().Err() != nil {
		panic(http.ErrAbortHandler) // nobody listens any more
	}
	if err != nil {
		x.fail(http.StatusNotFound)
		return
	}
	found = spoil(found, order.Effect.Kind)
	x.edge.sign(out.Header(), x.status, age)
	found.Serve(out, x.request)
}

// begin serves the beginning of the body, then ends, resets or falls silent.
func (x *exchange) begin(out http.ResponseWriter, effect fault.Effect) {
	cut := &cutter{ResponseWriter: out}
	x.answer(cut, fault.Fault{})
	if !cut.done {
		return
	}
	control := http.NewResponseController(x.out)
	control.Flush() // fails only when the client has gone, which comes to the same
	ctx := x.request.Context()
	switch effect.Kind {
	case "truncate":
		return // the server ends the body where it is
	case "stall":
		silence := effect.Delay()
		if silence == 0 {
			<-ctx.Done()
		}
		shaper.Sleep(ctx, silence) // either way this is the end
	case "reset":
		connOf(x.request).reset(ctx)
	}
	panic(http.ErrAbortHandler)
}

// blanks announces a terabyte and sends blanks until the client has enough.
func (x *exchange) blanks(out http.ResponseWriter) {
	h := out.Header()
	h.Set("Content-Length", strconv.Itoa(oversize))
	h.Set("Content-Type", origin.TypeOf(x.request.URL.Path))
	h.Set("Access-Control-Allow-Origin", "*")
	x.edge.sign(h, miss, 0)
	if x.request.Method == http.MethodHead {
		return
	}
	block := []byte(strings.Repeat(" ", 32<<10))
	var err error
	for sent := 0; sent < oversize && err == nil && x.request.Context().Err() == nil; sent += len(block) {
		_, err = out.Write(block)
	}
	panic(http.ErrAbortHandler)
}

// line is the line that a bandwidth fault gives a client. Those of faults that
// are over are left behind: there are few.
func (e *Edge) line(f fault.Fault, client netip.Addr) *shaper.Link {
	type key struct {
		id     string
		since  time.Time
		client netip.Addr
	}
	l, _ := e.lines.LoadOrStore(key{f.ID, f.Since, client}, shaper.NewLink(f.Effect.Kbps))
	return l.(*shaper.Link)
}

// paced writes no faster than a line.
type paced struct {
	http.ResponseWriter
	line     *shaper.Link
	part     int // bytes written at once
	exchange *exchange
}

// A paced body is written every pace milliseconds, in parts of 16 bytes to
// maxPart.
const (
	pace    = 10
	maxPart = 16 << 10
)

func (p *paced) Write(b []byte) (n int, err error) {
	ctx := p.exchange.request.Context()
	control := http.NewResponseController(p.exchange.out)
	for len(b) > 0 {
		part := b[:min(len(b), p.part)]
		now := time.Now()
		end, _ := p.line.Reserve(len(part), now, now.Add(time.Hour))
		if err := shaper.Sleep(ctx, time.Until(end)); err != nil {
			return n, err
		}
		k, err := p.ResponseWriter.Write(part)
		n += k
		if err != nil {
			return n, err
		}
		if err := control.Flush(); err != nil {
			return n, err
		}
		b = b[k:]
	}
	return n, nil
}

// cutter lets the beginning of the announced body pass.
type cutter struct {
	http.ResponseWriter
	left int64
	set  bool
	done bool
}

func (c *cutter) Write(b []byte) (int, error) {
	if !c.set {
		c.set = true
		c.left = min(announced(c.Header())/2, cutAfter)
	}
	take := min(int64(len(b)), c.left)
	n, err := c.ResponseWriter.Write(b[:take])
	c.left -= int64(n)
	if err == nil && n < len(b) {
		c.done = true
		err = errCut
	}
	return n, err
}
