// Package player presses play as a given player would: it asks for the
// manifest, chooses a rendition, loads playlists, keys, initialization
// segments and the first media segments in that player's order and
// parallelism, with its timeouts and retries, and knows when that player would
// have shown the first frame. [Play] is the entry; a [Model] is a player's
// behaviour as data.
//
// Bounds: a manifest or playlist has at most 16 MiB, a key 1 KiB, an
// initialization segment 4 MiB, a media segment 256 MiB (never held), a request
// 20 redirects, a run 500 requests.
package player

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// The bounds on what is asked for, in bytes.
const (
	maxManifest = 16 << 20
	maxKey      = 1 << 10
	maxInit     = 4 << 20
	maxSegment  = 256 << 20
)

// Config is what Play plays, and how.
type Config struct {
	URL    string        // the manifest's, as it is to be asked for
	Client *fetch.Client // one run's own
	Start  time.Time     // press play; zero means now
	Model  *Model        // nil: the default for the format that the manifest turns out to have
	App    run.App       // codecs, height and parameters; its requests' headers are Header
	Header http.Header   // of every request

	// Rewrite turns an absolute address that a manifest names into the one to
	// ask; nil leaves it as it is. An address with the host that a rewritten
	// manifest was asked at comes here too.
	Rewrite func(url string) string
	// Keep picks the headers that a step keeps; nil keeps none.
	Keep func(http.Header) map[string][]string
}

// Result is what came of pressing play. The instants are nil where they were
// not reached.
type Result struct {
	Start  time.Time // press play
	End    time.Time // the verdict: of a good run when it plays, not before the first frame
	Model  *Model    // that played
	Format string    // hls, dash; empty when it stayed unknown
	Mode   string    // vod, live, low_latency; empty when it stayed unknown

	Keyframe *time.Time // the last byte of the first video keyframe, all that it needs being there
	Frame    *time.Time // the first frame, as this player shows it
	Startup  *time.Time // this player starts to play

	Steps     []run.Step
	Exchanges []*fetch.Exchange // beside Steps; nil for a wait
	Phases    run.Phases        // of the critical path up to Frame; of a failed run up to End

	Error  run.ErrorType // empty when the first frame was reached
	Step   run.StepName  // where it failed
	Detail string

	BitrateKbps   float64 // of the rendition played, as the manifest says; 0 when it does not
	Width, Height int     // of the first frame; 0 when not known
	Codec         string  // of the first frame, RFC 6381; empty when not known

	LiveLatency *time.Duration // how far behind the live edge the first frame is
	PlaylistAge *time.Duration // how long ago the manifest's last segment ended
}

// presentation is what HLS and DASH have in common once a rendition is chosen.
// It is filled in by one goroutine, and read when all have ended.
type presentation struct {
	format, mode string
	rendition    Rendition
	separate     bool // audio is a track of its own

	video, audio loaded

	tickFrom time.Time      // when the video playlist was asked for; zero where there is none
	age      *time.Duration // of the manifest's end, by the server's clock
	position time.Time      // wall clock time of the media at the first frame; zero when not known
}

// Play presses play and returns when the player would be playing, or has
// failed. It does not return an error: failure is what it is there to find. When
// ctx is cancelled (not: its deadline passes) the result is of type internal.
func Play(ctx context.Context, cfg Config) *Result {
	s := &session{cfg: cfg, model: cfg.Model, start: cfg.Start}
	if s.start.IsZero() {
		s.start = time.Now()
	}
	if s.model == nil {
		s.model = Default(formatOfURL(cfg.URL))
	}
	var p presentation
	err := s.run(ctx, &p)
	return s.result(&p, err)
}

// run is the whole start-up: the manifest, then what its format asks for.
func (s *session) run(ctx context.Context, p *presentation) error {
	var body bytes.Buffer
	m, err := s.request(ctx, ask{
		name: run.StepManifest, url: s.cfg.URL, after: s.pressed(), think: s.model.Think.Manifest,
		maxBytes: maxManifest, compress: true, reset: body.Reset, body: collect(&body),
		done: func(*fetch.Exchange) error {
			var err error
			p.format, err = formatOf(body.Bytes())
			return err
		},
	})
	if err != nil {
		return err
	}
	if s.cfg.Model == nil {
		s.model = Default(p.format)
	}
	if !s.model.Plays(p.format) {
		return &failure{run.ErrUnsupported, run.StepManifest, fmt.Sprintf("%s does not play %s", s.model, p.format), m.Moment}
	}
	if p.format == "hls" {
		return s.playHLS(ctx, p, m, body.Bytes())
	}
	return s.playDASH(ctx, p, m, body.Bytes())
}

