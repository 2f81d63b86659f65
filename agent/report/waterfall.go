// Package report shows runs to a person at a terminal: [Waterfall] draws one
// run, [Table] compares several. Both take the width and the colours that the
// writer can show, and put a text that says the same into a pipe.
package report

import (
	"fmt"
	"io"
	"math"
	"net/url"
	"path"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/mattn/go-runewidth"
)

// The bounds on the picture's width, in cells.
const (
	minWidth = 60
	maxWidth = 160
)

// Printer draws on a writer. The zero Width is 100 cells.
type Printer struct {
	w     io.Writer
	width int
	style styles
}

// New makes a printer for w, width cells wide, with the colours that w can
// show: none unless it is a terminal, or where NO_COLOR is set.
func New(w io.Writer, width int) *Printer {
	if width <= 0 {
		width = 100
	}
	return &Printer{w: w, width: min(max(width, minWidth), maxWidth), style: newStyles(lipgloss.NewRenderer(w))}
}

// To is the same printer on another writer: one that buffers, say.
func (p *Printer) To(w io.Writer) *Printer {
	q := *p
	q.w = w
	return &q
}

// Waterfall draws one run: what was asked, when, where its time went, and when
// the frame showed.
func (p *Printer) Waterfall(r *run.Run) error {
	var b strings.Builder
	p.head(&b, r)
	p.bars(&b, r)
	p.phases(&b, r)
	if !r.OK {
		p.failure(&b, r)
	}
	b.WriteByte('\n')
	_, err := io.WriteString(p.w, b.String())
	return err
}

// head says what was played, as whom, and how it went.
func (p *Printer) head(b *strings.Builder, r *run.Run) {
	var who []string
	for _, s := range []string{r.CDN, appOf(r), r.Player, strings.TrimSpace(r.Format + " " + r.Mode)} {
		if s != "" {
			who = append(who, s)
		}
	}
	verdict := p.verdict(r)
	title := shorten(r.Target, max(20, p.width-lipgloss.Width(verdict)-2))
	fmt.Fprintf(b, "%s  %s\n", verdict, p.style.bold.Render(title))
	line := strings.Join(who, " · ")
	if served := servedBy(r); served != "" {
		line += " · from " + served
	}
	b.WriteString(p.style.dim.Render(shorten(line, p.width)))
	b.WriteString("\n\n")
}

func (p *Printer) verdict(r *run.Run) string {
	switch {
	case !r.OK:
		return p.style.bad.Render(fmt.Sprintf("FAILED %s at %s after %s", r.ErrorType, r.ErrorStep, Millis(r.DurationMs)))
	case !r.Good:
		return p.style.warn.Render(fmt.Sprintf("SLOW %s", Millis(*r.TTFFMs)))
	}
	return p.style.good.Render(fmt.Sprintf("GOOD %s", Millis(*r.TTFFMs)))
}

// servedBy is who answered, as far as it shows.
func servedBy(r *run.Run) string {
	var parts []string
	for _, s := range []string{r.CDNSeen, r.POP, r.POPCountry, r.EdgeIP} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if r.HTTPVersion != "" {
		parts = append(parts, "HTTP/"+r.HTTPVersion)
	}
	if r.SegmentCacheStatus != "" && r.SegmentCacheStatus != run.CacheUnknown {
		parts = append(parts, "segment "+r.SegmentCacheStatus)
	}
	return strings.Join(parts, " ")
}

// bars draws a line for each step, and the instants that count.
func (p *Printer) bars(b *strings.Builder, r *run.Run) {
	const labelWidth, tailWidth = 18, 22
	field := p.width - labelWidth - tailWidth
	end := r.DurationMs
	for _, s := range r.Steps {
		end = max(end, s.EndMs)
	}
	if end <= 0 {
		end = 1
	}
	scale := func(ms float64) int { return int(math.Round(ms / end * float64(field))) }
	fmt.Fprintf(b, "%*s%s\n", labelWidth, "", p.style.dim.Render(axis(end, field)))
	for i := range r.Steps {
		s := &r.Steps[i]
		tail := fmt.Sprintf("%8s", Millis(s.EndMs-s.StartMs))
		if !s.IsWait() {
			tail += fmt.Sprintf(" %s %7s", status(s), Bytes(s.Bytes))
		}
		if s.Error != "" {
			tail = fmt.Sprintf("%8s %s", Millis(s.EndMs-s.StartMs), p.style.bad.Render(string(s.Error)))
		}
		fmt.Fprintf(b, "%-*s%s%s\n", labelWidth, shorten(label(s), labelWidth-1), p.bar(s, scale, field), tail)
	}
	if r.FirstKeyframeMs != nil {
		p.mark(b, labelWidth, scale(*r.FirstKeyframeMs), field, "◆ first keyframe "+Millis(*r.FirstKeyframeMs))
	}
	if r.TTFFMs != nil {
		p.mark(b, labelWidth, scale(*r.TTFFMs), field, "▲ first frame "+Millis(*r.TTFFMs))
	}
	b.WriteByte('\n')
}

// bar is one step's line: each part in its colour, blank before and after.
func (p *Printer) bar(s *run.Step, scale func(float64) int, field int) string {
	var b strings.Builder
	at := min(scale(s.StartMs), field)
	b.WriteString(strings.Repeat(" ", at))
	ms := s.StartMs
	drawn := false
	for _, part := range p.style.parts(s) {
		if part.ms <= 0 {
			continue
		}
		ms += part.ms
		to := min(scale(ms), field)
		if to > at {
			b.WriteString(part.style.Render(strings.Repeat(part.glyph, to-at)))
			at, drawn = to, true
		}
	}
	if !drawn && at < field { // too short to show, and yet it happened
		b.WriteString(p.style.dim.Render("▏"))
		at++
	}
	b.WriteString(strings.Repeat(" ", max(0, field-at)))
	return b.String()
}

// mark points at an instant below the bars.
func (p *Printer) mark(b *strings.Builder, label, at, field int, text string) {
	if over := at + runewidth.StringWidth(text) - field - 20; over > 0 {
		at = max(0, at-over)
	}
	fmt.Fprintf(b, "%*s%s\n", label+at, "", p.style.bold.Render(text))
}

// phases lists the critical path: it adds up.
func (p *Printer) phases(b *strings.Builder, r *run.Run) {
	total := r.DurationMs
	if r.TTFFMs != nil {
		total = *r.TTFFMs
	}
	var items []string
	for _, c := range columns {
		if v := c.value(&r.Phases); v > 0.05 {
			items = append(items, fmt.Sprintf("%s %s", p.style.of(c.kind).Render("■ "+c.name), Millis(v)))
		}
	}
	line, width := "", 0
	for i, item := range append(items, p.style.bold.Render("= "+Millis(total))) {
		w := lipgloss.Width(item)
		if i > 0 && width+3+w > p.width {
			b.WriteString(line + "\n")
			line, width = "", 0
		}
		if line != "" {
			line, width = line+"   ", width+3
		}
		line, width = line+item, width+w
	}
	b.WriteString(line + "\n")
}

func (p *Printer) failure(b *strings.Builder, r *run.Run) {
	text := lipgloss.NewStyle().Width(p.width).Render(r.ErrorDetail)
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteString(p.style.bad.Render(strings.TrimRight(line, " ")) + "\n")
	}
	if hint := hints[r.ErrorType]; hint != "" {
		b.WriteString(hint + "\n")
	}
}

// hints say what to do about failures that are the asker's to mend.
var hints = map[run.ErrorType]string{
	run.ErrBlockedAddress: "Addresses that are not public are refused; --allow-private allows them.",
}

// label is a step's name with its track, and its number where it is a retry.
func label(s *run.Step) string {
	name := string(s.Name)
	switch s.Name {
	case run.WaitRetry:
		return "… retry delay"
	case run.WaitLive:
		return "… live wait"
	case run.WaitPlayer:
		return "player"
	}
	if s.Track != "" && s.Name != run.StepManifest {
		name += " " + s.Track
	}
	if s.Attempt > 1 {
		name += fmt.Sprintf(" #%d", s.Attempt)
	}
	return name
}

func status(s *run.Step) string {
	if s.Status == 0 {
		return "  –"
	}
	return fmt.Sprintf("%3d", s.Status)
}

// axis is a line of times, field cells wide.
func axis(end float64, field int) string {
	line := []rune(strings.Repeat(" ", field))
	step := niceStep(end * 12 / float64(field))
	for t := 0.0; t < end; t += step {
		text := []rune(Millis(t))
		at := int(math.Round(t / end * float64(field)))
		if at+len(text) > field {
			break
		}
		copy(line[at:], text)
	}
	return strings.TrimRight(string(line), " ")
}

// niceStep is the least of 1, 2, 5 × 10ⁿ that is at least v.
func niceStep(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(max(v, 1e-3))))
	for _, m := range []float64{1, 2, 5} {
		if m*unit >= v {
			return m * unit
		}
	}
	return 10 * unit
}

// Millis is a time for people: 3.4 ms, 612 ms, 2.41 s.
func Millis(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 9.95:
		return fmt.Sprintf("%.1f ms", v)
	case v < 999.5:
		return fmt.Sprintf("%.0f ms", v)
	}
	return fmt.Sprintf("%.2f s", v/1000)
}

// Bytes is a size for people: 712 B, 1.2 kB, 3.4 MB.
func Bytes(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 999_950:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// shorten cuts text to width cells; of a URL it keeps host and last element.
func shorten(text string, width int) string {
	if runewidth.StringWidth(text) <= width {
		return text
	}
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		if short := u.Host + "/…/" + path.Base(u.Path); runewidth.StringWidth(short) <= width {
			return short
		}
	}
	return runewidth.Truncate(text, width, "…")
}
