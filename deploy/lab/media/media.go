// Package media holds the lab's media: five segments of 1.92 s of generated
// pictures and tones, packaged in each way that the lab serves. README.md says
// what each folder is; make.sh makes them.
package media

import "embed"

// FS holds the folders ts, aes, cmaf, range and hevc; a file's path in it is
// the path below the stream's URL.
//
//go:embed ts aes cmaf range hevc
var FS embed.FS

// The shape that every stream in [FS] shares. Pictures and sound are cut at
// the same instants, so segment n of a stream that repeats them for ever is
// segment n modulo Segments, and starts at n × SegmentSeconds exactly.
const (
	Segments       = 5
	SegmentSeconds = 1.92
)
