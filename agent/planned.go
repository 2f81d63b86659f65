package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/plan"
	"github.com/firstframe/firstframe/probes/redact"
)

// planned are the plan's jobs that the flags choose.
func (c *probeCmd) planned(base probes.Spec) ([]probes.Spec, error) {
	p, err := plan.Load(c.Plan, planOptions())
	if err != nil {
		return nil, usageError{err}
	}
	base.Network.AllowAddresses = p.AllowAddresses
	base.Identity.PlanRevision = p.Revision()
	jobs := p.AllJobs()
	targets := chosen{flag: "target", want: c.Target, of: func(j plan.Job) []string { return []string{j.Target.Name, j.Target.URL} }}
	cdns := chosen{flag: "--cdn", want: c.CDN, of: func(j plan.Job) []string { return []string{j.CDN.Name} }}
	apps := chosen{flag: "--app", want: c.App, of: func(j plan.Job) []string { return []string{j.App.Name, j.App.Name + "@" + j.App.Version} }}
	for _, ch := range []chosen{targets, cdns, apps} {
		if err := ch.check(jobs); err != nil {
			return nil, err
		}
	}
	var specs []probes.Spec
	for _, j := range jobs {
		if targets.fits(j) && cdns.fits(j) && apps.fits(j) {
			spec := base
			spec.Target, spec.CDN, spec.App = c.limits(j.Target), j.CDN, j.App
			specs = append(specs, spec)
		}
	}
	if len(specs) == 0 {
		return nil, usageError{fmt.Errorf("%s: no target is played through these CDNs as these apps", c.Plan)}
	}
	return specs, nil
}

// chosen is a choice among the jobs of a plan by name; none chooses all.
type chosen struct {
	flag string
	want []string
	of   func(plan.Job) []string // the names by which a job can be chosen
}

func (c chosen) fits(j plan.Job) bool {
	return len(c.want) == 0 || slices.ContainsFunc(c.of(j), func(name string) bool { return slices.Contains(c.want, name) })
}

// check refuses a name that no job bears, and says which there are.
func (c chosen) check(jobs []plan.Job) error {
	var known []string
	for _, j := range jobs {
		known = append(known, c.of(j)...)
	}
	slices.Sort(known)
	known = slices.DeleteFunc(slices.Compact(known), func(n string) bool { return n == "" || n == "@" })
	for _, w := range c.want {
		if !slices.Contains(known, w) {
			return usageError{fmt.Errorf("%s %q is not in the plan, which has %s", c.flag, redact.Text(w), redact.Text(strings.Join(known, ", ")))}
		}
	}
	return nil
}
