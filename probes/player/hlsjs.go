package player

import (
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// hlsjs is hls.js with its default settings: progressive off, so that whole
// segments are appended; the start rung from the variant listed first, within
// 0.5 and 5 Mbit/s (abrEwmaDefaultEstimate, abrEwmaDefaultEstimateMax); init
// and first segment in parallel since 1.7.
var hlsjs = &Model{
	Name:    "hlsjs",
	Version: "1.7.4",
	Source:  "requests, think times and timer measured in Chromium against hls.js 1.7.4; retries from its src/config.ts",
	HLS:     true,

	EstimateKbps: func(r []Rendition) float64 { return max(500, min(r[0].Kbps, 5000)) },
	Start:        highestWithin,

	LiveDelay: holdBack, // liveSyncDurationCount is 3

	RangesInTurn:  true,
	LiveAudioLast: true,

	Think: Think{
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
		LiveAudio:        42 * time.Millisecond,
	},

	WholeSegment: true,
	FrameAudio:   AudioSegment, // it holds the audio's init back with its segment
	Tick:         &Tick{Period: 100 * time.Millisecond, Offset: 11 * time.Millisecond, After: 14 * time.Millisecond},
	RenderTS:     30 * time.Millisecond,
	RenderFMP4:   5 * time.Millisecond,

	// A 4xx and a broken connection (status 0) are not tried again
	// (retryForHttpStatus). The failures of keys, init segments and segments of
	// all tracks count together (getFragRetryOrSwitchAction).
	Retry: map[run.StepName]Policy{
		run.StepManifest: {Total: 20 * time.Second, TimeoutRetries: 2, ErrorRetries: 1, ErrorDelay: time.Second, MaxDelay: 8 * time.Second},
		run.StepPlaylist: {FirstByte: 10 * time.Second, Total: 20 * time.Second, TimeoutRetries: 2, ErrorRetries: 2, ErrorDelay: time.Second, MaxDelay: 8 * time.Second},
		run.StepKey:      {FirstByte: 8 * time.Second, Total: 20 * time.Second, TimeoutRetries: 1, TimeoutDelay: time.Second, ErrorRetries: 8, ErrorDelay: time.Second, Together: true},
		run.StepInit:     {FirstByte: 10 * time.Second, Total: 120 * time.Second, TimeoutRetries: 4, ErrorRetries: 6, ErrorDelay: time.Second, MaxDelay: 8 * time.Second, Together: true},
		run.StepSegment:  {FirstByte: 10 * time.Second, Total: 120 * time.Second, TimeoutRetries: 4, ErrorRetries: 6, ErrorDelay: time.Second, MaxDelay: 8 * time.Second, Together: true},
	},
}
