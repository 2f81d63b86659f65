package e2e

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/firstframe/firstframe/deploy/lab/lab"
	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/run"
)

// binDir is where the programs under test are, once they are built.
var binDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "firstframe-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binDir = dir
	if err := viewerKey(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// programs are built as the Makefile builds them, or found in $FIRSTFRAME_BIN.
var programs = map[string]func() error{
	"agent":     sync.OnceValue(func() error { return build("agent", "./agent", "CGO_ENABLED=0") }),
	"collector": sync.OnceValue(func() error { return build("collector", "./collector", "CGO_ENABLED=1") }),
	"lab":       sync.OnceValue(func() error { return build("lab", "./deploy/lab", "CGO_ENABLED=0") }),
}

func build(name, pkg, cgo string) error {
	if bin := os.Getenv("FIRSTFRAME_BIN"); bin != "" {
		return os.Symlink(filepath.Join(bin, name), filepath.Join(binDir, name))
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(binDir, name), pkg)
	cmd.Dir = filepath.Join("..", "..", "..")
	cmd.Env = append(os.Environ(), cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return nil
}

// program is the path of a program, built from the tree.
func program(t testing.TB, name string) string {
	t.Helper()
	if err := programs[name](); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(binDir, name)
}

func startLab(t testing.TB, c lab.Config) *lab.Lab {
	t.Helper()
	l, err := lab.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// viewer is someone in a country who plays a stream of the lab through a CDN.
type viewer struct {
	lab     *lab.Lab
	country string
	cdn     string
	player  string
	version string // of the app; empty means 2.0.0
	timeout time.Duration
}

// addr is the address of the country's first agent.
func addr(l *lab.Lab, country string) netip.Addr {
	return l.World.Country(country).Networks[0].Agents[0].Addr
}

func (v viewer) play(t testing.TB, stream string) run.Run {
	t.Helper()
	return probes.Probe(t.Context(), v.spec(t, stream))
}

// spec is a stream as the viewer plays it.
func (v viewer) spec(t testing.TB, stream string) probes.Spec {
	t.Helper()
	text, err := os.ReadFile(v.lab.Info.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	if v.version == "" {
		v.version = "2.0.0"
	}
	return probes.Spec{
		Target: run.Target{Name: stream, URL: v.lab.Info.Streams[stream], Timeout: v.timeout},
		CDN:    run.CDN{Name: v.cdn, Host: v.lab.Info.CDNs[v.cdn]},
		App: run.App{Name: "web", Version: v.version, Player: v.player, UserAgent: "web/" + v.version,
			Codecs: []string{"avc1", "mp4a"}},
		Network: probes.Network{Resolver: v.lab.Info.DNS.String(), Bind: addr(v.lab, v.country), RootCAs: roots,
			AllowAddresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	}
}

// within says whether got lies between low and high.
func within(got, low, high float64) bool { return got >= low && got <= high }

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
