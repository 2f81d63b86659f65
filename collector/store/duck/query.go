package duck

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/collector/store"
)

// Query implements store.Store.
func (s *Store) Query(ctx context.Context, r *query.Request, now time.Time) (*query.Answer, error) {
	begun := time.Now()
	q, err := r.Resolve(now)
	if err != nil {
		return nil, err
	}
	leave, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	a := &query.Answer{Columns: q.Columns, Meta: query.Meta{Source: query.SourceRaw}}
	if ns := s.newest.Load(); ns != 0 {
		at := time.Unix(0, ns).UTC()
		a.Meta.CompleteUntil = &at
	}
	days, release := s.borrow(q.Reads())
	defer release()
	var found [][]any
	if len(days) > 0 {
		text, args := build(q, days)
		err := s.read(ctx, text, args, func(values []any) error {
			rank := len(found) + 1
			if q.Step > 0 {
				rank = int(values[0].(int64))
				values = values[1:]
				values[0] = q.Start.Add(time.Duration(values[0].(int64)) * q.Step)
			}
			if rank > q.Limit {
				a.Meta.Truncated = true
				return nil
			}
			for i, v := range values {
				values[i] = plain(v)
			}
			found = append(found, values)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	a.Rows = q.Fill(found)
	a.Meta.TookMs = float64(time.Since(begun).Microseconds()) / 1000
	return a, nil
}

// plain is a value of the engine as an answer holds it.
func plain(v any) any {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
	case time.Time:
		return v.UTC()
	case []byte:
		return hex.EncodeToString(v)
	case duckdb.UUID:
		return hex.EncodeToString(v[:])
	case []any:
		ids := make([]string, len(v))
		for i := range v {
			ids[i], _ = plain(v[i]).(string)
		}
		return ids
	}
	return v
}

// borrow are the days that can hold runs started from from until before to, in
// order. They stay attached until release.
func (s *Store) borrow(from, to time.Time) (days []*day, release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	days = s.betweenLocked(from, to)
	for _, d := range days {
		d.inUse.RLock()
	}
	return days, func() {
		for _, d := range days {
			d.inUse.RUnlock()
		}
	}
}

func (s *Store) between(from, to time.Time) []*day {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.betweenLocked(from, to)
}

func (s *Store) betweenLocked(from, to time.Time) []*day {
	var days []*day
	for _, d := range s.days {
		if d.holds(from, to) {
			days = append(days, d)
		}
	}
	slices.SortFunc(days, func(a, b *day) int { return a.start.Compare(b.start) })
	return days
}

// holds tells whether d can hold runs started from from until before to.
func (d *day) holds(from, to time.Time) bool {
	return d.start.Add(dayLength+store.MaxSkew).After(from) && d.start.Add(-store.MaxSkew).Before(to)
}

// read runs a statement that reads, within the timeout, and hands each row on.
func (s *Store) read(ctx context.Context, text string, args []any, each func(values []any) error) error {
	limited, cancel := context.WithTimeout(ctx, s.cfg.QueryTimeout)
	defer cancel()
	rows, err := s.db.QueryContext(limited, text, args...)
	if err != nil {
		return s.readError(ctx, limited, err)
	}
	defer rows.Close()
	if err := scan(rows, each); err != nil {
		return s.readError(ctx, limited, err)
	}
	return nil
}

func scan(rows *sql.Rows, each func(values []any) error) error {
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		values := make([]any, len(names))
		into := make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := each(values); err != nil {
			return err
		}
	}
	return rows.Err()
}

// readError tells the asker's own end, a question that costs too much, and a
// fault of ours apart.
func (s *Store) readError(ctx, limited context.Context, err error) error {
	var duckErr *duckdb.Error
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("duck: query: %w", ctx.Err())
	case limited.Err() != nil:
		return query.Errorf(query.CodeCost, "", "no answer within %s: ask for a shorter range or fewer groups", s.cfg.QueryTimeout)
	case errors.As(err, &duckErr) && duckErr.Type == duckdb.ErrorTypeOutOfMemory:
		return query.Errorf(query.CodeCost, "", "the answer needs more memory than the store may use: ask for a shorter range or fewer groups")
	}
	return fmt.Errorf("duck: query: %w", err)
}
