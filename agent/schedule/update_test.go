package schedule

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 20 * time.Second
		rec := &recorder{}
		s := New(Config{Probe: rec.probe, Agent: "x"})
		stop := background(t, s)
		time.Sleep(time.Minute)
		if n := len(rec.attempts()); n != 0 {
			t.Fatalf("%d runs without a plan", n)
		}
		s.Update(Plan{Revision: "1", Jobs: slices.Concat(jobs("kept", interval, "a"), jobs("gone", interval, "a"), jobs("changed", interval, "a"))})
		time.Sleep(100*interval + time.Second/2)
		at := time.Now()
		for i := range 30 { // a plan that comes again and again must not start a round twice, or starve one
			s.Update(Plan{Revision: fmt.Sprint(i + 2), Jobs: slices.Concat(jobs("kept", interval, "a", "b"), jobs("changed", interval/2, "a"), jobs("new", interval, "a"))})
			time.Sleep(interval / 3)
		}
		time.Sleep(90 * interval)
		stop()

		kept := rec.of("kept")
		for i, m := range kept {
			slot := m.at.Sub(kept[0].at).Round(interval)
			if off := m.at.Sub(kept[0].at.Add(slot)).Abs(); off > interval/50 {
				t.Fatalf("kept: run %d is %v off its phase", i, off)
			}
		}
		rounds := map[string]int{}
		for _, m := range kept {
			rounds[m.Round]++
			if want := m.at.After(at); want != (m.PlanRevision != "1") {
				t.Fatalf("run at %v has revision %s, the plan changed at %v", m.at, m.PlanRevision, at)
			}
		}
		if len(rounds) != 200 || slices.Max(slices.Collect(maps.Values(rounds))) != 2 {
			t.Errorf("kept: %d rounds of at most %d runs, want 200 of 2", len(rounds), slices.Max(slices.Collect(maps.Values(rounds))))
		}
		for _, m := range rec.of("gone") {
			if m.at.After(at) {
				t.Fatalf("gone: played at %v, dropped at %v", m.at, at)
			}
		}
		for target, want := range map[string]int{"gone": 100, "new": 100, "changed": 300} {
			if n := len(rec.of(target)); n < want-1 || n > want+1 {
				t.Errorf("%s: %d rounds, want %d", target, n, want)
			}
		}
		if st := s.Stats(); st.Targets != 3 || st.Skipped != 0 {
			t.Errorf("stats %+v", st)
		}
	})
}

// A target that is dropped while it runs and comes back does not overlap itself.
func TestUpdateDuringARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{takes: always(45 * time.Second)}
		s := New(Config{Probe: rec.probe})
		s.Update(Plan{Jobs: jobs("slow", 10*time.Second, "a")})
		stop := background(t, s)
		time.Sleep(15 * time.Second)
		s.Update(Plan{})
		time.Sleep(time.Second)
		if st := s.Stats(); st.Running != 1 || st.Targets != 0 {
			t.Errorf("a dropped target's run was not left alone: %+v", st)
		}
		s.Update(Plan{Jobs: jobs("slow", 10*time.Second, "a")})
		time.Sleep(10 * time.Minute)
		stop()
		if rec.max != 1 {
			t.Errorf("%d runs of one target at once", rec.max)
		}
	})
}

// A plan of 1000 targets, twice 1000 jobs, put in force.
func BenchmarkUpdate(b *testing.B) {
	s := New(Config{Probe: func(context.Context, Attempt) bool { return true }})
	var all []Job
	for i := range 1000 {
		all = append(all, jobs(fmt.Sprintf("t%d", i), time.Hour, "a", "b")...)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Update(Plan{Jobs: all})
	}
}
