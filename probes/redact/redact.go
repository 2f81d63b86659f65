// Package redact takes secrets out of text that leaves the place where they are
// needed: URLs, error messages, headers. A parameter keeps its name and its
// place, its value becomes [Mark], so that a signed URL can still be read.
//
// The entry is [Text], by a table of names and shapes. Of a parameter of a query or
// fragment whose name tells nothing the value is a secret where it looks drawn at
// random ([Random]): what signs URLs is. UUIDs, hexadecimal numbers of fewer than
// 32 digits, decimal ones and names stay: they say what is played. Base64 is looked
// into, for addresses with secrets: those of licence servers in a PSSH or a
// PlayReady object. A [Redactor] knows besides what is secret in one run: values
// that were read or fetched, and patterns for secrets that stand in a path. What is
// redacted once stays as it is when it is redacted again.
//
// Bounds: time grows with the length of the text alone (of a Redactor: with
// the number of its secrets too); text grows by [Mark] for each secret at most.
// A Redactor knows at most [MaxSecrets] values.
//
// The table is made from what signs URLs: Amazon's Signature Version 4 and
// CloudFront, Google Cloud Storage and Media CDN, Azure's shared access
// signatures, Akamai's tokens, Fastly, Bunny, Tencent, Alibaba, Huawei and
// Wangsu, nginx secure_link; from what licence servers are told; and from RFC 6749
// and RFC 6750 (OAuth), RFC 7519 (JSON Web Tokens) and RFC 9110 (Authorization).
package redact

import (
	"regexp"
	"strings"
)

// Mark stands where a secret stood.
const Mark = "REDACTED"

// exact are names whose values are secret, as plain writes them.
var exact = set(
	"auth", "authkey", "authsign", "authinfo", "authcode", "xauth", "oauth",
	"expires", "expire", "exp", "policy", "keypairid", "keyname", "urlprefix", "awsaccesskeyid", "googleaccessid",
	"hdnts", "hdnea", "hdntl", "hash", "md5", "sig", "sign", "verify", "verimatrix", "ticket",
	"wstime", "txtime", "hwtime", "sessionid", "session", "sessid", "pass", "pwd",
	"accesskey", "subscriptionkey", "privatekey", "bearer", "customdata", "authxml", "xaxdrmmessage",
)

// within are parts of names whose values are secret, and heads what such names
// begin with, as plain writes them.
var (
	within = []string{"token", "secret", "signature", "hmac", "jwt", "passw", "credential", "apikey"}
	heads  = []string{"xamz", "xgoog", "cloudfront"}
)

// lines are headers whose value is secret up to the end of the line or of the
// quotes.
var lines = set("authorization", "proxyauthorization", "cookie", "setcookie", "wwwauthenticate")

// open are names of the shapes above that say nothing secret: identifiers in
// what CDNs answer, and whether something is there.
var open = set("xamzcfid", "xamzcfpop", "xamzrequestid", "xamzid2", "xamzversionid")

