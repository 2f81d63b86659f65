package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/fault"
	"github.com/firstframe/firstframe/deploy/lab/lab"
	"github.com/firstframe/firstframe/deploy/lab/proc"
)

// How long the demo's programs have to start and to end.
const (
	startLimit = time.Minute
	stopLimit  = 10 * time.Second
)

// errEnded is what the demo fails with when the collector ends by itself.
var errEnded = errors.New("the collector has ended")

type demoCommand struct {
	Dir      string        `help:"Folder for everything that the demo keeps. Left out: a new one, removed in the end." placeholder:"DIR"`
	Interval time.Duration `help:"Between the plan's rounds." default:"20s"`
	After    time.Duration `help:"When the fault is ordered, after the start." default:"1m"`
	Country  string        `help:"Who is hit." default:"BR" placeholder:"CC"`
	CDN      string        `name:"cdn" help:"Through which CDN." default:"cdn-b" placeholder:"NAME"`
	Bin      string        `help:"Folder of agent and collector. Left out: lab's own." placeholder:"DIR"`
	JSON     bool          `name:"json" help:"Print where everything is as one line of JSON in place of the one address."`
}

// demoInfo says where the demo's parts are.
type demoInfo struct {
	URL    string   `json:"url"`  // of the console
	OTLP   string   `json:"otlp"` // base URL for agents
	Lab    lab.Info `json:"lab"`
	Faults []string `json:"faults"` // ids of what is going to be ordered
}

// The demo's faults: segments that start late, and a POP that is farther away.
const (
	slowID = "demo"
	farID  = "demo-pop"
	delay  = 2400 * time.Millisecond
)

func (c *demoCommand) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	if c.Bin == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		c.Bin = filepath.Dir(self)
	}
	l, err := lab.Start(context.Background(), lab.Config{Dir: c.Dir, Interval: c.Interval,
		Log: slog.New(slog.NewTextHandler(stderr, nil))})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if l.World.Country(c.Country) == nil || l.World.CDN(c.CDN) == nil {
		return fmt.Errorf("there is no country %s or no CDN %s in the lab", c.Country, c.CDN)
	}
	starting, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	collector, err := l.StartCollector(starting, lab.CollectorConfig{Binary: filepath.Join(c.Bin, "collector")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end(collector.Process)) }()
	agents, err := l.StartAgents(lab.AgentConfig{Binary: filepath.Join(c.Bin, "agent"), Collector: collector.OTLPHTTP})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end(agents...)) }()
	if err := c.announce(stdout, stderr, l, collector); err != nil {
		return err
	}
	return c.play(ctx, stderr, l, collector)
}

func (c *demoCommand) announce(stdout, stderr io.Writer, l *lab.Lab, collector *lab.Collector) error {
	fmt.Fprintf(stderr, "\n%d agents in %d countries press play through %d CDNs.\nIn %v %s through %s is going to break. Ctrl-C ends everything.\n\n",
		len(l.Info.Agents), len(l.World.Countries), len(l.World.CDNs), c.After, l.World.Country(c.Country).Name, c.CDN)
	if c.JSON {
		return json.NewEncoder(stdout).Encode(demoInfo{URL: collector.HTTP + "/", OTLP: collector.OTLPHTTP, Lab: l.Info, Faults: []string{slowID, farID}})
	}
	_, err := fmt.Fprintln(stdout, collector.HTTP+"/")
	return err
}

// play orders the faults when it is time, and returns when ctx ends or the
// collector does.
func (c *demoCommand) play(ctx context.Context, stderr io.Writer, l *lab.Lab, collector *lab.Collector) error {
	timer := time.NewTimer(c.After)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if err := c.order(l); err != nil {
				return err
			}
			fmt.Fprintf(stderr, "\n%s  %s through %s is broken: its segments start %.1f s late, from a POP that is farther away.\n           Its cell turns red within the minute. To mend it:\n           curl -X DELETE %s/faults/%s %[5]s/faults/%[7]s\n",
				time.Now().UTC().Format("15:04:05Z"), l.World.Country(c.Country).Name, c.CDN, delay.Seconds(), l.Info.Control, slowID, farID)
		case <-collector.Done():
			return fmt.Errorf("%w; see %s", errEnded, filepath.Join(collector.Spec.Logs, "collector.log"))
		case <-ctx.Done():
			return nil
		}
	}
}

// order breaks the country through the CDN.
func (c *demoCommand) order(l *lab.Lab) error {
	match := fault.Match{Country: c.Country, CDN: c.CDN}
	slow := match
	slow.Path = "[0-9]*" // segments have numbers for names
	for _, f := range []fault.Fault{
		{ID: slowID, Match: slow, Effect: fault.Effect{Kind: "first_byte", Ms: int(delay.Milliseconds())}},
		{ID: farID, Match: match, Effect: fault.Effect{Kind: "wrong_pop"}},
	} {
		if _, err := l.Faults.Add(f); err != nil {
			return err
		}
	}
	return nil
}

// end stops processes; that one had to be killed is no failure.
func end(all ...*proc.Process) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	if err := proc.StopAll(ctx, all); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
