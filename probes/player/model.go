package player

import (
	"time"

	"github.com/firstframe/firstframe/probes/hls"
	"github.com/firstframe/firstframe/probes/run"
)

// Model is the start-up behaviour of one player as data: which requests it
// makes, in which order and how far in parallel, which rendition it starts
// with, when it shows the first frame, and how it retries. To add a player is
// to add a file with one Model and its name to the list in [Models].
type Model struct {
	Name     string
	Version  string // of the player that is modelled; empty where there is no such thing
	Source   string // where its numbers come from, for documentation
	Measured bool   // against the real player; false: modelled from its source or documentation alone

	Web   bool    // it runs in a browser, where a preflight comes before what is not safelisted across origins
	Tells Telling // what its CMCD is

	// HLS and DASH are the formats that it plays, and its own time before each
	// request of it; nil: it does not play that format.
	HLS, DASH *Think

	// Start chooses among the renditions that the app can play, in the order
	// listed, given the player's estimate of the bandwidth in kbit/s; it
	// answers an index.
	Start func(renditions []Rendition, estimateKbps float64) int
	// EstimateKbps is the bandwidth that the player assumes before it has
	// measured any, given the renditions. App parameter: start_kbps.
	EstimateKbps func(renditions []Rendition) float64
	// SoundKbps is that of a track of sound, where the player has one of its own;
	// 0: the same.
	SoundKbps float64
	// Among are, of renditions that the app can play, those among which the player
	// chooses: of one coding, of one adaptation set; nil: all. They are indexes,
	// never none.
	Among func(renditions []Rendition) []int
	// SoundAmong is the same of the audio of DASH, SoundStart then chooses one
	// which is played beside pictures; nil: the main set, and the lowest.
	SoundAmong func(renditions []Rendition) []int
	SoundStart func(renditions []Rendition) int
	// AudioCounts: of DASH a rendition's bandwidth is that of video and audio
	// together, as it always is in HLS, and audio is chosen with the video.
	AudioCounts bool
	// Meter measures the bandwidth from the first byte on, so that the player
	// may change the rendition before anything is shown; nil: it does not.
	Meter *Meter
	// Failover is what it does about a rendition that fails for good; nil: the
	// run fails.
	Failover *Failover

	// Locations says when another of several places of a DASH resource (BaseURL)
	// is asked.
	Locations LocationOrder

	// Priorities: it goes by DVB's priorities of such places.
	Priorities bool

	// LiveDelay is how far behind the live edge playback starts.
	LiveDelay func(Live) time.Duration
	// Earlier is by how much earlier it starts to load than to play: of a live
	// stream, or one with EXT-X-START, the segments between come first.
	Earlier time.Duration
	// ListedNeedsNoClock: of a live DASH presentation whose segments are listed
	// in a SegmentTimeline it does not ask for the time.
	ListedNeedsNoClock bool

	// LowLatency: of a live stream made for it, HLS starts at the part hold-back
	// with a part of a segment, and DASH shows what has come of a segment that is
	// sent while it is made.
	LowLatency bool
	// TuneIn: of such HLS that a cache has held, the playlist is asked for once
	// more as it is now, before anything else (RFC 8216bis, appendix C).
	TuneIn bool
	// SteeringFirst: of HLS with content steering, all waits for the steering
	// manifest, whose first pathway is played. Otherwise it is asked for beside.
	SteeringFirst bool
	// SteeringMute: before it has had a steering manifest it tells the server neither
	// its pathway nor its bandwidth.
	SteeringMute bool
	// SteerAgain says after how long it asks again where it could not have a steering
	// manifest; 0: never. nil: as the standard has it.
	SteerAgain func(Refused) time.Duration
	// Rebases: of HLS it goes over to another pathway without asking for playlists
	// that it has: what is relative in them is of the other pathway from then on.
	Rebases bool

	// Refuses are the faults of HLS playlists for which it plays nothing; others
	// it plays in spite of them.
	Refuses []hls.FaultKind

	// HurriedTries and HurriedShare: of chunked DASH there are so many times more
	// further tries at initialization and media segments, after delays that are the
	// share of the usual; 0: as usual.
	HurriedTries int
	HurriedShare time.Duration

	// Clocks is how it gets the time of a live DASH presentation.
	Clocks Clocks

	// PrimaryFirst: the playlist of the variant listed first is asked for
	// before any other, whichever is to be played.
	PrimaryFirst bool
	// Rash chooses among the variants of HLS that the app can play, before the
	// player takes one coding. Where that turns out to be another than is played,
	// its playlist is asked for before any other; nil: it does not.
	Rash func(renditions []Rendition, estimateKbps float64) int
	// Join: media is asked for only when what is needed to find it, playlists or
	// indexes, is there of both tracks.
	Join bool
	// AudioJoins: media of audio is asked for only when the video's playlist is
	// there.
	AudioJoins bool
	// IndexAll: of DASH with an index in the resource it reads that of every
	// representation of a track before it asks for media.
	IndexAll bool
	// IndexWithInit: it asks for an index together with the initialization
	// segment where one follows the other.
	IndexWithInit bool
	// InitTakesSegment: when an initialization segment fails, the segment beside it
	// is given up, and both are asked for again.
	InitTakesSegment bool
	// InitFirst: media waits for its initialization segment. Otherwise both
	// are asked for at once.
	InitFirst bool
	// Key says when the key of encrypted media is asked for.
	Key KeyOrder
	// RangesInTurn: of two byte ranges of one URL the second waits for the
	// first, as Chromium's cache does it.
	RangesInTurn bool
	// LiveAudioLast: of a live stream, audio is asked for only after the first
	// video segment is complete.
	LiveAudioLast bool
	// AudioAhead says whether audio's second segment is asked for while the
	// video's first is still on its way; nil: never.
	AudioAhead func(Ahead) bool
	// VideoAhead says whether video's next segment is asked for while separate audio
	// is still to come, given the longest of all segments of both tracks, as far as
	// they are known; nil: never. Of a live stream it is not.
	VideoAhead func(p Playing, longest time.Duration) bool
	// Captions: of HLS that does not say whether there are closed captions it
	// looks for them in the media first.
	Captions bool

	// WholeSegment: the first frame shows only once its segment is complete;
	// otherwise as soon as the keyframe is.
	WholeSegment bool
	// PlayWhole: it starts to play only once the first segments are complete,
	// even though a frame shows before.
	PlayWhole bool
	// FrameAudio is what the first frame needs of a separate audio track.
	FrameAudio AudioNeed
	// Tick delays the first frame of a stream whose separate audio is there
	// before its video to the next beat of a timer; nil when the player has
	// none.
	Tick *Tick
	// RenderTS and RenderFMP4 are the time from the last byte needed to the
	// picture. App parameter: render_ms.
	RenderTS, RenderFMP4 Cost
	// Reordering is what each picture of 10^6 pixels adds to them, and to a
	// Tick's Offset, that a decoder holds back before it gives out the first: with
	// B-frames H.264 says how many ([media.Keyframe.Reorder]).
	Reordering time.Duration

	// Buffering is how it goes on once it plays.
	Buffering Buffering

	// Retry says how long to wait for each kind of answer and how often to try
	// again. A kind without a policy is tried once, without a limit but the
	// run's own.
	Retry map[run.StepName]Policy
}

