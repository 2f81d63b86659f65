// Package player presses play as a given player would: it asks for the
// manifest, chooses a rendition, loads playlists, keys, initialization
// segments and the first media segments in that player's order and
// parallelism, with its timeouts and retries, and knows when that player would
// have shown the first frame. [Play] is the entry; a [Model] is a player's
// behaviour as data.
//
// Bounds: a manifest or playlist has at most 16 MiB, a steering manifest 256
// KiB, a key or a clock 1 KiB, a segment index 1 MiB, the answer of a service's
// own interface 1 MiB, an initialization segment 4 MiB, a media segment 256 MiB
// (never held; 64 MiB, and held, under AES-256-GCM), a request 20 redirects, a
// run 500 requests until it plays, and 5000 more while it plays on.
package player

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/firstframe/firstframe/probes/clocks"
	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// The bounds on what is asked for, in bytes.
const (
	maxManifest = 16 << 20
	maxKey      = 1 << 10
	maxClock    = 1 << 10
	maxIndex    = 1 << 20 // 65535 references of 12 bytes, and what stands before them
	maxInit     = 4 << 20
	maxSegment  = 256 << 20
)

// Config is what Play plays, and how.
type Config struct {
	URL    string       // the manifest's, as it is to be asked for
	Client Client       // one run's own
	Clock  clocks.Clock // nil: the machine's
	Seed   uint64       // of what the player leaves to chance; 0: another one each time
	Start  time.Time    // press play; zero means now
	Model  *Model       // nil: the default for the format that the manifest turns out to have
	App    run.App      // codecs, height and parameters; its requests' headers are Header
	Header http.Header  // of every request
	API    *API         // asked before the manifest, whose URL it gives; nil: there is none

	// Rewrite turns an absolute address that a manifest or a redirect names
	// into the one to ask; nil leaves it as it is. Addresses that it made come
	// here again, as what relative ones are resolved against.
	Rewrite func(url string) string
	// CMCD is what the player tells CDNs with each request.
	CMCD CMCD
	// Timeout is of the start; 0: there is none but the context's.
	Timeout time.Duration
	// PlayOn is how long to play on after the start, of media; 0: not at all. It
	// may take that time twice, and Timeout, for stalls.
	PlayOn time.Duration
	// Footage asks for the result's.
	Footage bool
	// Keep picks the headers that a step keeps; nil keeps none.
	Keep func(http.Header) map[string][]string
}

// Client makes one exchange at a time: a [fetch.Client], or what stands in for
// one.
type Client interface {
	Do(ctx context.Context, req fetch.Request) *fetch.Exchange
}

// Result is what came of pressing play. The instants are nil where they were
// not reached.
type Result struct {
	Start  time.Time // press play
	End    time.Time // the verdict: of a good run when it plays, not before the first frame
	Model  *Model    // that played
	Format string    // hls, dash; empty when it stayed unknown
	Mode   string    // vod, live, low_latency; empty when it stayed unknown

	Pathway string // that content steering chose, or service location; empty when there is none

	Keyframe *time.Time // the last byte of the first video keyframe, all that it needs being there; nil of sound only
	Frame    *time.Time // the first frame, as this player shows it; of sound only when it is heard first
	Startup  *time.Time // this player starts to play

	Steps     []run.Step
	Exchanges []*fetch.Exchange // beside Steps; nil for a wait
	Sealed    []*Sealed         // beside Steps; what the answer was encrypted with, nil where with nothing or the key did not come
	Started   int               // of Steps, those of the start
	Unkept    int               // requests while playing on that are not among Steps
	Phases    run.Phases        // of the critical path up to Frame; without one up to End

	// Played is what came of playing on; nil: it was not asked for, or there was
	// nothing to play.
	Played *Played

	Error  run.ErrorType // empty when the first frame was reached, and playing on did not break off
	Step   run.StepName  // where it failed
	Detail string

	BitrateKbps   float64 // of the rendition played, as the manifest says; 0 when it does not
	Sound         bool    // there are no pictures, as far as is known: all tracks are audio
	Width, Height int     // of the first frame; 0 when not known
	Codec         string  // of the first frame, of sound only of that; RFC 6381; empty when not known

	// Footage is what the first frame was shown from; nil where it was not asked
	// for, or there was none, or it was sound.
	Footage *Footage

	LiveLatency *time.Duration // how far behind the live edge the first frame is
	PlaylistAge *time.Duration // how long ago the manifest's last segment ended
}

