package player

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/media"
	"github.com/firstframe/firstframe/probes/run"
)

// ref is one resource, or a part of it.
type ref struct {
	url    string
	rng    *fetch.Range
	others []string // where else it is

	known *resource // as which it is known wherever it is; nil: as this
}

// parts is what a track's first segment consists of, and the model's own time
// before it asks for each.
type parts struct {
	track   string
	start   time.Duration // of media, on the timeline of its manifest; 0 when not known
	init    *ref          // nil: the segment initializes itself
	initKey *keyRef       // what encrypts init
	lead    []ref         // segments that come before media, because the model starts earlier
	media   ref
	partial bool          // media is a part of a segment
	length  time.Duration // that media plays, as the player tells it; 0: not known
	plays   time.Duration // how long media plays
	after   *ref          // what comes after media; nil: not known
	key     *keyRef       // what encrypts media

	protected bool // samples of media are encrypted

	// initBody is the initialization segment where it came along with an index,
	// and initAt when.
	initBody []byte
	initAt   Moment

	unmetered bool // the model's meter does not count it
	early     bool // the first frame shows before media is complete

	thinkInit, thinkMedia, thinkKey time.Duration
}

// thinking fills in the model's own time before each part; beside: the segment
// is not asked for alone.
func (s *session) thinking(q parts, beside bool) parts {
	t := s.think
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
	keyframe *Moment // the first video keyframe complete, and all that it needs; of sound its first frame

	parts         parts         // what was loaded
	more          []arrived     // after that, before playback
	bytes         int64         // of the segment, as received
	lasts         time.Duration // of the segment, as far as its media tell
	fmp4          bool
	sound         bool // keyframe is one of sound
	codec         string
	width, height int
	reorder       int // pictures that are decoded before the first is shown
	footage       *Footage
}

// load gets a track's first segment with its initialization segment and its
// key, in the model's order.
func (s *session) load(ctx context.Context, to *loaded, q parts, after Moment) error {
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	w := &watch{session: s, parts: q, initThere: make(chan struct{}), mediaThere: make(chan struct{}), mediaStep: PressPlay}
	w.askKey = sync.OnceFunc(func() { close(w.mediaThere) })
	w.film = s.film(q.track)
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
	switch {
	case q.initBody != nil:
		begin(w.readInit)
	case q.init != nil:
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
	mediaThere        chan struct{} // closed when the first segment is there, for keys that come last
	askKey            func()        // closes mediaThere
	firstAt           Moment        // of mediaThere
	fragment          fragment

	mu        sync.Mutex
	init      *media.Init
	initCame  Moment
	mediaAt   Moment // complete
	mediaStep int    // the segment's last attempt; PressPlay where it did not end
	bytes     int64
	finder    *media.Finder
	film      *film
	into      media.Sink // the finder, and the film before it
	decrypter decrypter  // nil when the segment is clear
	some      bool       // of the segment's bytes some are there
	ended     bool       // and all
	spoilt    *failure   // what its key or initialization segment has shown of it
}

// loadInit gets the initialization segment.
func (w *watch) loadInit(ctx context.Context, after Moment, asked func()) error {
	if k, ok := w.takeInit(); ok {
		return w.initIs(k.init, k.at)
	}
	var reader *media.InitReader
	var sink media.Sink
	// It cannot be read without its key, and is small.
	after, think, err := w.afterKeys(ctx, after, w.thinkInit, w.initKey, asked)
	if err != nil {
		return err
	}
	a := ask{
		name: run.StepInit, track: w.track, url: w.parts.init.url, rng: w.parts.init.rng, others: w.parts.init.others, after: after, think: think,
		maxBytes: maxInit, asked: asked, metered: !w.unmetered, following: w.parts.after, seal: sealOf(w.parts.initKey, w.initKey),
		reset: func() {
			reader = new(media.InitReader)
			sink = w.film.init(reader)
			if w.initKey != nil {
				d := w.parts.initKey.decrypter(sink, w.model.Key)
				_ = d.SetKey(w.initKey.bytes, w.parts.initKey.iv[:], w.initKey.at.At) // of the right size, and nothing is held yet
				sink = d
			}
		},
		body: func(p []byte, at time.Time) error { return mediaFault(sink.Feed(p, at)) },
		done: func(x *fetch.Exchange) error { return mediaFault(sink.Close(x.End)) },
	}
	if w.model.InitTakesSegment {
		a.fails, a.retries = w.fragment.fails, w.fragment.retries
	}
	got, err := w.request(ctx, a)
	if err != nil {
		return err
	}
	w.keepInit(reader.Init(), got.Moment)
	return w.initIs(reader.Init(), got.Moment)
}

// readInit takes the initialization segment from what came along with an index.
func (w *watch) readInit(context.Context, Moment, func()) error {
	reader := new(media.InitReader)
	at := w.parts.initAt
	err := w.film.init(reader).Feed(w.initBody, at.At)
	if err == nil {
		err = reader.Close(at.At)
	}
	if err != nil {
		return failureOf(run.StepInit, err, at)
	}
	return w.initIs(reader.Init(), at)
}

// cameInit notes an initialization segment that need not be asked for again; nil:
// there is none.
func (s *session) cameInit(r *ref) {
	if r == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.began == nil {
		s.began = map[resource]bool{}
	}
	s.began[r.resource()] = true
}

// hasInit tells whether an initialization segment has come.
func (s *session) hasInit(r *ref) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.began[r.resource()]
}

