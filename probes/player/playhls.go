package player

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firstframe/firstframe/probes/hls"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/steering"
)

// hlsList is a track's media playlist as it goes on.
type hlsList struct {
	uri      string // to ask again
	way      *way   // of that; nil: the one with which playback started
	media    *hls.Media
	body     []byte        // of media, where it came as it is
	origin   time.Duration // where its first segment begins, on the presentation's timeline
	asked    time.Time     // when this copy was
	advanced bool          // it held something new
	moved    time.Time     // when the last that did came

	first stretch // what the first segment of the track holds
}

// minReload is the least time between two requests for a playlist or an MPD,
// where the server does not hold its answer.
const minReload = 100 * time.Millisecond

// note keeps the playlist from which a track starts.
func (h *hlsTitle) note(track, uri string, list answer, media *hls.Media, q parts) {
	*h.list(track) = hlsList{
		uri: uri, media: media, body: list.body, asked: list.Start, moved: list.At, advanced: true,
		first: stretch{q.start, q.start + q.plays},
	}
}

func (h *hlsTitle) list(track string) *hlsList {
	if track == run.TrackAudio {
		return &h.audioList
	}
	return &h.videoList
}

// starts is [feed.starts]: playback starts with the first video segment, whose
// playlist's start is that of the timeline.
func (h *hlsTitle) starts() (from time.Duration, video, audio stretch) {
	v, a := &h.videoList, &h.audioList
	if a.media != nil {
		a.origin = v.align(a.media, false)
		audio = stretch{a.first.from + a.origin, a.first.to + a.origin}
	}
	return v.first.from, v.first, audio
}

// beside is [feed.beside]: each track asks for its own playlist, and what is left is
// the steering server.
func (h *hlsTitle) beside(ctx context.Context, kbps func() float64) {
	h.keepSteering(ctx, func(u string) string { return steering.HLS(u, h.onWay().pathway, kbps()) }, h.follow)
}

// made is [feed.made]: what is sent while it is made are parts.
func (h *hlsTitle) made(time.Time) (time.Duration, bool) { return 0, false }

// length is [feed.length].
func (h *hlsTitle) length() time.Duration {
	if h.videoList.media.Live() {
		return 0
	}
	return h.videoList.media.Duration()
}

// align is where a playlist's first segment begins on the timeline of l: as its
// dates say, where both have them and it is another one, else as its media
// sequence numbers do; without any in common as their ends do, but of one on
// demand as their starts.
func (l *hlsList) align(media *hls.Media, same bool) time.Duration {
	if !l.media.Live() && !media.Live() {
		return l.origin
	}
	if len(l.media.Segments) > 0 && len(media.Segments) > 0 && !same {
		a, b := l.media.Segments[0].ProgramDateTime, media.Segments[0].ProgramDateTime
		if d := b.Sub(a); !a.IsZero() && !b.IsZero() && d.Abs() < l.media.Duration()+media.Duration() {
			return l.origin + d
		}
	}
	offset := time.Duration(0)
	for i := range media.Segments {
		if at, ok := l.at(media.Segments[i].Sequence); ok {
			return at - offset
		}
		offset += media.Segments[i].Duration
	}
	end := l.origin + l.media.Duration()
	if same {
		return end // all of it is new
	}
	return end - media.Duration()
}

// at is where the segment with that number begins. Numbers follow one another.
func (l *hlsList) at(sequence int64) (time.Duration, bool) {
	before, partial := l.media.Segments, l.media.Partial
	switch {
	case len(before) > 0 && sequence >= before[0].Sequence && sequence-before[0].Sequence < int64(len(before)):
		before = before[:sequence-before[0].Sequence]
	case partial == nil || partial.Sequence != sequence:
		return 0, false
	}
	at := l.origin
	for i := range before {
		at += before[i].Duration
	}
	return at, true
}

// next is [feed.next].
func (h *hlsTitle) next(ctx context.Context, track string, rendition int, from time.Duration, after Moment) (piece, error) {
	l, w := h.list(track), h.onWay()
	if h.model.Rebases && w != cmp.Or(l.way, &h.way) {
		h.rebase(track, l, w)
	}
	if uri := h.playlistURI(w, track, rendition); uri != l.uri {
		if err := h.change(ctx, track, uri, after); err != nil {
			return piece{}, err
		}
	}
	for {
		seg, part, at := l.find(from, h.model.parts(l.media))
		switch {
		case seg != nil:
			return h.piece(l, track, seg, part, at)
		case !l.media.Live():
			return piece{}, errOver
		}
		if err := h.renew(ctx, track, l); err != nil {
			return piece{}, err
		}
	}
}

