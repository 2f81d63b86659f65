package player

import (
	"math"
	"time"
)

// shortestStall is what nobody sees: a frame of 25 a second.
const shortestStall = 40 * time.Millisecond

// playhead is the playing of what has been loaded, reckoned: it runs through the
// media in real time while every track holds what comes next, and stands still
// while one does not. Each call says what time it is, no earlier than the call
// before. Positions are on the presentation's timeline. It is not safe for
// concurrent use.
type playhead struct {
	empty  time.Duration // it stops where no more than this is ahead
	resume time.Duration // it goes on where as much as this is ahead, or all that there is
	want   time.Duration // media to play; then it is over

	at     time.Time     // up to which it is reckoned
	head   time.Duration // where it is then
	played time.Duration // media shown up to then
	moving bool
	over   bool     // nothing happens any more
	broke  *failure // why it is over, where playing broke off

	tracks map[string]*holding
	jumps  []jump // holes that it leaps over, by start
	stalls []stall
}

// holding is what a track holds from the playhead on.
type holding struct {
	from time.Duration // where the segment that came last begins
	end  time.Duration // of what has come
	last bool          // nothing follows
	fail *failure      // why nothing follows, where something should

	shows []showing // changes of rendition, by start
}

// showing is where another rendition is shown than before.
type showing struct {
	from      time.Duration
	rendition int
}

// jump is a hole in what is there to play.
type jump struct{ from, to time.Duration }

// stall is a time in which nothing moves; the end is zero while it lasts.
type stall struct{ from, to time.Time }

const never = time.Duration(math.MaxInt64)

// advance plays up to now.
func (p *playhead) advance(now time.Time) {
	for p.moving && !p.over && now.After(p.at) {
		next := p.next()
		step := max(min(now.Sub(p.at), next-p.head), 0)
		p.at, p.head, p.played = p.at.Add(step), p.head+step, p.played+step
		if p.head >= next {
			p.meet()
		}
	}
	if !p.over && now.After(p.at) {
		p.at = now
	}
}

// next is the position at which something happens.
func (p *playhead) next() time.Duration {
	next := min(p.reach(), p.head+p.want-p.played)
	if len(p.jumps) > 0 {
		next = min(next, p.jumps[0].from)
	}
	return next
}

// reach is how far the playhead comes with what is there: to where a track that
// goes on holds too little, or one has failed; else to the end of all.
func (p *playhead) reach() time.Duration {
	reach, end := never, time.Duration(math.MinInt64)
	for _, t := range p.tracks {
		switch {
		case t.fail != nil:
			reach = min(reach, t.end)
		case t.last:
			end = max(end, t.end)
		default:
			reach = min(reach, t.end-p.empty)
		}
	}
	if reach == never {
		return end
	}
	return reach
}

// meet is what happens where the playhead has come to.
func (p *playhead) meet() {
	switch {
	case p.played >= p.want:
		p.over = true
	case len(p.jumps) > 0 && p.head >= p.jumps[0].from:
		p.head = max(p.head, p.jumps[0].to)
		p.jumps = p.jumps[1:]
	case !p.ended():
		p.moving = false
		p.stalls = append(p.stalls, stall{from: p.at})
	}
}

// ended tells whether nothing follows where the playhead is, and is over then.
func (p *playhead) ended() bool {
	all := true
	for _, t := range p.tracks {
		if t.fail != nil && p.head >= t.end {
			p.over, p.broke = true, t.fail
			return true
		}
		all = all && t.last && p.head >= t.end
	}
	p.over = all
	return all
}

// changed goes on after what the tracks hold has changed at now, where that is
// enough.
func (p *playhead) changed(now time.Time) {
	if p.moving || p.over || p.ended() {
		p.settle(now)
		return
	}
	for _, t := range p.tracks {
		ahead := t.end - p.head
		if !t.last && t.fail == nil && (ahead <= p.empty || ahead < p.resume) {
			return
		}
	}
	p.moving = true
	p.settle(now)
}

// settle ends a stall that is over; one that nobody can have seen was none.
func (p *playhead) settle(now time.Time) {
	if len(p.stalls) == 0 {
		return
	}
	last := &p.stalls[len(p.stalls)-1]
	if !last.to.IsZero() {
		return
	}
	if last.to = now; now.Sub(last.from) < shortestStall {
		p.stalls = p.stalls[:len(p.stalls)-1]
	}
}

// hold notes that a track holds media from start to end, of a rendition, since
// now. A hole before it is leapt over.
func (p *playhead) hold(track string, start, end time.Duration, rendition int, now time.Time) {
	p.advance(now)
	t := p.tracks[track]
	if start-t.end > maxHole {
		p.leap(t.end, start)
	}
	t.show(start, end, rendition, p.head)
	t.from, t.end = start, max(t.end, end)
	p.changed(now)
}

// show notes the rendition of what has come. Where it replaces what is held, that is
// seen from its start on; of what is being played, from its end on.
func (t *holding) show(start, end time.Duration, rendition int, head time.Duration) {
	from := max(start, t.end)
	if end <= t.end {
		if from = start; start < head {
			from = end
		}
	}
	for n := len(t.shows); n > 1 && t.shows[n-1].from >= from; n-- {
		t.shows = t.shows[:n-1]
	}
	if n := len(t.shows); n == 0 || t.shows[n-1].rendition != rendition {
		t.shows = append(t.shows, showing{from, rendition})
	}
}

// maxHole is what a player plays across without noticing (maxBufferHole of
// hls.js).
const maxHole = 100 * time.Millisecond

// leap notes a hole, in order; the tracks' holes may overlap.
func (p *playhead) leap(from, to time.Duration) {
	i := len(p.jumps)
	for i > 0 && p.jumps[i-1].from > from {
		i--
	}
	p.jumps = append(p.jumps[:i], append([]jump{{from, to}}, p.jumps[i:]...)...)
}

// finish notes that nothing follows on a track; fail says why, where something
// should.
func (p *playhead) finish(track string, fail *failure, now time.Time) {
	p.advance(now)
	p.tracks[track].last, p.tracks[track].fail = fail == nil, fail
	p.changed(now)
}

// ahead is how much of a track is ahead of the playhead at now.
func (p *playhead) ahead(track string, now time.Time) time.Duration {
	p.advance(now)
	return p.tracks[track].end - p.head
}

// until is when something happens by itself; false: only when a track changes. It
// is after what is reckoned, so that advance comes past it: a clock may stand still.
func (p *playhead) until() (time.Time, bool) {
	if !p.moving || p.over {
		return time.Time{}, false
	}
	next := p.next()
	return p.at.Add(max(next-p.head, 1)), true
}

// switches is how many changes of rendition were shown.
func (p *playhead) switches(track string) (n int) {
	for i, s := range p.tracks[track].shows {
		if i > 0 && s.from < p.head {
			n++
		}
	}
	return n
}

// stalled is how long the playhead stood still.
func (p *playhead) stalled() (d time.Duration) {
	for _, s := range p.stalls {
		d += s.to.Sub(s.from)
	}
	return d
}
