package player

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/firstframe/firstframe/probes/dash"
	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// Clocks is how a player gets the time of a live DASH presentation (UTCTiming,
// ISO/IEC 23009-1 clause 5.8.4.11). It asks one clock after another until one
// tells; that none does holds nothing up but the time it took. Clocks of NTP
// (ntp, sntp, http-ntp) it passes over.
type Clocks struct {
	Not      []string // further schemes that it does not know: http-head, …
	LastOnly bool     // of several UTCTiming it knows only the last
	Once     bool     // an answer that is no time ends the search
	FromDate bool     // where none tells it goes by the MPD's Date, see serverTime; otherwise by its own clock

	// Default is a clock of the player's makers, http-xsdate, that it asks after
	// those of the MPD. App parameter: default_clock.
	Default string
}

// clock turns our time into the presentation's.
type clock struct{ offset time.Duration }

func (c clock) at(t time.Time) time.Time { return t.Add(c.offset) }

// dashClock asks the clocks of an MPD as the model does. Playback waits for it.
// The error ends the run: its time is over.
func (s *session) dashClock(ctx context.Context, mpd *dash.MPD, m answer) (Moment, clock, error) {
	after := m.Moment
	for _, timing := range s.timings(mpd) {
		scheme, _, _ := strings.Cut(strings.TrimPrefix(timing.Scheme, "urn:mpeg:dash:utc:"), ":")
		if slices.Contains(s.model.Clocks.Not, scheme) {
			continue
		}
		switch scheme {
		case "direct":
			t, err := dash.ParseDateTime(timing.Value)
			switch {
			case err == nil:
				return after, clock{t.Sub(m.At)}, nil
			case s.model.Clocks.Once:
				return after, s.noClock(m), nil
			}
		case "http-xsdate", "http-iso", "http-head":
			for where := range strings.FieldsSeq(timing.Value) {
				at, c, err := s.askClock(ctx, scheme, resolve(mpd.BaseURL, where), after)
				var f *failure
				if !errors.As(err, &f) || ctx.Err() != nil {
					return at, c, err
				}
				if after = f.at; s.model.Clocks.Once && f.typ == run.ErrManifestInvalid {
					return after, s.noClock(m), nil
				}
			}
		}
	}
	return after, s.noClock(m), nil
}

// timings are the clocks that the model knows of, in its order.
func (s *session) timings(mpd *dash.MPD) []dash.UTCTiming {
	all := mpd.UTCTiming
	if s.model.Clocks.LastOnly && len(all) > 0 {
		all = all[len(all)-1:]
	}
	if d := s.model.Clocks.Default; d != "" && s.cfg.App.Set[paramClock] > 0 {
		all = append(slices.Clone(all), dash.UTCTiming{Scheme: "urn:mpeg:dash:utc:http-xsdate:2014", Value: d})
	}
	return all
}

// noClock is what the model goes by where no clock tells the time.
func (s *session) noClock(m answer) clock {
	if s.model.Clocks.FromDate {
		return clock{serverTime(m.Header, m.At).Sub(m.At)}
	}
	return clock{}
}

// resolve is the address of reference in a manifest at base.
func resolve(base, reference string) string {
	b, err := url.Parse(base)
	if err != nil {
		return reference
	}
	u, err := b.Parse(reference)
	if err != nil {
		return reference
	}
	return u.String()
}

// askClock asks one clock. Its answer counts from its end.
func (s *session) askClock(ctx context.Context, scheme, where string, after Moment) (Moment, clock, error) {
	method := http.MethodGet
	if scheme == "http-head" {
		method = http.MethodHead
	}
	var body bytes.Buffer
	var told time.Time
	got, err := s.request(ctx, ask{
		name: run.StepClock, method: method, url: s.cfg.rewrite(where), after: after, think: s.think.Clock,
		maxBytes: maxClock, reset: body.Reset, body: collect(&body),
		done: func(x *fetch.Exchange) (err error) {
			if scheme == "http-head" {
				told, err = http.ParseTime(x.Header.Get("Date"))
			} else {
				told, err = dash.ParseDateTime(body.String())
			}
			if err != nil {
				return &fault{run.ErrManifestInvalid, fmt.Errorf("UTCTiming %s at %s: %w", scheme, short(where), err)}
			}
			return nil
		},
	})
	if err != nil {
		return after, clock{}, err
	}
	return got.Moment, clock{told.Sub(got.At)}, nil
}
