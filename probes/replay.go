package probes

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/firstframe/firstframe/probes/bundle"
	"github.com/firstframe/firstframe/probes/clocks"
	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/player"
	"github.com/firstframe/firstframe/probes/redact"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/tape"
)

// Replayed is a run that was played again.
type Replayed struct {
	Run run.Run

	// Missing are requests that the bundle does not hold, or not as far as they
	// were read this time: the player has changed since, or it had given them up
	// by a hair then. The run saw them fail, with the type internal.
	Missing []string

	// Changed is what is different in the verdict: whether there was a first
	// frame, else why there was none and at which step, and which rendition was
	// played. It is empty where the verdict is the same.
	Changed []string
}

// Replay plays a bundle's run again, without a network: the same player before
// the same answers at the same times, as the machine's clock was then. It takes
// the time that the player's own work takes: waiting is leapt over.
//
// When ctx is cancelled the run is of type internal and is not worth keeping.
func Replay(ctx context.Context, b *bundle.Bundle) Replayed {
	spec := specOf(b)
	secrets, err := secretsOf(spec)
	clock := clocks.NewLeaping(b.Run.StartedAt)
	answers := tape.NewPlayer(b.Exchanges, clock, secrets.Text)
	on := stage{
		clock: clock,
		open:  func(fetch.Config) network { return offline{answers} },
		start: func() (time.Time, string) { return b.Run.StartedAt, b.Run.RunID },
		// A secret's place is taken by what stands for it in the bundle.
		lookUp: func(run.Reference) (string, error) { return redact.Mark, nil },
	}
	going, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { clock.Run(going) })
	r, _ := press(ctx, spec, on, secrets, err)
	stop()
	wg.Wait()
	clean(&r, secrets)
	return Replayed{Run: r, Missing: answers.Missing(), Changed: changed(&b.Run, &r)}
}

// offline is a network of which there is only a recording.
type offline struct{ *tape.Player }

// Connect does nothing: that a connection was there is recorded.
func (offline) Connect(context.Context, string) error { return nil }

// SubnetScope is not known: the run has it.
func (offline) SubnetScope() (bits int, ok bool) { return 0, false }

func (offline) Close() error { return nil }

// specOf is what to play.
func specOf(b *bundle.Bundle) Spec {
	var spec Spec
	spec.Target, spec.CDN, spec.App = b.Probe.Spec()
	r := &b.Run
	if _, err := player.Lookup(r.Player); err == nil {
		spec.App.Player = r.Player // the very one, also where it was the default of then
	}
	spec.Identity = Identity{
		Agent: r.Agent, AgentVersion: r.AgentVersion, Region: r.Region, Country: r.Country,
		Source: r.Source, Round: r.Round, PlanRevision: r.PlanRevision, ControlOK: r.ControlOK,
	}
	if r.ScheduledAt != nil {
		spec.Identity.ScheduledAt = *r.ScheduledAt
	}
	spec.Network = Network{HTTP: b.Probe.Network.HTTP, Header: http.Header(b.Probe.Network.Headers)}
	spec.Network.ClientSubnet, _ = netip.ParsePrefix(b.Probe.Network.ClientSubnet) // of a bundle that was made: none or a prefix
	return spec
}

// changed is what is different in the verdict of two runs.
func changed(then, now *run.Run) (all []string) {
	note := func(what, a, b string) {
		if a != b {
			all = append(all, fmt.Sprintf("%s was %s, is %s", what, cmp.Or(a, "unknown"), cmp.Or(b, "unknown")))
		}
	}
	note("the verdict", verdict(then), verdict(now))
	if then.OK && now.OK {
		note("the rendition", rendition(then), rendition(now))
	}
	return all
}

// verdict is a run's in words.
func verdict(r *run.Run) string {
	if r.OK {
		return "a first frame"
	}
	return fmt.Sprintf("%s at %s", r.ErrorType, r.ErrorStep)
}

// rendition is the one that a run played, in words.
func rendition(r *run.Run) string {
	text := r.Codec
	if r.BitrateKbps != nil {
		text += fmt.Sprintf(" %v kbit/s", math.Round(*r.BitrateKbps))
	}
	if r.Width != nil && r.Height != nil {
		text += fmt.Sprintf(" %dx%d", *r.Width, *r.Height)
	}
	return text
}
