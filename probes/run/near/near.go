// Package near finds what was meant by a name that is misspelt.
package near

import (
	"slices"
	"strings"
)

const (
	most    = 3  // names that are proposed
	longest = 64 // bytes of a name that something near is looked for
)

// Names lists at most three of names that may be meant by name, best first:
// those that differ from it in at most a third of its bytes (two bytes in a
// short one), upper and lower case being alike. Of equally good ones the first
// in names comes first. For a name of more than 64 bytes there are none. The
// list is never nil.
func Names(name string, names []string) []string {
	best := []string{}
	if len(name) > longest {
		return best
	}
	type candidate struct {
		name  string
		edits int
	}
	var found []candidate
	for _, n := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(n)); d <= max(2, (len(name)+1)/3) && d < len(n) {
			found = append(found, candidate{n, d})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.edits - b.edits })
	for _, c := range found[:min(most, len(found))] {
		best = append(best, c.name)
	}
	return best
}

// distance is the Levenshtein distance of a and b in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = min(diagonal, row[j], row[j+1]) + 1
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
