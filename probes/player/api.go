package player

import (
	"bytes"
	"context"
	"maps"
	"net/http"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// maxAnswer bounds the answer of a service's own interface, in bytes.
const maxAnswer = 1 << 20

// API is the request to a service's own interface that an app makes before it
// asks for the manifest: once, with no limit but the run's. In a browser whose page
// is known to be of another origin (Config.Header's Origin) a preflight comes first
// where method or headers are not safelisted. Redirects are followed as browsers do
// (Fetch Standard, 4.4): after 303, and of a POST after 301 and 302, with GET and
// without a body; to another origin without what is for this request alone.
type API struct {
	URL     string // is asked as it is, not as Config.Rewrite says
	Method  string // "" is GET
	Header  http.Header
	Payload []byte

	// Read takes from a good answer the manifest's address, as it is to be asked
	// for, and headers of all requests that follow, which replace Config's of the
	// same name. An error means that what was promised is not in it.
	Read func(answer []byte) (manifest string, header http.Header, err error)
}

// ask is the request for the interface's answer.
func (api *API) ask(cfg *Config, body *bytes.Buffer) ask {
	return ask{
		name: run.StepPlaybackAPI, url: api.URL, method: api.Method, payload: api.Payload, header: merged(cfg.Header, api.Header), own: api.Header,
		maxBytes: maxAnswer, compress: true, reset: body.Reset, body: collect(body),
	}
}

// callAPI asks the service's own interface, if there is one, and gives the moment
// from when on the manifest can be asked for.
func (s *session) callAPI(ctx context.Context) (Moment, error) {
	api := s.cfg.API
	if api == nil {
		return s.pressed(), nil
	}
	var body bytes.Buffer
	a := api.ask(&s.cfg, &body)
	a.after = s.pressed()
	a.done = func(*fetch.Exchange) error {
		manifest, header, err := api.Read(body.Bytes())
		if err != nil {
			return &fault{run.ErrPlaybackAPI, err}
		}
		s.cfg.URL, s.cfg.Header = manifest, merged(s.cfg.Header, header)
		return nil
	}
	got, err := s.request(ctx, a)
	s.guess()
	return got.Moment, err
}

// merged are headers with more of them, which replace those of the same name.
func merged(base, more http.Header) http.Header {
	if len(more) == 0 {
		return base
	}
	all := base.Clone()
	if all == nil {
		all = http.Header{}
	}
	maps.Copy(all, more)
	return all
}

// next is the address to ask after a redirect of a, and the request to make.
func (s *session) next(a ask, from string, got answer) (string, ask) {
	if a.name != run.StepPlaybackAPI {
		return s.cfg.rewrite(got.Location), a
	}
	if got.Status == http.StatusSeeOther || a.method == http.MethodPost && (got.Status == http.StatusMovedPermanently || got.Status == http.StatusFound) {
		a.method, a.payload = http.MethodGet, nil
		a.header, a.own = ofNoBody(a.header), ofNoBody(a.own)
	}
	if !fetch.SameOrigin(from, got.Location) {
		a.header, a.own, a.payload = s.cfg.Header, nil, nil
	}
	return got.Location, a
}

// ofNoBody are headers without those of a request's body (Fetch Standard, 4.4).
func ofNoBody(h http.Header) http.Header {
	h = h.Clone()
	for _, name := range []string{"Content-Encoding", "Content-Language", "Content-Location", "Content-Type"} {
		h.Del(name)
	}
	return h
}
