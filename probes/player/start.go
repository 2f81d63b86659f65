package player

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// title is what a manifest offers, and how a track's media are found in it: the
// one thing in which HLS and DASH differ once the manifest is there.
type title struct {
	renditions []Rendition // that the app can play, in the order listed
	separate   bool        // audio is a track of its own
	captions   bool        // it does not say whether there are any
	at         Moment      // from when on tracks can be asked for

	// find gives what there is to load of a track, which it may have to ask
	// for: a playlist, an index. Of video, rendition is the one to play; again
	// says that it is not the first.
	find func(ctx context.Context, track string, rendition int, after Moment, again bool) (found, error)
}

// found is what there is to load of a track.
type found struct {
	parts
	at     Moment // when that was known
	known  bool   // it was before, of a rendition to which the player comes back
	live   bool
	next   *ref          // the segment after the first; nil when there is none
	lasts  time.Duration // next, as the manifest says
	probes []ref         // segments in which captions are looked for beside the first
	ahead  Ahead         // what the model goes by before it asks for next

	// beside is what goes on until the first video segment is there; nil: nothing.
	beside func(context.Context)
}

// following is where the segment after the first plays.
func (f *found) following() stretch {
	end := f.start + f.plays
	return stretch{end, end + f.lasts}
}

// playTitle plays from a title: video and audio beside each other, from one
// rendition to another where the model changes it.
func (s *session) playTitle(ctx context.Context, p *presentation, t *title) error {
	estimate := s.estimate(t.renditions)
	first := s.model.Start(t.renditions, estimate)
	s.ladder = &ladder{renditions: t.renditions, estimate: estimate, first: first, at: first, failed: make([]bool, len(t.renditions)), over: make(chan Moment)}
	if s.model.Meter != nil {
		s.gauge = s.model.Meter.gauge(func(kbps float64, at Moment) { s.ladder.take(s.ladder.best(s.model.Start, kbps), at) })
	}
	s.muxed = !t.separate && p.format == "hls"
	if !t.separate {
		return s.playVideo(ctx, p, t, nil)
	}
	p.separate = true
	return s.tracks(ctx, p, t)
}

// pair is what two tracks tell one another.
type pair struct {
	video, audio chan found    // what is there to load; closed without where that failed
	told         bool          // video's was sent
	complete     chan Moment   // the first video segment; closed without where that failed
	longest      time.Duration // of the segments of both, as far as they are known; video's own

	videoThere, audioThere context.Context // ends when that track's first segment is there, or has failed
}

// tell tells audio what there is to load of video. Where the two join it waits for
// what there is of audio, from when on f can be loaded.
func (both *pair) tell(ctx context.Context, f *found, join bool) error {
	both.told = true
	both.video <- *f
	if !join {
		return nil
	}
	audio, err := meet(ctx, both.audio)
	if err != nil {
		return err
	}
	f.at = f.at.Later(audio.at)
	both.longest = max(f.ahead.Longest, audio.ahead.Longest)
	return nil
}

// tracks loads video and audio beside each other. Video's failure ends both
// when there can be no first frame any more; audio's only where the model's
// first frame needs audio.
func (s *session) tracks(ctx context.Context, p *presentation, t *title) error {
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	both := &pair{video: make(chan found, 1), audio: make(chan found, 1), complete: make(chan Moment, 1)}
	var endVideo, endAudio context.CancelFunc
	both.videoThere, endVideo = context.WithCancel(ctx)
	both.audioThere, endAudio = context.WithCancel(ctx)
	defer endAudio()

	var audioErr error
	var wg sync.WaitGroup
	wg.Go(func() {
		if audioErr = s.playAudio(ctx, p, t, both, endAudio); audioErr != nil && s.model.FrameAudio != NoAudio {
			giveUp()
		}
	})
	videoErr := s.playVideo(ctx, p, t, both)
	endVideo()
	if videoErr == nil {
		s.videoAhead(both.audioThere, p, both.longest)
	}
	if videoErr != nil && (p.video.keyframe == nil || s.whole(p)) {
		giveUp()
	}
	wg.Wait()
	p.silence = audioErr
	var f *failure
	if errors.As(videoErr, &f) || audioErr == nil || s.model.FrameAudio == NoAudio {
		return videoErr
	}
	return audioErr
}

