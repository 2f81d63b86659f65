package player

import "time"

// avplayer is Apple's AVPlayer as far as it is documented, not measured: it
// plays HLS only, begins with the variant listed first (HLS Authoring
// Specification for Apple Devices; Technical Note TN2224), starts a live stream
// where HOLD-BACK says or three target durations from its end (RFC 8216bis,
// 6.3.3) and waits until it expects to play on without a stall
// (automaticallyWaitsToMinimizeStalling). Its requests, times, timeouts and
// retries are not documented: each request goes out as soon as its address is
// known, and what fails, failed.
var avplayer = &Model{
	Name:   "avplayer",
	Source: "HLS Authoring Specification, TN2224, RFC 8216bis and the documentation of AVFoundation",
	HLS:    &Think{},

	EstimateKbps: func(r []Rendition) float64 { return r[0].Kbps },
	Start:        highestWithin,
	LiveDelay:    holdBack,
	LowLatency:   true,
	TuneIn:       true, // RFC 8216bis, appendix C
	PlayWhole:    true,

	// How much it holds and what it goes by is not documented: it is taken to hold
	// 30 s, and to choose what hls.js's averages of the bandwidth carry.
	Buffering: Buffering{
		Bandwidth: func() Bandwidth { return &averages{fast: 3 * time.Second, slow: 9 * time.Second, weight: 1} },
		Next:      func() func(Playing) int { return carried },
	},
}
