// Package store says what keeps runs and answers queries over them.
//
// A [Store] holds one wide row per run, all fields but the steps, and where in
// the collector's log of request bodies the run's spans lie: the steps are read
// from there. Rows become durable together with the position in that log from
// which a replay after a crash begins, so that no acknowledged run is lost and
// none is counted twice.
//
// The engines are packages below this one; storetest is the suite that each of
// them passes.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/probes/run"
)

// ErrNotFound says that no run has the id that was asked for.
var ErrNotFound = errors.New("store: no such run")

// ErrInvalid says that a run cannot be stored, see [Check].
var ErrInvalid = errors.New("store: run cannot be stored")

// ErrClosed says that the store has been closed.
var ErrClosed = errors.New("store: closed")

// Location is where a request body lies in the collector's log.
type Location struct {
	Segment uint64
	Offset  int64 // in the segment, in bytes
}

// Row is a run to be stored.
type Row struct {
	Run *run.Run // its steps are not stored
	At  Location // of the request body that holds its root span
}

// OrphanSpans says that a request body holds spans of a run whose root span
// came, or will come, in another one.
type OrphanSpans struct {
	TraceID string // as run_id: 32 lower-case hex digits
	At      Location
}

// Value is one value of a dimension.
type Value struct {
	Value string `json:"value"` // as a condition of a query takes it
	Runs  int64  `json:"runs"`
}

// Stats says how much a store holds.
type Stats struct {
	Runs   int64
	Days   int       // UTC days that hold runs
	Oldest time.Time // start of the first of these days; zero when there is none
	Bytes  int64     // on disk
}

// Store keeps runs. All methods may be called at the same time, and end when
// their context does.
type Store interface {
	// Append stores rows and orphans and remembers next as where a replay
	// begins, durably when it returns without an error; queries then see them.
	// A row whose run is stored already, or comes twice in rows, is skipped;
	// added counts the others. After an error the position is as before and
	// some rows may be stored: call it again with the same rows. A row that
	// fails Check makes it fail with ErrInvalid and store nothing.
	Append(ctx context.Context, rows []Row, orphans []OrphanSpans, next Location) (added int, err error)

	// Position is the last next of Append; zero for a new store.
	Position(ctx context.Context) (Location, error)

	// Query answers r as of now. An error that is the asker's fault is a
	// *query.Error.
	Query(ctx context.Context, r *query.Request, now time.Time) (*query.Answer, error)

	// Run is the run of that id without its steps, and where its spans lie:
	// first the body with the root span, then those of orphans. The error is
	// ErrNotFound when there is none, or when id is not the id of a run.
	Run(ctx context.Context, id string) (*run.Run, []Location, error)

	// Values lists the values of a dimension that begin with prefix among the
	// runs that started from from until before to, most runs first, at most
	// limit (query.DefaultLimit when zero). All sources count; null does not.
	Values(ctx context.Context, dim string, from, to time.Time, prefix string, limit int) ([]Value, error)

	// Retain removes the UTC days that end at or before the given instant and
	// frees their disk space. Queries under way still see them.
	Retain(ctx context.Context, before time.Time) error

	// Stats says how much is stored.
	Stats(ctx context.Context) (Stats, error)

	// Close waits for calls under way. Calls after it fail with ErrClosed.
	Close() error
}

// Latest is the end of the time that runs may start in; the beginning is 1970.
var Latest = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// MaxSkew bounds how far started_at may lie from the time in the run's id.
const MaxSkew = time.Minute

// Check fails with ErrInvalid when r cannot be stored: run_id is not an id,
// started_at lies further than MaxSkew from the id's time, or not between 1970
// and 2200. What takes runs in refuses these before it acknowledges them.
func Check(r *run.Run) error {
	at, err := run.IDTime(r.RunID)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if d := r.StartedAt.Sub(at).Abs(); d > MaxSkew {
		return fmt.Errorf("%w: run %s: started_at %s is %s off the id's time", ErrInvalid, r.RunID, r.StartedAt.UTC().Format(time.RFC3339Nano), d)
	}
	if r.StartedAt.Unix() < 0 || !r.StartedAt.Before(Latest) {
		return fmt.Errorf("%w: run %s: started_at in the year %d", ErrInvalid, r.RunID, r.StartedAt.UTC().Year())
	}
	return nil
}

// Day is the UTC day of a run, by its id: the day within which a second copy
// of it is looked for.
func Day(id string) (time.Time, error) {
	at, err := run.IDTime(id)
	return at.Truncate(24 * time.Hour), err
}
