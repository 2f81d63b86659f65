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
	again chan Moment        // when that is to be made again; nil: it is not to be
}

// fails drops the segment that is under way: its initialization segment has failed.
func (f *fragment) fails() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.drop == nil {
		return
	}
	f.drop()
	f.drop, f.again = nil, make(chan Moment, 1)
}

// retries has a segment that was dropped asked for again.
func (f *fragment) retries(at Moment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case f.again <- at:
	default: // it was not dropped, or had come when it was: nobody waits
	}
}

// load makes the segment's request, as often as it is dropped.
func (f *fragment) load(ctx context.Context, a ask, request func(context.Context, ask) (answer, error)) (answer, error) {
	for {
		got, err := f.once(ctx, a, request)
		f.mu.Lock()
		again := f.again
		f.mu.Unlock()
		if again == nil || !errors.Is(err, errGivenUp) {
			return got, err
		}
		select {
		case a.after = <-again:
			a.think = 0
		case <-ctx.Done():
			return answer{}, errGivenUp
		}
	}
}

func (f *fragment) once(ctx context.Context, a ask, request func(context.Context, ask) (answer, error)) (answer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f.mu.Lock()
	f.drop, f.again = cancel, nil
	f.mu.Unlock()
	got, err := request(ctx, a)
	f.mu.Lock()
	f.drop = nil
	f.mu.Unlock()
	return got, err
}
