package player

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// Model is the start-up behaviour of one player as data: which requests it
// makes, in which order and how far in parallel, which rendition it starts
// with, when it shows the first frame, and how it retries. To add a player is
// to add a file with one Model and its name to the list in [Models].
type Model struct {
	Name    string
	Version string // of the player that is modelled; empty where there is no such thing
	Source  string // where its numbers come from, for documentation

	HLS, DASH bool // the formats that it plays

	// Start chooses among the renditions that the app can play, in the order
	// listed, given the player's estimate of the bandwidth in kbit/s; it
	// answers an index.
	Start func(renditions []Rendition, estimateKbps float64) int
	// EstimateKbps is the bandwidth that the player assumes before it has
	// measured any, given the renditions. App parameter: start_kbps.
	EstimateKbps func(renditions []Rendition) float64

	// LiveDelay is how far behind the live edge playback starts, given what the
	// manifest asks for (0 where it does not) and the target duration, with DASH
	// the last segment's.
	LiveDelay func(asked, target time.Duration) time.Duration

	// InitFirst: media waits for its initialization segment. Otherwise both
	// are asked for at once.
	InitFirst bool
	// RangesInTurn: of two byte ranges of one URL the second waits for the
	// first, as Chromium's cache does it.
	RangesInTurn bool
	// LiveAudioLast: of a live stream, audio is asked for only after the first
	// video segment is complete.
	LiveAudioLast bool

	Think Think

	// WholeSegment: the first frame shows only once its segment is complete;
	// otherwise as soon as the keyframe is.
	WholeSegment bool
	// FrameAudio is what the first frame needs of a separate audio track.
	FrameAudio AudioNeed
	// Tick delays the first frame of a stream whose separate audio is there
	// before its video to the next beat of a timer; nil when the player has
	// none.
	Tick *Tick
	// RenderTS and RenderFMP4 are the time from the last byte needed to the
	// picture. App parameter: render_ms.
	RenderTS, RenderFMP4 time.Duration

	// Retry says how long to wait for each kind of answer and how often to try
	// again. A kind without a policy is tried once, without a limit but the
	// run's own.
	Retry map[run.StepName]Policy
}

// Rendition is one video rendition to choose from.
type Rendition struct {
	Kbps          float64 // as the manifest says
	Width, Height int
	Codecs        []string
}

// Think is the player's own time before each request, from the end of what
// the request waits for. Beside means that another request goes out with it.
type Think struct {
	Manifest         time.Duration
	Playlist         time.Duration
	PlaylistBeside   time.Duration // of the video, beside the audio's
	AudioPlaylist    time.Duration
	Key, Init        time.Duration
	Segment          time.Duration
	SegmentBeside    time.Duration // beside a key or an initialization segment
	SegmentAfterInit time.Duration
	AudioInit        time.Duration
	AudioSegment     time.Duration
	LiveAudio        time.Duration // after the first video segment, see LiveAudioLast
}

// AudioNeed is what must be there of a separate audio track.
type AudioNeed int

// The needs.
const (
	NoAudio AudioNeed = iota
	AudioInit
	AudioSegment
)

// Tick is a timer of the player that starts with the video playlist's request:
// the frame shows Offset after the first beat that comes After or more later
// than the last byte of the video. App parameter: render_ms, in place of Offset.
type Tick struct {
	Period, Offset, After time.Duration
}

// Policy is how a player waits and tries again.
type Policy struct {
	FirstByte time.Duration // until the answer begins; 0: no limit
	Total     time.Duration // until the answer is complete; 0: no limit

	// Another try follows while fewer tries than this have failed before, for
	// whatever reason: where a limit above was passed, and after any other
	// failure that is worth it.
	TimeoutRetries, ErrorRetries int

	TimeoutDelay time.Duration // before a try after a limit was passed
	ErrorDelay   time.Duration // before the first try after another failure
	MaxDelay     time.Duration // it doubles with each failed try up to here; 0: it stays
	Together     bool          // failed tries count for all requests whose policy says so, of all tracks
	Retry4xx     bool          // whether a 4xx is worth another try
	RetryBroken  bool          // whether a broken connection is
}

// Models lists the models there are, the default of each format first.
func Models() []*Model { return []*Model{hlsjs, ideal} }

// Names lists what [Lookup] knows, for a plan's check.
func Names() []string {
	var names []string
	for _, m := range Models() {
		names = append(names, m.Name)
	}
	return names
}

// Lookup finds a model by NAME or NAME@VERSION, where the version may leave
// out its end: hlsjs@1.7. The error names the models there are.
func Lookup(name string) (*Model, error) {
	base, version, _ := strings.Cut(name, "@")
	i := slices.IndexFunc(Models(), func(m *Model) bool { return m.Name == base })
	if i < 0 {
		return nil, fmt.Errorf("player: no model %q; there are %s", name, strings.Join(Names(), ", "))
	}
	m := Models()[i]
	if version != "" && version != m.Version && !strings.HasPrefix(m.Version, version+".") {
		if m.Version == "" {
			return nil, fmt.Errorf("player: model %s has no versions, got %q", base, name)
		}
		return nil, fmt.Errorf("player: no version %q of model %s; there is %s", version, base, m.Version)
	}
	return m, nil
}

// Default is the model for a format when none is asked for: the most used web
// player that is built for it.
func Default(format string) *Model {
	for _, m := range Models() {
		if m.Plays(format) {
			return m
		}
	}
	return ideal
}

// Plays tells whether the model plays the format, hls or dash.
func (m *Model) Plays(format string) bool {
	return format == "hls" && m.HLS || format == "dash" && m.DASH
}

// String is NAME or NAME@VERSION.
func (m *Model) String() string {
	if m.Version == "" {
		return m.Name
	}
	return m.Name + "@" + m.Version
}

const (
	paramStart  = "start_kbps"
	paramRender = "render_ms"
)

// Params are the parameters that an app may set, with their meaning.
var Params = map[string]string{
	paramStart:  "the bandwidth that the player assumes before it has measured any, kbit/s",
	paramRender: "from the last byte needed to the picture, milliseconds",
}

// policy is the policy for a kind of request.
func (m *Model) policy(step run.StepName) Policy { return m.Retry[step] }

// startAt is the index of the rendition that the player starts with.
func (m *Model) startAt(renditions []Rendition, set map[string]float64) int {
	estimate, ok := set[paramStart]
	if !ok {
		estimate = m.EstimateKbps(renditions)
	}
	return m.Start(renditions, estimate)
}

// render is the time from the last byte needed to the picture.
func (m *Model) render(fmp4 bool, set map[string]float64) time.Duration {
	if v, ok := set[paramRender]; ok {
		return time.Duration(v * float64(time.Millisecond))
	}
	if fmp4 {
		return m.RenderFMP4
	}
	return m.RenderTS
}

// holdBack is the usual delay: as the manifest asks, else three target durations
// (RFC 8216bis, 4.4.3.8).
func holdBack(asked, target time.Duration) time.Duration {
	if asked > 0 {
		return asked
	}
	return 3 * target
}

// highestWithin is the usual choice: the highest rendition that the estimate
// carries, else the lowest there is.
func highestWithin(renditions []Rendition, estimateKbps float64) int {
	best := lowest(renditions)
	for i, r := range renditions {
		if r.Kbps <= estimateKbps && r.Kbps > renditions[best].Kbps {
			best = i
		}
	}
	return best
}

// lowest is the rendition with the least bandwidth, of equals the first.
func lowest(renditions []Rendition) int {
	best := 0
	for i, r := range renditions {
		if r.Kbps < renditions[best].Kbps {
			best = i
		}
	}
	return best
}
