// Package clocks is the time that a run goes by: the machine's ([System]), or in
// a replay one that stands still while anything runs and then leaps to what is
// due next ([Leaping]), so that half a minute of waiting for a server takes no
// time, and yet each event comes at its instant and in its order.
package clocks

import (
	"context"
	"sync"
	"time"
)

// Clock tells the time and calls when it has come.
type Clock interface {
	// Now is the time. Times of one clock are only to be compared with others of
	// it.
	Now() time.Time
	// AfterFunc calls f, which must not block, once d has passed. stop keeps it
	// from being called; false means that it was, or is about to be.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// System is the machine's clock: monotonic, and the wall clock.
var System Clock = system{}

type system struct{}

func (system) Now() time.Time { return time.Now() }

func (system) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}

// Sleep waits until t, or for the end of ctx, whose error it gives.
func Sleep(ctx context.Context, c Clock, t time.Time) error {
	d := t.Sub(c.Now())
	if d <= 0 {
		return ctx.Err()
	}
	over := make(chan struct{})
	defer c.AfterFunc(d, func() { close(over) })()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WithDeadline is context.WithDeadline by c. The end of the context returned
// must be brought about by calling cancel.
func WithDeadline(parent context.Context, c Clock, t time.Time) (ctx context.Context, cancel context.CancelFunc) {
	if c == System {
		return context.WithDeadline(parent, t)
	}
	d := &deadline{Context: parent, at: t, done: make(chan struct{})}
	stopParent := context.AfterFunc(parent, func() { d.end(parent.Err()) })
	stopClock := c.AfterFunc(t.Sub(c.Now()), func() { d.end(context.DeadlineExceeded) })
	return d, func() {
		stopParent()
		stopClock()
		d.end(context.Canceled)
	}
}

// WithTimeout is context.WithTimeout by c.
func WithTimeout(parent context.Context, c Clock, d time.Duration) (context.Context, context.CancelFunc) {
	return WithDeadline(parent, c, c.Now().Add(d))
}

// deadline is a context that ends at an instant of a clock, or with its parent.
type deadline struct {
	context.Context
	at   time.Time
	done chan struct{}

	mu  sync.Mutex
	err error // nil until done is closed
}

// end ends the context, unless it has ended.
func (d *deadline) end(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = err
		close(d.done)
	}
}

func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }
func (d *deadline) Done() <-chan struct{}       { return d.done }

func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}
