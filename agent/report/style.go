package report

import (
	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	"github.com/firstframe/firstframe/probes/run"
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
// that nobody has to learn them. All can be read on a light and on a dark
// ground: a terminal that is asked for its own is waited for when it does not
// answer, as one that a script runs in.
type styles struct {
	plain                            bool // there are no colours
	bold, dim, good, warn, bad, mark lipgloss.Style
	kinds                            [kindPlayer + 1]lipgloss.Style
	phases, blocks                   map[string]lipgloss.Style // by name, as a text's colour and as its ground
}

// The colours of what is no phase, of the 256 of xterm.
const (
	dimColor   lipgloss.Color = "243"
	markColor  lipgloss.Color = "244"
	goodColor  lipgloss.Color = "28"
	warnColor  lipgloss.Color = "166"
	badColor   lipgloss.Color = "160"
	blockColor lipgloss.Color = "231" // of text on a phase's colour
)

// kindColors are those of the waterfall's stretches.
var kindColors = [...]lipgloss.Color{kindQueue: "244", kindDNS: "30", kindConnect: "166", kindTLS: "133",
	kindWait: "29", kindReceive: "32", kindPlayer: "243"}

func newStyles(r *lipgloss.Renderer) styles {
	ink := func(c lipgloss.Color) lipgloss.Style { return r.NewStyle().Foreground(c) }
	s := styles{
		plain:  r.ColorProfile() == termenv.Ascii,
		bold:   r.NewStyle().Bold(true),
		dim:    ink(dimColor),
		mark:   ink(markColor),
		good:   ink(goodColor).Bold(true),
		warn:   ink(warnColor).Bold(true),
		bad:    ink(badColor).Bold(true),
		phases: map[string]lipgloss.Style{}, blocks: map[string]lipgloss.Style{},
	}
	for k, c := range kindColors {
		s.kinds[k] = ink(c)
	}
	for _, c := range columns {
		s.phases[c.name] = ink(c.color)
		s.blocks[c.name] = ink(blockColor).Background(c.color)
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

// column is one phase as a person reads it.
type column struct {
	name  string
	kind  kind
	color lipgloss.Color
	value func(*run.Phases) float64
}

// columns are the phases in the order of the critical path.
var columns = []column{
	{"queue", kindQueue, "244", func(p *run.Phases) float64 { return p.QueueMs }},
	{"api", kindWait, "94", func(p *run.Phases) float64 { return p.PlaybackAPIMs }},
	{"dns", kindDNS, "30", func(p *run.Phases) float64 { return p.DNSMs }},
	{"connect", kindConnect, "166", func(p *run.Phases) float64 { return p.ConnectMs }},
	{"tls", kindTLS, "133", func(p *run.Phases) float64 { return p.TLSMs }},
	{"manifest", kindWait, "136", func(p *run.Phases) float64 { return p.ManifestMs }},
	{"playlist", kindWait, "101", func(p *run.Phases) float64 { return p.PlaylistMs }},
	{"key", kindWait, "131", func(p *run.Phases) float64 { return p.KeyMs }},
	{"init", kindWait, "66", func(p *run.Phases) float64 { return p.InitMs }},
	{"ttfb", kindWait, "29", func(p *run.Phases) float64 { return p.SegmentTTFBMs }},
	{"segment", kindReceive, "32", func(p *run.Phases) float64 { return p.SegmentMs }},
	{"player", kindPlayer, "243", func(p *run.Phases) float64 { return p.PlayerMs }},
}
