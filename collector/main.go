// Command collector takes in the runs of a fleet of agents, keeps them and
// answers questions about them: collector serve.
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
)

// version is set by the linker for releases.
var version string

// The exit codes.
const (
	exitGood = 0
	exitBad  = 1 // the command failed
	exitUse  = 2 // the command could not be understood
)

type commands struct {
	Serve serveCmd `cmd:"" help:"Take runs in, keep them, answer queries and show the console."`

	Version kong.VersionFlag `help:"Print the version and exit."`
}

// environment is what a command has of the world.
type environment struct {
	ctx            context.Context
	stdout, stderr io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// usageError is an error of whoever typed the command.
type usageError struct{ error }

// run carries out the command line and answers with the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	exited := false
	parser, err := kong.New(&commands{},
		kong.Name("collector"),
		kong.Description("Firstframe's collector: keeps what the agents measured, and answers."),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Vars{"version": "firstframe collector " + theVersion(), "data": defaultData()},
		kong.Writers(stdout, stderr),
		kong.Exit(func(c int) { exited, code = true, c }),
	)
	if err != nil {
		fmt.Fprintln(stderr, "collector:", err)
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
	case errors.As(err, &parse), errors.As(err, &usage):
		fmt.Fprintf(stderr, "collector: %v\nTry: collector --help\n", err)
		return exitUse
	}
	fmt.Fprintln(stderr, "collector:", err)
	return exitBad
}

// theVersion is the release's, else the module's.
func theVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
