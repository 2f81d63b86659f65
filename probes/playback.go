package probes

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/firstframe/firstframe/probes/player"
	"github.com/firstframe/firstframe/probes/redact"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/ohler55/ojg/jp"
	"golang.org/x/net/http/httpguts"
)

// secretsDir is where files of secrets are, unless the environment variable
// secretsEnv says otherwise: where container engines put them.
const (
	secretsDir = "/run/secrets"
	secretsEnv = "FIRSTFRAME_SECRETS"
	maxSecret  = 64 << 10 // bytes of such a file
)

// maxTaken bounds what is taken out of an answer in one place, in bytes.
const maxTaken = 8 << 10

// playbackAPI is a service's own interface in one run.
type playbackAPI struct {
	via     *route
	secrets *redact.Redactor

	url, method string
	header      http.Header
	payload     []byte

	manifest       jp.Expr // nil: the target's URL
	query, headers map[string]jp.Expr
}

// newPlaybackAPI puts secrets, as lookUp gives them, in their places; nil where
// there is no interface.
// An error is a fault of how the agent was set up.
func newPlaybackAPI(spec *run.PlaybackAPI, via *route, secrets *redact.Redactor, lookUp func(run.Reference) (string, error)) (*playbackAPI, error) {
	if spec == nil {
		return nil, nil
	}
	api := &playbackAPI{via: via, secrets: secrets, method: spec.Method, header: http.Header{}}
	if api.method == "" && spec.Body != "" {
		api.method = http.MethodPost
	}
	expand := func(text string, escape func(string) string) (string, error) {
		return run.Expand(text, func(ref run.Reference) (string, error) {
			v, err := lookUp(ref)
			secrets.Know(v)
			return escape(v), err
		})
	}
	var err error
	short := false
	api.url, err = expand(spec.URL, func(s string) string {
		short = short || s != "" && len(s) < redact.MinSecret
		return url.QueryEscape(s)
	})
	if err == nil && short { // and steps hold their URLs
		err = fmt.Errorf("a secret of fewer than %d bytes cannot be kept out of what a run tells", redact.MinSecret)
	}
	if err != nil {
		return nil, fmt.Errorf("playback API: url: %w", err)
	}
	body, err := expand(spec.Body, inBody(spec.Body))
	if err != nil {
		return nil, fmt.Errorf("playback API: body: %w", err)
	}
	if api.payload = []byte(body); isJSON(body) {
		api.header.Set("Content-Type", "application/json")
	}
	for name, text := range spec.Headers {
		v, err := expand(text, func(s string) string { return s })
		if err == nil && !httpguts.ValidHeaderFieldValue(v) {
			err = errors.New("its value has characters that no header may have")
		}
		if err != nil {
			return nil, fmt.Errorf("playback API: header %s cannot be sent: %w", name, err)
		}
		keepSecret(secrets, name, v)
		api.header.Set(name, v)
	}
	return api, api.compile(spec)
}

// compile reads the paths into the answer.
func (api *playbackAPI) compile(spec *run.PlaybackAPI) (err error) {
	if spec.Manifest != "" {
		if api.manifest, err = jp.ParseString(spec.Manifest); err != nil {
			return fmt.Errorf("playback API: manifest %s: %w", spec.Manifest, err)
		}
	}
	api.query, api.headers = map[string]jp.Expr{}, map[string]jp.Expr{}
	for name, path := range spec.ManifestQuery {
		if api.query[name], err = jp.ParseString(path); err != nil {
			return fmt.Errorf("playback API: manifest_query.%s %s: %w", name, path, err)
		}
	}
	for name, path := range spec.StreamHeaders {
		if api.headers[name], err = jp.ParseString(path); err != nil {
			return fmt.Errorf("playback API: stream_headers.%s %s: %w", name, path, err)
		}
	}
	return nil
}

// isJSON tells whether a body looks like JSON.
func isJSON(body string) bool {
	body = strings.TrimSpace(body)
	return strings.HasPrefix(body, "{") || strings.HasPrefix(body, "[")
}

// inBody is how a secret is written in the body: as part of a text in JSON, else
// of a form.
func inBody(body string) func(string) string {
	if !isJSON(body) {
		return url.QueryEscape
	}
	return func(s string) string {
		text, _ := json.Marshal(s) // a string can always be written
		return string(text[1 : len(text)-1])
	}
}

