package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxErrors bounds how many errors of one plan are listed.
const maxErrors = 100

// Error is one thing that is wrong with a plan. Line and Column count from 1,
// the column in characters.
type Error struct {
	File         string
	Line, Column int
	Message      string
}

// Error is FILE:LINE:COLUMN: MESSAGE.
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Errors is everything that is wrong with a plan, by position; past 100 the
// last one says how many more there are.
type Errors []*Error

// Error is one line for each.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lists them, for errors.As.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, one := range e {
		errs[i] = one
	}
	return errs
}

// sorted is what was found, by position.
func (d *decoder) sorted() Errors {
	slices.SortStableFunc(d.errs, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if d.more > 0 {
		last := d.errs[len(d.errs)-1]
		d.errs = append(d.errs, &Error{d.file, last.Line, last.Column, fmt.Sprintf("and %d more errors", d.more)})
	}
	return d.errs
}

// suggest ends a message about an unknown name: with the nearest of names, or,
// when none is near, with all of them.
func (d *decoder) suggest(name string, names []string) string {
	if len(d.errs) >= maxErrors {
		return "" // will not be shown
	}
	if near := nearest(name, names); near != "" {
		return fmt.Sprintf(", did you mean %q?", near)
	}
	const most = 20
	switch {
	case len(names) == 0:
		return "; there are none"
	case len(names) > most:
		return fmt.Sprintf("; there are: %s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return "; there are: " + strings.Join(names, ", ")
}

// nearest is the name that is the fewest edits away, at most a third of its
// length (two for a short one); empty when none is that near.
func nearest(name string, names []string) string {
	best, least := "", max(2, len(name)/3)+1
	if len(name) > maxName {
		return ""
	}
	for _, n := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(n)); d < least && d < len(n) {
			best, least = n, d
		}
	}
	return best
}

// distance is the Levenshtein distance of a and b in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = min(diagonal, row[j], row[j+1]) + 1
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
