package player

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/media"
	"github.com/firstframe/firstframe/probes/run"
)

// ref is one resource, or a part of it.
type ref struct {
	url string
	rng *fetch.Range
}

// keyRef is what decrypts whole segments: AES-128 in CBC mode.
type keyRef struct {
	url string
	iv  [16]byte
}

// parts is what a track's first segment consists of, and the model's own time
// before it asks for each.
type parts struct {
	track   string
	start   time.Duration // of media, on the timeline of its manifest; 0 when not known
	init    *ref          // nil: the segment initializes itself
	initKey *keyRef       // what encrypts init
	media   ref
	key     *keyRef // what encrypts media

	thinkInit, thinkMedia, thinkKey time.Duration
}

// think fills in the model's own time before each part; beside: the segment is
// not asked for alone.
func (s *session) think(q parts, beside bool) parts {
	t := &s.model.Think
	q.thinkInit, q.thinkMedia, q.thinkKey = t.Init, t.Segment, t.Key
	switch {
	case q.track == run.TrackAudio:
		q.thinkInit, q.thinkMedia = t.AudioInit, t.AudioSegment
	case beside:
		q.thinkMedia = t.SegmentBeside
	}
	return q
}

// loaded is what came of a track; the moments are nil where they were not
// reached.
type loaded struct {
	init     *Moment // complete; of a segment that initializes itself the same as segment
	segment  *Moment // complete, and its key there
	keyframe *Moment // the first video keyframe complete, and all that it needs

	fmp4          bool
	codec         string
	width, height int
}

// load gets a track's first segment with its initialization segment and its
// key, in the model's order.
func (s *session) load(ctx context.Context, to *loaded, q parts, after Moment) error {
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	w := &watch{session: s, parts: q, initThere: make(chan struct{})}
	w.mediaKey = w.need(q.key)
	w.initKey = w.need(q.initKey)

	var wg sync.WaitGroup
	var once sync.Once
	var first error
	var givenUp atomic.Bool
	// What goes out at once goes out in this order, as players send it: on one
	// connection an initialization segment behind its media holds the picture up.
	begin := func(part func(ctx context.Context, after Moment, asked func()) error) {
		sent := make(chan struct{})
		asked := sync.OnceFunc(func() { close(sent) })
		defer func() { <-sent }()
		wg.Go(func() {
			defer asked()
			err := part(ctx, after, asked)
			if err == nil {
				return
			}
			if errors.Is(err, errGivenUp) {
				givenUp.Store(true)
			} else {
				once.Do(func() { first = err })
			}
			giveUp()
		})
	}
	for _, k := range w.keys {
		begin(func(ctx context.Context, after Moment, asked func()) error { return w.loadKey(ctx, k, after, asked) })
	}
	if q.init != nil {
		begin(w.loadInit)
	}
	begin(w.loadMedia)
	wg.Wait()
	if first == nil && givenUp.Load() {
		first = errGivenUp
	}
	return w.outcome(to, first)
}

// watch is one segment on its way: what has come of its parts, and the search
// for its keyframe. The mutex guards all below it, and the search itself.
type watch struct {
	*session
	parts
	keys              []*key        // to load
	mediaKey, initKey *key          // of them; nil where that part is clear
	initThere         chan struct{} // closed when the initialization segment is there

	mu        sync.Mutex
	init      *media.Init
	initAt    Moment
	mediaAt   Moment // complete
	mediaStep int    // the segment's last attempt
	finder    *media.Finder
	decrypter *media.Decrypter // nil when the segment is clear
	ended     bool             // the segment's bytes are all there
}

// key is a key on its way. What is below there is to be read once that is
// closed.
type key struct {
	url   string
	there chan struct{}
	bytes []byte
	at    Moment
}

// ready tells whether the key is there.
func (k *key) ready() bool {
	select {
	case <-k.there:
		return true
	default:
		return false
	}
}

// need is the key that r asks for; nil where r is. The same resource is one key.
func (w *watch) need(r *keyRef) *key {
	if r == nil {
		return nil
	}
	for _, k := range w.keys {
		if k.url == r.url {
			return k
		}
	}
	k := &key{url: r.url, there: make(chan struct{})}
	w.keys = append(w.keys, k)
	return k
}

