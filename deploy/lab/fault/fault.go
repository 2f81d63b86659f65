// Package fault keeps the faults that are ordered of the lab and says which of
// them hit a question, a handshake or a request.
//
// [Kinds] is the one table of what can be ordered and which error type and
// step a run then ends with. A [Set] is what the control listener serves
// ([Set.Handler]) and what name server and edges ask ([Set.At]).
package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// MaxFaults bounds how many faults are kept at once.
const MaxFaults = 1000

// The errors of an order.
var (
	ErrInvalid = errors.New("invalid fault")
	ErrExists  = errors.New("a fault with this id is there already")
	ErrFull    = errors.New("too many faults")
)

// Fault is one order.
type Fault struct {
	ID     string   `json:"id"`
	Match  Match    `json:"match"`
	Effect Effect   `json:"effect"`
	Share  *float64 `json:"share,omitempty"` // of the runs that match, 0 to 1; left out means all
	For    Duration `json:"for,omitempty"`   // how long; left out means until it is deleted

	// Since is when it was ordered; set by Add.
	Since time.Time `json:"since,omitzero"`
}

// Match says which runs a fault hits; an empty field matches everything.
type Match struct {
	Country    string `json:"country,omitempty"`
	ASN        uint32 `json:"asn,omitempty"`
	CDN        string `json:"cdn,omitempty"`
	POP        string `json:"pop,omitempty"`
	AppVersion string `json:"app_version,omitempty"`

	// Path is a pattern as in path.Match. Without a slash it is held against the
	// last element of the request's path, with one against the whole path.
	Path string `json:"path,omitempty"`
}

// Effect is what a fault does. Which numbers its kind needs stands in Kinds.
type Effect struct {
	Kind   string `json:"kind"`
	Ms     int    `json:"ms,omitempty"`     // milliseconds, up to an hour
	Kbps   int    `json:"kbps,omitempty"`   // kbit/s
	Status int    `json:"status,omitempty"` // HTTP status, 400 to 599
}

// Delay is Ms as a duration.
func (e Effect) Delay() time.Duration { return time.Duration(e.Ms) * time.Millisecond }

// Duration is a time.Duration that JSON writes as "90s".
type Duration time.Duration

// MarshalText writes it as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// Subject is what a fault is held against: whoever asks, and what for.
type Subject struct {
	Country    string
	ASN        uint32
	CDN, POP   string
	AppVersion string // HTTP only
	Path       string // HTTP only
	Run        string // HTTP only; decides which runs belong to a share
}

// Set is the faults in force. The zero value is empty and ready. It may be
// used by many at once.
type Set struct {
	Now func() time.Time // the clock; nil means time.Now

	mu     sync.RWMutex
	faults []Fault
}

// Parse reads one order and checks it. An unknown key, an unknown kind or a
// parameter that does not fit is ErrInvalid, and the text names what would be
// valid.
func Parse(text []byte) (Fault, error) {
	var f Fault
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return f, fmt.Errorf(`%w: %w; it is {"id","match":{"country","asn","cdn","pop","app_version","path"},"effect":{"kind","ms","kbps","status"},"share","for"}`, ErrInvalid, err)
	}
	if d.More() {
		return f, fmt.Errorf("%w: something follows the first object", ErrInvalid)
	}
	f.Since = time.Time{}
	return f, f.check()
}

