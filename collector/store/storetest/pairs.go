package storetest

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/probes/run"
)

// pair is a run beside its partners.
type pair struct {
	bad  float64
	ttff *float64 // nil unless both reached the first frame
}

// pairs are those of the runs that have partners.
func pairs(q *query.Resolved, runs []*run.Run) map[*run.Run]pair {
	found := map[*run.Run]pair{}
	if q.PairBy == nil {
		return found
	}
	var keys []*query.Dimension
	for _, name := range q.PairedBy() {
		keys = append(keys, query.DimensionByName(name))
	}
	groups := map[string][]*run.Run{}
	for _, r := range runs {
		if r.Round != "" && r.Agent != "" && q.PairBy.Field.Get(r) != nil {
			id := fmt.Sprintf("%#v", key(keys, r))
			groups[id] = append(groups[id], r)
		}
	}
	for _, group := range groups {
		for _, r := range group {
			others := slices.DeleteFunc(slices.Clone(group), func(o *run.Run) bool { return q.PairBy.Field.Get(o) == q.PairBy.Field.Get(r) })
			if len(others) > 0 {
				found[r] = compared(r, others)
			}
		}
	}
	return found
}

func compared(r *run.Run, others []*run.Run) pair {
	bad, ttff, known := 0.0, 0.0, 0.0
	for _, o := range others {
		bad += isBad(o)
		if o.TTFFMs != nil {
			ttff += *o.TTFFMs
			known++
		}
	}
	p := pair{bad: isBad(r) - bad/float64(len(others))}
	if r.TTFFMs != nil && known > 0 {
		d := *r.TTFFMs - ttff/known
		p.ttff = &d
	}
	return p
}

func isBad(r *run.Run) float64 {
	if r.Good {
		return 0
	}
	return 1
}

// paired is a measure of pairs.
func (b bucket) paired(m *query.Measure) any {
	var ttffs, bads []float64
	for _, r := range b.runs {
		p, ok := b.pairs[r]
		if !ok {
			continue
		}
		bads = append(bads, p.bad)
		if p.ttff != nil {
			ttffs = append(ttffs, *p.ttff)
		}
	}
	slices.Sort(ttffs)
	n := int64(len(ttffs))
	mean, half := meanInterval(bads)
	switch m.Agg {
	case query.AggPairs:
		return int64(len(bads))
	case query.AggTTFFDiff:
		return quantile(ttffs, 0.5)
	case query.AggTTFFDiffLow:
		if n >= query.LeastPairs {
			return ttffs[query.MedianRank(n)-1]
		}
	case query.AggTTFFDiffHigh:
		if n >= query.LeastPairs {
			return ttffs[n-query.MedianRank(n)]
		}
	case query.AggBadDiff:
		if len(bads) > 0 {
			return mean
		}
	case query.AggBadDiffLow:
		if len(bads) >= query.LeastPairs {
			return mean - half
		}
	case query.AggBadDiffHigh:
		if len(bads) >= query.LeastPairs {
			return mean + half
		}
	}
	return nil
}

// meanInterval is the mean of xs and half the width of its interval.
func meanInterval(xs []float64) (mean, half float64) {
	n := float64(len(xs))
	for _, x := range xs {
		mean += x / n
	}
	squares := 0.0
	for _, x := range xs {
		squares += (x - mean) * (x - mean)
	}
	return mean, query.MeanError(math.Sqrt(squares/(n-1)), int64(len(xs)))
}

// Rounds makes the runs of n rounds, one a minute, of two agents that play one
// target through three CDNs as two versions of an app and one of another, each
// with a player. One run in eight is missing, and one in eight lacks what would
// pair it.
func Rounds(seed uint64, n int, end time.Time) []*run.Run {
	rng := newRand(seed, 3)
	apps := []struct{ app, version, player string }{{"tv", "1", "exoplayer"}, {"tv", "2", "shaka"}, {"web", "2", "shaka"}}
	var runs []*run.Run
	for round := range n {
		due := end.Add(-time.Duration(round+1) * time.Minute)
		for i := range 18 {
			if rng.IntN(8) == 0 {
				continue
			}
			r := makeRun(rng, due.Add(time.Duration(rng.Int64N(int64(20*time.Second)))))
			app := apps[i/6]
			r.Source, r.Target, r.Agent, r.Round = run.SourceFleet, "news", texts[i%2], fmt.Sprintf("news@%d", round)
			r.CDN, r.App, r.AppVersion, r.Player = lists["cdn"][i/2%3], app.app, app.version, app.player
			switch rng.IntN(32) {
			case 0:
				r.Round = ""
			case 1:
				r.Agent = ""
			case 2:
				r.CDN = ""
			case 3:
				r.App, r.AppVersion = "", "" // null is a value to have in common
			}
			runs = append(runs, r)
		}
	}
	return runs
}

