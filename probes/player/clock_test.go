package player

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// A player has no time but that of its run's clock: else it could not be played
// again.
func TestNoOtherClock(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	other := regexp.MustCompile(`time\.(Now|Since|Until|Sleep|After|AfterFunc|Tick|NewTimer|NewTicker)\(|context\.With(Timeout|Deadline)`)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if found := other.FindString(string(source)); found != "" {
			t.Errorf("%s has %s", name, found)
		}
	}
}

// What a player leaves to chance is the same for the same seed, and another for
// another.
func TestSeed(t *testing.T) {
	delays := func(seed uint64) (all [4]time.Duration) {
		s := &session{cfg: Config{Seed: seed}, model: shaka}
		for i := range all {
			all[i] = s.policy(run.StepSegment).delay(0)
		}
		return all
	}
	if a, b := delays(7), delays(7); a != b || a[0] == a[1] {
		t.Errorf("%v, then %v", a, b)
	}
	if a, b, c := delays(7), delays(8), delays(0); a == b || a == c {
		t.Errorf("%v, of other seeds %v and %v", a, b, c)
	}
}
