package probes

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/firstframe/firstframe/probes/bundle"
	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/player"
	"github.com/firstframe/firstframe/probes/redact"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/tape"
)

// Recording is what was seen of a run while it was made, with all its secrets.
// It stays in memory.
type Recording struct {
	spec    Spec
	run     run.Run
	result  *player.Result // nil where play was not pressed
	tape    *tape.Recorder // likewise
	secrets *redact.Redactor
}

// Record is [Probe], and keeps what it saw within the limits.
func Record(ctx context.Context, spec Spec, limits tape.Limits) (run.Run, *Recording) {
	rec := &Recording{spec: spec}
	on := live
	on.open = func(cfg fetch.Config) network {
		n := live.open(cfg)
		rec.tape = tape.NewRecorder(n, limits)
		return recorded{n, rec.tape}
	}
	var err error
	rec.secrets, err = secretsOf(spec)
	r, result := press(ctx, spec, on, rec.secrets, err)
	clean(&r, rec.secrets)
	rec.run, rec.result = r, result
	return r, rec
}

// recorded is a network whose exchanges are recorded.
type recorded struct {
	network
	tape *tape.Recorder
}

func (n recorded) Do(ctx context.Context, req fetch.Request) *fetch.Exchange {
	return n.tape.Do(ctx, req)
}

// leastKept is what is kept of a media segment whatever its keyframe, in bytes;
// of one whose keyframe ends later it is kept up to there.
const leastKept = 1 << 20

// Bundle is the recording as it may leave the machine: without what the run may
// not tell (see [Probe]), and without content keys: what they encrypt is
// encrypted anew with keys of the bundle's own. Of media it holds as much as
// shows the first frame.
func (rec *Recording) Bundle() (*bundle.Bundle, error) {
	if rec.result == nil {
		return &bundle.Bundle{Run: rec.run, Probe: rec.probe()}, nil
	}
	rec.learn()
	b := &bundle.Bundle{Run: copyOf(rec.run), Probe: rec.probe()}
	clean(&b.Run, rec.secrets)
	about := map[*fetch.Exchange]int{}
	for i, x := range rec.result.Exchanges {
		if x != nil {
			about[x] = i
		}
	}
	keys := &tape.Keyring{}
	for _, sealed := range rec.result.Sealed {
		if sealed != nil {
			keys.For(sealed.Key)
		}
	}
	for i, take := range rec.tape.Takes() {
		if i == bundle.MaxExchanges {
			break
		}
		e := take.Bundled(rec.result.Start)
		n, known := about[take.Exchange]
		if known {
			step := &rec.result.Steps[n]
			e.Step, e.Track, e.Attempt = step.Name, step.Track, step.Attempt
		}
		rec.cleanExchange(&e)
		switch {
		case take.Size == 0:
		case !known: // of what is no step it is not known what it holds
			e.Body = &bundle.Body{Size: take.Size, Cut: true, Pieces: take.Pieces()}
		default:
			body, err := rec.body(take, e.Step, rec.result.Sealed[n], keys)
			if err != nil {
				return nil, fmt.Errorf("bundle: exchange %d: %w", i+1, err)
			}
			if len(body.Data) > 0 {
				body.File = fmt.Sprintf("bodies/%04d%s", i+1, extension(e.Request.URL))
			}
			e.Body = body
		}
		b.Exchanges = append(b.Exchanges, e)
	}
	for i := range b.Exchanges { // keys that stand in manifests, too
		if body := b.Exchanges[i].Body; body != nil && body.Text {
			body.Data = keys.Replace(body.Data)
		}
	}
	return b, nil
}

// learn makes what is secret in the addresses that were asked for known, so
// that it is found in manifests, media and other addresses where no name gives
// it away. Tokens such as hdnts hold parameters themselves.
func (rec *Recording) learn() {
	for _, take := range rec.tape.Takes() {
		if u, err := url.Parse(take.Request.URL); err == nil {
			query := u.Query()
			keepParameters(rec.secrets, query)
			if u.User != nil { // manifests may write it without a scheme before it
				keepUser(rec.secrets, u.User)
			}
			for _, values := range query {
				for _, v := range values {
					if inner, err := url.ParseQuery(strings.ReplaceAll(v, "~", "&")); err == nil && strings.Contains(v, "=") {
						keepParameters(rec.secrets, inner)
					}
				}
			}
		}
		keepSecrets(rec.secrets, take.Request.Header)
		if head, _ := take.Head(); bytes.HasPrefix(head, []byte("#EXTM3U")) {
			rec.learnVariables(string(head))
		}
	}
}

// Variables of HLS playlists, and their use as a parameter's value (RFC 8216bis,
// 4.3 and 4.4.2.3).
var (
	defined = regexp.MustCompile(`(?m)^#EXT-X-DEFINE:.*$`)
	quoted  = regexp.MustCompile(`(NAME|VALUE)="([^"]*)"`)
	used    = regexp.MustCompile(`([A-Za-z0-9_.-]+)=\{\$([A-Za-z0-9_-]+)\}`)
)

// learnVariables makes the values of variables known that a playlist puts where
// a parameter is secret, or that are secret by their own names.
func (rec *Recording) learnVariables(playlist string) {
	secret := map[string]bool{}
	for _, use := range used.FindAllStringSubmatch(playlist, -1) {
		secret[use[2]] = secret[use[2]] || redact.Secret(use[1])
	}
	for _, tag := range defined.FindAllString(playlist, -1) {
		is := map[string]string{}
		for _, attr := range quoted.FindAllStringSubmatch(tag, -1) {
			is[attr[1]] = attr[2]
		}
		if name := is["NAME"]; secret[name] || redact.Secret(name) {
			rec.secrets.Know(is["VALUE"])
		}
	}
}

// body is what a bundle keeps of a body.
func (rec *Recording) body(take *tape.Take, step run.StepName, sealed *player.Sealed, keys *tape.Keyring) (*bundle.Body, error) {
	b := &bundle.Body{Size: take.Size, Pieces: take.Pieces()}
	head, cut := take.Head()
	switch {
	case step == run.StepKey && take.Exchange.Status/100 == 2:
		b.SHA256 = fmt.Sprintf("%x", sha256.Sum256(head))
		b.Data, b.Cut, b.Rekeyed = keys.For(head), cut, true
	case isCoded(take.Exchange), take.Exchange.Status/100 != 2 && !isText(head):
		b.Cut = true // no player reads it, and what is in it cannot be seen
	case isText(head), !cut && isWords(step) && bytes.IndexByte(head, 0) < 0:
		b.Text, b.Cut = true, cut
		b.Data = rec.cleanText(head, cut)
		if len(b.Data) > bundle.MaxBody {
			b.Data, b.Cut = b.Data[:bundle.MaxBody], true
		}
	default:
		keep := take.Size
		if media := step == run.StepSegment || step == run.StepPart; media && (sealed == nil || !sealed.GCM) {
			if k := rec.result.Keyframe; k != nil {
				keep = max(leastKept, take.Until(*k))
			}
		}
		b.Data, b.Tail = take.Ends(keep)
		b.Cut = int64(len(b.Data)) < b.Size
		if sealed != nil {
			if err := keys.Reseal(b, sealed.Key, sealed.IV[:], sealed.GCM); err != nil {
				return nil, err
			}
		}
		b.Data = rec.secrets.Mask(b.Data)
	}
	return b, nil
}

// isCoded tells whether what came is in a content coding still: package fetch
// undoes gzip alone, and of good answers.
func isCoded(x *fetch.Exchange) bool {
	decoded := x.Status/100 == 2 && (x.Encoding == "gzip" || x.Encoding == "x-gzip")
	return x.Encoding != "" && !decoded
}

// isWords tells whether a step asks for text, in whatever encoding it comes:
// players read manifests whose names are not in UTF-8.
func isWords(step run.StepName) bool {
	switch step {
	case run.StepPlaybackAPI, run.StepManifest, run.StepSteering, run.StepClock, run.StepPlaylist:
		return true
	}
	return false
}

// isText tells whether it is text, up to where it may have been cut.
func isText(b []byte) bool {
	for range utf8.UTFMax - 1 {
		if utf8.Valid(b) {
			break
		}
		b = b[:len(b)-1]
	}
	return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0
}

// extension is how an address's path ends, for a file's name; empty where that
// is none.
func extension(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	ext := strings.ToLower(path.Ext(u.Path))
	if len(ext) < 2 || len(ext) > 6 || strings.Trim(ext[1:], "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return ""
	}
	return ext
}
