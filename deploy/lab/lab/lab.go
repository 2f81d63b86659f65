package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/edge"
	"github.com/firstframe/firstframe/deploy/lab/fault"
	"github.com/firstframe/firstframe/deploy/lab/geodb"
	"github.com/firstframe/firstframe/deploy/lab/ledger"
	"github.com/firstframe/firstframe/deploy/lab/media"
	"github.com/firstframe/firstframe/deploy/lab/nameserver"
	"github.com/firstframe/firstframe/deploy/lab/origin"
	"github.com/firstframe/firstframe/deploy/lab/service"
	"github.com/firstframe/firstframe/deploy/lab/world"
)

// Lab is a lab that runs.
type Lab struct {
	Info   Info
	World  *world.World
	Faults *fault.Set

	config   Config
	origin   *origin.Origin
	service  *service.Service
	ledger   *ledger.Ledger
	names    *nameserver.Server
	edges    []*edge.Edge
	running  sync.WaitGroup
	cleanup  []func() error // from the last to the first
	stop     func() bool    // waiting for the context to end
	closing  sync.Once
	closeErr error
}

// Start starts a lab, which runs until it is closed or ctx ends.
func Start(ctx context.Context, c Config) (*Lab, error) {
	c, temporary, err := c.complete()
	if err != nil {
		return nil, err
	}
	l := &Lab{World: c.World, Faults: &fault.Set{}, config: c}
	l.Info.Dir = c.Dir
	if temporary {
		l.cleanup = append(l.cleanup, func() error { return os.RemoveAll(c.Dir) })
	}
	l.stop = func() bool { return true }
	for _, step := range []func() error{l.openFiles, l.startNames, l.startEdges, l.startServers, l.writePlan} {
		if err := step(); err != nil {
			return nil, errors.Join(fmt.Errorf("lab: %w", err), l.Close())
		}
	}
	l.describe()
	l.stop = context.AfterFunc(ctx, func() { l.shutdown() }) // Close tells how it went
	return l, nil
}

// Close ends the lab and returns when nothing of it is left. It may be called
// more than once.
func (l *Lab) Close() error {
	l.stop()
	return l.shutdown()
}

func (l *Lab) shutdown() error {
	l.closing.Do(func() {
		var errs []error
		for i := len(l.cleanup) - 1; i >= 0; i-- {
			errs = append(errs, l.cleanup[i]())
		}
		l.running.Wait()
		l.closeErr = errors.Join(errs...)
	})
	return l.closeErr
}

// LedgerEntries calls f with every request that the edges were asked, oldest
// first, until f fails.
func (l *Lab) LedgerEntries(f func(ledger.Entry) error) error { return ledger.Read(l.Info.Ledger, f) }

func (l *Lab) openFiles() (err error) {
	if l.origin, err = origin.New(media.FS); err != nil {
		return err
	}
	l.Info.Ledger = filepath.Join(l.config.Dir, "ledger.jsonl")
	if l.ledger, err = ledger.Open(l.Info.Ledger, 0); err != nil {
		return err
	}
	l.cleanup = append(l.cleanup, l.ledger.Close)
	l.Info.GeoIP, err = geodb.Write(l.config.Dir, l.World)
	return err
}

func (l *Lab) startNames() (err error) {
	l.names, err = nameserver.Start(nameserver.Config{World: l.World, Faults: l.Faults, Fast: l.config.Fast})
	if err != nil {
		return err
	}
	l.cleanup = append(l.cleanup, l.names.Close)
	l.Info.DNS = l.names.Addr
	return nil
}

