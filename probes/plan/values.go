package plan

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/firstframe/firstframe/probes/redact"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
	"golang.org/x/net/http/httpguts"
)

// The bounds of a plan's texts, in characters, and of what one entry lists.
const (
	maxName = 64
	maxText = 8192
	maxList = 100
)

// text is the text under a key, checked; empty when left out or wrong.
func (o *object) text(key string, check func(string) error) string {
	n := o.get(key)
	if n == nil {
		return ""
	}
	return o.d.text(n, key, check)
}

// text is a node's text, checked; empty when wrong.
func (d *decoder) text(n ast.Node, what string, check func(string) error) string {
	s, ok := text(n)
	switch {
	case !ok:
		d.errorf(position(n), "%s: want text, got %s", what, kind(n))
	case utf8.RuneCountInString(s) > maxText:
		d.errorf(position(n), "%s: longer than %d characters", what, maxText)
	default:
		err := check(s)
		if err == nil {
			return s
		}
		d.errorf(position(n), "%s %q: %v", what, shown(what, s), err)
	}
	return ""
}

// shown is the text of a key, such as headers.X-App, in an error: shortened, and
// without what is secret, as values of headers and a body may be.
func shown(key, s string) string {
	if strings.HasPrefix(key, "headers.") || key == "body" {
		return redact.Mark
	}
	return clip(redact.Text(s))
}

// required is text that may not be left out.
func (o *object) required(key string, check func(string) error) string {
	o.need(key)
	return o.text(key, check)
}

// texts are the texts listed under a key, each checked and named once.
func (o *object) texts(key string, check func(string) error) []string {
	var all []string
	seen := map[string]bool{}
	for _, n := range o.list(key, maxList) {
		s := o.d.text(n, key, check)
		if s != "" && seen[s] {
			o.d.errorf(position(n), "%s: %q is listed twice", key, clip(s))
			continue
		}
		if s != "" {
			seen[s] = true
			all = append(all, s)
		}
	}
	return all
}

// dictionary is the mapping of texts under a key; nil when left out.
func (o *object) dictionary(key string, most int, checkKey, check func(string) error) map[string]string {
	n := o.get(key)
	if n == nil {
		return nil
	}
	all := o.d.entries(n, key)
	if len(all) > most {
		o.d.errorf(position(n), "%s: %d entries, at most %d", key, len(all), most)
		return nil
	}
	m := make(map[string]string, len(all))
	for _, e := range all {
		if err := checkKey(e.key); err != nil {
			o.d.errorf(e.at, "%s: key %q: %v", key, clip(e.key), err)
			continue
		}
		m[e.key] = o.d.text(e.value, key+"."+clip(e.key), check)
	}
	return m
}

// duration is the duration under a key; zero when left out or wrong.
func (o *object) duration(key string, least, most time.Duration) time.Duration {
	var v time.Duration
	o.text(key, func(s string) (err error) {
		v, err = time.ParseDuration(s)
		switch {
		case err != nil:
			v = 0
			return errors.New("want a duration such as 500ms, 30s or 5m")
		case v < least || v > most:
			v = 0
			return fmt.Errorf("want %s to %s", short(least), short(most))
		}
		return nil
	})
	return v
}

// short is a duration without the units that are 0: 24h, not 24h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// integer is the whole number under a key; zero when left out or wrong.
func (o *object) integer(key string, least, most int64) int64 {
	n := o.get(key)
	if n == nil {
		return 0
	}
	if i, ok := n.(*ast.IntegerNode); ok {
		if v, err := strconv.ParseInt(i.Token.Value, 10, 64); err == nil && v >= least && v <= most {
			return v
		}
	}
	o.d.errorf(position(n), "%s: want a whole number from %d to %d", key, least, most)
	return 0
}

// number is a node's number, finite and not negative.
func number(n ast.Node) (float64, bool) {
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		v, err := strconv.ParseFloat(n.GetToken().Value, 64)
		return v, err == nil && v >= 0 && !math.IsInf(v, 0)
	}
	return 0, false
}

// name checks the name of a thing. The characters that references give a
// meaning to are not for names.
func name(s string) error {
	switch {
	case s == "" || utf8.RuneCountInString(s) > maxName:
		return fmt.Errorf("want 1 to %d characters", maxName)
	case strings.ContainsAny(s, `*?[]\/@`):
		return errors.New(`a name has none of * ? [ ] \ / @`)
	case s != strings.TrimSpace(s) || !printable(s):
		return errors.New("a name has no control characters, and no space at its ends")
	}
	return nil
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// anyText checks text that is passed on as it is.
func anyText(s string) error {
	if !printable(s) {
		return errors.New("want text without control characters")
	}
	return nil
}

// pattern checks a pattern of [path.Match].
func pattern(s string) error {
	if _, err := path.Match(s, ""); err != nil || s == "" {
		return errors.New("want a name or a pattern such as android@*")
	}
	return nil
}

// address checks an http or https URL.
func address(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "" || !validPort(u.Port()) {
		return errors.New("want an http or https URL such as https://cdn.example/master.m3u8")
	}
	return nil
}

// host checks HOST or HOST:PORT.
func host(s string) error {
	u, err := url.Parse("https://" + s)
	if err != nil || u.Host != s || u.Hostname() == "" || !validPort(u.Port()) || strings.ContainsAny(s, " *") {
		return errors.New("want HOST or HOST:PORT, such as a.cdn.example")
	}
	return nil
}

func validPort(s string) bool {
	port, err := strconv.ParseUint(s, 10, 16)
	return s == "" || err == nil && port > 0
}

// dialTo checks ADDR or ADDR:PORT.
func dialTo(s string) error {
	if a, err := netip.ParseAddrPort(s); err == nil && a.Port() > 0 {
		return nil
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return nil
	}
	return errors.New("want an IP address, with or without a port, such as 203.0.113.7:443")
}

// prefix reads ADDR or ADDR/BITS.
func prefix(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), nil
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.Prefix{}, errors.New("want an IP address or a network such as 10.0.0.0/8")
}

// country checks an ISO 3166-1 alpha-2 code's form.
func country(s string) error {
	if len(s) != 2 || s[0] < 'A' || s[0] > 'Z' || s[1] < 'A' || s[1] > 'Z' {
		return errors.New("want two capital letters, such as BR (ISO 3166-1 alpha-2)")
	}
	return nil
}

// headerName and headerValue check a field of an HTTP request.
func headerName(s string) error {
	if !httpguts.ValidHeaderFieldName(s) {
		return errors.New("not the name of an HTTP header")
	}
	return nil
}

func headerValue(s string) error {
	if !httpguts.ValidHeaderFieldValue(s) {
		return errors.New("not the value of an HTTP header")
	}
	return nil
}

// unique notes a second thing of one name.
type unique map[string]*token.Position

// add notes the name of a thing at a place; again, it is an error.
func (u unique) add(d *decoder, what, name string, at *token.Position) {
	if name == "" {
		return
	}
	if before, ok := u[name]; ok {
		d.errorf(at, "%s %q is there twice, first at %d:%d", what, name, before.Line, before.Column)
		return
	}
	u[name] = at
}
