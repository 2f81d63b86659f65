package hls

import (
	"net/url"
	"strings"
)

// resolver makes URIs absolute. References without anything special, which is
// nearly all, cost one concatenation.
type resolver struct {
	base   *url.URL
	origin string // scheme://host
	dir    string // origin and path up to the last slash
}

func newResolver(u string) (*resolver, error) {
	clean, _ := escape(u)
	base, err := url.Parse(clean)
	if err != nil {
		return nil, err
	}
	r := &resolver{base: base}
	if base.Scheme != "" && base.Host != "" {
		r.origin = (&url.URL{Scheme: base.Scheme, User: base.User, Host: base.Host}).String()
		path := base.EscapedPath()
		r.dir = r.origin + path[:strings.LastIndexByte(path, '/')+1]
		if path == "" {
			r.dir += "/"
		}
		if hasDotSegment(path) {
			r.dir = ""
		}
	}
	return r, nil
}

// resolve answers the absolute URL of ref (RFC 3986 section 5). fixed says that
// ref held what a URI may not and was escaped.
func (r *resolver) resolve(ref string) (abs string, fixed bool, err error) {
	if r.dir != "" && isPlain(ref) {
		switch {
		case ref[0] != '/':
			return r.dir + ref, false, nil
		case len(ref) == 1 || ref[1] != '/':
			return r.origin + ref, false, nil
		}
	}
	if isPlainAbsolute(ref) {
		return ref, false, nil
	}
	clean, fixed := escape(ref)
	parsed, err := url.Parse(clean)
	if err != nil {
		return "", fixed, err
	}
	return r.base.ResolveReference(parsed).String(), fixed, nil
}

// plain holds the bytes that a URI's path or query may hold as they are and that
// have no meaning in resolving it.
var plain = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			strings.IndexByte("-._~!$&'()*+,;=@/", byte(c)) >= 0
	}
	return t
}()

// isPlain says whether ref is a relative reference with a path, perhaps a query,
// no dot segment and nothing to escape.
func isPlain(ref string) bool {
	if ref == "" || ref[0] == '?' {
		return false
	}
	path := len(ref)
	for i := 0; i < len(ref); i++ {
		switch c := ref[i]; {
		case plain[c]:
		case c == '?' && path == len(ref):
			path = i
		case c == '?', c == ':':
			if path == len(ref) {
				return false
			}
		case c == '%':
			if i+2 >= len(ref) || !isHex(ref[i+1]) || !isHex(ref[i+2]) {
				return false
			}
		default:
			return false
		}
	}
	return !hasDotSegment(ref[:path])
}

func isPlainAbsolute(ref string) bool {
	rest, ok := strings.CutPrefix(ref, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(ref, "http://")
	}
	if !ok {
		return false
	}
	slash := strings.IndexByte(rest, '/')
	if slash <= 0 {
		return false
	}
	host, port, _ := strings.Cut(rest[:slash], ":")
	for i := range len(host) {
		if c := host[i]; !plain[c] || c == '@' {
			return false
		}
	}
	for i := range len(port) {
		if c := port[i]; c < '0' || c > '9' {
			return false
		}
	}
	return isPlain(rest[slash:])
}

// hasDotSegment says whether path holds a segment that begins with a dot.
func hasDotSegment(path string) bool {
	return strings.HasPrefix(path, ".") || strings.Contains(path, "/.")
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// escape escapes what a URI may not hold, as browsers do: control characters,
// blanks, percent signs that begin no escape, and what is not ASCII, which alone
// is no mistake and not fixed. net/url would take it all, and then lose which
// slashes were escaped.
func escape(s string) (clean string, fixed bool) {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	no := " \"<>\\^`{|}"
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '?' {
			no = " \"<>"
		}
		bad := c < ' ' || c == 0x7f || strings.IndexByte(no, c) >= 0 ||
			c == '%' && (i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]))
		if !bad && c < 0x80 {
			b.WriteByte(c)
			continue
		}
		fixed = fixed || bad
		b.WriteByte('%')
		b.WriteByte(hexDigits[c>>4])
		b.WriteByte(hexDigits[c&15])
	}
	return b.String(), fixed
}
