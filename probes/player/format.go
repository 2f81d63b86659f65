package player

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// formatOfURL guesses a format by a URL's path.
func formatOfURL(u string) string {
	if v, err := url.Parse(u); err == nil && strings.EqualFold(path.Ext(v.Path), ".mpd") {
		return "dash"
	}
	return "hls"
}

// formatOf tells a manifest's format by what it begins with, because servers
// lie about content types. The error is a fault.
func formatOf(body []byte) (string, error) {
	text := bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), " \t\r\n")
	head := text[:min(len(text), 64<<10)]
	switch {
	case len(text) == 0:
		return "", &fault{run.ErrManifestEmpty, errors.New("an empty answer in place of a manifest")}
	case bytes.HasPrefix(text, []byte("#EXT")):
		return "hls", nil
	case text[0] == '<' && (bytes.Contains(head, []byte("MPD")) || bytes.Contains(head, []byte("<Patch"))):
		return "dash", nil // a patch of an MPD is refused as what it is
	}
	return "", &fault{run.ErrManifestInvalid, fmt.Errorf("neither an HLS playlist nor a DASH MPD, it begins with %q", text[:min(len(text), 40)])}
}

// playable are the indexes of the renditions that the app can play.
func playable(renditions []Rendition, app run.App) []int {
	var can []int
	for i, r := range renditions {
		if app.MaxHeight > 0 && int64(r.Height) > app.MaxHeight || !plays(app.Codecs, r.Codecs) {
			continue
		}
		can = append(can, i)
	}
	return can
}

// plays tells whether each codec begins with one of the prefixes; no prefixes
// play everything. Subtitles keep nobody from playing.
func plays(prefixes, codecs []string) bool {
	if len(prefixes) == 0 {
		return true
	}
	for _, c := range codecs {
		c = strings.ToLower(c)
		fits := func(prefix string) bool { return strings.HasPrefix(c, strings.ToLower(prefix)) }
		if !fits("wvtt") && !fits("stpp") && !slices.ContainsFunc(prefixes, fits) {
			return false
		}
	}
	return true
}

// playable are the indexes of the renditions that the app can play. The error is
// a failure when there are none.
func (s *session) playable(renditions []Rendition, at Moment) ([]int, error) {
	can := playable(renditions, s.cfg.App)
	if len(can) == 0 {
		return nil, failed(run.ErrUnsupported, run.StepManifest,
			fmt.Sprintf("none of %d renditions fits the app (codecs %v, at most %d lines)", len(renditions), s.cfg.App.Codecs, s.cfg.App.MaxHeight), at)
	}
	return can, nil
}

// serverTime is the server's clock when the answer was made, by its Date and
// Age (RFC 9111, 4.2.3), so that a wrong clock of ours does not make a manifest
// look old. Those count whole seconds: at, our time of the answer, is finer where
// it does not contradict them, and is all there is where there is no Date.
func serverTime(h http.Header, at time.Time) time.Time {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return at
	}
	server := date.Add(ageOf(h))
	if ahead := at.Sub(server); ahead >= 0 && ahead < 2*time.Second {
		return at
	}
	return server
}

// ageOf is an answer's Age (RFC 9111, 5.1); 0 when it has none.
func ageOf(h http.Header) time.Duration {
	n, err := strconv.ParseInt(strings.TrimSpace(h.Get("Age")), 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// staleAfter is how old the end of a live manifest may be, in target durations,
// before it counts as stuck: servers must add a segment within 1.5 of them
// (RFC 8216bis, 6.2.1), but how long ago a segment was made when it is added
// they need not say, and Media3 gives up at 3.5.
const staleAfter = 3.5

// stale judges a live manifest whose last segment ended age ago, or whose copy
// is that old; rule is what its standard allows at least. The error is a fault.
func stale(age, target, rule time.Duration) error {
	limit := max(time.Duration(staleAfter*float64(target)), rule)
	if target <= 0 || age <= limit {
		return nil
	}
	return &fault{run.ErrManifestStale, fmt.Errorf("its last segment ended %v ago; with segments of %v nothing new for %v is too long",
		age.Round(time.Millisecond), target, limit)}
}

// rewrite is the address to ask in place of u.
func (c *Config) rewrite(u string) string {
	if c.Rewrite == nil || isInline(u) {
		return u
	}
	return c.Rewrite(u)
}
