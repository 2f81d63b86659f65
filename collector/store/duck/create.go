package duck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// newSuffix ends the names of files that are not whole yet.
const newSuffix = ".new"

// create makes the database file path, with what the statements make in its
// catalog fresh, whole or not at all: the engine itself, when the disk is full
// or the process is killed, leaves half a file that it will not attach again.
// A file that is there is left as it is.
func (s *Store) create(ctx context.Context, path string, statements ...string) (err error) {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	unfinished := path + newSuffix
	if err := removeFiles(unfinished); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			// What is left is removed by the next create, or by Open.
			_ = s.exec(context.WithoutCancel(ctx), "DETACH DATABASE IF EXISTS fresh")
			_ = removeFiles(unfinished)
		}
	}()
	statements = append([]string{"ATTACH " + quoteText(unfinished) + " AS fresh"}, statements...)
	for _, text := range append(statements, "CHECKPOINT fresh", "DETACH fresh") {
		if err := s.exec(ctx, text); err != nil {
			return err
		}
	}
	if err := os.Rename(unfinished, path); err != nil {
		return err
	}
	return syncDir(s.cfg.Dir)
}

// removeFiles removes a database file that is not attached. Its write-ahead log
// goes first: alone it would be replayed into a new file of that name.
func removeFiles(path string) error {
	for _, p := range []string{path + ".wal", path} {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// isUnfinished tells a file that a killed create left.
func isUnfinished(name string) bool {
	return strings.HasSuffix(strings.TrimSuffix(name, ".wal"), suffix+newSuffix)
}

// syncDir makes the names in dir durable, those of write-ahead logs too, which
// the engine makes anew after each checkpoint.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("duck: %w", err)
	}
	err = d.Sync()
	return cmp.Or(err, d.Close())
}
