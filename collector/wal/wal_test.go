package wal

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var addrs = cmpopts.EquateComparable(netip.Addr{})

func open(t testing.TB, dir string, cfg Config) *Log {
	t.Helper()
	l, err := Open(dir, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func record(body string) *Record {
	return &Record{
		ReceivedAt:  time.Unix(1700000000, 123456789).UTC(),
		ClientIP:    netip.MustParseAddr("203.0.113.7"),
		Encoding:    "gzip",
		ContentType: "application/x-protobuf",
		Body:        []byte(body),
	}
}

func appendBody(t testing.TB, l *Log, body string) Location {
	t.Helper()
	loc, err := l.Append(record(body))
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// bodies replays and gives what was read, and the errors.
func bodies(l *Log, from Location) (got []string, errs []error) {
	for e, err := range l.From(from) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		got = append(got, string(e.Body))
	}
	return got, errs
}

func TestAppendReadReplay(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Config{SegmentBytes: 300})
	var locs []Location
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprintf("body %d", i))
		locs = append(locs, appendBody(t, l, want[i]))
	}
	if s := l.Stats(); s.Segments < 5 {
		t.Errorf("%d segments, want at least 5 of 300 bytes", s.Segments)
	}
	check := func(l *Log) {
		t.Helper()
		for i, loc := range locs {
			got, err := l.Read(loc)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(*record(want[i]), got, addrs); diff != "" {
				t.Errorf("record %d (-want +got):\n%s", i, diff)
			}
		}
		for _, from := range []int{0, 7, 19} {
			got, errs := bodies(l, locs[from])
			if diff := cmp.Diff(want[from:], got); diff != "" || errs != nil {
				t.Errorf("from %d: errors %v, (-want +got):\n%s", from, errs, diff)
			}
		}
		if got, errs := bodies(l, l.End()); len(got)+len(errs) > 0 {
			t.Errorf("from the end: %v, %v", got, errs)
		}
	}
	check(l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, Config{SegmentBytes: 300})
	check(l)
	if l.Cut() != 0 {
		t.Errorf("cut %d bytes of a log that was closed in order", l.Cut())
	}
}

func TestRecordRoundTrip(t *testing.T) {
	l := open(t, t.TempDir(), Config{SegmentBytes: 4096})
	rapid.Check(t, func(t *rapid.T) {
		want := Record{
			ReceivedAt:  time.Unix(0, rapid.Int64().Draw(t, "at")).UTC(),
			Encoding:    rapid.StringN(0, 60, 255).Draw(t, "encoding"),
			ContentType: rapid.StringN(0, 60, 255).Draw(t, "type"),
			Body:        rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "body"),
		}
		if ip := rapid.SampledFrom([]int{0, 4, 16}).Draw(t, "ip"); ip > 0 {
			want.ClientIP, _ = netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), ip, ip).Draw(t, "address"))
			want.ClientIP = want.ClientIP.Unmap()
		}
		loc, err := l.Append(&want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := l.Read(loc)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, addrs, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func TestConcurrentAppendsShareSyncs(t *testing.T) {
	l := open(t, t.TempDir(), Config{SegmentBytes: 64 << 10})
	const writers, each = 32, 50
	locs := make([]map[Location]string, writers)
	var wg sync.WaitGroup
	for w := range writers {
		locs[w] = map[Location]string{}
		wg.Go(func() {
			for i := range each {
				body := fmt.Sprintf("%d/%d %s", w, i, bytes.Repeat([]byte("x"), i))
				loc, err := l.Append(record(body))
				if err != nil {
					t.Error(err)
				}
				locs[w][loc] = body
			}
		})
	}
	wg.Wait()
	n := 0
	for _, m := range locs {
		for loc, body := range m {
			n++
			got, err := l.Read(loc)
			if err != nil || string(got.Body) != body {
				t.Errorf("%s: %q, %v; want %q", loc, got.Body, err, body)
			}
		}
	}
	if n != writers*each {
		t.Errorf("%d locations for %d records", n, writers*each)
	}
	if s := l.Stats().Syncs; s > writers*each*3/4 {
		t.Errorf("%d syncs for %d records of %d writers: they do not share", s, writers*each, writers)
	}
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, Config{})
	if _, err := Open(dir, Config{}); !errors.Is(err, ErrLocked) {
		t.Errorf("second Open: %v, want ErrLocked", err)
	}
}

