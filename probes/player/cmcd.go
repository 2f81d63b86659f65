package player

import (
	"net/http"
	"net/url"
	"slices"

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

// say puts what the player tells into a request. The answer is the headers that it
// has put there itself.
func (s *session) say(a *ask, req *fetch.Request) http.Header {
	d := s.tell(a, req.URL)
	switch {
	case d == nil && s.cfg.CMCD.In != "":
		req.Header = merged(req.Header, s.session())
	case d == nil:
	case s.cfg.CMCD.In == "query":
		req.URL = d.AddTo(req.URL)
	default:
		told := d.Header()
		req.Header = merged(req.Header, told)
		return told
	}
	return nil
}

// session is the header that tells of the session alone.
func (s *session) session() http.Header {
	d := cmcd.Data{SID: s.cfg.CMCD.SID}
	return d.Header()
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
