package storetest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// texts are the values of the dimensions of text that are no closed list.
var texts = []string{"a", "b", "it's", `say "hi"`, "São Paulo", "line\nbreak", "100%", "null", "A"}

// lists are the dimensions that queries look into.
var lists = map[string][]string{
	"source":               {run.SourceFleet, run.SourceFleet, run.SourceFleet, run.SourceAdhoc, run.SourceControl},
	"country":              {"BR", "DE", "JP", "US"},
	"cdn":                  {"a", "b", "c"},
	"segment_cache_status": {run.CacheHit, run.CacheHitRemote, run.CacheStale, run.CacheRevalidated, run.CacheMiss, run.CacheBypass, run.CacheError, run.CacheUnknown},
}

func newRand(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// Runs makes n runs from seed, always the same but for the random part of their
// ids, which started within span before end. Every field that may be null is so
// in one run of five. Numbers are multiples of a quarter, so that sums are exact
// in whatever order they are made.
func Runs(seed uint64, n int, end time.Time, span time.Duration) []*run.Run {
	rng := newRand(seed, 1)
	runs := make([]*run.Run, n)
	for i := range runs {
		runs[i] = makeRun(rng, end.Add(-1-time.Duration(rng.Int64N(int64(span)))))
	}
	return runs
}

// Fleet makes the runs of 4 agents in 2 countries, which play 2 targets through
// 2 CDNs every 30 or 60 minutes for span before end. One run of five is missing,
// the last agent falls silent at half the span, and there is a new plan and a
// new app version in the second half.
func Fleet(seed uint64, end time.Time, span time.Duration) []*run.Run {
	rng := newRand(seed, 2)
	var runs []*run.Run
	for job := range 16 {
		agent, target, cdn := job%4, job/4%2, job/8
		every := 30 * time.Minute << target
		for at := end.Add(-span + time.Duration(rng.Int64N(int64(every)))); at.Before(end); at = at.Add(every) {
			half := at.Sub(end) * 2 / span // -1, then 0
			if rng.IntN(5) == 0 || agent == 3 && half == 0 {
				continue
			}
			r := makeRun(rng, at.Add(time.Duration(rng.Int64N(int64(every/50)))))
			interval := float64(every / time.Millisecond)
			r.Agent, r.Target, r.CDN, r.IntervalMs = texts[agent], texts[target], lists["cdn"][cdn], &interval
			r.Country, r.App, r.AppVersion = lists["country"][agent%2], "tv", texts[2+half+1]
			r.PlanRevision, r.AgentVersion, r.Source = texts[2+half+1], "1", run.SourceFleet
			runs = append(runs, r)
		}
	}
	return runs
}

func makeRun(rng *rand.Rand, started time.Time) *run.Run {
	r := new(run.Run)
	for i := range run.Fields {
		f := &run.Fields[i]
		if f.Nullable && rng.IntN(5) == 0 && f.Name != "source" {
			continue
		}
		if err := f.Set(r, makeValue(rng, f, started)); err != nil {
			panic(fmt.Sprintf("storetest: %v", err)) // the table of fields and this function disagree
		}
	}
	r.RunID, r.StartedAt = run.NewID(started), started
	return r
}

func makeValue(rng *rand.Rand, f *run.Field, started time.Time) any {
	switch f.Type {
	case run.Int:
		return rng.Int64N(20) - 2
	case run.Float:
		return float64(rng.IntN(20_000)) / 4
	case run.Bool:
		return rng.IntN(3) > 0
	case run.Time:
		return started.Add(time.Duration(rng.Int64N(int64(time.Minute))))
	case run.Map:
		return map[string]string{"team": texts[rng.IntN(len(texts))], "tier": "1"}
	}
	list := lists[f.Name]
	if list == nil {
		list = texts
	}
	return list[rng.IntN(len(list))]
}
