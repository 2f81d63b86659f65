package player

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/firstframe/firstframe/probes/clocks"
	"github.com/firstframe/firstframe/probes/run"
)

// Played is what came of playing on after the start.
type Played struct {
	Media    time.Duration // shown
	Stalls   int           // how often the picture stood still; holes in the stream are leapt over, and are none
	Stalled  time.Duration // for how long, all together
	Switches int           // changes of rendition, as shown

	end time.Time
}

// The bounds of playing on: the requests, and how many of them are kept as
// steps beside those that failed.
const (
	maxRequests = 5000
	maxKept     = 1000
	maxBad      = 200
)

// playing is a presentation that plays on: its playhead, and what the tracks
// have in common. The mutex guards all below it.
type playing struct {
	*session
	p         *presentation
	feed      feed
	length    time.Duration // of the presentation; 0: live, or not known
	buffering *Buffering
	next      func(Playing) int // nil: it does not choose

	giveUp func(Playing, UnderWay) int // nil: it does not give up

	came []arrived // of video, before playback

	mu        sync.Mutex
	changed   chan struct{} // closed when anything of what follows changes
	head      playhead
	leader    time.Duration // where the video segment on demand ends that is being loaded, or was last; never: none that holds audio up
	bandwidth Bandwidth     // nil: the session's gauge
	segment   time.Duration // that of video last held
	segments  int
	gone      time.Time // when a segment was given up last; zero: none was
	left      stretch   // what it plays
}

// playOn plays on from the first frame for as long as was asked for, and writes
// what came of it, and why it broke off where it did. err is what the start
// failed of after the first frame: then there is nothing to play.
func (s *session) playOn(ctx context.Context, r *Result, p *presentation, frame Moment, err error) {
	r.Played = &Played{}
	var broke *failure
	switch start, ok := s.startup(p, frame); {
	case ok && p.video.segment != nil:
		r.Played, broke = s.play(ctx, p, start)
		r.End = r.Played.end
	case errors.As(cmp.Or(err, p.silence), &broke):
		r.End = broke.at.At
	default:
		broke = failed(run.ErrInternal, run.StepSegment, "cancelled", Moment{s.instant(), PressPlay})
	}
	if broke != nil {
		r.Error, r.Step, r.Detail = broke.typ, broke.step, broke.detail
		s.blame(broke.at.Step, broke)
	}
}

// play plays on, and answers what came of it. The failure is nil where it did
// not break off.
func (s *session) play(ctx context.Context, p *presentation, start time.Time) (*Played, *failure) {
	s.most = s.count() + maxRequests
	o := s.playing(p, start)
	ctx, cancel := clocks.WithTimeout(ctx, s.clock(), 2*s.cfg.PlayOn+s.cfg.Timeout)
	defer cancel()
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	var wg sync.WaitGroup
	var tracks []*goingOn
	for _, track := range []string{run.TrackVideo, run.TrackAudio} {
		if o.head.tracks[track] != nil {
			tracks = append(tracks, o.goOn(track))
		}
	}
	defer aside(ctx, func(ctx context.Context) { p.feed.beside(ctx, o.kbps) })()
	for _, g := range tracks {
		wg.Go(func() { o.finish(g.track, g.run(ctx)) })
	}
	o.watch(ctx)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		wg.Wait() // what was under way then says where it ended
	}
	giveUp()
	wg.Wait()
	return o.outcome(ctx)
}

// playing is the state at the start of playback: when the first segments are
// there, at the latest.
func (s *session) playing(p *presentation, start time.Time) *playing {
	start = later(start, p.video.segment.At)
	if p.standstill {
		start = later(start, s.instant())
	}
	from, video, audio := p.feed.starts()
	m := &s.model.Buffering
	o := &playing{session: s, p: p, feed: p.feed, length: p.feed.length(), buffering: m, changed: make(chan struct{}), leader: never}
	if p.mode == "vod" {
		o.leader = from // audio comes after the first request of video
	}
	o.head = playhead{
		empty: m.Empty, resume: m.Resume, want: s.cfg.PlayOn,
		at: start, head: from, moving: true, tracks: map[string]*holding{run.TrackVideo: {end: video.from}},
	}
	if p.separate {
		o.head.tracks[run.TrackAudio] = &holding{end: audio.from}
		o.inherit(run.TrackAudio, audio, &p.audio, 0)
	}
	o.came = o.inherit(run.TrackVideo, video, &p.video, s.ladder.at)
	o.segment, o.segments = video.to-video.from, 1
	if n := len(p.video.more); n > 0 {
		last := p.video.more[n-1]
		o.segment, o.segments, s.ladder.at = last.to-last.from, 1+n, last.rendition
	}
	if m.Next != nil {
		o.next = m.Next()
	}
	if m.Bandwidth != nil {
		o.bandwidth = m.Bandwidth()
		s.recall(o.bandwidth)
	}
	if m.GiveUp != nil {
		o.giveUp = m.GiveUp(o.bandwidth)
	}
	return o
}

