package player

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firstframe/firstframe/probes/dash"
	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/hls"
	"github.com/firstframe/firstframe/probes/run"
)

// hlsTitle is a multivariant playlist, or a media playlist alone.
type hlsTitle struct {
	*session
	p     *presentation
	multi *hls.Multivariant
	way                // with which playback starts
	rash  *hls.Variant // that the model chose before, see Model.Rash; nil: none

	// alone is the playlist that is there already: the media playlist without a
	// multivariant one, or that of the variant listed first. Its URI is empty
	// where there is none.
	alone    answer
	media    *hls.Media
	aloneURI string

	latest  *hls.Media // of the video, of whichever variant; nil before there was one
	suspect *suspect   // the video's playlist; nil: it moves, as far as can be told

	kept                 keptLists
	videoList, audioList hlsList // with which the tracks go on
	turned               turned
}

// playHLS goes on from a playlist: through a variant's and its audio's media
// playlists to their first segments.
func (s *session) playHLS(ctx context.Context, p *presentation, m answer, body []byte) error {
	list, err := hls.Parse(m.url, body)
	if err != nil {
		return manifestFailure(run.StepManifest, err, m.Moment)
	}
	h := &hlsTitle{session: s, p: p, multi: list.Multivariant}
	p.feed = h
	if err := s.model.refuses(m.url, list.Faults()); err != nil {
		return manifestFailure(run.StepManifest, err, m.Moment)
	}
	if list.Media != nil {
		h.alone, h.media = m, list.Media
		s.content = unknown
		return h.play(ctx, &title{renditions: []Rendition{{}}, at: m.Moment, find: h.find})
	}
	at, stop, err := h.steer(ctx, m.Moment)
	defer stop()
	if err != nil {
		return err
	}
	p.pathway = h.pathway
	renditions, err := h.choosable(at)
	if err != nil {
		return err
	}
	t := &title{renditions: renditions, captions: h.captionsUnknown(), at: at, find: h.find}
	// The audio is that of the variant that the model starts with: those of a
	// presentation have it in common.
	first := h.variants[s.model.Start(renditions, s.estimate(renditions))]
	if s.content != soundOnly {
		h.audio = h.multi.AudioFor(first)
	}
	t.separate = h.audio != nil
	p.separate = t.separate
	if v := h.before(first); v != nil {
		if t.at, err = h.primary(ctx, v, at); err != nil {
			return err
		}
	}
	return h.play(ctx, t)
}

// play plays the title. A live playlist that seems to stand still is looked at
// again after that: if it does, what was shown was the last of it.
func (h *hlsTitle) play(ctx context.Context, t *title) error {
	err := h.playTitle(ctx, h.p, t)
	if err != nil || h.suspect == nil {
		return err
	}
	h.p.standstill = true
	if err = h.confirm(ctx, h.suspect); err != nil {
		h.p.video = loaded{}
	}
	return err
}

// captionsUnknown tells whether the playlist leaves open whether there are
// closed captions (4.4.6.1, 4.4.6.2).
func (h *hlsTitle) captionsUnknown() bool {
	for i := range h.multi.Renditions {
		if h.multi.Renditions[i].Type == "CLOSED-CAPTIONS" {
			return false
		}
	}
	for _, v := range h.variants {
		if v.ClosedCaptions == "NONE" {
			return false
		}
	}
	return true
}

// primary asks for the playlist of a variant before all else.
func (h *hlsTitle) primary(ctx context.Context, v *hls.Variant, after Moment) (Moment, error) {
	uri := h.variantURI(&h.way, v)
	list, media, err := h.playlist(ctx, run.TrackVideo, uri, after, h.think.Playlist)
	if err != nil {
		return after, err
	}
	h.alone, h.media, h.aloneURI = list, media, uri
	return list.Moment, nil
}

