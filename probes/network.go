package probes

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// maxVisits bounds the ways that [Visits] remembers.
const maxVisits = 10_000

// Visits remembers from run to run which servers offered HTTP/3, for the apps
// that come again (run.App.AltSvc is known): apart for each CDN and app, as one
// browser knows nothing of another and one CDN is no answer to what another
// speaks. The zero value remembers nothing yet; it is safe for concurrent use.
type Visits struct {
	mu   sync.Mutex
	seen map[way]*fetch.AltSvc
}

// way is what a memory is kept for.
type way struct{ cdn, connectTo, app, version string }

// of is the memory for a way: without v, and beyond the bound, a new one.
func (v *Visits) of(cdn run.CDN, app run.App) *fetch.AltSvc {
	if v == nil {
		return &fetch.AltSvc{}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	key := way{cdn.Name, cdn.ConnectTo, app.Name, app.Version}
	if known := v.seen[key]; known != nil {
		return known
	}
	fresh := &fetch.AltSvc{}
	if len(v.seen) < maxVisits {
		if v.seen == nil {
			v.seen = map[way]*fetch.AltSvc{}
		}
		v.seen[key] = fresh
	}
	return fresh
}

// fetchConfig is how the run's requests leave this machine.
func fetchConfig(spec Spec, via *route) (fetch.Config, error) {
	n := spec.Network
	to := maps.Clone(n.ConnectTo)
	if spec.CDN.ConnectTo != "" {
		if to == nil {
			to = map[string]string{}
		}
		for _, u := range via.servers() {
			to[u.Host] = spec.CDN.ConnectTo
		}
	}
	agent := spec.App.UserAgent
	if agent == "" {
		agent = "Mozilla/5.0 (compatible; Firstframe/" + orDefault(spec.Identity.AgentVersion, "devel") + ")"
	}
	cfg := fetch.Config{
		Resolver: n.Resolver, ClientSubnet: n.ClientSubnet, ConnectTo: to, LocalAddr: n.Bind, IPVersion: n.IPVersion,
		HTTP: orDefault(spec.App.HTTP, n.HTTP), RootCAs: n.RootCAs, Insecure: n.Insecure,
		AllowPrivate: n.AllowPrivate, AllowAddresses: n.AllowAddresses, UserAgent: agent,
	}
	switch alt := orDefault(spec.App.AltSvc, n.AltSvc); alt {
	case "", "first":
		cfg.AltSvc = &fetch.AltSvc{}
	case "known":
		cfg.AltSvc = n.Visits.of(spec.CDN, spec.App)
	case "off":
	default:
		return cfg, fmt.Errorf("alt_svc %q: want first, known or off", alt)
	}
	if playsInBrowser(spec.App.Player) && cfg.HTTP != "3" { // which no browser is made to speak
		cfg.Eyeballs = fetch.EyeballsChromium
	}
	return cfg, nil
}

// playsInBrowser tells whether the player is one of a web page, and so in most
// cases of Chromium's network; so are those that are chosen by the format.
func playsInBrowser(player string) bool {
	switch name, _, _ := strings.Cut(player, "@"); name {
	case "", "hlsjs", "shaka", "dashjs":
		return true
	}
	return false
}

// connects are the attempts to connect of an exchange, as a step tells them:
// nil where there was one and it went well.
func connects(x *fetch.Exchange, start time.Time) []string {
	if len(x.Attempts) == 0 || len(x.Attempts) == 1 && x.Attempts[0].Err == nil && !x.Attempts[0].End.IsZero() {
		return nil
	}
	at := func(t time.Time) string { return strconv.FormatFloat(ms(t.Sub(start)), 'f', 1, 64) }
	var all []string
	for _, a := range x.Attempts[:min(len(x.Attempts), run.MaxConnects)] {
		outcome, end := "connected", a.End
		switch {
		case end.IsZero():
			outcome, end = "pending", x.End
		case errors.Is(a.Err, fetch.ErrOvertaken):
			outcome = "overtaken"
		case a.Err != nil:
			outcome = cmp.Or(short(a.Err.Error()), "failed")
		}
		all = append(all, strings.Join([]string{a.Network, a.Addr.String(), at(a.Start), at(end), outcome}, " "))
	}
	return all
}

// short is an error's text in one line of at most 200 bytes.
func short(s string) string {
	s = strings.ReplaceAll(s, "\n", "; ")
	return strings.ToValidUTF8(s[:min(len(s), 200)], "")
}

// noteSubnet labels a run whose names were resolved for a network that is not
// the agent's: with the network, and for how many bits of it DNS has answered.
func noteSubnet(r *run.Run, client network, subnet netip.Prefix) {
	if !subnet.IsValid() || len(r.Labels) > run.MaxLabels-2 {
		return
	}
	if r.Labels == nil {
		r.Labels = map[string]string{}
	}
	r.Labels["ecs"], r.Labels["ecs_scope"] = subnet.String(), "not answered"
	if bits, ok := client.SubnetScope(); ok {
		r.Labels["ecs_scope"] = strconv.Itoa(bits)
	}
}
