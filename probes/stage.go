package probes

import (
	"context"
	"hash/fnv"
	"time"

	"github.com/firstframe/firstframe/probes/clocks"
	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// network is what a run has of the network: a [fetch.Client], or what stands in
// for one.
type network interface {
	Do(ctx context.Context, req fetch.Request) *fetch.Exchange
	Connect(ctx context.Context, address string) error
	SubnetScope() (bits int, ok bool)
	Close() error
}

// stage is where play is pressed: before real servers and by the machine's
// clock, or before a recording of them.
type stage struct {
	clock  clocks.Clock
	open   func(fetch.Config) network
	start  func() (at time.Time, runID string)         // press play
	lookUp func(ref run.Reference) (v string, e error) // secrets
}

// live is the stage of all runs but those that are played again.
var live = stage{
	clock: clocks.System,
	open:  func(cfg fetch.Config) network { return fetch.New(cfg) },
	start: func() (time.Time, string) {
		now := time.Now()
		return now, run.NewID(now)
	},
	lookUp: lookUp,
}

// seedOf is what a run's player throws its dice by: the same whenever it is
// played again.
func seedOf(runID string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(runID)) // never fails
	return h.Sum64()
}