// find gets a track's media playlist, and finds in it the segment at which the
// model starts.
func (h *hlsTitle) find(ctx context.Context, track string, rendition int, after Moment, again bool) (found, error) {
	think := h.think.Playlist
	switch {
	case again:
		think = h.think.SwitchPlaylist
	case track == run.TrackAudio:
		think = h.think.AudioPlaylist
	case h.p.separate:
		think = h.think.PlaylistBeside
	}
	uri := h.playlistURI(&h.way, track, rendition)
	list, media, step := h.alone, h.media, run.StepManifest
	if h.multi != nil {
		step = run.StepPlaylist
	}
	var err error
	known := false
	switch kept, ok := h.keptList(track, uri); {
	case ok:
		list, media, known = kept.answer, kept.media, true
		list.Moment = after
	case media == nil || h.multi != nil && (uri != h.aloneURI || again):
		if list, media, err = h.playlist(ctx, track, h.switchURI(uri, again), after, think); err != nil {
			return found{}, err
		}
	}
	if list, media, err = h.tuneIn(ctx, track, uri, list, media); err != nil {
		return found{}, err
	}
	h.kept.keep(uri, list, media)
	f, err := h.segments(track, step, list, media)
	h.note(track, uri, list, media, f.parts)
	f.known = known
	if track == run.TrackVideo {
		h.latest = media
		h.suspect = suspicious(uri, list, media)
	}
	if track == run.TrackVideo && h.model.parts(media) {
		f.beside = func(ctx context.Context) { h.keepUp(ctx, uri, list.Moment, media) }
	}
	return f, err
}

// playlist asks for a media playlist.
func (h *hlsTitle) playlist(ctx context.Context, track, uri string, after Moment, think time.Duration) (answer, *hls.Media, error) {
	var body bytes.Buffer
	list, err := h.request(ctx, ask{
		name: run.StepPlaylist, track: track, url: h.cfg.rewrite(uri), after: after, think: think,
		maxBytes: maxManifest, compress: true, reset: body.Reset, body: collect(&body),
		asked: func() {
			if track == run.TrackVideo {
				h.startTick()
			}
		},
	})
	if err != nil {
		return list, nil, err
	}
	media, err := h.parse(list.url, body.Bytes())
	if err != nil {
		return list, nil, manifestFailure(run.StepPlaylist, err, list.Moment)
	}
	list.body = body.Bytes()
	return list, media, nil
}

// segments finds in a media playlist what there is to load.
func (h *hlsTitle) segments(track string, step run.StepName, list answer, media *hls.Media) (found, error) {
	start, err := h.hlsPlace(media, ageOf(list.Header))
	if err != nil {
		return found{}, manifestFailure(step, err, list.Moment)
	}
	if track == run.TrackVideo {
		if err := h.p.hlsLive(list, media, start.behind); err != nil {
			f := asFailure(step, err)
			f.at = list.Moment
			return found{}, f
		}
	}
	h.noteStream(media.Live())
	seg, what := h.hlsAt(media, start)
	q, err := h.hlsParts(seg, what, track)
	if err != nil {
		return found{}, failed(run.ErrUnsupported, step, err.Error(), list.Moment)
	}
	q.partial = start.part >= 0
	for i := start.from; i < start.at; i++ {
		if s := &media.Segments[i]; !s.Gap {
			q.lead = append(q.lead, h.hlsRef(s.URI, s.ByteRange))
		}
	}
	q.start, q.plays = start.span(media, seg)
	f := found{parts: q, at: list.Moment, live: media.Live()}
	if start.at+1 < len(media.Segments) {
		next := h.hlsRef(media.Segments[start.at+1].URI, media.Segments[start.at+1].ByteRange)
		f.next, f.lasts = &next, media.Segments[start.at+1].Duration
	}
	f.ahead.Audio = seg.Duration
	if f.length, f.parts.after = seg.Duration, f.next; q.partial {
		f.length, f.parts.after = 0, nil
	}
	f.ahead.Longest = longest(media)
	for _, i := range probed(len(media.Segments), start.at, media.Live()) {
		f.probes = append(f.probes, h.hlsRef(media.Segments[i].URI, media.Segments[i].ByteRange))
	}
	return f, nil
}

// longest is the longest segment's duration as who adds up floating-point seconds
// has it: on demand a nanosecond more where the difference of two sums is rounded
// up. Shaka lets a track run ahead by less than that, and so by a segment that is as
// long as any other where there are enough of them (createSegments_ in
// hls/hls_parser.js, notifySegments in media/presentation_timeline.js). Of DASH it
// is [dash.Representation.Longest].
func longest(media *hls.Media) (d time.Duration) {
	end := 0.0
	for i := range media.Segments {
		plays := media.Segments[i].Duration
		begin, seconds := end, float64(plays)/1e9
		if end += seconds; end-begin > seconds && !media.Live() {
			plays++
		}
		d = max(d, plays)
	}
	return d
}

