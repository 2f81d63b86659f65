package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/lipgloss/table"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/mattn/go-runewidth"
)

// Table compares the runs of each target, CDN, app and connection, side by side:
// how many were good, the time to first frame, and where its median run spent
// it. Where not all fits, the shortest phases are left out, then what matters
// less.
//
// Below it each group is compared with the first, pair by pair: runs are a pair
// when they are of one round. The groups are in the order in which they come up
// in runs.
func (p *Printer) Table(runs []run.Run) error {
	groups := group(tameAll(runs))
	text := p.fitted(groups)
	if d := differences(groups); len(d) > 0 && paired(d) {
		text += "\n\n" + p.paired(d)
	}
	for line := range strings.SplitSeq(text, "\n") {
		if _, err := fmt.Fprintln(p.w, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	return nil
}

// paired tells whether there was more than one round to learn from.
func paired(list []difference) bool {
	return slices.ContainsFunc(list, func(d difference) bool { return d.rounds > 1 })
}

// paired draws the differences: a line each, or where that does not fit, each
// below its name.
func (p *Printer) paired(list []difference) string {
	rows := make([][]string, 0, len(list))
	for i := range list {
		pairs, median, interval := list[i].texts()
		rows = append(rows, []string{list[i].label, pairs, median, interval, list[i].verdict()})
	}
	text := p.grid([]string{"ttff difference", "pairs", "median", "95 % interval", ""}, rows, func(row, col int) lipgloss.Style {
		if col < 4 {
			return lipgloss.NewStyle()
		}
		return p.style.verdict(rows[row][col])
	})
	if lipgloss.Width(text) <= p.width {
		return text
	}
	lines := []string{p.style.dim.Render("ttff difference: median (95 % interval)")}
	for _, row := range rows {
		lines = append(lines, runewidth.Truncate(row[0], p.width, "…"))
		facts := []string{row[2] + " (" + row[3] + ")", row[1] + " pairs", p.style.verdict(row[4]).Render(row[4])}
		for _, line := range filled(facts, ", ", p.width-2) {
			lines = append(lines, "  "+line)
		}
	}
	return strings.Join(lines, "\n")
}

// verdict is the colour of a difference's verdict.
func (s *styles) verdict(text string) lipgloss.Style {
	switch text {
	case "slower":
		return s.warn
	case "faster":
		return s.good
	}
	return s.dim
}

// fitted draws the table with as much as fits.
func (p *Printer) fitted(groups []*cell) string {
	shown := shownColumns(groups)
	spare := []string{"cache", "pop", "p95", "stalled"}
	if oneApp(groups) {
		spare = append([]string{"app"}, spare...)
	}
	for dropped := 0; ; {
		text := p.table(groups, shown, spare[:dropped], p.width)
		switch over := lipgloss.Width(text) - p.width; {
		case over <= 0:
			return text
		case len(shown) > 0:
			shown = withoutShortest(shown, groups)
		case dropped < len(spare):
			dropped++
		case longestTrouble(groups)-over >= 12:
			return p.table(groups, nil, spare, longestTrouble(groups)-over)
		default:
			return p.table(groups, nil, append(spare, "trouble"), 0) + p.troubles(groups)
		}
	}
}

// table draws the table with the given phases and without the dropped columns;
// trouble is so many cells wide at most.
func (p *Printer) table(groups []*cell, shown []column, dropped []string, trouble int) string {
	headers := []string{"target", "cdn", "app", "connection", "good", "ttff p50", "p95"}
	for _, c := range shown {
		headers = append(headers, c.name)
	}
	headers = append(headers, "stalled", "pop", "cache", "trouble")
	rows := make([][]string, 0, len(groups))
	for _, g := range groups {
		row := g.row(shown)
		row[len(row)-1] = runewidth.Truncate(row[len(row)-1], trouble, "…")
		rows = append(rows, row)
	}
	headers, rows = dropEmpty(headers, rows, dropped)
	return p.grid(headers, rows, func(row, col int) lipgloss.Style {
		if headers[col] == "good" {
			return p.style.rate(groups[row])
		}
		return lipgloss.NewStyle()
	})
}

// grid draws a table with a line below its head and two cells between columns.
func (p *Printer) grid(headers []string, rows [][]string, styleOf func(row, col int) lipgloss.Style) string {
	return table.New().
		Headers(headers...).Rows(rows...).
		BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).BorderColumn(false).
		Border(lipgloss.NormalBorder()).BorderStyle(p.style.dim).
		StyleFunc(func(row, col int) lipgloss.Style {
			style := p.style.dim
			if row != table.HeaderRow {
				style = styleOf(row, col)
			}
			if col == len(headers)-1 {
				return style
			}
			return style.PaddingRight(2)
		}).Render()
}

// withoutShortest leaves out the phase that matters least in any group's median
// run.
func withoutShortest(shown []column, groups []*cell) []column {
	least, at := math.Inf(1), 0
	for i, c := range shown {
		longest := 0.0
		for _, g := range groups {
			if m := g.median(); m != nil {
				longest = max(longest, c.value(&m.Phases))
			}
		}
		if longest < least {
			least, at = longest, i
		}
	}
	return slices.Delete(slices.Clone(shown), at, at+1)
}

// troubles are a line for each group that has some, each after a line's end.
func (p *Printer) troubles(groups []*cell) string {
	text := ""
	for _, g := range groups {
		if trouble := g.trouble(); trouble != "" {
			text += "\n" + p.style.bad.Render(runewidth.Truncate(g.name()+": "+trouble, p.width, "…"))
		}
	}
	return text
}

// longestTrouble is the width of the longest trouble, in cells.
func longestTrouble(groups []*cell) int {
	n := 0
	for _, g := range groups {
		n = max(n, runewidth.StringWidth(g.trouble()))
	}
	return n
}

// rate is the colour of a group's share of good runs.
func (s *styles) rate(g *cell) lipgloss.Style {
	switch good := g.good(); {
	case good == len(g.runs):
		return s.good
	case good == 0:
		return s.bad
	}
	return s.warn
}

// maxName bounds a name in a table, in cells.
const maxName = 30

// key is what the runs of one group have in common.
type key struct{ target, cdn, app, connection string }

// cell is a group of runs. Target and connection are named where there are
// several.
type cell struct {
	key
	targetName, connectionName string
	runs                       []*run.Run
}

// group sorts runs into cells, in the order in which they come up.
func group(runs []run.Run) []*cell {
	several := func(of func(*run.Run) string) bool {
		return slices.ContainsFunc(runs, func(r run.Run) bool { return of(&r) != of(&runs[0]) })
	}
	targets := several(func(r *run.Run) string { return r.Target })
	connections := several(func(r *run.Run) string { return r.Connection })
	var cells []*cell
	at := map[key]*cell{}
	for i := range runs {
		r := &runs[i]
		k := key{r.Target, r.CDN, appOf(r), r.Connection}
		c := at[k]
		if c == nil {
			c = &cell{key: k}
			if targets {
				c.targetName = shorten(r.Target, maxName)
			}
			if connections {
				c.connectionName = shorten(r.Connection, maxName)
			}
			at[k] = c
			cells = append(cells, c)
		}
		c.runs = append(c.runs, r)
	}
	return cells
}

// appOf is the run's app with its version.
func appOf(r *run.Run) string {
	if r.AppVersion == "" {
		return r.App
	}
	return r.App + "@" + r.AppVersion
}

func (c *cell) good() int {
	n := 0
	for i := range c.runs {
		if c.runs[i].Good {
			n++
		}
	}
	return n
}

// played are the runs that reached the first frame, fastest first.
func (c *cell) played() []*run.Run {
	var out []*run.Run
	for _, r := range c.runs {
		if r.OK {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b *run.Run) int {
		return cmp.Compare(*a.TTFFMs, *b.TTFFMs)
	})
	return out
}

// median is the run in the middle of those that played; nil when none did.
func (c *cell) median() *run.Run {
	played := c.played()
	if len(played) == 0 {
		return nil
	}
	return played[(len(played)-1)/2]
}

func (c *cell) row(shown []column) []string {
	played := c.played()
	row := []string{c.targetName, shorten(c.cdn, maxName), shorten(c.app, maxName), c.connectionName, fmt.Sprintf("%d/%d", c.good(), len(c.runs)), "–", "–"}
	pop, cache := "", ""
	if middle := c.median(); middle != nil {
		row[5], row[6] = Millis(*middle.TTFFMs), Millis(*played[rank(0.95, len(played))].TTFFMs)
		for _, col := range shown {
			row = append(row, Millis(col.value(&middle.Phases)))
		}
		pop, cache = shorten(middle.POP, maxName), shorten(middle.SegmentCacheStatus, maxName)
	} else {
		row = append(row, slices.Repeat([]string{"–"}, len(shown))...)
	}
	return append(row, c.stalled(), pop, cache, c.trouble())
}

// trouble names the failures, the most frequent first.
func (c *cell) trouble() string {
	counts := map[string]int{}
	for i := range c.runs {
		if r := c.runs[i]; !r.OK {
			counts[fmt.Sprintf("%s at %s", r.ErrorType, r.ErrorStep)]++
		}
	}
	var names []string
	for name := range counts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
	for i, name := range names {
		if counts[name] > 1 {
			names[i] = fmt.Sprintf("%d× %s", counts[name], name)
		}
	}
	return strings.Join(names, ", ")
}

// rank is the index of quantile q among n sorted values (nearest rank).
func rank(q float64, n int) int { return max(0, int(math.Ceil(q*float64(n)))-1) }

// shownColumns are the phases that took any time in any group's median run.
func shownColumns(groups []*cell) []column {
	var shown []column
	for _, c := range columns {
		for _, g := range groups {
			if m := g.median(); m != nil && c.value(&m.Phases) > 0.05 {
				shown = append(shown, c)
				break
			}
		}
	}
	return shown
}

// dropEmpty leaves out the dropped columns and those that say nothing.
func dropEmpty(headers []string, rows [][]string, dropped []string) ([]string, [][]string) {
	var keep []int
	for i := range headers {
		if !slices.Contains(dropped, headers[i]) && slices.ContainsFunc(rows, func(r []string) bool { return r[i] != "" && r[i] != run.CacheUnknown }) {
			keep = append(keep, i)
		}
	}
	pick := func(row []string) []string {
		out := make([]string, 0, len(keep))
		for _, i := range keep {
			out = append(out, row[i])
		}
		return out
	}
	out := make([][]string, 0, len(rows))
	for _, r := range rows {
		out = append(out, pick(r))
	}
	return pick(headers), out
}