// find is the segment that plays at from, or next after it; of one that is
// played part by part the part. It is nil where nothing is there yet.
func (l *hlsList) find(from time.Duration, inParts bool) (seg *hls.Segment, part *hls.Part, at time.Duration) {
	at = l.origin
	within := func(s *hls.Segment, parts []hls.Part) bool {
		for i := range parts {
			if part = &parts[i]; at+part.Duration > from+tolerance(part.Duration) {
				seg = s
				return true
			}
			at += part.Duration
		}
		return false
	}
	for i := range l.media.Segments {
		s := &l.media.Segments[i]
		start, end := at, at+s.Duration
		if inParts && len(s.Parts) > 0 && !s.Gap {
			if within(s, s.Parts) {
				return seg, part, at
			}
		} else if end > from+tolerance(s.Duration) {
			return s, nil, start
		}
		at = end
	}
	if inParts && l.media.Partial != nil && within(l.media.Partial, l.media.Parts) {
		return seg, part, at
	}
	return nil, nil, 0
}

// piece is a segment, or a part of it, as what there is to load.
func (h *hlsTitle) piece(l *hlsList, track string, seg *hls.Segment, part *hls.Part, at time.Duration) (piece, error) {
	p := piece{name: run.StepSegment, gap: seg.Gap, stretch: stretch{at, at + seg.Duration}}
	what := h.hlsRef(seg.URI, seg.ByteRange)
	if part != nil {
		p.name, p.gap, p.to = run.StepPart, part.Gap, at+part.Duration
		what = h.hlsRef(part.URI, part.ByteRange)
	}
	q, err := h.hlsParts(seg, what, track)
	if err != nil {
		return p, failed(run.ErrUnsupported, run.StepPlaylist, err.Error(), Moment{h.instant(), PressPlay})
	}
	p.media, p.init, p.initKey, p.key = q.media, q.init, q.initKey, q.key
	return p, nil
}

// change goes to the playlist of another rendition. One on demand that has come
// before is not asked for again.
func (h *hlsTitle) change(ctx context.Context, track, uri string, after Moment) error {
	l := h.list(track)
	if old, ok := h.kept.at(uri); ok {
		l.origin = l.align(old.media, false)
		l.uri, l.media, l.body = uri, old.media, old.body
		return nil
	}
	list, media, err := h.arrive(ctx, track, uri, after)
	if err != nil {
		return err
	}
	h.kept.keep(uri, list, media)
	l.origin = l.align(media, false)
	l.uri, l.media, l.body, l.asked, l.advanced, l.moved = uri, media, list.body, list.Start, true, list.At
	if track == run.TrackVideo {
		h.latest = media
	}
	return nil
}

// arrive is the playlist to go to, which may have been asked for before.
func (h *hlsTitle) arrive(ctx context.Context, track, uri string, after Moment) (answer, *hls.Media, error) {
	e, err := h.takeEarly(ctx, track, uri)
	switch {
	case err != nil:
		return answer{}, nil, err
	case e != nil:
		return e.list, e.media, nil
	case track == run.TrackVideo:
		return h.playlist(ctx, track, h.switchURI(uri, true), after, h.think.SwitchPlaylist)
	}
	return h.playlist(ctx, track, uri, after, h.think.SwitchPlaylist)
}

// renew asks for a live playlist again when it is time to (RFC 8216bis, 6.3.4);
// with parts, where the server holds its answer until there is more, at once.
func (h *hlsTitle) renew(ctx context.Context, track string, l *hlsList) error {
	if err := h.stuck(l); err != nil {
		return err
	}
	target := l.uri
	d, held := l.media.Next()
	if held = held && h.model.parts(l.media); held {
		target = d.URL(target)
	}
	wait := minReload
	if !held {
		wait = max(l.media.ReloadAfter(l.advanced), minReload)
	}
	if h.sleepUntil(ctx, l.asked.Add(wait)) != nil {
		return errGivenUp
	}
	l.asked, l.advanced = h.instant(), false
	list, media, advanced, err := h.reload(ctx, track, target, Moment{l.asked, PressPlay}, l.media)
	var f *failure
	if errors.As(err, &f) && f.typ == run.ErrManifestStale {
		return nil // an older copy: what holds it may have a newer one the next time
	}
	if err != nil {
		return err
	}
	l.origin = l.align(media, true)
	l.media, l.body, l.advanced = media, list.body, advanced
	if advanced {
		l.moved = h.instant()
	}
	if track == run.TrackVideo {
		h.latest = media
	}
	return nil
}

// stuck is the failure of a live playlist that has held nothing new for too
// long.
func (h *hlsTitle) stuck(l *hlsList) error {
	still := h.instant().Sub(l.moved)
	limit := max(time.Duration(staleAfter*float64(l.media.TargetDuration)), l.media.StaleAfter())
	if still <= limit || limit <= 0 {
		return nil
	}
	return failed(run.ErrManifestStale, run.StepPlaylist, fmt.Sprintf("nothing new in it for %v; with a target duration of %v that is too long",
		still.Round(time.Millisecond), l.media.TargetDuration), Moment{h.instant(), PressPlay})
}
