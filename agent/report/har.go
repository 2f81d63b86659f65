package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// HAR writes runs as an HTTP archive, version 1.2
// (http://www.softwareishard.com/blog/har-12-spec/), which browsers' developer
// tools open. Each run is a page, whose onContentLoad is the first keyframe and
// whose onLoad is the first frame; each request attempt is an entry, whose
// timings add up to its time. What the format has no name for is behind an
// underscore, as it asks: the run's fields with its page, under their own
// names, and its waits.
//
// Bodies, request headers and most of the answers' headers are not kept by a
// run, so that they are not in the archive. It is written piece by piece.
func HAR(w io.Writer, runs []run.Run) error {
	byStart := make([]*run.Run, 0, len(runs))
	version := ""
	for i := range runs {
		byStart = append(byStart, &runs[i])
		version = runs[i].AgentVersion
	}
	slices.SortStableFunc(byStart, func(a, b *run.Run) int { return a.StartedAt.Compare(b.StartedAt) })
	a := archive{w: w}
	a.text(`{"log":{"version":"1.2","creator":`)
	a.json(harTool{Name: "Firstframe agent", Version: version})
	a.text(`,"pages":[`)
	for i, r := range byStart {
		a.item(i == 0, harPageOf(r))
	}
	a.text("\n]," + `"entries":[`)
	first := true
	for _, r := range byStart {
		for k := range r.Steps {
			if r.Steps[k].IsWait() {
				continue
			}
			a.item(first, harEntryOf(r, k))
			first = false
		}
	}
	a.text("\n]}}\n")
	return a.err
}

// archive writes JSON piece by piece and keeps the first error.
type archive struct {
	w   io.Writer
	err error
}

func (a *archive) text(s string) {
	if a.err == nil {
		_, a.err = io.WriteString(a.w, s)
	}
}

func (a *archive) json(v any) {
	if a.err != nil {
		return
	}
	text, err := json.Marshal(v)
	if err != nil {
		a.err = fmt.Errorf("har: %w", err)
		return
	}
	_, a.err = a.w.Write(text)
}

// item is one of a list, on a line of its own.
func (a *archive) item(first bool, v any) {
	if !first {
		a.text(",")
	}
	a.text("\n")
	a.json(v)
}

type harTool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type harPair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// harEntry is one request attempt.
type harEntry struct {
	Page        string      `json:"pageref"`
	Started     string      `json:"startedDateTime"`
	Time        float64     `json:"time"` // the sum of the timings that apply
	Request     harRequest  `json:"request"`
	Response    harResponse `json:"response"`
	Cache       struct{}    `json:"cache"`
	Timings     harTimings  `json:"timings"`
	Server      string      `json:"serverIPAddress,omitempty"`
	Resource    string      `json:"_resourceType"` // as developer tools sort requests
	Step        string      `json:"_step"`
	Track       string      `json:"_track,omitempty"`
	Attempt     int64       `json:"_attempt"`
	Reused      bool        `json:"_connection_reused"`
	Connects    []string    `json:"_connects,omitempty"` // attempts to connect, see run.Step
	ErrorType   string      `json:"_error_type,omitempty"`
	StartOffset float64     `json:"_start_ms"` // from press play, exactly
}

type harRequest struct {
	Method      string    `json:"method"`
	URL         string    `json:"url"`
	HTTPVersion string    `json:"httpVersion"`
	Cookies     []harPair `json:"cookies"`
	Headers     []harPair `json:"headers"`
	Query       []harPair `json:"queryString"`
	HeadersSize int       `json:"headersSize"` // -1: not known
	BodySize    int       `json:"bodySize"`
}

type harResponse struct {
	Status      int64      `json:"status"` // 0: no answer
	StatusText  string     `json:"statusText"`
	HTTPVersion string     `json:"httpVersion"`
	Cookies     []harPair  `json:"cookies"`
	Headers     []harPair  `json:"headers"`
	Content     harContent `json:"content"`
	Redirect    string     `json:"redirectURL"`
	HeadersSize int        `json:"headersSize"` // -1: not known
	BodySize    int64      `json:"bodySize"`
	Transferred int64      `json:"_transferSize"`
	Error       string     `json:"_error,omitempty"`
}

type harContent struct {
	Size int64  `json:"size"`
	MIME string `json:"mimeType"`
}

// harTimings are a partition of an entry's time, in ms; -1 does not apply. The
// TLS handshake is a part of connect too, as the format has it. That a request
// is being sent is not told apart from the wait for its answer.
type harTimings struct {
	Blocked float64 `json:"blocked"`
	DNS     float64 `json:"dns"`
	Connect float64 `json:"connect"`
	SSL     float64 `json:"ssl"`
	Send    float64 `json:"send"`
	Wait    float64 `json:"wait"`
	Receive float64 `json:"receive"`
}

