package wal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// filled makes a closed log of one segment with the given bodies, and gives
// its locations and the segment's path.
func filled(t testing.TB, bodies ...string) (dir, path string, locs []Location) {
	t.Helper()
	dir = t.TempDir()
	l := open(t, dir, Config{})
	for _, b := range bodies {
		locs = append(locs, appendBody(t, l, b))
	}
	locs = append(locs, l.End())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, filepath.Join(dir, name(1)), locs
}

func edit(t testing.TB, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(b), 0o640); err != nil {
		t.Fatal(err)
	}
}

// A crash can leave any prefix of the last record: it is cut, those before it
// stay, and the log goes on.
func TestTornTail(t *testing.T) {
	dir, path, locs := filled(t, "one", "two", "three")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := locs[2].Offset; size < int64(len(whole)); size++ {
		edit(t, path, func([]byte) []byte { return slices.Clone(whole[:size]) })
		l, err := Open(dir, Config{})
		if err != nil {
			t.Fatal(err)
		}
		if want := size - locs[2].Offset; l.Cut() != want {
			t.Errorf("size %d: cut %d bytes, want %d", size, l.Cut(), want)
		}
		appendBody(t, l, "four")
		if got, errs := bodies(l, Location{}); !slices.Equal(got, []string{"one", "two", "four"}) || errs != nil {
			t.Errorf("size %d: %q, %v", size, got, errs)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTornSegmentHead(t *testing.T) {
	for size := range int(segmentHead) {
		dir, path, _ := filled(t)
		if err := os.WriteFile(path, make([]byte, size), 0o640); err != nil {
			t.Fatal(err)
		}
		l := open(t, dir, Config{})
		if loc := appendBody(t, l, "first"); loc.Segment != 2 {
			t.Fatalf("first record at %s, want it in segment 2", loc)
		}
		if got, errs := bodies(l, Location{}); !slices.Equal(got, []string{"first"}) || errs != nil {
			t.Errorf("head of %d bytes: %q, %v; nothing was lost", size, got, errs)
		}
	}
}

// A spoilt record in the middle costs that record alone, and is reported.
func TestSpoiltRecord(t *testing.T) {
	for _, c := range []struct {
		name string
		at   int64 // from the second record's start
	}{
		{"length", 0}, {"payload's checksum", 4}, {"head's checksum", 8}, {"time", 12}, {"body", 55},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, path, locs := filled(t, "first body", "second body", "third body")
			edit(t, path, func(b []byte) []byte { b[locs[1].Offset+c.at] ^= 0x40; return b })
			l := open(t, dir, Config{})
			got, errs := bodies(l, Location{})
			if diff := cmp.Diff([]string{"first body", "third body"}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(errs) != 1 || !errors.Is(errs[0], ErrCorrupt) {
				t.Errorf("errors %v, want one ErrCorrupt", errs)
			}
			if _, err := l.Read(locs[1]); !errors.Is(err, ErrCorrupt) {
				t.Errorf("Read: %v, want ErrCorrupt", err)
			}
			if l.Cut() != 0 {
				t.Errorf("cut %d bytes although a whole record follows", l.Cut())
			}
		})
	}
}

// A body that holds a copy of the log's own frames must not be taken for them,
// not even when the record around it is torn.
func TestForgedFrames(t *testing.T) {
	_, path, locs := filled(t, "forged")
	copied, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	forged := bytes.Repeat(copied[locs[0].Offset:locs[1].Offset], 3)
	dir, path, locs := filled(t, "one", string(forged))
	edit(t, path, func(b []byte) []byte { b[locs[1].Offset] ^= 1; return b })
	l := open(t, dir, Config{})
	if got, _ := bodies(l, Location{}); !slices.Equal(got, []string{"one"}) {
		t.Errorf("replayed %q, want the first record alone", got)
	}
}

func TestSpoiltSegmentHead(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Config{SegmentBytes: 100})
	appendBody(t, l, string(make([]byte, 80)))
	appendBody(t, l, "in the second segment")
	edit(t, filepath.Join(dir, name(1)), func(b []byte) []byte { b[9] ^= 1; return b })
	got, errs := bodies(l, Location{})
	if !slices.Equal(got, []string{"in the second segment"}) || len(errs) != 1 || !errors.Is(errs[0], ErrCorrupt) {
		t.Errorf("replayed %q, %v", got, errs)
	}
}

// FuzzReader feeds the reader any segment: it must end, stay within its bounds,
// and only give frames that are sealed.
func FuzzReader(f *testing.F) {
	_, path, _ := filled(f, "one", "two", "three")
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add(whole[:segmentHead])
	f.Add([]byte(nil))
	f.Add(append(slices.Clone(whole), whole...))
	f.Fuzz(func(t *testing.T, b []byte) {
		src := bytes.NewReader(b)
		salt, err := readHead(src)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		r := newReader(src, salt, int64(len(b)), DefaultMaxRecord)
		for {
			before := r.off
			rec, err := r.next()
			if r.off > int64(len(b)) || err == nil && r.off < before+frameHead+int64(len(rec.Body)) {
				t.Fatalf("moved from %d to %d of %d with a body of %d", before, r.off, len(b), len(rec.Body))
			}
			if err != nil && !errors.Is(err, ErrCorrupt) {
				return
			}
			if r.off <= before {
				t.Fatalf("stuck at %d", before)
			}
		}
	})
}
