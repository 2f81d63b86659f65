// Package rewrite changes segments of the lab's media: a [Loop] moves them in
// time, so that a few segments make an endless live stream, and
// [HideKeyframes] takes away every place to start. It knows H.264 and AAC in
// MPEG-TS and in fragmented MP4 as ffmpeg writes them; whatever else it meets
// is ErrForeign.
package rewrite

import (
	"errors"
	"fmt"
	"time"
)

// ErrForeign is what segments of another make are refused with.
var ErrForeign = errors.New("rewrite: not a segment of the lab's media")

// Loop is a stream that repeats its segments for ever, with times and
// continuity counters that go on from one time round to the next.
type Loop struct {
	segments [][]byte
	length   time.Duration
	packets  map[int]int64 // MPEG-TS: how many with payload one time round has, by PID
}

// NewLoop makes a loop of consecutive segments that last for length together,
// which their timescales must divide.
func NewLoop(segments [][]byte, length time.Duration) (*Loop, error) {
	l := &Loop{segments: segments, length: length, packets: map[int]int64{}}
	for _, s := range segments {
		if !isTS(s) {
			continue
		}
		err := eachPacket(s, func(pid int, _ bool, _, _, payload []byte) {
			if payload != nil {
				l.packets[pid]++
			}
		})
		if err != nil {
			return nil, err
		}
	}
	for n := range segments {
		if _, err := l.Segment(int64(n + len(segments))); err != nil {
			return nil, fmt.Errorf("segment %d: %w", n, err)
		}
	}
	return l, nil
}

// Segment is segment n of the stream, from 0.
func (l *Loop) Segment(n int64) ([]byte, error) {
	count := int64(len(l.segments))
	round := n / count
	out := append([]byte(nil), l.segments[n%count]...)
	if isTS(out) {
		return out, errors.Join(
			shiftTS(out, uint64(round)*uint64(l.length)*9/100_000),
			continueTS(out, func(pid int) int64 { return round * l.packets[pid] }))
	}
	return out, shiftMP4(out, time.Duration(round)*l.length, uint32(n+1))
}

// HideKeyframes is a copy of a segment in which no sample is marked as a place
// to start. Encrypted segments are ErrForeign.
func HideKeyframes(segment []byte) ([]byte, error) {
	out := append([]byte(nil), segment...)
	if isTS(out) {
		return out, hideTS(out)
	}
	return out, eachBox(out, func(kind string, body []byte) error {
		switch kind {
		case "tfhd":
			return hideDefault(body)
		case "trun":
			return hideSamples(body)
		}
		return nil
	})
}
