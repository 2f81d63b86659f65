// Package steering reads content steering manifests, which tell players which
// pathway (in DASH: service location) to prefer, and makes the requests for
// them. [Parse] is the entry. HLS and DASH have the manifest in common.
//
// The rules are those of draft-pantos-hls-rfc8216bis-22 section 7 and ETSI TS
// 103 998 clause 6. A steering server that fails never fails a player: it goes
// on with the pathway it has.
//
// Bounds: see [MaxBytes] and what is beside it. The package does no input or
// output, starts no goroutine and keeps no state.
package steering

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The bounds on a steering manifest.
const (
	MaxBytes    = 256 << 10
	MaxPathways = 256 // in the order of preference, and as many clones

	DefaultTTL = 300 * time.Second // where the manifest has none (7.2)
	MaxTTL     = 24 * time.Hour    // a longer one counts as that
)

// Default is the pathway of what names none (HLS, 4.4.6.2).
const Default = "."

// ErrInvalid says that this is no steering manifest, or none of a version known
// here; every error of [Parse] wraps it.
var ErrInvalid = errors.New("invalid steering manifest")

// Manifest is a steering manifest.
type Manifest struct {
	TTL       time.Duration // until it is to be asked for again, from its receipt
	ReloadURL string        // absolute; where to ask then
	Priority  []string      // pathways, the preferred one first; never empty
	Clones    []Clone       // pathways made of others
}

// Clone is a pathway that is like another but for its addresses.
type Clone struct {
	ID, BaseID string
	Host       string            // in place of the host of every URL; empty leaves it
	Params     map[string]string // set in the query of every URL
	Variants   map[string]string // URLs by STABLE-VARIANT-ID, in place of all that
	Renditions map[string]string // by STABLE-RENDITION-ID
}

// document is the manifest as it is written. Its numbers may be anything that a
// lenient player takes.
type document struct {
	Version   *json.Number `json:"VERSION"`
	TTL       *json.Number `json:"TTL"`
	Reload    string       `json:"RELOAD-URI"`
	Priority  []string     `json:"PATHWAY-PRIORITY"`
	Locations []string     `json:"SERVICE-LOCATION-PRIORITY"` // DASH, before the standard
	Clones    []struct {
		ID      string `json:"ID"`
		BaseID  string `json:"BASE-ID"`
		Replace struct {
			Host       string            `json:"HOST"`
			Params     map[string]string `json:"PARAMS"`
			Variants   map[string]string `json:"PER-VARIANT-URIS"`
			Renditions map[string]string `json:"PER-RENDITION-URIS"`
		} `json:"URI-REPLACEMENT"`
	} `json:"PATHWAY-CLONES"`
}

// Parse reads a steering manifest whose final URL, after redirects, is u.
// Pathways named twice count once. The error wraps [ErrInvalid].
func Parse(u string, body []byte) (*Manifest, error) {
	var d document
	switch {
	case len(body) > MaxBytes:
		return nil, fail("more than %d bytes", MaxBytes)
	case len(bytes.TrimSpace(body)) == 0:
		return nil, fail("the body is empty")
	}
	if err := json.Unmarshal(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), &d); err != nil {
		return nil, fail("%v", err)
	}
	if d.Version == nil || d.Version.String() != "1" {
		return nil, fail("VERSION is not 1")
	}
	m := &Manifest{TTL: DefaultTTL, ReloadURL: u}
	if d.TTL != nil {
		if s, err := d.TTL.Float64(); err == nil && s > 0 {
			m.TTL = time.Duration(min(s, MaxTTL.Seconds()) * float64(time.Second))
		}
	}
	if d.Reload != "" {
		abs, err := resolve(u, d.Reload)
		if err != nil {
			return nil, fail("RELOAD-URI is no URL")
		}
		m.ReloadURL = abs
	}
	for _, id := range slices.Concat(d.Priority, d.Locations) {
		if len(m.Priority) < MaxPathways && id != "" && !slices.Contains(m.Priority, id) {
			m.Priority = append(m.Priority, id)
		}
	}
	if len(m.Priority) == 0 {
		return nil, fail("no PATHWAY-PRIORITY")
	}
	for _, c := range d.Clones {
		if c.ID == "" || c.BaseID == "" || len(m.Clones) == MaxPathways {
			continue
		}
		r := c.Replace
		m.Clones = append(m.Clones, Clone{ID: c.ID, BaseID: c.BaseID, Host: r.Host, Params: r.Params, Variants: r.Variants, Renditions: r.Renditions})
	}
	return m, nil
}

