package duck

import (
	"cmp"
	"context"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/probes/run"
)

// Append implements store.Store.
func (s *Store) Append(ctx context.Context, rows []store.Row, orphans []store.OrphanSpans, next store.Location) (added int, err error) {
	added, err = s.append(ctx, rows, orphans, next)
	if isFatal(err) {
		err = errors.Join(err, s.restart(ctx))
	}
	return added, err
}

func (s *Store) append(ctx context.Context, rows []store.Row, orphans []store.OrphanSpans, next store.Location) (added int, err error) {
	leave, err := s.enterWriter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	byDay, err := split(rows)
	if err != nil {
		return 0, err
	}
	for _, start := range slices.SortedFunc(maps.Keys(byDay), time.Time.Compare) {
		n, err := s.appendDay(ctx, start, byDay[start])
		if err != nil {
			return added, err
		}
		added += n
	}
	// The position must not outlive the rows, whose write-ahead log may be a new
	// file.
	if err := syncDir(s.cfg.Dir); err != nil {
		return added, err
	}
	if err := s.appendMeta(ctx, orphans, next); err != nil {
		return added, err
	}
	for _, row := range rows {
		if at := row.Run.ReceivedAt; at != nil && at.UnixNano() > s.newest.Load() {
			s.newest.Store(at.UnixNano())
		}
	}
	return added, nil
}

// split checks rows and sorts them by day, each run once.
func split(rows []store.Row) (map[time.Time][]store.Row, error) {
	seen := make(map[string]bool, len(rows))
	byDay := map[time.Time][]store.Row{}
	for _, row := range rows {
		if err := store.Check(row.Run); err != nil {
			return nil, fmt.Errorf("duck: append: %w", err)
		}
		if seen[row.Run.RunID] {
			continue
		}
		seen[row.Run.RunID] = true
		start, err := store.Day(row.Run.RunID)
		if err != nil {
			return nil, fmt.Errorf("duck: append: %w", err)
		}
		byDay[start] = append(byDay[start], row)
	}
	return byDay, nil
}

// appendDay stores those of rows, all of one day, that are not there yet.
func (s *Store) appendDay(ctx context.Context, start time.Time, rows []store.Row) (added int, err error) {
	s.mu.Lock()
	d := s.days[start]
	s.mu.Unlock()
	if d == nil {
		if d, err = s.attach(ctx, start); err != nil {
			return 0, err
		}
		if err := s.settle(ctx, d); err != nil {
			return 0, err
		}
	}
	known, err := s.known(ctx, d, rows)
	if err != nil {
		return 0, err
	}
	rows = slices.DeleteFunc(rows, func(r store.Row) bool { return known[r.Run.RunID] })
	if len(rows) == 0 {
		return 0, nil
	}
	d.dirty = true
	err = s.transaction(ctx, func() error {
		return s.writer.Raw(func(conn any) error { return d.appendRows(ctx, conn.(driver.Conn), rows) })
	})
	if err != nil {
		return 0, fmt.Errorf("duck: append to %s: %w", d.path, err)
	}
	return len(rows), nil
}

// settle moves the rows of the days other than d from their write-ahead logs
// into their tables: they are not likely to get more, and reopening is then
// quick.
func (s *Store) settle(ctx context.Context, d *day) error {
	for _, other := range s.between(time.Time{}, store.Latest) {
		if other == d || !other.dirty {
			continue
		}
		if err := s.exec(ctx, "CHECKPOINT "+other.catalog); err != nil {
			return err
		}
		other.dirty = false
	}
	return nil
}

