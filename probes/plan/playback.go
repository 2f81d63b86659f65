package plan

import (
	"errors"
	"fmt"
	"strings"

	"github.com/firstframe/firstframe/probes/run"
	"github.com/goccy/go-yaml/ast"
	"github.com/ohler55/ojg/jp"
)

// maxPath bounds a JSONPath, in bytes.
const maxPath = 200

// playbackAPI reads what a target asks of its service's own interface.
func (d *decoder) playbackAPI(o *object) *run.PlaybackAPI {
	n := o.get("playback_api")
	if n == nil {
		return nil
	}
	a := d.object(n, "playback_api", "url", "method", "headers", "body", "manifest", "manifest_query", "stream_headers")
	api := &run.PlaybackAPI{
		URL:           a.required("url", addressWithSecrets),
		Method:        a.oneOf("method", "GET", "POST", "PUT"),
		Headers:       a.dictionary("headers", maxList, headerName, headerWithSecrets),
		Body:          a.text("body", secrets),
		Manifest:      a.text("manifest", jsonPath),
		ManifestQuery: a.dictionary("manifest_query", maxList, anyText, jsonPath),
		StreamHeaders: a.dictionary("stream_headers", maxList, headerName, jsonPath),
	}
	d.consistent(a, api, n)
	return api
}

// consistent notes what does not go together.
func (d *decoder) consistent(a *object, api *run.PlaybackAPI, n ast.Node) {
	if !a.mapping {
		return
	}
	if a.get("manifest") == nil && a.get("manifest_query") == nil && a.get("stream_headers") == nil {
		d.errorf(position(n), "playback_api: without manifest, manifest_query and stream_headers its answer is of no use")
	}
	if body := a.get("body"); body != nil && api.Method == "GET" {
		d.errorf(position(body), "body: a GET has none")
	}
}

// example is what stands for a secret while a text that refers to it is checked.
func example(run.Reference) (string, error) { return "x", nil }

// secrets checks the references in a text.
func secrets(s string) error {
	_, err := run.Expand(s, example)
	return err
}

func addressWithSecrets(s string) error {
	_, rest, _ := strings.Cut(s, "://")
	if host, _, _ := strings.Cut(rest, "/"); strings.Contains(host, "${") {
		return errors.New("the host of a URL is no secret")
	}
	s, err := run.Expand(s, example)
	if err != nil {
		return err
	}
	return address(s)
}

func headerWithSecrets(s string) error {
	s, err := run.Expand(s, example)
	if err != nil {
		return err
	}
	return headerValue(s)
}

// jsonPath checks a JSONPath. One that goes through all of an answer more than
// once could take long.
func jsonPath(s string) error {
	switch {
	case len(s) > maxPath:
		return fmt.Errorf("longer than %d bytes", maxPath)
	case !strings.HasPrefix(s, "$"):
		return errors.New("want a JSONPath such as $.streams[0].url")
	case strings.Count(s, "..") > 1:
		return errors.New("want a JSONPath with .. once at most")
	}
	if _, err := jp.ParseString(s); err != nil {
		return fmt.Errorf("want a JSONPath such as $.streams[0].url: %w", err)
	}
	return nil
}