func TestClosed(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(record("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close: %v, want ErrClosed", err)
	}
}

func TestBounds(t *testing.T) {
	l := open(t, t.TempDir(), Config{MaxRecord: 200, SegmentBytes: 1000})
	if _, err := l.Append(record(string(make([]byte, 200)))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("record beyond MaxRecord: %v, want ErrTooLarge", err)
	}
	r := record("x")
	r.ContentType = string(make([]byte, 256))
	if _, err := l.Append(r); !errors.Is(err, ErrTooLarge) {
		t.Errorf("content type of 256 bytes: %v, want ErrTooLarge", err)
	}
	if loc := appendBody(t, l, "fits"); loc.Segment != 1 || loc.Offset != segmentHead {
		t.Errorf("first record at %s, want 1:%d", loc, segmentHead)
	}
}

func TestReadNothing(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	loc := appendBody(t, l, "only")
	for _, c := range []struct {
		name string
		loc  Location
		want error
	}{
		{"zero", Location{}, ErrNotFound},
		{"in the segment's head", Location{1, 3}, ErrNotFound},
		{"between frames", Location{1, loc.Offset + 1}, ErrCorrupt},
		{"at the end", l.End(), ErrNotFound},
		{"beyond the end", Location{1, 1 << 40}, ErrNotFound},
		{"a segment to come", Location{9, segmentHead}, ErrNotFound},
	} {
		if _, err := l.Read(c.loc); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestRetain(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Config{SegmentBytes: 100})
	var locs []Location
	for i := range 6 { // one record fills a segment
		locs = append(locs, appendBody(t, l, fmt.Sprintf("%060d", i)))
	}
	if got := locs[5].Segment; got != 6 {
		t.Fatalf("sixth record in segment %d, want 6", got)
	}
	one := l.Stats().Bytes / 6
	now := time.Now()
	for _, c := range []struct {
		name    string
		now     time.Time
		r       Retention
		applied Location
		oldest  uint64
	}{
		{"no bounds", now.Add(time.Hour), Retention{}, l.End(), 1},
		{"young enough", now, Retention{Age: time.Hour}, l.End(), 1},
		{"too big, but not applied", now, Retention{Bytes: 1}, locs[0], 1},
		{"too big by one", now, Retention{Bytes: 5 * one}, l.End(), 2},
		{"old, applied up to 3", now.Add(2 * time.Hour), Retention{Age: time.Hour}, locs[2], 3},
		{"old: the active one stays", now.Add(2 * time.Hour), Retention{Age: time.Hour}, l.End(), 6},
	} {
		if _, err := l.Retain(c.now, c.r, c.applied); err != nil {
			t.Fatal(err)
		}
		if got := l.Stats().Oldest.Segment; got != c.oldest {
			t.Errorf("%s: oldest segment %d, want %d", c.name, got, c.oldest)
		}
	}
	if _, err := l.Read(locs[0]); !errors.Is(err, ErrExpired) {
		t.Errorf("a deleted record: %v, want ErrExpired", err)
	}
	if got, errs := bodies(l, locs[0]); len(got) != 1 || errs != nil {
		t.Errorf("replay from an expired location gave %d records, %v; want the 1 that is left", len(got), errs)
	}
	if _, err := os.Stat(filepath.Join(dir, name(1))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("segment 1 is still there: %v", err)
	}
}

// A location that a store remembers must never come to point at a newer
// record, even when the directory is emptied.
func TestAppliedIsNeverReused(t *testing.T) {
	for _, c := range []struct {
		name    string
		applied Location
		segment uint64
	}{
		{"directory emptied", Location{7, 500}, 8},
		{"nothing applied", Location{}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := open(t, t.TempDir(), Config{Applied: c.applied})
			if loc := appendBody(t, l, "new"); loc.Segment != c.segment {
				t.Errorf("first record at %s, want segment %d", loc, c.segment)
			}
		})
	}
	t.Run("restored from an older copy", func(t *testing.T) {
		dir := t.TempDir()
		l := open(t, dir, Config{})
		appendBody(t, l, "old")
		applied := l.End()
		applied.Offset += 100
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, dir, Config{Applied: applied})
		if loc := appendBody(t, l, "new"); loc.Compare(applied) < 0 {
			t.Errorf("new record at %s, before %s", loc, applied)
		}
	})
}
