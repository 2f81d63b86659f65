package query

import (
	"fmt"
	"slices"
	"strings"
)

// The codes of an [Error].
const (
	CodeJSON      = "invalid_json"      // not JSON, or a value of a wrong type
	CodeKey       = "unknown_key"       // a key that no request has
	CodeMeasure   = "unknown_measure"   //
	CodeDimension = "unknown_dimension" //
	CodeOp        = "unknown_op"        //
	CodeColumn    = "unknown_column"    // order_by names no column of the answer
	CodeTime      = "invalid_time"      // a time or duration that cannot be read, or from not before to
	CodeValue     = "invalid_value"     // a value that does not fit its dimension or operator
	CodePattern   = "invalid_pattern"   // not RE2 syntax
	CodeBounds    = "out_of_bounds"     // more than the Max… constants allow
	CodeSlice     = "not_supported"     // a dimension that coverage cannot be told for
	CodePair      = "not_paired"        // a measure of pairs without pair_by, or pair_by that group_by lacks
	CodeCost      = "too_expensive"     // the engine gave up: too long, or too much memory
)

// Error says what is wrong with a request; it is the asker's to mend. As JSON
// it is the body of the 4xx answer.
type Error struct {
	Code       string   `json:"error"`        // one of the Code… constants
	Message    string   `json:"message"`      // for people
	Field      string   `json:"field"`        // where, such as where[1].dim; empty for the whole request
	DidYouMean []string `json:"did_you_mean"` // nearest valid names, best first; never nil
}

// Error is the field and the message.
func (e *Error) Error() string {
	if e.Field == "" {
		return "query: " + e.Message
	}
	return "query: " + e.Field + ": " + e.Message
}

// Errorf makes an Error without suggestions.
func Errorf(code, field, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Field: field, DidYouMean: []string{}}
}

// UnknownDimension is the error for a name that is not one of [Dimensions].
func UnknownDimension(field, name string) *Error {
	return unknown(CodeDimension, field, "dimension", name, dimensionNames)
}

// unknown is the error for a name that is none of valid. When no valid name is
// near, the message lists them all.
func unknown(code, field, what, name string, valid []string) *Error {
	e := Errorf(code, field, "%.40q is not a %s", name, what)
	if e.DidYouMean = nearest(name, valid); len(e.DidYouMean) == 0 {
		e.Message += "; there are: " + strings.Join(valid, ", ")
	}
	return e
}

// nearest lists at most three of names whose edit distance to name is at most
// a third of name's length (but two for short ones), best first. It is never nil.
func nearest(name string, names []string) []string {
	type near struct {
		name string
		dist int
	}
	found := []near{}
	if len(name) > 64 {
		return []string{}
	}
	most := max(2, (len(name)+1)/3)
	for _, n := range names {
		if d := distance(name, n); d <= most && d < len(n) {
			found = append(found, near{n, d})
		}
	}
	slices.SortStableFunc(found, func(a, b near) int { return a.dist - b.dist })
	best := []string{}
	for _, f := range found[:min(3, len(found))] {
		best = append(best, f.name)
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
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost = min(diag, row[j], row[j+1]) + 1
			}
			diag, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
