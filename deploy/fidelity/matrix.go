package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// player is a real player and the model that is to be like it.
type player struct {
	name    string // the model's
	module  string // in node_modules
	version string // the model's, and the one that must be installed
	script  string // in the module
	global  string // what the page calls a script's export, where it is an ECMAScript module
	streams []stream
	draws   bool // its delays before a further try are drawn at random
}

// stream is one packaging of the media; path is below the media's folder.
type stream struct{ name, path string }

var (
	hls = []stream{{"ts", "ts/master.m3u8"}, {"aes", "aes/master.m3u8"}, {"cmaf", "cmaf/master.m3u8"}, {"range", "range/master.m3u8"}}
	mpd = []stream{{"number", "cmaf/number.mpd"}, {"timeline", "cmaf/timeline.mpd"}}

	players = []player{
		// What an app's bundler takes of hls.js: it has no worker, whose start would
		// be part of each play (40 ms and more here with dist/hls.min.js).
		{name: "hlsjs", module: "hls.js", version: "1.7.4", script: "dist/hls.mjs", global: "Hls", streams: hls},
		{name: "shaka", module: "shaka-player", version: "5.2.12", script: "dist/shaka-player.compiled.js",
			streams: append(hls[:len(hls):len(hls)], mpd...), draws: true},
		{name: "dashjs", module: "dashjs", version: "5.2.1", script: "dist/modern/umd/dash.all.min.js", streams: mpd},
	}
)

// playerNamed is the player of that name; nil: none.
func playerNamed(name string) *player {
	for i := range players {
		if players[i].name == name {
			return &players[i]
		}
	}
	return nil
}

// installed is the version that npm has installed, which must be the model's.
func (p player) installed(modules string) (string, error) {
	text, err := os.ReadFile(filepath.Join(modules, p.module, "package.json"))
	if err != nil {
		return "", fmt.Errorf("%s is not installed; npm ci in deploy/fidelity does that: %w", p.module, err)
	}
	var manifest struct{ Version string }
	if err := json.Unmarshal(text, &manifest); err != nil {
		return "", fmt.Errorf("%s: package.json: %w", p.module, err)
	}
	if manifest.Version != p.version {
		return "", fmt.Errorf("%s is %s, and its model %s", p.module, manifest.Version, p.version)
	}
	return manifest.Version, nil
}

// way is a line between player and server.
type way struct {
	RTT  int `json:"rtt_ms"`
	Mbps int `json:"mbps"`
}

// cell is what a real player and its model are compared in.
type cell struct {
	Player string `json:"player"`
	Stream string `json:"stream"`
	way
	Fault string `json:"fault,omitempty"`      // its name
	Play  int    `json:"play_s,omitempty"`     // seconds of media after the first picture
	Later int    `json:"later_kbps,omitempty"` // the line's rate from fallAfter on; 0: as before
}

// fitted says whether a cell's line is one of the five on which the constants of
// the models were fitted; the other four are to show what that is worth.
func (c cell) fitted() bool {
	return slices.Contains([]way{{0, 3}, {0, 50}, {40, 10}, {120, 3}, {120, 50}}, c.way)
}

// container is how a cell's stream carries its media.
func (c cell) container() string {
	if c.Stream == "ts" || c.Stream == "aes" {
		return "TS"
	}
	return "fMP4"
}

func (c cell) String() string {
	name := fmt.Sprintf("%s/%s %d/%d", c.Player, c.Stream, c.RTT, c.Mbps)
	if c.Fault != "" {
		name += ", " + c.Fault
	}
	if c.Later > 0 {
		name += fmt.Sprintf(", then %.1f", float64(c.Later)/1000)
	}
	if c.Play > 0 {
		name += fmt.Sprintf(", on %d s", c.Play)
	}
	return name
}

// task is one cell to be played by both, in one round. In odd rounds the model
// is first.
type task struct {
	cell
	player player
	path   string
	round  int
}

// batch is what is played over one line without a change of it.
type batch struct {
	way
	tasks []task
}

// plan is the matrix, as often as asked, in an order that is the same each time:
// lines within rounds and cells within lines are shuffled, so that what changes
// in the machine's condition over the hours falls on all alike.
func plan(quick bool, rounds int, only string) []batch {
	ways := []way{}
	for _, rtt := range []int{0, 40, 120} {
		for _, mbps := range []int{3, 10, 50} {
			ways = append(ways, way{rtt, mbps})
		}
	}
	if quick {
		ways = []way{{40, 10}, {120, 50}}
	}
	random := rand.New(rand.NewPCG(1, 2))
	var all []batch
	for round := range rounds {
		random.Shuffle(len(ways), func(i, j int) { ways[i], ways[j] = ways[j], ways[i] })
		for _, w := range ways {
			b := batch{way: w}
			for _, p := range players {
				for _, s := range p.streams {
					c := cell{Player: p.name, Stream: s.name, way: w}
					if strings.Contains(c.String(), only) {
						b.tasks = append(b.tasks, task{c, p, s.path, round})
					}
				}
			}
			random.Shuffle(len(b.tasks), func(i, j int) { b.tasks[i], b.tasks[j] = b.tasks[j], b.tasks[i] })
			all = append(all, b)
		}
	}
	return all
}

// faultPlan is every fault, as often as asked; those after which nothing is shown
// once, but by players whose delays are drawn.
func faultPlan(quick bool, rounds int, only string) []batch {
	random := rand.New(rand.NewPCG(3, 4))
	var all []batch
	for round := range rounds {
		b := batch{way: faultWay}
		for _, f := range faults {
			if quick && !slices.Contains(quickFaults, f.name) {
				continue
			}
			for _, p := range players {
				if round > 0 && f.once(p) {
					continue
				}
				for _, s := range p.streams {
					c := cell{Player: p.name, Stream: s.name, way: faultWay, Fault: f.name}
					if slices.Contains(strings.Fields(f.of[p.name]), s.name) && strings.Contains(c.String(), only) {
						b.tasks = append(b.tasks, task{c, p, s.path, round})
					}
				}
			}
		}
		random.Shuffle(len(b.tasks), func(i, j int) { b.tasks[i], b.tasks[j] = b.tasks[j], b.tasks[i] })
		all = append(all, b)
	}
	return all
}

// playLimit is how long one play may take to its verdict.
const playLimit = time.Minute

// limit is how long a task may take: playing on, with all that stands still, twice
// its media and as much again as the start, at which the agent ends it; the page
// does earlier.
func (t task) limit() time.Duration {
	if t.Play == 0 {
		return playLimit
	}
	return 2*playLimit + 2*time.Duration(t.Play)*time.Second
}
