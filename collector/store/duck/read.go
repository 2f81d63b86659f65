package duck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/probes/run"
)

// Position implements store.Store.
func (s *Store) Position(ctx context.Context) (store.Location, error) {
	leave, err := s.enter()
	if err != nil {
		return store.Location{}, err
	}
	defer leave()
	var at store.Location
	err = s.read(ctx, "SELECT log_segment, log_offset FROM meta.position", nil, func(v []any) error {
		at = location(v)
		return nil
	})
	return at, err
}

// location is the two columns of a place in the log.
func location(v []any) store.Location {
	segment, _ := v[0].(uint64)
	offset, _ := v[1].(int64)
	return store.Location{Segment: segment, Offset: offset}
}

// Run implements store.Store.
func (s *Store) Run(ctx context.Context, id string) (*run.Run, []store.Location, error) {
	leave, err := s.enter()
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	start, err := store.Day(id)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", store.ErrNotFound, err)
	}
	s.mu.Lock()
	d := s.days[start]
	if d != nil {
		d.inUse.RLock()
		defer d.inUse.RUnlock()
	}
	s.mu.Unlock()
	if d == nil {
		return nil, nil, fmt.Errorf("%w: %s", store.ErrNotFound, id)
	}
	r, at, err := s.row(ctx, d, id)
	if err != nil {
		return nil, nil, err
	}
	places := []store.Location{at}
	text := "SELECT DISTINCT log_segment, log_offset FROM meta.orphans WHERE trace_id = " + uuidLiteral(id) + " ORDER BY ALL LIMIT 1000"
	err = s.read(ctx, text, nil, func(v []any) error {
		if place := location(v); place != at {
			places = append(places, place)
		}
		return nil
	})
	return r, places, err
}

// row is the run of that id in d.
func (s *Store) row(ctx context.Context, d *day, id string) (*run.Run, store.Location, error) {
	names := make([]string, len(run.Fields))
	for i := range run.Fields {
		names[i] = run.Fields[i].Name
	}
	text := fmt.Sprintf("SELECT %s, %s, %s FROM %s.runs WHERE run_id = %s LIMIT 1",
		segmentColumn, offsetColumn, strings.Join(names, ", "), d.catalog, uuidLiteral(id))
	var r *run.Run
	var at store.Location
	err := s.read(ctx, text, nil, func(v []any) error {
		r, at = new(run.Run), location(v)
		for i, v := range v[2:] {
			if err := setField(&run.Fields[i], r, plain(v)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && r == nil {
		err = fmt.Errorf("%w: %s", store.ErrNotFound, id)
	}
	return r, at, err
}

func setField(f *run.Field, r *run.Run, v any) error {
	if text, ok := v.(string); ok && f.Type == run.Map {
		m := map[string]string{}
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			return fmt.Errorf("duck: field %s: %w", f.Name, err)
		}
		v = m
	}
	return f.Set(r, v)
}

// Values implements store.Store.
func (s *Store) Values(ctx context.Context, dim string, from, to time.Time, prefix string, limit int) ([]store.Value, error) {
	leave, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	d := query.DimensionByName(dim)
	if d == nil {
		return nil, query.UnknownDimension("dimension", dim)
	}
	if limit <= 0 {
		limit = query.DefaultLimit
	}
	days, release := s.borrow(from, to)
	defer release()
	values := []store.Value{}
	if len(days) == 0 {
		return values, nil
	}
	st := &statement{}
	text := fmt.Sprintf(`SELECT %s AS value, count(*) AS runs FROM (%s)
		WHERE %s AND %s IS NOT NULL AND starts_with(value, %s)
		GROUP BY value ORDER BY runs DESC, value LIMIT %d`,
		asText(d), union(days, columnsWith(dim)), between(from, to), dim, st.bind(prefix), min(limit, query.MaxLimit))
	err = s.read(ctx, text, st.args, func(v []any) error {
		values = append(values, store.Value{Value: fmt.Sprint(v[0]), Runs: v[1].(int64)})
		return nil
	})
	return values, err
}

func columnsWith(dim string) string {
	if dim == "started_at" {
		return dim
	}
	return "started_at, " + dim
}

// Stats implements store.Store.
func (s *Store) Stats(ctx context.Context) (store.Stats, error) {
	leave, err := s.enter()
	if err != nil {
		return store.Stats{}, err
	}
	defer leave()
	days, release := s.borrow(time.Time{}, store.Latest)
	defer release()
	st := store.Stats{Days: len(days)}
	if len(days) > 0 {
		st.Oldest = days[0].start
		text := "SELECT count(*) FROM (" + union(days, "run_id") + ")"
		err := s.read(ctx, text, nil, func(v []any) error { st.Runs = v[0].(int64); return nil })
		if err != nil {
			return store.Stats{}, err
		}
	}
	st.Bytes, err = size(s.cfg.Dir)
	return st, err
}

// size is what the files in dir take, in bytes.
func size(dir string) (total int64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("duck: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // a write-ahead log that went meanwhile
		}
		if err != nil {
			return 0, fmt.Errorf("duck: %w", err)
		}
		if info.Mode().IsRegular() {
			total += info.Size()
		}
	}
	return total, nil
}