// inherit has a track hold what the start has loaded of it, which it answers: its
// first segment, and what came after that.
func (o *playing) inherit(track string, first stretch, l *loaded, rendition int) []arrived {
	all := []arrived{{first, rendition}}
	shift := first.from - l.parts.start // the presentation's timeline may be another
	for _, c := range l.more {
		all = append(all, arrived{stretch{c.from + shift, c.to + shift}, c.rendition})
	}
	for _, c := range all {
		o.head.hold(track, c.from, c.to, c.rendition, o.head.at)
	}
	return all
}

// recall takes the video segments that have come into what measures the bandwidth.
func (s *session) recall(b Bandwidth) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.nodes {
		if x := n.exchange; x != nil && n.Error == "" && n.Track == run.TrackVideo && (n.Name == run.StepSegment || n.Name == run.StepPart) && x.Location == "" {
			b.Sample(x.FirstByte.Sub(x.Start), x.End.Sub(x.FirstByte), x.Bytes)
		}
	}
}

// watch waits until the playing is over, or ctx is.
func (o *playing) watch(ctx context.Context) {
	for {
		o.mu.Lock()
		o.head.advance(o.instant())
		at, ok := o.head.until()
		over, changed := o.head.over, o.changed
		o.mu.Unlock()
		if over || o.pause(ctx, at, ok, changed) != nil {
			return
		}
	}
}

// pause waits for the instant, where there is one, or for the change. The error
// is that of ctx.
func (s *session) pause(ctx context.Context, at time.Time, timed bool, changed <-chan struct{}) error {
	due := make(chan struct{})
	if timed {
		defer s.clock().AfterFunc(at.Sub(s.instant()), func() { close(due) })()
	}
	select {
	case <-due:
	case <-changed:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// change does what f does with the playhead as it is now, and tells those who
// wait.
func (o *playing) change(f func(now time.Time)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f(o.instant())
	o.tell()
}

// tell tells those who wait that something has changed.
func (o *playing) tell() {
	close(o.changed)
	o.changed = make(chan struct{})
}

// finish notes why a track ended.
func (o *playing) finish(track string, err error) {
	var f *failure
	if err != nil && !errors.As(err, &f) {
		return // given up: nobody waits for it
	}
	o.change(func(now time.Time) { o.head.finish(track, f, now) })
}

// outcome is what came of it all.
func (o *playing) outcome(ctx context.Context) (*Played, *failure) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.instant()
	h := &o.head
	if h.advance(now); !h.over {
		h.settle(now)
		h.broke = o.cutOff(ctx)
	}
	for _, s := range h.stalls[:min(len(h.stalls), maxKept)] {
		n := &node{after: Moment{s.from, PressPlay}, start: s.from}
		n.Step = run.Step{Name: run.WaitStall, Track: run.TrackVideo}
		o.begin(n)
		n.end = s.to
	}
	return &Played{Media: h.played, Stalls: len(h.stalls), Stalled: h.stalled(), Switches: h.switches(run.TrackVideo), end: h.at}, h.broke
}

// cutOff is the failure of what was not over when its time was: of the track
// that held least.
func (o *playing) cutOff(ctx context.Context) *failure {
	var least *holding
	for _, t := range o.head.tracks {
		if t.fail != nil && (least == nil || t.end < least.end) {
			least = t
		}
	}
	if least != nil {
		return least.fail
	}
	at := Moment{o.instant(), PressPlay}
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return failed(run.ErrInternal, run.StepSegment, "cancelled", at)
	}
	return failed(run.ErrTimeout, run.StepSegment, fmt.Sprintf("the run's time was over when %v of %v were played",
		o.head.played.Round(time.Millisecond), o.head.want), at)
}

