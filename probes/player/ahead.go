package player

import (
	"cmp"
	"context"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// maxAhead bounds the segments of video that come before separate audio does.
const maxAhead = 20

// ahead is video that goes on while separate audio is still to come. Nothing of it
// is needed for the first frame, but it shares the way with what is.
type ahead struct {
	*session
	feed      feed
	longest   time.Duration     // of both tracks' segments, as far as they are known
	next      func(Playing) int // nil: it stays with its rendition
	bandwidth Bandwidth         // nil: what the model assumes

	start, end time.Duration         // of what is held
	came       []arrived             // in turn, that with the first frame included
	plays      map[int]time.Duration // what the last segment of each rendition that has come plays
	playing    Playing
	after      Moment
}

// videoAhead asks for further segments of video on demand, as the model does, until
// ctx ends. That one fails holds nothing up.
func (s *session) videoAhead(ctx context.Context, p *presentation, longest time.Duration) {
	if s.model.VideoAhead == nil || p.mode != "vod" || p.video.segment == nil || ctx.Err() != nil {
		return
	}
	a := &ahead{session: s, feed: p.feed, longest: longest, start: p.video.parts.start, plays: map[int]time.Duration{}, after: *p.video.segment}
	s.ladder.mu.Lock()
	a.playing = Playing{Renditions: s.ladder.renditions, At: s.ladder.at, Kbps: s.ladder.estimate, Length: p.feed.length()}
	s.ladder.mu.Unlock()
	a.hold(arrived{stretch{a.start, a.start + p.video.parts.plays}, a.playing.At})
	for _, c := range p.video.more {
		a.hold(c)
	}
	if m := &s.model.Buffering; m.Next != nil && m.Bandwidth != nil {
		a.next, a.bandwidth = m.Next(), m.Bandwidth()
		s.recall(a.bandwidth)
	}
	for range maxAhead {
		if !a.one(ctx) {
			break
		}
	}
	p.video.more = a.came[1:]
}

// one asks for the next segment; false: nothing more is to come.
func (a *ahead) one(ctx context.Context) bool {
	seen := &a.playing
	seen.Ahead = a.end - a.start
	if a.bandwidth != nil {
		seen.Kbps, seen.FirstByte = cmp.Or(a.bandwidth.Kbps(), seen.Kbps), a.bandwidth.FirstByte()
	}
	if !a.model.VideoAhead(*seen, a.longest) {
		return false
	}
	p, err := a.feed.next(ctx, run.TrackVideo, seen.At, a.choose(), a.after)
	if err != nil {
		return false
	}
	if p.gap {
		a.end = p.to
		return true
	}
	if a.load(ctx, p) != nil {
		return false
	}
	a.hold(arrived{p.stretch, seen.At})
	return true
}

// hold takes note of a segment that has come.
func (a *ahead) hold(c arrived) {
	a.end, a.came, a.plays[c.rendition] = c.to, append(a.came, c), c.to-c.from
	a.playing.Segment, a.playing.Segments = c.to-c.from, a.playing.Segments+1
}

// choose takes the rendition of the next segment, where the model chooses, and
// answers where that begins: at the end of what is held, or before, where the model
// replaces that by a better one.
func (a *ahead) choose() (from time.Duration) {
	seen := &a.playing
	if a.next == nil {
		return a.end
	}
	seen.At = a.next(*seen)
	if replaces := a.model.Buffering.Replaces; replaces != nil {
		from := a.start + replaces(a.plays[seen.At])
		if from < a.end && lower(a.came, from, seen.Renditions, seen.At) {
			return from
		}
	}
	return a.end
}

// load gets a segment, after its initialization segment where that has not come.
func (a *ahead) load(ctx context.Context, p piece) error {
	think := a.think.NextSegment
	if p.init != nil && !a.hasInit(p.init) {
		got, err := a.request(ctx, ask{
			name: run.StepInit, track: run.TrackVideo, url: p.init.url, rng: p.init.rng, others: p.init.others, after: a.after, think: think, maxBytes: maxInit, metered: true,
		})
		if err != nil {
			return err
		}
		a.after, think = got.Moment, a.think.SegmentAfterInit
		a.cameInit(p.init)
	}
	got, err := a.request(ctx, ask{
		name: p.name, track: run.TrackVideo, url: p.media.url, rng: p.media.rng, others: p.media.others, after: a.after, think: think,
		maxBytes: maxSegment, length: p.to - p.from, ahead: a.playing.Ahead, metered: true,
	})
	if err != nil {
		return err
	}
	a.after = got.Moment
	if a.bandwidth != nil {
		a.bandwidth.Sample(got.FirstByte.Sub(got.Start), got.End.Sub(got.FirstByte), got.Bytes)
	}
	return nil
}
