package duck

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

const (
	metaFile  = "meta.duckdb"
	dayFormat = "2006-01-02"
	suffix    = ".duckdb"
	dayLength = 24 * time.Hour
)

// day is one attached file.
type day struct {
	start   time.Time
	path    string
	catalog string   // quoted name in SQL
	plain   string   // the same, not quoted
	columns []column // in the table's order
	dirty   bool     // rows since the last checkpoint; of whoever writes

	inUse sync.RWMutex // held for reading by queries, for writing to detach
}

// column is a column of the table runs.
type column struct {
	name  string
	field *run.Field // nil: a place in the log, or a field that this version does not know
}

// The columns beside the fields.
const (
	segmentColumn = "log_segment"
	offsetColumn  = "log_offset"
)

func sqlType(f *run.Field) string {
	if f.Name == "run_id" {
		return "UUID" // 16 bytes that sort by time
	}
	switch f.Type {
	case run.Int:
		return "BIGINT"
	case run.Float:
		return "DOUBLE"
	case run.Bool:
		return "BOOLEAN"
	case run.Time:
		return "TIMESTAMP_NS"
	}
	return "VARCHAR" // a map is JSON text
}

// wanted lists name and type of the columns of runs.
func wanted() (names, types []string) {
	for i := range run.Fields {
		names = append(names, run.Fields[i].Name)
		types = append(types, sqlType(&run.Fields[i]))
	}
	return append(names, segmentColumn, offsetColumn), append(types, "UBIGINT", "BIGINT")
}

func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// attachAll attaches what Dir holds.
func (s *Store) attachAll(ctx context.Context) error {
	if err := s.attachMeta(ctx); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("duck: %w", err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		start, err := time.Parse(dayFormat, name)
		if !ok || err != nil {
			continue
		}
		d, err := s.attach(ctx, start)
		if err != nil {
			return err
		}
		if err := s.noteNewest(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) attachMeta(ctx context.Context) error {
	path := filepath.Join(s.cfg.Dir, metaFile)
	for _, text := range []string{
		"ATTACH " + quoteText(path) + " AS meta",
		"CREATE TABLE IF NOT EXISTS meta.position (log_segment UBIGINT, log_offset BIGINT)",
		"CREATE TABLE IF NOT EXISTS meta.orphans (trace_id UUID, log_segment UBIGINT, log_offset BIGINT, stored_at TIMESTAMP)",
		"INSERT INTO meta.position SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM meta.position)",
	} {
		if err := s.exec(ctx, text); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// attach attaches the file of the day that begins at start, makes it where it
// is missing, and adds the columns that it lacks.
func (s *Store) attach(ctx context.Context, start time.Time) (_ *day, err error) {
	name := start.Format(dayFormat)
	d := &day{start: start, path: filepath.Join(s.cfg.Dir, name+suffix), plain: "d" + name}
	d.catalog = quoteName(d.plain)
	if err := s.exec(ctx, "ATTACH "+quoteText(d.path)+" AS "+d.catalog); err != nil {
		return nil, fmt.Errorf("%s: %w", d.path, err)
	}
	if err := s.makeTable(ctx, d); err != nil {
		// Not attached, it can be tried again; that DETACH works is not certain.
		_ = s.exec(context.WithoutCancel(ctx), "DETACH "+d.catalog)
		return nil, fmt.Errorf("%s: %w", d.path, err)
	}
	s.mu.Lock()
	s.days[start] = d
	s.mu.Unlock()
	return d, nil
}

// makeTable brings d's table to the wanted columns, and notes their order.
func (s *Store) makeTable(ctx context.Context, d *day) error {
	names, types := wanted()
	defs := make([]string, len(names))
	for i := range names {
		defs[i] = quoteName(names[i]) + " " + types[i]
	}
	table := d.catalog + ".runs"
	if err := s.exec(ctx, "CREATE TABLE IF NOT EXISTS "+table+" ("+strings.Join(defs, ", ")+")"); err != nil {
		return err
	}
	have, err := s.readColumns(ctx, d)
	if err != nil {
		return err
	}
	for i, name := range names {
		switch have[name] {
		case types[i]:
		case "":
			if err := s.exec(ctx, "ALTER TABLE "+table+" ADD COLUMN "+defs[i]); err != nil {
				return err
			}
			d.columns = append(d.columns, column{name, run.FieldByName(name)})
		default:
			return fmt.Errorf("duck: column %s is %s, want %s", name, have[name], types[i])
		}
	}
	return nil
}

// readColumns notes the columns of d's table in their order, and answers with
// their types by name.
func (s *Store) readColumns(ctx context.Context, d *day) (map[string]string, error) {
	rows, err := s.writer.QueryContext(ctx, `SELECT column_name, data_type FROM duckdb_columns()
		WHERE database_name = $1 AND table_name = 'runs' ORDER BY column_index`, d.plain)
	if err != nil {
		return nil, fmt.Errorf("duck: read columns: %w", err)
	}
	defer rows.Close()
	types := map[string]string{}
	for rows.Next() {
		var name, typ string
		if err := rows.Scan(&name, &typ); err != nil {
			return nil, fmt.Errorf("duck: read columns: %w", err)
		}
		types[name] = typ
		d.columns = append(d.columns, column{name, run.FieldByName(name)})
	}
	return types, rows.Err()
}

// noteNewest remembers the newest received_at of d.
func (s *Store) noteNewest(ctx context.Context, d *day) error {
	var ns *int64
	row := s.writer.QueryRowContext(ctx, "SELECT epoch_ns(max(received_at)) FROM "+d.catalog+".runs")
	if err := row.Scan(&ns); err != nil {
		return fmt.Errorf("duck: %s: newest run: %w", d.path, err)
	}
	if ns != nil && *ns > s.newest.Load() {
		s.newest.Store(*ns)
	}
	return nil
}
