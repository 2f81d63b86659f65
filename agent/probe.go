package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/player"
	"github.com/firstframe/firstframe/probes/redact"
	"github.com/firstframe/firstframe/probes/run"
)

// probeCmd is agent probe.
type probeCmd struct {
	Target []string `arg:"" optional:"" name:"url" help:"Streams to play: URLs of HLS playlists or DASH MPDs, or with --plan names of its targets."`

	CDN    []string `name:"cdn" help:"Play through this host too; with --plan a NAME of the plan. Repeatable." placeholder:"NAME=HOST" sep:"none"`
	Player string   `help:"Player to play as, NAME or NAME@VERSION: ${players}. Left out: hlsjs for HLS, dashjs for DASH." placeholder:"NAME"`
	App    []string `help:"App to play as, which the run then names; with --plan an app of the plan. Repeatable." placeholder:"NAME@VERSION" sep:"none"`
	Plan   string   `help:"Plan whose targets, CDNs and apps to use." type:"existingfile" placeholder:"FILE"`

	Repeat   int           `help:"How often to play." default:"1" placeholder:"N"`
	Interval time.Duration `help:"Time between the starts of two repetitions." placeholder:"D"`
	HTTP     string        `name:"http" help:"HTTP version; left out, as negotiated." enum:",1.1,2,3" default:"" placeholder:"1.1|2|3"`
	AltSvc   string        `help:"Whether HTTP/3 is taken up where a server offers it (Alt-Svc): first, as on a browser's first visit; known, as when it comes again, from the second repetition on; off. Left out, first, or as the plan says." enum:",first,known,off" default:"" placeholder:"first|known|off"`
	Header   []string      `help:"Header of every request. Repeatable." placeholder:"K:V" sep:"none"`

	Threshold time.Duration `help:"A run that takes this long or longer is not good." placeholder:"D"`
	Timeout   time.Duration `help:"When to give up on a run's start." placeholder:"D"`
	Play      time.Duration `help:"Play on after the start for so long, up to 10m, as the player's buffer would, and count stalls and changes of rendition." placeholder:"D"`

	Connection string `help:"cold makes every connection anew, as the first play does; warm has those to the CDN's hosts already, as a second play does; both plays both in each repetition and pairs them. Left out, as the plan says, else cold." enum:",cold,warm,both" default:"" placeholder:"cold|warm|both"`

	networkFlags `embed:""`
	outputFlags  `embed:""`
	bundleFlags  `embed:""`
	frameFlags   `embed:""`
}

// Validate is called once the flags are read.
func (c *probeCmd) Validate() error {
	switch {
	case len(c.Target) == 0 && c.Plan == "":
		return fmt.Errorf("expected \"<url>\", or --plan with targets to play")
	case c.Repeat < 1 || c.Repeat > 100_000:
		return fmt.Errorf("--repeat %d: want 1 to 100000", c.Repeat)
	case c.Play > run.MaxPlay:
		return fmt.Errorf("--play %v: want at most %v", c.Play, run.MaxPlay)
	case c.Threshold < 0 || c.Timeout < 0 || c.Interval < 0 || c.Play < 0:
		return fmt.Errorf("a time cannot be negative")
	case c.Player != "" && c.Plan != "":
		return fmt.Errorf("--player and --plan: the plan's apps say the player")
	}
	if c.Player != "" {
		if _, err := player.Lookup(c.Player); err != nil {
			return err
		}
	}
	return c.writable()
}

// Run presses play as often as asked for, and shows what came of it.
func (c *probeCmd) Run(env *environment) error {
	specs, err := c.specs()
	if err != nil {
		return err
	}
	frames, err := c.frames(env, specs)
	if err != nil {
		return err
	}
	out := newOutput(&c.outputFlags, env, len(specs), c.Repeat)
	out.frames = frames
	err = c.play(env, specs, out)
	_ = out.progress.Finish()
	if err != nil {
		return err
	}
	if err := out.finish(); err != nil {
		return err
	}
	if out.bad {
		return errBad
	}
	return env.ctx.Err()
}