// loadKey gets a key.
func (w *watch) loadKey(ctx context.Context, k *key, after Moment, asked func()) error {
	var b []byte
	got, err := w.request(ctx, ask{
		name: run.StepKey, track: w.track, url: k.url, after: after, think: w.thinkKey, maxBytes: maxKey, asked: asked,
		reset: func() { b = nil },
		body:  func(p []byte, _ time.Time) error { b = append(b, p...); return nil },
		done: func(*fetch.Exchange) error {
			if len(b) != 16 {
				return &fault{run.ErrDecrypt, fmt.Errorf("a key of %d bytes, want 16 (RFC 8216bis, 4.4.4.4)", len(b))}
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	k.bytes, k.at = b, got.Moment
	close(k.there)
	if k != w.mediaKey || w.decrypter == nil {
		return nil
	}
	err = w.decrypter.SetKey(k.bytes, w.parts.key.iv[:], got.At)
	if err == nil && w.ended {
		err = w.search(got.At)
	}
	return w.failure(run.StepSegment, err, got.Moment)
}

// loadInit gets the initialization segment.
func (w *watch) loadInit(ctx context.Context, after Moment, asked func()) error {
	var reader *media.InitReader
	var sink media.Sink
	if w.initKey != nil {
		// It cannot be read without its key, and is small.
		asked()
		select {
		case <-w.initKey.there:
			after = after.Later(w.initKey.at)
		case <-ctx.Done():
			return errGivenUp
		}
	}
	got, err := w.request(ctx, ask{
		name: run.StepInit, track: w.track, url: w.parts.init.url, rng: w.parts.init.rng, after: after, think: w.thinkInit, maxBytes: maxInit, asked: asked,
		reset: func() {
			reader = new(media.InitReader)
			sink = reader
			if w.initKey != nil {
				d := media.NewDecrypter(reader)
				_ = d.SetKey(w.initKey.bytes, w.parts.initKey.iv[:], w.initKey.at.At) // of 16 bytes, and nothing is held yet
				sink = d
			}
		},
		body: func(p []byte, at time.Time) error { return mediaFault(sink.Feed(p, at)) },
		done: func(x *fetch.Exchange) error { return mediaFault(sink.Close(x.End)) },
	})
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.initAt = got.Moment
	w.init = reader.Init()
	close(w.initThere)
	if w.finder != nil {
		return w.failure(run.StepSegment, w.finder.SetInit(w.init, got.At), got.Moment)
	}
	return nil
}

// loadMedia gets the media segment and searches it for the keyframe as it
// arrives. Audio is only received.
func (w *watch) loadMedia(ctx context.Context, after Moment, asked func()) error {
	think := w.thinkMedia
	if w.parts.init != nil && (w.model.InitFirst || w.model.RangesInTurn && w.oneResource()) {
		select {
		case <-w.initThere:
			after, think = w.initAt, w.model.Think.SegmentAfterInit
		case <-ctx.Done():
			return errGivenUp
		}
	}
	a := ask{name: run.StepSegment, track: w.track, url: w.media.url, rng: w.media.rng, after: after, think: think, maxBytes: maxSegment, asked: asked}
	if w.track == run.TrackVideo {
		a.reset = w.reset
		a.body = func(p []byte, at time.Time) error { return w.feed(ctx, p, at) }
		a.done = func(x *fetch.Exchange) error { return w.close(x.End) }
	}
	got, err := w.request(ctx, a)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mediaStep = got.Step
	if err == nil {
		w.mediaAt = got.Moment
		return nil
	}
	w.mediaStep = PressPlay
	var f *failure
	if errors.As(err, &f) {
		w.mediaStep = f.at.Step
	}
	return err
}

// oneResource tells whether init and media are ranges of one resource.
func (w *watch) oneResource() bool {
	return w.parts.init.rng != nil && w.media.rng != nil && w.parts.init.url == w.media.url
}

// reset starts the search anew, for another attempt.
func (w *watch) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finder, w.decrypter, w.ended = media.NewFinder(), nil, false
	if w.init != nil {
		_ = w.finder.SetInit(w.init, w.initAt.At) // nothing is there that it could not fit
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
		at := w.initAt
		to.init = &at
	}
	if !w.mediaAt.At.IsZero() {
		at := w.mediaAt
		if w.mediaKey != nil && w.mediaKey.ready() {
			at = at.Later(w.mediaKey.at)
		}
		to.segment = &at
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
	if w.init != nil && !w.initAt.At.Before(k.At) {
		at = w.initAt
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
