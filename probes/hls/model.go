package hls

import (
	"encoding/binary"
	"strings"
	"time"
)

// Multivariant is a multivariant playlist (4.4.6). URIs are absolute.
type Multivariant struct {
	Version             int // EXT-X-VERSION, 1 when absent
	IndependentSegments bool
	Start               *Start

	Variants   []Variant   // in the order listed; players start from the first
	IFrames    []Variant   // EXT-X-I-FRAME-STREAM-INF: never a start candidate
	Renditions []Rendition // EXT-X-MEDIA, in the order listed

	SessionKeys []Key // EXT-X-SESSION-KEY: may be asked for early
	Steering    *Steering
	Variables   map[string]string // EXT-X-DEFINE; nil when there is none

	Faults Faults
}

// Variant is one EXT-X-STREAM-INF (4.4.6.2).
type Variant struct {
	URI              string
	Bandwidth        int64 // peak, bit/s; 0 when it is not said
	AverageBandwidth int64 // bit/s; 0 when it is not said
	Score            float64
	Width, Height    int // pixels; 0 when not said
	Codecs           []string
	FrameRate        float64 // 0 when it is not said
	VideoRange       string  // SDR, HLG, PQ; empty when it is not said
	Name             string
	StableID         string
	PathwayID        string // content steering; empty is "."

	AudioGroup     string
	VideoGroup     string
	SubtitleGroup  string
	ClosedCaptions string // a group, or "NONE"
}

// HasVideo says whether the variant is known to hold video: it has a resolution,
// or lists a codec that is neither of sound nor of text.
func (v *Variant) HasVideo() bool {
	return v.Height > 0 || v.Width > 0 || len(v.Codecs) > 0 && !v.AudioOnly()
}

// AudioOnly says whether the variant is known to hold no video: its codecs are
// listed, none of them is a video codec, and it has no resolution.
func (v *Variant) AudioOnly() bool {
	if v.Height > 0 || v.Width > 0 || len(v.Codecs) == 0 {
		return false
	}
	for _, c := range v.Codecs {
		if !IsAudioCodec(c) && !isTextCodec(c) {
			return false
		}
	}
	return true
}

// IsAudioCodec says whether an RFC 6381 codec string names a known audio codec.
func IsAudioCodec(codec string) bool {
	family, _, _ := strings.Cut(strings.ToLower(codec), ".")
	switch family {
	case "mp4a", "ac-3", "ec-3", "ac-4", "opus", "flac", "fl", "alac", "dtsc", "dtse", "dtsh", "dtsl", "dtsx", "mha1", "mhm1", "vorbis", "iamf", "mp3", "apac":
		return true
	}
	return false
}

func isTextCodec(codec string) bool {
	family, _, _ := strings.Cut(strings.ToLower(codec), ".")
	return family == "wvtt" || family == "stpp"
}

// Rendition is one EXT-X-MEDIA (4.4.6.1).
type Rendition struct {
	Type       string // AUDIO, VIDEO, SUBTITLES, CLOSED-CAPTIONS
	URI        string // empty: the media is inside the variant
	Group      string
	Name       string
	Language   string
	Default    bool
	Autoselect bool
	Forced     bool
	Channels   string
	InstreamID string
	StableID   string
}

// AudioFor is the audio rendition that a player without preferences plays
// beside v: of v's group the default, else the first to be selected
// automatically, else the first. It is nil when there is no group, the group
// does not exist, or the rendition's media is inside the variant, as it also is
// where both have one URI.
func (m *Multivariant) AudioFor(v *Variant) *Rendition {
	if v.AudioGroup == "" {
		return nil
	}
	var best *Rendition
	rank := func(r *Rendition) int {
		switch {
		case r.Default:
			return 2
		case r.Autoselect:
			return 1
		}
		return 0
	}
	for i := range m.Renditions {
		r := &m.Renditions[i]
		if r.Type == "AUDIO" && r.Group == v.AudioGroup && (best == nil || rank(r) > rank(best)) {
			best = r
		}
	}
	if best == nil || best.URI == "" || best.URI == v.URI {
		return nil
	}
	return best
}

