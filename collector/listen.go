package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/firstframe/firstframe/collector/query"
)

// The bounds of the HTTP servers.
const (
	readHeaderTime = 10 * time.Second
	readTime       = time.Minute // of a whole request; 64 MiB in a minute are 9 Mbit/s
	writeTime      = time.Minute // of an answer; a long poll extends it for itself
	idleTime       = 2 * time.Minute
	maxHeader      = 32 << 10 // bytes
	maxConns       = 4096     // of each listener
	stopTime       = 5 * time.Second
)

// listeners are the three addresses that the collector listens on.
type listeners struct{ http, otlpHTTP, otlpGRPC net.Listener }

// listen opens all three, or none.
func (c *serveCmd) listen() (l listeners, err error) {
	for _, f := range []struct {
		flag, addr string
		to         *net.Listener
	}{{"--http", c.HTTP, &l.http}, {"--otlp-http", c.OTLPHTTP, &l.otlpHTTP}, {"--otlp-grpc", c.OTLPGRPC, &l.otlpGRPC}} {
		if err := checkAddress(f.flag, f.addr, c.NoAuth); err != nil {
			return listeners{}, errors.Join(err, l.close())
		}
		opened, err := net.Listen("tcp", f.addr)
		if err != nil {
			return listeners{}, errors.Join(fmt.Errorf("%s: %w", f.flag, err), l.close())
		}
		*f.to = netutil.LimitListener(opened, maxConns)
	}
	return l, nil
}

// checkAddress refuses to listen where others than this machine can reach a
// collector that does not know who they are.
func checkAddress(flag, addr string, noAuth bool) error {
	resolved, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return usageError{fmt.Errorf("%s %s: %w", flag, addr, err)}
	}
	if noAuth || resolved.IP.IsLoopback() {
		return nil
	}
	return usageError{fmt.Errorf("%s %s is not a loopback address: anyone who can reach it could read and send runs. "+
		"Listen on 127.0.0.1 and put a proxy that authenticates in front, or say --no-auth", flag, addr)}
}

func (l listeners) close() error {
	var errs []error
	for _, x := range []net.Listener{l.http, l.otlpHTTP, l.otlpGRPC} {
		if x != nil {
			errs = append(errs, x.Close())
		}
	}
	return errors.Join(errs...)
}

// print writes the addresses that are really bound as one line of JSON.
func (l listeners) print(w io.Writer) error {
	return json.NewEncoder(w).Encode(map[string]string{
		"http": l.http.Addr().String(), "otlp_http": l.otlpHTTP.Addr().String(), "otlp_grpc": l.otlpGRPC.Addr().String(),
	})
}

// httpServer is one with all its bounds set. The contexts of its requests end
// with ctx.
func httpServer(ctx context.Context, h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: readHeaderTime, ReadTimeout: readTime, WriteTimeout: writeTime,
		IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// serveHTTP serves until ctx ends, and returns once requests under way have
// been answered or stopTime has passed.
func serveHTTP(ctx context.Context, l net.Listener, s *http.Server) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", l.Addr(), err)
		}
		return nil
	})
	g.Go(func() error {
		<-gctx.Done()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		if err := s.Shutdown(last); err != nil {
			return s.Close()
		}
		return nil
	})
	return g.Wait()
}

// serveGRPC is serveHTTP for gRPC.
func serveGRPC(ctx context.Context, l net.Listener, s *grpc.Server) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := s.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			return fmt.Errorf("serve %s: %w", l.Addr(), err)
		}
		return nil
	})
	g.Go(func() error {
		<-gctx.Done()
		hard := time.AfterFunc(stopTime, s.Stop)
		defer hard.Stop()
		s.GracefulStop()
		return nil
	})
	return g.Wait()
}

// localNames refuses requests for any name but this machine's own. Without it a
// web page could make its own name point to 127.0.0.1 and have a visitor's
// browser read what only the visitor may (DNS rebinding).
func localNames(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		_, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if err != nil && host != "localhost" && !strings.HasSuffix(host, ".localhost") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusMisdirectedRequest)
			// A client that has gone needs no answer.
			_ = json.NewEncoder(w).Encode(query.Errorf("unknown_host", "",
				"%.60q is not a name of this machine; a collector behind a proxy is started with --no-auth", host))
			return
		}
		next.ServeHTTP(w, r)
	})
}
