package main

import (
	"context"
	"fmt"

	"github.com/firstframe/firstframe/agent/bundles"
	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/tape"
)

// maxBundles bounds what one agent probe keeps.
const maxBundles = 100

// bundleFlags say which runs a laptop keeps, to be played again.
type bundleFlags struct {
	Bundle    string `help:"Directory in which to keep a bundle of each run that failed or was slow: what was asked for and answered, without secrets, for agent replay. At most 100." placeholder:"DIR" type:"path"`
	BundleAll bool   `help:"Keep the good ones too."`

	kept int
}

// probe makes a run, and keeps it where that is asked for. That it cannot be kept
// is said, and ends no run.
func (f *bundleFlags) probe(ctx context.Context, env *environment, spec probes.Spec) run.Run {
	if f.Bundle == "" || f.kept == maxBundles {
		return probes.Probe(ctx, spec)
	}
	r, recording := probes.Record(ctx, spec, tape.Limits{})
	if ctx.Err() != nil || r.Good && !f.BundleAll {
		return r
	}
	path, err := f.keep(recording)
	if err != nil {
		fmt.Fprintf(env.stderr, "agent: --bundle: the run is not kept: %v\n", err)
		return r
	}
	fmt.Fprintf(env.stderr, "kept %s\n", path)
	if f.kept++; f.kept == maxBundles {
		fmt.Fprintf(env.stderr, "that is %d bundles: no more are kept\n", maxBundles)
	}
	return r
}

func (f *bundleFlags) keep(recording *probes.Recording) (path string, err error) {
	b, err := recording.Bundle()
	if err != nil {
		return "", err
	}
	return (&bundles.Dir{Path: f.Bundle}).Keep(b)
}
