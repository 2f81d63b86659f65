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
	AggQuantile                 // Quantile of Field
	AggAvg                      // mean of Field
)

// Measure is a number that can be asked for.
type Measure struct {
	Name string `json:"name"`
	Unit string `json:"unit"` // ms, B, kbit/s, px; ratio: 0 to 1; empty: a count
	Doc  string `json:"doc"`

	Agg      Agg        `json:"-"`
	Field    *run.Field `json:"-"` // of AggQuantile and AggAvg
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

// TimeColumn is the name of an answer's column of bucket starts.
const TimeColumn = "time"

var quantiles = []struct {
	suffix string
	q      float64
}{{"p50", 0.50}, {"p75", 0.75}, {"p90", 0.90}, {"p95", 0.95}, {"p99", 0.99}}

var (
	measures       = makeMeasures()
	dimensions     = makeDimensions()
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
		{Name: "failed", Doc: "runs that did not reach the first frame", Agg: AggFailed},
		{Name: "sli", Unit: "ratio", Doc: "good / runs", Agg: AggSLI},
		{Name: "availability", Unit: "ratio", Doc: "ok / runs", Agg: AggAvailability},
		{Name: "agents", Doc: "distinct agents", Agg: AggAgents},
		{Name: "cache_hit_ratio", Unit: "ratio", Agg: AggCacheHitRatio,
			Doc: "of the runs whose segment_cache_status is known, those that are hit, hit_remote, stale or revalidated"},
	}
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
