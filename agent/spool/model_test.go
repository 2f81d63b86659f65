package spool

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestModel drives a spool against the plainest model: what was put and not
// ended must be there, once, over any number of reopenings.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "spool")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		cfg := Config{Dir: dir, Log: quiet, segmentBytes: 200}
		s, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { s.Close() }()
		waiting, outside := map[string]bool{}, map[string]Item{}
		next := 0
		pick := func(t *rapid.T) string {
			if len(outside) == 0 {
				t.Skip("nothing is out")
			}
			var ids []string
			for id := range outside {
				ids = append(ids, id)
			}
			slices.Sort(ids)
			return rapid.SampledFrom(ids).Draw(t, "id")
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				n := rapid.IntRange(1, 5).Draw(t, "n")
				var wg sync.WaitGroup
				for range n {
					id := fmt.Sprint("run", next)
					next++
					waiting[id] = true
					wg.Go(func() {
						if kept, err := s.Put(context.Background(), Record{At: start, Target: "t", Body: []byte(id)}); err != nil || kept != OnDisk {
							t.Errorf("put: %v, %v", kept, err)
						}
					})
				}
				wg.Wait()
			},
			"take": func(t *rapid.T) {
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				n := rapid.IntRange(1, 10).Draw(t, "n")
				items, _ := s.Take(ctx, Want{Runs: n})
				if len(items) != min(n, len(waiting)) {
					t.Fatalf("took %d of %d, want %d", len(items), len(waiting), n)
				}
				for _, it := range items {
					id := string(it.Body)
					if !waiting[id] {
						t.Fatalf("%s was not waiting", id)
					}
					delete(waiting, id)
					outside[id] = it
				}
			},
			"commit": func(t *rapid.T) {
				id := pick(t)
				if err := s.Commit(outside[id]); err != nil {
					t.Fatal(err)
				}
				delete(outside, id)
			},
			"give back": func(t *rapid.T) {
				id := pick(t)
				s.GiveBack(outside[id])
				delete(outside, id)
				waiting[id] = true
			},
			"set aside": func(t *rapid.T) {
				id := pick(t)
				if err := s.SetAside(outside[id], "bad"); err != nil {
					t.Fatal(err)
				}
				delete(outside, id)
			},
			"reopen": func(t *rapid.T) {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if s, err = Open(cfg); err != nil {
					t.Fatal(err)
				}
				for id := range outside {
					waiting[id] = true
				}
				clear(outside)
			},
			"": func(t *rapid.T) {
				st := s.Stats()
				if st.Fresh+st.Backlog != len(waiting) || st.InFlight != len(outside) {
					t.Fatalf("stats %+v, want %d waiting and %d out", st, len(waiting), len(outside))
				}
			},
		})
	})
}

// BenchmarkPut reports puts per second, and how many that is for each write
// and fsync of the same size that the disk does in a loop.
func BenchmarkPut(b *testing.B) {
	body := make([]byte, 7<<10)
	f, err := os.Create(b.TempDir() + "/bare")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	const bare = 200
	begin := time.Now()
	for range bare {
		if _, err := f.Write(body); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	perSecond := bare / time.Since(begin).Seconds()
	for _, callers := range []int{1, 32} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := open(b, Config{})
			b.SetBytes(int64(len(body)))
			var wg sync.WaitGroup
			for c := range callers {
				wg.Go(func() {
					for i := c; i < b.N; i += callers {
						if _, err := s.Put(context.Background(), Record{At: start, Target: "t", Body: body}); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			rate := float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(rate, "puts/s")
			b.ReportMetric(rate/perSecond, "of-bare-fsync")
		})
	}
}
