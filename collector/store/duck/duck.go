// Package duck keeps runs in DuckDB, embedded in the process.
//
// Each UTC day of runs, by the time in their ids, is a database file of its own
// (2026-11-23.duckdb), attached to one in-memory instance; meta.duckdb holds the
// position in the collector's log and the places of orphan spans. So retention
// removes files and truly frees their space, a run is looked for in one day
// only, and a query reads the days of its range.
//
// DuckDB commits one file per transaction. Append therefore commits the rows
// day by day first, and the position last: after a crash in between the log is
// replayed from the old position, and rows that are there already are skipped.
//
// The columns derive from the table of fields in package run. On opening, a
// file that lacks a column gets it. SQL text is made of names from these tables
// and of numbers; every string that comes from outside is a bound parameter.
//
// Strings that are not UTF-8 are stored with U+FFFD for what is broken, numbers
// that are not finite as null, and times beyond what nanoseconds in 64 bits can
// hold (before 1678, after 2261) as the nearest that they can.
package duck

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/firstframe/firstframe/collector/store"
)

// Config says how to run the engine. Only Dir is needed.
type Config struct {
	Dir          string        // holds the files; made when missing. One process at a time
	MemoryLimit  int64         // bytes that the engine may use, spilling to Dir beyond; zero means 1 GiB
	Threads      int           // of the engine; zero means GOMAXPROCS
	Queries      int           // answered at the same time, others wait; zero means 4
	QueryTimeout time.Duration // of one query, waiting included; zero means 30 s
}

func (c Config) withDefaults() Config {
	if c.MemoryLimit == 0 {
		c.MemoryLimit = 1 << 30
	}
	if c.Threads == 0 {
		c.Threads = runtime.GOMAXPROCS(0)
	}
	if c.Queries == 0 {
		c.Queries = 4
	}
	if c.QueryTimeout == 0 {
		c.QueryTimeout = 30 * time.Second
	}
	return c
}

// spill bounds what queries may write to disk, in times of MemoryLimit: they
// must not fill the disk that the collector's log needs.
const spill = 4

// Store is a store.Store in DuckDB.
type Store struct {
	cfg Config

	life   sync.RWMutex // held for reading by every call, for writing by Close and restart
	db     *sql.DB      // nil: the engine is stopped
	closed bool

	write  chan struct{} // holds one token while someone writes, attaches or detaches
	writer *sql.Conn     // of whoever holds the token

	mu   sync.Mutex
	days map[time.Time]*day

	newest atomic.Int64 // received_at of the newest row, Unix nanoseconds; 0 when there is none
}

var _ store.Store = (*Store)(nil)

// Open opens the store in cfg.Dir, or makes it. It fails when another process
// has it open, and when a file is damaged.
func Open(ctx context.Context, cfg Config) (_ *Store, err error) {
	cfg = cfg.withDefaults()
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("duck: %w", err)
	}
	s := &Store{cfg: cfg, write: make(chan struct{}, 1)}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// start starts the engine and attaches what Dir holds.
func (s *Store) start(ctx context.Context) (err error) {
	options := url.Values{
		"memory_limit":                 {strconv.FormatInt(s.cfg.MemoryLimit, 10) + "B"},
		"threads":                      {strconv.Itoa(s.cfg.Threads)},
		"temp_directory":               {filepath.Join(s.cfg.Dir, "tmp")},
		"max_temp_directory_size":      {strconv.FormatInt(spill*s.cfg.MemoryLimit, 10) + "B"},
		"preserve_insertion_order":     {"false"},
		"autoinstall_known_extensions": {"false"},
		"autoload_known_extensions":    {"false"},
	}
	connector, err := duckdb.NewConnector("?"+options.Encode(), nil)
	if err != nil {
		return fmt.Errorf("duck: open: %w", err)
	}
	s.db, s.days = sql.OpenDB(connector), map[time.Time]*day{}
	s.db.SetMaxOpenConns(s.cfg.Queries + 1)
	s.db.SetMaxIdleConns(s.cfg.Queries + 1)
	defer func() {
		if err != nil {
			_ = s.stop() // why it did not start is the error to tell
		}
	}()
	if s.writer, err = s.db.Conn(ctx); err != nil {
		return fmt.Errorf("duck: open: %w", err)
	}
	return s.attachAll(ctx)
}

// stop ends the engine, which writes what it holds back into the files.
func (s *Store) stop() error {
	if s.db == nil {
		return nil
	}
	if s.writer != nil {
		s.writer.Close()
	}
	err := s.db.Close()
	s.db, s.writer = nil, nil
	if err != nil {
		return fmt.Errorf("duck: close: %w", err)
	}
	return nil
}

// restart gives a Store that can write no more an engine that can. After a
// checkpoint that failed, by a full disk say, the engine refuses everything; its
// files hold all that was committed.
func (s *Store) restart(ctx context.Context) error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	// An engine in that state has nothing to write, and fails whatever is asked.
	_ = s.stop()
	return s.start(ctx)
}

// isFatal tells the error after which the engine refuses everything.
func isFatal(err error) bool {
	var e *duckdb.Error
	return errors.Is(err, errStopped) || errors.As(err, &e) && e.Type == duckdb.ErrorTypeFatal
}

// errStopped says that the engine could not be started again yet.
var errStopped = errors.New("duck: the engine is stopped")

// Close waits for calls under way, writes what the engine holds back into the
// files, and closes them.
func (s *Store) Close() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.stop()
}

// enter begins a call; leave ends it.
func (s *Store) enter() (leave func(), err error) {
	s.life.RLock()
	switch {
	case s.closed:
		s.life.RUnlock()
		return nil, store.ErrClosed
	case s.db == nil:
		s.life.RUnlock()
		return nil, errStopped
	}
	return s.life.RUnlock, nil
}

// enterWriter begins a call that writes, one at a time.
func (s *Store) enterWriter(ctx context.Context) (leave func(), err error) {
	exit, err := s.enter()
	if err != nil {
		return nil, err
	}
	select {
	case s.write <- struct{}{}:
		return func() { <-s.write; exit() }, nil
	case <-ctx.Done():
		exit()
		return nil, fmt.Errorf("duck: %w", ctx.Err())
	}
}

// exec runs a statement on the writer's connection.
func (s *Store) exec(ctx context.Context, text string, args ...any) error {
	if _, err := s.writer.ExecContext(ctx, text, args...); err != nil {
		return fmt.Errorf("duck: %.60s: %w", text, err)
	}
	return nil
}

// transaction runs body between BEGIN and COMMIT on the writer's connection.
// It is no sql.Tx, because the appender needs the connection itself.
func (s *Store) transaction(ctx context.Context, body func() error) error {
	if err := s.exec(ctx, "BEGIN TRANSACTION"); err != nil {
		return err
	}
	err := body()
	if err == nil {
		// Once begun, a commit is not to be torn: its outcome would be unknown.
		err = s.exec(context.WithoutCancel(ctx), "COMMIT")
	}
	if err != nil {
		// The error that led here is the one to tell; after a failed COMMIT
		// there is no transaction left to roll back.
		_ = s.exec(context.WithoutCancel(ctx), "ROLLBACK")
	}
	return err
}
