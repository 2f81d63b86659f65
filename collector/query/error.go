package query

import (
	"fmt"
	"strings"

	"github.com/firstframe/firstframe/probes/run/near"
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
	if e.DidYouMean = near.Names(name, valid); len(e.DidYouMean) == 0 {
		e.Message += "; there are: " + strings.Join(valid, ", ")
	}
	return e
}
