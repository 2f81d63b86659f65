package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/link"
	"github.com/firstframe/firstframe/deploy/lab/media"
	"github.com/firstframe/firstframe/deploy/lab/origin"
)

type linkCommand struct {
	RTT     time.Duration `name:"rtt" help:"Round-trip time." default:"40ms"`
	Kbps    float64       `help:"Rate in each direction, kbit/s; 0 is no limit." default:"10000"`
	Queue   int           `help:"Bytes that may wait for the line. Left out: what it sends in 100 ms, at least 48 KiB." placeholder:"BYTES"`
	Loss    float64       `help:"Share of packets that get lost." placeholder:"SHARE"`
	Seed    uint64        `help:"Decides which ones." placeholder:"N"`
	Command []string      `arg:"" optional:"" passthrough:"" help:"Run this at the near end, and end with it. Left out: until told to stop." placeholder:"COMMAND"`
}

// linkInfo says where the ends of a link are.
type linkInfo struct {
	Origin string  `json:"origin"` // base URL of the lab's media, at the far end
	Near   endInfo `json:"near"`
	Far    endInfo `json:"far"`
}

type endInfo struct {
	Addr string `json:"addr"`
	Path string `json:"netns"` // for nsenter --net
}

func (c *linkCommand) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	l, err := link.Open(link.Config{RTT: c.RTT, Kbps: c.Kbps, Queue: c.Queue, Loss: c.Loss, Seed: c.Seed})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	url, stop, err := serveOrigin(ctx, l.Far)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if len(c.Command) > 0 {
		return runIn(ctx, l.Near, c.Command, stdout, stderr)
	}
	info := linkInfo{Origin: url, Near: endInfo{l.Near.Addr.String(), l.Near.Path()}, Far: endInfo{l.Far.Addr.String(), l.Far.Path()}}
	if err := json.NewEncoder(stdout).Encode(info); err != nil {
		return err
	}
	fmt.Fprintf(stderr, `
The link is there until Ctrl-C: %v, %v kbit/s. The lab's media are at its far end.

  near end   nsenter --net=%s COMMAND
  far end    nsenter --net=%s COMMAND
  try        nsenter --net=%[3]s agent probe --allow-private %[5]s/vod/cmaf/master.m3u8

`, c.RTT, c.Kbps, info.Near.Path, info.Far.Path, url)
	<-ctx.Done()
	return nil
}

// originPort is where the far end serves the lab's media.
const originPort = "8080"

func serveOrigin(ctx context.Context, far *link.End) (url string, stop func() error, err error) {
	handler, err := origin.New(media.FS)
	if err != nil {
		return "", nil, err
	}
	listener, err := far.Listen(ctx, net.JoinHostPort(far.Addr.String(), originPort))
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	return "http://" + listener.Addr().String(), func() error {
		err := server.Close()
		if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	}, nil
}

// runIn runs a command at one end until it ends, or is killed because ctx does.
func runIn(ctx context.Context, end *link.End, args []string, stdout, stderr io.Writer) error {
	if args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return errors.New("no command after --")
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = stdout, stderr, stopLimit
	err := end.Start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return nil
}
