package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/firstframe/firstframe/probes/run"
)

// onset is when playback started, in ms, of a run that played on after that.
func onset(r *run.Run) (at float64, ok bool) {
	if r.PlayedMs == nil || r.TTFFMs == nil {
		return 0, false
	}
	if r.StartupMs != nil {
		return max(*r.TTFFMs, *r.StartupMs), true
	}
	return *r.TTFFMs, true
}

// opening are the steps that are drawn one by one, and until when: all of a run,
// but of one that played on those before playback started.
func opening(r *run.Run) (steps []run.Step, end float64) {
	at, ok := onset(r)
	if !ok {
		end = r.DurationMs
		for i := range r.Steps {
			end = max(end, r.Steps[i].EndMs)
		}
		return r.Steps, max(end, 1)
	}
	for i := range r.Steps {
		if s := &r.Steps[i]; opens(s, at) {
			steps = append(steps, *s)
		}
	}
	return steps, max(at, 1)
}

// opens tells whether a step is of the start of a run that played on from at.
func opens(s *run.Step, at float64) bool { return s.StartMs < at && s.Name != run.WaitStall }

// following are the other steps of a run that played on, by when they began.
func following(r *run.Run) (steps []run.Step) {
	at, ok := onset(r)
	for i := range r.Steps {
		if s := &r.Steps[i]; ok && !opens(s, at) {
			steps = append(steps, *s)
		}
	}
	slices.SortStableFunc(steps, func(a, b run.Step) int { return cmp.Compare(a.StartMs, b.StartMs) })
	return steps
}

// playing says what came of playing on.
func playing(r *run.Run) string {
	text := "played " + seconds(*r.PlayedMs)
	switch stalls := value(r.Stalls); {
	case stalls == 0:
		text += ": no stall"
	case stalls == 1:
		text += ": 1 stall of " + Millis(value(r.StallMs))
	default:
		text += fmt.Sprintf(": %d stalls of %s together", stalls, Millis(value(r.StallMs)))
	}
	switch n := value(r.Switches); {
	case n == 1:
		text += ", 1 switch"
	case n > 1:
		text += fmt.Sprintf(", %d switches", n)
	}
	if !r.OK {
		text += ", then it broke off"
	}
	return text
}

// asked says how many requests these steps are, of a run that played on.
func asked(steps []run.Step) string {
	n := 0
	for i := range steps {
		if !steps[i].IsWait() {
			n++
		}
	}
	switch n {
	case 0:
		return "no request while playing on" // it had begun with all before
	case 1:
		return "1 request while playing on"
	}
	return fmt.Sprintf("%d requests while playing on", n)
}

// seconds is a time of playing for people: 30 s, 12.4 s.
func seconds(ms float64) string {
	text := fmt.Sprintf("%.1f", ms/1000)
	return strings.TrimSuffix(text, ".0") + " s"
}

func value[T int64 | float64](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// stretch is a time of playing or standing still, in ms.
type stretch struct {
	from, to float64
	stall    bool
}

// stretches are the times of playing and standing still, in order, of a run that
// played on.
func stretches(r *run.Run) (all []stretch) {
	at, _ := onset(r)
	for i := range r.Steps {
		if s := &r.Steps[i]; s.Name == run.WaitStall && s.EndMs > at {
			from := max(at, s.StartMs)
			if from > at {
				all = append(all, stretch{at, from, false})
			}
			all = append(all, stretch{from, s.EndMs, true})
			at = s.EndMs
		}
	}
	if r.DurationMs > at {
		all = append(all, stretch{at, r.DurationMs, false})
	}
	return all
}

// playedOn draws when the run played on and when it stood still, and says it. A
// stall shows, however short.
func (p *Printer) playedOn(b *strings.Builder, r *run.Run) {
	from, ok := onset(r)
	if !ok {
		return
	}
	cells := make([]bool, p.width)
	span := max(r.DurationMs-from, 1)
	at := func(ms float64) int { return min(max(int((ms-from)/span*float64(p.width)), 0), p.width-1) }
	for _, s := range stretches(r) {
		for i := at(s.from); s.stall && i <= at(s.to); i++ {
			cells[i] = true
		}
	}
	for i := 0; i < len(cells); {
		n := 1
		for i+n < len(cells) && cells[i+n] == cells[i] {
			n++
		}
		if cells[i] {
			b.WriteString(p.style.bad.Render(strings.Repeat("█", n)))
		} else {
			b.WriteString(p.style.good.Render(strings.Repeat("─", n)))
		}
		i += n
	}
	b.WriteByte('\n')
	for _, line := range filled(strings.SplitAfter(playing(r)+"; "+asked(following(r)), " "), "", p.width) {
		fmt.Fprintln(b, strings.TrimRight(line, " "))
	}
	b.WriteByte('\n')
}

// playBlocks are the same on a page.
func playBlocks(r *run.Run) (blocks []block) {
	from, ok := onset(r)
	if !ok {
		return nil
	}
	span := max(r.DurationMs-from, 1)
	for _, s := range stretches(r) {
		class, text := "p-playing", "playing"
		if s.stall {
			class, text = "p-stall", "stall"
		}
		blocks = append(blocks, block{Class: class, Text: text + " " + Millis(s.to-s.from), X: percent(s.from-from, span), Width: percent(s.to-s.from, span)})
	}
	return blocks
}

// stalled is the share of the time after the start in which the runs of a group
// stood still; empty where none played on.
func (c *cell) stalled() string {
	stood, all := 0.0, 0.0
	for _, r := range c.runs {
		if r.PlayedMs != nil {
			stood, all = stood+value(r.StallMs), all+*r.PlayedMs+value(r.StallMs)
		}
	}
	switch {
	case all == 0:
		return ""
	case stood == 0:
		return "0"
	}
	return fmt.Sprintf("%.1f %%", 100*stood/all)
}
