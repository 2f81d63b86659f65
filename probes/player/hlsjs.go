package player

import (
	"cmp"
	"net/http"
	"time"

	"github.com/firstframe/firstframe/probes/hls"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/steering"
)

// hlsjs is hls.js with its default settings: progressive off, so that whole
// segments are appended; the start rung from the variant listed first, within
// 0.5 and 5 Mbit/s (abrEwmaDefaultEstimate, abrEwmaDefaultEstimateMax); init
// and first segment in parallel since 1.7.
var hlsjs = &Model{
	Name:     "hlsjs",
	Version:  "1.7.4",
	Source:   "requests, think times and timer measured in Chromium; retries from src/config.ts and controller/error-controller.ts",
	Measured: true,
	Web:      true,
	// controller/cmcd-controller.ts: the loaders of playlists and fragments only.
	Tells: Telling{Not: []run.StepName{run.StepKey, run.StepSteering}, Assumed: true, Buffer: true, Next: true},

	HLS: &Think{
		Manifest:         7 * time.Millisecond,
		Playlist:         9 * time.Millisecond,
		PlaylistBeside:   10 * time.Millisecond,
		AudioPlaylist:    12 * time.Millisecond,
		Key:              10 * time.Millisecond,
		Init:             10 * time.Millisecond,
		Segment:          9 * time.Millisecond,
		SegmentBeside:    11 * time.Millisecond,
		SegmentAfterInit: 2 * time.Millisecond,
		AudioInit:        5 * time.Millisecond,
		AudioSegment:     6 * time.Millisecond,
		AudioAfterInit:   2 * time.Millisecond,
		AudioJoined:      12 * time.Millisecond,
		LiveAudio:        42 * time.Millisecond,
		SwitchPlaylist:   8 * time.Millisecond,
		SwitchSegment:    7 * time.Millisecond,
		NextSegment:      4 * time.Millisecond,
	},

	EstimateKbps: func(r []Rendition) float64 { return max(500, min(r[0].Kbps, 5000)) },
	Start:        hlsjsStart,
	// Once each level has failed, a timer takes a request for aborted or complete
	// that was, and forgets the level switched to: what is tried again is the first
	// (_abandonRulesCheck, firstSelection in controller/abr-controller.ts).
	Failover: &Failover{Next: nextLower, Playlists: true, Timeouts: true, Back: true},

	LiveDelay:  holdBack, // liveSyncDurationCount is 3
	LowLatency: true,     // lowLatencyMode
	SteerAgain: hlsjsSteerAgain,

	// playlistParsingError in loader/m3u8-parser.ts and utils/variable-substitution.ts.
	Refuses: []hls.FaultKind{hls.FaultLeadingSpace, hls.FaultTargetDuration, hls.FaultRepeated, hls.FaultLate, hls.FaultDefine},

	RangesInTurn:     true,
	InitTakesSegment: true, // loadInitSegmentIfNeeded in controller/base-stream-controller.ts
	AudioJoins:       true, // onAudioTrackLoaded in controller/audio-stream-controller.ts
	LiveAudioLast:    true,

	WholeSegment: true,
	FrameAudio:   AudioSegment, // it holds the audio's init back with its segment
	Tick:         &Tick{Period: 100 * time.Millisecond, Offset: 59 * time.Millisecond, After: Cost{PerMB: 15 * time.Millisecond}},
	RenderTS:     Cost{Base: 83 * time.Millisecond},
	RenderFMP4:   Cost{Base: 48 * time.Millisecond},
	Reordering:   chromiumReordering,

	Buffering: Buffering{
		Goal:  hlsjsGoal,
		Early: 40 * time.Millisecond, // measured: 31 to 82
		// blockAudio in controller/buffer-controller.ts, doTickIdle in controller/audio-stream-controller.ts
		AudioFollows: true,
		Every:        100 * time.Millisecond,                                                                         // TICK_INTERVAL in controller/stream-controller.ts
		Bandwidth:    func() Bandwidth { return &averages{fast: 3 * time.Second, slow: 9 * time.Second, weight: 1} }, // abrEwma…
		Next:         func() func(Playing) int { return hlsjsNext },
		GiveUp:       hlsjsGiveUp,
		Look:         100 * time.Millisecond, // the timer of onFragLoading in controller/abr-controller.ts
	},

	// A 4xx and a broken connection (status 0) are not tried again
	// (retryForHttpStatus): the level is left. Where there is no other they are
	// (onFragmentOrKeyLoadError, noAlternate). The failures of keys, init
	// segments and segments of all tracks count together
	// (getFragRetryOrSwitchAction), and what is tried again is so at the next beat
	// (checkRetryDate in controller/base-stream-controller.ts), audio at the one
	// after it (doTick in controller/audio-stream-controller.ts).
	Retry: map[run.StepName]Policy{
		run.StepSteering: {FirstByte: 10 * time.Second, Total: 20 * time.Second, TimeoutRetries: 2, ErrorRetries: 1, ErrorDelay: time.Second, MaxDelay: 8 * time.Second},
		run.StepManifest: {Total: 20 * time.Second, TimeoutRetries: 2, ErrorRetries: 1, ErrorDelay: time.Second, MaxDelay: 8 * time.Second},
		run.StepPlaylist: {FirstByte: 10 * time.Second, Total: 20 * time.Second, TimeoutRetries: 2, ErrorRetries: 2, ErrorDelay: time.Second, MaxDelay: 8 * time.Second},
		run.StepKey:      {FirstByte: 8 * time.Second, Total: 20 * time.Second, TimeoutRetries: 1, TimeoutDelay: time.Second, ErrorRetries: 8, ErrorDelay: time.Second, Together: true, Alone: true, Beat: true},
		run.StepInit:     {FirstByte: 10 * time.Second, Total: 120 * time.Second, TimeoutRetries: 4, ErrorRetries: 6, ErrorDelay: time.Second, MaxDelay: 8 * time.Second, Together: true, Alone: true, Beat: true},
		run.StepSegment:  {FirstByte: 10 * time.Second, Total: 120 * time.Second, TimeoutRetries: 4, ErrorRetries: 6, ErrorDelay: time.Second, MaxDelay: 8 * time.Second, Together: true, Alone: true, Beat: true},
	},
}

