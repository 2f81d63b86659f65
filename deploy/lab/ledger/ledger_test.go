package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAppendAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	l, err := Open(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var wg sync.WaitGroup
	const writers, each = 8, 50
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				e := Entry{Time: time.Unix(int64(i), 0).UTC(), CDN: "cdn-a", Path: "/x", Status: 200, SID: fmt.Sprintf("%02d", w)}
				if err := l.Append(e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	count := map[string]int{}
	if err := Read(path, func(e Entry) error { count[e.SID]++; return nil }); err != nil {
		t.Fatal(err)
	}
	for w := range writers {
		if n := count[fmt.Sprintf("%02d", w)]; n != each {
			t.Errorf("writer %d: %d entries, want %d", w, n, each)
		}
	}
	rec := httptest.NewRecorder()
	l.ServeHTTP(rec, httptest.NewRequest("GET", "/ledger?sid=03", nil))
	if n := bytes.Count(rec.Body.Bytes(), []byte("\n")); n != each || strings.Contains(rec.Body.String(), `"sid":"04"`) {
		t.Errorf("%d lines for one run, want %d", n, each)
	}
}

// A preflight has the run of its connection, whether that was named before it or after.
func TestPreflights(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	l, err := Open(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, e := range []Entry{
		{Path: "/1", Edge: "a", Conn: 1, Method: "OPTIONS"},
		{Path: "/2", Edge: "a", Conn: 1, Method: "GET", SID: "one"},
		{Path: "/3", Edge: "b", Conn: 1, Method: "GET", SID: "other"},
		{Path: "/4", Edge: "a", Conn: 1, Method: "OPTIONS"},
		{Path: "/5", Edge: "a", Conn: 1, Method: "GET"},
		{Path: "/6", Edge: "a", Conn: 2, Method: "OPTIONS"},
		{Path: "/7", Edge: "b", Conn: 0, Method: "GET", SID: "unknown"},
		{Path: "/8", Edge: "b", Conn: 0, Method: "OPTIONS"},
	} {
		if err := l.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]string{}
	if err := Read(path, func(e Entry) error { got[e.Path] = e.SID; return nil }); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"/1": "one", "/2": "one", "/3": "other", "/4": "one", "/5": "", "/6": "", "/7": "unknown", "/8": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	rec := httptest.NewRecorder()
	l.ServeHTTP(rec, httptest.NewRequest("GET", "/ledger?sid=one", nil))
	if n := strings.Count(rec.Body.String(), "\n"); n != 3 {
		t.Errorf("%d lines for one run, want 3:\n%s", n, rec.Body)
	}
}

func TestEntrySurvives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	l, err := Open(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	want := Entry{Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Ms: 1.5, Edge: "127.100.1.1", CDN: "cdn-a", POP: "GRU",
		Conn: 17, Client: "127.10.0.10", Country: "BR", ASN: 28573, Proto: "HTTP/2.0", Method: "GET", Path: "/a\n\"b", Range: "bytes=0-1",
		Status: 206, Bytes: 2, Cache: "hit", SID: "s", AppVersion: "2.0.0", Fault: "f,g"}
	if err := l.Append(want); err != nil {
		t.Fatal(err)
	}
	// A client cannot make a line that readers choke on.
	if err := l.Append(Entry{Path: strings.Repeat("<", 1<<20)}); err != nil {
		t.Fatal(err)
	}
	var got []Entry
	if err := Read(path, func(e Entry) error { got = append(got, e); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 {
		t.Fatalf("%d entries, want 2", len(got))
	}
	if d := cmp.Diff(want, got[0]); d != "" {
		t.Error(d)
	}
}

func TestBound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	const max = 4096
	l, err := Open(path, max)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i := range 1000 {
		if err := l.Append(Entry{Bytes: int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{path, path + ".1"} {
		if info, err := os.Stat(name); err != nil || info.Size() > max {
			t.Errorf("%s: %v, %v", name, info.Size(), err)
		}
	}
	last := int64(-1)
	if err := Read(path, func(e Entry) error {
		if last >= 0 && e.Bytes != last+1 {
			t.Errorf("entry %d follows %d", e.Bytes, last)
		}
		last = e.Bytes
		return nil
	}); err != nil || last != 999 {
		t.Errorf("ends with %d, %v", last, err)
	}
}

func TestReadStops(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	if err := Read(path, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte("{}\n{nonsense\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Read(path, func(Entry) error { return nil }); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a broken line: %v", err)
	}
}

func BenchmarkAppend(b *testing.B) {
	l, err := Open(filepath.Join(b.TempDir(), "ledger.jsonl"), 0)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	e := Entry{Time: time.Now(), CDN: "cdn-a", POP: "GRU", Path: "/vod/ts/360p/0.ts", Status: 200, SID: strings.Repeat("0", 32)}
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Append(e); err != nil {
			b.Fatal(err)
		}
	}
}
