package report

import (
	"github.com/charmbracelet/lipgloss"
	"github.com/firstframe/firstframe/probes/run"
)

// kind is what a stretch of time was spent on, as far as colours go.
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

// styles are the colours of one writer: those of browsers' developer tools, so
// that nobody has to learn them.
type styles struct {
	bold, dim, good, warn, bad lipgloss.Style
	kinds                      [kindPlayer + 1]lipgloss.Style
}

func newStyles(r *lipgloss.Renderer) styles {
	color := func(light, dark string) lipgloss.Style {
		return r.NewStyle().Foreground(lipgloss.AdaptiveColor{Light: light, Dark: dark})
	}
	return styles{
		bold: r.NewStyle().Bold(true),
		dim:  color("243", "245"),
		good: color("28", "78").Bold(true),
		warn: color("166", "214").Bold(true),
		bad:  color("160", "203").Bold(true),
		kinds: [...]lipgloss.Style{
			kindQueue:   color("247", "241"),
			kindDNS:     color("30", "44"),
			kindConnect: color("166", "208"),
			kindTLS:     color("91", "141"),
			kindWait:    color("28", "78"),
			kindReceive: color("25", "75"),
			kindPlayer:  color("240", "250"),
		},
	}
}

func (s *styles) of(k kind) lipgloss.Style { return s.kinds[k] }

// part is a stretch of a step's bar. The glyphs differ too, so that the picture
// can be read without colours.
type part struct {
	ms    float64
	glyph string
	style lipgloss.Style
}

var glyphs = [...]string{kindQueue: "·", kindDNS: "░", kindConnect: "▒", kindTLS: "▓", kindWait: "─", kindReceive: "█", kindPlayer: "▚"}

// parts are a step's stretches in order.
func (s *styles) parts(step *run.Step) []part {
	p := func(k kind, ms float64) part { return part{ms, glyphs[k], s.kinds[k]} }
	switch step.Name {
	case run.WaitPlayer:
		return []part{p(kindPlayer, step.EndMs-step.StartMs)}
	case run.WaitRetry, run.WaitLive:
		return []part{p(kindQueue, step.EndMs-step.StartMs)}
	}
	return []part{
		p(kindQueue, step.QueueMs), p(kindDNS, step.DNSMs), p(kindConnect, step.ConnMs),
		p(kindTLS, step.TLSMs), p(kindWait, step.WaitMs), p(kindReceive, step.RecvMs),
	}
}

// column is one phase as a person reads it.
type column struct {
	name  string
	kind  kind
	value func(*run.Phases) float64
}

// columns are the phases in the order of the critical path.
var columns = []column{
	{"queue", kindQueue, func(p *run.Phases) float64 { return p.QueueMs }},
	{"api", kindWait, func(p *run.Phases) float64 { return p.PlaybackAPIMs }},
	{"dns", kindDNS, func(p *run.Phases) float64 { return p.DNSMs }},
	{"connect", kindConnect, func(p *run.Phases) float64 { return p.ConnectMs }},
	{"tls", kindTLS, func(p *run.Phases) float64 { return p.TLSMs }},
	{"manifest", kindWait, func(p *run.Phases) float64 { return p.ManifestMs }},
	{"playlist", kindWait, func(p *run.Phases) float64 { return p.PlaylistMs }},
	{"key", kindWait, func(p *run.Phases) float64 { return p.KeyMs }},
	{"init", kindWait, func(p *run.Phases) float64 { return p.InitMs }},
	{"ttfb", kindWait, func(p *run.Phases) float64 { return p.SegmentTTFBMs }},
	{"segment", kindReceive, func(p *run.Phases) float64 { return p.SegmentMs }},
	{"player", kindPlayer, func(p *run.Phases) float64 { return p.PlayerMs }},
}
