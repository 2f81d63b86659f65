package fetch

import (
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxAltSvc = 1000 // origins remembered
	// defaultMaxAge is how long an alternative is good for without "ma" (RFC
	// 7838 section 3.1).
	defaultMaxAge = 24 * time.Hour
	// brokenFor is how long an alternative that failed is left alone, as
	// Chromium does the first time (net/http/broken_alternative_services.cc).
	brokenFor = 5 * time.Minute
)

// AltSvc is what answers have told of the servers that also speak HTTP/3 (RFC
// 7838), as a browser keeps it from page to page: the alternatives, which of
// them failed or gave no answer, and whether QUIC works from here at all. The
// zero value knows nothing. It holds at most 1000 origins, and is safe for concurrent use.
//
// Only alternatives on the origin's own host count: one elsewhere would lead a
// run through one CDN to another.
type AltSvc struct {
	mu      sync.Mutex
	origins map[string]alternative // by HOST:PORT of an https URL
	works   bool
}

// alternative is where an origin speaks HTTP/3.
type alternative struct {
	address string    // HOST:PORT
	until   time.Time // forgotten then
	broken  time.Time // left alone until then
}

// Len is the number of origins with an alternative.
func (a *AltSvc) Len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.origins)
}

// learn takes in the Alt-Svc header lines of an answer of origin.
func (a *AltSvc) learn(origin string, lines []string, now time.Time) {
	if len(lines) == 0 {
		return
	}
	address, age, clear := parseAltSvc(origin, strings.Join(lines, ","))
	a.mu.Lock()
	defer a.mu.Unlock()
	known, ok := a.origins[origin]
	switch {
	case clear || address == "" || age <= 0:
		delete(a.origins, origin) // what an answer does not name is no more (RFC 7838 section 3)
		return
	case !ok && len(a.origins) >= maxAltSvc:
		return
	case a.origins == nil:
		a.origins = map[string]alternative{}
	}
	if known.address != address {
		known.broken = time.Time{}
	}
	known.address, known.until = address, now.Add(age)
	a.origins[origin] = known
}

// of is where origin speaks HTTP/3, as far as is known; proven says that QUIC
// has worked from here. A nil AltSvc knows nothing.
func (a *AltSvc) of(origin string, now time.Time) (address string, proven bool) {
	if a == nil {
		return "", false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.origins[origin]
	if now.After(known.until) || now.Before(known.broken) {
		return "", false
	}
	return known.address, a.works
}

// tried notes whether the alternative of origin could be connected to.
func (a *AltSvc) tried(origin string, ok bool, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.works = a.works || ok; ok {
		return
	}
	if known, found := a.origins[origin]; found {
		known.broken = now.Add(brokenFor)
		a.origins[origin] = known
	}
}

// parseAltSvc reads an Alt-Svc field value (RFC 7838 section 3): the first
// alternative for h3 on the origin's host, and for how long it is good; clear
// says that there are none any more. What is malformed is passed over.
func parseAltSvc(origin, value string) (address string, age time.Duration, clear bool) {
	for _, entry := range split(value, ',') {
		if entry == "clear" {
			return "", 0, true
		}
		params := split(entry, ';')
		protocol, authority, ok := strings.Cut(params[0], "=")
		if name, err := url.PathUnescape(strings.TrimSpace(protocol)); !ok || err != nil || name != "h3" {
			continue
		}
		if address = sameHostAuthority(origin, unquote(strings.TrimSpace(authority))); address == "" {
			continue
		}
		age = defaultMaxAge
		for _, p := range params[1:] {
			if k, v, _ := strings.Cut(p, "="); strings.EqualFold(strings.TrimSpace(k), "ma") {
				if n, err := strconv.ParseUint(unquote(strings.TrimSpace(v)), 10, 31); err == nil {
					age = time.Duration(n) * time.Second
				}
			}
		}
		return address, age, false
	}
	return "", 0, false
}

// sameHostAuthority is the HOST:PORT of an alternative's authority, where the
// host may be left out; empty when it is not on the origin's host, or on a port
// that is anyone's where the origin's is not (as Chromium).
func sameHostAuthority(origin, authority string) string {
	host, port, err := net.SplitHostPort(origin)
	if err != nil {
		return ""
	}
	altHost, altPort, err := net.SplitHostPort(authority)
	if err != nil || altHost != "" && canonical(altHost) != host {
		return ""
	}
	number := func(s string) uint64 {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil {
			return 0
		}
		return n
	}
	to, from := number(altPort), number(port)
	if to == 0 || from < 1024 && to >= 1024 {
		return ""
	}
	return net.JoinHostPort(host, altPort)
}

// split cuts s at each separator outside of quotes, and trims the pieces.
func split(s string, separator byte) []string {
	var out []string
	quoted, from := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			out = append(out, strings.TrimSpace(s[from:i]))
			from = i + 1
		}
	}
	return append(out, strings.TrimSpace(s[from:]))
}

// unquote is the text of a quoted string, or s as it is.
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '\\' && i+1 < len(s)-1 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
