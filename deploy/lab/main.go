// Command lab runs a streaming world on one machine: origin, CDNs, name server,
// networks and faults to order. README.md says what is in it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/firstframe/firstframe/deploy/lab/lab"
	"github.com/firstframe/firstframe/deploy/lab/world"
)

// The exit codes.
const (
	exitOK       = 0
	exitFailed   = 1
	exitNotKnown = 2
)

const about = `A streaming world on loopback, with faults to order.

Exit codes: 0 ended when told to, 1 failed, 2 the command was not understood.`

type commands struct {
	Serve serveCommand `cmd:"" help:"Run origin, CDN edges, name server and control until told to stop."`
	Demo  demoCommand  `cmd:"" help:"Run a lab, a collector and a fleet, and break one country through one CDN after a minute."`
	Link  linkCommand  `cmd:"" help:"Join two network namespaces by a line of given delay, rate and loss, with the lab's media at the far end. Needs root."`
}

type serveCommand struct {
	Dir       string        `help:"Folder for CA, GeoIP databases, plan, ledger and logs. Left out: a new one, removed in the end." placeholder:"DIR"`
	Interval  time.Duration `help:"Between the plan's rounds." default:"30s"`
	Control   string        `help:"Where faults, ledger and info are served; port 0 is a free one." default:"127.0.0.1:0" placeholder:"ADDR"`
	Fast      bool          `help:"Names, connections and cache misses take no time."`
	AltSvc    []string      `help:"CDN whose answers tell that its edges speak HTTP/3 too, as they all do (Alt-Svc): ${enum}. Repeatable." enum:"${cdns}" placeholder:"CDN"`
	Agents    bool          `help:"Also start the agents of all countries, each as a process of its own." negatable:""`
	Collector string        `help:"What the agents ship to (${default})." default:"http://127.0.0.1:4318" placeholder:"URL"`
	AgentBin  string        `help:"The agent program. Left out: agent beside lab." placeholder:"FILE"`
	Verbose   bool          `short:"v" help:"Also say what is wrong with single connections."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run does what the arguments say and gives the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c commands
	code := -1
	parser, err := kong.New(&c, kong.Name("lab"), kong.Description(about), kong.Writers(stdout, stderr),
		kong.Vars{"cdns": cdnNames()}, kong.Exit(func(n int) { code = n }))
	if err != nil {
		fmt.Fprintln(stderr, "lab:", err)
		return exitFailed
	}
	parsed, err := parser.Parse(args)
	if code >= 0 { // help was asked for
		return code
	}
	if err != nil {
		fmt.Fprintf(stderr, "lab: %v; see lab --help\n", err)
		return exitNotKnown
	}
	command := c.Serve.run
	switch parsed.Selected().Name {
	case "demo":
		command = c.Demo.run
	case "link":
		command = c.Link.run
	}
	if err := command(ctx, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "lab:", err)
		return exitFailed
	}
	return exitOK
}

func (c *serveCommand) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	level := slog.LevelInfo
	if c.Verbose {
		level = slog.LevelDebug
	}
	w := world.Default()
	for _, name := range c.AltSvc {
		w.CDN(name).AltSvc = true // the flag takes no other names
	}
	l, err := lab.Start(context.Background(), lab.Config{World: w, Dir: c.Dir, Interval: c.Interval, Control: c.Control, Fast: c.Fast,
		Log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if c.Agents {
		binary, err := c.agent()
		if err != nil {
			return err
		}
		agents, err := l.StartAgents(lab.AgentConfig{Binary: binary, Collector: c.Collector})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, end(agents...)) }()
	}
	if err := json.NewEncoder(stdout).Encode(l.Info); err != nil {
		return err
	}
	tell(stderr, l.Info)
	<-ctx.Done()
	return nil
}

// cdnNames are those of the world that is served.
func cdnNames() string {
	var names []string
	for _, c := range world.Default().CDNs {
		names = append(names, c.Name)
	}
	return strings.Join(names, ",")
}

// agent is where the agent program is.
func (c *serveCommand) agent() (string, error) {
	if c.AgentBin != "" {
		return c.AgentBin, nil
	}
	self, err := os.Executable()
	return filepath.Join(filepath.Dir(self), "agent"), err
}

// tell says in words what Info says.
func tell(w io.Writer, i lab.Info) {
	fmt.Fprintf(w, `
The lab runs until Ctrl-C. Its files are in %[1]s

  %[2]d edges, HTTPS at port %[3]d, under %[4]s
  names      %[5]s
  faults     curl -d '{"id":"br","match":{"country":"BR","cdn":"cdn-b"},"effect":{"kind":"first_byte","ms":2400}}' %[6]s/faults
  ledger     %[6]s/ledger?sid=RUN_ID
  origin     %[7]s
  try        agent probe --allow-private --ca %[4]s --resolver %[5]s --bind %[8]s %[9]s

`, i.Dir, len(i.Edges), i.HTTPSPort, i.CA, i.DNS, i.Control, i.Origin, i.Agents[0].Addr, i.Streams["hls-cmaf"])
}
