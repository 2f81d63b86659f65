package player

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// Browsers keep an answer to a preflight for so long where the server does not
// say, and at most for so long (Fetch Standard, 4.9; Chromium's bound).
const (
	preflightAge    = 5 * time.Second
	maxPreflightAge = 2 * time.Hour
)

// crossing is what a request asks for that a browser sends to another origin only
// when the server has said that it may (Fetch Standard, 4.8).
type crossing struct {
	origin      string // of the page
	method      string
	names       []string // of headers that are not safelisted, in small letters and in order
	credentials bool     // it has cookies
}

// crossing is what a request asks for, own being the headers that the page sets;
// not ok where no preflight comes first. A page whose origin is not known is none of
// a CDN's, but may be one of a service's own interface.
func (s *session) crossing(a *ask, req *fetch.Request, own http.Header) (c crossing, ok bool) {
	c = crossing{
		origin: req.Header.Get("Origin"), method: cmp.Or(req.Method, http.MethodGet),
		names: unsafeNames(own), credentials: req.Header.Get("Cookie") != "",
	}
	if c.origin == "" && a.name != run.StepPlaybackAPI {
		c.origin = "null"
	}
	simple := len(c.names) == 0 && isSafeMethod(c.method)
	return c, s.model.Web && !simple && c.origin != "" && !fetch.SameOrigin(c.origin, req.URL) && !s.allowed(req.URL)
}

// preflight asks the server whether it takes a request of own headers, as browsers
// do across origins, unless it has said so of the address just now. It is a step of
// the same name, with the method OPTIONS, and says nothing of the session: browsers
// put none of a page's headers on it.
func (s *session) preflight(ctx context.Context, a *ask, p Policy, req *fetch.Request, own http.Header, number int64, after Moment) (Moment, error) {
	c, ok := s.crossing(a, req, own)
	if !ok {
		return after, nil
	}
	n := &node{after: after, start: s.instant()}
	n.Step = run.Step{Name: a.name, Track: a.track, Method: http.MethodOptions, URL: req.URL, Attempt: number}
	index := s.begin(n)
	if a.asked != nil {
		a.asked()
	}
	x := s.cfg.Client.Do(ctx, fetch.Request{
		Method: http.MethodOptions, URL: req.URL, Header: c.header(req.Header.Get("User-Agent")),
		FirstByteTimeout: p.FirstByte, StallTimeout: p.Stall, Timeout: p.Total, MaxBytes: maxKey,
	})
	plain := *a
	plain.done = nil
	fail := s.judge(ctx, plain, x)
	if fail == nil {
		if err := c.allowedBy(x); err != nil {
			fail = &failure{typ: run.ErrUnsupported, step: a.name, detail: "a browser does not send the request: " + err.Error()}
		}
	}
	s.finish(n, x, fail)
	at := Moment{x.End, index}
	if fail != nil {
		fail.at = at
		return after, s.ended(ctx, fail)
	}
	s.allow(req.URL, x)
	return at, nil
}

// header is what a preflight says; agent is the browser's name.
func (c *crossing) header(agent string) http.Header {
	h := http.Header{"Origin": {c.origin}, "Access-Control-Request-Method": {c.method}}
	if len(c.names) > 0 {
		h.Set("Access-Control-Request-Headers", strings.Join(c.names, ","))
	}
	if agent != "" {
		h.Set("User-Agent", agent)
	}
	return h
}

