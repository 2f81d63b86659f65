package player

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/firstframe/firstframe/probes/clocks"
	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/steering"
)

// maxSteeringWait is how long playback waits for a steering manifest where the
// model has no limit of its own: a player goes on without one.
const maxSteeringWait = 10 * time.Second

// askSteering asks for a steering manifest, whose answer is nil where there was
// none: that fails nothing but the step. The moment is when that was known.
// asked is called when the request is about to go out; nil: it is not.
func (s *session) askSteering(ctx context.Context, target string, after Moment, asked func()) (*steering.Manifest, Moment, error) {
	whole := ctx
	if p := s.model.policy(run.StepSteering); p.FirstByte == 0 && p.Total == 0 {
		var end context.CancelFunc
		ctx, end = clocks.WithTimeout(ctx, s.clock(), maxSteeringWait)
		defer end()
	}
	var body bytes.Buffer
	var told *steering.Manifest
	got, err := s.request(ctx, ask{
		name: run.StepSteering, url: s.cfg.rewrite(target), after: after, asked: asked,
		maxBytes: steering.MaxBytes, compress: true, reset: body.Reset, body: collect(&body),
		done: func(*fetch.Exchange) (err error) {
			if told, err = steering.Parse(target, body.Bytes()); err != nil {
				return &fault{run.ErrManifestInvalid, fmt.Errorf("%s: %w", short(target), err)}
			}
			return nil
		},
	})
	if err == nil {
		return told, got.Moment, nil
	}
	if whole.Err() != nil {
		return nil, after, err
	}
	return nil, Moment{s.instant(), s.count() - 1}, nil
}

// aside runs f until stop is called, which waits for it.
func aside(ctx context.Context, f func(context.Context)) (stop func()) {
	ctx, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { f(ctx) })
	return func() {
		end()
		wg.Wait()
	}
}

// askSteeringAside asks for a steering manifest that nobody waits for, before
// anything else is asked for. stop ends that.
func (s *session) askSteeringAside(ctx context.Context, target string, after Moment) (stop func()) {
	sent := make(chan struct{})
	asked := sync.OnceFunc(func() { close(sent) })
	stop = aside(ctx, func(ctx context.Context) {
		defer asked()
		s.askSteering(ctx, target, after, asked)
	})
	<-sent
	return stop
}

// steer takes the pathway that HLS content steering starts with: without waiting
// for the steering manifest, which is asked for beside, unless the model waits.
// It answers from when on playlists can be asked for; stop ends what is beside.
func (h *hlsTitle) steer(ctx context.Context, m Moment) (after Moment, stop func(), err error) {
	st := h.multi.Steering
	if st == nil {
		return m, func() {}, nil
	}
	h.pathway = h.multi.StartPathway()
	target := steering.HLS(st.ServerURI, h.pathway, h.startKbps())
	if !h.model.SteeringFirst {
		return m, h.askSteeringAside(ctx, target, m), nil
	}
	told, at, err := h.askSteering(ctx, target, m, nil)
	if err != nil {
		return at, func() {}, err
	}
	if told != nil {
		if id := told.Prefer(h.multi.Pathways()); id != "" {
			h.pathway = id
			h.clone, _ = told.Clone(id)
		}
	}
	return at, func() {}, nil
}

// startKbps is the bandwidth that the player assumes at first.
func (h *hlsTitle) startKbps() float64 {
	var all []Rendition
	for _, v := range h.multi.Candidates(h.pathway) {
		all = append(all, Rendition{Kbps: float64(v.Bandwidth) / 1000})
	}
	if len(all) == 0 {
		return 0
	}
	return h.model.estimate(all, h.cfg.App.Set)
}

// base is the pathway whose variants are played: a clone's is that it was made
// of.
func (h *hlsTitle) base() string {
	if h.clone.BaseID != "" {
		return h.clone.BaseID
	}
	return h.pathway
}

// steer takes the service location that DASH content steering starts with, and
// waits for the steering manifest where the MPD wants that (queryBeforeStart;
// ETSI TS 103 998). It answers from when on segments can be asked for; stop ends
// what is beside.
func (d *dashTitle) steer(ctx context.Context) (stop func(), err error) {
	stop = func() {}
	st := d.mpd.Steering
	locations := d.mpd.ServiceLocations()
	if st != nil {
		d.prefer(st.DefaultServiceLocation, locations)
		if st.QueryBeforeStart {
			told, at, err := d.askSteering(ctx, st.URL, d.at, nil)
			if err != nil {
				return stop, err
			}
			d.at = at
			if told != nil {
				id := told.Prefer(locations)
				if c, ok := told.Clone(id); ok {
					d.mpd.Clone(id, c.BaseID, func(u string) string { return c.URL(u, nil, "") })
					locations = append(locations, id)
				}
				d.prefer(id, locations)
			}
		}
	}
	if d.p.pathway == "" && len(locations) > 0 {
		d.p.pathway = locations[0]
	}
	if st != nil && !st.QueryBeforeStart {
		target := steering.DASH(st.URL, []string{d.p.pathway}, d.model.estimate([]Rendition{{}}, d.cfg.App.Set))
		stop = d.askSteeringAside(ctx, target, d.at)
	}
	return stop, nil
}

// prefer takes a service location, where there is one of that name.
func (d *dashTitle) prefer(location string, of []string) {
	for _, l := range of {
		if l == location {
			d.mpd.Prefer(l)
			d.p.pathway = l
		}
	}
}
