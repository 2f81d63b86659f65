package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/firstframe/firstframe/probes/run/near"
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
	if meant := near.Names(name, names); len(meant) > 0 {
		return fmt.Sprintf(", did you mean %q?", meant[0])
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