// Steering is EXT-X-CONTENT-STEERING (4.4.6.6).
type Steering struct {
	ServerURI string
	PathwayID string // empty is "."
}

// Start is EXT-X-START (4.4.2.2).
type Start struct {
	TimeOffset time.Duration // negative: from the playlist's end
	Precise    bool
}

// Method is how a key encrypts (4.4.4.4).
type Method string

// The methods of the standard; others are kept as they are written.
const (
	MethodAES128       Method = "AES-128"
	MethodSampleAES    Method = "SAMPLE-AES"
	MethodSampleAESCTR Method = "SAMPLE-AES-CTR"
	MethodAES256GCM    Method = "AES-256-GCM"
)

// KeyFormatIdentity is the KEYFORMAT whose resource is the key itself: 16 raw
// octets, 32 for AES-256-GCM.
const KeyFormatIdentity = "identity"

// Key is one EXT-X-KEY (4.4.4.4); METHOD=NONE is the absence of a key.
type Key struct {
	Method         Method
	URI            string
	Format         string // KEYFORMAT, [KeyFormatIdentity] when absent
	FormatVersions string
	IV             [16]byte
	HasIV          bool // false: see [Segment.IV]
}

// ByteRange is a part of a resource in bytes; the zero value is the whole.
type ByteRange struct {
	Offset, Length int64
}

// IsWhole says whether the range is the whole resource.
func (r ByteRange) IsWhole() bool { return r.Length == 0 }

// Map is EXT-X-MAP (4.4.4.5): the initialization section.
type Map struct {
	URI       string
	ByteRange ByteRange
	Key       *Key // what encrypts it; nil when it is clear
}

// Segment is one media segment.
type Segment struct {
	URI       string
	Title     string
	Duration  time.Duration
	Sequence  int64 // media sequence number (4.4.3.2)
	ByteRange ByteRange
	Map       *Map   // nil when there is none; shared between segments
	Key       *Key   // of Keys the identity one, else the first; nil when clear
	Keys      []*Key // all in force, one per KEYFORMAT; shared between segments; empty but not nil after METHOD=NONE
	Parts     []Part // EXT-X-PART, where still listed

	Discontinuity bool // comes after EXT-X-DISCONTINUITY
	Gap           bool // EXT-X-GAP: not to be loaded, and no failure

	// ProgramDateTime is the wall clock time of the segment's start, by its own
	// tag or reckoned from another segment's by the durations between. It is
	// zero when the playlist has no such tag.
	ProgramDateTime time.Time
}

// IV is the initialization vector of the segment under its key: the key's own,
// else the media sequence number as a big-endian number of 128 bits (5.2).
func (s *Segment) IV() [16]byte {
	if s.Key != nil && s.Key.HasIV {
		return s.Key.IV
	}
	var iv [16]byte
	binary.BigEndian.PutUint64(iv[8:], uint64(s.Sequence))
	return iv
}

// Part is a partial segment (4.4.4.9).
type Part struct {
	URI         string
	Duration    time.Duration
	ByteRange   ByteRange
	Independent bool // playback can start here
	Gap         bool
}

// ServerControl is EXT-X-SERVER-CONTROL (4.4.3.8); absent durations are 0.
type ServerControl struct {
	CanBlockReload    bool
	CanSkipUntil      time.Duration
	CanSkipDateRanges bool
	HoldBack          time.Duration
	PartHoldBack      time.Duration
}

// PreloadHint is EXT-X-PRELOAD-HINT (4.4.5.3). A Length of 0 in its range is to
// the end of the resource.
type PreloadHint struct {
	Type      string // PART, MAP
	URI       string
	ByteRange ByteRange
}

// Report is EXT-X-RENDITION-REPORT (4.4.5.4): how far another playlist of the
// same presentation has come, so that its first request can be for what is new.
type Report struct {
	URI      string
	LastMSN  int64
	LastPart int64 // -1 when it has no parts
}

