package main

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	datum "github.com/firstframe/firstframe/probes/run"
)

// segmentLength is how long a stream's segments are, in ms (media.sh).
func segmentLength(stream string) float64 {
	if stream == "ts" || stream == "aes" {
		return 6000
	}
	return 4000
}

// uneven is by how much, in ms, a segment of sound may end before or after the
// pictures of the same number.
const uneven = 100

// reckoned is what a run that played on tells of how it went on, given its
// segments' length: what was shown when follows from which came when, and from the
// stalls.
func reckoned(r datum.Run, base string, length float64) *onwards {
	o := &onwards{Media: *r.PlayedMs}
	var head playhead
	if r.StartupMs != nil {
		head.begin = *r.StartupMs
	}
	for _, s := range r.Steps {
		if s.Name == datum.WaitStall {
			head.stalls = append(head.stalls, s)
			o.Stalls, o.Stalled = o.Stalls+1, o.Stalled+s.EndMs-s.StartMs
		}
	}
	segments := segmentsOf(r, base)
	separate := slices.ContainsFunc(segments, func(s segment) bool { return s.audio })
	levels, came := map[int]int{}, map[bool]int{} // by number; by track, audio or not
	for _, s := range segments {
		position := head.position(s.end)
		came[s.audio] = max(came[s.audio], s.number+1)
		if !s.audio && (levels[s.number] == 0 || position <= float64(s.number)*length) {
			levels[s.number] = height(s.folder) // what comes while it is played is not seen
		}
		there := came[false]
		if separate {
			there = min(there, came[true])
		}
		if s.end <= head.begin+o.Media+o.Stalled {
			o.Ahead = max(o.Ahead, float64(there)*length-position)
		}
	}
	for n := 0; levels[n] > 0 && float64(n)*length < o.Media; n++ {
		if len(o.Heights) == 0 || o.Heights[len(o.Heights)-1].Height != levels[n] {
			o.Heights = append(o.Heights, shown{head.at(float64(n) * length), levels[n]})
		}
	}
	return o
}

// segment is one that a run got whole.
type segment struct {
	resource
	end float64 // when, in ms since play was pressed
}

// segmentsOf are a run's, in the order in which they came.
func segmentsOf(r datum.Run, base string) (all []segment) {
	for _, s := range r.Steps {
		if path, ours := strings.CutPrefix(s.URL, base); ours && s.Name == datum.StepSegment && s.Error == "" && s.Status == http.StatusOK {
			all = append(all, segment{resourceAt(path), s.EndMs})
		}
	}
	slices.SortStableFunc(all, func(a, b segment) int { return cmp.Compare(a.end, b.end) })
	return all
}

// playhead is what moves on from begin, in ms since play was pressed, but in the
// stalls.
type playhead struct {
	begin  float64
	stalls []datum.Step
}

// position is where it is at an instant, in ms.
func (p playhead) position(instant float64) float64 {
	media := instant - p.begin
	for _, s := range p.stalls {
		media -= max(0, min(instant, s.EndMs)-s.StartMs)
	}
	return max(0, media)
}

// at is when it goes on from a position, in ms since begin: after a stall that is
// there.
func (p playhead) at(position float64) float64 {
	at := position
	for _, s := range p.stalls {
		if p.position(s.StartMs) <= position+uneven {
			at += s.EndMs - s.StartMs
		}
	}
	return at
}

// height is that of a rendition's folder, v360 or so; 0 of others.
func height(folder string) (n int) {
	_, _ = fmt.Sscanf(folder, "v%d", &n) // another folder has none
	return n
}
