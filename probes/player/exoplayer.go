package player

import (
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// exoplayer is ExoPlayer of Media3 with its default settings, modelled from its
// source, not measured. It extracts samples as they arrive and shows the first
// frame before it starts to play; what a device's decoder needs for that is not
// known and left out.
var exoplayer = &Model{
	Name:    "exoplayer",
	Version: "1.11",
	Source:  "Media3's sources of 1.11.0; times of its own and of the decoder are not known",
	Tells:   Telling{As: exoplayerTells},
	HLS:     &Think{},
	DASH:    &Think{},

	// DEFAULT_INITIAL_BITRATE_ESTIMATES_WIFI, the middle of its five groups of
	// countries (upstream/DefaultBandwidthMeter), of which
	// AdaptiveTrackSelection uses DEFAULT_BANDWIDTH_FRACTION.
	EstimateKbps: always(2400),
	Start:        highestWithinShare(0.7),
	Among:        exoplayerAmong,
	SoundAmong:   exoplayerSound,
	SoundStart:   highest, // beside pictures audio does not adapt
	// isEligibleForFallback and getFallbackSelectionFor in
	// upstream/DefaultLoadErrorHandlingPolicy.
	Failover: &Failover{Next: otherWithin(0.7), Playlists: true, Statuses: []int64{403, 404, 410, 416, 500, 503}},

	Priorities: true, // selectBaseUrl in BaseUrlExclusionList

	LiveDelay: func(l Live) time.Duration {
		if l.DASH && l.Asked == 0 {
			return 30 * time.Second // DEFAULT_FALLBACK_TARGET_LIVE_OFFSET_MS in DashMediaSource
		}
		return holdBack(l) // getTargetLiveOffsetUs in HlsMediaSource
	},

	LowLatency: true, // getTargetLiveOffsetUs, getNextMediaSequenceAndPartIndex in HlsChunkSource

	// resolveUtcTimingElement and onUtcTimestampResolutionError in
	// DashMediaSource, parseMediaPresentationDescription in DashManifestParser.
	Clocks:        Clocks{Not: []string{"http-head"}, LastOnly: true},
	PrimaryFirst:  true,     // playlist/DefaultHlsPlaylistTracker
	Key:           KeyFirst, // EncryptionKeyChunk in HlsChunkSource
	InitFirst:     true,     // maybeLoadInitData in HlsMediaChunk, InitializationChunk in DefaultDashChunkSource
	IndexWithInit: true,     // newInitializationChunk in DefaultDashChunkSource

	PlayWhole: true, // bufferForPlaybackMs is 1000 in DefaultLoadControl: less than a segment, mostly

	// maxBufferMs and bufferForPlaybackAfterRebufferMs in DefaultLoadControl.
	Buffering: Buffering{
		Goal:      holds(50 * time.Second),
		Resume:    2 * time.Second,
		Bandwidth: func() Bandwidth { return new(median) },
		Next:      func() func(Playing) int { return exoplayerNext },
	},

	// DEFAULT_MIN_LOADABLE_RETRY_COUNT and getRetryDelayMsFor in
	// upstream/DefaultLoadErrorHandlingPolicy; connectTimeoutMs and
	// readTimeoutMs in DefaultHttpDataSource, the first taken for both.
	Retry: map[run.StepName]Policy{
		run.StepManifest: exoplayerRetry, run.StepPlaylist: exoplayerRetry, run.StepKey: exoplayerRetry,
		run.StepClock: {FirstByte: 8 * time.Second, Stall: 8 * time.Second}, // onUtcTimestampLoadError in DashMediaSource
		run.StepIndex: exoplayerRetry, run.StepInit: exoplayerRetry, run.StepSegment: exoplayerRetry,
	},
}

var exoplayerRetry = Policy{
	FirstByte: 8 * time.Second, Stall: 8 * time.Second,
	TimeoutRetries: 3, ErrorRetries: 3, Step: time.Second, MaxDelay: 5 * time.Second, Retry4xx: true, RetryBroken: true,
}

// exoplayerNext is the highest format that 0.7 of the bandwidth carries, but none
// higher while less than 10 s are ahead, and none lower while 25 s are
// (AdaptiveTrackSelection: DEFAULT_BANDWIDTH_FRACTION,
// DEFAULT_MIN_DURATION_FOR_QUALITY_INCREASE_MS,
// DEFAULT_MAX_DURATION_FOR_QUALITY_DECREASE_MS).
func exoplayerNext(p Playing) int {
	at := highestWithin(p.Renditions, p.Kbps*0.7)
	if p.At < 0 {
		return at
	}
	is, was := p.Renditions[at].Kbps, p.kbps()
	if is > was && p.Ahead < 10*time.Second || is < was && p.Ahead >= 25*time.Second {
		return p.At
	}
	return at
}