// playVideo loads the first segment of the rendition that is to be played, as
// often as another one is taken.
func (s *session) playVideo(ctx context.Context, p *presentation, t *title, both *pair) error {
	if both != nil {
		defer close(both.complete)
		defer close(both.video)
	}
	after := t.at
	for again := false; ; again = true {
		err := s.playRendition(ctx, p, t, both, after, again)
		if turned := s.ladder.settle(); turned != nil && ctx.Err() == nil {
			after = *turned
			continue
		}
		if err == nil {
			if both != nil {
				both.complete <- *p.video.segment
			}
			return nil
		}
		var ok bool
		if after, ok = s.failOver(ctx, err); !ok {
			if errors.Is(ctx.Err(), context.Canceled) {
				return errGivenUp // audio has failed for good before video did
			}
			return err
		}
	}
}

// playRendition loads the first segment of the rendition that is to be played.
func (s *session) playRendition(ctx context.Context, p *presentation, t *title, both *pair, after Moment, again bool) error {
	whole := ctx
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	at := s.ladder.current(leave)
	p.video, p.rendition = loaded{}, t.renditions[at]
	f, err := t.find(ctx, run.TrackVideo, at, after, again)
	if err != nil {
		return err
	}
	switch {
	case f.known:
		f.thinkInit, f.thinkMedia = 0, 0
	case again:
		f.thinkInit, f.thinkMedia = s.think.SwitchSegment, s.think.SwitchSegment
	}
	probe := t.captions && s.model.Captions && s.content != soundOnly && !again
	if probe {
		return s.probeCaptions(whole, p, f, both)
	}
	if both != nil && !both.told {
		if err := both.tell(ctx, &f, s.model.Join); err != nil {
			return err
		}
	}
	return s.loadVideo(ctx, p, f)
}

// loadVideo loads the first video segment.
func (s *session) loadVideo(ctx context.Context, p *presentation, f found) error {
	if f.beside != nil {
		defer aside(ctx, f.beside)()
	}
	f.early = !s.whole(p)
	err := s.load(ctx, &p.video, f.parts, f.at)
	if p.keyframe == nil && !p.video.sound {
		p.keyframe = p.video.keyframe
	}
	return err
}

// probeCaptions loads the first video segment before all else, and some more in
// which captions are looked for: of fragmented MP4, where it cannot end at the
// first. What comes in is kept, but not measured
// (getBasicInfoFromSegments_ in Shaka's hls/hls_parser.js).
func (s *session) probeCaptions(ctx context.Context, p *presentation, f found, both *pair) error {
	s.ladder.settle()
	f.unmetered = true
	f.thinkInit, f.thinkMedia = s.think.Segment, s.think.Segment
	if err := s.loadVideo(ctx, p, f); err != nil {
		return err
	}
	after := *p.video.segment
	if f.init != nil {
		for _, r := range f.probes {
			got, err := s.request(ctx, ask{
				name: run.StepSegment, track: run.TrackVideo, url: r.url, rng: r.rng, after: after, think: s.think.NextSegment, maxBytes: maxSegment,
			})
			if err != nil {
				return err
			}
			after = got.Moment
		}
	}
	if both == nil {
		return nil
	}
	f.at = after
	if err := both.tell(ctx, &f, true); err != nil {
		return err
	}
	if s.runAhead(both.audioThere, run.TrackVideo, f.next, f.at, s.think.AfterCaptions) {
		p.video.more = append(p.video.more, arrived{f.following(), s.ladder.first})
	}
	return nil
}

