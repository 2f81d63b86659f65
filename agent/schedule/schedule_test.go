package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firstframe/firstframe/probes/run"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// made is an attempt and when it began.
type made struct {
	Attempt
	at time.Time
}

// recorder is a probe that takes as long as takes says and keeps what it was
// asked for.
type recorder struct {
	takes func(Attempt) time.Duration
	fails func(Attempt) bool

	mu       sync.Mutex
	all      []made
	now, max int
}

func (r *recorder) probe(ctx context.Context, a Attempt) bool {
	r.mu.Lock()
	r.all = append(r.all, made{a, time.Now()})
	r.now++
	r.max = max(r.max, r.now)
	r.mu.Unlock()
	if r.takes != nil {
		select {
		case <-time.After(r.takes(a)):
		case <-ctx.Done():
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now--
	return r.fails == nil || !r.fails(a)
}

// of are the attempts at one target.
func (r *recorder) of(target string) []made {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.all), func(m made) bool { return m.Target.Name != target })
}

func (r *recorder) attempts() []made {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

func always(d time.Duration) func(Attempt) time.Duration {
	return func(Attempt) time.Duration { return d }
}

// jobs are a target through each of some CDNs.
func jobs(target string, interval time.Duration, cdns ...string) []Job {
	out := make([]Job, len(cdns))
	for i, c := range cdns {
		out[i] = Job{Target: run.Target{Name: target, Interval: interval}, CDN: run.CDN{Name: c}}
	}
	return out
}

// during runs a scheduler for d of a bubble's time and then stops it.
func during(t *testing.T, s *Scheduler, d time.Duration) {
	t.Helper()
	stop := background(t, s)
	time.Sleep(d)
	stop()
}

// background runs a scheduler until stop.
func background(t *testing.T, s *Scheduler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v, want context.Canceled", err)
		}
		if st := s.Stats(); st.Running != 0 || st.Waiting != 0 {
			t.Errorf("Run returned with %+v", st)
		}
	}
}

func TestRoundsComeOncePerIntervalForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 30 * time.Second
		rec := &recorder{takes: always(1500 * time.Millisecond)}
		s := New(Config{Probe: rec.probe, Agent: "gru-1"})
		s.Update(Plan{Revision: "r1", Jobs: jobs("news", interval, "a")})
		during(t, s, 24*time.Hour)
		got := rec.of("news")
		if n := len(got); n != 2880 {
			t.Fatalf("%d rounds in a day, want 2880", n)
		}
		first := got[0].at
		for i, m := range got {
			if !m.at.Equal(m.ScheduledAt) {
				t.Fatalf("round %d was due at %v and began at %v", i, m.ScheduledAt, m.at)
			}
			if off := m.at.Sub(first.Add(time.Duration(i) * interval)).Abs(); off > interval/50 {
				t.Fatalf("round %d is %v off its period", i, off)
			}
		}
		if st := s.Stats(); st.Rounds != 2880 || st.Done != 2880 || st.Skipped != 0 || st.Late != 0 || st.Targets != 1 {
			t.Errorf("stats %+v", st)
		}
	})
}

// All CDNs of a target share a round, follow one another at once and never
// overlap; each order is about as likely as any other.
func TestRoundIsPairedAndShuffled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{takes: always(time.Second)}
		s := New(Config{Probe: rec.probe})
		s.Update(Plan{Revision: "r7", Jobs: jobs("news", 10*time.Second, "a", "b", "c")})
		during(t, s, 6000*10*time.Second)
		orders := map[string]int{}
		got := rec.of("news")
		for i := 0; i+3 <= len(got); i += 3 {
			var order []string
			for k, m := range got[i : i+3] {
				order = append(order, m.CDN.Name)
				if m.Round != got[i].Round || m.PlanRevision != "r7" || m.ControlOK != nil || m.Control {
					t.Fatalf("attempt %+v does not fit its round %s", m, got[i].Round)
				}
				if want := got[i].at.Add(time.Duration(k) * time.Second); !m.at.Equal(want) {
					t.Fatalf("run %d of a round began at %v, want %v", k, m.at, want)
				}
			}
			orders[strings.Join(order, "")]++
		}
		if len(orders) != 6 {
			t.Fatalf("orders %v, want all six", orders)
		}
		for order, n := range orders {
			if n < 800 || n > 1200 { // 1000 expected, seven standard deviations
				t.Errorf("order %s came %d times of 6000", order, n)
			}
		}
		if rec.max != 1 {
			t.Errorf("%d runs of one target at once", rec.max)
		}
	})
}

