// Package media knows when the first video keyframe of a media segment is
// there, while the segment arrives.
//
// A [Finder] takes the pieces of one segment, each with the instant at which
// its last byte had arrived, and answers with the instant at which the last
// byte of the first video keyframe had: in fragmented MP4 (CMAF) and MPEG-TS,
// H.264 and H.265. Made by [NewAudioFinder] it looks for the first frame of
// sound instead: in fragmented MP4, MPEG-TS and packed audio, so that garbage
// does not pass for sound; made by [NewAnyFinder] for either. It never holds a segment; see the Max constants for
// what it does hold. [ParseInit] and [InitReader] read initialization segments, which
// may arrive before, while or after the segment does. A [Decrypter] in front
// of either undoes whole-segment AES-128, a [GCMDecrypter] AES-256-GCM.
//
// Nothing here waits, reads a clock or starts a goroutine, and no value is safe
// for concurrent use: the caller owns the order of events.
//
// Sources: ISO/IEC 14496-12 (boxes), 14496-15 (codec strings, parameter sets),
// 13818-1 (MPEG-TS), 14496-10 and 23008-2 (NAL units), RFC 8216bis section
// 4.4.4.4 (AES-128, AES-256-GCM) and 3.1.4 (packed audio), RFC 6381 (codec
// strings); those of sound stand in frames.go.
package media

import (
	"errors"
	"fmt"
	"time"
)

// The classes of failure; every error of this package is one of them.
var (
	// ErrInvalid is input that is no media of a kind known here, or breaks the
	// rules of its container or a bound of this package.
	ErrInvalid = errors.New("media: invalid")
	// ErrUnsupported is media of a known kind that is not read here: WebM.
	ErrUnsupported = errors.New("media: not supported")
	// ErrTruncated is a segment that ends before a box, packet or sample that
	// it promised does.
	ErrTruncated = errors.New("media: truncated")
	// ErrNoKeyframe is a segment that ended without a whole video keyframe.
	ErrNoKeyframe = errors.New("media: no keyframe")
	// ErrNoVideo is the ErrNoKeyframe of a segment without any video track.
	ErrNoVideo = fmt.Errorf("%w: no video track", ErrNoKeyframe)
	// ErrNoAudio is a segment that ended without a frame of sound where one was
	// looked for.
	ErrNoAudio = errors.New("media: no audio")
	// ErrNoInit is a segment that ended before its initialization segment was
	// there. [Finder.SetInit] still leads to a keyframe.
	ErrNoInit = errors.New("media: no initialization segment")
	// ErrDecrypt is a key or IV that does not fit the segment.
	ErrDecrypt = errors.New("media: decrypt")
	// ErrNoKey is an encrypted segment that ended before its key was there.
	ErrNoKey = errors.New("media: no key")
	// ErrFull says that no more ciphertext can be held before the key is there.
	ErrFull = errors.New("media: full, waiting for the key")
)

// The bounds on what is held of any input, in bytes unless named otherwise.
const (
	MaxInit   = 4 << 20   // an initialization segment, or a moov box
	MaxMoof   = 1 << 20   // a moof box, and all that wait for an init segment
	MaxHeld   = 256 << 10 // ciphertext that waits for its key
	MaxTracks = 16        // tracks of an initialization segment, in number
	MaxMarks  = 4096      // arrivals remembered while waiting for an init segment or key, in number
)

// Kind is how a keyframe is known to be one.
type Kind string

// The kinds of keyframe.
const (
	Sync          Kind = "sync"           // a sync sample of fragmented MP4, by its flags
	IDR           Kind = "idr"            // H.264 NAL unit type 5
	IRAP          Kind = "irap"           // H.265 NAL unit types 16 to 21
	RecoveryPoint Kind = "recovery_point" // H.264 recovery point SEI without an IDR: an open GOP
	Frame         Kind = "frame"          // of sound, where it is looked for: playback can start at each
)

// Keyframe is the first video keyframe of a segment; where sound is looked for,
// its first frame.
type Keyframe struct {
	// At is when the last byte of it was there, and the init segment and key
	// that it needs were too.
	At time.Time
	// Offset is where it ends, in bytes from the segment's start. In MPEG-TS
	// it is the end of the packet that holds its last byte.
	Offset int64
	// Track is the track's ID, in MPEG-TS the PID.
	Track uint32
	Kind  Kind
	// Codec is as in RFC 6381, or the mere name of the codec ("avc1") where
	// its parameters cannot be read.
	Codec string
	// Width and Height are in pixels, 0 where they cannot be read.
	Width, Height int
	// Reorder is how many pictures of H.264 a decoder may have to hold back
	// before it gives out the first (max_num_reorder_frames), from 0 to 16; 0
	// where it is not said.
	Reorder int
}

// Sink takes the pieces of a segment, then its end. [Finder] and [InitReader]
// are Sinks.
type Sink interface {
	// Feed takes the next piece, whose last byte had arrived at the instant.
	// It does not keep p.
	Feed(p []byte, at time.Time) error
	// Close says that the segment ended.
	Close(at time.Time) error
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

func truncated(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrTruncated, fmt.Sprintf(format, args...))
}
