// Package service is the lab's streaming service, beside its plain media:
//
//   - the playback API that its apps ask before they play: POST /api/playback,
//     with the viewer's key in Authorization and the asset in a JSON body,
//     answered with a manifest's address, a token for it and a session
//   - the streams that the API leads to: all of /vod/ and /live/ below /signed/,
//     where manifests want the token and everything the session
//   - streams with content steering below /steered/ (RFC 8216bis, 7; ETSI TS 103
//     998): every CDN is a pathway, and /steering says in which order
//
// A [Service] keeps nothing but the order of pathways; tokens and sessions say
// by themselves that they are good.
package service

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/fault"
	"github.com/firstframe/firstframe/deploy/lab/origin"
)

// What an app sends and gets.
const (
	ViewerKey     = "lab-viewer-key" // Authorization: Bearer …
	SessionHeader = "X-Lab-Session"
	TokenQuery    = "token"

	APIPath      = fault.APIPath
	SteeringPath = "/steering"

	// Before a path of the origin.
	Signed  = "/signed"
	Steered = "/steered"
)

const (
	tokenAge    = 10 * time.Minute // how long a token is good
	steeringTTL = 300              // seconds until a player asks for the order again
	maxBody     = 4 << 10          // of a question to the API, bytes
)

// Pathway is a CDN that streams can be steered to.
type Pathway struct {
	Name string
	Base string // URL, without a slash in the end
}

// Service answers for its own paths. Make one with [New]; it may be used by many
// at once.
type Service struct {
	origin   *origin.Origin
	base     string // of the streams' addresses
	pathways []Pathway
	secret   [32]byte

	mu    sync.Mutex
	order []string // of pathways, the best first
}

// New is a service whose streams are at base, a URL without a slash in the end.
// Of the pathways the second is preferred at first, so that steering shows.
func New(o *origin.Origin, base string, pathways []Pathway) *Service {
	s := &Service{origin: o, base: base, pathways: pathways}
	rand.Read(s.secret[:]) // never fails, see crypto/rand
	for _, p := range pathways {
		s.order = append(s.order, p.Name)
	}
	if len(s.order) > 1 {
		s.order[0], s.order[1] = s.order[1], s.order[0]
	}
	return s
}

// Reply is what the service says of a request: that it is one for a path of the
// origin, its own answer, or a status alone.
type Reply struct {
	Path   string
	Own    *origin.Object
	Status int
}

// Reply answers a request that faults leave alone.
func (s *Service) Reply(r *http.Request, now time.Time) Reply {
	name := r.URL.Path
	switch {
	case name == APIPath:
		return s.playback(r, now)
	case name == SteeringPath:
		return reply(map[string]any{"VERSION": 1, "TTL": steeringTTL, "PATHWAY-PRIORITY": s.Order()})
	case strings.HasPrefix(name, Signed+"/"):
		if !s.allows(r, now) {
			return Reply{Status: http.StatusForbidden}
		}
		return Reply{Path: strings.TrimPrefix(name, Signed)}
	case strings.HasPrefix(name, Steered+"/"):
		return s.steer(strings.TrimPrefix(name, Steered+"/"), now)
	}
	return Reply{Path: name}
}

// reply is an answer in JSON, which no cache may keep.
func reply(v any) Reply {
	body, err := json.Marshal(v)
	if err != nil {
		return Reply{Status: http.StatusInternalServerError}
	}
	return Reply{Own: &origin.Object{Body: body, Type: "application/json"}}
}

// playback is the playback API.
func (s *Service) playback(r *http.Request, now time.Time) Reply {
	if r.Method != http.MethodPost {
		return Reply{Status: http.StatusMethodNotAllowed}
	}
	if r.Header.Get("Authorization") != "Bearer "+ViewerKey {
		return Reply{Status: http.StatusUnauthorized}
	}
	var question struct {
		Asset string `json:"asset"` // a path of the origin: /vod/cmaf/master.m3u8
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&question); err != nil {
		return Reply{Status: http.StatusBadRequest}
	}
	if _, err := s.origin.Object(question.Asset, now); err != nil || fault.ClassOf(question.Asset) != fault.Manifest {
		return Reply{Status: http.StatusNotFound}
	}
	return reply(map[string]any{
		"session": map[string]string{"id": s.sign("session", rand.Text())},
		"streams": []map[string]string{{
			"url":   s.base + Signed + question.Asset,
			"token": s.sign("token", strconv.FormatInt(now.Add(tokenAge).Unix(), 10)),
		}},
	})
}

// allows tells whether a request for a signed stream has what it needs. Media
// playlists stand in a manifest and have no token of their own.
func (s *Service) allows(r *http.Request, now time.Time) bool {
	if _, ok := s.verify("session", r.Header.Get(SessionHeader)); !ok {
		return false
	}
	if fault.ClassOf(r.URL.Path) != fault.Manifest || path.Base(r.URL.Path) == "index.m3u8" {
		return true
	}
	until, ok := s.verify("token", r.URL.Query().Get(TokenQuery))
	n, err := strconv.ParseInt(until, 10, 64)
	return ok && err == nil && now.Unix() < n
}

// sign is a value that says by itself what it is good for.
func (s *Service) sign(what, value string) string {
	mac := hmac.New(sha256.New, s.secret[:])
	fmt.Fprintf(mac, "%s %s", what, value)
	return value + "." + hex.EncodeToString(mac.Sum(nil)[:16])
}

// verify is the value that was signed.
func (s *Service) verify(what, text string) (value string, ok bool) {
	value, _, _ = strings.Cut(text, ".")
	return value, hmac.Equal([]byte(s.sign(what, value)), []byte(text))
}

// Order is the order of pathways, the best first.
func (s *Service) Order() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.order)
}

// ServeHTTP is what tests control the order by: GET /steering, and PUT /steering
// with a list of names in JSON.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut {
		var order []string
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&order)
		unknown := slices.ContainsFunc(order, func(name string) bool {
			return !slices.ContainsFunc(s.pathways, func(p Pathway) bool { return p.Name == name })
		})
		if err != nil || unknown || len(order) == 0 {
			http.Error(w, `want a list of CDNs, the best first, such as ["`+strings.Join(s.Order(), `", "`)+`"]`, http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		s.order = order
		s.mu.Unlock()
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(s.Order()) // a client that has gone is none of ours
}