// Think is the player's own time before each request, from the end of what
// the request waits for. Beside means that another request goes out with it.
type Think struct {
	Manifest         time.Duration
	Clock            time.Duration
	Playlist         time.Duration
	PlaylistBeside   time.Duration // of the video, beside the audio's
	AudioPlaylist    time.Duration
	Index            time.Duration
	AfterIndex       time.Duration // what is asked for next
	Key, Init        time.Duration
	Segment          time.Duration
	SegmentBeside    time.Duration // beside a key or an initialization segment
	SegmentAfterInit time.Duration
	SegmentAfterKey  time.Duration
	NextSegment      time.Duration // of video, after the one before
	AudioInit        time.Duration
	AudioSegment     time.Duration
	AudioAfterInit   time.Duration // the audio segment, where it waits for its init
	NextAudio        time.Duration // segment, after the one before
	AudioJoined      time.Duration // after the video's playlist, see AudioJoins
	LiveAudio        time.Duration // after the first video segment, see LiveAudioLast
	AfterCaptions    time.Duration // audio, see Captions
	SwitchPlaylist   time.Duration // of another rendition, from the decision
	SwitchSegment    time.Duration // of another rendition, and its init
}

// AudioNeed is what must be there of a separate audio track.
type AudioNeed int

// The needs.
const (
	NoAudio AudioNeed = iota
	AudioInit
	AudioSegment
)