func fail(format string, args ...any) error {
	return fmt.Errorf("steering: %s: %w", fmt.Sprintf(format, args...), ErrInvalid)
}

// Prefer is the first pathway in order of preference that is there; empty when
// none is. A clone is there when what it was made of is.
func (m *Manifest) Prefer(there []string) string {
	for _, id := range m.Priority {
		if slices.Contains(there, id) {
			return id
		}
		if c, ok := m.Clone(id); ok && slices.Contains(there, c.BaseID) {
			return id
		}
	}
	return ""
}

// Clone is the clone of that ID.
func (m *Manifest) Clone(id string) (Clone, bool) {
	i := slices.IndexFunc(m.Clones, func(c Clone) bool { return c.ID == id })
	if i < 0 {
		return Clone{}, false
	}
	return m.Clones[i], true
}

// URL is u, a URL of the pathway that c was made of, as c has it (7.2.1): the
// URL listed for stableID in list ([Clone.Variants] or Renditions), else u with
// c's host and parameters, at another host without user and password.
func (c Clone) URL(u string, list map[string]string, stableID string) string {
	if own, ok := list[stableID]; ok && stableID != "" {
		if abs, err := resolve(u, own); err == nil {
			return abs
		}
	}
	v, err := url.Parse(u)
	if err != nil || c.Host == "" && len(c.Params) == 0 {
		return u // whose spelling may be signed
	}
	if c.Host != "" && c.Host != v.Host {
		v.Host, v.User = c.Host, nil
	}
	if len(c.Params) > 0 {
		q := v.Query()
		for k, p := range c.Params {
			q.Set(k, p)
		}
		v.RawQuery = q.Encode()
	}
	return v.String()
}

// HLS is the URL of a request for the steering manifest at u by an HLS player
// that plays pathway and has measured, or assumes, so much throughput in kbit/s
// (7.1).
func HLS(u, pathway string, kbps float64) string {
	if pathway == "" {
		pathway = Default
	}
	return query(u, "_HLS_pathway", pathway, "_HLS_throughput", kbps)
}

// DASH is the URL of a request for the steering manifest at u by a DASH player
// that has used the service locations (ETSI TS 103 998 clause 6.4); before it
// has used any it says nothing.
func DASH(u string, locations []string, kbps float64) string {
	if len(locations) == 0 {
		return u
	}
	return query(u, "_DASH_pathway", `"`+strings.Join(locations, ",")+`"`, "_DASH_throughput", kbps)
}

// query sets two parameters; a data: URL has none.
func query(u, pathwayKey, pathway, throughputKey string, kbps float64) string {
	v, err := url.Parse(u)
	if err != nil || v.Scheme == "data" {
		return u
	}
	q := v.Query()
	q.Set(pathwayKey, pathway)
	if kbps > 0 {
		q.Set(throughputKey, strconv.FormatInt(int64(kbps*1000), 10))
	}
	v.RawQuery = q.Encode()
	return v.String()
}

// resolve makes ref absolute (RFC 3986 section 5).
func resolve(base, ref string) (string, error) {
	b, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	r, err := b.Parse(strings.TrimSpace(ref))
	if err != nil {
		return "", err
	}
	return r.String(), nil
}
