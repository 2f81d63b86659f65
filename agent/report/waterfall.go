// Package report shows runs to a person. A [Printer] draws on a terminal:
// [Printer.Waterfall] one run, [Printer.Table] several side by side, with the
// width and the colours that the writer can show, and a text that says the same
// into a pipe; [Printer.Frames] says what their first frames look like. [HTML]
// writes a page with pictures, [HAR] an archive that browsers' developer tools
// open.
//
// A run's texts come from servers. On a terminal and on a page they are shown
// without control characters, 4 KiB of each at most; a page draws at most 60
// runs of at most 300 steps, and shows 60 first frames. An archive holds all runs, as they are.
package report

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/mattn/go-runewidth"
)

// The bounds on the picture's width, in cells.
const (
	minWidth = 40
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
	t := tame(r)
	t.Steps = tameSteps(r.Steps)
	r = &t
	var b strings.Builder
	p.head(&b, r)
	if len(r.Steps) > 0 {
		p.bars(&b, r)
		p.playedOn(&b, r)
		p.path(&b, r)
	}
	if !r.OK {
		p.failure(&b, r)
	}
	b.WriteByte('\n')
	_, err := io.WriteString(p.w, b.String())
	return err
}

// head says what was played, as whom, and how it went.
func (p *Printer) head(b *strings.Builder, r *run.Run) {
	text, tone := verdict(r)
	text = map[string]lipgloss.Style{"good": p.style.good, "warn": p.style.warn, "bad": p.style.bad}[tone].Render(text)
	title := shorten(r.Target, max(20, p.width-lipgloss.Width(text)-2))
	if lipgloss.Width(text)+2+lipgloss.Width(title) > p.width {
		text, title = text+"\n", shorten(r.Target, p.width)
	} else {
		text += "  "
	}
	fmt.Fprintf(b, "%s%s\n", text, p.style.bold.Render(title))
	for _, line := range filled(about(r), " · ", p.width) {
		fmt.Fprintln(b, p.style.dim.Render(line))
	}
	b.WriteByte('\n')
}

// verdict says how the run went, and in which tone: good, warn, bad.
func verdict(r *run.Run) (text, tone string) {
	switch {
	case !r.OK && r.PlayedMs != nil:
		return fmt.Sprintf("BROKE OFF %s at %s after %s of playing", r.ErrorType, r.ErrorStep, seconds(*r.PlayedMs)), "bad"
	case !r.OK:
		return fmt.Sprintf("FAILED %s at %s after %s", r.ErrorType, r.ErrorStep, Millis(r.DurationMs)), "bad"
	case !r.Good:
		return "SLOW " + Millis(*r.TTFFMs), "warn"
	}
	return "GOOD " + Millis(*r.TTFFMs), "good"
}

// about says as whom the run was played, and who served it.
func about(r *run.Run) []string {
	parts := nonEmpty(r.CDN, appOf(r), r.Player, strings.TrimSpace(r.Format+" "+r.Mode), r.Connection)
	if served := servedBy(r); served != "" {
		parts = append(parts, "from "+served)
	}
	if network := r.Labels["ecs"]; network != "" {
		asked := "DNS asked for " + network
		if _, err := strconv.Atoi(r.Labels["ecs_scope"]); err != nil {
			asked += ", which it did not heed"
		}
		parts = append(parts, asked)
	}
	return parts
}

// nonEmpty are the texts that say something.
func nonEmpty(texts ...string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}

// servedBy is who answered, as far as it shows.
func servedBy(r *run.Run) string {
	parts := nonEmpty(r.CDNSeen, r.POP, strings.Join(nonEmpty(r.POPCity, r.POPCountry), ", "), r.EdgeIP)
	if r.HTTPVersion != "" {
		parts = append(parts, "HTTP/"+r.HTTPVersion)
	}
	if r.SegmentCacheStatus != "" && r.SegmentCacheStatus != run.CacheUnknown {
		parts = append(parts, "segment "+r.SegmentCacheStatus)
	}
	return strings.Join(parts, " ")
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
	case run.WaitStall:
		return "… stall"
	}
	if s.Method == http.MethodOptions { // before the step of the same name
		name = "… preflight"
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
