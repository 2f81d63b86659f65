package hls

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// attribute is one NAME=VALUE of an attribute list (4.2).
type attribute struct {
	name   string
	value  string // without quotes, variables substituted
	quoted bool
}

// eachAttribute calls f with every attribute of list, variables substituted
// (4.3), until f fails. What is malformed is skipped with a fault.
func (p *parser) eachAttribute(list string, f func(attribute) error) error {
	for n := 0; ; n++ {
		list = strings.TrimLeft(list, " \t,")
		if list == "" {
			return nil
		}
		if n == MaxAttributes {
			return p.errorf(ErrTooLarge, "more than %d attributes", MaxAttributes)
		}
		name, rest, ok := strings.Cut(list, "=")
		if !ok || strings.ContainsAny(name, "\",") {
			p.fault(FaultValue, "attribute without a value: %s", clip(list))
			_, list, _ = strings.Cut(list, ",")
			continue
		}
		a := attribute{name: strings.TrimSpace(name)}
		rest = strings.TrimLeft(rest, " \t")
		if strings.HasPrefix(rest, `"`) {
			a.quoted = true
			if a.value, rest, ok = strings.Cut(rest[1:], `"`); !ok {
				p.fault(FaultValue, "%s: its quoted value does not end", clip(a.name))
			}
			_, list, _ = strings.Cut(rest, ",")
		} else {
			a.value, list, _ = strings.Cut(rest, ",")
			a.value = strings.TrimSpace(a.value)
		}
		if a.quoted || strings.HasPrefix(a.value, "0x") || strings.HasPrefix(a.value, "0X") {
			value, err := p.substitute(a.value)
			if err != nil {
				return err
			}
			a.value = value
		}
		if err := f(a); err != nil {
			return err
		}
	}
}

// substitute replaces the variable references in s (4.3). What is put in is not
// scanned again; a reference to what is not defined is an error.
func (p *parser) substitute(s string) (string, error) {
	at := strings.Index(s, "{$")
	if at < 0 {
		return s, nil
	}
	var b strings.Builder
	for ; at >= 0; at = strings.Index(s, "{$") {
		name := variableName(s[at+2:])
		end := at + 2 + len(name)
		if name == "" || end == len(s) || s[end] != '}' {
			b.WriteString(s[:end])
			s = s[end:]
			continue
		}
		value, ok := p.vars[name]
		if !ok {
			return "", p.errorf(ErrInvalid, "variable %s is not defined", clip(s[at:end+1]))
		}
		b.WriteString(s[:at])
		b.WriteString(value)
		if b.Len() > MaxLine {
			return "", p.errorf(ErrTooLarge, "more than %d bytes after substitution", MaxLine)
		}
		s = s[end+1:]
	}
	b.WriteString(s)
	return b.String(), p.spend(b.Len())
}

// variableName is the longest beginning of s that may name a variable (4.4.2.3).
func variableName(s string) string {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return s[:i]
		}
	}
	return s
}

// spend accounts for n bytes made of less, and fails beyond MaxExpansion: a short
// line can make a long URI, of a long variable or of a long playlist URL.
func (p *parser) spend(n int) error {
	if p.spent += n; p.spent > MaxExpansion {
		return p.errorf(ErrTooLarge, "more than %d bytes of URIs and variables", MaxExpansion)
	}
	return nil
}

// integer reads a decimal integer; what cannot be read is 0 and a fault, and a
// fraction, which players pass over, a fault alone.
func (p *parser) integer(what, s string) int64 {
	whole, fraction, has := strings.Cut(strings.TrimSpace(s), ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n < 0 {
		p.fault(FaultValue, "%s is not a number: %s", what, clip(s))
		return 0
	}
	if has {
		p.fault(FaultValue, "%s is not an integer: %s", what, clip(whole+"."+fraction))
	}
	return n
}

// seconds reads a decimal number of seconds; what cannot be read is 0 and a
// fault.
func (p *parser) seconds(what, s string) time.Duration {
	d, err := parseSeconds(s)
	if err != nil || d < 0 {
		p.fault(FaultValue, "%s is not a duration: %s", what, clip(s))
		return 0
	}
	return d
}

// float reads a decimal number; what cannot be read is 0 and a fault.
func (p *parser) float(what, s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 0 || math.IsInf(f, 0) || math.IsNaN(f) {
		p.fault(FaultValue, "%s is not a number: %s", what, clip(s))
		return 0
	}
	return f
}

// parseSeconds reads seconds, perhaps negative, within ±MaxDuration.
func parseSeconds(s string) (time.Duration, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil {
		return 0, fmt.Errorf("not a number: %s", clip(s))
	}
	if math.IsNaN(f) || math.Abs(f) > MaxDuration.Seconds() {
		return 0, fmt.Errorf("beyond %v: %s", MaxDuration, clip(s))
	}
	return time.Duration(math.Round(f * float64(time.Second))), nil
}

// parseRange reads n[@o] (4.4.4.2); offset is -1 when it is not there.
func parseRange(s string) (length, offset int64, err error) {
	n, o, has := strings.Cut(strings.TrimSpace(s), "@")
	length, err = strconv.ParseInt(strings.TrimSpace(n), 10, 64)
	if err != nil || length <= 0 {
		return 0, 0, fmt.Errorf("not a byte range: %s", clip(s))
	}
	if !has {
		return length, -1, nil
	}
	offset, err = strconv.ParseInt(strings.TrimSpace(o), 10, 64)
	if err != nil || offset < 0 || offset > math.MaxInt64-length {
		return 0, 0, fmt.Errorf("not a byte range: %s", clip(s))
	}
	return length, offset, nil
}

// parseIV reads 0x and up to 32 hexadecimal digits, the last the lowest.
func parseIV(s string) (iv [16]byte, err error) {
	digits, ok := strings.CutPrefix(strings.ToLower(s), "0x")
	if !ok || digits == "" || len(digits) > 2*len(iv) {
		return iv, fmt.Errorf("IV is not 128 bits in hexadecimal: %s", clip(s))
	}
	padded := strings.Repeat("0", 2*len(iv)-len(digits)) + digits
	if _, err := hex.Decode(iv[:], []byte(padded)); err != nil {
		return iv, fmt.Errorf("IV is not 128 bits in hexadecimal: %s", clip(s))
	}
	return iv, nil
}

// dateLayouts are the forms of EXT-X-PROGRAM-DATE-TIME that occur; the
// standard's is the first. Without a zone it is taken as UTC.
var dateLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07",
	"2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05",
}

func parseDate(s string) (t time.Time, layout int, ok bool) {
	s = strings.TrimSpace(s)
	for i, layout := range dateLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, i, true
		}
	}
	return time.Time{}, 0, false
}

// clip quotes s for a message, its first bytes when it is long.
func clip(s string) string {
	const most = 60
	if len(s) > most {
		return strconv.Quote(s[:most]) + "…"
	}
	return strconv.Quote(s)
}
