package lab

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"
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
	Player    string             `yaml:"player"`
	UserAgent string             `yaml:"user_agent"`
	Codecs    []string           `yaml:"codecs"`
	Set       map[string]float64 `yaml:"set,omitempty"`
}

type target struct {
	Name     string   `yaml:"name"`
	URL      string   `yaml:"url"`
	CDNs     []string `yaml:"cdns"`
	Apps     []string `yaml:"apps"`
	Interval string   `yaml:"interval"`
}

// writePlan writes the plan that the lab's agents work by. An agent makes 15 runs
// an interval by it: five of app and target, through three CDNs.
func (l *Lab) writePlan() error {
	p := planFile{Version: 1, AllowAddresses: []string{"127.0.0.0/8"}}
	for _, c := range l.World.CDNs {
		p.CDNs = append(p.CDNs, cdn{Name: c.Name, Host: fmt.Sprintf("%s:%d", l.World.Host(c), l.Info.HTTPSPort)})
	}
	for _, a := range l.World.Apps {
		p.Apps = append(p.Apps, app{Name: a.Name, Version: a.Version, Player: a.Player, UserAgent: a.UserAgent(), Codecs: a.Codecs, Set: a.Set})
	}
	for _, t := range planned {
		t.URL, t.CDNs, t.Interval = l.URL(Streams[t.URL]), []string{"*"}, l.config.Interval.String()
		p.Targets = append(p.Targets, t)
	}
	text, err := yaml.Marshal(p)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	l.Info.Plan = filepath.Join(l.config.Dir, "plan.yaml")
	return os.WriteFile(l.Info.Plan, text, 0o644)
}