// probed are the segments, of n, in which Shaka looks for captions beside the
// one at first (getClosedCaptionProbeSegments_ in hls/hls_parser.js).
func probed(n, first int, live bool) []int {
	last := n - 1
	at := []int{last / 2, last}
	if live {
		at = []int{last * 3 / 4, last / 4}
	}
	taken := map[int]bool{first: true}
	var probes []int
	for _, want := range at {
		best := -1
		for i := range n {
			if !taken[i] && (best < 0 || distance(i, want) < distance(best, want)) {
				best = i
			}
		}
		if best >= 0 {
			taken[best] = true
			probes = append(probes, best)
		}
	}
	return probes
}

func distance(a, b int) int { return max(a-b, b-a) }

// hlsLive notes the mode and, of a live playlist, how old it is, and how far
// behind the live edge playback starts. The error is a fault: it has stopped
// moving.
func (p *presentation) hlsLive(list answer, media *hls.Media, behind time.Duration) error {
	p.mode = "vod"
	if !media.Live() {
		return nil
	}
	p.mode = "live"
	if media.LowLatency() {
		p.mode = "low_latency"
	}
	age := ageOf(list.Header)
	if end, ok := media.EndTime(); ok {
		age = max(0, serverTime(list.Header, list.At).Sub(end))
		p.age = &age
	}
	behind += age
	p.behind, p.edgeAt = &behind, list.At
	return stale(age, media.TargetDuration, media.StaleAfter())
}

// hlsParts is what the segment consists of, with what is to be asked for of its
// media.
func (s *session) hlsParts(seg *hls.Segment, what ref, track string) (parts, error) {
	q := s.thinking(parts{track: track, media: what}, seg.Map != nil || seg.Key != nil)
	q.protected = seg.Key != nil && (seg.Key.Method == hls.MethodSampleAES || seg.Key.Method == hls.MethodSampleAESCTR)
	var err error
	if q.key, err = s.hlsKey(seg.Key, seg.IV()); err != nil {
		return q, err
	}
	if seg.Map != nil {
		ref := s.hlsRef(seg.Map.URI, seg.Map.ByteRange)
		q.init = &ref
		if k := seg.Map.Key; k != nil {
			if q.initKey, err = s.hlsKey(k, k.IV); err != nil {
				return q, err
			}
		}
	}
	return q, nil
}

// hlsKey is what decrypts whole segments; nil where nothing does. With sample
// encryption sizes stay as they are, so that its timing needs no key.
func (s *session) hlsKey(k *hls.Key, iv [16]byte) (*keyRef, error) {
	if k == nil {
		return nil, nil
	}
	switch k.Method {
	case hls.MethodSampleAES, hls.MethodSampleAESCTR:
		return nil, nil
	case hls.MethodAES128, hls.MethodAES256GCM:
		if k.Format != hls.KeyFormatIdentity {
			return nil, fmt.Errorf("%s with KEYFORMAT %q, want %q", k.Method, k.Format, hls.KeyFormatIdentity)
		}
		return &keyRef{url: s.cfg.rewrite(k.URI), iv: iv, gcm: k.Method == hls.MethodAES256GCM}, nil
	}
	return nil, fmt.Errorf("EXT-X-KEY METHOD %q is not known", k.Method)
}

func (s *session) hlsRef(uri string, r hls.ByteRange) ref {
	out := ref{url: s.cfg.rewrite(uri)}
	if !r.IsWhole() {
		out.rng = &fetch.Range{Offset: r.Offset, Length: r.Length}
	}
	return out
}

// manifestFailure is the failure that a parser's error means.
func manifestFailure(step run.StepName, err error, at Moment) *failure {
	typ := run.ErrManifestInvalid
	switch {
	case errors.Is(err, hls.ErrBackwards):
		typ = run.ErrManifestStale
	case errors.Is(err, dash.ErrUnsupported):
		typ = run.ErrUnsupported
	case errors.Is(err, hls.ErrEmpty), errors.Is(err, dash.ErrEmpty):
		typ = run.ErrManifestEmpty
	case errors.Is(err, hls.ErrTooLarge), errors.Is(err, dash.ErrTooLarge):
		typ = run.ErrTooLarge
	}
	return failed(typ, step, err.Error(), at)
}

// collect gathers a body; its bound is the request's.
func collect(to *bytes.Buffer) func([]byte, time.Time) error {
	return func(p []byte, _ time.Time) error {
		to.Write(p)
		return nil
	}
}