// KeyOrder is when a key is asked for.
type KeyOrder int

// The orders.
const (
	KeyBeside KeyOrder = iota // with the media
	KeyFirst                  // all else waits for it
	KeyLast                   // when the media is complete
)

// LocationOrder is when another place of a resource is asked.
type LocationOrder int

// The orders.
const (
	LocationFirst  LocationOrder = iota // never: only the first is
	LocationInTurn                      // with each try the next one
	LocationLast                        // when one has failed for good
)

// Cost is a time that grows with the segment's size.
type Cost struct {
	Base  time.Duration
	PerMB time.Duration // 10^6 bytes
}

// of is the cost of a segment of so many bytes.
func (c Cost) of(bytes int64) time.Duration {
	return c.Base + time.Duration(float64(c.PerMB)*float64(bytes)/1e6)
}

// Tick is a timer of the player that starts when a video playlist is asked for
// first. A frame that waits for it shows Offset after the first beat that comes
// After or more later than the last byte of the video: so long it takes to append
// the segment. App parameter: render_ms, in place of Offset.
type Tick struct {
	Period, Offset time.Duration
	After          Cost
}

// Live is what a manifest says about where to start a live stream.
type Live struct {
	DASH     bool
	Asked    time.Duration // HOLD-BACK; of DASH the latency target or suggestedPresentationDelay; 0: not said
	Target   time.Duration // target duration; of DASH the newest segment's
	Newest   time.Duration // HLS: the three newest segments together
	Longest  time.Duration // DASH: maxSegmentDuration, at least as Target
	Declared time.Duration // DASH: maxSegmentDuration; 0: not said
	Delay    time.Duration // DASH: suggestedPresentationDelay; 0: not said
	Early    time.Duration // DASH, of low latency: availabilityTimeOffset, by which segments are there before they are complete
	Buffer   time.Duration // DASH: minBufferTime
	Listed   bool          // DASH: the segments are listed in a SegmentTimeline
	SinceEnd time.Duration // DASH: how long ago the newest segment ended
}

// Ahead is what a player goes by when it considers audio's second segment.
type Ahead struct {
	Live    bool
	Audio   time.Duration // of the first segment, as the manifest says
	Held    time.Duration // what it holds by its media; as the manifest says where they do not tell
	Longest time.Duration // of all segments of both tracks, as far as they are known
}

// Policy is how a player waits and tries again.
type Policy struct {
	FirstByte time.Duration // until the answer begins; 0: no limit
	Stall     time.Duration // between two pieces of it; 0: no limit
	Total     time.Duration // until the answer is complete; 0: no limit

	// Another try follows while fewer tries than this have failed before, for
	// whatever reason: where a limit above was passed, and after any other
	// failure that is worth it.
	TimeoutRetries, ErrorRetries int

	TimeoutDelay time.Duration // before a try after a limit was passed
	ErrorDelay   time.Duration // before the first try after another failure
	MaxDelay     time.Duration // it doubles with each failed try up to here; 0: it stays
	Step         time.Duration // it grows by this with each failed try, up to MaxDelay, in place of doubling
	Fuzz         float64       // each delay is drawn from within this share of itself: 0.5 is ±50 %
	chance       func() float64
	Together     bool // failed tries count for all requests whose policy says so, of all tracks
	Retry4xx     bool // whether a 4xx is worth another try
	RetryBroken  bool // whether a broken connection is
	Beat         bool // another try after a delay waits for the next beat of the model's Tick
	// Alone: where there is no other rendition to go to, every failure is worth
	// another try.
	Alone bool
}

