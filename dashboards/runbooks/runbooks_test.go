// Package runbooks_test proves that the queries in the runbooks are understood
// by the collector and that their links lead somewhere.
package runbooks_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/collector/query"
)

var (
	queried = regexp.MustCompile(`(?s)--json '([^']*)' http://127\.0\.0\.1:8480/api/v1/query\n`)
	link    = regexp.MustCompile(`\]\(([a-z-]+\.md)\)`)
)

// sections are what each page of an alert has, in this order.
var sections = []string{"## What it means\n", "## First look\n", "## Whose fault\n", "## What to do\n", "## How to verify\n", "## Who to tell\n"}

var pages = []string{"fast-burn.md", "slow-burn.md", "regional-degradation.md", "silent-country.md", "silent-agent.md",
	"certificate-expiry.md", "stale-playlist.md", "collector.md"}

func TestQueries(t *testing.T) {
	files, err := filepath.Glob("*.md")
	if err != nil || len(files) < len(pages) {
		t.Fatalf("runbooks found: %q, %v", files, err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			text := read(t, file)
			matches := queried.FindAllStringSubmatch(text, -1)
			if n := strings.Count(text, "--json"); n != len(matches) {
				t.Errorf("%d queries, of which only %d can be read", n, len(matches))
			}
			for _, m := range matches {
				q, err := query.Parse([]byte(m[1]))
				if err == nil {
					_, err = q.Resolve(time.Now())
				}
				if err != nil {
					t.Errorf("%v in\n%s", err, m[1])
				}
			}
			for _, m := range link.FindAllStringSubmatch(text, -1) {
				if _, err := os.Stat(m[1]); err != nil {
					t.Errorf("link: %v", err)
				}
			}
		})
	}
}

func TestPages(t *testing.T) {
	index := read(t, "README.md")
	for _, page := range pages {
		text := read(t, page)
		if !queried.MatchString(text) {
			t.Errorf("%s asks the collector nothing", page)
		}
		if !strings.Contains(index, "]("+page+")") {
			t.Errorf("%s is not in the index", page)
		}
		at := 0
		for _, s := range sections {
			i := strings.Index(text[at:], s)
			if i < 0 {
				t.Errorf("%s lacks %q, or has it out of order", page, strings.TrimSpace(s))
				continue
			}
			at += i
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
