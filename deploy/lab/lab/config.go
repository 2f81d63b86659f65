// Package lab is a streaming world on one machine: an origin with real media,
// three CDNs with edges at several POPs each, a name server that leads every
// country to its POP, networks of different speed, and faults to order.
//
// [Start] starts all of it on loopback addresses (Linux: 127/8) at ports that
// are free, so that several labs can run side by side. It writes what others
// need into a folder: the CA that the edges' certificates are from, GeoIP
// databases that know the lab's addresses, a plan for agents, and the ledger of
// every request. [Info] says where everything is.
package lab

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/geodb"
	"github.com/firstframe/firstframe/deploy/lab/world"
)

// Config says what kind of lab to start. Its zero value starts the world of
// the demo in a folder that is removed in the end.
type Config struct {
	World    *world.World  // nil means world.Default
	Dir      string        // where its files go; empty means a new folder, removed by Close
	Interval time.Duration // between rounds, in the plan; 0 means 30 s
	Control  string        // where faults, ledger and info are served; empty means a free port of 127.0.0.1
	Fast     bool          // names, connections and cache misses take no time
	Log      *slog.Logger  // nil means nowhere
}

// Info says where a lab's parts are.
type Info struct {
	Control   string            `json:"control"` // base URL of faults, ledger and info
	Origin    string            `json:"origin"`  // base URL, past every CDN
	DNS       netip.AddrPort    `json:"dns"`
	HTTPSPort uint16            `json:"https_port"` // of every edge
	HTTPPort  uint16            `json:"http_port"`  // of every edge
	Dir       string            `json:"dir"`
	CA        string            `json:"ca"`       // file, PEM
	GeoIP     geodb.Files       `json:"geoip"`    // files
	Plan      string            `json:"plan"`     // file
	Features  string            `json:"features"` // file: a plan of the streams that Plan leaves out
	Ledger    string            `json:"ledger"`
	Streams   map[string]string `json:"streams"` // URL by name
	CDNs      map[string]string `json:"cdns"`    // host and port by name
	Edges     []EdgeInfo        `json:"edges"`
	Agents    []AgentInfo       `json:"agents"`
}

// EdgeInfo says where an edge is.
type EdgeInfo struct {
	CDN     string     `json:"cdn"`
	POP     string     `json:"pop"`
	Country string     `json:"country"`
	Addr    netip.Addr `json:"addr"`
}

// AgentInfo says where an agent belongs.
type AgentInfo struct {
	Name    string     `json:"name"`
	Country string     `json:"country"`
	ASN     uint32     `json:"asn"`
	Addr    netip.Addr `json:"addr"` // to bind to
}

// freePort listens where only this machine can ask.
const freePort = "127.0.0.1:0"

// DefaultInterval is what Config.Interval means when it is 0.
const DefaultInterval = 30 * time.Second

// complete is the configuration with its defaults, and whether the folder is
// to be removed in the end.
func (c Config) complete() (Config, bool, error) {
	if c.World == nil {
		c.World = world.Default()
	}
	if err := c.World.Check(); err != nil {
		return c, false, fmt.Errorf("lab: %w", err)
	}
	if c.Interval <= 0 {
		c.Interval = DefaultInterval
	}
	if c.Control == "" {
		c.Control = freePort
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Dir != "" {
		if err := os.MkdirAll(c.Dir, 0o755); err != nil {
			return c, false, fmt.Errorf("lab: %w", err)
		}
		return c, false, nil
	}
	dir, err := os.MkdirTemp("", "firstframe-lab-")
	if err != nil {
		return c, false, fmt.Errorf("lab: %w", err)
	}
	c.Dir = dir
	return c, true, nil
}