// lookUp reads a secret, without the line's end that editors put behind it.
func lookUp(ref run.Reference) (string, error) {
	if ref.Kind == "env" {
		if v := os.Getenv(ref.Name); v != "" {
			return v, nil
		}
		return "", fmt.Errorf("the environment has no %s", ref.Name)
	}
	root, err := os.OpenRoot(cmp.Or(os.Getenv(secretsEnv), secretsDir))
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", ref.Name, err)
	}
	defer root.Close()
	f, err := root.Open(ref.Name)
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", ref.Name, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("secret %s: %w", ref.Name, err)
	case len(text) > maxSecret:
		return "", fmt.Errorf("secret %s: larger than %d bytes", ref.Name, maxSecret)
	}
	v := strings.TrimRight(string(text), "\r\n")
	if v == "" {
		return "", fmt.Errorf("secret %s: the file is empty", ref.Name)
	}
	return v, nil
}

// servers are the interface's, to connect to before play is pressed.
func (api *playbackAPI) servers() []*url.URL {
	if api == nil {
		return nil
	}
	u, err := url.Parse(api.url)
	if err != nil {
		return nil // which the run will say
	}
	return []*url.URL{u}
}

// request is the interface as a player asks it; nil where there is none.
func (api *playbackAPI) request() *player.API {
	if api == nil {
		return nil
	}
	return &player.API{URL: api.url, Method: api.method, Header: api.header, Payload: api.payload, Read: api.read}
}

// read takes out of the answer what was promised. What it takes is secret, but
// for the manifest's URL, of which only what is by its name.
func (api *playbackAPI) read(answer []byte) (manifest string, header http.Header, err error) {
	var data any
	if err := json.Unmarshal(answer, &data); err != nil {
		return "", nil, fmt.Errorf("the answer is not JSON: %w", err)
	}
	manifest = api.via.target
	if api.manifest != nil {
		if manifest, err = take(data, api.manifest); err != nil {
			return "", nil, fmt.Errorf("no manifest at %s: %w", api.manifest, err)
		}
		if manifest, err = api.via.through(manifest); err != nil {
			return "", nil, fmt.Errorf("manifest at %s: %w", api.manifest, err)
		}
	}
	query := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(api.query)) {
		if query[name], err = take(data, api.query[name]); err != nil {
			return "", nil, fmt.Errorf("no parameter %s at %s: %w", name, api.query[name], err)
		}
		api.secrets.Know(query[name])
	}
	header = http.Header{}
	for _, name := range slices.Sorted(maps.Keys(api.headers)) {
		v, err := take(data, api.headers[name])
		if err == nil && !httpguts.ValidHeaderFieldValue(v) {
			err = errors.New("it cannot be sent")
		}
		if err != nil {
			return "", nil, fmt.Errorf("no header %s at %s: %w", name, api.headers[name], err)
		}
		api.secrets.Know(v)
		header.Set(name, v)
	}
	if manifest, err = api.with(manifest, query); err != nil {
		return "", nil, err
	}
	return api.via.rewrite(manifest), header, nil
}

// with is the manifest's URL with more parameters. Those that it has are known
// to be secret from now on where their names say so.
func (api *playbackAPI) with(manifest string, query map[string]string) (string, error) {
	u, err := url.Parse(manifest)
	if err != nil {
		return "", errors.New("the manifest's URL is none")
	}
	keepParameters(api.secrets, u.Query())
	if len(query) == 0 {
		return manifest, nil // whose spelling may be signed
	}
	u.RawQuery = withQuery(u.RawQuery, query)
	return u.String(), nil
}

// take is the text or the whole number that a path leads to first.
func take(data any, path jp.Expr) (string, error) {
	switch v := path.First(data).(type) {
	case nil:
		return "", errors.New("there is nothing")
	case string:
		if v == "" || len(v) > maxTaken {
			return "", fmt.Errorf("a text of %d bytes, want 1 to %d", len(v), maxTaken)
		}
		return v, nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 { // beyond, JSON's numbers are not exact
			return strconv.FormatInt(int64(v), 10), nil
		}
	}
	return "", errors.New("neither a text nor a whole number")
}
