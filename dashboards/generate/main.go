// Command generate writes the dashboards and alert rules into the folder
// dashboards, where it is to be run: go generate ./dashboards.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/firstframe/firstframe/dashboards"
)

func main() {
	if err := generate(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func generate() error {
	files, err := dashboards.Files()
	if err != nil {
		return err
	}
	for name, text := range files {
		name = filepath.FromSlash(name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
