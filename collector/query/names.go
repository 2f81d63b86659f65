package query

import (
	"fmt"
	"slices"

	"github.com/firstframe/firstframe/probes/run"
)

// Agg is how a measure sums up the runs of a bucket.
type Agg int

// The aggregates.
const (
	AggRuns          Agg = iota // all runs
	AggGood                     // runs that are good
	AggBad                      // runs that are not good
	AggFailed                   // runs that are not ok
	AggSLI                      // good / runs
	AggAvailability             // ok / runs
	AggAgents                   // distinct agents
	AggCacheHitRatio            // runs in CacheHits / runs in CacheKnown
	AggStallRatio               // stall_ms / (played_ms + stall_ms), each summed up
	AggQuantile                 // Quantile of Field
	AggAvg                      // mean of Field
	AggMin                      // least of Field
	AggMax                      // greatest of Field
	AggBurnRate                 // (bad / runs) / ErrorBudget
	AggBudgetLeft               // see BudgetLeft
	AggCoverage                 // see Covered
	AggSilent                   // from the last started_at to the end of the bucket, in ms
	AggExpiresIn                // from the end of the bucket to the least Field, in ms
	AggPairs                    // runs with a partner
	AggTTFFDiff                 // median of the paired differences of ttff_ms
	AggTTFFDiffLow              // the MedianRank-th of them from below
	AggTTFFDiffHigh             // the MedianRank-th of them from above
	AggBadDiff                  // mean of the paired differences of bad
	AggBadDiffLow               // the mean - MeanError
	AggBadDiffHigh              // the mean + MeanError
)

// Measure is a number that can be asked for.
type Measure struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"` // measure, or time: then its values are times
	Unit string `json:"unit"` // ms, B, kbit/s, px; ratio: a share of 1; empty: a count, or a multiple
	Doc  string `json:"doc"`

	Paired bool `json:"paired,omitempty"` // only with pair_by

	Agg      Agg        `json:"-"`
	Field    *run.Field `json:"-"` // of AggQuantile, AggAvg, AggMin, AggMax and AggExpiresIn
	Quantile float64    `json:"-"` // of AggQuantile, 0 to 1
}

// Dimension is a property of runs that can be grouped by and asked for in
// where.
type Dimension struct {
	Name  string     `json:"name"`
	Type  run.Type   `json:"type"`
	Doc   string     `json:"doc"`
	Field *run.Field `json:"-"`
}

// CacheHits are the values of segment_cache_status that cache_hit_ratio counts
// as hits: the CDN sent a body that it had, be it from another tier, stale, or
// confirmed by the origin without a new body.
var CacheHits = []string{run.CacheHit, run.CacheHitRemote, run.CacheStale, run.CacheRevalidated}

// CacheKnown are the values that cache_hit_ratio counts at all; unknown and
// null say nothing about the cache.
var CacheKnown = slices.Concat(CacheHits, []string{run.CacheMiss, run.CacheBypass, run.CacheError})

// The names of columns that are neither a dimension nor a measure, and what
// ends the name of a measure of the period compared with.
const (
	TimeColumn      = "time" // the buckets' starts
	ExemplarsColumn = "exemplars"
	BeforeSuffix    = "_before"
)

var quantiles = []struct {
	suffix string
	q      float64
}{{"p50", 0.50}, {"p75", 0.75}, {"p90", 0.90}, {"p95", 0.95}, {"p99", 0.99}}

var (
	measures       = makeMeasures()
	dimensions     = makeDimensions()
	pairNames      = sorted(Paired)
	measureNames   = namesOf(measures, func(m Measure) string { return m.Name })
	dimensionNames = namesOf(dimensions, func(d Dimension) string { return d.Name })
)

// Measures lists everything that can be measured.
func Measures() []Measure { return slices.Clone(measures) }

// Dimensions lists everything that can be grouped by.
func Dimensions() []Dimension { return slices.Clone(dimensions) }

// MeasureByName is the measure of that name, nil when there is none.
func MeasureByName(name string) *Measure {
	if i := slices.Index(measureNames, name); i >= 0 {
		return &measures[i]
	}
	return nil
}

// DimensionByName is the dimension of that name, nil when there is none.
func DimensionByName(name string) *Dimension {
	if i := slices.Index(dimensionNames, name); i >= 0 {
		return &dimensions[i]
	}
	return nil
}

