package player

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/hls"
	"github.com/firstframe/firstframe/probes/run"
)

// place is where playback of a media playlist starts.
type place struct {
	from   int           // the segment with which loading starts
	at     int           // the one that is shown first; the number of segments: the one that is being made
	part   int           // of it; -1: it is loaded whole; the number of parts: the one that is hinted at
	behind time.Duration // from there to the playlist's end
	hints  bool          // the model asks for what is hinted at
}

// parts tells whether the model plays a playlist part by part.
func (m *Model) parts(media *hls.Media) bool {
	return m.LowLatency && media.Live() && media.LowLatency()
}

// hlsPlace is where playback starts: where EXT-X-START says, else of a live
// playlist the model's distance from its edge, which has moved on while a cache
// held the playlist, but a target duration (with parts: a part's) from the end
// at least; else the first segment. Never a gap.
func (s *session) hlsPlace(media *hls.Media, age time.Duration) (place, error) {
	length, offset := media.Duration(), time.Duration(0)
	earlier := s.model.Earlier
	inParts := s.model.parts(media)
	if inParts {
		earlier = 0
	}
	switch {
	case media.Start != nil:
		offset = media.Start.TimeOffset
		if offset < 0 {
			offset += length
		}
	case media.Live():
		asked, least := media.ServerControl.HoldBack, media.TargetDuration
		if inParts {
			least = media.PartTarget
			if media.ServerControl.PartHoldBack > 0 {
				asked = media.ServerControl.PartHoldBack
			}
		}
		delay := s.model.LiveDelay(Live{Asked: asked, Target: media.TargetDuration, Newest: newestThree(media)})
		offset = min(length+age-delay, length-least)
	}
	w := place{hints: inParts, at: media.SegmentAt(offset), part: -1, from: media.SegmentAt(max(offset-earlier, 0))}
	if inParts {
		w.at, w.part = media.PartAt(offset)
		if w.part >= 0 {
			w.from = w.at
		}
	}
	return w, w.settle(media, length)
}

// newestThree is how long the three newest segments are together.
func newestThree(media *hls.Media) (d time.Duration) {
	for i := max(len(media.Segments)-3, 0); i < len(media.Segments); i++ {
		d += media.Segments[i].Duration
	}
	return d
}

// settle goes on to what is no gap, and reckons how far that is from the end of
// a playlist of that length.
func (w *place) settle(media *hls.Media, length time.Duration) error {
	w.behind = length
	for i := range media.Segments {
		s := &media.Segments[i]
		if i == w.at && w.part >= 0 {
			w.behind -= before(s.Parts, w.part)
			return nil
		}
		if i >= w.at && !s.Gap {
			w.at, w.part = i, -1
			return nil
		}
		w.behind -= s.Duration
	}
	if w.at == len(media.Segments) && w.part >= 0 {
		w.behind -= before(media.Parts, w.part)
		return nil
	}
	// Nothing but what is being made: its first part that is there, else the one
	// that is to come.
	for i, p := range media.Parts {
		if !p.Gap {
			w.at, w.part, w.from = len(media.Segments), i, len(media.Segments)
			return nil
		}
		w.behind -= p.Duration
	}
	if _, ok := media.Hint(); ok && w.hints {
		w.at, w.part, w.from = len(media.Segments), len(media.Parts), len(media.Segments)
		return nil
	}
	return fmt.Errorf("no segment to start with: %w", hls.ErrEmpty)
}

// span is where what is shown first begins in its playlist, and how long it
// plays.
func (w place) span(media *hls.Media, seg *hls.Segment) (start, plays time.Duration) {
	for i := range min(w.at, len(media.Segments)) {
		start += media.Segments[i].Duration
	}
	parts := media.Parts
	if w.at < len(media.Segments) {
		parts = seg.Parts
	}
	switch {
	case w.part < 0:
		return start, seg.Duration
	case w.part < len(parts):
		return start + before(parts, w.part), parts[w.part].Duration
	}
	return start + before(parts, len(parts)), media.PartTarget
}

// before is how long the first n parts are.
func before(parts []hls.Part, n int) (d time.Duration) {
	for i := range parts[:n] {
		d += parts[i].Duration
	}
	return d
}

// hlsAt is the segment, and what there is to ask for: its part, else the whole.
func (s *session) hlsAt(media *hls.Media, w place) (*hls.Segment, ref) {
	seg := media.Partial
	if w.at < len(media.Segments) {
		seg = &media.Segments[w.at]
	}
	if w.at == len(media.Segments) && w.part == len(media.Parts) {
		h, _ := media.Hint()
		return seg, s.hlsHint(h)
	}
	if w.part >= 0 {
		p := &seg.Parts[w.part]
		return seg, s.hlsRef(p.URI, p.ByteRange)
	}
	return seg, s.hlsRef(seg.URI, seg.ByteRange)
}

