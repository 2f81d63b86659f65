package ingest

import (
	"errors"
	"fmt"

	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/collector/wal"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/trace"
)

// The bounds of one run's steps.
const (
	maxStepBytes  = 128 << 20 // of the bodies that hold them, decompressed
	maxStepBodies = 64
)

// Steps reads the steps of the run of that id from the bodies in the log that
// hold its spans, as [store.Store.Run] lists them. expired says that some of
// the bodies are gone by the log's retention; the steps are then those of the
// others. Of a run whose spans lie in more than 64 bodies, those of the first
// are read, the root's among them.
func Steps(log *wal.Log, id string, at []store.Location) (steps []run.Step, expired bool, err error) {
	var all []byte // requests may be concatenated, see package trace
	for _, loc := range at[:min(len(at), maxStepBodies)] {
		rec, err := log.Read(wal.Location(loc))
		if errors.Is(err, wal.ErrExpired) {
			expired = true
			continue
		}
		if err != nil {
			return nil, expired, fmt.Errorf("ingest: steps of run %s: %w", id, err)
		}
		plain, err := plainOTLP(&rec, DefaultMaxBody, nil)
		if err != nil {
			return nil, expired, fmt.Errorf("ingest: steps of run %s at %v: %w", id, loc, err)
		}
		if len(all)+len(plain) > maxStepBytes {
			return nil, expired, fmt.Errorf("ingest: spans of run %s lie in more than %d bytes of bodies", id, maxStepBytes)
		}
		all = append(all, plain...)
	}
	steps, err = trace.DecodeSteps(all, id, trace.Limits{Spans: 1 << 30})
	return steps, expired, err
}
