package query

import (
	"slices"
	"time"
)

// Fill puts the empty buckets between the rows that an engine found. With a
// step, rows must be series after series, within a series by time, and their
// first value must be the bucket's start, in UTC. Without group_by there is
// always one series, be it empty. Ordered by time descending, the buckets of a
// series come last first.
func (q *Resolved) Fill(rows [][]any) [][]any {
	if len(rows) == 0 {
		if len(q.Dims) > 0 {
			return [][]any{}
		}
		rows = [][]any{q.empty(nil, q.Start)}
	}
	if q.Step == 0 {
		return rows
	}
	filled := make([][]any, 0, len(rows))
	for i := 0; i < len(rows); {
		key := q.key(rows[i])
		first := len(filled)
		for b := range q.Buckets {
			at := q.Start.Add(time.Duration(b) * q.Step)
			if i < len(rows) && at.Equal(rows[i][0].(time.Time)) && slices.Equal(q.key(rows[i]), key) {
				filled = append(filled, rows[i])
				i++
				continue
			}
			filled = append(filled, q.empty(key, at))
		}
		if q.OrderBy == 0 && q.Desc {
			slices.Reverse(filled[first:])
		}
	}
	return filled
}

// key is the dimensions' values of a row.
func (q *Resolved) key(row []any) []any {
	if q.Step > 0 {
		row = row[1:]
	}
	return row[:len(q.Dims)]
}

// empty is the row of a bucket without runs.
func (q *Resolved) empty(key []any, at time.Time) []any {
	row := make([]any, len(q.Columns))
	next := 0
	if q.Step > 0 {
		row[0] = at
		next = 1
	}
	next += copy(row[next:], key)
	row[next] = int64(0) // runs
	if q.Compare > 0 {
		row[next+len(q.Measures)] = int64(0) // runs_before
	}
	return row
}
