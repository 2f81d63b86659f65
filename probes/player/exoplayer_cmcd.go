package player

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/firstframe/firstframe/probes/cmcd"
	"github.com/firstframe/firstframe/probes/run"
)

// exoplayerTells is what Media3 tells with a request, read in its sources of
// August 2026: upstream/CmcdData and those that call it, DefaultHlsPlaylistTracker,
// HlsChunkSource, HlsMediaChunk, DashMediaSource and DefaultDashChunkSource. The
// bit rate of audio that a playlist does not declare, which Media3 tells as 0, is
// left out.
func exoplayerTells(s *session, a *ask, target string) *cmcd.Data {
	d := &cmcd.Data{SID: s.cfg.CMCD.SID, CID: s.cfg.CMCD.CID, SF: s.format()}
	s.mu.Lock()
	d.ST = s.stream
	s.mu.Unlock()
	switch a.name {
	case run.StepManifest, run.StepPlaylist:
		d.OT = 'm'
	case run.StepInit, run.StepIndex:
		d.OT = 'i'
		s.exoplayerTellsChunk(d, a, target)
	case run.StepSegment, run.StepPart, run.StepKey: // a key like the segment that needs it
		s.exoplayerTellsChunk(d, a, target)
		if d.OT = s.exoplayerKind(a); d.OT != 0 {
			d.BL, d.DL, d.D = &a.ahead, &a.ahead, a.length
		}
	default:
		return nil // clocks and steering
	}
	return d
}

// exoplayerTellsChunk fills in what is told of all that a track consists of.
func (s *session) exoplayerTellsChunk(d *cmcd.Data, a *ask, target string) {
	d.SU = s.unqueued(a.track)
	if a.track == run.TrackVideo {
		l := s.ladder
		l.mu.Lock()
		d.BR = math.Ceil(l.renditions[l.at].Kbps)
		l.mu.Unlock()
		for _, r := range l.renditions {
			d.TB = max(d.TB, math.Ceil(r.Kbps))
		}
		if len(l.renditions) > 1 { // a FixedTrackSelection has no estimate
			d.MTP = l.estimate
			if s.gauge != nil {
				if kbps, known := s.gauge.kbps(); known {
					d.MTP = kbps
				}
			}
		}
	}
	if a.following != nil && (a.name != run.StepInit || d.SF == 'h') {
		d.NOR = pathTo(target, a.following.url)
		d.NRR = "0-"
		switch r := a.following.rng; {
		case r == nil:
		case r.Length == 0:
			d.NRR = fmt.Sprintf("%d-", r.Offset)
		default:
			d.NRR = fmt.Sprintf("%d-%d", r.Offset, r.Offset+r.Length) // one too many, as Media3 has it
		}
	}
}

// exoplayerKind is the letter of media: of sound and picture in one that of
// the picture, by whose track it is chosen. Without codecs in the playlist it is
// not known, and Media3 then tells neither duration nor buffer.
func (s *session) exoplayerKind(a *ask) byte {
	l := s.ladder
	l.mu.Lock()
	known := len(l.renditions[l.at].Codecs) > 0 || s.format() == 'd'
	l.mu.Unlock()
	switch {
	case !known:
		return 0
	case a.track == run.TrackVideo:
		return 'v'
	}
	return 'a'
}

// unqueued tells whether the player has no media of a track yet.
func (s *session) unqueued(track string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.ContainsFunc(s.nodes, func(n *node) bool {
		return (n.Name == run.StepSegment || n.Name == run.StepPart) && n.Track == track && n.Status/100 == 2
	})
}

// pathTo is the address next as UriUtil.getRelativePath has it, encoded: from
// the file, not from its folder, and without the query; empty where it is the
// same.
func pathTo(address, next string) string {
	from, err1 := url.Parse(address)
	to, err2 := url.Parse(next)
	switch {
	case err1 != nil || err2 != nil:
		return ""
	case from.Scheme != to.Scheme || from.Host != to.Host:
		return cmcd.Next(address, next)
	}
	a, b := strings.Split(strings.Trim(from.Path, "/"), "/"), strings.Split(strings.Trim(to.Path, "/"), "/")
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	return strings.ReplaceAll(url.QueryEscape(strings.Repeat("../", len(a))+strings.Join(b, "/")), "+", "%20")
}
