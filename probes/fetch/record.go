package fetch

import (
	"crypto/tls"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// phase is what a dial is at.
type phase int

const (
	phaseDNS phase = iota
	phaseConnect
	phaseTLS
	phaseReady
)

// The type of a failure in each phase, and what was being done.
var (
	phaseErrors = [...]run.ErrorType{run.ErrDNS, run.ErrConnect, run.ErrTLS, run.ErrTimeout}
	phaseNames  = [...]string{"resolving", "connecting", "TLS handshake", "waiting for a connection"}
)

// Attempt is one try to connect to one address.
type Attempt struct {
	Network    string // "tcp", "quic"
	Addr       netip.AddrPort
	Start, End time.Time // End is zero where it was given up; of QUIC it is the end of the handshake
	Err        error     // nil for the one that was used; [ErrOvertaken] where another was first
}

// record holds when each phase of one dial began, and what it came to.
// Exchanges that give up read it while the dial writes.
type record struct {
	mu       sync.Mutex
	at       [phaseReady + 1]time.Time
	is       phase
	attempts []Attempt
	remote   netip.AddrPort // of the server that answered
	expires  time.Time      // the end of its certificate, also of one that was refused

	// What the dial came to; set before phaseReady and not read earlier.
	tls  *tls.ConnectionState // nil without TLS
	read func() int64         // bytes received so far; nil where the transport itself tells a head that is too large
}

// enter begins phase p, unless the dial is already past its begin. Phases that
// are left out took no time.
func (r *record) enter(p phase) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if p == phaseDNS {
		r.at[p] = now
	}
	for i := r.is; i < p; i++ {
		r.at[i+1] = now
	}
	r.is = max(r.is, p)
}

// second is the record of a dial begun beside this one, which is connecting: it
// begins where this began, and has this one's attempts before its own.
func (r *record) second() *record {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &record{is: phaseConnect, attempts: slices.Clone(r.attempts)}
	s.at[phaseDNS], s.at[phaseConnect] = r.at[phaseDNS], r.at[phaseConnect]
	return s
}

// overtake ends the attempts that are pending: another dial was first.
func (r *record) overtake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.attempts {
		if a := &r.attempts[i]; a.End.IsZero() && a.Err == nil {
			a.End, a.Err = time.Now(), ErrOvertaken
		}
	}
}

// load returns the phase that the dial is at, and the begins of those so far.
func (r *record) load() (phase, [phaseReady + 1]time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.is, r.at
}

// begin notes an attempt and returns its index.
func (r *record) begin(network string, addr netip.AddrPort) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts = append(r.attempts, Attempt{Network: network, Addr: addr, Start: time.Now()})
	return len(r.attempts) - 1
}

// end notes what came of an attempt.
func (r *record) end(attempt int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := &r.attempts[attempt]
	a.End, a.Err = time.Now(), err
}

// tried are the attempts so far.
func (r *record) tried() []Attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.attempts)
}

// shook notes the outcome of a handshake: a session, or the error that tells
// which certificate was refused.
func (r *record) shook(state *tls.ConnectionState, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var refused *tls.CertificateVerificationError
	switch {
	case err == nil:
		r.tls = state
		if len(state.PeerCertificates) > 0 {
			r.expires = state.PeerCertificates[0].NotAfter
		}
	case errors.As(err, &refused) && len(refused.UnverifiedCertificates) > 0:
		r.expires = refused.UnverifiedCertificates[0].NotAfter
	}
}

// answered notes the address whose server has answered.
func (r *record) answered(addr netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remote = addr
}

// reached is the address whose server has answered, and the end of its
// certificate; zero where that is not known.
func (r *record) reached() (netip.AddrPort, time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.remote, r.expires
}
