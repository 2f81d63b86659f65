package player

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
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

// minSteering is the least time between two requests for a steering manifest,
// whatever its TTL.
const minSteering = 100 * time.Millisecond

// steered is what is known of a steering server. Who asks it has it for his own.
type steered struct {
	url  string             // where to ask next
	due  time.Time          // when; zero: never
	told *steering.Manifest // the last; nil: there was none
	at   Moment             // when that came
}

// Refused is the answer in place of a steering manifest.
type Refused struct {
	Status int64         // 200: it was something else; 0: it did not come, or not whole
	TTL    time.Duration // of the last manifest; 0: there was none
	Later  time.Duration // as its Retry-After says; 0: it does not
}

// again is when a player asks again as the standard has it: not after a 410, as a 429
// says, else after the last TTL (RFC 8216bis, 7).
func (r Refused) again() time.Duration {
	switch {
	case r.Status == http.StatusGone:
		return 0
	case r.Status == http.StatusTooManyRequests && r.Later > 0:
		return r.Later
	}
	return cmp.Or(r.TTL, steering.DefaultTTL)
}

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
	s.steered.url, s.steered.due = target, s.instant()
	var body bytes.Buffer
	var told *steering.Manifest
	var no Refused
	if s.steered.told != nil {
		no.TTL = s.steered.told.TTL
	}
	got, err := s.request(ctx, ask{
		name: run.StepSteering, url: s.cfg.rewrite(target), after: after, asked: asked,
		maxBytes: steering.MaxBytes, compress: true, reset: body.Reset, body: collect(&body),
		head: func(x *fetch.Exchange) error {
			seconds, _ := strconv.ParseInt(x.Header.Get("Retry-After"), 10, 32) // a date counts as none
			no.Later = time.Duration(max(seconds, 0)) * time.Second
			return nil
		},
		done: func(*fetch.Exchange) (err error) {
			if told, err = steering.Parse(target, body.Bytes()); err != nil {
				return &fault{run.ErrManifestInvalid, fmt.Errorf("%s: %w", short(target), err)}
			}
			return nil
		},
	})
	switch {
	case err == nil:
		s.steered = steered{url: told.ReloadURL, due: got.At.Add(max(told.TTL, minSteering)), told: told, at: got.Moment}
		return told, got.Moment, nil
	case whole.Err() != nil:
		return nil, after, err
	}
	s.refused(no, err)
	return nil, Moment{s.instant(), s.count() - 1}, nil
}

// refused notes when to ask again where there was no steering manifest.
func (s *session) refused(no Refused, err error) {
	var f *failure
	switch errors.As(err, &f); {
	case f == nil:
	case f.typ == run.ErrManifestInvalid:
		no.Status = http.StatusOK
	case f.status >= http.StatusBadRequest:
		no.Status = f.status
	}
	s.steered.due = time.Time{}
	if d := s.steerAgain(no); d > 0 {
		s.steered.due = s.instant().Add(max(d, minSteering))
	}
}

// steerAgain is after how long the steering server is asked again; 0: never.
func (s *session) steerAgain(no Refused) time.Duration {
	if f := s.model.SteerAgain; f != nil {
		return f(no)
	}
	return no.again()
}

// keepSteering asks the steering server again whenever that is due, until ctx ends
// or it never is any more, at what address makes of where to ask. follow goes by
// each manifest, first by one that came before.
func (s *session) keepSteering(ctx context.Context, address func(url string) string, follow func(context.Context, *steering.Manifest, Moment)) {
	st := &s.steered
	for {
		if st.told != nil {
			follow(ctx, st.told, st.at)
		}
		if st.due.IsZero() || s.sleepUntil(ctx, st.due) != nil {
			return
		}
		if _, _, err := s.askSteering(ctx, address(st.url), Moment{st.due, PressPlay}, nil); err != nil {
			return
		}
	}
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
	target := st.ServerURI
	if !h.model.SteeringMute {
		target = steering.HLS(target, h.pathway, h.startKbps())
	}
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
		target := st.URL
		if !d.model.SteeringMute {
			target = steering.DASH(target, []string{d.p.pathway}, d.model.estimate([]Rendition{{}}, d.cfg.App.Set))
		}
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