// Media is a media playlist.
type Media struct {
	Version               int           // EXT-X-VERSION, 1 when absent
	TargetDuration        time.Duration // where missing, the longest segment, rounded
	MediaSequence         int64
	DiscontinuitySequence int64
	PlaylistType          string // EVENT, VOD or empty
	EndList               bool
	IFramesOnly           bool
	IndependentSegments   bool
	Start                 *Start
	ServerControl         ServerControl
	PartTarget            time.Duration // EXT-X-PART-INF; 0 when there is none
	Skipped               int64         // EXT-X-SKIP: segments left out before the first listed

	Segments []Segment
	Parts    []Part   // of the segment that is not complete yet
	Partial  *Segment // that segment: what holds for its parts, listed or hinted at, without URI and duration; nil when it has none
	Hints    []PreloadHint
	Reports  []Report // of other playlists

	Faults Faults
}

// Live says whether the playlist may still grow.
func (m *Media) Live() bool { return !m.EndList && m.PlaylistType != "VOD" }

// LowLatency says whether the playlist offers partial segments.
func (m *Media) LowLatency() bool { return m.PartTarget > 0 }

// Duration is the sum of all listed segments and trailing parts.
func (m *Media) Duration() time.Duration {
	var d time.Duration
	for i := range m.Segments {
		d += m.Segments[i].Duration
	}
	for i := range m.Parts {
		d += m.Parts[i].Duration
	}
	return d
}

// HoldBack is how far behind the end of a live playlist playback is to start:
// HOLD-BACK, else three target durations (4.4.3.8).
func (m *Media) HoldBack() time.Duration {
	if m.ServerControl.HoldBack > 0 {
		return m.ServerControl.HoldBack
	}
	return 3 * m.TargetDuration
}

// SegmentAt is the index of the segment that plays at offset from the start of
// the playlist. Before the first it is 0; past the end it is the last; -1 when
// there are no segments.
func (m *Media) SegmentAt(offset time.Duration) int {
	var end time.Duration
	for i := range m.Segments {
		end += m.Segments[i].Duration
		if offset < end {
			return i
		}
	}
	return len(m.Segments) - 1
}

// Hint is the part that comes next, which a server holds until it is made
// (4.4.5.3); ok is false where the playlist names none.
func (m *Media) Hint() (h PreloadHint, ok bool) {
	for _, h := range m.Hints {
		if h.Type == "PART" {
			return h, true
		}
	}
	return PreloadHint{}, false
}

// PartAt is the part that plays at offset from the start of the playlist, of
// those of its segment at which playback can start: the last that begins at or
// before offset, else the first; where none says that it is independent, the
// segment's first. segment is an index of Segments, their number where the part
// is in Partial; part is -1 where the segment has no parts to start with, and is
// to be loaded whole.
func (m *Media) PartAt(offset time.Duration) (segment, part int) {
	segment = m.SegmentAt(offset)
	var start time.Duration
	for i := range segment {
		start += m.Segments[i].Duration
	}
	parts := m.Parts
	if segment >= 0 {
		if end := start + m.Segments[segment].Duration; offset < end || len(parts) == 0 {
			parts = m.Segments[segment].Parts
		} else {
			segment, start = segment+1, end
		}
	} else {
		segment = 0
	}
	part = -1
	for i := range parts {
		p := &parts[i]
		if part >= 0 && start > offset {
			break
		}
		if !p.Gap && (p.Independent || i == 0 && m.IndependentSegments) {
			part = i
		}
		start += p.Duration
	}
	if part < 0 && len(parts) > 0 && !parts[0].Gap {
		part = 0
	}
	return segment, part
}

// EndTime is the wall clock time of the end of the last segment or trailing
// part; ok is false when the playlist has no EXT-X-PROGRAM-DATE-TIME.
func (m *Media) EndTime() (t time.Time, ok bool) {
	if len(m.Segments) == 0 {
		return time.Time{}, false
	}
	last := &m.Segments[len(m.Segments)-1]
	if last.ProgramDateTime.IsZero() {
		return time.Time{}, false
	}
	t = last.ProgramDateTime.Add(last.Duration)
	for i := range m.Parts {
		t = t.Add(m.Parts[i].Duration)
	}
	return t, true
}
