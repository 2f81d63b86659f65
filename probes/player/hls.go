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

// playHLS goes on from a playlist: through a variant's and its audio's media
// playlists to their first segments.
func (s *session) playHLS(ctx context.Context, p *presentation, m answer, body []byte) error {
	list, err := hls.Parse(m.url, body)
	if err != nil {
		return manifestFailure(run.StepManifest, err, m.Moment)
	}
	if list.Media != nil {
		return s.hlsSegments(ctx, p, &p.video, run.TrackVideo, m, list.Media, nil)
	}
	multi := list.Multivariant
	variant, err := s.chooseVariant(p, multi, m.Moment)
	if err != nil {
		return err
	}
	audio := multi.AudioFor(variant)
	if audio == nil {
		return s.hlsTrack(ctx, p, &p.video, run.TrackVideo, multi, variant.URI, m.Moment, nil)
	}
	p.separate = true
	gate := make(chan Moment, 1) // the first video segment is complete; closed without a moment where it failed
	return s.tracks(ctx, p,
		func(ctx context.Context) error {
			defer close(gate)
			err := s.hlsTrack(ctx, p, &p.video, run.TrackVideo, multi, variant.URI, m.Moment, nil)
			if p.video.segment != nil {
				gate <- *p.video.segment
			}
			return err
		},
		func(ctx context.Context) error {
			return s.hlsTrack(ctx, p, &p.audio, run.TrackAudio, multi, audio.URI, m.Moment, gate)
		})
}

// chooseVariant picks the variant that the model starts with.
func (s *session) chooseVariant(p *presentation, multi *hls.Multivariant, at Moment) (*hls.Variant, error) {
	var variants []*hls.Variant
	var renditions []Rendition
	for i := range multi.Variants {
		v := &multi.Variants[i]
		if v.AudioOnly() {
			continue
		}
		variants = append(variants, v)
		renditions = append(renditions, Rendition{Kbps: float64(v.Bandwidth) / 1000, Width: v.Width, Height: v.Height, Codecs: v.Codecs})
	}
	if len(variants) == 0 {
		return nil, failed(run.ErrUnsupported, run.StepManifest, "only audio: there is no frame to show", at)
	}
	i, err := s.choose(renditions, at)
	if err != nil {
		return nil, err
	}
	p.rendition = renditions[i]
	return variants[i], nil
}

// hlsTrack loads a media playlist and the first segment of it. With a gate, a
// live stream's segment waits for what comes through it, where the model says
// so.
func (s *session) hlsTrack(ctx context.Context, p *presentation, to *loaded, track string, multi *hls.Multivariant, uri string, after Moment, gate <-chan Moment) error {
	think := s.model.Think.Playlist
	switch {
	case track == run.TrackAudio:
		think = s.model.Think.AudioPlaylist
	case p.separate:
		think = s.model.Think.PlaylistBeside
	}
	var body bytes.Buffer
	list, err := s.request(ctx, ask{
		name: run.StepPlaylist, track: track, url: s.cfg.rewrite(uri), after: after, think: think,
		maxBytes: maxManifest, compress: true, reset: body.Reset, body: collect(&body),
		done: func(x *fetch.Exchange) error {
			if track == run.TrackVideo {
				p.tickFrom = x.Start
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	media, err := multi.ParseMedia(list.url, body.Bytes())
	if err != nil {
		return manifestFailure(run.StepPlaylist, err, list.Moment)
	}
	return s.hlsSegments(ctx, p, to, track, list, media, gate)
}

// hlsSegments loads the segment at which the model starts.
func (s *session) hlsSegments(ctx context.Context, p *presentation, to *loaded, track string, list answer, media *hls.Media, gate <-chan Moment) error {
	step := run.StepPlaylist
	if s.node(list.Step).Name == run.StepManifest {
		step = run.StepManifest
	}
	seg, behind, err := s.hlsStart(media, ageOf(list.Header))
	if err != nil {
		return manifestFailure(step, err, list.Moment)
	}
	if track == run.TrackVideo {
		if err := p.hlsLive(list, media, behind); err != nil {
			f := asFailure(step, err)
			f.at = list.Moment
			return f
		}
	}
	parts, err := s.hlsParts(seg, track)
	if err != nil {
		return failed(run.ErrUnsupported, step, err.Error(), list.Moment)
	}
	after := list.Moment
	if gate != nil && media.Live() && s.model.LiveAudioLast {
		select {
		case complete, ok := <-gate:
			if !ok {
				return errGivenUp
			}
			after = after.Later(complete)
			parts.thinkInit, parts.thinkMedia = s.model.Think.LiveAudio, s.model.Think.LiveAudio
		case <-ctx.Done():
			return errGivenUp
		}
	}
	return s.load(ctx, to, parts, after)
}

// hlsStart is the segment at which playback starts, and how far its start is
// from the playlist's end: by EXT-X-START, else of a live playlist the model's
// distance from its edge, which has moved on while a cache held the playlist,
// but a target duration from the end at least; else the first. Never a gap.
func (s *session) hlsStart(media *hls.Media, age time.Duration) (*hls.Segment, time.Duration, error) {
	length, at := media.Duration(), 0
	switch {
	case media.Start != nil:
		offset := media.Start.TimeOffset
		if offset < 0 {
			offset += length
		}
		at = media.SegmentAt(offset)
	case media.Live():
		delay := s.model.LiveDelay(media.ServerControl.HoldBack, media.TargetDuration)
		at = media.SegmentAt(min(length+age-delay, length-media.TargetDuration))
	}
	behind := length
	for i := range media.Segments {
		seg := &media.Segments[i]
		if i >= at && !seg.Gap {
			return seg, behind, nil
		}
		behind -= seg.Duration
	}
	return nil, 0, fmt.Errorf("no segment to start with: %w", hls.ErrEmpty)
}

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
	return stale(age, media.TargetDuration)
}

// hlsParts is what the segment consists of.
func (s *session) hlsParts(seg *hls.Segment, track string) (parts, error) {
	q := s.think(parts{track: track, media: s.hlsRef(seg.URI, seg.ByteRange)}, seg.Map != nil || seg.Key != nil)
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
	case hls.MethodAES128:
		if k.Format != hls.KeyFormatIdentity {
			return nil, fmt.Errorf("AES-128 with KEYFORMAT %q, want %q", k.Format, hls.KeyFormatIdentity)
		}
		return &keyRef{url: s.cfg.rewrite(k.URI), iv: iv}, nil
	}
	return nil, fmt.Errorf("EXT-X-KEY METHOD %q cannot be played yet", k.Method)
}

func (s *session) hlsRef(uri string, r hls.ByteRange) ref {
	out := ref{url: s.cfg.rewrite(uri)}
	if !r.IsWhole() {
		out.rng = &fetch.Range{Offset: r.Offset, Length: r.Length}
	}
	return out
}

// manifestFailure is the failure that a parser's error means.
func manifestFailure(step run.StepName, err error, at Moment) error {
	typ := run.ErrManifestInvalid
	switch {
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
