// Package probes measures playback: [Probe] presses play on one target,
// through one CDN, as one app version, and answers with the run that came of
// it. It knows no fleet, no store and no dashboard.
//
// The floors below it: fetch makes one HTTP exchange, hls and dash read
// manifests, media finds the first keyframe, cdn tells who answered, player
// puts them in a player's order; trace and plan carry runs and targets to and
// from the rest of Firstframe.
package probes

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/firstframe/firstframe/probes/cdn"
	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/player"
	"github.com/firstframe/firstframe/probes/run"
)

// Spec says what to play, how, and as whom. Only the target's URL is needed.
type Spec struct {
	Target run.Target
	CDN    run.CDN
	App    run.App

	Identity Identity
	Network  Network
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
	ConnectTo      map[string]string // host, or host:port, to the ADDR or ADDR:PORT to dial in its place
	Bind           netip.Addr        // source address
	IPVersion      int               // 4 or 6; 0 is any
	HTTP           string            // 1.1 or 2; empty negotiates; an app's own choice goes first
	RootCAs        *x509.CertPool
	Insecure       bool
	AllowPrivate   bool
	AllowAddresses []netip.Prefix
	Header         http.Header // of every request, beside the app's
}

// Probe presses play once and returns when the player would be playing, or has
// failed, at most the target's timeout later. It returns no error: failure is
// data. When ctx is cancelled the run is of type internal and is not worth
// keeping.
func Probe(ctx context.Context, spec Spec) run.Run {
	r := begin(spec)
	timeout := orDefault(spec.Target.Timeout, run.DefaultTimeout)
	model, err := modelFor(spec.App)
	var via *route
	if err == nil {
		via, err = newRoute(spec)
	}
	if err != nil {
		r.ErrorType, r.ErrorStep, r.ErrorDetail = run.ErrUnsupported, run.StepManifest, err.Error()
		return r
	}
	client := fetch.New(fetchConfig(spec, via))
	defer client.Close()
	if r.Connection == "warm" {
		warmUp(ctx, client, via.manifest(), timeout)
	}
	r.StartedAt = time.Now()
	r.RunID = run.NewID(r.StartedAt)
	via.identify(r.RunID)
	ctx, cancel := context.WithDeadline(ctx, r.StartedAt.Add(timeout))
	defer cancel()
	result := player.Play(ctx, player.Config{
		URL: via.manifest(), Client: client, Model: model, App: spec.App, Start: r.StartedAt,
		Header: via.header, Rewrite: via.rewrite, Keep: cdn.KeepHeaders,
	})
	complete(&r, result)
	return r
}