func (l *Lab) startEdges() error {
	authority, err := edge.NewAuthority(l.World.Domain)
	if err != nil {
		return err
	}
	l.Info.CA = filepath.Join(l.config.Dir, "ca.pem")
	if err := os.WriteFile(l.Info.CA, authority.PEM, 0o644); err != nil {
		return err
	}
	var addrs []netip.Addr
	for _, c := range l.World.CDNs {
		for _, p := range c.POPs {
			addrs = append(addrs, p.Addr)
		}
	}
	sockets, err := listenAll(addrs)
	if err != nil {
		return err
	}
	l.Info.HTTPSPort, l.Info.HTTPPort = portOf(sockets[0].Secure), portOf(sockets[0].Plain)
	l.service = service.New(l.origin, l.URL(""), l.pathways())
	config := edge.Config{World: l.World, Origin: l.origin, Service: l.service, Faults: l.Faults, Ledger: l.ledger,
		Authority: authority, Fast: l.config.Fast, Log: l.config.Log}
	for i := range l.World.CDNs {
		c := &l.World.CDNs[i]
		for k := range c.POPs {
			p := &c.POPs[k]
			n := len(l.edges)
			e, err := edge.Start(config, c, p, sockets[n])
			if err != nil {
				closeAll(sockets[n+1:])
				return errors.Join(err, l.closeEdges())
			}
			l.edges = append(l.edges, e)
			l.Info.Edges = append(l.Info.Edges, EdgeInfo{CDN: c.Name, POP: p.Code, Country: p.Country, Addr: p.Addr})
		}
	}
	l.cleanup = append(l.cleanup, l.closeEdges)
	return nil
}

// pathways are the CDNs as places that streams can be steered to.
func (l *Lab) pathways() (all []service.Pathway) {
	for _, c := range l.World.CDNs {
		all = append(all, service.Pathway{Name: c.Name, Base: "https://" + l.host(l.World.Host(c))})
	}
	return all
}

// closeEdges closes them side by side.
func (l *Lab) closeEdges() error {
	errs := make([]error, len(l.edges))
	var wg sync.WaitGroup
	for i, e := range l.edges {
		wg.Go(func() { errs[i] = e.Close() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// startServers starts control and the bare origin.
func (l *Lab) startServers() error {
	control := http.NewServeMux()
	control.Handle("/faults", l.Faults.Handler())
	control.Handle("/faults/", l.Faults.Handler())
	control.Handle("GET /ledger", l.ledger)
	control.Handle("GET /steering", l.service)
	control.Handle("PUT /steering", l.service)
	control.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(l.Info) // a client that has gone is none of ours
	})
	control.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	for _, s := range []struct {
		addr    string
		handler http.Handler
		url     *string
	}{{l.config.Control, control, &l.Info.Control}, {freePort, l.origin, &l.Info.Origin}} {
		listener, err := net.Listen("tcp", s.addr)
		if err != nil {
			return err
		}
		*s.url = "http://" + listener.Addr().String()
		server := &http.Server{Handler: s.handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
		l.cleanup = append(l.cleanup, server.Close)
		l.running.Go(func() {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				l.config.Log.Error("lab: server ended", "addr", listener.Addr(), "error", err)
			}
		})
	}
	return nil
}

// describe fills in what Info says of names, streams and agents.
func (l *Lab) describe() {
	l.Info.CDNs = map[string]string{}
	for _, c := range l.World.CDNs {
		l.Info.CDNs[c.Name] = l.host(l.World.Host(c))
	}
	l.Info.Streams = map[string]string{}
	for _, streams := range []map[string]string{Streams, Features} {
		for name, path := range streams {
			l.Info.Streams[name] = l.URL(path)
		}
	}
	for _, c := range l.World.Countries {
		for _, n := range c.Networks {
			for _, a := range n.Agents {
				l.Info.Agents = append(l.Info.Agents, AgentInfo{Name: a.Name, Country: c.Code, ASN: n.ASN, Addr: a.Addr})
			}
		}
	}
}

// URL is where a path of the origin is to be had from the edges, under the
// name that targets bear.
func (l *Lab) URL(path string) string { return "https://" + l.host(l.World.PlayHost()) + path }

// host is a name with the port of HTTPS.
func (l *Lab) host(name string) string { return fmt.Sprintf("%s:%d", name, l.Info.HTTPSPort) }
