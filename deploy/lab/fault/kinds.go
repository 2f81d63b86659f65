package fault

import (
	"strings"

	"github.com/firstframe/firstframe/probes/run"
)

// Layer is where a fault takes hold, and with it what is known of the run that
// it hits.
type Layer string

// The layers. When a name is asked for and when TLS is shaken hands, neither
// path nor app version nor run is known: such faults match by place and CDN
// alone, and their share is drawn for every question or connection anew.
const (
	DNS  Layer = "dns"
	TLS  Layer = "tls"
	HTTP Layer = "http"
)

// Class is what a request asks for, by its path.
type Class string

// The classes.
const (
	Any      Class = "any"
	Manifest Class = "manifest" // .m3u8, .mpd
	Media    Class = "media"    // segments and initialization segments
	Key      Class = "key"      // .key, .bin
	API      Class = "api"      // APIPath
)

// APIPath is where the service's playback API is.
const APIPath = "/api/playback"

// ClassOf tells what a path asks for: Manifest, Media, Key, API, or Any for
// everything else.
func ClassOf(path string) Class {
	if path == APIPath {
		return API
	}
	dot := strings.LastIndexByte(path, '.')
	if dot < 0 {
		return Any
	}
	switch path[dot:] {
	case ".m3u8", ".mpd":
		return Manifest
	case ".ts", ".m4s", ".mp4", ".m4v", ".m4a", ".aac":
		return Media
	case ".key", ".bin":
		return Key
	}
	return Any
}

// Kind is one kind of fault.
type Kind struct {
	Name  string
	Layer Layer
	On    Class // what it hits when its match names no path

	// Which parameters it needs; any other is refused. Optional ones may be
	// left out.
	Needs, Optional []string

	// What a run that it hits ends with. ErrorStep is empty where that depends
	// on the order's path; both are where the run is only slower or worse served.
	ErrorType run.ErrorType
	ErrorStep run.StepName

	Doc string
}

// Kinds is the closed list of kinds: every error type of a run can be ordered,
// but for internal, which is a fault of ours.
var Kinds = []Kind{
	{Name: "dns_fail", Layer: DNS, ErrorType: run.ErrDNS, ErrorStep: run.StepManifest,
		Doc: "the name server answers SERVFAIL"},
	{Name: "dns_slow", Layer: DNS, Needs: []string{"ms"}, ErrorType: run.ErrDNS, ErrorStep: run.StepManifest,
		Doc: "the answer comes ms later; fails when that is beyond the resolver's limit"},
	{Name: "refuse", Layer: DNS, ErrorType: run.ErrConnect, ErrorStep: run.StepManifest,
		Doc: "the name leads to an address of the POP at which nothing listens"},
	{Name: "wrong_pop", Layer: DNS,
		Doc: "the name leads to the second nearest POP: no failure, but slower"},
	{Name: "private_address", Layer: DNS, ErrorType: run.ErrBlockedAddress, ErrorStep: run.StepManifest,
		Doc: "the name leads to 169.254.169.254, where clouds keep their secrets"},
	{Name: "tls_expired", Layer: TLS, ErrorType: run.ErrTLS, ErrorStep: run.StepManifest,
		Doc: "the edge shows a certificate that ended yesterday"},
	{Name: "tls_slow", Layer: TLS, Needs: []string{"ms"}, ErrorType: run.ErrTLS, ErrorStep: run.StepManifest,
		Doc: "the handshake is answered ms later; fails when that is beyond the client's limit"},
	{Name: "first_byte", Layer: HTTP, On: Any, Needs: []string{"ms"}, ErrorType: run.ErrTimeout,
		Doc: "every answer starts ms later; fails when that is beyond the player's limit"},
	{Name: "bandwidth", Layer: HTTP, On: Any, Needs: []string{"kbps"}, ErrorType: run.ErrTimeout,
		Doc: "all bodies to one client together at kbps; fails when that is beyond the run's limit"},
	{Name: "status", Layer: HTTP, On: Any, Needs: []string{"status"}, ErrorType: run.ErrHTTP4xx,
		Doc: "the answer is this status, 400 to 599; 5xx ends with http_5xx"},
	{Name: "origin_down", Layer: HTTP, On: Any, ErrorType: run.ErrHTTP5xx,
		Doc: "the edge has nothing in its cache and cannot reach the origin: 502"},
	{Name: "redirect", Layer: HTTP, On: Manifest, ErrorType: run.ErrRedirect, ErrorStep: run.StepManifest,
		Doc: "302 to itself, for ever"},
	{Name: "truncate", Layer: HTTP, On: Media, ErrorType: run.ErrSegmentTruncated, ErrorStep: run.StepSegment,
		Doc: "the first 4 KiB of the announced body (half of a shorter one), then the end"},
	{Name: "reset", Layer: HTTP, On: Media, ErrorType: run.ErrReset, ErrorStep: run.StepSegment,
		Doc: "as much, then the connection is reset, once what else is under way on it has its answer (a second at most)"},
	{Name: "stall", Layer: HTTP, On: Media, Optional: []string{"ms"}, ErrorType: run.ErrStalled, ErrorStep: run.StepSegment,
		Doc: "as much, then silence for ms, or until the client goes"},
	{Name: "oversize", Layer: HTTP, On: Manifest, ErrorType: run.ErrTooLarge, ErrorStep: run.StepManifest,
		Doc: "a body of one terabyte of blanks"},
	{Name: "html", Layer: HTTP, On: Manifest, ErrorType: run.ErrManifestInvalid, ErrorStep: run.StepManifest,
		Doc: "a friendly page, with status 200"},
	{Name: "garbage", Layer: HTTP, On: Media, ErrorType: run.ErrMediaInvalid, ErrorStep: run.StepSegment,
		Doc: "noise of the right length and type; of a manifest manifest_invalid"},
	{Name: "empty", Layer: HTTP, On: Manifest, ErrorType: run.ErrManifestEmpty, ErrorStep: run.StepManifest,
		Doc: "a well-formed manifest with nothing to play"},
	{Name: "stale", Layer: HTTP, On: Manifest, Optional: []string{"ms"}, ErrorType: run.ErrManifestStale,
		Doc: "live manifests stand still as of ms (60000 when left out) before the order; a live DASH manifest by number never moves, and cannot be stale"},
	{Name: "no_keyframe", Layer: HTTP, On: Media, ErrorType: run.ErrNoKeyframe, ErrorStep: run.StepSegment,
		Doc: "clear H.264 segments say of every keyframe that it is none"},
	{Name: "unsupported", Layer: HTTP, On: Manifest, ErrorType: run.ErrUnsupported, ErrorStep: run.StepManifest,
		Doc: "manifests name a codec that no app plays; media playlists ask for SAMPLE-AES with a key system"},
	{Name: "bad_key", Layer: HTTP, On: Key, ErrorType: run.ErrDecrypt, ErrorStep: run.StepKey,
		Doc: "a key of 8 bytes"},
	{Name: "no_url", Layer: HTTP, On: API, ErrorType: run.ErrPlaybackAPI, ErrorStep: run.StepPlaybackAPI,
		Doc: "the playback API answers well, without a stream"},
}

// KindByName is the kind of that name, nil when there is none.
func KindByName(name string) *Kind {
	for i := range Kinds {
		if Kinds[i].Name == name {
			return &Kinds[i]
		}
	}
	return nil
}

func kindNames() string {
	names := make([]string, len(Kinds))
	for i, k := range Kinds {
		names[i] = k.Name
	}
	return strings.Join(names, " ")
}
