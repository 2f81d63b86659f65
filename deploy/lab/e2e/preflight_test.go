package e2e

import (
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/lab"
	"github.com/firstframe/firstframe/deploy/lab/ledger"
	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/run"
)

// TestPreflights plays as a web app whose requests cost preflights, of the service's
// own interface and with CMCD in headers. They name no run; the ledger knows whose
// they were all the same.
func TestPreflights(t *testing.T) {
	t.Parallel()
	l := startLab(t, lab.Config{Fast: true})
	for _, version := range []string{"1.1", "2", "3"} {
		t.Run(version, func(t *testing.T) {
			s := feature{stream: "api", player: "hlsjs", http: version}.spec(t, l, "DE")
			s.App.CMCD, s.App.Headers = "header", map[string]string{"Origin": "https://www.lab.example"}
			r := probes.Probe(t.Context(), s)
			if !r.OK {
				t.Fatalf("%s at %s: %s", r.ErrorType, r.ErrorStep, r.ErrorDetail)
			}
			if first, second := r.Steps[0], r.Steps[1]; first.Name != run.StepPlaybackAPI || first.Method != http.MethodOptions ||
				second.Name != run.StepPlaybackAPI || second.Method != http.MethodPost {
				t.Errorf("first %s %s, then %s %s; want a preflight of the interface, and its answer", first.Name, first.Method, second.Name, second.Method)
			}
			want := map[string]int{}
			for _, step := range r.Steps {
				if !step.IsWait() {
					want[map[string]string{"": http.MethodGet}[step.Method]+step.Method]++
				}
			}
			if want[http.MethodOptions] < 4 {
				t.Errorf("requests %v: want a preflight of the interface, the manifest, a playlist and a segment at least", want)
			}
			eventually(t, 10*time.Second, "the ledger has the run's requests", func() bool {
				got := map[string]int{}
				if err := l.LedgerEntries(func(e ledger.Entry) error {
					if e.SID == r.RunID {
						got[e.Method]++
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				return maps.Equal(got, want)
			})
		})
	}
}