// jwt is a JSON Web Token wherever it stands: a JSON object's first bytes in
// base64, then two more parts (RFC 7515, 7.1).
var jwt = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{2,}(\.[A-Za-z0-9_-]*)?`)

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// Secret tells whether the value of a parameter, cookie or header of that name
// is secret. Case, hyphens, underscores and dots do not matter.
func Secret(name string) bool {
	p := plain(name)
	return lines[p] || secret(p)
}

func secret(p string) bool {
	if exact[p] {
		return true
	}
	for _, w := range within {
		if strings.Contains(p, w) {
			return true
		}
	}
	for _, h := range heads {
		if strings.HasPrefix(p, h) {
			return !open[p]
		}
	}
	return false
}

// plain is a name in small letters, without what separates its words, escapes
// read.
func plain(name string) string {
	b := make([]byte, 0, len(name))
	for i := 0; i < len(name); {
		c, n := char(name, i)
		i += n
		switch {
		case c == '-' || c == '_' || c == '.':
			continue
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return string(b)
}

// Text is text without the secrets that its names and shapes give away: values
// of parameters in URLs, in what is nested in them and in words about them, of
// members of JSON, of headers; user and password in URLs; JSON Web Tokens.
func Text(text string) string {
	if strings.Contains(text, "@") || strings.Contains(text, "40") { // escaped, in whatever way
		text = withoutUsers(text)
	}
	if strings.Contains(text, "eyJ") {
		text = jwt.ReplaceAllString(text, Mark)
	}
	return withoutPacked(withoutValues(text))
}

// withoutUsers replaces user and password of each URL.
func withoutUsers(text string) string {
	var out strings.Builder
	done := 0
	for i := 0; i < len(text); {
		from, nested := authority(text, i)
		if from == 0 {
			i++
			continue
		}
		at := -1
		for i = from; i < len(text); {
			c, n := char(text, i)
			plain := n == 1 || text[i] == '\\' // as the URL has it
			if plain && strings.IndexByte("/?#&"+stops, c) >= 0 || nested && strings.IndexByte("/?#&", c) >= 0 {
				break
			}
			if c == '@' && (plain || nested) {
				at = i
			}
			i += n
		}
		if at > from {
			out.WriteString(text[done:from])
			out.WriteString(Mark)
			done = at
		}
	}
	out.WriteString(text[done:])
	return out.String()
}

// authority is where a URL's authority begins whose :// stands at i, and whether
// that is escaped; or whose // does, of a URL that has its scheme from where it
// stands (RFC 3986, 4.2); 0 where there is none.
func authority(text string, i int) (from int, nested bool) {
	if strings.HasPrefix(text[i:], "//") && (i == 0 || strings.IndexByte("=,"+stops, text[i-1]) >= 0) {
		return i + len("//"), false
	}
	for _, want := range []byte("://") {
		c, n := char(text, i)
		if c != want {
			return 0, false
		}
		i += n
		nested = nested || n >= 3
	}
	return i, nested
}

// withoutValues replaces the values of names that are secret.
func withoutValues(text string) string {
	var out strings.Builder
	done := 0       // text before it is written
	var before byte // the character before the name
	for name := 0; name < len(text); {
		c, n := char(text, name)
		if !isName(c) {
			before = c
			name += n
			continue
		}
		end := name
		for end < len(text) {
			if c, n = char(text, end); !isName(c) {
				break
			}
			end += n
		}
		v, ok := find(text, name, end)
		if !ok && strings.IndexByte("?&;#", before) >= 0 {
			v, ok = findRandom(text, end)
		}
		if !ok {
			name = end
			continue
		}
		out.WriteString(text[done:v.start])
		out.WriteString(Mark)
		done, name = v.end, v.end
	}
	if done == 0 {
		return text
	}
	out.WriteString(text[done:])
	return out.String()
}

// value is where one stands in a text.
type value struct{ start, end int }

// find is the value of the name at text[from:to]; not ok where it has none, or
// none that is secret. An empty one is left.
func find(text string, from, to int) (v value, ok bool) {
	at, quoted := to, false
	if at < len(text) && (text[at] == '"' || text[at] == '\'') { // "name": of JSON
		at, quoted = at+1, true
	}
	c, n := char(text, at)
	for c == ' ' {
		at++
		c, n = char(text, at)
	}
	if c != '=' && c != ':' || quoted && c != ':' || c == '=' && at != to {
		return v, false
	}
	nested := n >= 3 // an escaped =, so the URL is a value itself
	p := plain(text[from:to])
	line := lines[p] && c == ':' && n == 1
	switch {
	case !line && !lines[p] && !secret(p):
		return v, false
	case c == ':' && !line && !quoted && (nested || !strings.HasPrefix(text[at+n:], " ") || !strings.Contains(text[from:to], "-")):
		return v, false // host:port, or words about a token: only headers are written so
	}
	at += n
	for at < len(text) && c == ':' && text[at] == ' ' {
		at++
	}
	stop := stops
	if at < len(text) && (text[at] == '"' || text[at] == '\'') {
		stop = text[at : at+1]
		at++
	} else if line {
		stop = "\r\n\"'`"
	} else if from > 0 && text[from-1] == '/' {
		stop = stops + "/" // a segment of a path
	}
	end := valueEnd(text, at, stop, nested)
	return value{at, end}, end > at && text[at:end] != Mark
}

// stops end a value that is not quoted.
const stops = "&# \t\r\n\"'<>\\`"

// valueEnd is where the value ends that begins at at. Punctuation after it is
// the sentence's.
func valueEnd(text string, at int, stop string, nested bool) int {
	end := at
	for end < len(text) {
		c, n := char(text, end)
		if strings.IndexByte(stop, text[end]) >= 0 && (n == 1 || strings.IndexByte(stop, c) >= 0) {
			break
		}
		if nested && n >= 3 && (c == '&' || c == '#') {
			return end
		}
		if c == '\\' && n == 1 && end+1 < len(text) && text[end+1] == stop[0] && len(stop) == 1 {
			n = 2 // a quote that the value has
		}
		end += n
	}
	if end == len(text) || text[end] == ' ' {
		for end > at && strings.IndexByte(":,.;)]}", text[end-1]) >= 0 {
			end--
		}
	}
	return end
}

// isName tells whether a parameter's name has c.
func isName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

// char is the character at i and its length: an escaped one (RFC 3986, 2.1; ASCII as
// strings of JSON and JavaScript have it) is the one it stands for, also where its
// escape is escaped, at most maxEscapes times. At the end it is 0.
func char(text string, i int) (c byte, n int) {
	if i >= len(text) {
		return 0, 1
	}
	c, n = text[i], 1
	if c == '\\' {
		return unescaped(text[i:])
	}
	for level := 0; c == '%' && level < maxEscapes && i+n+1 < len(text); level++ {
		hi, lo := hex(text[i+n]), hex(text[i+n+1])
		if hi < 0 || lo < 0 {
			break
		}
		c, n = byte(hi<<4|lo), n+2
	}
	return c, n
}

// unescaped is the character that text begins with, a backslash, and its length.
func unescaped(text string) (c byte, n int) {
	at := 2 // of the digits
	switch {
	case strings.HasPrefix(text, `\/`):
		return '/', 2
	case strings.HasPrefix(text, `\u00`):
		at = 4
	case !strings.HasPrefix(text, `\x`):
		return '\\', 1
	}
	if len(text) < at+2 {
		return '\\', 1
	}
	hi, lo := hex(text[at]), hex(text[at+1])
	if hi < 0 || hi > 7 || lo < 0 {
		return '\\', 1
	}
	return byte(hi<<4 | lo), at + 2
}

// maxEscapes is how often a character is escaped at most: a URL in a parameter
// of a URL that is itself one.
const maxEscapes = 4

func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
