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
		if isUnfinished(e.Name()) {
			if err := os.Remove(filepath.Join(s.cfg.Dir, e.Name())); err != nil {
				return fmt.Errorf("duck: %w", err)
			}
			continue
		}
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
	err := s.create(ctx, path,
		"CREATE TABLE fresh.position (log_segment UBIGINT, log_offset BIGINT)",
		"CREATE TABLE fresh.orphans (trace_id UUID, log_segment UBIGINT, log_offset BIGINT, stored_at TIMESTAMP)",
		"INSERT INTO fresh.position VALUES (0, 0)")
	if err == nil {
		err = s.exec(ctx, "ATTACH "+quoteText(path)+" AS meta")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// attach attaches the file of the day that begins at start, makes it where it
// is missing, and adds the columns that it lacks.
func (s *Store) attach(ctx context.Context, start time.Time) (_ *day, err error) {
	name := start.Format(dayFormat)
	d := &day{start: start, path: filepath.Join(s.cfg.Dir, name+suffix), plain: "d" + name}
	d.catalog = quoteName(d.plain)
	err = s.create(ctx, d.path, createRuns("fresh"))
	if err == nil {
		err = s.exec(ctx, "ATTACH "+quoteText(d.path)+" AS "+d.catalog)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.path, err)
	}
	if err := s.addColumns(ctx, d); err != nil {
		// Not attached, it can be tried again; that DETACH works is not certain.
		_ = s.exec(context.WithoutCancel(ctx), "DETACH "+d.catalog)
		return nil, fmt.Errorf("%s: %w", d.path, err)
	}
	s.mu.Lock()
	s.days[start] = d
	s.mu.Unlock()
	return d, nil
}

// createRuns is the statement that makes the table of runs in a catalog.
func createRuns(catalog string) string {
	names, types := wanted()
	defs := make([]string, len(names))
	for i := range names {
		defs[i] = quoteName(names[i]) + " " + types[i]
		if names[i] == "run_id" {
			// Packing the random bits of ids saves 4 of 16 bytes, and makes whatever
			// reads them six times as slow.
			defs[i] += " USING COMPRESSION uncompressed"
		}
	}
	return "CREATE TABLE " + catalog + ".runs (" + strings.Join(defs, ", ") + ")"
}

// addColumns notes the order of the columns of d's table, and adds those that
// it lacks.
func (s *Store) addColumns(ctx context.Context, d *day) error {
	names, types := wanted()
	have, err := s.readColumns(ctx, d)
	if err != nil {
		return err
	}
	for i, name := range names {
		switch have[name] {
		case types[i]:
		case "":
			if err := s.exec(ctx, "ALTER TABLE "+d.catalog+".runs ADD COLUMN "+quoteName(name)+" "+types[i]); err != nil {
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