// begin is the run before anything is asked for.
func begin(spec Spec) run.Run {
	now := time.Now()
	id, target := spec.Identity, spec.Target
	r := run.Run{
		RunID: run.NewID(now), StartedAt: now,
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
	r.OK = p.Frame != nil
	r.ErrorType, r.ErrorStep, r.ErrorDetail = p.Error, p.Step, p.Detail
	r.TTFFMs, r.FirstKeyframeMs, r.StartupMs = since(p.Start, p.Frame), since(p.Start, p.Keyframe), since(p.Start, p.Startup)
	r.Good = r.OK && *r.TTFFMs < r.ThresholdMs
	r.Phases, r.Steps = p.Phases, p.Steps
	r.BitrateKbps = positive(p.BitrateKbps)
	r.Width, r.Height = positive(int64(p.Width)), positive(int64(p.Height))
	r.Codec = p.Codec
	r.LiveLatencyMs, r.PlaylistAgeMs = duration(p.LiveLatency), duration(p.PlaylistAge)
	count(r)
	served(r, p)
}

// count sums up the steps.
func count(r *run.Run) {
	var media, mediaMs float64
	for i := range r.Steps {
		s := &r.Steps[i]
		if s.IsWait() {
			continue
		}
		r.Attempts++
		r.Bytes += s.Bytes
		if s.Status >= 300 && s.Status < 400 {
			r.Redirects++
		}
		if (s.Name == run.StepSegment || s.Name == run.StepPart) && s.Error == "" {
			media += float64(s.Bytes)
			mediaMs += s.RecvMs
		}
	}
	if mediaMs >= 1 { // below, the clock says more of us than of the network
		r.ThroughputKbps = positive(media * 8 / mediaMs)
	}
}

// served tells who answered: by the first video segment, else by the last
// answer there was.
func served(r *run.Run, p *player.Result) {
	var last *fetch.Exchange
	segment := false
	for i, x := range p.Exchanges {
		if x == nil {
			continue
		}
		name := r.Steps[i].Name
		if name == run.StepManifest && x.Header != nil {
			r.ManifestCacheStatus = cdn.Identify(x.Header).Cache
		}
		if segment || !x.Remote.IsValid() {
			continue
		}
		last = x
		segment = name == run.StepSegment && r.Steps[i].Track == run.TrackVideo && x.Header != nil
	}
	if last == nil {
		return
	}
	r.EdgeIP = last.Remote.Addr().Unmap().String()
	version := int64(6)
	if last.Remote.Addr().Unmap().Is4() {
		version = 4
	}
	r.IPVersion = &version
	r.HTTPVersion, r.TLSVersion = last.Proto, last.TLSVersion
	if !last.TLSExpires.IsZero() {
		r.TLSExpiresAt = &last.TLSExpires
	}
	if last.Header == nil {
		return
	}
	seen := cdn.Identify(last.Header)
	r.CDNSeen, r.POP, r.POPCountry = seen.CDN, seen.POP, seen.POPCountry
	if segment {
		r.SegmentCacheStatus = seen.Cache
	}
}

// route is how a run's addresses are rewritten and what its requests say.
type route struct {
	target string   // with the app's query
	hosts  []string // that the CDN stands for
	cdn    run.CDN
	mode   string // of CMCD: header, query, off
	cmcd   string // query argument; empty when none is sent
	header http.Header
}

func newRoute(spec Spec) (*route, error) {
	u, err := url.Parse(spec.Target.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("target %q: want an absolute http or https URL", spec.Target.URL)
	}
	v := &route{
		cdn: spec.CDN, hosts: append([]string{u.Host}, spec.CDN.Hosts...),
		mode: orDefault(spec.App.CMCD, "header"), header: http.Header{},
	}
	maps.Copy(v.header, spec.Network.Header)
	for k, value := range spec.App.Headers {
		v.header.Set(k, value)
	}
	if v.mode != "header" && v.mode != "query" && v.mode != "off" {
		return nil, fmt.Errorf("cmcd %q: want header, query or off", spec.App.CMCD)
	}
	if len(spec.App.Query) > 0 {
		q := u.Query()
		for k, value := range spec.App.Query {
			q.Set(k, value)
		}
		u.RawQuery = q.Encode()
	}
	v.target = u.String()
	return v, nil
}

// identify makes every request say which run it is of, so that a CDN's log and
// a trace join (CTA-5004, key sid).
func (v *route) identify(runID string) {
	sid := fmt.Sprintf("sid=%q", runID)
	switch v.mode {
	case "header":
		v.header.Set("CMCD-Session", sid)
	case "query":
		v.cmcd = "CMCD=" + url.QueryEscape(sid)
	}
}

// manifest is the address to press play on.
func (v *route) manifest() string { return v.rewrite(v.target) }

// rewrite is the address to ask in place of one that the target or a manifest
// names: through the CDN where its host is the CDN's to serve.
func (v *route) rewrite(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	if v.cdn.Host != "" && slices.ContainsFunc(v.hosts, func(h string) bool { return sameHost(h, u) }) {
		u.Host = v.cdn.Host
	}
	if v.cmcd != "" {
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += v.cmcd
	}
	return u.String()
}

// sameHost tells whether host, with or without a port, is u's.
func sameHost(host string, u *url.URL) bool {
	return strings.EqualFold(host, u.Host) || strings.EqualFold(host, u.Hostname())
}

// fetchConfig is how the run's requests leave this machine.
func fetchConfig(spec Spec, via *route) fetch.Config {
	n := spec.Network
	to := maps.Clone(n.ConnectTo)
	if spec.CDN.ConnectTo != "" {
		if to == nil {
			to = map[string]string{}
		}
		for _, h := range via.hosts {
			to[h] = spec.CDN.ConnectTo
		}
	}
	agent := spec.App.UserAgent
	if agent == "" {
		agent = "Mozilla/5.0 (compatible; Firstframe/" + orDefault(spec.Identity.AgentVersion, "devel") + ")"
	}
	return fetch.Config{
		Resolver: n.Resolver, ConnectTo: to, LocalAddr: n.Bind, IPVersion: n.IPVersion,
		HTTP: orDefault(spec.App.HTTP, n.HTTP), RootCAs: n.RootCAs, Insecure: n.Insecure,
		AllowPrivate: n.AllowPrivate, AllowAddresses: n.AllowAddresses, UserAgent: agent,
	}
}

// warmUp makes a connection to the manifest's host before play is pressed. That
// it fails shows in the run itself.
func warmUp(ctx context.Context, client *fetch.Client, manifest string, timeout time.Duration) {
	client.Do(ctx, fetch.Request{Method: http.MethodHead, URL: manifest, Timeout: timeout})
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
