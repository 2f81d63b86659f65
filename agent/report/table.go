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
)

// Table compares the runs of each target, CDN and app, side by side: how many were
// good, the time to first frame, and where its median run spent it. Where the
// phases do not all fit, the shortest are left out.
func (p *Printer) Table(runs []run.Run) error {
	groups := group(runs)
	shown := shownColumns(groups)
	text := p.table(groups, shown)
	for len(shown) > 0 && lipgloss.Width(text) > p.width {
		shown = withoutShortest(shown, groups)
		text = p.table(groups, shown)
	}
	for line := range strings.SplitSeq(text, "\n") {
		if _, err := fmt.Fprintln(p.w, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	return nil
}

// table draws the table with the given phases.
func (p *Printer) table(groups []*cell, shown []column) string {
	headers := []string{"target", "cdn", "app", "good", "ttff p50", "p95"}
	for _, c := range shown {
		headers = append(headers, c.name)
	}
	headers = append(headers, "pop", "cache", "trouble")
	rows := make([][]string, 0, len(groups))
	for _, g := range groups {
		rows = append(rows, g.row(shown))
	}
	headers, rows = dropEmpty(headers, rows)
	return table.New().
		Headers(headers...).Rows(rows...).
		BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).BorderColumn(false).
		Border(lipgloss.NormalBorder()).BorderStyle(p.style.dim).
		StyleFunc(func(row, col int) lipgloss.Style {
			style := lipgloss.NewStyle()
			switch {
			case row == table.HeaderRow:
				style = p.style.dim
			case headers[col] == "good":
				style = p.style.rate(groups[row])
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

// cell is the runs of one target, CDN and app.
type cell struct {
	target, cdn, app string
	runs             []run.Run
}

// group sorts runs into cells by name. The target is named where there are
// several.
func group(runs []run.Run) []*cell {
	several := slices.ContainsFunc(runs, func(r run.Run) bool { return r.Target != runs[0].Target })
	var cells []*cell
	for _, r := range runs {
		key := cell{cdn: r.CDN, app: strings.TrimSuffix(r.App+"@"+r.AppVersion, "@")}
		if several {
			key.target = shorten(r.Target, 30)
		}
		i := slices.IndexFunc(cells, func(c *cell) bool { return c.same(&key) })
		if i < 0 {
			i = len(cells)
			cells = append(cells, &key)
		}
		cells[i].runs = append(cells[i].runs, r)
	}
	slices.SortStableFunc(cells, func(a, b *cell) int {
		return cmp.Or(strings.Compare(a.target, b.target), strings.Compare(a.cdn, b.cdn), strings.Compare(a.app, b.app))
	})
	return cells
}

func (c *cell) same(d *cell) bool {
	return c.target == d.target && c.cdn == d.cdn && c.app == d.app
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
func (c *cell) played() []run.Run {
	var out []run.Run
	for _, r := range c.runs {
		if r.OK {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b run.Run) int {
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
	return &played[(len(played)-1)/2]
}

func (c *cell) row(shown []column) []string {
	played := c.played()
	row := []string{c.target, c.cdn, c.app, fmt.Sprintf("%d/%d", c.good(), len(c.runs)), "–", "–"}
	pop, cache := "", ""
	if middle := c.median(); middle != nil {
		row[4], row[5] = Millis(*middle.TTFFMs), Millis(*played[rank(0.95, len(played))].TTFFMs)
		for _, col := range shown {
			row = append(row, Millis(col.value(&middle.Phases)))
		}
		pop, cache = middle.POP, middle.SegmentCacheStatus
	} else {
		row = append(row, slices.Repeat([]string{"–"}, len(shown))...)
	}
	return append(row, pop, cache, c.trouble())
}

// trouble names the failures, the most frequent first.
func (c *cell) trouble() string {
	counts := map[string]int{}
	for i := range c.runs {
		if r := &c.runs[i]; !r.OK {
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

// dropEmpty leaves out the columns that say nothing.
func dropEmpty(headers []string, rows [][]string) ([]string, [][]string) {
	var keep []int
	for i := range headers {
		if slices.ContainsFunc(rows, func(r []string) bool { return r[i] != "" && r[i] != run.CacheUnknown }) {
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