// hlsjsSteerAgain is onError of controller/content-steering-controller.ts: never after
// a 410 or a 429, nor where the answer was no steering manifest.
func hlsjsSteerAgain(r Refused) time.Duration {
	switch r.Status {
	case http.StatusOK, http.StatusGone, http.StatusTooManyRequests:
		return 0
	}
	return cmp.Or(r.TTL, steering.DefaultTTL)
}

// hlsjs16 is hls.js 1.6 with its default settings. What it does otherwise than
// 1.7 on the way to the first frame is to load the init segment before the
// segment (doLoadFragInitSegment, then the next tick in
// controller/base-stream-controller.ts); its other times are taken over from 1.7.4.
var hlsjs16 = func() *Model {
	m := *hlsjs
	m.Version = "1.6.19"
	m.Source = "as 1.7.4, whose order of requests was changed by what src/controller/base-stream-controller.ts of 1.6.19 does otherwise"
	m.Measured = false
	m.InitFirst, m.InitTakesSegment = true, false
	return &m
}()

// hlsjsGoal is maxBufferLength, or as long as maxBufferSize lasts, but
// maxMaxBufferLength at most (getMaxBufferLength in
// controller/base-stream-controller.ts).
func hlsjsGoal(p Playing) time.Duration {
	goal := 30 * time.Second
	if kbps := p.kbps(); kbps > 0 {
		goal = max(goal, time.Duration(8*60e6/(kbps*1000)*float64(time.Second)))
	}
	return min(goal, 600*time.Second)
}

// hlsjsNext is the highest level that 0.95 of the bandwidth carries, or 0.7 where
// it is higher than the present one, and whose next segment comes before the
// buffer is empty; where none does, one that makes it wait for at most a
// segment, or 4 s (getNextABRAutoLevel and findBestLevel in
// controller/abr-controller.ts: abrBandWidthFactor, abrBandWidthUpFactor,
// maxStarvationDelay).
func hlsjsNext(p Playing) int {
	if p.Ahead > 0 {
		if best := hlsjsWithin(p, p.Ahead); best >= 0 {
			return best
		}
	}
	if best := hlsjsWithin(p, p.Ahead+min(p.Segment, 4*time.Second)); best >= 0 {
		return best
	}
	return lowest(p.Renditions)
}

// hlsjsWithin is the highest level whose segment comes within limit; -1: none.
func hlsjsWithin(p Playing, limit time.Duration) int {
	best := -1
	for i, r := range p.Renditions {
		share, first := 0.95, p.FirstByte
		if r.Kbps > p.kbps() {
			share = 0.7
		}
		if i != p.At {
			first *= 2 // and that of its playlist
		}
		fetch := first + time.Duration(r.Kbps/(p.Kbps*share)*float64(p.Segment))
		if p.Kbps*share >= r.Kbps && (p.Live || fetch < limit) && (best < 0 || r.Kbps > p.Renditions[best].Kbps) {
			best = i
		}
	}
	return best
}

// nextLower is the rendition below the one that failed, and below the lowest
// the highest, of those that have not failed (getLevelSwitchAction in
// controller/error-controller.ts).
func nextLower(renditions []Rendition, failed []bool, at int, _ float64) int {
	below, highest := -1, -1
	for i, r := range renditions {
		if i == at || failed[i] {
			continue
		}
		if r.Kbps < renditions[at].Kbps && (below < 0 || r.Kbps > renditions[below].Kbps) {
			below = i
		}
		if highest < 0 || r.Kbps > renditions[highest].Kbps {
			highest = i
		}
	}
	if below >= 0 {
		return below
	}
	return highest
}
