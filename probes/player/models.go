package player

import (
	"fmt"
	"slices"
	"strings"
)

// Models lists the models there are: of each format the default first, of each
// player the newest version first.
func Models() []*Model {
	return []*Model{hlsjs, hlsjs16, dashjs, shaka, exoplayer, avplayer, ideal}
}

// Names lists the players that [Lookup] knows, for a plan's check.
func Names() []string {
	var names []string
	for _, m := range Models() {
		if !slices.Contains(names, m.Name) {
			names = append(names, m.Name)
		}
	}
	return names
}

// Summary lists the models with their versions in one line, for help.
func Summary() string {
	var measured, modelled []string
	for _, m := range Models() {
		if m.Measured {
			measured = append(measured, m.String())
		} else {
			modelled = append(modelled, m.String())
		}
	}
	return strings.Join(measured, ", ") + "; modelled, not measured: " + strings.Join(modelled, ", ")
}

// Lookup finds a model by NAME or NAME@VERSION, where the version may leave
// out its end: hlsjs@1.7. Without a version it is the newest. The error names
// what there is.
func Lookup(name string) (*Model, error) {
	base, version, _ := strings.Cut(name, "@")
	var versions []string
	for _, m := range Models() {
		if m.Name != base {
			continue
		}
		if version == "" || version == m.Version || strings.HasPrefix(m.Version, version+".") {
			return m, nil
		}
		versions = append(versions, m.Version)
	}
	switch {
	case versions == nil:
		return nil, fmt.Errorf("player: no model %q; there are %s", name, strings.Join(Names(), ", "))
	case versions[0] == "":
		return nil, fmt.Errorf("player: model %s has no versions, got %q", base, name)
	}
	return nil, fmt.Errorf("player: no version %q of model %s; there is %s", version, base, strings.Join(versions, ", "))
}

// Default is the model for a format when none is asked for: hls.js for HLS,
// dash.js for DASH.
func Default(format string) *Model {
	for _, m := range Models() {
		if m.Plays(format) {
			return m
		}
	}
	return ideal
}

const (
	paramStart  = "start_kbps"
	paramRender = "render_ms"
	paramClock  = "default_clock"
)

// Params are the parameters that an app may set, with their meaning.
var Params = map[string]string{
	paramStart:  "the bandwidth that the player assumes before it has measured any, kbit/s",
	paramRender: "from the last byte needed to the picture, milliseconds",
	paramClock:  "1: of live DASH also ask the clock of the player's makers, where those of the MPD do not tell; 0: do not",
}