// harPageOf is the run as a page, with its fields behind underscores.
func harPageOf(r *run.Run) map[string]any {
	waits := []map[string]any{}
	for i := range r.Steps {
		if s := &r.Steps[i]; s.IsWait() {
			waits = append(waits, map[string]any{"name": s.Name, "track": s.Track, "start_ms": s.StartMs, "end_ms": s.EndMs})
		}
	}
	page := map[string]any{
		"startedDateTime": harTime(r.StartedAt),
		"id":              r.RunID,
		"title":           harTitle(r),
		"pageTimings":     map[string]float64{"onContentLoad": orMinus1(r.FirstKeyframeMs), "onLoad": orMinus1(r.TTFFMs)},
		"_waits":          waits,
	}
	for i := range run.Fields {
		f := &run.Fields[i]
		if v := f.Get(r); v != nil {
			page["_"+f.Name] = v
		}
	}
	return page
}

func harTitle(r *run.Run) string {
	return strings.Join(nonEmpty(r.Target, r.CDN, appOf(r), r.Player, r.Connection), " · ")
}

// harEntryOf is the run's k-th step, a request attempt.
func harEntryOf(r *run.Run, k int) harEntry {
	s := &r.Steps[k]
	e := harEntry{
		Page:    r.RunID,
		Started: harTime(r.StartedAt.Add(time.Duration(s.StartMs * float64(time.Millisecond)))),
		Time:    s.QueueMs + s.DNSMs + s.ConnMs + s.TLSMs + s.WaitMs + s.RecvMs,
		Request: harRequest{
			Method: cmp.Or(s.Method, http.MethodGet), URL: s.URL, HTTPVersion: harVersion(s.Proto),
			Cookies: []harPair{}, Headers: []harPair{}, Query: harQuery(s.URL), HeadersSize: -1,
		},
		Response: harResponse{
			Status: s.Status, StatusText: http.StatusText(int(s.Status)), HTTPVersion: harVersion(s.Proto),
			Cookies: []harPair{}, Headers: harHeaders(s.Headers), Content: harContent{Size: s.Bytes},
			Redirect: redirectedTo(r.Steps, k), HeadersSize: -1, BodySize: s.Bytes, Transferred: s.Bytes,
		},
		Timings: harTimings{
			Blocked: s.QueueMs, DNS: applies(s.DNSMs), Connect: applies(s.ConnMs + s.TLSMs), SSL: applies(s.TLSMs),
			Wait: s.WaitMs, Receive: s.RecvMs,
		},
		Resource: "xhr", Step: string(s.Name), Track: s.Track, Attempt: s.Attempt, Reused: s.Reused,
		Connects: s.Connects, ErrorType: string(s.Error), StartOffset: s.StartMs,
	}
	switch s.Name {
	case run.StepInit, run.StepSegment, run.StepPart:
		e.Resource = "media"
	}
	if s.Error != "" {
		e.Response.Error = string(s.Error)
		if s.Detail != "" {
			e.Response.Error += ": " + s.Detail
		}
	}
	if addr, err := netip.ParseAddrPort(s.Remote); err == nil {
		e.Server = addr.Addr().Unmap().String()
	}
	return e
}

// redirectedTo is where the k-th step's answer led: the URL of the step that
// followed it.
func redirectedTo(steps []run.Step, k int) string {
	s := &steps[k]
	if s.Status < 300 || s.Status > 399 {
		return ""
	}
	for i := k + 1; i < len(steps); i++ {
		if next := &steps[i]; next.Name == s.Name && next.Track == s.Track && next.StartMs >= s.EndMs && !next.IsWait() {
			return next.URL
		}
	}
	return ""
}

// harTime is to the microsecond: readers know no more digits.
func harTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

func harVersion(proto string) string {
	if proto == "" {
		return ""
	}
	return "HTTP/" + proto
}

// harQuery are the parameters of a URL, in their order.
func harQuery(address string) []harPair {
	pairs := []harPair{}
	u, err := url.Parse(address)
	if err != nil || u.RawQuery == "" {
		return pairs
	}
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(part, "=")
		pairs = append(pairs, harPair{unescaped(name), unescaped(value)})
	}
	return pairs
}

func unescaped(s string) string {
	if t, err := url.QueryUnescape(s); err == nil {
		return t
	}
	return s
}

// harHeaders are the headers by name.
func harHeaders(h map[string][]string) []harPair {
	pairs := []harPair{}
	for name, values := range h {
		for _, v := range values {
			pairs = append(pairs, harPair{name, v})
		}
	}
	slices.SortStableFunc(pairs, func(a, b harPair) int { return strings.Compare(a.Name, b.Name) })
	return pairs
}

// applies is -1 where a phase did not occur.
func applies(ms float64) float64 {
	if ms == 0 {
		return -1
	}
	return ms
}

func orMinus1(v *float64) float64 {
	if v == nil {
		return -1
	}
	return *v
}