// content is what a manifest says of its main track, which is that of the
// pictures where there are any.
type content byte

const (
	pictures  content = iota
	unknown           // pictures, or sound only: the media tell
	soundOnly         // the main track is one of sound
)

// presentation is what HLS and DASH have in common once a rendition is chosen.
// Before the tracks part, and of them only video, and for its own loaded audio,
// write into it; it is read when all have ended.
type presentation struct {
	format, mode string
	pathway      string
	rendition    Rendition
	separate     bool // audio is a track of its own
	chunked      bool // segments are sent while they are made, and the model shows what has come

	video, audio loaded
	keyframe     *Moment // the first that was complete, of a rendition that was left too

	feed       feed  // with which it plays on
	silence    error // what audio failed of
	standstill bool  // the start went on after the first frame, to see whether the playlist moves

	age    *time.Duration // of the live manifest's end, by the server's clock; nil when not known
	behind *time.Duration // from the first frame to the live edge, as it was at edgeAt; nil when not live
	edgeAt time.Time
}

// Play presses play and returns when the player would be playing, or has played
// on as long as was asked for, or has failed. It does not return an error:
// failure is what it is there to find. When ctx is cancelled (not: its deadline
// passes) the result is of type internal.
func Play(ctx context.Context, cfg Config) *Result {
	s := &session{cfg: cfg, model: cfg.Model, start: cfg.Start}
	if s.start.IsZero() {
		s.start = s.instant()
	}
	s.guess()
	var p presentation
	err := s.begun(ctx, &p)
	return s.result(ctx, &p, err)
}

// begun is the start, within its time.
func (s *session) begun(ctx context.Context, p *presentation) error {
	if s.cfg.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = clocks.WithDeadline(ctx, s.clock(), s.start.Add(s.cfg.Timeout))
		defer cancel()
	}
	return s.run(ctx, p)
}

// guess takes the model, and its times, of the format that the manifest's address
// looks like.
func (s *session) guess() {
	format := formatOfURL(s.cfg.URL)
	if s.cfg.Model == nil {
		s.model = Default(format)
	}
	if s.think = s.model.think(format); s.think == nil {
		s.think = &Think{}
	}
}