func (f *Fault) check() error {
	k := KindByName(f.Effect.Kind)
	switch {
	case k == nil:
		return fmt.Errorf("%w: effect.kind %q is none of %s", ErrInvalid, f.Effect.Kind, kindNames())
	case f.ID == "" || len(f.ID) > 100:
		return fmt.Errorf("%w: id has %d characters, 1 to 100 are allowed", ErrInvalid, len(f.ID))
	case f.Share != nil && !(*f.Share >= 0 && *f.Share <= 1):
		return fmt.Errorf("%w: share %v is not within 0 and 1", ErrInvalid, *f.Share)
	case f.For < 0:
		return fmt.Errorf("%w: for %v is negative", ErrInvalid, time.Duration(f.For))
	case k.Layer != HTTP && (f.Match.Path != "" || f.Match.AppVersion != ""):
		return fmt.Errorf("%w: %s takes hold in %s, where neither match.path nor match.app_version is known", ErrInvalid, k.Name, k.Layer)
	}
	if _, err := path.Match(f.Match.Path, ""); err != nil {
		return fmt.Errorf("%w: match.path %q: %w", ErrInvalid, f.Match.Path, err)
	}
	for _, p := range []struct {
		name            string
		value, min, max int
	}{
		{"ms", f.Effect.Ms, 1, 3_600_000},
		{"kbps", f.Effect.Kbps, 1, 10_000_000},
		{"status", f.Effect.Status, 400, 599},
	} {
		needed := slices.Contains(k.Needs, p.name)
		switch {
		case p.value == 0 && !needed:
		case !needed && !slices.Contains(k.Optional, p.name):
			return fmt.Errorf("%w: effect.%s means nothing to %s, which takes %q", ErrInvalid, p.name, k.Name, append(slices.Clone(k.Needs), k.Optional...))
		case p.value < p.min || p.value > p.max:
			return fmt.Errorf("%w: effect.%s of %s is %d, %d to %d are allowed", ErrInvalid, p.name, k.Name, p.value, p.min, p.max)
		}
	}
	return nil
}

// Add puts a fault in force as of now. It fails with ErrInvalid, ErrExists or
// ErrFull.
func (s *Set) Add(f Fault) (Fault, error) {
	if err := f.check(); err != nil {
		return f, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Since = s.now()
	s.faults = slices.DeleteFunc(s.faults, func(o Fault) bool { return o.ended(f.Since) })
	if slices.ContainsFunc(s.faults, func(o Fault) bool { return o.ID == f.ID }) {
		return f, fmt.Errorf("%w: %s", ErrExists, f.ID)
	}
	if len(s.faults) >= MaxFaults {
		return f, fmt.Errorf("%w: %d", ErrFull, MaxFaults)
	}
	s.faults = append(s.faults, f)
	return f, nil
}

// Delete ends a fault and tells whether it was in force.
func (s *Set) Delete(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, found := s.now(), false
	s.faults = slices.DeleteFunc(s.faults, func(f Fault) bool {
		found = found || f.ID == id && !f.ended(now)
		return f.ID == id
	})
	return found
}

// List is the faults in force, by when they were ordered.
func (s *Set) List() []Fault {
	s.mu.RLock()
	defer s.mu.RUnlock()
	now := s.now()
	return slices.DeleteFunc(slices.Clone(s.faults), func(f Fault) bool { return f.ended(now) })
}

// At is the faults in force at one layer that hit the subject, by when they
// were ordered.
func (s *Set) At(l Layer, who Subject) []Fault {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var hit []Fault
	for _, f := range s.faults {
		k := KindByName(f.Effect.Kind)
		if k.Layer == l && !f.ended(s.now()) && f.Match.covers(k, who) && f.draws(who.Run) {
			hit = append(hit, f)
		}
	}
	return hit
}

func (s *Set) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (f *Fault) ended(now time.Time) bool {
	return f.For > 0 && now.Sub(f.Since) >= time.Duration(f.For)
}

func (m *Match) covers(k *Kind, who Subject) bool {
	switch {
	case m.Country != "" && m.Country != who.Country,
		m.ASN != 0 && m.ASN != who.ASN,
		m.CDN != "" && m.CDN != who.CDN,
		m.POP != "" && m.POP != who.POP,
		m.AppVersion != "" && m.AppVersion != who.AppVersion:
		return false
	case k.Layer != HTTP:
		return true
	case m.Path == "":
		return k.On == Any || k.On == ClassOf(who.Path)
	}
	subject := who.Path
	if !strings.Contains(m.Path, "/") {
		subject = path.Base(subject)
	}
	ok, _ := path.Match(m.Path, subject) // the pattern was checked by Add
	return ok
}

// draws tells whether the fault's share includes the run: always the same for
// one run and one fault, and by chance where the run is not known.
func (f *Fault) draws(run string) bool {
	if f.Share == nil {
		return true
	}
	if run == "" {
		return rand.Float64() < *f.Share
	}
	h := fnv.New64a()
	h.Write([]byte(f.ID))
	h.Write([]byte{0})
	h.Write([]byte(run))
	return float64(mix(h.Sum64())>>11)/(1<<53) < *f.Share
}

// mix spreads a hash's entropy over all of its bits (the finalizer of
// MurmurHash3): the high bits of FNV hardly change with the last characters.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
