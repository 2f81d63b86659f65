// Package probes measures playback: [Probe] presses play on one target,
// through one CDN, as one app version, and answers with the run that came of
// it. It knows no fleet, no store and no dashboard.
//
// The floors below it: fetch makes one HTTP exchange, hls, dash and steering
// read manifests, media finds the first keyframe, cdn tells who answered, player
// puts them in a player's order; trace and plan carry runs and targets to and
// from the rest of Firstframe.
package probes

import (
	"cmp"
	"context"
	"crypto/x509"
	"maps"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/firstframe/firstframe/probes/cdn"
	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/player"
	"github.com/firstframe/firstframe/probes/redact"
	"github.com/firstframe/firstframe/probes/run"
)

// Spec says what to play, how, and as whom. Only the target's URL is needed.
type Spec struct {
	Target run.Target
	CDN    run.CDN
	App    run.App

	Identity Identity
	Network  Network

	// Footage is called once at most, with what the first frame was shown from;
	// nil: nothing is kept. It is not in the run, and may be as secret as what the
	// service sells.
	Footage func(player.Footage)
}

// Identity is what a run says of the agent that made it, and of why it did.
type Identity struct {
	Agent        string
	AgentVersion string
	Region       string
	Country      string // claimed, ISO 3166-1 alpha-2; empty when the agent does not know

	Source       string // run.SourceFleet, …; empty means adhoc
	Round        string
	PlanRevision string
	ScheduledAt  time.Time // zero when it was not scheduled
	ControlOK    *bool     // nil when there are no control targets
}

// Network says how requests leave this machine. The zero value uses the
// system's resolver and certificates and refuses addresses that are not public.
type Network struct {
	Resolver       string            // DNS server HOST:PORT
	ClientSubnet   netip.Prefix      // the network that DNS is asked for in place of our own (RFC 7871); such runs are labelled ecs and ecs_scope
	ConnectTo      map[string]string // host, or host:port, to the ADDR or ADDR:PORT to dial in its place
	Bind           netip.Addr        // source address
	IPVersion      int               // 4 or 6; 0 is any
	HTTP           string            // 1.1, 2 or 3; empty negotiates; an app's own choice goes first
	AltSvc         string            // as run.App.AltSvc, which goes first
	Visits         *Visits           // what apps remember that come again; nil is nothing
	RootCAs        *x509.CertPool
	Insecure       bool
	AllowPrivate   bool
	AllowAddresses []netip.Prefix
	Header         http.Header // of every request, beside the app's
}

// Probe presses play once and returns when the player would be playing, or has
// failed, at most the target's timeout later; of a warm run that counts from
// when its connections are there, for which it waits as long at most. Where the
// target asks to play on, it returns when that is done: after the time to be
// played twice, and the timeout once more, at most. It returns no error: failure
// is data. When ctx is cancelled the run is of type internal and is not worth
// keeping.
//
// What is secret is not in the run: signatures and tokens in URLs, passwords,
// what the target's Redact matches (see package redact).
func Probe(ctx context.Context, spec Spec) run.Run {
	secrets, err := secretsOf(spec)
	r, _ := press(ctx, spec, live, secrets, err)
	clean(&r, secrets)
	return r
}

