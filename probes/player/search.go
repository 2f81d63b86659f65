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
	w.finder, w.decrypter, w.some, w.ended = media.NewFinder(), nil, false, false
	switch {
	case w.track == run.TrackAudio, w.content == soundOnly:
		w.finder = media.NewAudioFinder()
	case w.content == unknown:
		w.finder = media.NewAnyFinder()
	}
	w.into = w.film.segment(w.finder)
	if w.init != nil {
		_ = w.finder.SetInit(w.init, w.initCame.At) // nothing is there that it could not fit
	}
	if w.mediaKey != nil {
		w.decrypter = w.parts.key.decrypter(w.into, w.model.Key)
		if w.mediaKey.ready() {
			_ = w.decrypter.SetKey(w.mediaKey.bytes, w.parts.key.iv[:], w.mediaKey.at.At) // of the right size, and nothing is held yet
		}
	}
}

// sink is where the segment's bytes go.
func (w *watch) sink() media.Sink {
	if w.decrypter != nil {
		return w.decrypter
	}
	return w.into
}

// feed passes on what has arrived. Where no more ciphertext can be held it
// waits for the key, and the sender with it.
func (w *watch) feed(ctx context.Context, p []byte, at time.Time) error {
	w.mu.Lock()
	w.some = true
	err := w.sink().Feed(p, at)
	w.mu.Unlock()
	if !errors.Is(err, media.ErrFull) {
		return mediaFault(err)
	}
	w.askKey()
	if err = await(ctx, w.mediaKey.there); err != nil {
		return err
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

// step is what the media segment is: a part of a segment is a step of its own
// kind.
func (w *watch) step() run.StepName {
	if w.parts.partial {
		return run.StepPart
	}
	return run.StepSegment
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
	if w.spoilt != nil {
		w.blame(w.last(w.step(), w.track), w.spoilt)
		w.mediaAt = Moment{} // it is not there
	}
	// Audio that turned out to be none is as good as missing.
	silent := w.track == run.TrackAudio && (w.finder == nil || !heard(w.finder))
	if !w.mediaAt.At.IsZero() && !silent {
		at := w.mediaAt
		if w.mediaKey != nil && w.mediaKey.ready() {
			at = at.Later(w.mediaKey.at)
		}
		to.segment, to.bytes, to.parts = &at, w.bytes, w.parts
		if w.parts.init == nil {
			to.init = &at
		}
	}
	if w.finder == nil {
		return err
	}
	to.lasts, _ = w.finder.Duration()
	k, ok := w.finder.Keyframe()
	if !ok && err == nil {
		typ, what := run.ErrNoKeyframe, "no keyframe"
		if w.track == run.TrackAudio || w.content == soundOnly {
			typ, what = run.ErrMediaInvalid, "no sound"
		}
		f := failed(typ, w.step(), what+" with this initialization segment", w.mediaAt)
		w.blame(w.mediaAt.Step, f)
		err = f
	}
	if !ok || w.track == run.TrackAudio {
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
	to.codec, to.width, to.height, to.reorder = k.Codec, k.Width, k.Height, k.Reorder
	to.footage = w.film.footage(w.parts, w.init)
	to.fmp4, to.sound = w.finder.Fragmented(), k.Kind == media.Frame
	return err
}

// heard tells whether a frame of sound was found.
func heard(f *media.Finder) bool {
	_, ok := f.Keyframe()
	return ok
}

// spoil notes an error of the segment, of which all may have come before, that its
// key or initialization segment has brought to light; nil: none. The mutex is held.
func (w *watch) spoil(err error, at Moment) error {
	if err == nil {
		return nil
	}
	w.spoilt = failureOf(w.step(), err, at)
	return w.spoilt
}

// failureOf is the failure that an error of package media means.
func failureOf(step run.StepName, err error, at Moment) *failure {
	f := asFailure(step, mediaFault(err))
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
	case errors.Is(err, media.ErrUnsupported):
		typ = run.ErrUnsupported
	case errors.Is(err, media.ErrInvalid), errors.Is(err, media.ErrNoInit), errors.Is(err, media.ErrNoAudio):
		typ = run.ErrMediaInvalid
	}
	return &fault{typ, err}
}
