// Package hls reads HTTP Live Streaming playlists and answers what a player
// would request next. [Parse] is the entry; a media playlist that belongs to a
// multivariant playlist is better read by [Multivariant.ParseMedia], which
// hands the variables and flags of the one down to the other. A later copy of a
// live playlist is held against the one before by [Media.Follow]; what to ask of
// a low-latency server for it are [Directives].
//
// The rules are those of draft-pantos-hls-rfc8216bis-22; section numbers in
// this package are its own. Where players play what the rules forbid, the
// playlist is read and a [Fault] says what was wrong, so that the model of a
// stricter player can refuse it. What no player could make sense of is
// [ErrInvalid]; what has nothing to play is [ErrEmpty].
//
// Input is hostile. A playlist is read in one pass, and nothing in it makes the
// parser use memory or time out of proportion to its size: see [MaxBytes] and
// the bounds beside it. Beyond a bound the answer is [ErrTooLarge].
//
// The package does no input or output, starts no goroutine and keeps no state.
package hls

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// The bounds on a playlist. They lie well above what players meet: a window of
// 24 hours of segments of one second is 86 400 segments and some 10 MB.
const (
	MaxBytes      = 16 << 20  // of the whole playlist
	MaxExpansion  = 64 << 20  // bytes of URIs made absolute and variables put in, all together
	MaxLine       = 256 << 10 // bytes in a line, after substitution too; keys may be data: URLs
	MaxLines      = 1_000_000
	MaxSegments   = 200_000 // and as many parts
	MaxVariants   = 2_000   // and as many I-frame streams, renditions, session keys
	MaxAttributes = 64      // in one tag
	MaxVariables  = 1_000   // EXT-X-DEFINE
	MaxKeys       = 16      // in force at once, one per KEYFORMAT
	MaxFaults     = 32      // kept; later ones are counted

	// MaxDuration bounds each single duration, so that no sum overflows.
	MaxDuration = 10 * time.Hour
)

// The classes of failure; an error of [Parse] wraps exactly one.
var (
	// ErrInvalid says that this is not a playlist, or one that breaks a rule
	// which makes it unreadable.
	ErrInvalid = errors.New("invalid playlist")
	// ErrEmpty says that the playlist is sound but has nothing to play: no
	// variant, no segment, or only gaps.
	ErrEmpty = errors.New("empty playlist")
	// ErrTooLarge says that the playlist exceeds a bound of this package.
	ErrTooLarge = errors.New("playlist too large")
)

// Playlist is what Parse has read: exactly one of its two is set.
type Playlist struct {
	Multivariant *Multivariant
	Media        *Media
}

// Faults are those of the one that is set.
func (p *Playlist) Faults() Faults {
	if p.Media != nil {
		return p.Media.Faults
	}
	return p.Multivariant.Faults
}

// FaultKind is a class of rule that a playlist breaks and yet can be played.
type FaultKind string

// The kinds of fault.
const (
	FaultBOM            FaultKind = "bom"             // byte order mark (section 4)
	FaultLeadingSpace   FaultKind = "leading_space"   // white space before #EXTM3U (4.4.1.1)
	FaultEncoding       FaultKind = "encoding"        // not UTF-8, or a URI that needed escaping (4)
	FaultTargetDuration FaultKind = "target_duration" // missing or unreadable (4.4.3.1)
	FaultLongSegment    FaultKind = "long_segment"    // longer than the target duration (4.4.3.1)
	FaultRepeated       FaultKind = "repeated"        // a tag or attribute that may come once
	FaultLate           FaultKind = "late"            // EXT-X-MEDIA-SEQUENCE after the first segment (4.4.3.2)
	FaultDisorder       FaultKind = "disorder"        // another tag that belongs before the first segment
	FaultDefine         FaultKind = "define"          // EXT-X-DEFINE repeated or without a value (4.4.2.3)
	FaultValue          FaultKind = "value"           // a value that is missing or cannot be read
	FaultOrphan         FaultKind = "orphan"          // a URI without its tag, or a tag without its URI
)

// Fault is one such place.
type Fault struct {
	Kind FaultKind
	Line int // from 1; 0 when it is about the whole playlist
	Text string
}

// String is the fault in words.
func (f Fault) String() string {
	if f.Line == 0 {
		return f.Text
	}
	return fmt.Sprintf("line %d: %s", f.Line, f.Text)
}

// Faults are the faults of a playlist in the order they were met, at most
// [MaxFaults] of them.
type Faults []Fault

// Has says whether one of the faults is of the kind.
func (f Faults) Has(kind FaultKind) bool {
	for i := range f {
		if f[i].Kind == kind {
			return true
		}
	}
	return false
}

// Parse reads a playlist whose final URL, after redirects, is u: relative URIs
// and QUERYPARAM variables are resolved against it (sections 4.1 and 4.4.2.3).
// IMPORT finds nothing here; see [Multivariant.ParseMedia].
//
// The error wraps [ErrInvalid], [ErrEmpty] or [ErrTooLarge] and names the
// playlist (without its query, which may hold a token) and the line. Together
// with ErrEmpty the playlist is returned too, so that a live one can be asked
// again; otherwise it is nil.
func Parse(u string, body []byte) (*Playlist, error) {
	return parse(u, body, nil)
}

// ParseMedia reads a media playlist of m. EXT-X-DEFINE:IMPORT sees the variables
// of m (4.4.2.3), and the media playlist inherits EXT-X-INDEPENDENT-SEGMENTS
// (4.4.2.1) and, unless it has its own, EXT-X-START (4.4.2.2). A multivariant
// playlist is ErrInvalid here. Errors are those of [Parse].
func (m *Multivariant) ParseMedia(u string, body []byte) (*Media, error) {
	p, err := parse(u, body, m.Variables)
	if p == nil {
		return nil, err
	}
	if p.Media == nil {
		return nil, fmt.Errorf("hls: %s: a multivariant playlist in place of a media playlist: %w", short(u), ErrInvalid)
	}
	p.Media.IndependentSegments = p.Media.IndependentSegments || m.IndependentSegments
	if p.Media.Start == nil {
		p.Media.Start = m.Start
	}
	return p.Media, err
}

// short is u for messages: without its query and fragment.
func short(u string) string {
	if i := strings.IndexAny(u, "?#"); i >= 0 {
		u = u[:i]
	}
	if v, err := url.Parse(u); err == nil {
		u = v.Redacted()
	}
	return u
}
