// Package bundles keeps bundles of runs in a directory, within bounds: [Dir] is
// the entry. A bundle's name tells when, what, how it ended and which run:
//
//	20260301T120000Z_news_http_5xx_018f…e2.zip
package bundles

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/firstframe/firstframe/probes/bundle"
	"github.com/firstframe/firstframe/probes/run"
)

// maxKinds bounds what is remembered of the kinds of runs kept.
const maxKinds = 10_000

// forgotten is how old a bundle is that nobody is writing any more.
const forgotten = time.Hour

// maxTarget bounds a target's part of a name, in bytes.
const maxTarget = 60

// Dir is a directory of bundles. It is safe for concurrent use; one Dir at a
// time is to use a directory with bounds.
type Dir struct {
	Path string // made when it is needed first

	// When there are more bundles, or more bytes of them, the oldest go: of files
	// with names as above and no others. 0 is no bound.
	MaxFiles int
	MaxBytes int64

	// Every is the time in which of runs that ended alike (target, CDN, app and
	// version, error and step) one is kept; 0 keeps all.
	Every time.Duration

	mu   sync.Mutex
	last map[kind]time.Time
}

// kind is what runs that ended alike have in common.
type kind struct {
	target, cdn, app, version string
	typ                       run.ErrorType
	step                      run.StepName
}

// Wants tells whether a run is to be kept, as far as Every says, and counts it as
// kept.
func (d *Dir) Wants(r *run.Run) bool {
	if d.Every <= 0 {
		return true
	}
	k := kind{r.Target, r.CDN, r.App, r.AppVersion, r.ErrorType, r.ErrorStep}
	d.mu.Lock()
	defer d.mu.Unlock()
	if at, known := d.last[k]; known && r.StartedAt.Sub(at) < d.Every {
		return false
	}
	if d.last == nil || len(d.last) >= maxKinds {
		d.last = map[kind]time.Time{}
	}
	d.last[k] = r.StartedAt
	return true
}

// Keep writes a bundle, lets go of the oldest beyond the bounds, and answers
// with the bundle's path.
func (d *Dir) Keep(b *bundle.Bundle) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := os.MkdirAll(d.Path, 0o755); err != nil {
		return "", fmt.Errorf("keeping a bundle: %w", err)
	}
	path := filepath.Join(d.Path, Name(&b.Run))
	if err := b.Save(path); err != nil {
		return "", fmt.Errorf("keeping a bundle: %w", err)
	}
	return path, d.prune()
}

// named are the names that Name gives.
var named = regexp.MustCompile(`^\d{8}T\d{6}Z_[A-Za-z0-9.-]+_[a-z0-9_]+_[0-9a-f]{32}\.zip$`)

// Name is what a run's bundle is called: such names are in the order of time.
func Name(r *run.Run) string {
	target := r.Target
	if _, rest, ok := strings.Cut(target, "://"); ok {
		target, _, _ = strings.Cut(rest, "?")
	}
	target = strings.Map(func(c rune) rune {
		if c == '.' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			return c
		}
		return '-'
	}, target)
	target = target[max(0, len(target)-maxTarget):]
	return strings.Join([]string{r.StartedAt.UTC().Format("20060102T150405Z"), cmp.Or(target, "-"), outcome(r), r.RunID}, "_") + bundle.Ext
}

// outcome is how a run ended, in a word.
func outcome(r *run.Run) string {
	switch {
	case r.Good:
		return "good"
	case r.OK:
		return "slow"
	}
	return string(r.ErrorType)
}

// prune removes the oldest bundles beyond the bounds, and what is left of others.
func (d *Dir) prune() error {
	if d.MaxFiles <= 0 && d.MaxBytes <= 0 {
		return nil
	}
	entries, err := os.ReadDir(d.Path) // by name, the oldest first
	if err == nil {
		err = d.sweep(entries)
	}
	if err == nil {
		err = d.trim(entries)
	}
	if err != nil {
		return fmt.Errorf("keeping bundles: %w", err)
	}
	return nil
}

// trim removes the first of the bundles among entries, so that the others are
// within the bounds.
func (d *Dir) trim(entries []os.DirEntry) error {
	kept, left := 0, d.MaxBytes
	for _, e := range slices.Backward(entries) {
		if !e.Type().IsRegular() || !named.MatchString(e.Name()) {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) { // someone has tidied up
			continue
		}
		if err != nil {
			return err
		}
		kept, left = kept+1, left-info.Size()
		if d.MaxFiles > 0 && kept > d.MaxFiles || d.MaxBytes > 0 && left < 0 {
			if err := d.remove(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// begun are bundles that were being written (see [bundle.Bundle.Save]).
var begun = regexp.MustCompile(`^\.` + strings.Trim(named.String(), "^$") + `\.\d+$`)

// sweep removes what is left of bundles that an agent did not come to complete.
func (d *Dir) sweep(entries []os.DirEntry) error {
	for _, e := range entries {
		if !e.Type().IsRegular() || !begun.MatchString(e.Name()) {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > forgotten {
			if err := d.remove(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove removes a file, if nobody else has.
func (d *Dir) remove(e os.DirEntry) error {
	if err := os.Remove(filepath.Join(d.Path, e.Name())); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
