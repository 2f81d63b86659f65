package player

import "cmp"

// Rendition is one rendition of the main track, or of audio beside it, to choose
// from. What a manifest does not say is zero.
type Rendition struct {
	Kbps          float64 // as the manifest says, with the audio that counts
	AverageKbps   float64
	VideoKbps     float64 // of DASH its own, without audio; 0 of HLS
	Width, Height int
	FrameRate     float64
	Range         string // of HLS: SDR, HLG, PQ
	Score         float64
	Codecs        []string
	Lang, Role    string
	Sound         Sound

	// Of DASH: which adaptation set it is of, whether that is of role main, its
	// selectionPriority, and the sets that it may be switched with.
	Set       int
	Main      bool
	Priority  int64
	Switching []int
}

// OwnKbps is the bandwidth of the rendition alone, where that is known apart.
func (r *Rendition) OwnKbps() float64 { return cmp.Or(r.VideoKbps, r.Kbps) }

// Sound is what a manifest says of the sound of a rendition.
type Sound struct {
	Channels int    // the most of DASH, or of the HLS rendition that plays
	Group    string // of HLS: the audio group; empty: it is in the variant
	Stereo   int    // of HLS: how many renditions of the group have two channels, or do not say

	Default, Autoselect bool // of HLS: some rendition of the group is
}

// highestWithin is the usual choice: the highest rendition that the estimate
// carries, else the lowest there is.
func highestWithin(renditions []Rendition, estimateKbps float64) int {
	best := lowest(renditions)
	for i, r := range renditions {
		if r.Kbps <= estimateKbps && r.Kbps > renditions[best].Kbps {
			best = i
		}
	}
	return best
}

// highestWithinShare is highestWithin of a share of the estimate.
func highestWithinShare(share float64) func([]Rendition, float64) int {
	return func(r []Rendition, kbps float64) int { return highestWithin(r, kbps*share) }
}

// otherWithin is the usual choice after a failure: the highest rendition that a
// share of the estimate carries, else the lowest, of those that have not failed.
func otherWithin(share float64) func([]Rendition, []bool, int, float64) int {
	return func(renditions []Rendition, failed []bool, at int, kbps float64) int {
		left, index := remaining(renditions, failed, at)
		if len(left) == 0 {
			return -1
		}
		return index[highestWithin(left, kbps*share)]
	}
}

// remaining are the renditions that have not failed, but the one at index but, and
// the index of each.
func remaining(renditions []Rendition, failed []bool, but int) (left []Rendition, index []int) {
	for i, r := range renditions {
		if i != but && !failed[i] {
			left, index = append(left, r), append(index, i)
		}
	}
	return left, index
}

// lowest is the rendition with the least bandwidth, of equals the first.
func lowest(renditions []Rendition) int {
	best := 0
	for i, r := range renditions {
		if r.Kbps < renditions[best].Kbps {
			best = i
		}
	}
	return best
}
