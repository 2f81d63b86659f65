package player

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// Key, initialization segment and segment of each step onwards are asked for in
// this order, as far as the model asks for them at once.
func TestPlayOnOrder(t *testing.T) {
	t.Parallel()
	const n = 24
	tags := map[int]string{}
	for i := range n {
		tags[i] = fmt.Sprintf("#EXT-X-MAP:URI=\"/cmaf/v360/init.mp4?/%d\"\n", i)
	}
	list := segmented(n, tenth, func(i int) string { return fmt.Sprintf("/cmaf/v360/0.m4s?/%d", i) }, tags)
	o := newOrigin(t, map[string]string{"/l.m3u8": list}, nil)
	r := played(t, playOn(t, o, "/l.m3u8", quick(hlsjs), 2*time.Second), 2*time.Second)
	var order []string
	for _, s := range r.Steps {
		if s.Name == run.StepInit || s.Name == run.StepSegment {
			order = append(order, fmt.Sprint(s.Name, s.URL[strings.LastIndex(s.URL, "/"):]))
		}
	}
	for i := 0; i+1 < len(order); i += 2 {
		if want := fmt.Sprint("/", i/2); order[i] != "init"+want || order[i+1] != "segment"+want {
			t.Errorf("%s before %s", order[i], order[i+1])
		}
	}
	if len(order) < 2*n-2 {
		t.Errorf("%d requests, want two for each of %d segments: %s", len(order), n, order)
	}
}

// What goes out at once goes out in order, and the first failure ends the others.
func TestAtOnce(t *testing.T) {
	var order []int
	var all []part
	for i := range 50 {
		all = append(all, func(_ context.Context, asked func()) error {
			order = append(order, i) // a race where two do so at once
			asked()
			return nil
		})
	}
	if err := atOnce(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	for i, got := range order {
		if got != i {
			t.Fatalf("%d in place of %d", got, i)
		}
	}
	fails := func(context.Context, func()) error { return errOver }
	waits := func(ctx context.Context, asked func()) error { asked(); <-ctx.Done(); return ctx.Err() }
	if err := atOnce(t.Context(), []part{waits, fails}); err != errOver {
		t.Errorf("%v, want %v", err, errOver)
	}
}