// Agents fire at different times, but their rounds of one interval have one
// name. What was due before Run is neither late nor skipped.
func TestRoundNameIsTheSameForAllAgents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // starts on the hour
		into := map[string]time.Duration{}
		for _, agent := range []string{"gru-1", "fra-1"} {
			rec := &recorder{}
			s := New(Config{Probe: rec.probe, Agent: agent})
			s.Update(Plan{Jobs: jobs("news", 20*time.Second, "a")})
			start := time.Now().Truncate(time.Hour).Add(time.Hour)
			time.Sleep(time.Until(start))
			during(t, s, time.Minute)
			var got, want []string
			for i := range 3 {
				want = append(want, "news@"+start.Add(time.Duration(i)*20*time.Second).UTC().Format(time.RFC3339))
			}
			for _, m := range rec.of("news") {
				got = append(got, m.Round)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: rounds %v, want %v", agent, got, want)
			}
			if st := s.Stats(); st.Skipped != 0 || st.Late != 0 {
				t.Errorf("%s: %+v", agent, st)
			}
			into[agent] = rec.of("news")[0].at.Sub(start)
		}
		if into["gru-1"] == into["fra-1"] {
			t.Error("two agents fire at the same instant of an interval")
		}
	})
}

// A fleet's first rounds are spread over the interval: of 1000 agents about as
// many fall into each tenth.
func TestFleetIsSpread(t *testing.T) {
	const interval = 30 * time.Second
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	var tenths [10]int
	for i := range 1000 {
		tt := newTimetable(fmt.Sprintf("agent-%d", i), "news", jobs("news", interval, "a"))
		due := tt.due(tt.next(now))
		if wait := due.Sub(now); wait <= 0 || wait > interval+tt.jitter {
			t.Fatalf("agent %d waits %v for its first round", i, wait)
		}
		tenths[due.Sub(due.Truncate(interval))*10/interval]++
	}
	for i, n := range tenths {
		if n < 60 || n > 140 {
			t.Errorf("%d of 1000 agents in tenth %d: %v", n, i, tenths)
		}
	}
}

func TestTimetable(t *testing.T) {
	for _, interval := range []time.Duration{1, time.Millisecond, time.Second, 30 * time.Second, 7 * time.Minute, 24 * time.Hour} {
		t.Run(interval.String(), func(t *testing.T) {
			tt := newTimetable("a", "b", jobs("b", interval, "c"))
			now := time.Date(2026, 11, 23, 9, 0, 0, 12345, time.UTC)
			for range 200 {
				slot := tt.next(now)
				due := tt.due(slot)
				if !due.After(now) || tt.due(slot-1).After(now) {
					t.Fatalf("at %v next is slot %d, due %v, after %v", now, slot, due, tt.due(slot-1))
				}
				if from := tt.begin(slot); due.Before(from) || !due.Before(from.Add(interval)) {
					t.Fatalf("slot of %v has its round at %v", from, due)
				}
				now = due
			}
		})
	}
	if got := newTimetable("a", "b", jobs("b", 0, "c")).interval; got != run.DefaultInterval {
		t.Errorf("without an interval it is %v", got)
	}
}

func TestConcurrencyIsBoundedAndTurnsAreFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{takes: always(3 * time.Second)} // 20 targets × 3 s / 10 s need 6 at once
		s := New(Config{Probe: rec.probe, Concurrency: 3})
		var all []Job
		for i := range 20 {
			all = append(all, jobs(fmt.Sprintf("t%d", i), 10*time.Second, "a")...)
		}
		s.Update(Plan{Jobs: all})
		during(t, s, time.Hour)
		if rec.max != 3 {
			t.Errorf("%d runs at once, want 3", rec.max)
		}
		// Three at once for 3 s each make 3600 runs in an hour: 180 for each target.
		for i := range 20 {
			if n := len(rec.of(fmt.Sprintf("t%d", i))); n < 170 || n > 190 {
				t.Errorf("target %d had %d rounds, want about 180", i, n)
			}
		}
		st := s.Stats()
		if total := st.Rounds + st.Skipped; total < 20*360-40 || total > 20*360+20 {
			t.Errorf("%d rounds and %d skipped are %d, want about 7200", st.Rounds, st.Skipped, total)
		}
		if st.Late < st.Rounds*9/10 {
			t.Errorf("%d of %d rounds late, want nearly all: they wait for a turn", st.Late, st.Rounds)
		}
	})
}

// Rounds that play on take half of the turns at most, so that the others come at
// their time.
func TestPlayingOnLeavesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{takes: func(a Attempt) time.Duration {
			if a.Target.Play > 0 {
				return 50 * time.Second
			}
			return 100 * time.Millisecond
		}}
		var p Plan
		for i := range 8 {
			long := jobs(fmt.Sprint("long", i), time.Minute, "a")
			long[0].Target.Play = 30 * time.Second
			p.Jobs = append(p.Jobs, long...)
			p.Jobs = append(p.Jobs, jobs(fmt.Sprint("short", i), time.Minute, "a")...)
		}
		s := New(Config{Probe: r.probe, Agent: "x", Concurrency: 4})
		s.Update(p)
		during(t, s, 30*time.Minute)
		if r.max > 4 {
			t.Errorf("%d runs at once, want at most 4", r.max)
		}
		most, long := 0, []time.Time{}
		for _, m := range r.attempts() {
			if m.Target.Play > 0 {
				long = slices.DeleteFunc(append(long, m.at), func(at time.Time) bool { return m.at.Sub(at) >= 50*time.Second })
				most = max(most, len(long))
			} else if late := m.at.Sub(m.ScheduledAt); late > time.Second {
				t.Errorf("%s began %v late", m.Target.Name, late)
			}
		}
		if most != 2 {
			t.Errorf("%d rounds played on at once, want 2", most)
		}
	})
}

