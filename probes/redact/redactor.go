package redact

import (
	"bytes"
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// The bounds of a Redactor.
const (
	MaxSecrets  = 100 // values; what comes after is not kept
	MaxPatterns = 16
	MaxPattern  = 200 // bytes of a pattern

	// MinSecret is the length in bytes from which a value is looked for
	// everywhere: shorter ones stand in words that have nothing to do with them.
	MinSecret = 6
)

// Pattern compiles a pattern for [New]: of package regexp, at most MaxPattern
// bytes, not matching empty text.
func Pattern(s string) (*regexp.Regexp, error) {
	if len(s) > MaxPattern {
		return nil, fmt.Errorf("longer than %d bytes", MaxPattern)
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, err
	}
	if re.MatchString("") {
		return nil, fmt.Errorf("it matches where there is nothing")
	}
	return re, nil
}

// Redactor takes out what [Text] does, and what is secret in one run besides.
// The zero value knows nothing. It is safe for concurrent use.
type Redactor struct {
	patterns []*regexp.Regexp

	mu     sync.Mutex
	values []string // as they are and as URLs write them; the longest first
}

// New makes a Redactor with patterns of [Pattern], for secrets that no name
// gives away, such as a token in a path: what their first group matches is
// redacted, without a group all that they match.
func New(patterns ...string) (*Redactor, error) {
	r := &Redactor{}
	for _, p := range patterns[:min(len(patterns), MaxPatterns)] {
		re, err := Pattern(p)
		if err != nil {
			return nil, fmt.Errorf("redact: pattern %q: %w", p, err)
		}
		r.patterns = append(r.patterns, re)
	}
	return r, nil
}

// Know makes r redact a value wherever it stands from now on. One shorter
// than MinSecret is not looked for.
func (r *Redactor) Know(value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range []string{value, url.QueryEscape(value), url.PathEscape(value), (&url.URL{Path: value}).EscapedPath()} {
		if len(v) >= MinSecret && v != Mark && !slices.Contains(r.values, v) && len(r.values) < 4*MaxSecrets {
			r.values = append(r.values, v)
		}
	}
	slices.SortStableFunc(r.values, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
}

// Text is text without secrets.
func (r *Redactor) Text(text string) string {
	r.mu.Lock()
	values := r.values
	if len(values) > 0 {
		values = slices.Clone(values)
	}
	r.mu.Unlock()
	for _, v := range values {
		text = strings.ReplaceAll(text, v, Mark)
	}
	text = Text(text)
	for _, p := range r.patterns {
		text = replace(text, p)
	}
	return text
}

// Mask is bytes in which the values that r knows are written over, and texts whole
// that hold an address with a secret (in ASCII or UTF-16): what is no text keeps its
// length. It may be written to in place.
func (r *Redactor) Mask(b []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.values {
		if bytes.Contains(b, []byte(v)) {
			b = bytes.ReplaceAll(b, []byte(v), bytes.Repeat([]byte(Mark), len(v)/len(Mark)+1)[:len(v)])
		}
	}
	maskTexts(b)
	return b
}

// replace replaces what the pattern's first group matches, or all of it.
func replace(text string, p *regexp.Regexp) string {
	var out strings.Builder
	done := 0
	for _, m := range p.FindAllStringSubmatchIndex(text, -1) {
		from, to := m[0], m[1]
		if len(m) > 2 {
			from, to = m[2], m[3]
		}
		if from < 0 || from == to || text[from:to] == Mark {
			continue
		}
		out.WriteString(text[done:from])
		out.WriteString(Mark)
		done = to
	}
	out.WriteString(text[done:])
	return out.String()
}
