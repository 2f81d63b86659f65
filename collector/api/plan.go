package api

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/firstframe/firstframe/collector/query"
)

// The bounds of the plan.
const (
	DefaultPlanPoll = time.Second
	MaxPlan         = 4 << 20 // bytes of the file
	maxPlanWait     = 5 * time.Minute
	maxAgentName    = 256 // bytes
	writeTime       = 30 * time.Second
)

// PlanConfig says where the plan is. File and Check are required.
type PlanConfig struct {
	File  string
	Check func(text []byte) error // refuses a plan that cannot be in force
	Poll  time.Duration           // between two looks at the file; zero means 1 s
	Log   *slog.Logger            // nil means slog.Default
}

// Plan is the plan in force, as its file says. It answers GET
// /v1/plan?agent=ID&wait=60s with the file's text and an ETag; a request whose
// If-None-Match names the plan in force is held until there is another, or for
// as long as wait says (at most 5 minutes), and then answered with 304.
type Plan struct {
	cfg   PlanConfig
	mtime time.Time // of the file as it was last looked at; for Watch alone
	size  int64

	mu      sync.Mutex
	text    []byte
	etag    string
	changed chan struct{} // closed when text changes
}

// OpenPlan reads the plan. It fails when the file cannot be read or does not
// check.
func OpenPlan(cfg PlanConfig) (*Plan, error) {
	cfg.Poll = cmp.Or(cfg.Poll, DefaultPlanPoll)
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	p := &Plan{cfg: cfg, changed: make(chan struct{})}
	return p, p.read()
}

// read puts the file's text in force.
func (p *Plan) read() error {
	f, err := os.Open(p.cfg.File)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	defer f.Close()
	if fi, err := f.Stat(); err == nil {
		p.mtime, p.size = fi.ModTime(), fi.Size()
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxPlan+1))
	switch {
	case err != nil:
		return fmt.Errorf("plan: %w", err)
	case len(text) > MaxPlan:
		return fmt.Errorf("plan: %s has more than %d bytes", p.cfg.File, MaxPlan)
	}
	if err := p.cfg.Check(text); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !bytes.Equal(text, p.text) {
		p.text, p.etag = text, fmt.Sprintf(`"%x"`, sha256.Sum256(text))
		close(p.changed)
		p.changed = make(chan struct{})
	}
	return nil
}

// Watch reads the plan anew when its file changes, until ctx ends. A plan that
// does not check is logged, once, and the old one stays in force.
func (p *Plan) Watch(ctx context.Context) {
	tick := time.NewTicker(p.cfg.Poll)
	defer tick.Stop()
	gone := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		fi, err := os.Stat(p.cfg.File)
		if err != nil {
			if !gone {
				p.cfg.Log.Warn("plan's file is gone, the plan stays in force", "error", err)
			}
			gone = true
			continue
		}
		if !gone && fi.ModTime().Equal(p.mtime) && fi.Size() == p.size {
			continue
		}
		gone = false
		if err := p.read(); err != nil {
			p.cfg.Log.Error("plan refused, the old one stays in force", "error", err)
			continue
		}
		p.cfg.Log.Info("plan read", "file", p.cfg.File, "bytes", fi.Size())
	}
}

func (p *Plan) current() (text []byte, etag string, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text, p.etag, p.changed
}

// ServeHTTP answers an agent. A nil Plan answers that there is none.
func (p *Plan) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	wait, err := planParams(r)
	switch {
	case err != nil:
		writeJSON(w, http.StatusBadRequest, err)
		return
	case p == nil:
		writeJSON(w, http.StatusNotFound, query.Errorf(codeNotFound, "", "this collector has no plan; it is started with --plan FILE"))
		return
	}
	// A server's own limit for answers is shorter than a long poll. Where the
	// writer has no deadline there is none to extend.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(wait + writeTime))
	until := time.NewTimer(wait)
	defer until.Stop()
	text, etag, changed := p.current()
	for known := r.Header.Get("If-None-Match"); names(known, etag); text, etag, changed = p.current() {
		select {
		case <-changed:
			continue
		case <-until.C:
		case <-r.Context().Done():
		}
		w.Header().Set("ETag", etag)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("ETag", etag)
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Cache-Control", "no-cache")
	w.Write(text) // an agent that has gone asks again
}

func planParams(r *http.Request) (wait time.Duration, _ *query.Error) {
	q, err := params(r, "agent", "wait")
	if err != nil {
		var qe *query.Error
		errors.As(err, &qe) // params makes no others
		return 0, qe
	}
	if agent := q.Get("agent"); agent == "" || len(agent) > maxAgentName {
		return 0, query.Errorf(query.CodeValue, "agent", "the agent's id is missing, or longer than %d bytes", maxAgentName)
	}
	if text := q.Get("wait"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return 0, query.Errorf(query.CodeTime, "wait", "%.20q is no duration such as 60s", text)
		}
		wait = min(d, maxPlanWait)
	}
	return wait, nil
}

// names tells whether an If-None-Match header names etag (RFC 9110, section
// 13.1.2).
func names(header, etag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if t := strings.TrimPrefix(strings.TrimSpace(part), "W/"); t == etag || t == "*" {
			return true
		}
	}
	return false
}
