package schedule

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestControl(t *testing.T) {
	for _, tt := range []struct {
		name string
		fail []string // control targets that fail
		want bool
	}{
		{"all play", nil, true},
		{"one plays", []string{"control-1"}, true},
		{"none plays", []string{"control-1", "control-2"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec := &recorder{takes: always(time.Second), fails: func(a Attempt) bool { return slices.Contains(tt.fail, a.Target.Name) }}
				s := New(Config{Probe: rec.probe, ControlEvery: time.Minute})
				s.Update(Plan{
					Revision: "r", Control: slices.Concat(jobs("control-1", 0, ""), jobs("control-2", 0, "")),
					Jobs: slices.Concat(jobs("news", 10*time.Second, "a"), jobs("sport", 10*time.Second, "a")),
				})
				during(t, s, time.Hour)
				var control time.Time
				n := 0
				for _, m := range rec.attempts() {
					switch {
					case m.Target.Name == "control-1":
						if since := m.at.Sub(control); since < time.Minute {
							t.Fatalf("control targets again after %v", since)
						}
						control = m.at
						n++
						fallthrough
					case m.Target.Name == "control-2":
						if !m.Control || m.ControlOK != nil || m.PlanRevision != "r" || !strings.HasPrefix(m.Round, "control@") {
							t.Fatalf("control attempt %+v", m)
						}
					case m.ControlOK == nil || *m.ControlOK != tt.want || m.Control:
						t.Fatalf("attempt %+v, want control_ok %t", m, tt.want)
					case m.at.Sub(control) > 65*time.Second || m.at.Before(control.Add(2*time.Second)):
						t.Fatalf("run at %v, control targets began at %v", m.at, control)
					}
				}
				if n < 50 || n > 60 {
					t.Errorf("control targets were played %d times in an hour, want once a minute or a little less", n)
				}
			})
		})
	}
}

// Control targets are played at the shortest of the intervals that the plan
// gives them.
func TestControlInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{takes: always(100 * time.Millisecond)}
		s := New(Config{Probe: rec.probe})
		s.Update(Plan{
			Control: slices.Concat(jobs("control-1", 5*time.Minute, ""), jobs("control-2", 20*time.Second, "")),
			Jobs:    jobs("news", time.Second, "a"),
		})
		during(t, s, time.Hour)
		var before time.Time
		all := rec.of("control-1")
		for _, m := range all {
			if since := m.at.Sub(before); since < 20*time.Second {
				t.Fatalf("control targets again after %v", since)
			}
			before = m.at
		}
		if n := len(all); n < 170 || n > 180 || len(rec.of("control-2")) != n {
			t.Errorf("control targets were played %d and %d times in an hour, want every 20 s or a little less often", n, len(rec.of("control-2")))
		}
	})
}

// What a stop cut short does not call the agent ill.
func TestControlCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{takes: always(time.Hour), fails: func(Attempt) bool { return true }}
		s := New(Config{Probe: rec.probe})
		s.Update(Plan{Control: jobs("control", 0, ""), Jobs: jobs("news", 10*time.Second, "a")})
		during(t, s, time.Minute)
		if n := len(rec.of("news")); n != 0 || len(rec.of("control")) != 1 {
			t.Errorf("%d runs after control was cut short", n)
		}
	})
}