// tracks loads video and audio beside each other. Video's failure ends both;
// audio's only where the model's first frame needs audio.
func (s *session) tracks(ctx context.Context, p *presentation, video, audio func(context.Context) error) error {
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	var audioErr error
	audioDone := make(chan struct{})
	go func() {
		defer close(audioDone)
		if audio == nil {
			return
		}
		if audioErr = audio(ctx); audioErr != nil && s.model.FrameAudio != NoAudio {
			giveUp()
		}
	}()
	videoErr := video(ctx)
	if videoErr != nil && p.video.keyframe == nil {
		giveUp()
	}
	<-audioDone
	var fail *failure
	if errors.As(videoErr, &fail) || audioErr == nil || s.model.FrameAudio == NoAudio {
		return videoErr
	}
	return audioErr
}

// result judges the run and puts together what there is to know of it.
func (s *session) result(p *presentation, err error) *Result {
	r := &Result{
		Start: s.start, Model: s.model, Format: p.format, Mode: p.mode,
		BitrateKbps: p.rendition.Kbps, Width: p.rendition.Width, Height: p.rendition.Height,
		PlaylistAge: p.age,
	}
	for _, n := range s.nodes {
		r.Exchanges = append(r.Exchanges, n.exchange)
	}
	if k := p.video.keyframe; k != nil {
		r.Keyframe = &k.At
		r.Codec = p.video.codec
		if p.video.width > 0 {
			r.Width, r.Height = p.video.width, p.video.height
		}
	}
	frame, ok := s.firstFrame(p)
	if !ok {
		s.fail(r, err)
	} else {
		r.Frame, r.End = &frame.At, frame.At
		r.Phases = criticalPath(s.nodes, s.start, frame)
		if startup, ok := s.startup(p, frame); ok {
			r.Startup = &startup.At
			r.End = startup.At
		}
		if !p.position.IsZero() {
			latency := frame.At.Sub(p.position)
			r.LiveLatency = &latency
		}
		for _, n := range s.nodes {
			if n.end.After(r.End) {
				r.End = n.end
			}
		}
	}
	for _, n := range s.nodes {
		n.StartMs, n.EndMs = ms(n.start.Sub(s.start)), ms(n.end.Sub(s.start))
		r.Steps = append(r.Steps, n.Step)
	}
	return r
}

// fail writes why the run failed. Its verdict is the moment of the failure.
func (s *session) fail(r *Result, err error) {
	var f *failure
	switch {
	case errors.As(err, &f):
	case errors.Is(err, errGivenUp):
		f = &failure{run.ErrInternal, run.StepManifest, "cancelled", Moment{time.Now(), PressPlay}}
	default:
		f = &failure{run.ErrInternal, run.StepManifest, fmt.Sprintf("no first frame, and no reason: %v", err), Moment{time.Now(), PressPlay}}
	}
	r.Error, r.Step, r.Detail, r.End = f.typ, f.step, f.detail, f.at.At
	r.Phases = criticalPath(s.nodes, s.start, f.at)
}

// firstFrame is the moment at which the model shows the first frame: what it
// needs is there, its timer beats, its own work is done.
func (s *session) firstFrame(p *presentation) (Moment, bool) {
	needed := p.video.keyframe
	if s.model.WholeSegment {
		needed = p.video.segment
	}
	if needed == nil || p.video.keyframe == nil {
		return Moment{}, false
	}
	frame := needed.Later(*p.video.keyframe)
	if p.separate && s.model.FrameAudio != NoAudio {
		audio := p.audio.init
		if s.model.FrameAudio == AudioSegment {
			audio = p.audio.segment
		}
		if audio == nil {
			return Moment{}, false
		}
		frame = frame.Later(*audio)
		if t := s.model.Tick; t != nil && !p.tickFrom.IsZero() {
			return s.render(frame, t.next(p.tickFrom, frame.At).Sub(frame.At)), true
		}
	}
	return s.render(frame, s.model.render(p.video.fmp4, s.cfg.App.Set)), true
}

// next is when the frame shows whose last byte came at at.
func (t *Tick) next(from, at time.Time) time.Time {
	beats := (at.Add(t.After).Sub(from) + t.Period - 1) / t.Period
	return from.Add(beats * t.Period).Add(t.Offset)
}

// render keeps the player's own work before the picture as a step.
func (s *session) render(at Moment, d time.Duration) Moment {
	if d <= 0 {
		return at
	}
	n := &node{after: at, start: at.At, end: at.At.Add(d)}
	n.Step = run.Step{Name: run.WaitPlayer, Track: run.TrackVideo}
	s.nodes = append(s.nodes, n)
	return Moment{n.end, len(s.nodes) - 1}
}

// startup is the moment at which the model starts to play.
func (s *session) startup(p *presentation, frame Moment) (Moment, bool) {
	if !p.separate {
		return frame, true
	}
	if p.audio.segment == nil {
		return Moment{}, false
	}
	return frame.Later(*p.audio.segment), true
}
