package player

import "time"

// dashjsGiveUp is when dash.js gives up a segment under way, once for each: at what
// has come after its first piece, all of it would take more than 1.8 times what it
// plays, half a second after its first byte, no more than bufferTimeDefault is
// ahead, and what is missing is more than it would be at the rendition that such a
// throughput carries (AbandonRequestsRule).
func dashjsGiveUp(Bandwidth) func(Playing, UnderWay) int {
	return func(p Playing, u UnderWay) int {
		if u.Again || p.Ahead > 18*time.Second || u.Pieces < 6 || u.Took-u.FirstByte <= 500*time.Millisecond { // minThroughputSamplesThreshold, minSegmentDownloadTimeThresholdInMs
			return -1
		}
		kbps := float64(u.Bytes-u.First) * 8 / max(ms(u.Took-u.Piece), 1)
		if whole := float64(u.Size) * 8 / 1000 / kbps; whole < 1.8*u.Plays.Seconds() { // abandonDurationMultiplier
			return -1
		}
		to := highestWithin(p.Renditions, kbps)
		if now := p.kbps(); now == 0 || float64(u.Size-u.Bytes) <= float64(u.Size)*p.Renditions[to].Kbps/now {
			return -1
		}
		return to
	}
}
