// Command agent presses play on HLS and DASH streams and says where the time
// to first frame goes: once from a laptop (agent probe), or over and over as a
// member of a fleet (agent run).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/firstframe/firstframe/probes/player"
)

// version is set when a release is built.
var version = ""

// The exit codes.
const (
	exitGood = 0 // every run good
	exitBad  = 1 // some run failed or was slow; or the command could not be carried out
	exitUse  = 2 // the command could not be understood
)

// commands is the command line.
type commands struct {
	Probe probeCmd `cmd:"" help:"Press play on a stream now and see where the time goes."`
	Run   runCmd   `cmd:"" help:"Press play over and over, as a member of a fleet."`
	Check checkCmd `cmd:"" help:"Check a plan file, and say what is wrong where."`

	Replay replayCmd `cmd:"" help:"Play a run again that was kept, without a network, and say whether it comes to the same."`

	Version kong.VersionFlag `help:"Print the version and exit."`
}

// memoryLimit is what the agent's memory is kept below where that can be, in
// bytes: what a hostile answer leaves behind is collected before it is exceeded.
// GOMEMLIMIT goes first.
const memoryLimit = 80 << 20

// environment is what a command has of the world.
type environment struct {
	ctx            context.Context
	stdout, stderr io.Writer
}

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// errBad says that the command did its work and that its result is bad. It has
// said why.
var errBad = errors.New("bad result")

// usageError is an error of whoever typed the command.
type usageError struct{ error }

// execute carries out the command line and answers with the exit code.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	exited := false
	parser, err := kong.New(&commands{},
		kong.Name("agent"),
		kong.Description("Firstframe's agent: press play, everywhere, through every CDN."),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Vars{"version": "firstframe agent " + theVersion(), "players": player.Summary(), "data": dataDir()},
		kong.Writers(stdout, stderr),
		kong.Exit(func(c int) { exited, code = true, c }),
	)
	if err != nil {
		fmt.Fprintln(stderr, "agent:", err)
		return exitBad
	}
	cmd, err := parser.Parse(args)
	if exited { // help or version was asked for
		return code
	}
	if err == nil {
		err = cmd.Run(&environment{ctx, stdout, stderr})
	}
	var parse *kong.ParseError
	var usage usageError
	switch {
	case err == nil:
		return exitGood
	case errors.Is(err, errBad):
		return exitBad
	case errors.As(err, &parse), errors.As(err, &usage):
		fmt.Fprintf(stderr, "agent: %v\nTry: agent --help\n", err)
		return exitUse
	}
	fmt.Fprintln(stderr, "agent:", err)
	return exitBad
}

// theVersion is the release's, else the module's, else the commit's.
func theVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