// run is the whole start-up: the service's own interface, the manifest, then
// what its format asks for.
func (s *session) run(ctx context.Context, p *presentation) error {
	after, err := s.callAPI(ctx)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	m, err := s.request(ctx, ask{
		name: run.StepManifest, url: s.cfg.URL, after: after, think: s.think.Manifest,
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
	if s.think = s.model.think(p.format); s.think == nil {
		return failed(run.ErrUnsupported, run.StepManifest, fmt.Sprintf("%s does not play %s", s.model, p.format), m.Moment)
	}
	if p.format == "hls" {
		return s.playHLS(ctx, p, m, body.Bytes())
	}
	return s.playDASH(ctx, p, m, body.Bytes())
}

// result judges the start, plays on after a good one, and puts together what
// there is to know.
func (s *session) result(ctx context.Context, p *presentation, err error) *Result {
	r := &Result{Start: s.start, Model: s.model, Format: p.format, Mode: p.mode, Pathway: p.pathway, PlaylistAge: p.age}
	if k := p.keyframe; k != nil {
		r.Keyframe = &k.At
	}
	frame, ok := s.firstFrame(p)
	started := s.count()
	if ok && s.cfg.PlayOn > 0 {
		s.playOn(ctx, r, p, frame, err)
	}
	if ok {
		s.succeed(r, p, frame)
	} else {
		s.fail(r, err)
	}
	s.keep(r, started)
	r.Sound = s.content == soundOnly || p.video.sound
	for _, n := range s.nodes {
		if r.Sound && n.Track != "" {
			n.Track = run.TrackAudio
		}
		n.StartMs, n.EndMs = ms(n.start.Sub(s.start)), ms(n.end.Sub(s.start))
		r.Steps = append(r.Steps, n.Step)
		r.Exchanges = append(r.Exchanges, n.exchange)
		r.Sealed = append(r.Sealed, n.seal.open())
	}
	return r
}

// succeed writes what the first frame shows. The verdict is the end of all that
// was asked for.
func (s *session) succeed(r *Result, p *presentation, frame Moment) {
	r.Frame, r.End = &frame.At, later(r.End, frame.At)
	r.Phases = criticalPath(s.nodes, s.start, frame)
	r.BitrateKbps, r.Width, r.Height, r.Codec = p.rendition.Kbps, p.rendition.Width, p.rendition.Height, p.video.codec
	if !p.video.sound {
		r.Footage = p.video.footage
	}
	if p.video.width > 0 {
		r.Width, r.Height = p.video.width, p.video.height
	}
	if startup, ok := s.startup(p, frame); ok {
		r.Startup = &startup
	}
	if p.behind != nil {
		latency := *p.behind + frame.At.Sub(p.edgeAt)
		r.LiveLatency = &latency
	}
	if r.Played != nil {
		return // what was given up at its end holds nothing up
	}
	for _, n := range s.nodes {
		r.End = later(r.End, n.end)
	}
}

// fail writes why the run failed. Its verdict is the moment of the failure.
func (s *session) fail(r *Result, err error) {
	var f *failure
	switch {
	case errors.As(err, &f):
	case errors.Is(err, errGivenUp):
		f = failed(run.ErrInternal, run.StepManifest, "cancelled", Moment{s.instant(), PressPlay})
	default:
		f = failed(run.ErrInternal, run.StepManifest, fmt.Sprintf("no first frame, and no reason: %v", err), Moment{s.instant(), PressPlay})
	}
	r.Error, r.Step, r.Detail, r.End = f.typ, f.step, f.detail, f.at.At
	s.blame(f.at.Step, f)
	r.Phases = criticalPath(s.nodes, s.start, f.at)
}

// blame writes a failure into the step whose answer turned out to be bad only
// after it had ended well: a playlist that cannot be used, media that its key or
// initialization segment does not fit. It is the one at index, or the last of
// its kind that led there.
func (s *session) blame(index int, f *failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for index != PressPlay {
		n := s.nodes[index]
		if n.Name == f.step {
			if n.Error == "" {
				n.Error, n.Detail = f.typ, f.detail
			}
			return
		}
		index = n.after.Step
	}
}

// firstFrame is the moment at which the model shows the first frame: what it
// needs is there, its timer beats, its own work is done. Of sound only it is
// when that is heard first, which is when the model starts to play.
func (s *session) firstFrame(p *presentation) (Moment, bool) {
	whole := s.whole(p) || s.model.PlayWhole && p.video.sound
	if p.video.keyframe == nil || whole && p.video.segment == nil {
		return Moment{}, false
	}
	picture := *p.video.keyframe
	if whole {
		picture = p.video.segment.Later(picture)
	}
	work := s.model.render(&p.video, s.cfg.App.Set)
	if !p.separate || s.model.FrameAudio == NoAudio {
		return s.render(picture, work), true
	}
	if p.audio.init == nil || s.model.FrameAudio == AudioSegment && p.audio.segment == nil {
		return Moment{}, false
	}
	sound := *p.audio.init
	if s.model.FrameAudio == AudioSegment {
		sound = p.audio.segment.Later(sound)
	}
	if t := s.model.Tick; t != nil && !sound.At.After(picture.At) {
		if _, set := s.cfg.App.Set[paramRender]; !set {
			work = t.Offset + s.model.reordering(&p.video)
		}
		work += t.next(s.tickFrom, picture.At, p.video.bytes).Sub(picture.At)
	}
	return s.render(picture.Later(sound), work), true
}

// whole tells whether pictures show only once their segment is complete.
func (s *session) whole(p *presentation) bool { return s.model.WholeSegment && !p.chunked }

// render keeps the player's own work before the picture as a step.
func (s *session) render(at Moment, d time.Duration) Moment {
	if d <= 0 {
		return at
	}
	n := &node{after: at, start: at.At}
	n.Step = run.Step{Name: run.WaitPlayer, Track: run.TrackVideo}
	index := s.begin(n)
	n.end = at.At.Add(d)
	return Moment{n.end, index}
}

// startup is when playback starts: both tracks are there. It is not ok where
// one of them never came.
func (s *session) startup(p *presentation, frame Moment) (at time.Time, ok bool) {
	at = frame.At
	if s.model.PlayWhole {
		if p.video.segment == nil {
			return time.Time{}, false
		}
		at = later(at, p.video.segment.At)
	}
	if !p.separate {
		return at, true
	}
	if p.audio.init == nil || p.audio.segment == nil {
		return time.Time{}, false
	}
	return later(at, later(p.audio.init.At, p.audio.segment.At)), true
}
