package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/firstframe/firstframe/probes/plan"
	"github.com/firstframe/firstframe/probes/player"
)

// planOptions is what a plan may name that package plan does not know.
func planOptions() plan.Options {
	return plan.Options{
		Players: player.Names(),
		CheckPlayer: func(name string) error {
			_, err := player.Lookup(name)
			return err
		},
		Params: slices.Sorted(maps.Keys(player.Params)),
	}
}

// checkCmd is agent check.
type checkCmd struct {
	Plan string `arg:"" help:"Plan file." type:"existingfile"`
}

// Run says what the plan asks for, or each thing that is wrong with it.
func (c *checkCmd) Run(env *environment) error {
	p, err := plan.Load(c.Plan, planOptions())
	var errs plan.Errors
	if errors.As(err, &errs) {
		fmt.Fprintln(env.stderr, errs)
		return errBad
	}
	if err != nil {
		return err
	}
	jobs := p.AllJobs()
	perHour := 0.0
	for _, j := range jobs {
		perHour += float64(time.Hour) / float64(j.Target.Interval)
	}
	fmt.Fprintf(env.stdout, "%s: ok, revision %s: %d targets, %d CDNs, %d apps, %d control targets; %d runs a round, at most %.0f an hour and agent\n",
		c.Plan, p.Revision(), len(p.Targets), len(p.CDNs), len(p.Apps), len(p.Control), len(jobs), perHour)
	return nil
}
