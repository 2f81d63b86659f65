package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/mattn/go-runewidth"
)

// narrow is the width below which a step's bytes are left out, so that the bars
// keep room.
const narrow = 80

// plot is the part of a line that bars are drawn in, width cells for end ms.
type plot struct {
	style           *styles
	label, width    int
	end             float64
	keyframe, frame int // cells; -1 where there is none
}

// at is the cell of an instant.
func (t *plot) at(ms float64) int { return int(math.Round(ms / t.end * float64(t.width))) }

// bars draws a line for each step, and the instants that count.
func (p *Printer) bars(b *strings.Builder, r *run.Run) {
	steps, end := opening(r)
	labels, tails := make([]string, len(steps)), make([]string, len(steps))
	t := plot{style: &p.style, end: end, keyframe: -1, frame: -1}
	tail := 0
	for i := range steps {
		s := &steps[i]
		labels[i] = shorten(label(s), 18)
		tails[i] = p.tail(s)
		t.label, tail = max(t.label, runewidth.StringWidth(labels[i])+1), max(tail, lipgloss.Width(tails[i]))
	}
	t.width = max(10, p.width-t.label-tail)
	if r.FirstKeyframeMs != nil {
		t.keyframe = min(t.at(*r.FirstKeyframeMs), t.width-1)
	}
	if r.TTFFMs != nil {
		t.frame = min(t.at(*r.TTFFMs), t.width-1)
	}
	fmt.Fprintf(b, "%*s%s\n", t.label, "", p.style.dim.Render(axis(t.end, t.width)))
	for i := range steps {
		pad := strings.Repeat(" ", t.label-runewidth.StringWidth(labels[i]))
		fmt.Fprintf(b, "%s%s%s%s\n", labels[i], pad, t.bar(&steps[i]), tails[i])
		for _, line := range filled(attempts(&steps[i]), " · ", p.width-2) {
			fmt.Fprintf(b, "  %s\n", p.style.dim.Render(line))
		}
	}
	if r.FirstKeyframeMs != nil {
		t.mark(b, t.keyframe, p.width, "◆ first keyframe "+Millis(*r.FirstKeyframeMs))
	}
	if r.TTFFMs != nil {
		t.mark(b, t.frame, p.width, "▲ first frame "+Millis(*r.TTFFMs))
	}
	b.WriteByte('\n')
}

// tail is what stands behind a step's bar.
func (p *Printer) tail(s *run.Step) string {
	text := fmt.Sprintf("%8s", Millis(s.EndMs-s.StartMs))
	switch {
	case s.Error != "":
		return text + " " + p.style.bad.Render(string(s.Error))
	case s.IsWait():
		return text
	case p.width < narrow:
		return text + " " + status(s)
	}
	return text + fmt.Sprintf(" %s %7s", status(s), Bytes(s.Bytes))
}

// bar is one step's line: each part in its colour; where it is blank, the
// instants that count show as lines.
func (t *plot) bar(s *run.Step) string {
	const blank = -1
	cells := make([]int, t.width)
	for i := range cells {
		cells[i] = blank
	}
	at, ms := min(t.at(s.StartMs), t.width-1), s.StartMs
	drawn := false
	for _, part := range partsOf(s) {
		ms += part.ms
		for to := min(t.at(ms), t.width); at < to; at++ {
			cells[at], drawn = int(part.kind), true
		}
	}
	var b strings.Builder
	for i := 0; i < t.width; {
		k, n := cells[i], 1
		switch {
		case k == blank && !drawn && i == at: // too short to show, and yet it happened
			b.WriteString(t.style.kinds[kindWait].Render("▏"))
		case k == blank && (i == t.keyframe || i == t.frame):
			b.WriteString(t.style.mark.Render("┊"))
		case k == blank:
			b.WriteByte(' ')
		default:
			for i+n < t.width && cells[i+n] == k {
				n++
			}
			b.WriteString(t.style.kinds[k].Render(strings.Repeat(glyphs[k], n)))
		}
		i += n
	}
	return b.String()
}