// allowedBy tells why an answer to a preflight forbids the request; nil: it does
// not (Fetch Standard, 4.8 and 4.10).
func (c *crossing) allowedBy(x *fetch.Exchange) error {
	if x.Status/100 != 2 {
		return errors.New("the answer to its preflight is a redirect")
	}
	all := !c.credentials // * stands for all
	if origin := x.Header.Get("Access-Control-Allow-Origin"); origin != c.origin && (origin != "*" || !all) {
		return errors.New("the server allows no other origin")
	}
	if c.credentials && x.Header.Get("Access-Control-Allow-Credentials") != "true" {
		return errors.New("the server allows no cookies across origins")
	}
	methods := members(x.Header, "Access-Control-Allow-Methods")
	if !isSafeMethod(c.method) && !slices.Contains(methods, c.method) && !(all && slices.Contains(methods, "*")) {
		return fmt.Errorf("the server does not allow the method %s across origins", c.method)
	}
	taken := members(x.Header, "Access-Control-Allow-Headers")
	for i := range taken {
		taken[i] = strings.ToLower(taken[i])
	}
	star := all && slices.Contains(taken, "*")
	for _, n := range c.names {
		if !slices.Contains(taken, n) && (!star || n == "authorization") {
			return fmt.Errorf("the server does not allow the header %s across origins", n)
		}
	}
	return nil
}

// members are those of a header that is a list.
func members(h http.Header, name string) []string {
	all := strings.Split(strings.Join(h.Values(name), ","), ",")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}

// isSafeMethod tells whether a method is CORS-safelisted (Fetch Standard, 2.2.1).
func isSafeMethod(m string) bool {
	return m == http.MethodGet || m == http.MethodHead || m == http.MethodPost
}

// maxSafe bounds the value of a safelisted header, in bytes. (All together may have
// eight times that, which five headers do not reach.)
const maxSafe = 128

// unsafeNames are the names of the headers for which a preflight is due (Fetch
// Standard, 2.2.2: CORS-unsafe request-header names), in small letters and in order.
func unsafeNames(h http.Header) []string {
	var names []string
	for name, values := range h {
		name = strings.ToLower(name)
		if !isBrowsers(name) && !isSafe(name, strings.Join(values, ", ")) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// browsers are the headers that no page sets (Fetch Standard, 2.2.2: forbidden
// request-headers), and the browser's own name.
var browsers = []string{
	"accept-charset", "accept-encoding", "access-control-request-headers", "access-control-request-method",
	"connection", "content-length", "cookie", "cookie2", "date", "dnt", "expect", "host", "keep-alive", "origin",
	"referer", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "via",
}

func isBrowsers(name string) bool {
	return slices.Contains(browsers, name) || strings.HasPrefix(name, "proxy-") || strings.HasPrefix(name, "sec-")
}

// The values of safelisted headers (Fetch Standard, 2.2.2: CORS-safelisted
// request-header).
var (
	unsafeBytes = regexp.MustCompile(`[\x00-\x08\x0a-\x1f"():<>?@\[\\\]{}\x7f]`)
	languages   = regexp.MustCompile(`^[0-9A-Za-z *,\-.;=]*$`)
	simpleRange = regexp.MustCompile(`^bytes=[0-9]+-[0-9]*$`)
	simpleTypes = []string{"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"}
)

// isSafe tells whether a header, its name in small letters, is CORS-safelisted.
func isSafe(name, value string) bool {
	if len(value) > maxSafe {
		return false
	}
	switch name {
	case "accept":
		return !unsafeBytes.MatchString(value)
	case "accept-language", "content-language":
		return languages.MatchString(value)
	case "content-type":
		essence, _, _ := strings.Cut(value, ";")
		return !unsafeBytes.MatchString(value) && slices.Contains(simpleTypes, strings.ToLower(strings.TrimSpace(essence)))
	case "range":
		return simpleRange.MatchString(value)
	}
	return false
}

// allowed tells whether a preflight's answer for the address still holds.
func (s *session) allowed(address string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.instant().Before(s.preflights[address])
}

// allow notes for how long the answer to a preflight holds. There are not more
// of them than steps.
func (s *session) allow(address string, x *fetch.Exchange) {
	age := preflightAge
	if seconds, err := strconv.ParseInt(x.Header.Get("Access-Control-Max-Age"), 10, 32); err == nil {
		age = min(time.Duration(seconds)*time.Second, maxPreflightAge)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.preflights == nil {
		s.preflights = map[string]time.Time{}
	}
	s.preflights[address] = x.End.Add(age)
}
