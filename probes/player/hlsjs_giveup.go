package player

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// hlsjsGiveUp is when hls.js gives up a segment under way: half of what it plays
// has passed since it was asked for, the rest would come after the buffer is
// empty, and a segment of a lower level sooner than that rest. It tries every
// level below but the lowest, which it takes where none of them comes in time; so
// it never gives up one of the second lowest (_abandonRulesCheck in
// controller/abr-controller.ts). What has come is measured, and where that leaves
// room for the level chosen, that level's bandwidth is taken for the line's.
func hlsjsGiveUp(b Bandwidth) func(Playing, UnderWay) int {
	measured := b.(*averages)
	return func(p Playing, u UnderWay) int {
		order := byKbps(p.Renditions)
		level := slices.Index(order, p.At)
		answer := measured.FirstByte()
		if level < 1 || u.Took <= max(answer, u.Plays/2) {
			return -1
		}
		kbps, rest := hlsjsRest(p, u, answer)
		if rest <= p.Ahead {
			return -1
		}
		sooner, to := time.Duration(math.MaxInt64), level-1
		for ; to > 0; to-- {
			sooner = loads(answer, p.Renditions[order[to]].Kbps, u.Plays, kbps)
			if p.Live {
				sooner += answer // its playlist
			}
			if sooner < min(p.Ahead, u.Plays+answer) {
				break
			}
		}
		if sooner >= rest || sooner > 10*u.Plays {
			return -1
		}
		if u.FirstByte > 0 {
			measured.Sample(u.FirstByte, u.Took-u.FirstByte, u.Bytes)
		} else {
			measured.begins(u.Took)
		}
		level = to
		carries := p.Renditions[order[to]].Kbps
		if measured.Kbps()*0.7 > carries { // abrBandWidthUpFactor
			measured.assume(carries)
		}
		for ; level >= 0; level-- { // findBestLevel
			r := p.Renditions[order[level]].Kbps // carries, or less
			if p.Live || loads(measured.FirstByte(), r, u.Plays, carries) < p.Ahead {
				return order[level]
			}
		}
		return order[to]
	}
}

// hlsjsRest is the rate at which a segment comes, in kbit/s, and how long its rest
// takes at that; before its first byte, the bandwidth as measured and the whole.
func hlsjsRest(p Playing, u UnderWay, answer time.Duration) (kbps float64, rest time.Duration) {
	size := float64(u.Size) // as levels' real bitrates say
	if size == 0 {
		size = p.kbps() * u.Plays.Seconds() * 1000 / 8
	}
	if size = max(size, float64(u.Bytes)); u.FirstByte == 0 || u.Took <= u.FirstByte {
		return p.Kbps, loads(answer, size*8/1000/u.Plays.Seconds(), u.Plays, p.Kbps)
	}
	kbps = float64(u.Bytes) * 8 / ms(u.Took-u.FirstByte)
	return kbps, time.Duration((size - float64(u.Bytes)) * 8 / kbps * float64(time.Millisecond))
}

// loads is how long a segment of so much media at a rendition's bandwidth takes at
// so many kbit/s.
func loads(answer time.Duration, rendition float64, plays time.Duration, kbps float64) time.Duration {
	return answer + time.Duration(rendition/kbps*float64(plays))
}

// byKbps are the renditions' indexes by bandwidth, rising.
func byKbps(renditions []Rendition) []int {
	order := make([]int, len(renditions))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(renditions[a].Kbps, renditions[b].Kbps) })
	return order
}
