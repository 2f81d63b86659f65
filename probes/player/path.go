package player

import (
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// Moment is an instant, and the step that brought it about: the answer that
// ended, the keyframe that was complete.
type Moment struct {
	At   time.Time
	Step int // index into Result.Steps; PressPlay when it is the start itself
}

// PressPlay is the Step of the moment at which play was pressed.
const PressPlay = -1

// Later is the later of two moments; of equals m.
func (m Moment) Later(n Moment) Moment {
	if n.At.After(m.At) {
		return n
	}
	return m
}

// node is a step with what the critical path needs to know of it.
type node struct {
	run.Step
	begun      time.Time // when it was added: the order of requests that go out together
	start, end time.Time
	after      Moment          // what it waited for; the time between is the player's own
	exchange   *fetch.Exchange // nil for a wait
	seal       *seal           // nil: what is asked for is not encrypted as a whole
}

// span is one stretch of a node's time and the phase it belongs to.
type span struct {
	ms    float64
	phase *float64
}

// spans are the parts of the node's time in order; they add up to end − start.
func (n *node) spans(p *run.Phases) []span {
	switch n.Name {
	case run.WaitRetry, run.WaitLive:
		return []span{{ms(n.end.Sub(n.start)), &p.QueueMs}}
	case run.WaitPlayer:
		return []span{{ms(n.end.Sub(n.start)), &p.PlayerMs}}
	}
	wait, receive := &p.SegmentTTFBMs, &p.SegmentMs
	switch n.Name {
	case run.StepPlaybackAPI:
		wait, receive = &p.PlaybackAPIMs, &p.PlaybackAPIMs
	case run.StepManifest, run.StepSteering, run.StepClock:
		wait, receive = &p.ManifestMs, &p.ManifestMs
	case run.StepPlaylist:
		wait, receive = &p.PlaylistMs, &p.PlaylistMs
	case run.StepKey:
		wait, receive = &p.KeyMs, &p.KeyMs
	case run.StepInit, run.StepIndex:
		wait, receive = &p.InitMs, &p.InitMs
	}
	return []span{
		{n.QueueMs, &p.QueueMs},
		{n.DNSMs, &p.DNSMs},
		{n.ConnMs, &p.ConnectMs},
		{n.TLSMs, &p.TLSMs},
		{n.WaitMs, wait},
		{n.RecvMs, receive},
	}
}

// criticalPath walks back from the moment last to press play and gives every
// instant between to exactly one phase. A step that last lies within counts up
// to last only; a stretch between a step and what it waited for is the
// player's. The phases add up to last − start.
func criticalPath(nodes []*node, start time.Time, last Moment) run.Phases {
	var p run.Phases
	for at := last; ; {
		if at.Step == PressPlay {
			p.PlayerMs += ms(at.At.Sub(start))
			return p
		}
		n := nodes[at.Step]
		if over := ms(at.At.Sub(n.end)); over > 0 {
			p.PlayerMs += over
		}
		left := ms(minTime(at.At, n.end).Sub(n.start))
		for _, s := range n.spans(&p) {
			part := min(s.ms, left)
			*s.phase += part
			left -= part
		}
		// What the parts leave over is rounding, far below a microsecond; it is
		// put where it keeps the sum true.
		p.PlayerMs += left
		p.PlayerMs += ms(n.start.Sub(n.after.At))
		at = n.after // can lie within a step
	}
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// ms is d in milliseconds.
func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
