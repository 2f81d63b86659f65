package dash

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// started is a dynamic MPD that began at 2026-01-01.
func started(t *testing.T, attrs, inner string) (*MPD, time.Time) {
	t.Helper()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return mustParse(t, fmt.Sprintf(`<MPD type="dynamic" availabilityStartTime="2026-01-01T00:00:00Z" %s>%s</MPD>`, attrs, inner)), at
}

func numbered(attrs string) string {
	return `<Period start="PT0S"><AdaptationSet contentType="video"><SegmentTemplate duration="2" media="$Number$" ` + attrs + `/><Representation id="v"/></AdaptationSet></Period>`
}

// TestNewestAvailable: which segment is the newest at a time (5.3.9.5.3), with the
// offsets of base URL and template, and after the end.
func TestNewestAvailable(t *testing.T) {
	for _, tt := range []struct {
		name, attrs, inner string
		after              time.Duration // since the start
		want               int64         // number of the newest segment; 0 is none
	}{
		{"complete ones only", "", numbered(""), 21 * time.Second, 10},
		{"none is complete yet", "", numbered(""), 1900 * time.Millisecond, 0},
		{"availabilityTimeOffset", "", numbered(`availabilityTimeOffset="1.5"`), 20500 * time.Millisecond, 11},
		{"of the base URL and the template", "", `<BaseURL availabilityTimeOffset="1">x/</BaseURL>` + numbered(`availabilityTimeOffset="0.5"`), 20500 * time.Millisecond, 11},
		{"INF with an end", `mediaPresentationDuration="PT60S"`, numbered(`availabilityTimeOffset="INF"`), time.Second, 30},
		{"INF without an end", "", numbered(`availabilityTimeOffset="INF"`), 21 * time.Second, 10},
		{"after the last", `mediaPresentationDuration="PT60S"`, numbered(""), time.Hour, 30},
		{"availabilityEndTime is to come", `availabilityEndTime="2026-01-01T00:01:00Z"`, numbered(""), 21 * time.Second, 10},
		{"availabilityEndTime has passed", `availabilityEndTime="2026-01-01T00:01:00Z"`, numbered(""), 61 * time.Second, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, at := started(t, tt.attrs, tt.inner)
			s, err := m.Periods[0].AdaptationSets[0].Representations[0].LiveEdge(at.Add(tt.after))
			if tt.want == 0 {
				noSegment(t, "LiveEdge", s, err)
			} else if err != nil || s.Number != tt.want {
				t.Errorf("number %d, %v; want %d", s.Number, err, tt.want)
			}
		})
	}
}

// TestLowLatency: what makes a presentation one of low latency.
func TestLowLatency(t *testing.T) {
	for _, tt := range []struct {
		name, inner string
		want        bool
	}{
		{"chunked", numbered(`availabilityTimeOffset="1.5" availabilityTimeComplete="false"`), true},
		{"early but complete", numbered(`availabilityTimeOffset="1.5"`), false},
		{"chunked but not early", numbered(`availabilityTimeComplete="false"`), false},
		{"by the base URL", `<BaseURL availabilityTimeOffset="1.5" availabilityTimeComplete="false">x/</BaseURL>` + numbered(""), true},
		{"neither", numbered(""), false},
	} {
		if m, _ := started(t, "", tt.inner); m.LowLatency() != tt.want {
			t.Errorf("%s: %v", tt.name, m.LowLatency())
		}
	}
}

// TestStaleAfter: when the newest segment listed is too old.
func TestStaleAfter(t *testing.T) {
	updated, _ := started(t, `minimumUpdatePeriod="PT5S"`, numbered(""))
	if d, ok := updated.StaleAfter(2 * time.Second); !ok || d != 7*time.Second {
		t.Errorf("%v %v, want 7s", d, ok)
	}
	fixed, _ := started(t, "", numbered(""))
	if d, ok := fixed.StaleAfter(2 * time.Second); ok {
		t.Errorf("an MPD that is not updated is stale after %v", d)
	}
}

// TestPatchLocation: patches are known of, and not needed (5.15).
func TestPatchLocation(t *testing.T) {
	m, _ := started(t, `id="x" publishTime="2026-01-01T00:00:01Z" minimumUpdatePeriod="PT2S"`, `<PatchLocation ttl="60"> p.mpp?t=1 </PatchLocation><PatchLocation>/q</PatchLocation>`+numbered(""))
	want := []Patch{{URL: dir + "p.mpp?t=1", TTL: time.Minute}, {URL: "https://cdn.example/q"}}
	if d := cmp.Diff(want, m.Patches); d != "" {
		t.Error(d)
	}
	if s, err := m.Periods[0].AdaptationSets[0].Representations[0].First(); err != nil || s.Number != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestPrefer: base URLs by service location, as content steering has it.
func TestPrefer(t *testing.T) {
	m := mustParse(t, `<MPD mediaPresentationDuration="PT10S"><BaseURL serviceLocation="a">https://a.example/</BaseURL><BaseURL serviceLocation="b">https://b.example/</BaseURL><BaseURL serviceLocation="a">https://a2.example/</BaseURL>
		<Period><AdaptationSet contentType="video"><SegmentTemplate duration="2" media="$Number$"/><Representation id="1"/><Representation id="2"><BaseURL>x/</BaseURL></Representation></AdaptationSet></Period></MPD>`)
	if d := cmp.Diff([]string{"a", "b"}, m.ServiceLocations()); d != "" {
		t.Error(d)
	}
	urls := func(rep int) (all string) {
		for _, b := range m.Periods[0].AdaptationSets[0].Representations[rep].BaseURLs {
			all += b.URL + " "
		}
		return all
	}
	m.Prefer("b")
	if got, want := urls(0)+urls(1), "https://b.example/ https://a.example/ https://a2.example/ https://b.example/x/ https://a.example/x/ https://a2.example/x/ "; got != want {
		t.Errorf("b: %s, want %s", got, want)
	}
	m.Prefer("nowhere")
	m.Clone("c", "b", func(u string) string { return strings.Replace(u, "b.", "c.", 1) })
	m.Prefer("c")
	if got, want := urls(0), "https://c.example/ https://b.example/ https://a.example/ https://a2.example/ "; got != want {
		t.Errorf("c: %s, want %s", got, want)
	}
	s, err := m.Periods[0].AdaptationSets[0].Representations[1].First()
	if err != nil || s.URL != "https://c.example/x/1" {
		t.Errorf("%s, %v", s.URL, err)
	}
	for range 2 * MaxBaseURLs {
		m.Clone("c", "c", func(u string) string { return u })
	}
	if n := len(m.Periods[0].AdaptationSets[0].Representations[0].BaseURLs); n != MaxBaseURLs {
		t.Errorf("%d base URLs, want %d", n, MaxBaseURLs)
	}
}
