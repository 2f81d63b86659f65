package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/lab"
	"github.com/firstframe/firstframe/deploy/lab/ledger"
	"github.com/firstframe/firstframe/probes/plan"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/trace"
)

// chaosEnv is how many kills there are, half of agents and half of the
// collector, where it is not 50.
const chaosEnv = "FIRSTFRAME_CHAOS"

// TestKills kills agents and collector at random instants, lets them come to
// rest and accounts for every run that the edges know of.
func TestKills(t *testing.T) {
	t.Parallel()
	kills := 50
	if text := os.Getenv(chaosEnv); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil || kills < 2 {
			t.Fatalf("%s=%s: want a number from 2", chaosEnv, text)
		}
	}
	picked := 0
	four := func(a lab.AgentInfo) bool {
		picked++
		return picked%4 == 1
	}
	f := startFleet(t, four, "--interval", "2s", "--fast")
	if len(f.agents) != 4 {
		t.Fatalf("%d agents", len(f.agents))
	}
	start := time.Now()
	p, err := plan.Load(f.Info.Plan, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sender := startSender(t, f)
	var wg sync.WaitGroup
	var agentKills []kill
	wg.Go(func() { agentKills = killAgents(t, f, kills-kills/2) })
	wg.Go(func() { killCollector(t, f, kills/2) })
	wg.Wait()
	sender.stop()
	t.Logf("%d kills in %.0f s", kills, time.Since(start).Seconds())
	f.rest(t)
	// A backlog may wait for seconds after a collector that was often not there.
	var a *account
	last, since := "", time.Now()
	eventually(t, 90*time.Second, "nothing new is made or stored", func() bool {
		made, stored := f.ledger(t), f.stored(t, start)
		if now := fmt.Sprint(len(made), len(stored)); now != last {
			last, since = now, time.Now()
		}
		a = reckon(made, stored, agentKills, sender.ids)
		quiet := time.Since(since)
		return quiet > 4*time.Second && a.right(len(p.Targets)) || quiet > 20*time.Second
	})
	a.check(t, len(p.Targets))
}

// kill is the end of one life of an agent.
type kill struct {
	addr string
	at   time.Time
}

// sometime waits for a time of which nobody knows more than its mean.
func sometime(mean time.Duration) {
	time.Sleep(mean/2 + rand.N(mean))
}

// killAgents kills agents at random instants and starts them again.
func killAgents(t *testing.T, f *fleet, n int) (kills []kill) {
	addrs := map[string]string{}
	for _, a := range f.Info.Agents {
		addrs[a.Name] = a.Addr.String()
	}
	for range n {
		sometime(time.Second)
		p := f.agents[rand.IntN(len(f.agents))]
		if err := p.Kill(); err != nil {
			t.Error(err)
			return kills
		}
		kills = append(kills, kill{addrs[p.Spec.Name], time.Now()})
		if err := p.Restart(); err != nil {
			t.Error(err)
			return kills
		}
	}
	return kills
}

// killCollector kills the collector at random instants, every second time after
// it has begun to serve.
func killCollector(t *testing.T, f *fleet, n int) {
	for i := range n {
		if i%2 == 0 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			err := f.collector.AwaitReady(ctx)
			cancel()
			if err != nil {
				t.Error(err)
				return
			}
		}
		sometime(600 * time.Millisecond)
		if err := f.collector.Kill(); err != nil {
			t.Error(err)
			return
		}
		if err := f.collector.Restart(); err != nil {
			t.Error(err)
			return
		}
	}
}

// sender sends runs of its own and notes which the collector acknowledged. One
// that was not is sent again, as an agent does.
type sender struct {
	ids  []string
	stop func()
}

