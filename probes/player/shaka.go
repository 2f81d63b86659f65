package player

import (
	"cmp"
	"time"

	"github.com/firstframe/firstframe/probes/hls"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/steering"
)

// shaka is Shaka Player with its default settings. It measures from the first
// bytes on, and once 128 kB are counted takes the rendition that fits, also
// when that throws away what it has begun (suggestStreams_ in
// abr/simple_abr_manager.js, clearAll in media/segment_prefetch.js).
var shaka = &Model{
	Name:     "shaka",
	Version:  "5.2.12",
	Source:   "requests and think times measured in Chromium; estimator, retries and live position from lib/abr, lib/net, lib/media, lib/dash and lib/hls",
	Measured: true,
	Web:      true,
	// util/cmcd_manager.js: no bl before there is a buffer.
	Tells: Telling{Not: []run.StepName{run.StepSteering}, Assumed: true, Next: true},

	HLS: &Think{
		Manifest:         12 * time.Millisecond,
		Playlist:         10 * time.Millisecond,
		PlaylistBeside:   11 * time.Millisecond,
		AudioPlaylist:    12 * time.Millisecond,
		Key:              10 * time.Millisecond,
		Init:             20 * time.Millisecond,
		Segment:          19 * time.Millisecond,
		SegmentBeside:    21 * time.Millisecond,
		SegmentAfterInit: 2 * time.Millisecond,
		NextSegment:      6 * time.Millisecond,
		AudioInit:        18 * time.Millisecond,
		AudioSegment:     19 * time.Millisecond,
		AudioAfterInit:   2 * time.Millisecond,
		NextAudio:        6 * time.Millisecond,
		AfterCaptions:    17 * time.Millisecond,
		SwitchPlaylist:   time.Millisecond,
		SwitchSegment:    5 * time.Millisecond,
	},
	DASH: &Think{
		Manifest:         12 * time.Millisecond,
		Clock:            12 * time.Millisecond,
		Index:            19 * time.Millisecond,
		AfterIndex:       19 * time.Millisecond,
		Init:             26 * time.Millisecond,
		Segment:          26 * time.Millisecond,
		SegmentBeside:    26 * time.Millisecond,
		SegmentAfterInit: 2 * time.Millisecond,
		NextSegment:      6 * time.Millisecond,
		AudioInit:        25 * time.Millisecond,
		AudioSegment:     26 * time.Millisecond,
		AudioAfterInit:   2 * time.Millisecond,
		NextAudio:        6 * time.Millisecond,
		SwitchSegment:    3 * time.Millisecond,
	},

	// navigator.connection.downlink of a new Chromium profile is 1.3 to 1.6
	// Mbit/s (getDefaultBandwidth_ in abr/simple_abr_manager.js).
	EstimateKbps: always(1500),
	Start:        highestWithinShare(0.95), // bandwidthDowngradeTarget
	Among:        shakaAmong,
	Rash:         shakaRash,
	SoundAmong:   shakaSound,
	AudioCounts:  true,
	// http_fetch_plugin.js, cacheLoadThreshold, abr.advanced, switchInterval. Lag is
	// measured: 2 ms of a request alone, 3 of four at once.
	Meter: &Meter{
		Lag: 2500 * time.Microsecond, Every: 100 * time.Millisecond, MinBytes: 16_000, MinTime: 5 * time.Millisecond,
		Enough: 128_000, HalfLives: []time.Duration{2 * time.Second, 5 * time.Second}, Interval: 8 * time.Second,
	},
	// failureCallbackBackoff_, then a stream is off for maxDisabledTime, 30 s; when
	// all are, nothing more is asked for (handleStreamingError_ in
	// media/streaming_engine.js, disableStream in player.js).
	Failover: &Failover{Next: otherWithin(0.95), Delay: time.Second, Fuzz: 0.5},

	Locations: LocationInTurn, // send_ in net/networking_engine.js

	LiveDelay:          shakaLiveDelay,
	Earlier:            2 * time.Second, // inaccurateManifestTolerance
	ListedNeedsNoClock: true,
	Clocks:             Clocks{Once: true}, // parseUtcTiming_ and requestForTiming_ in dash/dash_parser.js
	LowLatency:         true,               // streaming.lowLatencyMode
	SteeringFirst:      true,               // processContentSteering_ in hls/hls_parser.js
	SteeringMute:       true,               // addQueryParams_ in util/content_steering_manager.js
	SteerAgain:         func(r Refused) time.Duration { return cmp.Or(r.TTL, steering.DefaultTTL) },
	Rebases:            true,                                     // getUris of a segment, by getLocations
	Refuses:            []hls.FaultKind{hls.FaultTargetDuration}, // getRequiredTag in hls/hls_parser.js

	Join:         true,
	Key:          KeyLast, // fetch_ in media/streaming_engine.js
	RangesInTurn: true,
	Captions:     true,
	AudioAhead:   func(a Ahead) bool { return a.Audio < shakaRunAhead(a.Longest) },
	VideoAhead:   func(p Playing, longest time.Duration) bool { return p.Ahead < min(shakaRunAhead(longest), shakaGoal) },

	WholeSegment: true,
	FrameAudio:   AudioInit,
	RenderTS:     Cost{Base: 75 * time.Millisecond, PerMB: 28 * time.Millisecond},
	RenderFMP4:   Cost{Base: 15 * time.Millisecond, PerMB: 19 * time.Millisecond},
	Reordering:   chromiumReordering,

	// bufferingGoal; with a rebufferingGoal of 0 the media element alone says when
	// it stops (updateBufferingSettings_ in player.js). Audio is no more than
	// MAX_RUN_AHEAD_SEGMENTS_ ahead of video.
	Buffering: Buffering{
		Goal:      holds(shakaGoal),
		Every:     500 * time.Millisecond, // half of updateIntervalSeconds (update_ in media/streaming_engine.js)
		AudioGoal: func(p Playing) time.Duration { return min(shakaGoal, max(p.Ahead, 0)+p.Segment) },
	},

	// defaultRetryParameters in net/backoff.js.
	Retry: map[run.StepName]Policy{
		run.StepSteering: shakaRetry,
		run.StepManifest: shakaRetry, run.StepClock: shakaRetry, run.StepPlaylist: shakaRetry, run.StepKey: shakaRetry,
		run.StepIndex: shakaRetry, run.StepInit: shakaRetry, run.StepSegment: shakaRetry,
	},
}

