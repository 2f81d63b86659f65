package dashboards_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firstframe/firstframe/dashboards"
)

// TestFilesAreCurrent compares what is committed with what the code makes.
func TestFilesAreCurrent(t *testing.T) {
	files, err := dashboards.Files()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			t.Error(err)
			continue
		}
		if d := cmp.Diff(string(want), string(got)); d != "" {
			t.Errorf("%s is not what the code makes; run go generate ./dashboards (-want +got):\n%s", name, d)
		}
	}
	for _, pattern := range []string{"json/*", "alerting/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			if _, ok := files[filepath.ToSlash(name)]; !ok {
				t.Errorf("%s is not made by the code any more: remove it", name)
			}
		}
	}
}
