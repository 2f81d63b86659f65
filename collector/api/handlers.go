package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/collector/store"
)

// query answers POST /api/v1/query, as CSV when that is what Accept prefers.
func (s *server) query(w http.ResponseWriter, r *http.Request) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return fail(http.StatusUnsupportedMediaType, codeType, "Content-Type %.60q is not application/json", r.Header.Get("Content-Type"))
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, query.MaxRequest))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return fail(http.StatusRequestEntityTooLarge, query.CodeBounds, "more than %d bytes", tooLarge.Limit)
		}
		return fail(http.StatusBadRequest, query.CodeJSON, "body: %v", err)
	}
	req, err := query.Parse(text)
	if err != nil {
		return err
	}
	release, err := s.slot(r.Context())
	if err != nil {
		return err
	}
	defer release()
	until := s.Until().UTC() // before the rows are read
	a, err := s.Store.Query(r.Context(), req, time.Now())
	if err != nil {
		return err
	}
	if at := a.Meta.CompleteUntil; at != nil && at.After(until) {
		a.Meta.CompleteUntil = &until
	}
	w.Header().Set("Vary", "Accept")
	if !wantsCSV(r.Header.Get("Accept")) {
		return writeJSON(w, http.StatusOK, a)
	}
	var b bytes.Buffer
	if err := query.WriteCSV(&b, a); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="firstframe.csv"`)
	w.Write(b.Bytes()) // a reader that has gone needs nothing
	return nil
}

// wantsCSV tells whether an Accept header names text/csv before, or without,
// JSON. Weights are not weighed.
func wantsCSV(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		kind, _, err := mime.ParseMediaType(part)
		switch {
		case err != nil:
		case kind == "text/csv":
			return true
		case kind == "application/json":
			return false
		}
	}
	return false
}

// run answers GET /api/v1/runs/{run_id}: all fields, the steps, and
// "steps_expired", which says that steps are missing because the log keeps
// them no longer.
func (s *server) run(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("run_id")
	release, err := s.slot(r.Context()) // bodies that hold steps may be large
	if err != nil {
		return err
	}
	defer release()
	found, at, err := s.Store.Run(r.Context(), id)
	if err != nil {
		return err
	}
	steps, expired, err := s.Steps(id, at)
	if err != nil {
		return err
	}
	found.Steps = steps
	text, err := json.Marshal(found)
	if err != nil {
		return err
	}
	text = fmt.Appendf(text[:len(text)-1], ",\"steps_expired\":%t}\n", expired)
	writeText(w, http.StatusOK, text)
	return nil
}

// dimensions answers GET /api/v1/dimensions: their names or, with ?name=, the
// values of one within from and to that begin with prefix.
func (s *server) dimensions(w http.ResponseWriter, r *http.Request) error {
	q, err := params(r, "name", "prefix", "from", "to", "limit")
	if err != nil {
		return err
	}
	name := q.Get("name")
	if name == "" {
		return writeJSON(w, http.StatusOK, map[string]any{"dimensions": query.Dimensions()})
	}
	if query.DimensionByName(name) == nil {
		return query.UnknownDimension("name", name)
	}
	now := time.Now()
	from, err := instant(q, "from", query.Ago(query.DefaultRange), now)
	if err != nil {
		return err
	}
	to, err := instant(q, "to", query.Time{}, now)
	if err != nil {
		return err
	}
	switch {
	case !from.Before(to):
		return query.Errorf(query.CodeTime, "from", "from is not before to")
	case to.Sub(from) > query.MaxRange:
		return query.Errorf(query.CodeBounds, "from", "a range of %s, at most %s is read", to.Sub(from), query.MaxRange)
	}
	limit := 0
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > query.MaxLimit {
			return query.Errorf(query.CodeBounds, "limit", "%.20q is no number from 1 to %d", text, query.MaxLimit)
		}
	}
	release, err := s.slot(r.Context())
	if err != nil {
		return err
	}
	defer release()
	values, err := s.Store.Values(r.Context(), name, from, to, q.Get("prefix"), limit)
	if err != nil {
		return err
	}
	if values == nil {
		values = []store.Value{}
	}
	return writeJSON(w, http.StatusOK, map[string]any{"values": values})
}

// params are the request's, which must be of the given names, once each.
func params(r *http.Request, names ...string) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, query.Errorf(query.CodeValue, "", "%v", err)
	}
	for name, values := range q {
		switch {
		case !slices.Contains(names, name):
			return nil, query.Errorf(query.CodeKey, fmt.Sprintf("%.40s", name), "there are %s", strings.Join(names, ", "))
		case len(values) > 1 || len(values[0]) > query.MaxValueLen:
			return nil, query.Errorf(query.CodeBounds, name, "once, and of at most %d bytes", query.MaxValueLen)
		}
	}
	return q, nil
}

func instant(q url.Values, name string, missing query.Time, now time.Time) (time.Time, error) {
	text := q.Get(name)
	if text == "" {
		return missing.In(now), nil
	}
	t, err := query.ParseTime(text)
	if err != nil {
		return time.Time{}, query.Errorf(query.CodeTime, name, "%v", err)
	}
	return t.In(now), nil
}

// measures answers GET /api/v1/measures.
func (s *server) measures(w http.ResponseWriter, r *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]any{"measures": query.Measures()})
}

// healthz says that the process answers.
func (s *server) healthz(w http.ResponseWriter, r *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]any{"ok": true})
}

// readyz says whether answers hold all runs that were acknowledged until just
// now: 503 with reasons when not.
func (s *server) readyz(w http.ResponseWriter, r *http.Request) error {
	why := s.Unready()
	if len(why) > 0 {
		return writeJSON(w, http.StatusServiceUnavailable, map[string]any{"ready": false, "reasons": why})
	}
	return writeJSON(w, http.StatusOK, map[string]any{"ready": true, "reasons": []string{}})
}