// Failover is how a player goes on with another rendition when one has failed
// for good.
type Failover struct {
	// Next is an index of the renditions: what to take when the one at index at
	// failed; -1: nothing. Those that failed before are marked.
	Next func(renditions []Rendition, failed []bool, at int, estimateKbps float64) int
	// Statuses are those of an answer at which it is left, without another try,
	// where there is another rendition; nil: whatever failed, once its tries are
	// over.
	Statuses []int64
	// Delay and Fuzz are as in [Policy], before the next rendition, or before the
	// failure counts where there is none, as there is none of audio.
	Delay time.Duration
	Fuzz  float64
	// Playlists: a rendition whose playlist fails is left too, not only one
	// whose media does. Timeouts: also one that passed a limit.
	Playlists, Timeouts bool
	// Back: a further try while it starts is one of the rendition that it began with,
	// where the last is the lowest, its initialization segment failed, a limit was
	// passed, or the answer had a body that came whole; otherwise of the last.
	Back bool
}

// hurried is the policy in low latency: more tries, in less time.
func (p Policy) hurried(tries int, share time.Duration) Policy {
	p.TimeoutRetries, p.ErrorRetries = p.TimeoutRetries*tries, p.ErrorRetries*tries
	p.TimeoutDelay, p.ErrorDelay, p.MaxDelay = p.TimeoutDelay/share, p.ErrorDelay/share, p.MaxDelay/share
	return p
}

// Plays tells whether the model plays the format, hls or dash.
func (m *Model) Plays(format string) bool { return m.think(format) != nil }

// think is the model's own time with a format; nil when it does not play it.
func (m *Model) think(format string) *Think {
	switch format {
	case "hls":
		return m.HLS
	case "dash":
		return m.DASH
	}
	return nil
}

// String is NAME or NAME@VERSION.
func (m *Model) String() string {
	if m.Version == "" {
		return m.Name
	}
	return m.Name + "@" + m.Version
}

// policy is the policy for a kind of request.
func (m *Model) policy(step run.StepName) Policy { return m.Retry[step] }

// estimate is the bandwidth that the player assumes before it has measured any.
func (m *Model) estimate(renditions []Rendition, set map[string]float64) float64 {
	if v, ok := set[paramStart]; ok {
		return v
	}
	return m.EstimateKbps(renditions)
}

// chromiumReordering is what Chromium's decoder of H.264 takes for such a picture,
// without a GPU, on two cores. It is the browser's, and the same for all players.
const chromiumReordering = 17 * time.Millisecond

// render is the time from the last byte needed to the picture.
func (m *Model) render(l *loaded, set map[string]float64) time.Duration {
	if v, ok := set[paramRender]; ok {
		return time.Duration(v * float64(time.Millisecond))
	}
	cost := m.RenderTS
	if l.fmp4 {
		cost = m.RenderFMP4
	}
	return cost.of(l.bytes) + m.reordering(l)
}

// reordering is how long the pictures take that a decoder has to have before it
// gives out the first.
func (m *Model) reordering(l *loaded) time.Duration {
	return time.Duration(float64(m.Reordering) * float64(l.reorder) * float64(l.width*l.height) / 1e6)
}

// holdBack is the usual delay: as the manifest asks, else three target durations
// (RFC 8216bis, 4.4.3.8).
func holdBack(l Live) time.Duration {
	if l.Asked > 0 {
		return l.Asked
	}
	return 3 * l.Target
}

// always is the estimate of a player that assumes the same of every stream.
func always(kbps float64) func([]Rendition) float64 {
	return func([]Rendition) float64 { return kbps }
}
