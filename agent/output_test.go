package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

// Runs are reported as the command line names what to play, although each
// repetition plays in random order: the first that is named is the one that
// others are compared with.
func TestRunsInOrder(t *testing.T) {
	o := newOutput(&outputFlags{}, &environment{stdout: io.Discard, stderr: io.Discard}, 3, 2)
	for _, at := range [][2]int{{0, 2}, {0, 0}, {0, 1}, {1, 1}, {1, 0}} { // the last was cut off
		if err := o.take(at[0], at[1], run.Run{RunID: fmt.Sprint(at), Good: true}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, r := range o.inOrder() {
		got = append(got, r.RunID)
	}
	if diff := cmp.Diff([]string{"[0 0]", "[0 1]", "[0 2]", "[1 0]", "[1 1]"}, got); diff != "" || o.bad {
		t.Errorf("bad %t (-want +got):\n%s", o.bad, diff)
	}
}

// Where writing fails, what was there before stays, and nothing else does.
func TestWriteFileKeepsWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "page.html")
	if err := os.WriteFile(name, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := writeFile(name, func(w io.Writer) error {
		_, err := io.WriteString(w, "half")
		return errors.Join(err, broken)
	})
	text, readErr := os.ReadFile(name)
	files, _ := os.ReadDir(dir)
	if !errors.Is(err, broken) || readErr != nil || string(text) != "before" || len(files) != 1 {
		t.Errorf("%v, %v: %q and %d files", err, readErr, text, len(files))
	}
	if err := writeFile(name, func(w io.Writer) error { _, err := io.WriteString(w, "after"); return err }); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(name); string(text) != "after" {
		t.Errorf("%q", text)
	}
}