// initIs notes the initialization segment.
func (w *watch) initIs(init *media.Init, at Moment) error {
	w.cameInit(w.parts.init)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.init, w.initCame = init, at
	close(w.initThere)
	if w.finder != nil {
		return w.spoil(w.finder.SetInit(init, at.At), at)
	}
	return nil
}

// afterKeys is when a part can be asked for that needs the key own at once, or
// any where the model asks for keys first; nil: none.
func (w *watch) afterKeys(ctx context.Context, after Moment, think time.Duration, own *key, asked func()) (Moment, time.Duration, error) {
	for _, k := range w.keys {
		if k != own && w.model.Key != KeyFirst {
			continue
		}
		asked()
		if err := await(ctx, k.there); err != nil {
			return after, think, err
		}
		after = after.Later(k.at)
		if w.model.Key == KeyFirst {
			think = w.think.SegmentAfterKey
		}
	}
	return after, think, nil
}

// loadMedia gets the media segment and searches it as it arrives: for the
// keyframe, or the first frame of sound.
func (w *watch) loadMedia(ctx context.Context, after Moment, asked func()) error {
	after, think, err := w.afterKeys(ctx, after, w.thinkMedia, nil, asked)
	if err != nil {
		return err
	}
	var called time.Time
	if w.parts.init != nil && (w.model.InitFirst || w.model.RangesInTurn && w.oneResource()) {
		if !w.model.InitFirst && len(w.lead) == 0 {
			called = after.At.Add(think)
		}
		if err = await(ctx, w.initThere); err != nil {
			return err
		}
		after, think = after.Later(w.initMoment()), w.think.SegmentAfterInit
		if w.track == run.TrackAudio {
			think = w.think.AudioAfterInit
		}
	}
	if after, think, err = w.loadLead(ctx, after, think, asked); err != nil {
		return err
	}
	got, err := w.fragment.load(ctx, ask{
		name: w.step(), track: w.track, url: w.media.url, rng: w.media.rng, others: w.media.others, after: after, called: called, think: think,
		maxBytes: maxSegment, asked: asked, metered: !w.unmetered, length: w.length, following: w.parts.after, seal: sealOf(w.parts.key, w.mediaKey),
		reset: w.reset,
		body:  func(p []byte, at time.Time) error { return w.feed(ctx, p, at) },
		done:  func(x *fetch.Exchange) error { return w.close(x.End) },
	}, w.request)
	if err != nil {
		return w.brokenOff(ctx, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mediaAt, w.mediaStep, w.bytes = got.Moment, got.Step, got.held+got.Bytes
	if w.firstAt.At.IsZero() {
		w.firstAt = got.Moment
	}
	w.askKey()
	return nil
}

// brokenOff answers err, which ended the segment, once there is what it takes to
// read what has come of it: that may hold the first frame, and does so whichever
// came first. Where that fails, it is what the start fails of.
func (w *watch) brokenOff(ctx context.Context, err error) error {
	var f *failure
	if !errors.As(err, &f) {
		return err
	}
	w.mu.Lock()
	w.mediaStep = f.at.Step
	readable := w.early && w.some && network(f.typ)
	w.mu.Unlock()
	if !readable {
		return err
	}
	if w.mediaKey != nil && w.model.Key != KeyLast && await(ctx, w.mediaKey.there) != nil ||
		w.parts.init != nil && await(ctx, w.initThere) != nil {
		return errGivenUp
	}
	return err
}

// loadLead gets the segments that come before the one that is shown, and answers
// when that can be asked for.
func (w *watch) loadLead(ctx context.Context, after Moment, think time.Duration, asked func()) (Moment, time.Duration, error) {
	for _, r := range w.lead {
		got, err := w.request(ctx, ask{
			name: run.StepSegment, track: w.track, url: r.url, rng: r.rng, others: r.others, after: after, think: think, maxBytes: maxSegment, asked: asked, metered: !w.unmetered,
		})
		if err != nil {
			return after, think, err
		}
		w.mu.Lock()
		if w.firstAt.At.IsZero() {
			w.firstAt = got.Moment
		}
		w.mu.Unlock()
		w.askKey()
		after, think = got.Moment, w.think.NextSegment
		if w.track == run.TrackAudio {
			think = w.think.NextAudio
		}
	}
	return after, think, nil
}

// first is when the first segment was there; where its key had to be asked for
// earlier, that is now, while it comes.
func (w *watch) first() Moment {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.firstAt.At.IsZero() {
		return Moment{w.instant(), w.last(w.step(), w.track)}
	}
	return w.firstAt
}

// last is the newest step of that name and track; PressPlay where there is none.
func (s *session) last(name run.StepName, track string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, n := range slices.Backward(s.nodes) {
		if n.Name == name && n.Track == track {
			return i
		}
	}
	return PressPlay
}

// initMoment is when the initialization segment came.
func (w *watch) initMoment() Moment {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.initCame
}

// oneResource tells whether init and media are ranges of one resource.
func (w *watch) oneResource() bool {
	return w.parts.init.rng != nil && w.media.rng != nil && w.parts.init.url == w.media.url
}