func makeMeasures() []Measure {
	ms := []Measure{
		{Name: "runs", Doc: "runs", Agg: AggRuns},
		{Name: "good", Doc: "runs that are good: ok, and ttff_ms below threshold_ms", Agg: AggGood},
		{Name: "bad", Doc: "runs that are not good, failed ones included", Agg: AggBad},
		{Name: "failed", Doc: "runs that are not ok: without a first frame, or broken off where they were to play on", Agg: AggFailed},
		{Name: "sli", Unit: "ratio", Doc: "good / runs", Agg: AggSLI},
		{Name: "availability", Unit: "ratio", Doc: "ok / runs", Agg: AggAvailability},
		{Name: "agents", Doc: "distinct agents", Agg: AggAgents},
		{Name: "cache_hit_ratio", Unit: "ratio", Agg: AggCacheHitRatio,
			Doc: "of the runs whose segment_cache_status is known, those that are hit, hit_remote, stale or revalidated"},
		{Name: "stall_ratio", Unit: "ratio", Agg: AggStallRatio,
			Doc: "of the runs that played on after the start, the share of that time in which the picture stood still: sum of stall_ms / sum of played_ms + stall_ms"},
		{Name: "burn_rate", Agg: AggBurnRate,
			Doc: "(bad / runs) / (1 - 0.999): how many times faster than the objective allows the error budget is burnt"},
		{Name: "budget_left", Agg: AggBudgetLeft,
			Doc: "share of the error budget of 28 days that is left at the end of the bucket, when none was used at from: " +
				"1 - burn_rate * elapsed / 28d, where burn_rate and elapsed are of the time since from, elapsed 28d at most; below 0: overspent"},
		{Name: "coverage", Unit: "ratio", Agg: AggCoverage,
			Doc: "runs received / runs expected by their interval_ms, of all agents seen in the range or the 24h before; at most 1, null where less than one was expected"},
		{Name: "last_seen", Kind: KindTime, Agg: AggMax, Field: run.FieldByName("started_at"), Doc: "when the last run started"},
		{Name: "silent_ms", Unit: "ms", Agg: AggSilent, Doc: "from the start of the last run to the end of the bucket"},
		{Name: "tls_expires_at_min", Kind: KindTime, Agg: AggMin, Field: run.FieldByName("tls_expires_at"),
			Doc: "when the first of the edges' certificates ends"},
		{Name: "tls_expires_in_ms", Unit: "ms", Agg: AggExpiresIn, Field: run.FieldByName("tls_expires_at"),
			Doc: "from the end of the bucket to tls_expires_at_min; below 0: expired"},
	}
	ms = append(ms, pairMeasures()...)
	for i := range run.Fields {
		f := &run.Fields[i]
		if f.Role != run.Measure {
			continue
		}
		for _, q := range quantiles {
			ms = append(ms, Measure{Name: f.Name + "_" + q.suffix, Unit: f.Unit, Agg: AggQuantile, Field: f, Quantile: q.q,
				Doc: fmt.Sprintf("%s percentile of %s: %s", q.suffix[1:]+"th", f.Name, f.Doc)})
		}
		ms = append(ms, Measure{Name: f.Name + "_avg", Unit: f.Unit, Agg: AggAvg, Field: f,
			Doc: fmt.Sprintf("mean of %s: %s", f.Name, f.Doc)})
		ms = append(ms, Measure{Name: f.Name + "_min", Unit: f.Unit, Agg: AggMin, Field: f,
			Doc: fmt.Sprintf("least %s: %s", f.Name, f.Doc)})
		ms = append(ms, Measure{Name: f.Name + "_max", Unit: f.Unit, Agg: AggMax, Field: f,
			Doc: fmt.Sprintf("greatest %s: %s", f.Name, f.Doc)})
	}
	for i := range ms {
		ms[i].Paired = ms[i].Agg >= AggPairs
		if ms[i].Kind == "" {
			ms[i].Kind = KindMeasure
		}
	}
	return ms
}

func makeDimensions() []Dimension {
	var ds []Dimension
	for i := range run.Fields {
		f := &run.Fields[i]
		if f.Role == run.Dimension || f.Name == "run_id" || f.Name == "started_at" {
			ds = append(ds, Dimension{Name: f.Name, Type: f.Type, Doc: f.Doc, Field: f})
		}
	}
	return ds
}

func namesOf[T any](list []T, name func(T) string) []string {
	names := make([]string, len(list))
	for i := range list {
		names[i] = name(list[i])
	}
	return names
}
