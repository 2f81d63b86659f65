package main

import (
	"path"
	"strconv"
	"strings"
	"time"
)

// fault is what goes wrong with some requests of a play.
type fault struct {
	name   string
	hits   func(resource) bool
	always bool // every request for such a resource; else the first for each
	effect effect
	of     map[string]string // by player the streams it is played with, as words
}

// effect is what happens to a request; the zero value is nothing.
type effect struct {
	status int           // answered in place of the resource
	late   time.Duration // before the answer begins
	after  int64         // bytes of the answer, after which…
	then   string        // …the connection ends by a reset or without an error, or nothing comes for pauseTime
}

// What happens within an answer.
const (
	reset = "reset" // a TCP reset, when what was sent has arrived
	cut   = "cut"   // the connection is closed, with less than Content-Length said
	pause = "pause" // the rest comes later
)

const (
	pauseTime = 2 * time.Second
	midway    = 50_000 // bytes, fewer than any segment has
)

// faultWay is the line that faults are played over.
var faultWay = way{RTT: 40, Mbps: 10}

// The streams of faults: of HLS, TS and separate audio; of DASH the one that is
// listed.
var (
	common = map[string]string{"hlsjs": "cmaf", "dashjs": "timeline", "shaka": "cmaf timeline"}
	withTS = map[string]string{"hlsjs": "cmaf ts", "dashjs": "timeline", "shaka": "cmaf timeline ts"}
	inHLS  = map[string]string{"hlsjs": "cmaf", "shaka": "cmaf"}
	secret = map[string]string{"hlsjs": "aes", "shaka": "aes"}
)

// faults are those that are played. "One" is the first segment of the lowest
// video rendition, "each" any segment at its first request, "all" any segment
// always.
var faults = []fault{
	{name: "one 404", hits: lowest(segmentKind), effect: effect{status: 404}, of: withTS},
	{name: "one 503", hits: lowest(segmentKind), effect: effect{status: 503}, of: withTS},
	{name: "one reset", hits: lowest(segmentKind), effect: effect{after: midway, then: reset}, of: withTS},
	{name: "one cut", hits: lowest(segmentKind), effect: effect{after: midway, then: cut}, of: withTS},
	{name: "one 404 always", hits: lowest(segmentKind), always: true, effect: effect{status: 404}, of: common},
	{name: "each 404", hits: segments, effect: effect{status: 404}, of: common},
	{name: "each 503", hits: segments, effect: effect{status: 503}, of: common},
	{name: "each reset", hits: segments, effect: effect{after: midway, then: reset}, of: common},
	{name: "each pause", hits: segments, effect: effect{after: midway, then: pause}, of: common},
	{name: "manifest 503", hits: is(manifestKind, false), effect: effect{status: 503}, of: common},
	{name: "playlist 503", hits: lowest(playlistKind), effect: effect{status: 503}, of: inHLS},
	{name: "audio playlist 503", hits: is(playlistKind, true), effect: effect{status: 503}, of: inHLS},
	{name: "video init 503", hits: lowest(initKind), effect: effect{status: 503}, of: common},
	{name: "key 503", hits: is(keyKind, false), effect: effect{status: 503}, of: secret},
	{name: "audio segment late", hits: is(segmentKind, true), effect: effect{late: pauseTime}, of: common},
	{name: "audio init late", hits: is(initKind, true), effect: effect{late: pauseTime}, of: common},
	{name: allFaults + "404", hits: segments, always: true, effect: effect{status: 404}, of: common},
	{name: allFaults + "503", hits: segments, always: true, effect: effect{status: 503}, of: common},
}

// allFaults begins the names of those after which nothing is shown, which takes
// long.
const allFaults = "all "

// quickFaults are some of the faults, of each player one or two kinds.
var quickFaults = []string{"one 404", "one 503", "each pause", "manifest 503"}

// once says whether one play by each side tells all.
func (f fault) once(p player) bool { return strings.HasPrefix(f.name, allFaults) && !p.draws }

// faultNamed is the fault of that name; nil: none.
func faultNamed(name string) *fault {
	for i := range faults {
		if faults[i].name == name {
			return &faults[i]
		}
	}
	return nil
}

// kind is what a resource of the media is.
type kind string

const (
	manifestKind kind = "manifest" // or multivariant playlist
	playlistKind kind = "playlist"
	initKind     kind = "init"
	segmentKind  kind = "segment"
	keyKind      kind = "key"
	rangeKind    kind = "range" // init and segments in one
)

// resource is what a path below the media's folder stands for, as media.sh names
// its files.
type resource struct {
	kind   kind
	audio  bool
	folder string // the rendition's
	number int    // of a segment, from 0
}

func resourceAt(name string) resource {
	r := resource{folder: path.Base(path.Dir(name))}
	r.audio = r.folder == "audio"
	base := path.Base(name)
	stem, _, _ := strings.Cut(base, ".")
	switch ext := path.Ext(base); {
	case base == "master.m3u8" || ext == ".mpd":
		r.kind = manifestKind
	case ext == ".m3u8":
		r.kind = playlistKind
	case ext == ".bin":
		r.kind = keyKind
	case stem == "init":
		r.kind = initKind
	case ext == ".mp4":
		r.kind = rangeKind
	default:
		r.kind = segmentKind
		r.number, _ = strconv.Atoi(stem) // of other names there is only the first
	}
	return r
}

// is tells whether a resource is of a kind, and of audio or not.
func is(k kind, audio bool) func(resource) bool {
	return func(r resource) bool { return r.kind == k && r.audio == audio }
}

// lowest tells whether a resource is of a kind, and of the lowest video
// rendition; of segments the first.
func lowest(k kind) func(resource) bool {
	return func(r resource) bool { return r.kind == k && r.folder == "v360" && r.number == 0 }
}

func segments(r resource) bool { return r.kind == segmentKind }
