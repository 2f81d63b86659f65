// Package plan reads what a fleet plays: targets, CDNs, apps and intervals, as
// a YAML file. [Load] is the entry; testdata/plan.yaml documents the format.
//
// Reading is strict. An unknown key, a wrong type, a name that nothing bears, a
// bad address or duration is an [Error] with file, line, column and what would
// be right; [Errors] holds all of them, not the first only. A plan with an
// error is no plan.
//
// Bounds: [MaxSize] bytes, [MaxTargets] targets, [MaxCDNs] CDNs, [MaxApps]
// apps, [MaxJobs] combinations of them, nesting of 16 levels on a line. YAML's
// anchors, aliases, merge keys and tags are refused, so a small file cannot
// grow into a large one.
package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// The bounds of a plan. MaxJobs counts the combinations of target, CDN and app.
const (
	MaxSize        = 1 << 20 // bytes
	MaxTargets     = 5000
	MaxCDNs        = 100
	MaxApps        = 200
	MaxControls    = 100
	MaxAssignments = 100
	MaxAddresses   = 1000
	MaxJobs        = 10_000
)

// The bounds of a target's times.
const (
	MinInterval = time.Second
	MaxInterval = 24 * time.Hour
	MinTimeout  = 100 * time.Millisecond
	MaxTimeout  = 10 * time.Minute
)

// Options say what a plan may name that this package does not know. What is
// left out is not checked.
type Options struct {
	Players     []string                // the player models there are, to propose one
	CheckPlayer func(name string) error // whether NAME or NAME@VERSION is a player model
	Params      []string                // the parameters that an app may set
}

// Plan is a plan that checks. It is only read, and may be shared.
type Plan struct {
	CDNs    []run.CDN    // as in the file
	Apps    []run.App    // as in the file
	Targets []Target     // as in the file, never none
	Control []run.Target // known to be fine: when they fail, it is the agent that is ill

	// AllowAddresses are addresses that may be asked though they are not public.
	AllowAddresses []netip.Prefix

	assignments []assignment
	source      []byte
	revision    string
}

// Target is a target with the ways to it and the apps as which it is played,
// both in the order of the file and never none: without any in the plan it is
// the zero CDN, or the zero App.
type Target struct {
	run.Target
	CDNs []run.CDN
	Apps []run.App
}

// Load reads the plan in a file. An error in the plan is [Errors].
func Load(path string, o Options) (*Plan, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxSize+1)) // one more, so that Parse sees that it is too large
	if err != nil {
		return nil, fmt.Errorf("plan: reading %s: %w", path, err)
	}
	return Parse(path, text, o)
}

// Parse reads a plan. The name is the file's, for errors. An error is [Errors].
func Parse(name string, text []byte, o Options) (*Plan, error) {
	d := &decoder{file: name, options: o}
	p := &Plan{source: append([]byte(nil), text...)}
	if root := d.root(text); root != nil {
		d.plan(p, root)
	}
	if len(d.errs) > 0 {
		return nil, d.sorted()
	}
	sum := sha256.Sum256(text)
	p.revision = hex.EncodeToString(sum[:6])
	return p, nil
}

// Revision tells one plan from another: 12 hex digits of the hash of its text.
func (p *Plan) Revision() string { return p.revision }

// Source is the text that the plan was read from, to be passed on as it is. The
// caller does not change it.
func (p *Plan) Source() []byte { return p.source }
