// Package world says what the lab pretends: which countries and networks the
// agents live in, which CDNs with which points of presence (POPs) there are,
// how far the one is from the other, and which app versions are played.
//
// Everything lives on loopback. Each network has a /24 of 127/8 of its own,
// each agent and each POP an address of its own, so that an edge and the name
// server know the country of whoever asks by nothing but its address, as in
// the real world. [Default] makes the world of the demo; every field may be
// changed before the lab starts, and [World.Check] says what does not fit.
package world

import (
	"fmt"
	"math"
	"net/netip"
	"time"
)

// World is one pretended world. Its slices are shared by copies of the value
// and are only read once a lab runs.
type World struct {
	Domain    string // of all names, such as lab.example
	Countries []Country
	CDNs      []CDN
	Apps      []App

	// Paths override what Path computes, by country code and POP address.
	Paths map[PathKey]Path
}

// Country is where agents are.
type Country struct {
	Code     string // ISO 3166-1 alpha-2
	Name     string
	Place    Place
	Access   time.Duration // round-trip time of the last mile
	Kbps     int           // bandwidth of an agent's line, kbit/s
	DNS      time.Duration // what a name costs to resolve
	Networks []Network
}

// Place is a point on the globe.
type Place struct {
	City        string
	Subdivision string  // the second part of ISO 3166-2, such as SP; may be empty
	Region      string  // that subdivision's name
	Lat, Lon    float64 // degrees
}

// Network is an autonomous system's part in a country.
type Network struct {
	ASN    uint32
	Org    string
	Prefix netip.Prefix // in 127/8, no two alike
	Agents []Agent
}

// Agent is one vantage point.
type Agent struct {
	Name string
	Addr netip.Addr // inside its network's prefix
}

// CDN is one content delivery network.
type CDN struct {
	Name  string // also the first label of its host name
	Style Style
	ASN   uint32
	Org   string
	POPs  []POP

	// AltSvc says whether answers tell that the edges speak HTTP/3 too (RFC
	// 7838). They do in any case.
	AltSvc bool

	// Routes say which POP, by code, serves a country, where that is not the
	// nearest one.
	Routes map[string]string
}

// Style says whose answers a CDN's edges imitate.
type Style string

// The styles.
const (
	CloudFront Style = "cloudfront"
	Fastly     Style = "fastly"
	Cloudflare Style = "cloudflare"
)

// POP is one point of presence: one edge.
type POP struct {
	Code    string // IATA code of the nearest airport, such as GRU
	Country string // ISO 3166-1 alpha-2
	Place   Place
	Addr    netip.Addr
	Dead    netip.Addr    // in the same prefix, where nothing ever listens
	Origin  time.Duration // what a cache miss costs: the round trip to the origin
}

// App is an app version as the plan describes it.
type App struct {
	Name, Version string
	Player        string
	Codecs        []string           // that it plays, as RFC 6381 prefixes
	Set           map[string]float64 // parameters of the player model
}

// UserAgent is what the app sends. Edges read the app's version from it.
func (a App) UserAgent() string { return a.Name + "/" + a.Version + " (Firstframe lab)" }

// PathKey names the way from a country to a POP.
type PathKey struct {
	Country string
	POP     netip.Addr
}

// Path is what the way from a client to a POP does to a connection. The zero
// value is a way without any cost.
type Path struct {
	RTT  time.Duration
	Kbps int // 0: no limit
}

// Origin is who an address belongs to. The zero value is an address that the
// world does not know, such as 127.0.0.1.
type Origin struct {
	Country string
	ASN     uint32
}

// Host is the CDN's host name.
func (w *World) Host(c CDN) string { return c.Name + "." + w.Domain }

// PlayHost is the name that targets bear before a CDN's host replaces it. It
// leads to the first CDN.
func (w *World) PlayHost() string { return "play." + w.Domain }

// APIHost is the name of the service's playback API. It leads to the first CDN.
func (w *World) APIHost() string { return "api." + w.Domain }

// Locate tells country and network of a client's address.
func (w *World) Locate(a netip.Addr) Origin {
	a = a.Unmap()
	for _, c := range w.Countries {
		for _, n := range c.Networks {
			if n.Prefix.Contains(a) {
				return Origin{Country: c.Code, ASN: n.ASN}
			}
		}
	}
	return Origin{}
}

// Country is the country of that code, nil when there is none.
func (w *World) Country(code string) *Country {
	for i := range w.Countries {
		if w.Countries[i].Code == code {
			return &w.Countries[i]
		}
	}
	return nil
}