var shakaRetry = Policy{
	FirstByte: 10 * time.Second, Stall: 5 * time.Second, Total: 30 * time.Second,
	TimeoutRetries: 1, TimeoutDelay: time.Second, ErrorRetries: 1, ErrorDelay: time.Second, Fuzz: 0.5,
	Retry4xx: true, RetryBroken: true,
}

// shakaGoal is bufferingGoal.
const shakaGoal = 10 * time.Second

// shakaRunAhead is how far one track may be ahead of the other
// (MAX_RUN_AHEAD_SEGMENTS_ and MIN_RUN_AHEAD_SECONDS_ in
// media/streaming_engine.js).
func shakaRunAhead(longest time.Duration) time.Duration { return max(longest, time.Second/2) }

// shakaLiveDelay is HOLD-BACK or liveSegmentsDelay, 3, of HLS
// (changePresentationTimelineToLive_ in hls/hls_parser.js); of DASH the presentation delay
// or 1.5 minBufferTime, counted from the end of the list or from the newest
// segment that is sure to be there (dash_parser.js, presentation_timeline.js). In
// low latency it is there earlier, and without a presentation delay there is none.
// Latency targets (ServiceDescription) do not count.
func shakaLiveDelay(l Live) time.Duration {
	switch {
	case !l.DASH && l.Asked > 0:
		return l.Asked
	case !l.DASH:
		return l.Newest
	}
	delay := l.Delay - l.Early
	if l.Delay == 0 && l.Early == 0 {
		delay = l.Buffer * 3 / 2
	}
	if l.Listed {
		return l.SinceEnd + delay
	}
	return l.Longest + delay
}
