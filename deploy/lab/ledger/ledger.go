// Package ledger keeps what the lab's edges were asked: one JSON line per
// request, appended to a file before the edge is done with it. Requests carry
// the id of their run, so the file is the account against which a store of
// runs is held; a browser's preflight does not, and is found by its connection, as
// runs have connections of their own. It belongs to the lab alone and stays whole when agents or
// collector are killed.
package ledger

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"sync"
	"time"
)

// DefaultMaxBytes is how large a ledger's file grows before it is set aside as
// PATH.1, of which one is kept.
const DefaultMaxBytes = 256 << 20

// maxLine bounds an entry, in bytes of JSON.
const maxLine = 64 << 10

// Entry is one request to an edge.
type Entry struct {
	Time       time.Time `json:"time"` // when its head had come
	Ms         float64   `json:"ms"`   // until the edge was done with it
	Edge       string    `json:"edge"` // the edge's address
	CDN        string    `json:"cdn"`
	POP        string    `json:"pop"`
	Conn       int64     `json:"conn,omitempty"` // the connection: no other to this edge has its number
	Client     string    `json:"client"`         // the client's address
	Country    string    `json:"country,omitempty"`
	ASN        uint32    `json:"asn,omitempty"`
	Proto      string    `json:"proto"`
	Method     string    `json:"method"`
	Path       string    `json:"path"`
	Range      string    `json:"range,omitempty"`
	Status     int       `json:"status"`
	Bytes      int64     `json:"bytes"` // of the body, as the edge wrote them
	Cache      string    `json:"cache,omitempty"`
	SID        string    `json:"sid,omitempty"` // the run's id, from CMCD; of a preflight in the file empty
	AppVersion string    `json:"app_version,omitempty"`
	Fault      string    `json:"fault,omitempty"` // ids, separated by commas
}

// Ledger appends entries to a file. It may be used by many at once.
type Ledger struct {
	path string
	max  int64

	mu   sync.Mutex
	file *os.File
	size int64
}

// Open appends to the file at path, which it makes when there is none. A max
// of 0 means DefaultMaxBytes.
func Open(path string, max int64) (*Ledger, error) {
	if max <= 0 {
		max = DefaultMaxBytes
	}
	l := &Ledger{path: path, max: max}
	return l, l.open()
}

func (l *Ledger) open() error {
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return fmt.Errorf("ledger: %w", err)
	}
	l.file, l.size = file, info.Size()
	return nil
}

// Append writes one entry with one write: readers never see half of it.
func (l *Ledger) Append(e Entry) error {
	e.Path, e.Range, e.SID, e.AppVersion = clip(e.Path), clip(e.Range), clip(e.SID), clip(e.AppVersion)
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	line = append(line, '\n')
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > 0 && l.size+int64(len(line)) > l.max {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	n, err := l.file.Write(line)
	l.size += int64(n)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

func (l *Ledger) rotate() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	if err := os.Rename(l.path, l.path+".1"); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return l.open()
}

// Close closes the file.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// ServeHTTP answers GET /ledger?sid=ID with that run's entries, one JSON
// object per line and oldest first; without sid with all of them.
func (l *Ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	sid := r.URL.Query().Get("sid")
	out := json.NewEncoder(w)
	err := Read(l.path, func(e Entry) error {
		if sid != "" && e.SID != sid {
			return nil
		}
		return out.Encode(e)
	})
	if err != nil && r.Context().Err() == nil {
		panic(http.ErrAbortHandler) // a ledger that looks whole and is not would be worse
	}
}

// Read calls f with every entry of the ledger at path, the part set aside
// first, until f fails. The ledger may be in use. A preflight has the run of its
// connection, as far as that has asked for more.
func Read(path string, f func(Entry) error) error {
	type connection struct {
		edge   string
		number int64
	}
	runs := map[connection]string{}
	err := each(path, func(e Entry) error {
		if e.SID != "" && e.Conn != 0 {
			runs[connection{e.Edge, e.Conn}] = e.SID
		}
		return nil
	})
	if err != nil {
		return err
	}
	return each(path, func(e Entry) error {
		if e.Method == http.MethodOptions && e.SID == "" {
			e.SID = runs[connection{e.Edge, e.Conn}]
		}
		return f(e)
	})
}

// each calls f with every entry as it stands in the files.
func each(path string, f func(Entry) error) error {
	for _, name := range []string{path + ".1", path} {
		file, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) && name != path {
			continue
		}
		if err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
		err = read(file, f)
		file.Close()
		if err != nil {
			return fmt.Errorf("ledger: %s: %w", name, err)
		}
	}
	return nil
}

func read(r io.Reader, f func(Entry) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		var e Entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if err := f(e); err != nil {
			return err
		}
	}
	return lines.Err()
}

// clip bounds what a client can make a line long with.
func clip(s string) string {
	const max = 2048
	if len(s) > max {
		return s[:max]
	}
	return s
}
