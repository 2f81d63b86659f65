package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/firstframe/firstframe/deploy/lab/proc"
)

// CollectorConfig says how the collector is run.
type CollectorConfig struct {
	Binary string // the collector program
	Dir    string // of its data and of what it says; empty means "collector" in the lab's folder
}

// Collector is the collector as a process of its own. Its addresses stay the
// same when it is restarted.
type Collector struct {
	*proc.Process
	HTTP     string // base URL for people: console and API
	OTLPHTTP string // base URL for agents
	OTLPGRPC string // address for agents
}

// StartCollector starts a collector that gives the lab's plan to agents and
// knows from the lab's databases where they are, at ports that are free. It
// returns once the collector is ready; the process is the caller's to stop.
func (l *Lab) StartCollector(ctx context.Context, c CollectorConfig) (*Collector, error) {
	if c.Dir == "" {
		c.Dir = filepath.Join(l.Info.Dir, "collector")
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	addrs, err := freeAddrs(3)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	p, err := proc.Start(proc.Spec{Name: "collector", Path: c.Binary, Logs: c.Dir, Args: []string{"serve",
		"--data", filepath.Join(c.Dir, "data"),
		"--plan", l.Info.Plan,
		"--geoip", l.Info.GeoIP.City,
		"--geoip", l.Info.GeoIP.ASN,
		"--http", addrs[0],
		"--otlp-http", addrs[1],
		"--otlp-grpc", addrs[2],
	}})
	if err != nil {
		return nil, err
	}
	running := &Collector{Process: p, HTTP: "http://" + addrs[0], OTLPHTTP: "http://" + addrs[1], OTLPGRPC: addrs[2]}
	if err := running.AwaitReady(ctx); err != nil {
		return nil, errors.Join(err, p.Kill())
	}
	return running, nil
}

// AwaitReady waits until the collector takes runs. It fails when ctx or the
// process ends first.
func (c *Collector) AwaitReady(ctx context.Context) error { return c.AwaitHTTP(ctx, c.HTTP+"/readyz") }

// freeAddrs are addresses of 127.0.0.1 at which nobody listens.
func freeAddrs(n int) ([]string, error) {
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // all at once, so that none is given twice
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}
