package player

import (
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
	to        *loaded
	feed      feed
	longest   time.Duration     // of both tracks' segments, as far as they are known
	next      func(Playing) int // nil: it stays with its rendition
	bandwidth Bandwidth         // nil: what the model assumes

	start, end time.Duration // of what has come
	playing    Playing
	after      Moment
}

// videoAhead asks for further segments of video on demand, as the model does, until
// ctx ends. That one fails holds nothing up.
func (s *session) videoAhead(ctx context.Context, p *presentation, longest time.Duration) {
	if s.model.VideoAhead == nil || p.mode != "vod" || p.video.segment == nil || ctx.Err() != nil {
		return
	}
	q := p.video.parts
	a := &ahead{session: s, to: &p.video, feed: p.feed, longest: longest, start: q.start, end: q.start + q.plays, after: *p.video.segment}
	s.ladder.mu.Lock()
	a.playing = Playing{Renditions: s.ladder.renditions, At: s.ladder.at, Kbps: s.ladder.estimate}
	s.ladder.mu.Unlock()
	a.playing.Segment, a.playing.Segments, a.playing.Length = q.plays, 1, p.feed.length()
	if m := &s.model.Buffering; m.Next != nil && m.Bandwidth != nil {
		a.next, a.bandwidth = m.Next(), m.Bandwidth()
		s.recall(a.bandwidth)
	}
	for range maxAhead {
		if !a.one(ctx) {
			return
		}
	}
}

// one asks for the next segment; false: nothing more is to come.
func (a *ahead) one(ctx context.Context) bool {
	seen := &a.playing
	seen.Ahead = a.end - a.start
	if a.bandwidth != nil {
		seen.Kbps, seen.FirstByte = a.bandwidth.Kbps(), a.bandwidth.FirstByte()
	}
	if !a.model.VideoAhead(Ahead{Held: seen.Ahead, Longest: a.longest}, *seen) {
		return false
	}
	was, from := seen.At, a.end
	if a.next != nil {
		seen.At = a.next(*seen)
		if a.model.Replaces && seen.kbps() > seen.Renditions[was].Kbps {
			from = a.start
		}
	}
	p, err := a.feed.next(ctx, run.TrackVideo, seen.At, from, a.after)
	if err != nil {
		return false
	}
	if !p.gap {
		if a.load(ctx, p, was != seen.At) != nil {
			return false
		}
		a.to.more = append(a.to.more, came{p.stretch, seen.At})
	}
	a.end, seen.Segment, seen.Segments = p.to, p.to-p.from, seen.Segments+1
	return true
}

// load gets a segment, of another rendition after its initialization segment.
func (a *ahead) load(ctx context.Context, p piece, another bool) error {
	think := a.think.NextSegment
	if another && p.init != nil {
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
		name: p.name, track: run.TrackVideo, url: p.media.url, rng: p.media.rng, others: p.media.others, after: a.after, think: think, maxBytes: maxSegment, length: p.to - p.from, ahead: a.playing.Ahead, metered: true,
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
