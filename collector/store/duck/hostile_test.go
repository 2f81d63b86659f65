package duck_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/collector/store/duck"
	"github.com/firstframe/firstframe/collector/store/storetest"
)

// No text that a sender chooses makes Append fail, for such a row would be
// tried for ever and hold up all that follow.
func TestHostileText(t *testing.T) {
	s := open(t, duck.Config{Dir: t.TempDir()})
	for name, text := range map[string]string{
		"NUL":            "a\x00b",
		"only NUL":       "\x00",
		"not UTF-8":      "\xff\xfe\xc0\x80",
		"half surrogate": "\xed\xa0\x80",
		"SQL":            "'; DROP TABLE runs; --",
		"large":          strings.Repeat("\x00é", 20_000),
	} {
		t.Run(name, func(t *testing.T) {
			r := storetest.Runs(uint64(len(text)), 1, time.Now(), time.Hour)[0]
			r.Target, r.City, r.ErrorDetail, r.Agent = text, text, text, text
			r.Labels = map[string]string{text: text}
			r.DurationMs = math.Inf(1)
			if n, err := s.Append(t.Context(), []store.Row{{Run: r}}, nil, store.Location{Segment: 1}); n != 1 || err != nil {
				t.Fatalf("%d rows, %v", n, err)
			}
			got, _, err := s.Run(t.Context(), r.RunID)
			if want := strings.ToValidUTF8(text, "\uFFFD"); err != nil || got.Target != want || got.ErrorDetail != want {
				t.Errorf("%v, target %.20q, want %.20q", err, got.Target, want)
			}
		})
	}
}