// paired compares what is measured of pairs.
func paired(t *testing.T, open Open) {
	s, _ := open(t)
	runs := Rounds(21, 30, noon)
	appended(t, s, runs, store.Location{})
	t.Run("computed by hand", func(t *testing.T) { byHand(t, open) })
	t.Run("what belongs to the dimension may differ", func(t *testing.T) { unlike(t, open) })
	measures := slices.DeleteFunc(query.Measures(), func(m query.Measure) bool { return !m.Paired && m.Agg != query.AggSLI })
	dims := slices.Sorted(maps.Keys(query.Paired))
	rapid.Check(t, func(t *rapid.T) {
		r := request(t, query.Dimensions(), measures)
		r.PairBy = rapid.SampledFrom(dims).Draw(t, "pair by")
		r.GroupBy = append(r.GroupBy, r.PairBy)
		r.From = query.Ago(time.Duration(rapid.IntRange(1, 40).Draw(t, "minutes")) * time.Minute)
		if rapid.Bool().Draw(t, "unfiltered") {
			r.Where, r.GroupBy, r.OrderBy = nil, []string{r.PairBy}, nil
		}
		if r.Compare != 0 {
			r.Compare = query.Offset(time.Duration(rapid.IntRange(1, 30).Draw(t, "earlier")) * time.Minute)
		}
		check(t, s, runs, r, noon)
	})
}

// byHand has seven rounds in which CDN a is 100·k ms faster than the mean of b
// and c, but in the last it fails, and c has no first frame in the first.
func byHand(t *testing.T, open Open) {
	s, _ := open(t)
	var runs []*run.Run
	for k := range 7 {
		for i, cdn := range []string{"a", "b", "c"} {
			at := noon.Add(-time.Duration(k+1) * time.Minute)
			ttff := []float64{1000 - 100*float64(k), 900, 1100}[i]
			r := &run.Run{RunID: run.NewID(at), StartedAt: at, Source: run.SourceFleet, Agent: "x", Round: fmt.Sprint(k), CDN: cdn, OK: true, Good: true, TTFFMs: &ttff}
			if k == 6 && cdn == "a" || k == 0 && cdn == "c" {
				r.OK, r.Good, r.TTFFMs = false, false, nil
			}
			runs = append(runs, r)
		}
	}
	appended(t, s, runs, store.Location{})
	a, err := s.Query(t.Context(), &query.Request{From: query.Ago(time.Hour), GroupBy: []string{"cdn"}, PairBy: "cdn", Limit: 1,
		OrderBy: &query.Order{Measure: "cdn"}, Measures: []string{"pairs", "ttff_ms_paired_diff", "ttff_ms_paired_diff_low", "ttff_ms_paired_diff_high",
			"bad_paired_diff", "bad_paired_diff_low", "bad_paired_diff_high"}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	// Differences of ttff: 1000 - 900, then -100 to -500. Of bad: -1/2, 0 five times, 1.
	mean, half := 0.5/7, 1.959963984540054*0.44986770542/2.64575131106
	want := [][]any{{"a", int64(7), int64(7), -250.0, -500.0, 100.0, mean, mean - half, mean + half}}
	if diff := cmp.Diff(want, a.Rows, approximately); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// unlike has two versions of an app, whose players differ, and another app.
func unlike(t *testing.T, open Open) {
	s, _ := open(t)
	var runs []*run.Run
	for i, app := range []run.Run{{App: "tv", AppVersion: "1", Player: "exoplayer"}, {App: "tv", AppVersion: "2", Player: "shaka"}, {App: "web", AppVersion: "9", Player: "hlsjs"}} {
		at := noon.Add(-time.Duration(i+1) * time.Second)
		r := app
		r.RunID, r.StartedAt, r.Source, r.Agent, r.Round, r.CDN, r.Good = run.NewID(at), at, run.SourceFleet, "x", "1", "a", i > 0
		runs = append(runs, &r)
	}
	appended(t, s, runs, store.Location{})
	for by, want := range map[string][][]any{
		"app_version": {{"1", int64(1), int64(1), 1.0}, {"2", int64(1), int64(1), -1.0}, {"9", int64(1), int64(0), nil}},
		"app":         {{"tv", int64(2), int64(2), 0.5}, {"web", int64(1), int64(1), -0.5}},
		"player":      {{"exoplayer", int64(1), int64(1), 1.0}, {"hlsjs", int64(1), int64(1), -0.5}, {"shaka", int64(1), int64(1), -0.5}},
	} {
		a, err := s.Query(t.Context(), &query.Request{From: query.Ago(time.Hour), GroupBy: []string{by}, PairBy: by,
			OrderBy: &query.Order{Measure: by}, Measures: []string{"pairs", "bad_paired_diff"}}, noon)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, a.Rows, approximately); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", by, diff)
		}
	}
}