// hlsHint is a part that is to come, which may begin within a resource whose end
// is not known.
func (s *session) hlsHint(h hls.PreloadHint) ref {
	out := ref{url: s.cfg.rewrite(h.URI)}
	if h.ByteRange != (hls.ByteRange{}) {
		out.rng = &fetch.Range{Offset: h.ByteRange.Offset, Length: h.ByteRange.Length}
	}
	return out
}

// switchURI is the address at which the playlist of another variant is asked
// for: with what the last one reported of it, where the model plays part by part.
func (h *hlsTitle) switchURI(uri string, again bool) string {
	if again && h.latest != nil && h.model.parts(h.latest) {
		if d, ok := h.latest.Reported(uri); ok {
			return d.URL(uri)
		}
	}
	return uri
}

// maxTuneIn bounds the requests with which a player tunes in.
const maxTuneIn = 3

// tuneIn asks for a low-latency playlist as it is now, where a cache has held
// the copy that is there, as often as the answer is old too (RFC 8216bis,
// appendix C). A server that fails at it leaves the player with the copy it has;
// one that answers with an older one has gone stale.
func (h *hlsTitle) tuneIn(ctx context.Context, track, uri string, list answer, media *hls.Media) (answer, *hls.Media, error) {
	if !h.model.TuneIn || !h.model.parts(media) {
		return list, media, nil
	}
	for range maxTuneIn {
		d, ok := media.TuneIn(ageOf(list.Header))
		if !ok {
			break
		}
		next, newer, _, err := h.reload(ctx, track, d.URL(uri), list.Moment, media)
		var f *failure
		switch {
		case errors.As(err, &f) && f.typ == run.ErrManifestStale, errors.Is(err, errGivenUp):
			return list, media, err
		case err != nil:
			list.Moment = list.Later(f.at)
			return list, media, nil
		}
		list, media = next, newer
	}
	return list, media, nil
}

// reload asks for a media playlist again, and takes it as what follows media;
// advanced says whether it holds anything new. The error is a *failure, or
// errGivenUp.
func (h *hlsTitle) reload(ctx context.Context, track, target string, after Moment, media *hls.Media) (list answer, newer *hls.Media, advanced bool, err error) {
	var body bytes.Buffer
	list, err = h.request(ctx, ask{
		name: run.StepPlaylist, track: track, url: h.cfg.rewrite(target), after: after,
		maxBytes: maxManifest, compress: true, reset: body.Reset, body: collect(&body),
	})
	if err != nil {
		return list, nil, false, err
	}
	if newer, err = h.parse(list.url, body.Bytes()); err == nil {
		advanced, err = newer.Follow(media)
		list.body = body.Bytes()
	}
	if err == nil || errors.Is(err, hls.ErrRewritten) {
		return list, newer, advanced, nil
	}
	f := manifestFailure(run.StepPlaylist, err, list.Moment)
	h.blame(list.Step, f)
	return list, nil, false, f
}

// parse reads a media playlist that the model plays.
func (h *hlsTitle) parse(u string, body []byte) (media *hls.Media, err error) {
	if h.multi != nil {
		media, err = h.multi.ParseMedia(u, body)
	} else {
		var list *hls.Playlist
		if list, err = hls.Parse(u, body); err == nil {
			media = list.Media
		}
	}
	switch {
	case err != nil:
		return nil, err
	case media == nil:
		return nil, fmt.Errorf("%s: a multivariant playlist in place of a media playlist: %w", short(u), hls.ErrInvalid)
	}
	return media, h.model.refuses(u, media.Faults)
}

// refuses is the error that the first fault makes for which the model plays
// nothing; nil without one.
func (m *Model) refuses(u string, faults hls.Faults) error {
	for _, f := range faults {
		if slices.Contains(m.Refuses, f.Kind) {
			return fmt.Errorf("%s: %s refuses it: %s: %w", short(u), m, f, hls.ErrInvalid)
		}
	}
	return nil
}

// maxKeepUp bounds the requests with which a player keeps up while its first
// segment or part is on its way.
const maxKeepUp = 20

// keepUp asks a server that holds its answers for the next part, again and again
// until ctx ends, as players of low latency do beside loading the first. What
// fails of it is the step's alone.
func (h *hlsTitle) keepUp(ctx context.Context, uri string, after Moment, media *hls.Media) {
	for range maxKeepUp {
		d, ok := media.Next()
		if !ok || ctx.Err() != nil {
			return
		}
		d.Skip = media.ServerControl.CanSkipUntil > 0
		list, newer, advanced, err := h.reload(ctx, run.TrackVideo, d.URL(uri), after, media)
		if err != nil || !advanced {
			return
		}
		after, media = list.Moment, newer
	}
}