// press is Probe on a stage, with what is secret still in the run. The error is
// one that was found before. The result is nil where play was not pressed.
func press(ctx context.Context, spec Spec, on stage, secrets *redact.Redactor, err error) (run.Run, *player.Result) {
	r := begin(spec, on)
	timeout := orDefault(spec.Target.Timeout, run.DefaultTimeout)
	var model *player.Model
	if err == nil {
		model, err = modelFor(spec.App)
	}
	var via *route
	if err == nil {
		via, err = newRoute(spec)
	}
	var network fetch.Config
	if err == nil {
		network, err = fetchConfig(spec, via)
	}
	if err != nil {
		r.ErrorType, r.ErrorStep, r.ErrorDetail = run.ErrUnsupported, run.StepManifest, err.Error()
		return r, nil
	}
	api, err := newPlaybackAPI(spec.Target.PlaybackAPI, via, secrets, on.lookUp)
	if err != nil {
		r.ErrorType, r.ErrorStep, r.ErrorDetail = run.ErrInternal, run.StepPlaybackAPI, err.Error()
		return r, nil
	}
	client := on.open(network)
	defer client.Close()
	if r.Connection == "warm" {
		warmUp(ctx, client, append(via.servers(), api.servers()...), timeout)
	}
	r.StartedAt, r.RunID = on.start()
	tells := via.identify(r.RunID, spec.Target.Name)
	result := player.Play(ctx, player.Config{
		Timeout: timeout, PlayOn: spec.Target.Play,
		URL: via.manifest(), Client: client, Clock: on.clock, Seed: seedOf(r.RunID), Model: model, App: spec.App, Start: r.StartedAt,
		Header: via.header, API: api.request(), Rewrite: via.rewrite, CMCD: tells, Keep: cdn.KeepHeaders, Footage: spec.Footage != nil,
	})
	if result.Footage != nil {
		spec.Footage(*result.Footage)
	}
	complete(&r, result)
	noteSubnet(&r, client, spec.Network.ClientSubnet)
	return r, result
}

// begin is the run before anything is asked for.
func begin(spec Spec, on stage) run.Run {
	now, runID := on.start()
	id, target := spec.Identity, spec.Target
	r := run.Run{
		RunID: runID, StartedAt: now,
		Source: orDefault(id.Source, run.SourceAdhoc),
		Agent:  id.Agent, AgentVersion: id.AgentVersion, Region: id.Region,
		Round: id.Round, PlanRevision: id.PlanRevision, ControlOK: id.ControlOK,
		Country: id.Country,
		Labels:  maps.Clone(target.Labels),

		Target: orDefault(target.Name, target.URL), CDN: spec.CDN.Name,
		App: spec.App.Name, AppVersion: spec.App.Version, Player: spec.App.Player,
		Connection:  orDefault(target.Connection, "cold"),
		ThresholdMs: ms(orDefault(target.Threshold, run.DefaultThreshold)),
	}
	if id.Country != "" {
		r.CountryFrom = "claimed"
	}
	if !id.ScheduledAt.IsZero() {
		r.ScheduledAt = &id.ScheduledAt
		interval := ms(orDefault(target.Interval, run.DefaultInterval))
		r.IntervalMs = &interval
	}
	return r
}

func modelFor(app run.App) (*player.Model, error) {
	if app.Player == "" {
		return nil, nil
	}
	return player.Lookup(app.Player)
}

// complete writes what the player found into the run.
func complete(r *run.Run, p *player.Result) {
	r.Player, r.Format, r.Mode = p.Model.String(), p.Format, p.Mode
	r.DurationMs = ms(p.End.Sub(p.Start))
	r.OK = p.Frame != nil && p.Error == ""
	r.ErrorType, r.ErrorStep, r.ErrorDetail = p.Error, p.Step, p.Detail
	r.TTFFMs, r.FirstKeyframeMs, r.StartupMs = since(p.Start, p.Frame), since(p.Start, p.Keyframe), since(p.Start, p.Startup)
	r.Good = r.OK && *r.TTFFMs < r.ThresholdMs
	r.Phases, r.Steps = p.Phases, p.Steps
	for i, x := range p.Exchanges {
		if x != nil {
			r.Steps[i].Connects = connects(x, p.Start)
			if !x.Reused && len(x.Names) > 1 {
				r.Steps[i].CNAMEs = x.Names[1:]
			}
		}
	}
	r.BitrateKbps = positive(p.BitrateKbps)
	r.Width, r.Height = positive(int64(p.Width)), positive(int64(p.Height))
	r.Codec = p.Codec
	r.Pathway = p.Pathway
	r.LiveLatencyMs, r.PlaylistAgeMs = duration(p.LiveLatency), duration(p.PlaylistAge)
	if p.Played != nil {
		playedOn(r, p.Played)
	}
	count(r, p)
	served(r, p)
}

