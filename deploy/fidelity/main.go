// Command fidelity compares probes with the players that they stand for: it
// plays the same streams in hls.js, Shaka and dash.js in headless Chromium and
// with agent probe, over the same lines, and writes how far they are apart as a
// table, a picture and the single measurements. README.md says how to read them.
//
// It needs root (for package link; without, the lab's shaper takes its place and
// the report says so), Chromium, and the players that npm ci puts beside it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	datum "github.com/firstframe/firstframe/probes/run"
)

// The exit codes.
const (
	exitOK       = 0
	exitFailed   = 1
	exitNotKnown = 2
)

type command struct {
	Out     string        `help:"Folder for measurements, table and picture." default:"build/fidelity" placeholder:"DIR"`
	Media   string        `help:"What media.sh has made." default:"build/fidelity/media" placeholder:"DIR"`
	Modules string        `help:"The players, as npm has installed them." default:"deploy/fidelity/node_modules" placeholder:"DIR"`
	Agent   string        `help:"The agent program." default:"bin/agent" placeholder:"FILE"`
	Runs    int           `help:"How often each cell is played by each side. Left out: 7, of faults and with --play 3; with --quick 3 and 1." placeholder:"N"`
	Quick   bool          `help:"Two lines in place of nine, and a handful of faults." env:"QUICK"`
	Faults  string        `help:"Whether faults are played: after the matrix, only or no." enum:"after,only,no" default:"after" placeholder:"WHEN"`
	Only    string        `help:"Only the cells whose name has this in it, such as shaka/ts, 40/10 or one 404." placeholder:"TEXT"`
	Play    time.Duration `help:"In place of all that: play on for so many seconds after the first picture, over lines that are meant for that." placeholder:"20s"`
	Report  bool          `help:"Play nothing; write the report of what has been measured."`
}

// Validate is called once the flags are read.
func (c *command) Validate() error {
	switch {
	case c.Runs < 0:
		return fmt.Errorf("--runs %d: want 1 or more", c.Runs)
	case c.Play < 0 || c.Play > datum.MaxPlay || c.Play%time.Second != 0:
		return fmt.Errorf("--play %v: want whole seconds, at most %v", c.Play, datum.MaxPlay)
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run does what the arguments say and gives the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c command
	code := -1
	parser, err := kong.New(&c, kong.Name("fidelity"), kong.Writers(stdout, stderr), kong.Exit(func(n int) { code = n }),
		kong.Description("Compares probes with the real players. Measurements are kept: started again, it goes on where it was."))
	if err != nil {
		fmt.Fprintln(stderr, "fidelity:", err)
		return exitFailed
	}
	_, err = parser.Parse(args)
	if code >= 0 { // help was asked for
		return code
	}
	if err != nil {
		fmt.Fprintf(stderr, "fidelity: %v; see --help\n", err)
		return exitNotKnown
	}
	if err := c.run(ctx, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "fidelity:", err)
		return exitFailed
	}
	return exitOK
}

// run plays what is missing, and writes the report even when it is told to stop.
func (c *command) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return err
	}
	j, err := openJournal(filepath.Join(c.Out, "plays.jsonl"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.close()) }()
	var broken error
	if !c.Report {
		s, err := c.setup(ctx)
		if err != nil {
			return err
		}
		free, err := alone("firstframe-fidelity")
		if err != nil {
			return err
		}
		defer free()
		s.hurry = hurry
		broken = s.play(ctx, c.plan(), j, stderr)
	}
	return errors.Join(broken, writeReport(c.Out, j.plays, c.rounds(), stdout))
}

// plan is what is to be played, in this order.
func (c *command) plan() []batch {
	n := c.rounds()
	if c.Play > 0 {
		return playPlan(int(c.Play.Seconds()), n.faults, c.Only)
	}
	var all []batch
	if c.Faults != "only" {
		all = plan(c.Quick, n.matrix, c.Only)
	}
	if c.Faults != "no" {
		all = append(all, faultPlan(c.Quick, n.faults, c.Only)...)
	}
	return all
}

// rounds is how often a cell is played by each side, without and with a fault.
type rounds struct{ matrix, faults int }

func (c *command) rounds() rounds {
	switch {
	case c.Runs > 0:
		return rounds{c.Runs, c.Runs}
	case c.Quick:
		return rounds{3, 1}
	}
	return rounds{7, 3}
}

// setup looks for what is needed, and says which versions it is.
func (c *command) setup(ctx context.Context) (*setup, error) {
	s := &setup{of: map[string]string{}}
	var err error
	if s.chromium, err = exec.LookPath("chromium"); err != nil {
		return nil, fmt.Errorf("the players need Debian's package chromium: %w", err)
	}
	browser, err := exec.CommandContext(ctx, s.chromium, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --version: %w", s.chromium, err)
	}
	for _, p := range players {
		version, err := p.installed(c.Modules)
		if err != nil {
			return nil, err
		}
		s.of[p.name] = fmt.Sprintf("%s %s (%s), %s", p.module, version, filepath.Base(p.script), trim(browser))
	}
	for _, path := range []struct {
		to   *string
		from string
	}{{&s.agent, c.Agent}, {&s.modules, c.Modules}, {&s.media, c.Media}} {
		if *path.to, err = filepath.Abs(path.from); err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat(filepath.Join(s.media, "complete")); err != nil {
		return nil, fmt.Errorf("the media are not there; deploy/fidelity/media.sh %s makes them: %w", c.Media, err)
	}
	if s.of[probeSide], err = digestFile(s.agent); err != nil {
		return nil, err
	}
	s.mediaDigest, err = digestTree(s.media)
	return s, err
}