// CDN is the CDN of that name, nil when there is none.
func (w *World) CDN(name string) *CDN {
	for i := range w.CDNs {
		if w.CDNs[i].Name == name {
			return &w.CDNs[i]
		}
	}
	return nil
}

// Serve is the POP that serves a country, and the one that serves it when the
// CDN routes it wrongly: the second nearest. A country that the world does not
// know is served by the first and, wrongly, the second POP.
func (w *World) Serve(c *CDN, country string) (right, wrong *POP) {
	from := w.Country(country)
	if from == nil {
		return &c.POPs[0], &c.POPs[1]
	}
	for i := range c.POPs {
		p := &c.POPs[i]
		switch d := distance(from.Place, p.Place); {
		case right == nil || d < distance(from.Place, right.Place):
			right, wrong = p, right
		case wrong == nil || d < distance(from.Place, wrong.Place):
			wrong = p
		}
	}
	if code := c.Routes[country]; code != "" && code != right.Code {
		for i := range c.POPs {
			if c.POPs[i].Code == code {
				right, wrong = &c.POPs[i], right
			}
		}
	}
	return right, wrong
}

// Path is the way from a country to a POP: its last mile and 1.5 times the
// great circle at the speed of light in fibre (200 km/ms), there and back. From
// a country that the world does not know it costs nothing.
func (w *World) Path(country string, p *POP) Path {
	if path, ok := w.Paths[PathKey{country, p.Addr}]; ok {
		return path
	}
	c := w.Country(country)
	if c == nil {
		return Path{}
	}
	far := time.Duration(distance(c.Place, p.Place) * 1.5 * 2 / 200 * float64(time.Millisecond))
	return Path{RTT: (c.Access + far).Round(100 * time.Microsecond), Kbps: c.Kbps}
}

// Agents lists every agent of every country.
func (w *World) Agents() []Agent {
	var all []Agent
	for _, c := range w.Countries {
		for _, n := range c.Networks {
			all = append(all, n.Agents...)
		}
	}
	return all
}

// Check says what does not fit together, nil when everything does.
func (w *World) Check() error {
	seen := map[netip.Addr]string{}
	claim := func(a netip.Addr, who string) error {
		if !a.Is4() || !a.IsLoopback() {
			return fmt.Errorf("world: %s: address %v is not in 127.0.0.0/8", who, a)
		}
		if other, taken := seen[a]; taken {
			return fmt.Errorf("world: %s: address %v is already %s's", who, a, other)
		}
		seen[a] = who
		return nil
	}
	for _, c := range w.Countries {
		for _, n := range c.Networks {
			for _, a := range n.Agents {
				if err := claim(a.Addr, a.Name); err != nil {
					return err
				}
				if !n.Prefix.Contains(a.Addr) {
					return fmt.Errorf("world: %s: address %v is not in %v", a.Name, a.Addr, n.Prefix)
				}
			}
		}
	}
	for i := range w.CDNs {
		if err := w.checkCDN(&w.CDNs[i], claim); err != nil {
			return err
		}
	}
	if w.Domain == "" || len(w.CDNs) == 0 || len(w.Apps) == 0 {
		return fmt.Errorf("world: needs a domain, a CDN and an app")
	}
	return nil
}

func (w *World) checkCDN(c *CDN, claim func(netip.Addr, string) error) error {
	if len(c.POPs) < 2 {
		return fmt.Errorf("world: %s has %d POPs, needs two at least", c.Name, len(c.POPs))
	}
	codes := map[string]bool{}
	for _, p := range c.POPs {
		if codes[p.Code] {
			return fmt.Errorf("world: %s has two POPs %s", c.Name, p.Code)
		}
		codes[p.Code] = true
		for _, a := range []netip.Addr{p.Addr, p.Dead} {
			if err := claim(a, c.Name+" "+p.Code); err != nil {
				return err
			}
		}
	}
	for country, code := range c.Routes {
		if w.Country(country) == nil || !codes[code] {
			return fmt.Errorf("world: %s: route %s to %s: no such country or POP", c.Name, country, code)
		}
	}
	return nil
}

// distance is the great circle between two places in km, by the haversine
// formula.
func distance(a, b Place) float64 {
	const radius, degree = 6371, math.Pi / 180
	s1 := math.Sin((b.Lat - a.Lat) * degree / 2)
	s2 := math.Sin((b.Lon - a.Lon) * degree / 2)
	h := s1*s1 + math.Cos(a.Lat*degree)*math.Cos(b.Lat*degree)*s2*s2
	return 2 * radius * math.Asin(math.Min(1, math.Sqrt(h)))
}
