package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/firstframe/firstframe/probes/run"
)

// The bounds of a page.
const (
	maxDrawn = 60  // runs whose waterfall is drawn
	maxOpen  = 6   // of these, how many are unfolded
	maxRows  = 300 // steps of a run that are drawn
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// HTML writes runs as one page that needs no network and runs no script: how the
// runs of each CDN, app and connection are spread, where their median run spent
// its time, how they differ round by round, and a waterfall for each run (of
// many: of those that stand for the others), and first frames. Its texts come
// from servers, and are shown as texts only.
func HTML(w io.Writer, runs []run.Run, frames ...Frame) error {
	p := pageOf(runs)
	p.Figures = figures(frames)
	return pageTemplate.Execute(w, p)
}

// page is what the template shows.
type page struct {
	Style          template.CSS // this package's own
	Title          string
	Targets, Facts []string
	Runs, Good     int
	Tone           string // good, warn, bad

	Compared        bool
	Rows            []comparison
	Axis, StackAxis []tick
	Limited         bool // a threshold is in the picture
	Legend          []legend
	Phases          []string
	Pairs           []pairRow
	Zero            float64 // where 0 is among the pairs, per cent

	Figures []figure

	Stages  []legend
	Drawn   []drawing // the unfolded ones first
	LeftOut int
}

// legend names a colour.
type legend struct{ Class, Name string }

// tick is a line of an axis.
type tick struct {
	At    float64 // per cent
	Text  string
	Last  bool // so near the end that its text stands before it
	Minor bool // its text is left out where there is little room
}

func pageOf(runs []run.Run) *page {
	tamed := tameAll(runs)
	p := &page{Style: template.CSS(pageStyle), Title: "Time to first frame", Runs: len(runs), Tone: "good"}
	for i := range tamed {
		r := &tamed[i]
		if !slices.Contains(p.Targets, r.Target) && len(p.Targets) < 20 {
			p.Targets = append(p.Targets, r.Target)
		}
		if r.Good {
			p.Good++
		}
	}
	switch {
	case p.Good == 0:
		p.Tone = "bad"
	case p.Good < p.Runs:
		p.Tone = "warn"
	}
	if len(tamed) == 0 {
		return p
	}
	p.Facts = factsOf(tamed)
	cells := group(tamed)
	if len(tamed) > 1 {
		p.compare(cells)
	}
	for k, name := range stageNames {
		p.Stages = append(p.Stages, legend{kind(k).class(), name})
	}
	p.draw(tamed, cells)
	return p
}

// factsOf says by whom and when the runs were made.
func factsOf(runs []run.Run) []string {
	first, last := &runs[0], &runs[0]
	for i := range runs {
		if r := &runs[i]; r.StartedAt.Before(first.StartedAt) {
			first = r
		} else if r.StartedAt.After(last.StartedAt) {
			last = r
		}
	}
	when := first.StartedAt.UTC().Format("2006-01-02 15:04:05")
	if n := last.StartedAt.Sub(first.StartedAt); n.Seconds() >= 1 {
		when += last.StartedAt.UTC().Format(" to 15:04:05")
	}
	facts := []string{when + " UTC"}
	for _, f := range []struct{ name, value string }{
		{"from", first.Agent}, {"agent", first.AgentVersion}, {"player", onlyOne(runs, func(r *run.Run) string { return r.Player })},
		{"format", onlyOne(runs, func(r *run.Run) string { return strings.TrimSpace(r.Format + " " + r.Mode) })},
	} {
		if f.value != "" {
			facts = append(facts, f.name+" "+f.value)
		}
	}
	return append(facts, "good below "+Millis(first.ThresholdMs))
}

// onlyOne is what all runs have in common, if they do.
func onlyOne(runs []run.Run, of func(*run.Run) string) string {
	if slices.ContainsFunc(runs, func(r run.Run) bool { return of(&r) != of(&runs[0]) }) {
		return ""
	}
	return of(&runs[0])
}

// draw chooses the runs to draw, and which to unfold.
func (p *page) draw(runs []run.Run, cells []*cell) {
	notable := notables(cells)
	open := 0
	for i := range runs {
		r := &runs[i]
		role := notable[r]
		if len(runs) > maxDrawn && role == "" || len(p.Drawn) == maxDrawn {
			p.LeftOut++
			continue
		}
		d := drawingOf(r)
		d.Role = role
		d.Open = open < maxOpen && (len(runs) <= maxOpen || strings.Contains(role, "median") || !r.OK)
		if d.Open {
			open++
		}
		p.Drawn = append(p.Drawn, d)
	}
	slices.SortStableFunc(p.Drawn, func(a, b drawing) int {
		switch {
		case a.Open == b.Open:
			return 0
		case a.Open:
			return -1
		}
		return 1
	})
}

// notables are the runs that stand for the others of their group: the fastest,
// the one in the middle, the slowest, and the first of each failure. What each
// is, is its value. Groups of one or two runs need nobody to stand for them.
func notables(cells []*cell) map[*run.Run]string {
	roles := map[*run.Run]string{}
	for _, c := range cells {
		played := c.played()
		if n := len(played); n > 2 {
			roles[played[0]] = "fastest"
			roles[played[n-1]] = "slowest"
			roles[c.median()] = "median"
		}
		seen := map[string]bool{}
		for _, r := range c.runs {
			failure := fmt.Sprint(r.ErrorType, r.ErrorStep)
			if !r.OK && !seen[failure] {
				seen[failure] = true
				roles[r] = "first of its kind to fail"
			}
		}
	}
	return roles
}
