package player

import (
	"context"
	"errors"
	"sync"
)

// fragment is a segment and its initialization segment where the model takes them
// for one: when the latter fails, what has come of the former is dropped, and both
// are asked for again. Its zero value is ready; it is safe for concurrent use.
type fragment struct {
	mu    sync.Mutex
	drop  context.CancelFunc // ends the segment's request; nil while there is none
	again chan struct{}      // closed when the initialization segment is tried again; nil: it has not failed
	at    Moment             // when it was, last
}

// fails drops the segment, where it is under way, and holds it: its initialization
// segment has failed. Unless all ends, retries follows.
func (f *fragment) fails() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.drop != nil {
		f.drop()
		f.drop = nil
	}
	f.again = make(chan struct{})
}

// retries lets a segment that is held be asked for.
func (f *fragment) retries(at Moment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.again)
	f.at, f.again = at, nil
}

// load makes the segment's request, as often as it is dropped.
func (f *fragment) load(ctx context.Context, a ask, request func(context.Context, ask) (answer, error)) (answer, error) {
	for {
		once, err := f.ready(ctx, &a)
		if err != nil {
			return answer{}, err
		}
		got, err := request(once, a)
		if !f.dropped() || !errors.Is(err, errGivenUp) || ctx.Err() != nil {
			return got, err
		}
	}
}

// ready waits while the segment is held, and answers with what its request ends
// when it is dropped.
func (f *fragment) ready(ctx context.Context, a *ask) (context.Context, error) {
	for {
		f.mu.Lock()
		held := f.again
		if held == nil {
			if f.at.At.After(a.after.At) {
				a.after, a.think = f.at, 0
			}
			ctx, f.drop = context.WithCancel(ctx)
			f.mu.Unlock()
			return ctx, nil
		}
		f.mu.Unlock()
		if err := await(ctx, held); err != nil {
			return nil, err
		}
	}
}

// dropped ends a request, and tells whether it was dropped before.
func (f *fragment) dropped() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.drop == nil {
		return true
	}
	f.drop()
	f.drop = nil
	return false
}
