package report

import (
	"github.com/charmbracelet/lipgloss"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/muesli/termenv"
)

// kind is what a stretch of a request's time was spent on.
type kind int

const (
	kindQueue kind = iota
	kindDNS
	kindConnect
	kindTLS
	kindWait
	kindReceive
	kindPlayer
)

// stageNames are the kinds as people call them.
var stageNames = [...]string{kindQueue: "queue", kindDNS: "dns", kindConnect: "connect", kindTLS: "tls",
	kindWait: "wait", kindReceive: "receive", kindPlayer: "player"}

// class is the kind's on a page.
func (k kind) class() string { return "k-" + stageNames[k] }

// styles are the colours of one writer: those of browsers' developer tools, so
// that nobody has to learn them.
type styles struct {
	plain                            bool // there are no colours
	bold, dim, good, warn, bad, mark lipgloss.Style
	kinds                            [kindPlayer + 1]lipgloss.Style
	phases, blocks                   map[string]lipgloss.Style // by name, as a text's colour and as its ground
}

func newStyles(r *lipgloss.Renderer) styles {
	color := func(light, dark string) lipgloss.Style {
		return r.NewStyle().Foreground(lipgloss.AdaptiveColor{Light: light, Dark: dark})
	}
	s := styles{
		plain: r.ColorProfile() == termenv.Ascii,
		bold:  r.NewStyle().Bold(true),
		dim:   color("243", "245"),
		mark:  color("250", "240"),
		good:  color("28", "78").Bold(true),
		warn:  color("166", "214").Bold(true),
		bad:   color("160", "203").Bold(true),
		kinds: [...]lipgloss.Style{
			kindQueue:   color("247", "241"),
			kindDNS:     color("30", "44"),
			kindConnect: color("166", "208"),
			kindTLS:     color("91", "141"),
			kindWait:    color("28", "78"),
			kindReceive: color("25", "75"),
			kindPlayer:  color("240", "250"),
		},
		phases: map[string]lipgloss.Style{}, blocks: map[string]lipgloss.Style{},
	}
	for _, c := range columns {
		s.phases[c.name] = color(c.light, c.dark)
		s.blocks[c.name] = r.NewStyle().
			Background(lipgloss.AdaptiveColor{Light: c.light, Dark: c.dark}).
			Foreground(lipgloss.AdaptiveColor{Light: "231", Dark: "16"})
	}
	return s
}

// glyphs differ too, so that the picture can be read without colours.
var glyphs = [...]string{kindQueue: "·", kindDNS: "░", kindConnect: "▒", kindTLS: "▓", kindWait: "━", kindReceive: "█", kindPlayer: "▚"}

// part is a stretch of a step's time.
type part struct {
	kind kind
	ms   float64
}

// partsOf are a step's stretches in order.
func partsOf(s *run.Step) []part {
	switch s.Name {
	case run.WaitPlayer:
		return []part{{kindPlayer, s.EndMs - s.StartMs}}
	case run.WaitRetry, run.WaitLive, run.WaitStall:
		return []part{{kindQueue, s.EndMs - s.StartMs}}
	}
	return []part{
		{kindQueue, s.QueueMs}, {kindDNS, s.DNSMs}, {kindConnect, s.ConnMs},
		{kindTLS, s.TLSMs}, {kindWait, s.WaitMs}, {kindReceive, s.RecvMs},
	}
}

// column is one phase as a person reads it, with its colours on a light and on
// a dark ground.
type column struct {
	name        string
	kind        kind
	light, dark string
	value       func(*run.Phases) float64
}

// columns are the phases in the order of the critical path.
var columns = []column{
	{"queue", kindQueue, "247", "243", func(p *run.Phases) float64 { return p.QueueMs }},
	{"api", kindWait, "94", "137", func(p *run.Phases) float64 { return p.PlaybackAPIMs }},
	{"dns", kindDNS, "30", "44", func(p *run.Phases) float64 { return p.DNSMs }},
	{"connect", kindConnect, "166", "208", func(p *run.Phases) float64 { return p.ConnectMs }},
	{"tls", kindTLS, "91", "141", func(p *run.Phases) float64 { return p.TLSMs }},
	{"manifest", kindWait, "136", "178", func(p *run.Phases) float64 { return p.ManifestMs }},
	{"playlist", kindWait, "101", "186", func(p *run.Phases) float64 { return p.PlaylistMs }},
	{"key", kindWait, "95", "174", func(p *run.Phases) float64 { return p.KeyMs }},
	{"init", kindWait, "66", "116", func(p *run.Phases) float64 { return p.InitMs }},
	{"ttfb", kindWait, "28", "78", func(p *run.Phases) float64 { return p.SegmentTTFBMs }},
	{"segment", kindReceive, "25", "75", func(p *run.Phases) float64 { return p.SegmentMs }},
	{"player", kindPlayer, "240", "250", func(p *run.Phases) float64 { return p.PlayerMs }},
}
