package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/firstframe/firstframe/agent/report"
	"github.com/firstframe/firstframe/agent/ship"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/trace"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// outputFlags say what becomes of the runs that a person asked for.
type outputFlags struct {
	JSON bool   `name:"json" help:"Print one run a line as JSON and nothing else."`
	HTML string `name:"html" help:"Write a page with pictures too: one file that needs no network." placeholder:"FILE"`
	HAR  string `name:"har" help:"Write an HTTP archive too, which browsers' developer tools open." placeholder:"FILE"`
	Ship string `help:"Send the runs to this collector too." placeholder:"URL"`
}

// output takes runs as they are made. One goroutine uses it.
type output struct {
	*outputFlags
	env      *environment
	stdout   *bufio.Writer
	progress *progressbar.ProgressBar
	repeat   int
	frames   *frames
	played   []played // that are needed once all are there
	bad      bool     // some run was not good
}

// played is a run and where it belongs: in a repetition the runs are made in
// random order.
type played struct {
	repetition, spec int
	run              run.Run
}

// newOutput makes the output for so many specs, each played repeat times.
func newOutput(flags *outputFlags, env *environment, specs, repeat int) *output {
	return &output{
		outputFlags: flags, env: env, repeat: repeat,
		stdout: bufio.NewWriter(env.stdout), progress: progress(env.stderr, specs*repeat),
	}
}

// take has one run.
func (o *output) take(repetition, spec int, r run.Run) error {
	_ = o.progress.Add(1)
	o.bad = o.bad || !r.Good
	if !o.JSON || o.HTML != "" || o.HAR != "" || o.Ship != "" {
		o.played = append(o.played, played{repetition, spec, r})
	}
	if o.JSON {
		if err := errors.Join(json.NewEncoder(o.stdout).Encode(r), o.stdout.Flush()); err != nil {
			return fmt.Errorf("writing a run: %w", err)
		}
	}
	return o.frames.take(o.env.ctx, spec)
}

// finish shows, writes and sends the runs, once all are there.
func (o *output) finish() error {
	runs := o.inOrder()
	if o.JSON {
		o.frames.warn()
	} else if err := o.show(runs); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if o.HTML != "" {
		if err := writeFile(o.HTML, func(w io.Writer) error { return report.HTML(w, runs, o.frames.taken()...) }); err != nil {
			return fmt.Errorf("--html: %w", err)
		}
	}
	if o.HAR != "" {
		if err := writeFile(o.HAR, func(w io.Writer) error { return report.HAR(w, runs) }); err != nil {
			return fmt.Errorf("--har: %w", err)
		}
	}
	if o.Ship != "" {
		return o.send(runs)
	}
	return nil
}

// inOrder are the runs by repetition, and in each as the command line or the
// plan names what to play.
func (o *output) inOrder() []run.Run {
	slices.SortStableFunc(o.played, func(a, b played) int {
		return cmp.Or(cmp.Compare(a.repetition, b.repetition), cmp.Compare(a.spec, b.spec))
	})
	runs := make([]run.Run, 0, len(o.played))
	for _, p := range o.played {
		runs = append(runs, p.run)
	}
	return runs
}

// show draws the runs: each one when they are few, the slowest when they are
// many, and the table when there is something to compare.
func (o *output) show(runs []run.Run) error {
	if len(runs) == 0 {
		return nil
	}
	p := report.New(o.env.stdout, columns(o.env.stdout)).To(o.stdout)
	drawn := runs
	if o.repeat > 1 || len(runs) > 6 {
		drawn = []run.Run{*worst(runs)}
	}
	for i := range drawn {
		if err := p.Waterfall(&drawn[i]); err != nil {
			return err
		}
	}
	if len(runs) > 1 {
		if err := p.Table(runs); err != nil {
			return err
		}
	}
	if shots := o.frames.taken(); len(shots) > 0 {
		if len(runs) > 1 {
			fmt.Fprintln(o.stdout) // below the table
		}
		if err := p.Frames(shots); err != nil {
			return err
		}
	}
	return o.stdout.Flush()
}

// worst is the run to look at: the first that failed, else the slowest.
func worst(runs []run.Run) *run.Run {
	w := &runs[0]
	for i := range runs {
		r := &runs[i]
		if !r.OK {
			return r
		}
		if *r.TTFFMs > *w.TTFFMs {
			w = r
		}
	}
	return w
}

// progress is a bar on stderr where that is a terminal and there is something
// to wait for.
func progress(stderr io.Writer, total int) *progressbar.ProgressBar {
	f, ok := stderr.(*os.File)
	if !ok || total == 1 || !term.IsTerminal(int(f.Fd())) {
		return progressbar.DefaultSilent(int64(total))
	}
	return progressbar.NewOptions(total, progressbar.OptionSetWriter(stderr), progressbar.OptionSetDescription("playing"),
		progressbar.OptionShowCount(), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(50*time.Millisecond))
}

// columns is the width of the terminal that w is; 0 when it is none.
func columns(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			return width
		}
	}
	return 0
}

// writable refuses before the first run what would fail after the last.
func (f *outputFlags) writable() error {
	for flag, name := range map[string]string{"--html": f.HTML, "--har": f.HAR} {
		if err := inFolder(flag, name); err != nil {
			return err
		}
	}
	return nil
}

// inFolder tells whether the file that a flag names has a folder to be in; the
// empty name needs none.
func inFolder(flag, name string) error {
	if name == "" {
		return nil
	}
	info, err := os.Stat(filepath.Dir(name))
	if err != nil {
		return fmt.Errorf("%s: %w", flag, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s %s: its folder is none", flag, name)
	}
	return nil
}

// writeFile writes a file whole or not at all: what was there before stays until
// the new one is complete. What is no regular file, such as /dev/stdout, is
// written to as it is.
func writeFile(name string, write func(io.Writer) error) error {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return writeTo(f, write)
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // of no effect once it is renamed
	if err := f.Chmod(0o644); err != nil {
		f.Close()
		return err
	}
	if err := writeTo(f, write); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// writeTo writes f and closes it.
func writeTo(f *os.File, write func(io.Writer) error) error {
	w := bufio.NewWriter(f)
	err := write(w)
	if err == nil {
		err = w.Flush()
	}
	return errors.Join(err, f.Close())
}

// shipLimit is how long shipping from a laptop may take.
const shipLimit = time.Minute

// send sends the runs to a collector and returns once it has them.
func (o *output) send(runs []run.Run) error {
	s, err := ship.New(ship.Config{URL: o.Ship})
	if err != nil {
		return usageError{fmt.Errorf("--ship: %w", err)}
	}
	bodies := make([][]byte, 0, len(runs))
	for _, r := range runs {
		body, err := trace.Marshal(r)
		if err != nil {
			return fmt.Errorf("--ship: %w", err)
		}
		bodies = append(bodies, body)
	}
	ctx, cancel := context.WithTimeout(o.env.ctx, shipLimit)
	defer cancel()
	if err := s.Once(ctx, bodies...); err != nil {
		return fmt.Errorf("--ship %s: %w", o.Ship, err)
	}
	return nil
}
