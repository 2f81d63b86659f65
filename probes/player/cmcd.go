package player

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firstframe/firstframe/probes/cmcd"
	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// CMCD says how a player tells CDNs of itself (CTA-5004, version 1). The zero
// value tells nothing; else a request of which the player itself would tell
// nothing has a header with the session alone, without a preflight.
type CMCD struct {
	In  string // header, query; empty: it does not
	SID string // session
	CID string // content; empty: not told
}

// Telling is what is particular to a model's CMCD, as its source has it.
type Telling struct {
	Not        []run.StepName // requests of which it tells nothing
	FormatLate bool           // the manifest's own request does not name the format
	Assumed    bool           // before it has measured, mtp is what it assumes
	Buffer     bool           // bl is there from the start, as 0
	Next       bool           // nor is there

	// As is all of what it tells of a request to an address, in place of the
	// above; nil: of that it tells nothing.
	As func(s *session, a *ask, target string) *cmcd.Data
}

// Browsers keep an answer to a preflight for so long where the server does not
// say, and at most for so long (Fetch standard, 4.9; Chromium's bound).
const (
	preflightAge    = 5 * time.Second
	maxPreflightAge = 2 * time.Hour
)

// tell is what the player says with a request to target; nil: nothing.
func (s *session) tell(a *ask, target string) *cmcd.Data {
	if s.cfg.CMCD.In == "" || a.name == run.StepPlaybackAPI || slices.Contains(s.model.Tells.Not, a.name) {
		return nil
	}
	tells := s.model.Tells
	if tells.As != nil {
		return tells.As(s, a, target)
	}
	d := &cmcd.Data{SID: s.cfg.CMCD.SID, CID: s.cfg.CMCD.CID, SU: s.most == 0}
	s.mu.Lock()
	d.ST = s.stream
	s.mu.Unlock()
	if a.name != run.StepManifest || !tells.FormatLate {
		d.SF = s.format()
	}
	switch a.name {
	case run.StepManifest, run.StepPlaylist:
		d.OT = 'm'
	case run.StepInit, run.StepIndex:
		d.OT = 'i'
	case run.StepKey:
		d.OT = 'k'
	case run.StepSegment, run.StepPart:
		s.tellMedia(d, a, target)
	default:
		d.OT = 'o'
	}
	return d
}

// format is the letter of what is played; before that is known, of what the
// manifest's address promises.
func (s *session) format() byte {
	if s.think != nil && s.think == s.model.DASH && s.think != s.model.HLS || s.model.HLS == nil {
		return 'd'
	}
	return 'h'
}

// tellMedia fills in what is said of media. It is asked for only once the
// renditions are known.
func (s *session) tellMedia(d *cmcd.Data, a *ask, target string) {
	d.D = a.length
	if d.OT = 'a'; a.track == run.TrackVideo {
		l := s.ladder
		l.mu.Lock()
		d.BR = l.renditions[l.at].Kbps
		l.mu.Unlock()
		for _, r := range l.renditions {
			d.TB = max(d.TB, r.Kbps)
		}
		switch d.OT = 'v'; {
		case s.content == soundOnly:
			d.OT = 'a'
		case s.muxed:
			d.OT = cmcd.Muxed
		}
	}
	if s.model.Tells.Assumed {
		d.MTP = s.ladder.estimate
	}
	if s.gauge != nil {
		if kbps, known := s.gauge.kbps(); known {
			d.MTP = kbps
		}
	}
	if s.model.Tells.Buffer {
		d.BL = &a.ahead
	}
	if s.model.Tells.Next && a.following != nil {
		d.NOR = cmcd.Next(target, a.following.url)
	}
}

// noteStream notes whether what is played is live.
func (s *session) noteStream(live bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream = 'v'; live {
		s.stream = 'l'
	}
}

