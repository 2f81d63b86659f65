package near

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNames(t *testing.T) {
	for name, test := range map[string]struct {
		name  string
		names []string
		want  []string
	}{
		"one letter":               {"contry", []string{"cdn", "country", "county"}, []string{"country", "county"}},
		"case is no difference":    {"CDN", []string{"cdn"}, []string{"cdn"}},
		"three at most, best":      {"aaab", []string{"axxb", "aaxb", "aaab", "axab", "aaxx"}, []string{"aaab", "aaxb", "axab"}},
		"nothing near":             {"zzzzzz", []string{"country"}, []string{}},
		"all of a short one":       {"x", []string{"a", "b"}, []string{}},
		"a third of a long one":    {"ttff_p95", []string{"ttff_ms_p95"}, []string{"ttff_ms_p95"}},
		"more than a third":        {"ttff", []string{"ttff_ms_p95"}, []string{}},
		"too long to look for":     {strings.Repeat("a", 65), []string{strings.Repeat("a", 64)}, []string{}},
		"no names, an empty name":  {"", nil, []string{}},
		"an empty name is no help": {"", []string{"ab", "abc"}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Names(test.name, test.names)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("%s to %s: %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
