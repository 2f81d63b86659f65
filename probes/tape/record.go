package tape

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/firstframe/firstframe/probes/bundle"
	"github.com/firstframe/firstframe/probes/fetch"
)

// Recorder keeps what passes between a player and its client. It is safe for
// concurrent use.
type Recorder struct {
	client Client
	limits Limits

	mu    sync.Mutex
	held  int64
	takes []*Take
}

// NewRecorder records the exchanges that client makes.
func NewRecorder(client Client, limits Limits) *Recorder {
	return &Recorder{client: client, limits: limits.withDefaults()}
}

// Take is one exchange as it was recorded, with all its secrets.
type Take struct {
	Request  fetch.Request   // without its functions
	Exchange *fetch.Exchange // the one that was answered with

	Size   int64    // of the body
	head   [][]byte // its beginning, in pieces
	held   int64    // bytes of these
	tail   []byte   // its end, of what is not in head: at most TailBytes
	pieces []piece
}

// piece is bytes that came together.
type piece struct {
	at time.Time
	n  int64
}

// Head is the body's beginning, as far as it is held; cut says that there is
// more.
func (t *Take) Head() (head []byte, cut bool) {
	return slices.Concat(t.head...), t.Size > t.held
}

// Do makes an exchange and records it, unless there are as many already as a
// bundle holds.
func (r *Recorder) Do(ctx context.Context, req fetch.Request) *fetch.Exchange {
	t := &Take{Request: req}
	if !r.begin(t) {
		return r.client.Do(ctx, req)
	}
	t.Request.Head, t.Request.Body, t.Request.Other = nil, nil, nil
	body := req.Body
	req.Body = func(p []byte, at time.Time) error {
		r.keep(t, p, at)
		if body == nil {
			return nil
		}
		return body(p, at)
	}
	other := req.Other
	req.Other = func(p []byte, at time.Time) {
		r.keep(t, p, at)
		if other != nil {
			other(p, at)
		}
	}
	x := r.client.Do(ctx, req)
	r.mu.Lock()
	defer r.mu.Unlock()
	t.Exchange = x
	return x
}

// begin puts an exchange on the list; false where that is full.
func (r *Recorder) begin(t *Take) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.takes) >= bundle.MaxExchanges {
		return false
	}
	r.takes = append(r.takes, t)
	return true
}

// keep keeps one piece of a body.
func (r *Recorder) keep(t *Take, p []byte, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(t.pieces); n == bundle.MaxPieces {
		t.pieces[n-1].at = at
		t.pieces[n-1].n += int64(len(p))
	} else {
		t.pieces = append(t.pieces, piece{at, int64(len(p))})
	}
	whole := t.Size == t.held
	t.Size += int64(len(p))
	if whole {
		room := max(r.limits.Total-r.held, least-t.held)
		n := max(min(int64(len(p)), r.limits.Body-TailBytes-t.held, room), 0)
		t.head = append(t.head, bytes.Clone(p[:n]))
		t.held += n
		r.held += n
		p = p[n:]
	}
	if t.tail = append(t.tail, p[max(0, len(p)-TailBytes):]...); len(t.tail) > TailBytes {
		t.tail = slices.Delete(t.tail, 0, len(t.tail)-TailBytes)
	}
}

// Pieces are the body's, with times since the exchange's start.
func (t *Take) Pieces() []bundle.Piece {
	var all []bundle.Piece
	for _, p := range t.pieces {
		all = append(all, bundle.Piece{AtMs: max(ms(p.at.Sub(t.Exchange.Start)), 0), Bytes: p.n})
	}
	return all
}

// Until is how many bytes of the body had come at an instant.
func (t *Take) Until(at time.Time) (n int64) {
	for _, p := range t.pieces {
		if p.at.After(at) {
			break
		}
		n += p.n
	}
	return n
}

// Ends are the body's beginning, about keep bytes of it, and the tail of so many
// bytes at its end: all of it, with no tail, where that is what is held. It is a
// copy.
func (t *Take) Ends(keep int64) (data []byte, tail int64) {
	head, _ := t.Head()
	data = append(head, t.tail...)
	held, whole := int64(len(data)), int64(len(data)) == t.Size
	if whole && keep >= t.held {
		return data, 0
	}
	keep = min(keep, t.held)
	keep -= keep % TailBytes
	if whole && keep+TailBytes >= t.Size {
		return data, 0
	}
	return append(data[:keep], data[held-TailBytes:]...), TailBytes
}

// Takes are the exchanges that have ended, in the order in which they began. It
// is to be called once the player is done.
func (r *Recorder) Takes() []*Take {
	r.mu.Lock()
	defer r.mu.Unlock()
	var done []*Take
	for _, t := range r.takes {
		if t.Exchange != nil {
			done = append(done, t)
		}
	}
	return done
}
