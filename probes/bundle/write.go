package bundle

import (
	"archive/zip"
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// The files of a bundle.
const (
	runFile       = "run.json"
	probeFile     = "probe.json"
	exchangesFile = "exchanges.jsonl"
	bodiesDir     = "bodies/"
)

// Write writes the bundle. What reading would refuse is an error of class
// [ErrInvalid].
func (b *Bundle) Write(w io.Writer) error {
	if err := b.Check(); err != nil {
		return err
	}
	z := &writer{zip.NewWriter(&bounded{w: w, most: MaxFile}), b.Run.StartedAt}
	err := errors.Join(
		writeJSON(z, runFile, b.Run),
		writeJSON(z, probeFile, b.Probe),
		b.writeExchanges(z),
	)
	for i := range b.Exchanges {
		if body := b.Exchanges[i].Body; err == nil && body != nil && body.File != "" {
			err = write(z, body.File, func(w io.Writer) error { _, err := w.Write(body.Data); return err })
		}
	}
	if err = errors.Join(err, z.Close()); err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	return nil
}

func (b *Bundle) writeExchanges(z *writer) error {
	return write(z, exchangesFile, b.lines)
}

// lines are the exchanges as JSON, one a line.
func (b *Bundle) lines(w io.Writer) error {
	lines := json.NewEncoder(w)
	for i := range b.Exchanges {
		if err := lines.Encode(&b.Exchanges[i]); err != nil {
			return err
		}
	}
	return nil
}

// writeJSON writes a file for people to read too.
func writeJSON(z *writer, name string, v any) error {
	return write(z, name, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	})
}

// writer writes files that are as old as the run.
type writer struct {
	*zip.Writer
	at time.Time
}

func write(z *writer, name string, content func(io.Writer) error) error {
	w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: z.at})
	if err == nil {
		err = content(&bounded{w: w, most: maxPart})
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// bounded refuses what goes beyond so many bytes.
type bounded struct {
	w       io.Writer
	n, most int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.n += int64(len(p)); b.n > b.most {
		return 0, fmt.Errorf("%w: larger than %d bytes", ErrInvalid, b.most)
	}
	return b.w.Write(p)
}

// Save writes the bundle into a file, whole or not at all: what was there
// before stays until the new one is complete. Others than the owner cannot read
// it.
func (b *Bundle) Save(name string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	defer os.Remove(f.Name()) // of no effect once it is renamed
	w := bufio.NewWriter(f)
	if err = b.Write(w); err == nil {
		err = w.Flush()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	return nil
}