// playedOn writes what came of playing on.
func playedOn(r *run.Run, p *player.Played) {
	played, stalled := ms(p.Media), ms(p.Stalled)
	stalls, switches := int64(p.Stalls), int64(p.Switches)
	r.PlayedMs, r.StallMs, r.Stalls, r.Switches = &played, &stalled, &stalls, &switches
}

// count sums up the steps: all for how many there were, those of the start for
// what was received.
func count(r *run.Run, p *player.Result) {
	var media int64
	var receiving []interval
	r.Attempts = int64(p.Unkept)
	for i := range r.Steps {
		s := &r.Steps[i]
		if s.IsWait() {
			continue
		}
		r.Attempts++
		redirect := s.Error == "" && s.Status >= 300
		if redirect {
			r.Redirects++
		}
		if i >= p.Started {
			continue
		}
		r.Bytes += s.Bytes
		switch {
		case s.Error != "", redirect:
		case s.Method == http.MethodOptions: // brings no media
		case s.Name == run.StepSegment, s.Name == run.StepPart:
			media += s.Bytes
			receiving = append(receiving, interval{s.EndMs - s.RecvMs, s.EndMs})
		}
	}
	if d := union(receiving); d >= 1 { // below, the clock says more of us than of the network
		r.ThroughputKbps = positive(float64(media) * 8 / d)
	}
}

// interval is from and to, in milliseconds.
type interval struct{ from, to float64 }

// union is the length of what the intervals cover together.
func union(list []interval) (length float64) {
	slices.SortFunc(list, func(a, b interval) int { return cmp.Compare(a.from, b.from) })
	end := math.Inf(-1)
	for _, i := range list {
		length += max(0, i.to-max(i.from, end))
		end = max(end, i.to)
	}
	return length
}

// served tells who answered: of the attempts at the first video segment (of sound
// only at its first), or part of one, the last that was answered, which is the one
// that served it; without such the last connection there was.
func served(r *run.Run, p *player.Result) {
	var by *fetch.Exchange
	segment, track := false, run.TrackVideo
	if p.Sound {
		track = run.TrackAudio
	}
	for i, x := range p.Exchanges[:p.Started] {
		if x == nil || !x.Remote.IsValid() {
			continue
		}
		answered := x.Header != nil
		step := &r.Steps[i]
		if step.Name == run.StepManifest && answered {
			r.ManifestCacheStatus = cdn.Identify(x.Header, x.Names...).Cache
		}
		if step.Name == run.StepSteering || step.Name == run.StepPlaybackAPI {
			continue // of whom they tell nothing
		}
		media := step.Name == run.StepSegment || step.Name == run.StepPart
		isSegment := media && step.Track == track && answered
		if isSegment || !segment {
			by = x
		}
		segment = segment || isSegment
	}
	if by == nil {
		return
	}
	addr := by.Remote.Addr().Unmap()
	r.EdgeIP = addr.String()
	version := int64(6)
	if addr.Is4() {
		version = 4
	}
	r.IPVersion = &version
	r.HTTPVersion, r.TLSVersion = by.Proto, by.TLSVersion
	if !by.TLSExpires.IsZero() {
		r.TLSExpiresAt = &by.TLSExpires
	}
	seen := cdn.Identify(by.Header, by.Names...) // by its name alone where it did not answer
	r.CDNSeen, r.POP, r.POPCountry, r.POPCity = seen.CDN, seen.POP, seen.POPCountry, seen.POPCity
	if segment {
		r.SegmentCacheStatus = seen.Cache
	}
}

// warmUp makes a connection to each server before play is pressed. That it
// fails shows in the run itself.
func warmUp(ctx context.Context, client network, servers []*url.URL, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, u := range servers {
		wg.Go(func() { _ = client.Connect(ctx, u.String()) })
	}
	wg.Wait()
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

func since(start time.Time, t *time.Time) *float64 {
	if t == nil {
		return nil
	}
	v := ms(t.Sub(start))
	return &v
}

func duration(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	v := ms(*d)
	return &v
}

// positive is v, or nil where it is not known.
func positive[T int64 | float64](v T) *T {
	if v <= 0 {
		return nil
	}
	return &v
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