// say puts what the player tells into a request. In a browser the headers cost a
// request of their own, which comes first: the answer is when that ended.
func (s *session) say(ctx context.Context, a *ask, p Policy, req *fetch.Request, number int64, after Moment) (Moment, error) {
	d := s.tell(a, req.URL)
	switch {
	case d == nil && s.cfg.CMCD.In != "":
		req.Header = merged(req.Header, s.session())
		return after, nil
	case d == nil:
		return after, nil
	case s.cfg.CMCD.In == "query":
		req.URL = d.AddTo(req.URL)
		return after, nil
	}
	told := d.Header()
	req.Header = merged(req.Header, told)
	if !s.model.Web {
		return after, nil
	}
	return s.preflight(ctx, a, p, req, told, number, after)
}

// session is the header that tells of the session alone.
func (s *session) session() http.Header {
	d := cmcd.Data{SID: s.cfg.CMCD.SID}
	return d.Header()
}

// preflight asks the server whether it takes the headers, as browsers do across
// origins (Fetch standard, 4.8), unless it has said so of the address just now.
// It is a step of the same name, with the method OPTIONS.
func (s *session) preflight(ctx context.Context, a *ask, p Policy, req *fetch.Request, told http.Header, number int64, after Moment) (Moment, error) {
	origin := s.cfg.Header.Get("Origin")
	if origin == "" {
		origin = "null"
	}
	if sameOrigin(origin, req.URL) || s.allowed(req.URL) {
		return after, nil
	}
	var names []string
	for name := range told {
		names = append(names, strings.ToLower(name))
	}
	slices.Sort(names)
	header := http.Header{
		"Origin": {origin}, "Access-Control-Request-Method": {http.MethodGet}, "Access-Control-Request-Headers": {strings.Join(names, ",")},
	}
	if agent := req.Header.Get("User-Agent"); agent != "" {
		header.Set("User-Agent", agent)
	}
	header = merged(header, s.session()) // which no browser has here: it costs nothing
	n := &node{after: after, start: s.instant()}
	n.Step = run.Step{Name: a.name, Track: a.track, Method: http.MethodOptions, URL: req.URL, Attempt: number}
	index := s.begin(n)
	if a.asked != nil {
		a.asked()
	}
	x := s.cfg.Client.Do(ctx, fetch.Request{
		Method: http.MethodOptions, URL: req.URL, Header: header,
		FirstByteTimeout: p.FirstByte, StallTimeout: p.Stall, Timeout: p.Total, MaxBytes: maxKey,
	})
	plain := *a
	plain.done = nil
	fail := s.judge(ctx, plain, x)
	if fail == nil {
		if err := allows(x, origin, names); err != nil {
			fail = &failure{typ: run.ErrUnsupported, step: a.name, detail: err.Error()}
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

// allows tells why an answer to a preflight forbids the request; nil: it does not.
func allows(x *fetch.Exchange, origin string, names []string) error {
	if x.Status/100 != 2 {
		return errors.New("a browser does not send the CMCD headers: the answer to its preflight is a redirect")
	}
	if allowed := x.Header.Get("Access-Control-Allow-Origin"); allowed != "*" && allowed != origin {
		return errors.New("a browser does not send the request: the server allows no other origin")
	}
	taken := strings.Split(strings.ToLower(strings.Join(x.Header.Values("Access-Control-Allow-Headers"), ",")), ",")
	for i := range taken {
		taken[i] = strings.TrimSpace(taken[i])
	}
	for _, n := range names {
		if !slices.Contains(taken, n) && !slices.Contains(taken, "*") {
			return errors.New("a browser does not send the header " + n + ": the server does not allow it across origins")
		}
	}
	return nil
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

// redirected is where an answer leads to, without what was said with the request.
func (s *session) redirected(location string) string {
	if s.cfg.CMCD.In != "query" || location == "" {
		return location
	}
	if u, err := url.Parse(location); err != nil || u.RawQuery == "" {
		return location
	}
	return cmcd.Strip(location)
}
