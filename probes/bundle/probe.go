package bundle

import (
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// Probe is what was played and how, as far as another try needs it.
type Probe struct {
	Format  int     `json:"format"` // Version
	Target  Target  `json:"target"`
	CDN     CDN     `json:"cdn"`
	App     App     `json:"app"`
	Network Network `json:"network"`
}

// Target is a run.Target.
type Target struct {
	Name        string            `json:"name,omitempty"`
	URL         string            `json:"url"`
	ThresholdMs float64           `json:"threshold_ms,omitempty"`
	TimeoutMs   float64           `json:"timeout_ms,omitempty"`
	IntervalMs  float64           `json:"interval_ms,omitempty"`
	PlayMs      float64           `json:"play_ms,omitempty"`
	Connection  string            `json:"connection,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	PlaybackAPI *PlaybackAPI      `json:"playback_api,omitempty"`
	Redact      []string          `json:"redact,omitempty"`
}

// PlaybackAPI is a run.PlaybackAPI.
type PlaybackAPI struct {
	URL           string            `json:"url"`
	Method        string            `json:"method,omitempty"`
	Headers       map[string]string `json:"headers,omitempty"`
	Body          string            `json:"body,omitempty"`
	Manifest      string            `json:"manifest,omitempty"`
	ManifestQuery map[string]string `json:"manifest_query,omitempty"`
	StreamHeaders map[string]string `json:"stream_headers,omitempty"`
}

// CDN is a run.CDN.
type CDN struct {
	Name      string   `json:"name,omitempty"`
	Host      string   `json:"host,omitempty"`
	ConnectTo string   `json:"connect_to,omitempty"`
	Hosts     []string `json:"hosts,omitempty"`
}

// App is a run.App.
type App struct {
	Name      string             `json:"name,omitempty"`
	Version   string             `json:"version,omitempty"`
	Player    string             `json:"player,omitempty"`
	UserAgent string             `json:"user_agent,omitempty"`
	Headers   map[string]string  `json:"headers,omitempty"`
	Query     map[string]string  `json:"query,omitempty"`
	Codecs    []string           `json:"codecs,omitempty"`
	MaxHeight int64              `json:"max_height,omitempty"`
	HTTP      string             `json:"http,omitempty"`
	AltSvc    string             `json:"alt_svc,omitempty"`
	CMCD      string             `json:"cmcd,omitempty"`
	Set       map[string]float64 `json:"set,omitempty"`
}

// Network is how requests left the machine. Only Headers matter when the run is
// played again; the rest is there to be read.
type Network struct {
	HTTP         string              `json:"http,omitempty"`
	IPVersion    int                 `json:"ip_version,omitempty"`
	Resolver     string              `json:"resolver,omitempty"`
	ClientSubnet string              `json:"client_subnet,omitempty"`
	Bind         string              `json:"bind,omitempty"`
	ConnectTo    map[string]string   `json:"connect_to,omitempty"`
	Insecure     bool                `json:"insecure,omitempty"`
	AllowPrivate bool                `json:"allow_private,omitempty"`
	Allow        []string            `json:"allow_addresses,omitempty"`
	Headers      map[string][]string `json:"headers,omitempty"`
}

// ProbeOf is what is needed to play a target again through a CDN as an app.
func ProbeOf(t run.Target, c run.CDN, a run.App, n Network) Probe {
	p := Probe{
		Format: Version,
		Target: Target{
			Name: t.Name, URL: t.URL, ThresholdMs: ms(t.Threshold), TimeoutMs: ms(t.Timeout), IntervalMs: ms(t.Interval),
			PlayMs: ms(t.Play), Connection: t.Connection, Labels: t.Labels, Redact: t.Redact,
		},
		CDN: CDN{Name: c.Name, Host: c.Host, ConnectTo: c.ConnectTo, Hosts: c.Hosts},
		App: App{
			Name: a.Name, Version: a.Version, Player: a.Player, UserAgent: a.UserAgent, Headers: a.Headers, Query: a.Query,
			Codecs: a.Codecs, MaxHeight: a.MaxHeight, HTTP: a.HTTP, AltSvc: a.AltSvc, CMCD: a.CMCD, Set: a.Set,
		},
		Network: n,
	}
	if api := t.PlaybackAPI; api != nil {
		p.Target.PlaybackAPI = &PlaybackAPI{
			URL: api.URL, Method: api.Method, Headers: api.Headers, Body: api.Body,
			Manifest: api.Manifest, ManifestQuery: api.ManifestQuery, StreamHeaders: api.StreamHeaders,
		}
	}
	return p
}

// Spec is the target, CDN and app that ProbeOf was given.
func (p *Probe) Spec() (run.Target, run.CDN, run.App) {
	t, c, a := &p.Target, &p.CDN, &p.App
	target := run.Target{
		Name: t.Name, URL: t.URL, Threshold: Duration(t.ThresholdMs), Timeout: Duration(t.TimeoutMs), Interval: Duration(t.IntervalMs),
		Play: Duration(t.PlayMs), Connection: t.Connection, Labels: t.Labels, Redact: t.Redact,
	}
	if api := t.PlaybackAPI; api != nil {
		target.PlaybackAPI = &run.PlaybackAPI{
			URL: api.URL, Method: api.Method, Headers: api.Headers, Body: api.Body,
			Manifest: api.Manifest, ManifestQuery: api.ManifestQuery, StreamHeaders: api.StreamHeaders,
		}
	}
	return target,
		run.CDN{Name: c.Name, Host: c.Host, ConnectTo: c.ConnectTo, Hosts: c.Hosts},
		run.App{
			Name: a.Name, Version: a.Version, Player: a.Player, UserAgent: a.UserAgent, Headers: a.Headers, Query: a.Query,
			Codecs: a.Codecs, MaxHeight: a.MaxHeight, HTTP: a.HTTP, AltSvc: a.AltSvc, CMCD: a.CMCD, Set: a.Set,
		}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Duration is a time in milliseconds, to the nanosecond.
func Duration(ms float64) time.Duration {
	return time.Duration(ms*float64(time.Millisecond) + 0.5)
}