// known are the ids among those of rows that d holds.
func (s *Store) known(ctx context.Context, d *day, rows []store.Row) (map[string]bool, error) {
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.Run.RunID
	}
	// The bounds let the engine skip row groups, whose least and greatest ids
	// it knows.
	text := fmt.Sprintf(`SELECT run_id FROM %s.runs WHERE run_id BETWEEN %s AND %s
		AND run_id IN (SELECT CAST(unnest(CAST($1 AS VARCHAR[])) AS UUID))`,
		d.catalog, uuidLiteral(slices.Min(ids)), uuidLiteral(slices.Max(ids)))
	found, err := s.writer.QueryContext(ctx, text, ids)
	if err != nil {
		return nil, fmt.Errorf("duck: %s: look for known runs: %w", d.path, err)
	}
	defer found.Close()
	known := map[string]bool{}
	for found.Next() {
		var id duckdb.UUID
		if err := found.Scan(&id); err != nil {
			return nil, fmt.Errorf("duck: %s: look for known runs: %w", d.path, err)
		}
		known[hex.EncodeToString(id[:])] = true
	}
	if err := found.Err(); err != nil {
		return nil, fmt.Errorf("duck: %s: look for known runs: %w", d.path, err)
	}
	return known, nil
}

// appendRows puts rows into d's table within the transaction of conn.
func (d *day) appendRows(ctx context.Context, conn driver.Conn, rows []store.Row) (err error) {
	app, err := duckdb.NewAppender(conn, d.plain, "main", "runs")
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, app.CloseWithCancel(ctx)) }()
	values := make([]driver.Value, len(d.columns))
	for _, row := range rows {
		for i, c := range d.columns {
			if values[i], err = c.value(row); err != nil {
				return err
			}
		}
		if err := app.AppendRow(values...); err != nil {
			return err
		}
	}
	return nil
}

// The ends of what 64 bits of nanoseconds can hold, in whole years.
var (
	firstTime = time.Date(1678, 1, 1, 0, 0, 0, 0, time.UTC)
	lastTime  = time.Date(2261, 12, 31, 0, 0, 0, 0, time.UTC)
)

// value is what row has to put into c.
func (c column) value(row store.Row) (driver.Value, error) {
	switch {
	case c.name == segmentColumn:
		return row.At.Segment, nil
	case c.name == offsetColumn:
		return row.At.Offset, nil
	case c.field == nil:
		return nil, nil
	case c.name == "run_id":
		id, err := run.ParseID(row.Run.RunID)
		return duckdb.UUID(id), err
	}
	switch v := c.field.Get(row.Run).(type) {
	case string:
		return strings.ToValidUTF8(v, "\uFFFD"), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, nil
		}
		return v, nil
	case time.Time:
		if v.Before(firstTime) {
			v = firstTime
		} else if v.After(lastTime) {
			v = lastTime
		}
		return v.UTC(), nil
	case map[string]string:
		text, err := json.Marshal(v)
		return string(text), err
	default:
		return v, nil
	}
}

// appendMeta stores orphans and the position, in one transaction: so a replay
// does not store orphans twice.
func (s *Store) appendMeta(ctx context.Context, orphans []store.OrphanSpans, next store.Location) error {
	err := s.transaction(ctx, func() error {
		if len(orphans) > 0 {
			err := s.writer.Raw(func(conn any) error { return appendOrphans(ctx, conn.(driver.Conn), orphans) })
			if err != nil {
				return err
			}
		}
		// In the text, because database/sql refuses a uint64 with its high bit set.
		return s.exec(ctx, fmt.Sprintf("UPDATE meta.position SET log_segment = %d, log_offset = %d", next.Segment, next.Offset))
	})
	if err != nil {
		return fmt.Errorf("duck: append position: %w", err)
	}
	return nil
}

// appendOrphans puts orphans into their table within the transaction of conn.
func appendOrphans(ctx context.Context, conn driver.Conn, orphans []store.OrphanSpans) (err error) {
	app, err := duckdb.NewAppender(conn, "meta", "main", "orphans")
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, app.CloseWithCancel(ctx)) }()
	now := time.Now().UTC()
	for _, o := range orphans {
		id, err := run.ParseID(o.TraceID)
		if err != nil {
			return err
		}
		if err := app.AppendRow(duckdb.UUID(id), o.At.Segment, o.At.Offset, now); err != nil {
			return err
		}
	}
	return nil
}

// uuidLiteral is an id, known to be 32 hex digits, in SQL.
func uuidLiteral(id string) string { return "UUID '" + id + "'" }
