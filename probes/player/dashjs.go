package player

import (
	"math"
	"net/http"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// dashjs is dash.js with its default settings. It keeps the rendition that it
// starts with until the first frame, and never leaves one that fails.
var dashjs = &Model{
	Name:     "dashjs",
	Version:  "5.2.1",
	Source:   "requests and think times measured in Chromium; retries and live delay from Settings, PlaybackController and HTTPLoader",
	Measured: true,
	Web:      true,
	// streaming/models/CmcdModel.js: the format is known once the manifest is.
	Tells: Telling{Not: []run.StepName{run.StepSteering, run.StepClock}, FormatLate: true, Buffer: true, Next: true},

	DASH: &Think{
		Manifest:         20 * time.Millisecond,
		Clock:            12 * time.Millisecond,
		Index:            28 * time.Millisecond,
		AfterIndex:       17 * time.Millisecond,
		Init:             28 * time.Millisecond,
		Segment:          28 * time.Millisecond,
		SegmentBeside:    28 * time.Millisecond,
		SegmentAfterInit: 11 * time.Millisecond,
		NextSegment:      13 * time.Millisecond,
		AudioInit:        29 * time.Millisecond,
		AudioSegment:     29 * time.Millisecond,
		AudioAfterInit:   10 * time.Millisecond,
		NextAudio:        7 * time.Millisecond,
	},

	EstimateKbps: always(1000), // DEFAULT_VIDEO_BITRATE in AbrController
	SoundKbps:    100,          // DEFAULT_BITRATE
	Start:        highestWithin,
	Among:        dashjsAmong,
	SoundAmong:   dashjsAmong,
	SoundStart:   func(r []Rendition) int { return highestWithin(r, 100) }, // DEFAULT_BITRATE

	Priorities: true,         // DVBSelector
	Locations:  LocationLast, // onFragmentLoadingCompleted in Stream, BlacklistController

	LiveDelay: func(l Live) time.Duration { // computeAndSetLiveDelay in PlaybackController
		switch {
		case l.Asked > 0:
			return l.Asked
		case l.Declared > 0:
			return 4 * l.Declared
		case l.Buffer > 0:
			return 4 * l.Buffer
		}
		return 4 * l.Target
	},
	HurriedTries: 5,  // lowLatencyMultiplyFactor
	HurriedShare: 10, // lowLatencyReductionFactor

	// TimeSyncController; defaultTimingSource and useManifestDateHeaderTimeSource
	// in Settings.
	Clocks: Clocks{FromDate: true, Default: "https://time.akamai.com/?iso&ms"},

	LowLatency: true, // _onRepresentationSwitch in PlaybackController
	SteerAgain: dashjsSteerAgain,

	IndexAll:     true, // updateData in RepresentationController
	InitFirst:    true,
	RangesInTurn: true,
	// Audio goes on while it holds less than the manifest says that a segment of it
	// lasts (_getBufferTargetForAudio in ScheduleController), so where the packager
	// has cut before that, and while a live stream's position is not there yet.
	AudioAhead: func(a Ahead) bool { return a.Live || a.Held < a.Audio },
	// _shouldBuffer in ScheduleController.
	VideoAhead: func(p Playing, _ time.Duration) bool { return p.Ahead+p.Segment < dashjsGoal(p) },

	WholeSegment: true,
	FrameAudio:   AudioInit,
	RenderTS:     Cost{Base: 20 * time.Millisecond},
	RenderFMP4:   Cost{Base: 20 * time.Millisecond},
	Reordering:   chromiumReordering,

	// stallThreshold in BufferController; the throughput is that from the first byte
	// on, its weight weightDownloadTimeMultiplicationFactor (ThroughputModel).
	Buffering: Buffering{
		Goal:      dashjsGoal,
		Every:     500 * time.Millisecond,                                                 // defaultTimeout of scheduling
		AudioGoal: func(p Playing) time.Duration { return max(p.Ahead, 0) + time.Second }, // _getBufferTargetForAudio
		Empty:     300 * time.Millisecond,
		Bandwidth: func() Bandwidth {
			return &averages{fast: 3 * time.Second, slow: 8 * time.Second, weight: 1.5, transfer: true}
		},
		Next: func() func(Playing) int { return new(dashjsRules).next },
		// _prepareForFastQualitySwitch in StreamProcessor: 1.5 fragmentDuration, which is
		// null before the representation has been loaded.
		Replaces: func(plays time.Duration) time.Duration { return plays * 3 / 2 },
		GiveUp:   dashjsGiveUp,
		Look:     progress, // onFragmentLoadProgress in AbrController
	},

	// retryAttempts, retryIntervals, fragmentRequestTimeout and
	// manifestRequestTimeout in Settings: whatever failed is tried again.
	Retry: map[run.StepName]Policy{
		run.StepManifest: dashjsRetry(10*time.Second, 500*time.Millisecond),
		run.StepClock:    {Total: 5 * time.Second}, // HTTP_TIMEOUT_MS in TimeSyncController
		run.StepIndex:    dashjsRetry(20*time.Second, time.Second),
		run.StepInit:     dashjsRetry(20*time.Second, time.Second),
		run.StepSegment:  dashjsRetry(20*time.Second, time.Second),
	},
}

func dashjsRetry(limit, interval time.Duration) Policy {
	return Policy{Total: limit, TimeoutRetries: 3, TimeoutDelay: interval, ErrorRetries: 3, ErrorDelay: interval, Retry4xx: true, RetryBroken: true}
}

// dashjsSteerAgain is _handleSteeringResponseError in ContentSteeringController: after
// a 404 or a 410 never, after a 429 only as it says, and else not before there has
// been a steering manifest.
func dashjsSteerAgain(r Refused) time.Duration {
	switch r.Status {
	case http.StatusOK, http.StatusNotFound, http.StatusGone:
		return 0
	case http.StatusTooManyRequests:
		return r.Later
	}
	return r.TTL
}

// dashjsGoal is bufferTimeDefault, at the best rendition bufferTimeAtTopQuality or,
// where the presentation is long, bufferTimeAtTopQualityLongForm
// (_getGenericBufferTarget in ScheduleController).
func dashjsGoal(p Playing) time.Duration {
	switch {
	case !p.top():
		return 18 * time.Second
	case p.Length >= 600*time.Second:
		return 60 * time.Second
	}
	return 30 * time.Second
}

// dashjsRules are dash.js's rules for the next rendition, of which the lowest
// wins: ThroughputRule, in whose place comes BolaRule once the buffer is long
// (hybridSwitchBufferTime), and InsufficientBufferRule. For abandonLoadTimeout
// after a segment was given up ThroughputRule is silent. Not modelled are BOLA's
// placeholder buffer and SwitchHistoryRule.
type dashjsRules struct{ bola bool }

func (d *dashjsRules) next(p Playing) int {
	least := 12 * time.Second
	if d.bola {
		least /= 2
	}
	d.bola = p.Ahead >= least
	at := highestWithin(p.Renditions, p.Kbps*0.9) // bandwidthSafetyFactor
	if p.GivenUp > 0 && p.GivenUp < 10*time.Second && p.At >= 0 {
		at = p.At
	}
	if d.bola {
		at = bola(p, at)
	}
	if p.Segments < 2 || p.Segment <= 0 { // segmentIgnoreCount: none before two have been appended
		return at
	}
	enough := p.Kbps * 0.7 * p.Ahead.Seconds() / p.Segment.Seconds() // throughputSafetyFactor
	if p.Ahead <= 300*time.Millisecond {
		enough = 0
	}
	if safe := highestWithin(p.Renditions, enough); p.Renditions[safe].Kbps < p.Renditions[at].Kbps {
		return safe
	}
	return at
}

// bola is BOLA's choice by the buffer's length, no higher than the present
// rendition or that which the throughput carries (BOLA-O; BolaRule, with
// MINIMUM_BUFFER_S 10 and MINIMUM_BUFFER_PER_BITRATE_LEVEL_S 2).
func bola(p Playing, sustained int) int {
	low := p.Renditions[lowest(p.Renditions)].Kbps
	utility := func(i int) float64 { return math.Log(p.Renditions[i].Kbps / low) }
	most := utility(highestWithin(p.Renditions, math.Inf(1)))
	if low <= 0 || most <= 0 {
		return sustained
	}
	gp := most / (max(18, 10+2*float64(len(p.Renditions)))/10 - 1)
	vp := 10 / gp
	best, score := sustained, math.Inf(-1)
	for i, r := range p.Renditions {
		if s := (vp*(utility(i)+gp) - p.Ahead.Seconds()) / r.Kbps; s > score || s == score && r.Kbps > p.Renditions[best].Kbps {
			best, score = i, s
		}
	}
	limit := max(p.kbps(), p.Renditions[sustained].Kbps)
	if p.Renditions[best].Kbps <= limit {
		return best
	}
	return highestWithin(p.Renditions, limit)
}
