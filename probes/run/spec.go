package run

import "time"

// The defaults of a target.
const (
	DefaultThreshold = 2 * time.Second
	DefaultTimeout   = 30 * time.Second
	DefaultInterval  = 30 * time.Second
)

// MaxPlay bounds for how long a target is played on.
const MaxPlay = 10 * time.Minute

// Target is what is played.
type Target struct {
	Name       string
	URL        string
	Threshold  time.Duration     // slower is not good; zero means DefaultThreshold
	Timeout    time.Duration     // of the start; zero means DefaultTimeout
	Play       time.Duration     // to play on after the start, of media, at most MaxPlay; zero: not at all
	Interval   time.Duration     // between rounds; zero means DefaultInterval
	Connection string            // cold (default), warm: a connection to each host is made beforehand
	Labels     map[string]string // at most MaxLabels

	PlaybackAPI *PlaybackAPI // asked before the manifest; nil: there is none

	// Redact are regular expressions for secrets in URLs that no name gives
	// away, such as a token in the path: what their first group matches,
	// without a group all that they match, is not in the run.
	Redact []string
}

// CDN is a way to a target. The zero value leaves the target's URL as it is.
type CDN struct {
	Name      string
	Host      string   // replaces the host (and port, when it has one) of the target's URL and of every URL on that host or on one of Hosts
	ConnectTo string   // dial this ADDR or ADDR:PORT instead, keeping name and SNI
	Hosts     []string // other hosts of the target that Host and ConnectTo apply to
}

// App is an app version as which a target is played: it changes what is
// requested.
type App struct {
	Name      string
	Version   string
	Player    string // a player model, NAME or NAME@VERSION; empty means the default for the format
	UserAgent string
	Headers   map[string]string
	Query     map[string]string // added to the manifest's URL
	Codecs    []string          // RFC 6381 prefixes that it can play, such as avc1; none means all
	MaxHeight int64             // highest rendition that it takes; 0 means no limit
	HTTP      string            // 1.1, 2, 3; empty means as negotiated
	AltSvc    string            // whether HTTP/3 is taken up where a server offers it: first (default) as on a browser's first visit, known as when it comes again, off
	// CMCD is how the app's player tells CDNs of itself (CTA-5004): header, query,
	// off. Empty: it does not. Unless off, a request of which the player tells
	// nothing has a header with the session alone, which is the run's id and costs
	// no player anything.
	CMCD string

	// Set overrides single parameters of the player model, such as start_kbps.
	Set map[string]float64
}