// kbps is the bandwidth as the model has it now.
func (o *playing) kbps() float64 {
	if o.bandwidth == nil && o.gauge != nil {
		if kbps, known := o.gauge.kbps(); known {
			return kbps
		}
	}
	return o.seen().Kbps
}

// seen is what the model goes by now.
func (o *playing) seen() Playing {
	l := o.ladder
	l.mu.Lock()
	p := Playing{Renditions: l.renditions, At: l.at, Kbps: l.estimate}
	l.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	p.Ahead = o.head.ahead(run.TrackVideo, o.instant())
	p.Segment, p.Segments = o.segment, o.segments
	if !o.gone.IsZero() {
		p.GivenUp = max(o.instant().Sub(o.gone), 1)
	}
	p.Length, p.Live = o.length, o.p.mode != "vod"
	if o.bandwidth != nil {
		if kbps := o.bandwidth.Kbps(); kbps > 0 {
			p.Kbps = kbps
		}
		p.FirstByte = o.bandwidth.FirstByte()
	}
	return p
}

// among is what the model goes by when it chooses: of the renditions those that
// have not failed, whose index on the ladder it answers.
func (o *playing) among() (p Playing, index []int) {
	p = o.seen()
	all := p.Renditions
	l := o.ladder
	l.mu.Lock()
	defer l.mu.Unlock()
	p.Renditions, p.At = nil, -1
	for i, r := range all {
		if l.failed[i] {
			continue
		}
		if i == l.at {
			p.At = len(index)
		}
		p.Renditions, index = append(p.Renditions, r), append(index, i)
	}
	return p, index
}

// choose takes the rendition of the next segment, where the model chooses.
func (o *playing) choose() {
	if o.next == nil {
		return
	}
	p, index := o.among()
	if len(index) < 2 {
		return
	}
	to := index[o.next(p)]
	o.ladder.mu.Lock()
	defer o.ladder.mu.Unlock()
	o.ladder.at = to
}

// room waits until a track holds less than the model wants, and video has come as
// far as audio may be then.
func (o *playing) room(ctx context.Context, track string) error {
	for {
		goal := o.buffering.goal(o.seen(), track == run.TrackAudio)
		o.mu.Lock()
		now := o.instant()
		over := o.head.ahead(track, now) - goal
		if over >= 0 && track == run.TrackVideo && o.leader != never {
			o.leader = never
			o.tell()
		}
		tooFar := track == run.TrackAudio && o.tooFar()
		moving, changed := o.head.moving, o.changed
		o.mu.Unlock()
		at := now.Add(over + time.Millisecond)
		switch every := o.buffering.Every; {
		case tooFar:
			moving = false
		case over < 0:
			return ctx.Err()
		case every > 0:
			at, moving, changed = now.Add(every), true, nil
		}
		if err := o.pause(ctx, at, moving, changed); err != nil {
			return err
		}
	}
}

// tooFar tells whether audio has to wait for video.
func (o *playing) tooFar() bool {
	video, audio := o.head.tracks[run.TrackVideo], o.head.tracks[run.TrackAudio]
	switch {
	case !o.buffering.AudioFollows || video.last:
		return false
	case video.end < audio.from+(audio.end-audio.from)/20:
		return true
	}
	return audio.end > o.leader
}

// keep makes the run's steps: all of the start, and of playing on as many as are
// to be kept. The nodes are in another order then.
func (s *session) keep(r *Result, started int) {
	r.Started = started
	slices.SortStableFunc(s.nodes, func(a, b *node) int { return a.begun.Compare(b.begun) })
	kept := s.nodes[:0]
	good, bad := 0, 0
	for i, n := range s.nodes {
		switch on := i >= started; {
		case !on:
		case n.Error != "" && bad < maxBad:
			bad++
		case n.Error == "" && good < maxKept:
			good++
		default:
			if n.URL != "" {
				r.Unkept++
			}
			continue
		}
		kept = append(kept, n)
	}
	s.nodes = kept
}
