package query

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Kind is what a column holds.
type Kind string

// The kinds. The column of bucket starts is named [TimeColumn] and comes first;
// started_at, when grouped by, and measures that are times are of KindTime too.
const (
	KindTime      Kind = "time"      // RFC 3339 in UTC
	KindDimension Kind = "dimension" // string, number or boolean, null where a run has none
	KindMeasure   Kind = "measure"   // number, null where there is nothing to measure
	KindExemplars Kind = "exemplars" // list of run ids, worst first; null where there are no runs
)

// Column is one column of an answer.
type Column struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	Unit string `json:"unit"` // of a measure: ms, B, kbit/s, px, ratio; else empty
}

// Answer is a table. With a step its rows are series after series, each with
// every bucket in order.
type Answer struct {
	Columns []Column `json:"columns"`

	// Rows hold nil, string, int64, float64 (finite), bool, time.Time (UTC) or,
	// of exemplars, []string.
	Rows [][]any `json:"rows"`
	Meta Meta    `json:"meta"`
}

// Meta says how far an answer can be trusted.
type Meta struct {
	Source   string  `json:"source"`    // what was read: raw (the runs themselves)
	MaxError float64 `json:"max_error"` // highest relative error of a percentile; 0: exact

	// CompleteUntil is how far the answer is known to be complete: every run
	// that was received before it, and is asked for, is counted. It is the
	// received_at of the newest run that the engine holds, whatever was asked
	// for, or, when that is earlier, the time since which acknowledged runs have
	// waited for the engine. Null: no run was ever stored.
	CompleteUntil *time.Time `json:"complete_until"`

	TookMs    float64 `json:"took_ms"`   // in the engine
	Truncated bool    `json:"truncated"` // the limit left out rows or series
}

// SourceRaw is the Meta.Source of answers computed from the runs themselves.
const SourceRaw = "raw"

// WriteCSV writes the header and the rows of a in the form of RFC 4180, with
// LF for CRLF. Null is an empty cell, times are RFC 3339, exemplars ids with a
// space between them.
func WriteCSV(w io.Writer, a *Answer) error {
	out := csv.NewWriter(w)
	cells := make([]string, len(a.Columns))
	for i, c := range a.Columns {
		cells[i] = c.Name
	}
	if err := out.Write(cells); err != nil {
		return fmt.Errorf("query: write CSV: %w", err)
	}
	for _, row := range a.Rows {
		for i, v := range row {
			cells[i] = cell(v)
		}
		if err := out.Write(cells); err != nil {
			return fmt.Errorf("query: write CSV: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("query: write CSV: %w", err)
	}
	return nil
}

func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case []string:
		return strings.Join(v, " ")
	}
	return fmt.Sprint(v)
}
