package player

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A segment is held as long as its initialization segment has failed, also where
// it is not under way when that happens; one that has come is not asked for again.
func TestFragment(t *testing.T) {
	for _, tt := range []struct {
		name          string
		fails, tries  []int // ms
		asked         []int // ms
		dropped       int
		after         int // ms, of the last request
		begins, takes int // ms
	}{
		{"never", nil, nil, []int{0}, 0, 0, 0, 50},
		{"under way", []int{10}, []int{100}, []int{0, 100}, 1, 100, 0, 50},
		{"twice", []int{10, 110}, []int{100, 200}, []int{0, 100, 200}, 2, 200, 0, 50},
		{"twice before it is under way", []int{10, 30}, []int{20, 100}, []int{100}, 0, 100, 40, 50},
		{"before it is under way", []int{10}, []int{100}, []int{100}, 0, 100, 20, 50},
		{"long before it is under way", []int{10}, []int{20}, []int{40}, 0, 40, 40, 50},
		{"once it has come", []int{60}, []int{100}, []int{0}, 0, 0, 0, 50},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, f := time.Now(), new(fragment)
				at := func(ms int) Moment { return Moment{start.Add(time.Duration(ms) * time.Millisecond), 1} }
				go func() {
					tries := tt.tries
					for _, ms := range tt.fails {
						time.Sleep(time.Until(at(ms).At))
						if f.fails(); len(tries) > 0 {
							time.Sleep(time.Until(at(tries[0]).At))
							f.retries(at(tries[0]))
							tries = tries[1:]
						}
					}
				}()
				time.Sleep(time.Until(at(tt.begins).At))
				var asked []int
				dropped := 0
				var last ask
				_, err := f.load(t.Context(), ask{after: at(tt.begins), think: time.Millisecond}, func(ctx context.Context, a ask) (answer, error) {
					asked, last = append(asked, int(time.Since(start).Milliseconds())), a
					select {
					case <-time.After(time.Duration(tt.takes) * time.Millisecond):
						return answer{Moment: at(0)}, nil
					case <-ctx.Done():
						dropped++
						return answer{}, errGivenUp
					}
				})
				synctest.Wait()
				time.Sleep(time.Second)
				if err != nil {
					t.Fatal(err)
				}
				if len(asked) != len(tt.asked) || dropped != tt.dropped {
					t.Fatalf("asked for at %v, dropped %d times; want %v and %d", asked, dropped, tt.asked, tt.dropped)
				}
				for i := range asked {
					if asked[i] != tt.asked[i] {
						t.Errorf("asked for at %v, want %v", asked, tt.asked)
					}
				}
				if got := int(last.after.At.Sub(start).Milliseconds()); got != tt.after {
					t.Errorf("after %d ms, want %d", got, tt.after)
				}
				if atOnce := slices.Contains(tt.tries, tt.after); atOnce != (last.think == 0) {
					t.Errorf("after %v of its own time, at once: %v", last.think, atOnce)
				}
			})
		})
	}
}
