package cdn

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// The bounds on what is read and kept of the headers. Where a header is cut,
// its end stays: the layer nearest to the client stands last.
const (
	MaxHeaderLength = 512  // of one line, in bytes
	MaxKept         = 4096 // of all that KeepHeaders keeps, names included, in bytes
	maxLines        = 8    // of one header
)

// kept are the headers that identify CDN, point of presence and cache, and
// those that say how old an answer is; the most telling first.
var kept = names(
	"X-Cache", "Via", "Age", "Server", "Cache-Status", "Server-Timing", "X-Served-By", "X-Amz-Cf-Pop", "Cf-Ray", "Cf-Cache-Status",
	"Akamai-Cache-Status", "Akamai-Grn", "Akamai-Request-Bc", "X-Amz-Cf-Id", "X-Azure-Ref", "X-Cache-Remote", "X-Akamai-Request-Id",
	"X-Akamai-Transformed", "X-Cache-Status", "X-Cache-Lookup", "X-Edge-Location", "X-Edge-Pop", "Fastly-State", "X-Fastly-Cache-Status",
	"X-Fastly-Request-Id", "Fastly-Debug-Path", "X-Timer", "Cdn-Cache", "Cdn-Pullzone", "Cdn-Edgestorageid", "X-77-Cache", "X-77-Pop", "X-77-Nzt", "X-Edge-Ip", "X-Id", "X-Id-Fe",
	"X-Cached-Since", "Cache", "X-Azion-Edge-Location", "X-Gocache-Cachestatus", "X-Vercel-Cache", "X-Vercel-Id", "X-Nf-Request-Id",
	"Eagleid", "Ali-Swift-Global-Savetime", "X-Swift-Cachetime", "X-Site-Cache-Status", "X-Nws-Log-Uuid", "Eo-Log-Uuid", "Eo-Cache-Status", "X-Via",
	"X-Ws-Request-Id", "X-Ser", "X-Cdn-Provider", "Cdnuuid", "X-Varnish", "X-Proxy-Cache", "Proxy-Status",
	"X-Cache-Id", "X-Cache-Hit", "Cdn-Cache-Id", "Cdn-Cache-Status", "X-Cdn-Cache-Id", "X-Cdn-Cache-Status", "Cdn-Requestid", "Cdn-Uid",
	"X-Azure-Ref-Originshield", "X-Msedge-Ref", "X-Fd-Int-Roxy-Purgeid", "X-77-Nzt-Ray", "X-Node", "X-Azion-Request-Id", "X-Check-Cacheable", "Date")

// name is a header's name as net/http writes it and as a run keeps it.
type name struct{ canonical, lower string }

func names(all ...string) []name {
	out := make([]name, len(all))
	for i, n := range all {
		out[i] = name{n, strings.ToLower(n)}
	}
	return out
}

// KeepHeaders picks the headers that a run's step keeps, by lower-case name;
// nil when there are none. Identify reads the same from them as from all,
// unless a bound cuts: MaxHeaderLength of each line, MaxKept of all.
func KeepHeaders(h http.Header) map[string][]string {
	h = canonical(h)
	k := keeper{left: MaxKept}
	for _, n := range kept {
		k.keep(n.lower, h[n.canonical])
	}
	if n := customersStatus(header{h}); n != "" {
		k.keep(strings.ToLower(n), h[n])
	}
	return k.out
}

type keeper struct {
	out  map[string][]string
	left int // bytes
}

func (k *keeper) keep(name string, lines []string) {
	lines = tail(lines)
	size := len(name)
	for _, l := range lines {
		size += len(cut(l))
	}
	if len(lines) == 0 || size > k.left || k.out[name] != nil {
		return
	}
	if k.out == nil {
		k.out = make(map[string][]string, 8)
	}
	k.left -= size
	copied := make([]string, len(lines))
	for i, l := range lines {
		copied[i] = strings.Clone(cut(l)) // not to hold the whole answer's head
	}
	k.out[name] = copied
}

func tail(lines []string) []string { return lines[max(0, len(lines)-maxLines):] }

func cut(line string) string { return line[max(0, len(line)-MaxHeaderLength):] }

// canonical is h with names as net/http writes them, in which they mostly are.
func canonical(h http.Header) http.Header {
	for n := range h {
		if n != http.CanonicalHeaderKey(n) {
			out := make(http.Header, len(h))
			for _, n := range slices.Sorted(maps.Keys(h)) {
				name := http.CanonicalHeaderKey(n)
				out[name] = append(out[name], h[n]...)
			}
			return out
		}
	}
	return h
}

// header reads an answer's headers.
type header struct{ http.Header }

// has tells whether one of the headers is there. Names are canonical.
func (h header) has(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return len(h.Header[n]) > 0 })
}

// get is the header's last line.
func (h header) get(name string) string {
	lines := h.Header[name]
	if len(lines) == 0 {
		return ""
	}
	return strings.TrimSpace(cut(lines[len(lines)-1]))
}

// contains tells whether a line of the header holds part, which is lower case,
// in any case.
func (h header) contains(name, part string) bool {
	return slices.ContainsFunc(tail(h.Header[name]), func(l string) bool {
		return strings.Contains(strings.ToLower(cut(l)), part)
	})
}

// list is the members of a header whose lines are comma-separated lists, over
// all its lines (RFC 9110, 5.6.1). A comma in quotes or brackets does not
// separate.
func (h header) list(name string) []string {
	var out []string
	for _, l := range tail(h.Header[name]) {
		for m := range separated(cut(l), ',') {
			if m = strings.TrimSpace(m); m != "" {
				out = append(out, m)
			}
		}
	}
	return out
}

// last is the last member of such a header, which is nearest to the client.
func (h header) last(name string) string {
	if l := h.list(name); len(l) > 0 {
		return l[len(l)-1]
	}
	return ""
}

// separated yields the parts of s between separators that stand neither in
// double quotes nor in square brackets.
func separated(s string, by byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		start, depth, quoted := 0, 0, false
		for i := 0; i < len(s); i++ {
			switch c := s[i]; {
			case quoted && c == '\\':
				i++
			case c == '"':
				quoted = !quoted
			case quoted:
			case c == '[':
				depth++
			case c == ']':
				depth = max(0, depth-1)
			case c == by && depth == 0:
				if !yield(s[start:i]) {
					return
				}
				start = i + 1
			}
		}
		yield(s[start:])
	}
}

// param is the value of a member's parameter, without quotes, as in
// "cdn-cache; desc=HIT" or `Edge; fwd="miss"`; there tells whether it is there.
func param(member, key string) (value string, there bool) {
	first := true
	for p := range separated(member, ';') {
		if first { // the member's name
			first = false
			continue
		}
		k, v, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(k), key) {
			return strings.Trim(strings.TrimSpace(v), `"`), true
		}
	}
	return "", false
}

// timed tells whether one of the metrics of Server-Timing is there.
func (h header) timed(metrics ...string) bool {
	return slices.ContainsFunc(metrics, func(m string) bool { _, there := h.timing(m); return there })
}

// timing is the description of a metric of Server-Timing; there tells whether
// the metric is.
func (h header) timing(metric string) (desc string, there bool) {
	for _, m := range h.list("Server-Timing") {
		if n, _, _ := strings.Cut(m, ";"); strings.EqualFold(strings.TrimSpace(n), metric) {
			desc, _ = param(m, "desc")
			return desc, true
		}
	}
	return "", false
}
