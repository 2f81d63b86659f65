package dash

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden pins all that is read of MPDs as the field's packagers write them,
// and what a player would ask for, at ten o'clock where they are live. After a
// deliberate change: go test -run Golden -update, and read the difference.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.mpd")
	if err != nil || len(files) == 0 {
		t.Fatal("no MPDs", err)
	}
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m := mustParse(t, string(body))
			head, err := json.MarshalIndent(m, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			got := string(head) + "\n" + requests(m, now)
			golden := strings.TrimSuffix(file, ".mpd") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Error(d)
			}
		})
	}
}

// requests is a line for each thing that each representation can be asked for.
func requests(m *MPD, now time.Time) string {
	var b strings.Builder
	start, edge := m.Window(now)
	fmt.Fprintf(&b, "window %v to %v\n", start, edge)
	show := func(what string, r Ref, err error) {
		if err != nil {
			fmt.Fprintf(&b, "  %s: %v\n", what, err)
			return
		}
		fmt.Fprintf(&b, "  %s: %s [%d+%d] at %v for %v\n", what, r.URL, r.ByteRange.Offset, r.ByteRange.Length, r.Start, r.Duration)
	}
	for i := range m.Periods {
		for j := range m.Periods[i].AdaptationSets {
			set := &m.Periods[i].AdaptationSets[j]
			for k := range set.Representations {
				r := &set.Representations[k]
				fmt.Fprintf(&b, "period %d, %s %s, chunked %v\n", i, set.ContentType, r.ID, r.Chunked())
				if init, ok := r.Init(); ok {
					show("init", init, nil)
				}
				if index, ok := r.Index(); ok {
					show("index", index, nil)
				}
				first, err := r.First()
				show("first", first, err)
				last, err := r.Last()
				show("last", last, err)
				if m.Dynamic {
					at, err := r.LiveEdge(now)
					show("live edge", at, err)
					at, err = r.At(edge - 10*time.Second)
					show("10 s behind", at, err)
				}
			}
		}
	}
	return b.String()
}
