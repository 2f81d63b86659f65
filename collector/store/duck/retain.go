package duck

import (
	"context"
	"fmt"
	"time"
)

// Retain implements store.Store.
func (s *Store) Retain(ctx context.Context, before time.Time) error {
	leave, err := s.enterWriter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	for _, d := range s.between(time.Time{}, before) {
		if d.start.Add(dayLength).After(before) {
			continue
		}
		if err := s.remove(ctx, d); err != nil {
			return fmt.Errorf("duck: remove %s: %w", d.path, err)
		}
	}
	return s.exec(ctx, "DELETE FROM meta.orphans WHERE stored_at < make_timestamp($1)", before.UnixMicro())
}

// remove detaches d once no query reads it, and deletes its files.
func (s *Store) remove(ctx context.Context, d *day) error {
	s.mu.Lock()
	delete(s.days, d.start) // so that no new query takes it up
	s.mu.Unlock()
	d.inUse.Lock()
	defer d.inUse.Unlock()
	if err := s.exec(ctx, "DETACH "+d.catalog); err != nil {
		s.mu.Lock()
		s.days[d.start] = d // still attached: to be tried again
		s.mu.Unlock()
		return err
	}
	return removeFiles(d.path)
}
