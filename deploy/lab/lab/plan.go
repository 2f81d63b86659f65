package lab

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/firstframe/firstframe/deploy/lab/service"
	"github.com/firstframe/firstframe/probes/run"
)

// Streams are the paths of the lab's streams, by name.
var Streams = map[string]string{
	"hls-ts":             "/vod/ts/master.m3u8",
	"hls-aes":            "/vod/aes/master.m3u8",
	"hls-cmaf":           "/vod/cmaf/master.m3u8",
	"hls-range":          "/vod/range/master.m3u8",
	"dash-number":        "/vod/cmaf/manifest-number.mpd",
	"dash-timeline":      "/vod/cmaf/manifest-timeline.mpd",
	"live-hls-ts":        "/live/ts/master.m3u8",
	"live-hls-cmaf":      "/live/cmaf/master.m3u8",
	"live-dash-number":   "/live/cmaf/manifest-number.mpd",
	"live-dash-timeline": "/live/cmaf/manifest-timeline.mpd",
}

// Features are the paths of further streams, by name: one for each thing that a
// stream may have. They are in a plan of their own.
var Features = map[string]string{
	"api":              service.Signed + "/vod/cmaf/master.m3u8", // as its playback API leads to it
	"live-low-latency": "/live/ll/master.m3u8",
	"live-sound-dash":  "/live/cmaf/sound.mpd",
	"live-sound-hls":   "/live/cmaf/sound.m3u8",
	"sound-dash":       "/vod/cmaf/sound.mpd",
	"sound-hls":        "/vod/cmaf/sound.m3u8",
	"steered-dash":     service.Steered + "/vod/cmaf/manifest-number.mpd",
	"steered-hls":      service.Steered + "/vod/cmaf/master.m3u8",
}

// planned are the targets of the plan: a film and a channel for the web apps,
// the channel by DASH for the television, which plays as the ideal player.
var planned = []target{
	{Name: "film", URL: "hls-cmaf", Apps: []string{"web@*"}},
	{Name: "news", URL: "live-hls-ts", Apps: []string{"web@*"}},
	{Name: "news-tv", URL: "live-dash-timeline", Apps: []string{"tv@*"}},
}

type planFile struct {
	Version        int      `yaml:"version"`
	CDNs           []cdn    `yaml:"cdns"`
	Apps           []app    `yaml:"apps"`
	Targets        []target `yaml:"targets"`
	AllowAddresses []string `yaml:"allow_addresses"`
}

type cdn struct {
	Name string `yaml:"name"`
	Host string `yaml:"host"`
}

type app struct {
	Name      string             `yaml:"name"`
	Version   string             `yaml:"version"`
	Player    string             `yaml:"player,omitempty"`
	UserAgent string             `yaml:"user_agent"`
	Codecs    []string           `yaml:"codecs"`
	CMCD      string             `yaml:"cmcd,omitempty"`
	Set       map[string]float64 `yaml:"set,omitempty"`
}

type target struct {
	Name     string   `yaml:"name"`
	URL      string   `yaml:"url"`
	CDNs     []string `yaml:"cdns"`
	Apps     []string `yaml:"apps"`
	Interval string   `yaml:"interval"`
	API      *api     `yaml:"playback_api,omitempty"`
}

type api struct {
	URL           string            `yaml:"url"`
	Headers       map[string]string `yaml:"headers"`
	Body          string            `yaml:"body"`
	Manifest      string            `yaml:"manifest"`
	ManifestQuery map[string]string `yaml:"manifest_query"`
	StreamHeaders map[string]string `yaml:"stream_headers"`
}

// writePlan writes the plan that the lab's agents work by. An agent makes 15 runs
// an interval by it: five of app and target, through three CDNs.
func (l *Lab) writePlan() error {
	p := planFile{Version: 1, AllowAddresses: []string{"127.0.0.0/8"}}
	for _, c := range l.World.CDNs {
		p.CDNs = append(p.CDNs, cdn{Name: c.Name, Host: l.host(l.World.Host(c))})
	}
	for _, a := range l.World.Apps {
		p.Apps = append(p.Apps, app{Name: a.Name, Version: a.Version, Player: a.Player, UserAgent: a.UserAgent(), Codecs: a.Codecs, Set: a.Set})
	}
	for _, t := range planned {
		t.URL, t.CDNs, t.Interval = l.URL(Streams[t.URL]), []string{"*"}, l.config.Interval.String()
		p.Targets = append(p.Targets, t)
	}
	l.Info.Plan = filepath.Join(l.config.Dir, "plan.yaml")
	if err := write(l.Info.Plan, p); err != nil {
		return err
	}
	l.Info.Features = filepath.Join(l.config.Dir, "features.yaml")
	return write(l.Info.Features, l.features(p))
}

// features is a plan of the streams that plan.yaml leaves out, and of apps that
// send CMCD in each way. It has the CDNs of that plan.
func (l *Lab) features(p planFile) planFile {
	p.Apps, p.Targets = nil, nil
	for _, cmcd := range []string{"header", "query", "off"} {
		a := l.World.Apps[0]
		p.Apps = append(p.Apps, app{Name: "cmcd-" + cmcd, Version: a.Version, UserAgent: a.UserAgent(), Codecs: a.Codecs, CMCD: cmcd})
	}
	for _, name := range slices.Sorted(maps.Keys(Features)) {
		t := target{Name: name, URL: l.URL(Features[name]), CDNs: []string{"*"}, Apps: []string{"*"}, Interval: l.config.Interval.String()}
		if name == "api" {
			a := l.PlaybackAPI()
			t.API = &api{a.URL, a.Headers, a.Body, a.Manifest, a.ManifestQuery, a.StreamHeaders}
		}
		p.Targets = append(p.Targets, t)
	}
	return p
}

// PlaybackAPI is what apps ask before they play the feature "api". The viewer's
// key is a secret, which they have from their environment.
func (l *Lab) PlaybackAPI() *run.PlaybackAPI {
	return &run.PlaybackAPI{
		URL:           "https://" + l.host(l.World.APIHost()) + service.APIPath,
		Headers:       map[string]string{"Authorization": "Bearer ${env:" + KeyVariable + "}"},
		Body:          `{"asset": "` + strings.TrimPrefix(Features["api"], service.Signed) + `"}`,
		Manifest:      "$.streams[0].url",
		ManifestQuery: map[string]string{service.TokenQuery: "$.streams[0].token"},
		StreamHeaders: map[string]string{service.SessionHeader: "$.session.id"},
	}
}

// KeyVariable is the environment variable in which features.yaml expects
// [service.ViewerKey].
const KeyVariable = run.SecretPrefix + "LAB"

func write(name string, p planFile) error {
	text, err := yaml.Marshal(p)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	return os.WriteFile(name, text, 0o644)
}