func startSender(t *testing.T, f *fleet) *sender {
	t.Helper()
	s := &sender{}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	s.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(s.stop)
	wg.Go(func() {
		for ctx.Err() == nil {
			at := time.Now().UTC()
			r := run.Run{RunID: run.NewID(at), StartedAt: at, DurationMs: 1, Source: run.SourceFleet, Agent: "sender", Target: "sent",
				ThresholdMs: 2000, ErrorType: run.ErrDNS, ErrorStep: run.StepManifest, Attempts: 1,
				Steps: []run.Step{{Name: run.StepManifest, URL: "https://play.example/master.m3u8", Attempt: 1, EndMs: 1, Error: run.ErrDNS}}}
			body, err := trace.Marshal(r)
			if err != nil {
				t.Error(err)
				return
			}
			for ctx.Err() == nil {
				if post(ctx, f.collector.OTLPHTTP+"/v1/traces", body) == nil {
					s.ids = append(s.ids, r.RunID)
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	return s
}

func post(ctx context.Context, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", res.Status)
	}
	return nil
}

// rest gives the agents a plan by which they make no more runs.
func (f *fleet) rest(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(f.Info.Plan)
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`interval: \S+`).ReplaceAll(text, []byte("interval: 24h"))
	next := f.Info.Plan + ".next"
	if err := os.WriteFile(next, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, f.Info.Plan); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := f.collector.AwaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	// An agent whose last question the collector took to its grave asks again
	// within seconds.
	for _, a := range f.agents {
		cache := filepath.Join(f.Info.Dir, "agents", a.Spec.Name, "plan.yaml")
		eventually(t, 30*time.Second, a.Spec.Name+" has the new plan", func() bool {
			taken, err := os.ReadFile(cache)
			return err == nil && bytes.Equal(taken, text)
		})
	}
}

// made is a run as the edges saw it.
type made struct {
	addr        string
	first, last time.Time // of its requests, the last one's end
}

// ledger is every run that the edges were asked for, by id.
func (f *fleet) ledger(t *testing.T) map[string]made {
	t.Helper()
	runs := map[string]made{}
	err := ledger.Read(f.Info.Ledger, func(e ledger.Entry) error {
		m, ok := runs[e.SID]
		if !ok {
			m = made{addr: e.Client, first: e.Time}
		}
		if end := e.Time.Add(time.Duration(e.Ms * float64(time.Millisecond))); end.After(m.last) {
			m.last = end
		}
		runs[e.SID] = m
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

// stored is how often each run since an instant is in the store, by id.
func (f *fleet) stored(t *testing.T, since time.Time) map[string]float64 {
	t.Helper()
	runs := map[string]float64{}
	const window, limit = 30 * time.Second, 10_000
	for from := since.Truncate(window); from.Before(time.Now()); from = from.Add(window) {
		rows := f.query(t, map[string]any{"from": from, "to": from.Add(window), "group_by": []string{"run_id"}, "limit": limit})
		if len(rows) == limit {
			t.Fatal("too many runs to count")
		}
		for _, row := range rows {
			runs[row["run_id"].(string)] += row["runs"].(float64)
		}
	}
	return runs
}

// account is what became of the runs.
type account struct {
	made, acknowledged int // at the edges; by the sender and acknowledged
	missing            int // made and not stored
	lost               map[kill]int
	unexplained        []string // missing and no kill's: why
	promised           int      // acknowledged and not stored
	doubled            int      // stored more than once
}

// reckon holds the store against the edges' ledger and against what the sender
// was promised.
func reckon(seen map[string]made, stored map[string]float64, kills []kill, acknowledged []string) *account {
	a := &account{made: len(seen), acknowledged: len(acknowledged), lost: map[kill]int{}}
	for id, m := range seen {
		if stored[id] > 0 {
			continue
		}
		a.missing++
		// The first kill of its agent since its first request is to blame, when the
		// run was still under way.
		i := slices.IndexFunc(kills, func(k kill) bool { return k.addr == m.addr && !k.at.Before(m.first) })
		if i < 0 || kills[i].at.Sub(m.last) > 2*time.Second {
			a.unexplained = append(a.unexplained, fmt.Sprintf("run %s of %s, %s to %s", id, m.addr, m.first, m.last))
			continue
		}
		a.lost[kills[i]]++
	}
	for _, n := range stored {
		if n > 1 {
			a.doubled++
		}
	}
	for _, id := range acknowledged {
		if stored[id] == 0 {
			a.promised++
		}
	}
	return a
}

// most is how many runs the worst kill cost.
func (a *account) most() (most int) {
	for _, n := range a.lost {
		most = max(most, n)
	}
	return most
}

// right tells whether nothing is amiss. An agent has inFlight runs in flight at
// most: its rounds run side by side, one for each target of the plan, and the
// runs of a round in turn. A run is in flight from its first request until it is
// on the spool's disk, which its round waits for.
func (a *account) right(inFlight int) bool {
	return a.most() <= inFlight && len(a.unexplained) == 0 && a.doubled == 0 && a.promised == 0
}

func (a *account) check(t *testing.T, inFlight int) {
	t.Helper()
	t.Logf("%d runs at the edges, %d missing, at most %d by one kill of an agent (in flight: up to %d); doubled %d; acknowledged to the sender %d, of these missing %d",
		a.made, a.missing, a.most(), inFlight, a.doubled, a.acknowledged, a.promised)
	if !a.right(inFlight) {
		t.Errorf("missing without a kill that explains it: %q; by one kill: up to %d, want at most %d; doubled: %d; acknowledged and missing: %d",
			a.unexplained, a.most(), inFlight, a.doubled, a.promised)
	}
	if a.made < 200 || a.acknowledged < 200 {
		t.Error("too few runs to prove anything")
	}
}