// A round that lasts longer than the interval makes the next be skipped, not
// overlap, and the rounds that remain keep the phase.
func TestRoundIsSkippedWhileThePreviousRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 10 * time.Second
		rec := &recorder{takes: always(15 * time.Second)}
		s := New(Config{Probe: rec.probe})
		s.Update(Plan{Jobs: jobs("slow", interval, "a")})
		during(t, s, 1000*interval)
		got := rec.of("slow")
		if st := s.Stats(); len(got) != 500 || st.Skipped != 500 || st.Late != 0 {
			t.Errorf("%d rounds, %+v, want 500 and 500 skipped", len(got), st)
		}
		for i, m := range got {
			if off := m.at.Sub(got[0].at.Add(time.Duration(2*i) * interval)).Abs(); off > interval/50 {
				t.Fatalf("round %d is %v off", i, off)
			}
		}
		if rec.max != 1 {
			t.Errorf("%d runs of one target at once", rec.max)
		}
	})
}

func TestStopWaitsForRunsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended int
		var mu sync.Mutex
		s := New(Config{Concurrency: 2, Probe: func(ctx context.Context, _ Attempt) bool {
			<-ctx.Done()
			time.Sleep(3 * time.Second) // a run that takes its time to end
			mu.Lock()
			defer mu.Unlock()
			ended++
			return false
		}})
		var all []Job
		for i := range 5 {
			all = append(all, jobs(fmt.Sprintf("t%d", i), 10*time.Second, "a", "b")...)
		}
		s.Update(Plan{Jobs: all})
		stop := background(t, s)
		time.Sleep(30 * time.Second)
		if st := s.Stats(); st.Running != 2 || st.Waiting != 3 || st.Done != 0 {
			t.Errorf("before the stop %+v, want 2 running and 3 waiting", st)
		}
		at := time.Now()
		stop()
		if took := time.Since(at); took != 3*time.Second || ended != 2 {
			t.Errorf("stopped after %v with %d runs ended, want 3s and 2: nothing more begins", took, ended)
		}
	})
}

func TestPanicEndsOneRunOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{}
		var text strings.Builder
		s := New(Config{
			Log: slog.New(slog.NewTextHandler(&text, nil)),
			Probe: func(ctx context.Context, a Attempt) bool {
				if rec.probe(ctx, a); a.CDN.Name == "bad" {
					panic("out of cheese")
				}
				return true
			},
		})
		s.Update(Plan{Jobs: jobs("news", 10*time.Second, "good", "bad")})
		during(t, s, 100*time.Second)
		if st := s.Stats(); st.Panics != 10 || st.Done != 20 || st.Skipped != 0 {
			t.Errorf("stats %+v, want 10 panics of 20 runs", st)
		}
		for _, part := range []string{"out of cheese", "target=news", "cdn=bad", "schedule_test.go"} {
			if n := strings.Count(text.String(), part); n < 10 {
				t.Errorf("the log has %q %d times, want 10", part, n)
			}
		}
	})
}

// When the clock is set, rounds go on at once: an hour back does not silence
// the agent for an hour, an hour forward does not count as rounds skipped.
func TestClockIsSet(t *testing.T) {
	for name, step := range map[string]time.Duration{"back": -time.Hour, "forward": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const interval = 30 * time.Second
				rec := &recorder{}
				var mu sync.Mutex
				var offset time.Duration
				s := New(Config{Probe: rec.probe, wall: func() time.Time {
					mu.Lock()
					defer mu.Unlock()
					return time.Now().Add(offset)
				}})
				s.Update(Plan{Jobs: jobs("news", interval, "a")})
				stop := background(t, s)
				time.Sleep(100 * interval)
				mu.Lock()
				offset = step
				mu.Unlock()
				time.Sleep(100 * interval)
				stop()
				if n := len(rec.attempts()); n < 197 || n > 202 {
					t.Errorf("%d rounds, want about 200", n)
				}
				if st := s.Stats(); st.Skipped != 0 || st.Late > 1 {
					t.Errorf("stats %+v", st)
				}
				for i, m := range rec.attempts() {
					if i > 102 && m.ScheduledAt.Sub(m.at.Add(step)).Abs() > time.Second {
						t.Fatalf("round %d is scheduled at %v, the clock says %v", i, m.ScheduledAt, m.at.Add(step))
					}
				}
			})
		})
	}
}