// playAudio loads the first audio segment, and as long as the video's is not
// there the second, where the model does. there is called before the second.
func (s *session) playAudio(ctx context.Context, p *presentation, t *title, both *pair, there func()) error {
	defer there()
	f, err := s.findAudio(ctx, t, both)
	if err != nil {
		return err
	}
	if f.live && s.model.LiveAudioLast {
		complete, err := meet(ctx, both.complete)
		if err != nil {
			return err
		}
		f.at = f.at.Later(complete)
		f.thinkInit, f.thinkMedia = s.think.LiveAudio, s.think.LiveAudio
	}
	if err := s.load(ctx, &p.audio, f.parts, f.at); err != nil {
		var fail *failure
		if errors.As(err, &fail) && network(fail.typ) {
			s.hesitateAudio(ctx, f.parts, fail)
		}
		return err
	}
	there()
	f.ahead.Held = cmp.Or(p.audio.lasts, f.ahead.Audio)
	if s.model.AudioAhead != nil && s.model.AudioAhead(f.ahead) {
		if s.runAhead(both.videoThere, run.TrackAudio, f.next, *p.audio.segment, s.think.NextAudio) {
			p.audio.more = append(p.audio.more, arrived{f.following(), 0})
		}
	}
	return nil
}

// hesitateAudio waits before audio's failure counts, as it will in any case. When
// video goes over to another rendition meanwhile, the segment is asked for once
// more: both tracks then begin anew (disableStream in Shaka's player.js,
// switchInternal_ in media/streaming_engine.js).
func (s *session) hesitateAudio(ctx context.Context, q parts, fail *failure) {
	asking, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case at := <-s.ladder.over:
			s.runAhead(asking, run.TrackAudio, &q.media, at, s.think.NextAudio)
		case <-asking.Done():
		}
	})
	_, _ = s.hesitate(ctx, run.TrackAudio, fail)
	end()
	wg.Wait()
}

// findAudio finds what there is to load of audio, and waits for what is there of
// video where the model does.
func (s *session) findAudio(ctx context.Context, t *title, both *pair) (found, error) {
	defer close(both.audio)
	f, err := t.find(ctx, run.TrackAudio, 0, t.at, false)
	if err != nil || !s.model.Join && !s.model.AudioJoins {
		return f, err
	}
	both.audio <- f
	video, err := meet(ctx, both.video)
	if err != nil {
		return f, err
	}
	if s.model.AudioJoins && video.at.At.After(f.at.At) {
		f.thinkInit, f.thinkMedia = s.think.AudioJoined, s.think.AudioJoined
	}
	f.at = f.at.Later(video.at)
	f.ahead.Longest = max(f.ahead.Longest, video.ahead.Longest)
	if video.unmetered {
		f.thinkInit, f.thinkMedia = s.think.AfterCaptions, s.think.AfterCaptions
	}
	return f, nil
}

// await waits until a channel is closed, which counts where ctx has ended too. The
// error is errGivenUp.
func await(ctx context.Context, there <-chan struct{}) error {
	select {
	case <-there:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-there:
		return nil
	default:
		return errGivenUp
	}
}

// meet waits for what the other track has to tell.
func meet[T any](ctx context.Context, from <-chan T) (T, error) {
	select {
	case got, ok := <-from:
		if !ok {
			return got, errGivenUp
		}
		return got, nil
	case <-ctx.Done():
		var zero T
		return zero, errGivenUp
	}
}

// runAhead asks for a segment of a track that the first frame does not need, but
// which shares the way with what is needed; nil: there is none. It is given up when
// ctx ends. That it fails holds nothing up. It tells whether it came.
func (s *session) runAhead(ctx context.Context, track string, next *ref, after Moment, think time.Duration) bool {
	if next == nil || ctx.Err() != nil {
		return false
	}
	_, err := s.request(ctx, ask{
		name: run.StepSegment, track: track, url: next.url, rng: next.rng, after: after, think: think, maxBytes: maxSegment, metered: true,
	})
	return err == nil
}
