package spool

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// MaxRejected bounds rejected.jsonl; past it the file becomes
// rejected.old.jsonl, in place of an earlier one.
const MaxRejected = 8 << 20

// maxDrops bounds the counted pairs of hour and target; past it the target is
// counted as "(other)", by hour of the day it was dropped for as long as room.
const maxDrops = 10_000

// Stats is a Spool's state.
type Stats struct {
	Fresh, Backlog int       // runs that wait
	InFlight       int       // runs that are given out
	Bytes          int64     // on disk
	Oldest         time.Time // start of the oldest run that waits; zero when none
	Memory         int       // runs that are only in memory
	MemoryBytes    int64
	DiskError      string // why the disk took nothing last time; empty when it did

	Committed, SetAside int64  // runs, since Open
	Damaged             int64  // bytes that could not be read back, since Open
	Dropped             []Drop // for want of room, ever, by hour and target
}

// Drop counts runs that were dropped.
type Drop struct {
	Hour   time.Time `json:"hour"` // in which they started, UTC
	Target string    `json:"target"`
	Runs   int64     `json:"runs"`
}

// Stats is the state at this moment.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{
		Fresh: len(s.queue.fresh), Backlog: len(s.queue.backlog), InFlight: s.inflight,
		Bytes: s.diskBytes(), Memory: len(s.memory), MemoryBytes: s.memBytes,
		Committed: s.count.committed, SetAside: s.count.setAside, Damaged: s.count.damaged,
		Dropped: s.dropped.list(),
	}
	for _, h := range []entryHeap{s.queue.fresh, s.queue.backlog} {
		if len(h) > 0 && (st.Oldest.IsZero() || h[0].at.Before(st.Oldest)) {
			st.Oldest = h[0].at
		}
	}
	if s.diskErr != nil {
		st.DiskError = s.diskErr.Error()
	}
	return st
}

// drops counts by hour and target.
type drops map[dropKey]int64

type dropKey struct {
	hour   time.Time
	target string
}

func (d *drops) add(e *entry) {
	if *d == nil {
		*d = drops{}
	}
	k := dropKey{e.at.UTC().Truncate(time.Hour), e.target}
	if _, ok := (*d)[k]; !ok && len(*d) >= maxDrops {
		k = dropKey{target: "(other)"}
	}
	(*d)[k]++
}

func (d drops) list() []Drop {
	var out []Drop
	for k, n := range d {
		out = append(out, Drop{k.hour, k.target, n})
	}
	slices.SortFunc(out, func(a, b Drop) int {
		return cmp.Or(a.Hour.Compare(b.Hour), cmp.Compare(a.Target, b.Target))
	})
	return out
}

const dropsFile = "dropped.json"

// save writes the counts in place of the old ones.
func (d drops) save(dir string) error {
	text, err := json.Marshal(d.list())
	if err != nil {
		return err
	}
	path := filepath.Join(dir, dropsFile)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (d *drops) load(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, dropsFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var list []Drop
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", dropsFile, err)
	}
	*d = make(drops, len(list))
	for _, x := range list {
		(*d)[dropKey{x.Hour, x.Target}] = x.Runs
	}
	return nil
}

// writeRejected adds a line to rejected.jsonl.
func writeRejected(dir string, rec Record, reason string, now time.Time) error {
	line, err := json.Marshal(struct {
		At     time.Time `json:"at"`
		Reason string    `json:"reason"`
		Target string    `json:"target"`
		Body   []byte    `json:"body"` // base64
	}{now.UTC(), reason, rec.Target, rec.Body})
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "rejected.jsonl")
	if info, err := os.Stat(path); err == nil && info.Size()+int64(len(line)) > MaxRejected {
		if err := os.Rename(path, filepath.Join(dir, "rejected.old.jsonl")); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}