// mark points at an instant below the bars. Where its text would not fit behind
// the mark, it stands before it.
func (t *plot) mark(b *strings.Builder, at, width int, text string) {
	pad := t.label + at
	if n := runewidth.StringWidth(text); pad+n > width {
		sign, words, _ := strings.Cut(text, " ")
		text = words + " " + sign
		pad = max(0, pad-n+1)
	}
	fmt.Fprintf(b, "%*s%s\n", pad, "", t.style.bold.Render(text))
}

// path draws the critical path: as one bar, then in numbers. They add up.
func (p *Printer) path(b *strings.Builder, r *run.Run) {
	if line := p.strip(&r.Phases); line != "" {
		fmt.Fprintln(b, line)
	}
	var items []string
	for _, c := range columns {
		if v := c.value(&r.Phases); v > 0.05 {
			sign := p.style.phases[c.name].Render("■")
			if p.style.plain {
				sign = glyphs[c.kind]
			}
			items = append(items, fmt.Sprintf("%s %s %s", sign, c.name, Millis(v)))
		}
	}
	for _, line := range filled(items, "   ", p.width) {
		fmt.Fprintln(b, line)
	}
	fmt.Fprintf(b, "%s   %s\n", p.style.bold.Render("= "+Millis(r.Phases.Sum())), split(r))
}

// strip is the critical path as one bar with the phases' names where they fit.
func (p *Printer) strip(phases *run.Phases) string {
	total := phases.Sum()
	if total <= 0 {
		return ""
	}
	var b strings.Builder
	sum, from := 0.0, 0
	last := kind(-1)
	for _, c := range columns {
		sum += c.value(phases)
		to := int(math.Round(sum / total * float64(p.width)))
		n := to - from
		if from = to; n <= 0 {
			continue
		}
		if !p.style.plain {
			b.WriteString(p.style.blocks[c.name].Render(centred(c.name, " ", n)))
			continue
		}
		text := centred(c.name, glyphs[c.kind], n)
		if last == c.kind { // the glyphs alone would not show where one ends
			text = "│" + centred(c.name, glyphs[c.kind], n-1)
		}
		last = c.kind
		b.WriteString(text)
	}
	return b.String()
}

// centred is the name amid n cells of the glyph, or the glyphs alone.
func centred(name, glyph string, n int) string {
	if len(name)+2 > n {
		if glyph != " " || len(name) > n {
			return strings.Repeat(glyph, n)
		}
	} else {
		name = " " + name + " "
	}
	left := (n - len(name)) / 2
	return strings.Repeat(glyph, left) + name + strings.Repeat(glyph, n-left-len(name))
}

// split tells the network's share of the critical path from the player's, and
// both from waiting for nothing but time to pass.
func split(r *run.Run) string {
	player, queue := r.PlayerMs, r.QueueMs
	text := fmt.Sprintf("network %s, player %s", Millis(max(0, r.Phases.Sum()-player-queue)), Millis(player))
	if queue > 0.05 {
		text += ", queue " + Millis(queue)
	}
	return text
}

// filled are the items in lines of so many cells at most; an item that is longer
// is cut.
func filled(items []string, between string, width int) []string {
	var lines []string
	line, used := "", 0
	for _, item := range items {
		w := lipgloss.Width(item)
		if w > width {
			item = runewidth.Truncate(item, width, "…")
			w = lipgloss.Width(item)
		}
		switch {
		case used == 0:
			line, used = item, w
		case used+lipgloss.Width(between)+w > width:
			lines = append(lines, line)
			line, used = item, w
		default:
			line, used = line+between+item, used+lipgloss.Width(between)+w
		}
	}
	if used > 0 {
		lines = append(lines, line)
	}
	return lines
}
