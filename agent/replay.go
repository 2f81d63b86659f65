package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/firstframe/firstframe/agent/report"
	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/bundle"
	"github.com/firstframe/firstframe/probes/run"
)

// replayCmd is agent replay.
type replayCmd struct {
	Bundle string `arg:"" help:"Bundle that agent probe --bundle or agent run --bundles has kept." type:"existingfile"`

	JSON bool   `name:"json" help:"Print the run as JSON and nothing else."`
	HTML string `name:"html" help:"Write a page with pictures too: one file that needs no network." placeholder:"FILE"`
	HAR  string `name:"har" help:"Write an HTTP archive too, which browsers' developer tools open." placeholder:"FILE"`
}

// Help is what agent replay --help says besides.
func (replayCmd) Help() string {
	return `The same player meets the same answers at the same times; waiting is leapt over. Exit code: 0 the same verdict, 1 another one, 2 no bundle.`
}

// Validate is called once the flags are read.
func (c *replayCmd) Validate() error { return c.output().writable() }

func (c *replayCmd) output() *outputFlags {
	return &outputFlags{JSON: c.JSON, HTML: c.HTML, HAR: c.HAR}
}

// Run plays a bundle's run again, and says whether it came to the same.
func (c *replayCmd) Run(env *environment) error {
	b, err := bundle.Open(c.Bundle)
	if errors.Is(err, bundle.ErrInvalid) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	again := probes.Replay(env.ctx, b)
	if err := env.ctx.Err(); err != nil {
		return err
	}
	out := newOutput(c.output(), env, 1, 1)
	if err := out.take(0, 0, again.Run); err != nil {
		return err
	}
	if err := out.finish(); err != nil {
		return err
	}
	words := env.stdout
	if c.JSON {
		words = env.stderr
	}
	if err := compare(words, &b.Run, &again); err != nil {
		return fmt.Errorf("writing the verdict: %w", err)
	}
	if len(again.Changed) > 0 {
		return errBad
	}
	return nil
}

// compare says how a run that was played again differs from what it was.
func compare(w io.Writer, then *run.Run, again *probes.Replayed) error {
	same := "The same verdict"
	if len(again.Changed) > 0 {
		same = "Another verdict"
	}
	lines := []string{fmt.Sprintf("%s as on %s by agent %s: %s.", same, then.StartedAt.UTC().Format("2006-01-02 15:04:05 UTC"), orDefault(then.AgentVersion, "unknown"), outcome(then))}
	for _, change := range again.Changed {
		lines = append(lines, "  "+change)
	}
	if then.OK && again.Run.OK {
		lines = append(lines, fmt.Sprintf("  first frame after %.0f ms, was %.0f ms", *again.Run.TTFFMs, *then.TTFFMs))
	}
	for _, m := range again.Missing {
		lines = append(lines, "  the bundle does not hold "+m)
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, report.Line(line)); err != nil {
			return err
		}
	}
	return nil
}

// outcome is a run's, in words.
func outcome(r *run.Run) string {
	if r.OK {
		return "a first frame"
	}
	return fmt.Sprintf("%s at %s", r.ErrorType, r.ErrorStep)
}
