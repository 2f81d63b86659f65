package player

// ideal is the player that none can beat: it starts with the lowest rendition,
// asks for everything as soon as it knows the address, needs no time of its
// own, and shows the frame when the last byte of the keyframe is there. It
// tries each request once: what fails, failed.
var ideal = &Model{
	Name:   "ideal",
	Source: "the floor by definition",
	HLS:    &Think{},
	DASH:   &Think{},

	EstimateKbps: always(0),
	Start:        highestWithin,
	Priorities:   true,
	LiveDelay:    holdBack,
	Clocks:       Clocks{FromDate: true},
	LowLatency:   true,
}
