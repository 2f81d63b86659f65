package player

import (
	"context"
	"errors"
	"time"

	"github.com/firstframe/firstframe/probes/media"
	"github.com/firstframe/firstframe/probes/run"
)

// reset starts the search anew, for another attempt.
func (w *watch) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finder, w.decrypter, w.ended = media.NewFinder(), nil, false
	if w.init != nil {
		_ = w.finder.SetInit(w.init, w.initCame.At) // nothing is there that it could not fit
	}
	if w.mediaKey != nil {
		w.decrypter = media.NewDecrypter(w.finder)
		if w.mediaKey.ready() {
			_ = w.decrypter.SetKey(w.mediaKey.bytes, w.parts.key.iv[:], w.mediaKey.at.At) // of 16 bytes, and nothing is held yet
		}
	}
}

// sink is where the segment's bytes go.
func (w *watch) sink() media.Sink {
	if w.decrypter != nil {
		return w.decrypter
	}
	return w.finder
}

// feed passes on what has arrived. Where no more ciphertext can be held it
// waits for the key, and the sender with it.
func (w *watch) feed(ctx context.Context, p []byte, at time.Time) error {
	w.mu.Lock()
	err := w.sink().Feed(p, at)
	w.mu.Unlock()
	if !errors.Is(err, media.ErrFull) {
		return mediaFault(err)
	}
	w.askKey()
	select {
	case <-w.mediaKey.there:
	case <-ctx.Done():
		return errGivenUp
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return mediaFault(w.sink().Feed(p, at))
}

// close ends the segment.
func (w *watch) close(at time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	return mediaFault(w.search(at))
}

// search ends the search for the keyframe: all bytes are there. What is still
// to come is no failure yet.
func (w *watch) search(at time.Time) error {
	err := w.sink().Close(at)
	if errors.Is(err, media.ErrNoInit) && w.parts.init != nil || errors.Is(err, media.ErrNoKey) {
		return nil
	}
	return err
}

// outcome says what has come of the segment; err is what ended it.
func (w *watch) outcome(to *loaded, err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.init != nil {
		at := w.initCame
		to.init = &at
	}
	if !w.mediaAt.At.IsZero() {
		at := w.mediaAt
		if w.mediaKey != nil && w.mediaKey.ready() {
			at = at.Later(w.mediaKey.at)
		}
		to.segment, to.bytes = &at, w.bytes
		if w.parts.init == nil {
			to.init = &at
		}
	}
	if w.track != run.TrackVideo || w.finder == nil {
		return err
	}
	k, ok := w.finder.Keyframe()
	if !ok {
		if err == nil {
			err = failed(run.ErrNoKeyframe, run.StepSegment, "no keyframe with this initialization segment", w.mediaAt)
		}
		return err
	}
	at := Moment{k.At, w.mediaStep}
	if w.init != nil && !w.initCame.At.Before(k.At) {
		at = w.initCame
	}
	if k := w.mediaKey; k != nil && k.ready() && !k.at.At.Before(at.At) {
		at = k.at
	}
	to.keyframe = &at
	to.codec, to.width, to.height = k.Codec, k.Width, k.Height
	to.fmp4 = k.Kind == media.Sync
	return err
}

// failure is a failure that another part of the segment brought to light.
func (w *watch) failure(step run.StepName, err error, at Moment) error {
	if err = mediaFault(err); err == nil {
		return nil
	}
	f := asFailure(step, err)
	f.at = at
	return f
}

// mediaFault is the fault that an error of package media means.
func mediaFault(err error) error {
	if err == nil {
		return nil
	}
	typ := run.ErrInternal
	switch {
	case errors.Is(err, media.ErrTruncated):
		typ = run.ErrSegmentTruncated
	case errors.Is(err, media.ErrNoKeyframe):
		typ = run.ErrNoKeyframe
	case errors.Is(err, media.ErrDecrypt):
		typ = run.ErrDecrypt
	case errors.Is(err, media.ErrInvalid), errors.Is(err, media.ErrNoInit):
		typ = run.ErrMediaInvalid
	}
	return &fault{typ, err}
}
