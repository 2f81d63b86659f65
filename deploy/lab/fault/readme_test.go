package fault

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of kinds into the README")

// The README's table is the one in Kinds.
func TestREADME(t *testing.T) {
	const name, open, end = "../README.md", "-update -->\n", "<!-- /kinds -->"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), open)
	_, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("no place for the table")
	}
	want := head + open + table() + end + tail
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Error("the README's table is old: go test ./deploy/lab/fault -update")
	}
}

func table() string {
	var b strings.Builder
	b.WriteString("| kind | layer | takes | hits | what happens | `error_type` | `error_step` |\n|---|---|---|---|---|---|---|\n")
	for _, k := range Kinds {
		takes := strings.Join(k.Needs, ", ")
		for _, o := range k.Optional {
			takes += "(" + o + ")"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s | %s |\n", k.Name, k.Layer, takes, k.On, k.Doc, k.ErrorType, k.ErrorStep)
	}
	return b.String()
}
