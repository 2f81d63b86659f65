package edge

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/fault"
	"github.com/firstframe/firstframe/deploy/lab/ledger"
	"github.com/firstframe/firstframe/deploy/lab/origin"
	"github.com/firstframe/firstframe/deploy/lab/service"
	"github.com/firstframe/firstframe/deploy/lab/shaper"
)

// ServeHTTP answers one request and puts it into the ledger, however it ends.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !e.begin() {
		panic(http.ErrAbortHandler)
	}
	defer e.running.Done()
	c := connOf(r)
	c.begin()
	defer c.end()
	start := time.Now()
	from, _ := netip.ParseAddrPort(r.RemoteAddr)
	client := from.Addr().Unmap()
	who := e.subject(client)
	who.Path, who.AppVersion, who.Run = r.URL.Path, appVersion(r), sessionID(r)
	var faults []fault.Fault
	if r.Method != http.MethodOptions { // which they leave alone
		faults = e.config.Faults.At(fault.HTTP, who)
	}
	x := &exchange{edge: e, request: r, out: &counter{ResponseWriter: w}, client: client}
	defer func() {
		entry := ledger.Entry{
			Time: start.UTC(), Ms: float64(time.Since(start).Microseconds()) / 1000,
			Edge: e.pop.Addr.String(), CDN: e.cdn.Name, POP: e.pop.Code,
			Conn: c.number, Client: x.client.String(), Country: who.Country, ASN: who.ASN,
			Proto: r.Proto, Method: r.Method, Path: r.URL.Path, Range: r.Header.Get("Range"),
			Status: x.out.status, Bytes: x.out.bytes, Cache: string(x.status),
			SID: who.Run, AppVersion: who.AppVersion, Fault: ids(faults),
		}
		if err := e.config.Ledger.Append(entry); err != nil {
			e.config.Log.Error("request is missing in the ledger", "path", r.URL.Path, "error", err)
		}
	}()
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		x.serve(faults)
	case http.MethodPost:
		if r.URL.Path != service.APIPath {
			x.fail(http.StatusMethodNotAllowed)
			return
		}
		x.serve(faults)
	case http.MethodOptions: // a browser's preflight
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Allow-Headers", "*, Authorization") // which * is not for
		h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST")
		e.sign(h, generated, 0)
		x.out.WriteHeader(http.StatusNoContent)
	default:
		x.fail(http.StatusMethodNotAllowed)
	}
}

// exchange is one request and what becomes of it.
type exchange struct {
	edge    *Edge
	request *http.Request
	out     *counter
	client  netip.Addr
	status  cacheStatus
}

// object is what the cache or the origin has for a path, once it is there, and
// for how long the cache has had it.
func (x *exchange) object(name string) (origin.Object, time.Duration, error) {
	e, now := x.edge, time.Now()
	ready, err := e.config.Origin.Ready(name, x.request.URL.Query(), now)
	if err == nil {
		err = shaper.Sleep(x.request.Context(), ready.Sub(now))
	}
	if err != nil {
		return origin.Object{}, 0, err
	}
	now = time.Now()
	if found, age, ok := e.cache.get(name, now); ok {
		x.status = hit
		return found, age, nil
	}
	found, err := x.fetch(name, now)
	if err == nil {
		e.cache.put(name, found, now) // as far as it may
	}
	return found, 0, err
}

// fetch is what the origin has for a path as of an instant. It takes a round trip
// to there.
func (x *exchange) fetch(name string, asOf time.Time) (origin.Object, error) {
	x.status = miss
	if err := x.travel(); err != nil {
		return origin.Object{}, err
	}
	found, err := x.edge.config.Origin.Object(name, asOf)
	switch {
	case err != nil:
		x.status = failed
	case found.MaxAge == 0:
		x.status = bypass
	}
	return found, err
}

// travel takes as long as the way to the origin.
func (x *exchange) travel() error {
	if x.edge.config.Fast {
		return nil
	}
	return shaper.Sleep(x.request.Context(), x.edge.pop.Origin)
}

// fail answers with a status and the CDN's own error page.
func (x *exchange) fail(status int) {
	x.status = failed
	h := x.out.Header()
	h.Set("Content-Type", "text/html")
	h.Set("Cache-Control", "no-store")
	h.Set("Access-Control-Allow-Origin", "*")
	x.edge.sign(h, failed, 0)
	x.out.WriteHeader(status)
	fmt.Fprintf(x.out, "<html><head><title>%d</title></head><body><h1>%d %s</h1>%s %s</body></html>\n",
		status, status, http.StatusText(status), x.edge.cdn.Name, x.edge.pop.Code)
}

var sid = regexp.MustCompile(`(?:^|,)sid="([0-9A-Za-z._-]{1,64})"`)

// sessionID is sid of CMCD, from the header or the query.
func sessionID(r *http.Request) string {
	text := r.Header.Get("CMCD-Session")
	if text == "" {
		q, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return ""
		}
		text = q.Get("CMCD")
	}
	if m := sid.FindStringSubmatch(strings.ReplaceAll(text, " ", "")); m != nil {
		return m[1]
	}
	return ""
}

// appVersion is the version in the first product of User-Agent.
func appVersion(r *http.Request) string {
	product, _, _ := strings.Cut(r.UserAgent(), " ")
	_, version, _ := strings.Cut(product, "/")
	return version
}

func ids(faults []fault.Fault) string {
	names := make([]string, len(faults))
	for i, f := range faults {
		names[i] = f.ID
	}
	return strings.Join(names, ",")
}

// counter knows what was answered.
type counter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (c *counter) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *counter) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	n, err := c.ResponseWriter.Write(b)
	c.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }
