package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firstframe/firstframe/deploy/lab/fault"
	"github.com/firstframe/firstframe/deploy/lab/lab"
	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/bundle"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/tape"
)

// kept is a run that was hit, and its bundle as a file has it.
type kept struct {
	name string
	run  run.Run
	file []byte
}

// replay plays it again.
func (k *kept) replay(ctx context.Context) (probes.Replayed, error) {
	b, err := bundle.Read(bytes.NewReader(k.file), int64(len(k.file)))
	if err != nil {
		return probes.Replayed{}, err
	}
	return probes.Replay(ctx, b), nil
}

// again plays it again, to the same verdict.
func (k *kept) again(t *testing.T) probes.Replayed {
	t.Helper()
	again, err := k.replay(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, note := range append(again.Changed, again.Missing...) {
		t.Error(note)
	}
	return again
}

// TestReplayEveryFault orders every kind of fault at the first and the last
// stream that it fits, keeps the runs that it hits, and plays them again when
// the lab is gone: each to the same verdict.
func TestReplayEveryFault(t *testing.T) {
	var runs []kept
	t.Run("record", func(t *testing.T) { runs = recordFaults(t) }) // at whose end the lab closes
	for _, k := range runs {
		t.Run(k.name, func(t *testing.T) {
			again := k.again(t)
			// How far another track has come when the run fails is also a matter of
			// the machine.
			if more := again.Run.Attempts - k.run.Attempts; more < -2 || more > 2 {
				t.Errorf("%d attempts, were %d", again.Run.Attempts, k.run.Attempts)
			}
		})
	}
}

// TestReplayEveryModel plays every stream as every model, and again when the lab
// is gone: the same rendition, the first frame at the same time.
func TestReplayEveryModel(t *testing.T) {
	var runs []kept
	t.Run("record", func(t *testing.T) { runs = recordModels(t) })
	for _, k := range runs {
		t.Run(k.name, func(t *testing.T) {
			if !k.run.OK {
				t.Fatalf("%s at %s: %s", k.run.ErrorType, k.run.ErrorStep, k.run.ErrorDetail)
			}
			k.replays(t)
		})
	}
}

// replays plays it again, to the same verdict, and at the same times unless the
// machine was too busy three times.
func (k *kept) replays(t *testing.T) {
	t.Helper()
	var late []string
	for range 3 {
		again := k.again(t).Run
		if again.OK != k.run.OK {
			t.Fatalf("ok %v, was %v: %s at %s", again.OK, k.run.OK, k.run.ErrorType, k.run.ErrorStep)
		}
		if late = otherTimes(k.run, again); len(late) == 0 {
			return
		}
	}
	t.Errorf("%s", strings.Join(late, ", "))
}

// otherTimes are the times of two runs that are not the same.
func otherTimes(then, now run.Run) (all []string) {
	for _, v := range []struct {
		name      string
		then, now *float64
	}{
		{"ttff_ms", then.TTFFMs, now.TTFFMs}, {"first_keyframe_ms", then.FirstKeyframeMs, now.FirstKeyframeMs},
		{"startup_ms", then.StartupMs, now.StartupMs}, {"live_latency_ms", then.LiveLatencyMs, now.LiveLatencyMs},
		{"playlist_age_ms", then.PlaylistAgeMs, now.PlaylistAgeMs},
	} {
		if (v.then == nil) != (v.now == nil) || math.Abs(deref(v.then)-deref(v.now)) > 20 {
			all = append(all, fmt.Sprintf("%s %v, was %v", v.name, deref(v.now), deref(v.then)))
		}
	}
	return all
}

// recordModels are runs of every stream as every model.
func recordModels(t *testing.T) (runs []kept) {
	l := startLab(t, lab.Config{Fast: true})
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(4) // a machine with much to do measures itself
	for stream := range lab.Streams {
		for _, player := range []string{"ideal", "hlsjs", "hlsjs@1.6", "shaka", "dashjs", "exoplayer", "avplayer"} {
			hls := strings.Contains(stream, "hls")
			if player == "dashjs" && hls || !hls && (player == "avplayer" || strings.HasPrefix(player, "hlsjs")) {
				continue
			}
			group.Go(func() error {
				v := viewer{lab: l, country: "DE", cdn: "cdn-a", player: player, timeout: 10 * time.Second}
				k, err := recordSteady(t, v.spec(t, stream), stream+"/"+player)
				mu.Lock()
				defer mu.Unlock()
				runs = append(runs, k)
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return runs
}

// recordFaults are runs that the faults of the table hit.
func recordFaults(t *testing.T) (runs []kept) {
	cells := startCells(t, 2)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for row, b := range table {
		streams := strings.Fields(b.streams)
		for i, stream := range slices.Compact([]string{streams[0], streams[len(streams)-1]}) {
			v := <-cells
			wg.Go(func() {
				defer func() { cells <- v }()
				v := v
				v.timeout, v.player = b.limit(), players[0]
				if i == 0 && plays(players[1], stream) {
					v.player = players[1]
				}
				name := fmt.Sprintf("%d-%s-%s-%s", row, b.kind, stream, v.player)
				k, err := b.record(t, v, stream, name)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				runs = append(runs, k)
			})
		}
	}
	wg.Wait()
	return runs
}

// record orders the fault for the viewer's country and CDN, plays, and keeps
// that.
func (b broken) record(t *testing.T, v viewer, stream, name string) (kept, error) {
	b.effect.Kind = b.kind
	if _, err := v.lab.Faults.Add(fault.Fault{ID: name, Match: fault.Match{Country: v.country, CDN: v.cdn, Path: b.path}, Effect: b.effect}); err != nil {
		return kept{}, err
	}
	defer v.lab.Faults.Delete(name)
	return record(t, v.spec(t, stream), name)
}

// recordSteady keeps a run whose times count: one that nothing beside it held up,
// as a replay tells, or the last of five.
func recordSteady(t *testing.T, s probes.Spec, name string) (k kept, err error) {
	for range 5 {
		if k, err = record(t, s, name); err != nil {
			return k, err
		}
		again, err := k.replay(t.Context())
		if err != nil || len(otherTimes(k.run, again.Run)) == 0 {
			return k, err
		}
	}
	return k, nil
}

// record plays a stream and keeps that.
func record(t *testing.T, s probes.Spec, name string) (kept, error) {
	r, recording := probes.Record(t.Context(), s, tape.Limits{})
	made, err := recording.Bundle()
	if err != nil {
		return kept{}, err
	}
	var file bytes.Buffer
	if err := made.Write(&file); err != nil {
		return kept{}, err
	}
	return kept{name: name, run: r, file: file.Bytes()}, nil
}