// play plays each spec as often as asked for: those of one repetition closely
// one after another, in random order, with one round's name, so that they can
// be paired. It ends early, without an error, when ctx does.
func (c *probeCmd) play(env *environment, specs []probes.Spec, out *output) error {
	ctx, start := env.ctx, time.Now()
	for i := range c.Repeat {
		if !pause(ctx, start.Add(time.Duration(i)*c.Interval)) {
			return nil
		}
		round := run.NewID(time.Now())[:16]
		for _, k := range rand.Perm(len(specs)) {
			spec := out.frames.want(k, specs[k])
			spec.Identity.Round = round
			r := c.probe(ctx, env, spec)
			if ctx.Err() != nil {
				return nil // cut off, so it says nothing
			}
			if err := out.take(i, k, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// pause waits until t; false when ctx ended first.
func pause(ctx context.Context, t time.Time) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// specs are what to play in one repetition.
func (c *probeCmd) specs() ([]probes.Spec, error) {
	network, err := c.network()
	if err != nil {
		return nil, err
	}
	network.HTTP, network.AltSvc, network.Visits = c.HTTP, c.AltSvc, &probes.Visits{}
	if network.Header, err = headers(c.Header); err != nil {
		return nil, err
	}
	base := probes.Spec{Network: network, Identity: laptop()}
	if c.Plan != "" {
		specs, err := c.planned(base)
		return c.connections(specs), err
	}
	cdns, err := c.cdns()
	if err != nil {
		return nil, err
	}
	var specs []probes.Spec
	for _, target := range c.Target {
		if u, err := url.Parse(target); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, usageError{fmt.Errorf("%q: want an http or https URL", redact.Text(target))}
		}
		for _, cdn := range cdns {
			for _, app := range c.apps() {
				spec := base
				spec.Target, spec.CDN, spec.App = c.limits(run.Target{URL: target}), cdn, app
				specs = append(specs, spec)
			}
		}
	}
	return c.connections(specs), nil
}

// connections are the specs with the connections that are asked for.
func (c *probeCmd) connections(specs []probes.Spec) []probes.Spec {
	var kinds []string
	switch c.Connection {
	case "":
		return specs
	case "both":
		kinds = []string{"cold", "warm"}
	default:
		kinds = []string{c.Connection}
	}
	var all []probes.Spec
	for _, spec := range specs {
		for _, kind := range kinds {
			spec.Target.Connection = kind
			all = append(all, spec)
		}
	}
	return all
}

// limits is the target with the limits of the flags.
func (c *probeCmd) limits(t run.Target) run.Target {
	if c.Threshold > 0 {
		t.Threshold = c.Threshold
	}
	if c.Timeout > 0 {
		t.Timeout = c.Timeout
	}
	if c.Play > 0 {
		t.Play = c.Play
	}
	return t
}

// cdns are the ways that the flags name; without any it is the URL as it is.
func (c *probeCmd) cdns() ([]run.CDN, error) {
	if len(c.CDN) == 0 {
		return []run.CDN{{}}, nil
	}
	var cdns []run.CDN
	for _, flag := range c.CDN {
		name, host, ok := strings.Cut(flag, "=")
		if !ok || name == "" || host == "" || strings.ContainsAny(host, "/ ") {
			return nil, usageError{fmt.Errorf("--cdn %q: want NAME=HOST, such as a=a.cdn.example", flag)}
		}
		cdns = append(cdns, run.CDN{Name: name, Host: host})
	}
	return cdns, nil
}

// apps are the apps that the flags name; without any it is one without a name.
func (c *probeCmd) apps() []run.App {
	if len(c.App) == 0 {
		return []run.App{{Player: c.Player}}
	}
	var apps []run.App
	for _, flag := range c.App {
		name, version, _ := strings.Cut(flag, "@")
		apps = append(apps, run.App{Name: name, Version: version, Player: c.Player})
	}
	return apps
}

// laptop is who makes the runs that a person asks for.
func laptop() probes.Identity {
	host, err := os.Hostname()
	if err != nil {
		host = "laptop"
	}
	return probes.Identity{Agent: host, AgentVersion: theVersion(), Source: run.SourceAdhoc}
}
