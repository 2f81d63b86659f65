package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/firstframe/firstframe/deploy/lab/link"
	"github.com/firstframe/firstframe/deploy/lab/shaper"
	lab "github.com/firstframe/firstframe/deploy/lab/world"
)

// What carries the bytes.
const (
	overLink   = "link"
	overShaper = "shaper"
)

// setup is what all plays share.
type setup struct {
	chromium, agent, modules, media string
	of                              map[string]string // by player's name, or probeSide
	mediaDigest                     string
	hurry                           func() bool // before each play; nil: the plays are as urgent as other work
}

// world is a server of media and players that are so far away from it.
type world struct {
	over        string
	stage       *stage
	media, page string                   // base URLs
	near        func(*exec.Cmd)          // lets a command run at the players' end
	rate        func(kbps float64) error // changes the line's
	sent        func() int64             // packets of both ends, so far
	close       func() error
}

// open makes a world whose media are over w.
func (s *setup) open(ctx context.Context, w way) (*world, error) {
	l, err := link.Open(link.Config{RTT: time.Duration(w.RTT) * time.Millisecond, Kbps: float64(w.Mbps) * 1000})
	if errors.Is(err, link.ErrUnavailable) {
		return s.openShaped(w)
	}
	if err != nil {
		return nil, err
	}
	media, err := l.Far.Listen(ctx, l.Far.Addr.String()+":0")
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	local, err := l.Near.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, media.Close(), l.Close())
	}
	stage := newStage(s.media)
	stop := s.serve(stage, media, local)
	return &world{over: overLink, stage: stage, media: "http://" + media.Addr().String(), page: "http://" + local.Addr().String(),
		near:  func(cmd *exec.Cmd) { enter(cmd, l.Near.Path()) },
		rate:  l.SetKbps,
		sent:  func() int64 { return l.Near.Sent().Packets + l.Far.Sent().Packets },
		close: func() error { return errors.Join(stop(), l.Close()) }}, nil
}

// enter makes a command one that nsenter starts in a namespace: nsenter becomes
// the command, with its open files and process id.
func enter(cmd *exec.Cmd, namespace string) {
	cmd.Args = append([]string{"nsenter", "--net=" + namespace, cmd.Path}, cmd.Args[1:]...)
	if cmd.Path, cmd.Err = exec.LookPath("nsenter"); cmd.Err != nil {
		cmd.Err = fmt.Errorf("util-linux is needed: %w", cmd.Err)
	}
}

// openShaped makes a world of loopback addresses and the lab's shaper.
func (s *setup) openShaped(w way) (*world, error) {
	inner, err := net.Listen("tcp4", "127.0.0.2:0")
	if err != nil {
		return nil, err
	}
	local, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	path := lab.Path{RTT: time.Duration(w.RTT) * time.Millisecond, Kbps: w.Mbps * 1000}
	media := shaper.New(inner, func(netip.Addr) lab.Path { return path })
	stage := newStage(s.media)
	stop := s.serve(stage, media, local)
	return &world{over: overShaper, stage: stage, media: "http://" + inner.Addr().String(), page: "http://" + local.Addr().String(),
		near:  func(*exec.Cmd) {},
		rate:  func(float64) error { return errFixed },
		sent:  func() int64 { return 0 },
		close: func() error { defer media.Stop(); return stop() }}, nil
}

// serve serves media and pages until it is stopped, which waits.
func (s *setup) serve(stage *stage, media, local net.Listener) (stop func() error) {
	ended := make(chan error, 2)
	servers := []*http.Server{
		{Handler: stage, ReadHeaderTimeout: 10 * time.Second},
		{Handler: pages(s.modules), ReadHeaderTimeout: 10 * time.Second},
	}
	for i, l := range []net.Listener{media, local} {
		go func() { ended <- servers[i].Serve(l) }()
	}
	return func() (err error) {
		for _, server := range servers {
			err = errors.Join(err, server.Close())
		}
		for range servers {
			if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
				err = errors.Join(err, e)
			}
		}
		return err
	}
}

// play plays what the journal does not have yet.
func (s *setup) play(ctx context.Context, all []batch, j *journal, stderr io.Writer) error {
	file, ok := stderr.(*os.File)
	shown := ok && term.IsTerminal(int(file.Fd()))
	for i, b := range all {
		if shown {
			fmt.Fprintf(stderr, "\r%d of %d: %d ms, %d Mbit/s        ", i+1, len(all), b.RTT, b.Mbps)
		}
		if err := s.playBatch(ctx, b, j, stderr); err != nil {
			return err
		}
	}
	if shown {
		fmt.Fprintln(stderr)
	}
	return nil
}

func (s *setup) playBatch(ctx context.Context, b batch, j *journal, stderr io.Writer) (err error) {
	w, err := s.open(ctx, b.way)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	for _, t := range b.tasks {
		sides := []string{realSide, probeSide}
		if t.round%2 == 1 {
			sides[0], sides[1] = sides[1], sides[0]
		}
		for _, side := range sides {
			p := play{cell: t.cell, Side: side, Round: t.round, Of: s.of[t.player.name], Media: s.mediaDigest, Over: w.over}
			if side == probeSide {
				p.Of = s.of[probeSide]
			}
			if j.have[p.key()] {
				continue
			}
			if err := s.playOne(ctx, w, t, &p); err != nil {
				return err
			}
			if !p.told() {
				fmt.Fprintf(stderr, "\n%s %s: %s\n", p.cell, side, p.Error)
			}
			if err := j.add(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// playOne plays p, which is one side of a task. Its error is that of ctx; what
// else went wrong is in p.
func (s *setup) playOne(ctx context.Context, w *world, t task, p *play) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	how := s.playReal
	if p.Side == probeSide {
		how = s.playProbe
	}
	if t.Play > 0 {
		if err := w.rest(ctx); err != nil {
			return err
		}
	}
	p.Realtime = s.hurry != nil && s.hurry()
	p.At, p.Load = time.Now().UTC(), load()
	act := w.stage.begin(faultNamed(t.Fault))
	restore := w.fall(ctx, t, act)
	o, err := how(ctx, w, t, w.media+"/"+act.folder+"/")
	err = errors.Join(err, restore())
	p.Requests = w.stage.end(act, o.pressed())
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.TTFF, p.Height, p.Error, p.ErrorMs, p.Onwards = o.TTFF, o.Height, o.Error, o.ErrorMs, o.Onwards
	if err != nil {
		p.TTFF, p.Error, p.ErrorMs = 0, err.Error(), 0
	}
	if p.told() {
		p.Needed = needed(o)
	}
	return nil
}

// load is the machine's load average of the last minute; 0 where it is not told.
func load() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	n, _ := strconv.ParseFloat(first, 64)
	return n
}

func trim(b []byte) string { return strings.TrimSpace(string(b)) }
