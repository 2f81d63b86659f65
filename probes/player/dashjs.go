package player

import (
	"math"
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
		AudioInit:        29 * time.Millisecond,
		AudioSegment:     29 * time.Millisecond,
		AudioAfterInit:   10 * time.Millisecond,
		NextAudio:        7 * time.Millisecond,
	},

	EstimateKbps: always(1000), // DEFAULT_VIDEO_BITRATE in AbrController
	SoundKbps:    100,          // DEFAULT_AUDIO_BITRATE
	Start:        highestWithin,

	Locations: LocationLast, // onFragmentLoadingCompleted in Stream, BlacklistController

	LiveDelay: func(l Live) time.Duration { // computeAndSetLiveDelay in PlaybackController
		if l.Asked > 0 {
			return l.Asked
		}
		return 4 * l.Target
	},

	LowLatency: true, // _onRepresentationSwitch in PlaybackController

	IndexAll:     true, // updateData in RepresentationController
	InitFirst:    true,
	RangesInTurn: true,
	// Audio goes on while it holds less than its nominal segment, where it has one
	// (_getBufferTargetForAudio in ScheduleController). It does where segments can
	// only be cut elsewhere, between two frames, and while a live stream's position
	// is not there yet.
	AudioAhead: func(a Ahead) bool { return a.Live || a.Nominal && !wholeFrames(a.Audio) },

	WholeSegment: true,
	FrameAudio:   AudioInit,
	RenderTS:     Cost{Base: 5 * time.Millisecond},
	RenderFMP4:   Cost{Base: 5 * time.Millisecond},

	// retryAttempts, retryIntervals, fragmentRequestTimeout and
	// manifestRequestTimeout in Settings: whatever failed is tried again.
	Retry: map[run.StepName]Policy{
		run.StepManifest: dashjsRetry(10*time.Second, 500*time.Millisecond),
		run.StepIndex:    dashjsRetry(20*time.Second, time.Second),
		run.StepInit:     dashjsRetry(20*time.Second, time.Second),
		run.StepSegment:  dashjsRetry(20*time.Second, time.Second),
	},
}

func dashjsRetry(limit, interval time.Duration) Policy {
	return Policy{Total: limit, TimeoutRetries: 3, TimeoutDelay: interval, ErrorRetries: 3, ErrorDelay: interval, Retry4xx: true, RetryBroken: true}
}

// wholeFrames tells whether a duration is one of AAC frames, of 1024 samples at
// 48 or 44.1 kHz.
func wholeFrames(d time.Duration) bool {
	for _, rate := range []float64{48_000, 44_100} {
		frames := d.Seconds() * rate / 1024
		if math.Abs(frames-math.Round(frames)) < 1e-4 {
			return true
		}
	}
	return false
}
