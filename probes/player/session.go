package player

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// maxRedirects bounds the hops of one request, as browsers do.
const maxRedirects = 20

// maxSteps bounds a run's steps: what is beyond is a fault of the stream.
const maxSteps = 500

// failure ends a run: why, where, and the moment.
type failure struct {
	typ    run.ErrorType
	step   run.StepName
	detail string
	at     Moment

	// timedOut: the request passed one of the player's limits, wherever it was
	// then: a player does not know of name, connection and handshake.
	timedOut bool
	status   int64 // of the answer; 0 when there was none
	whole    bool  // the answer had a body, of which all has come
	back     bool  // the next try is one of the rendition that the player began with

	rest *fetch.Range // what is missing of the answer, where the browser keeps what came
}

// failed is a failure of the type at the step and moment.
func failed(typ run.ErrorType, step run.StepName, detail string, at Moment) *failure {
	return &failure{typ: typ, step: step, detail: detail, at: at}
}

func (f *failure) Error() string { return fmt.Sprintf("%s at %s: %s", f.typ, f.step, f.detail) }

// errGivenUp ends what nobody waits for any more: another part of the run has
// failed, or the caller has gone.
var errGivenUp = errors.New("given up")

// session is one run under way: its steps, and the client that makes them.
type session struct {
	cfg    Config
	model  *Model
	think  *Think // of the model, for the format
	start  time.Time
	ladder *ladder // nil before the renditions are known
	gauge  *gauge  // nil when the model measures nothing

	most int // nodes there may be while it plays on; 0: it has not started

	mu       sync.Mutex
	nodes    []*node
	tickFrom time.Time // when the model's Tick began; zero before that
	failed   int       // tries of the requests whose failures the model counts together
	stream   byte      // of CMCD: v on demand, l live; 0 before it is known

	preflights map[string]time.Time // by address, until when the answer holds
	dice       *rand.Rand           // nil before the first throw
	muxed      bool                 // sound and picture come in one
	content    content
	hurried    bool // tries follow one another faster, as the model does in low latency

	began map[resource]bool     // initialization segments that have come before the first picture
	inits map[resource]keptInit // of renditions that the model may come back to
	turns turns

	steered steered
}

// pressed is the moment of press play.
func (s *session) pressed() Moment { return Moment{s.start, PressPlay} }

// ask is one request that a player makes, with the retries it makes of it.
type ask struct {
	name      run.StepName
	track     string
	url       string
	rng       *fetch.Range
	others    []string // where else it is
	method    string
	payload   []byte      // the request's body
	header    http.Header // nil: the run's
	own       http.Header // of header, what the app's page sets for this request alone
	after     Moment
	called    time.Time // when the player asked, where its browser keeps the request waiting; zero: when it goes out
	think     time.Duration
	maxBytes  int64
	compress  bool
	length    time.Duration // that media plays; 0: not known
	ahead     time.Duration // of its track, ahead of the playhead
	following *ref          // what comes after it; nil: not known
	metered   bool          // the model's meter counts it
	reading   *reading      // of the attempt under way; nil: nothing counts it
	rest      *fetch.Range  // what is missing of it; the body has had what is before
	seal      *seal         // what encrypts it as a whole; nil: nothing
	turn      *turn         // its place among those that are due; nil: it has none

	// body is called with each piece of a good answer. reset is called before
	// each attempt, so that a retry starts with nothing. done is called at the
	// end of each complete answer, and may find that it is not good. asked is
	// called when an attempt is about to go out.
	// fails is called when another try is to follow, and retries when it does.
	// head is called when an answer's header is there.
	asked   func()
	head    func(x *fetch.Exchange) error
	fails   func()
	retries func(at Moment)
	body    func(p []byte, at time.Time) error
	reset   func()
	done    func(x *fetch.Exchange) error
}

// answer is what an ask came to.
type answer struct {
	Moment
	*fetch.Exchange
	url  string // after redirects
	body []byte // of a playlist
	held int64  // bytes that were there from an earlier answer
}

// fault is a failure that a body, reset or done function has found.
type fault struct {
	typ run.ErrorType
	err error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// request makes the request, follows redirects, and tries again as the model's
// policy says. The error is a *failure, or errGivenUp.
func (s *session) request(ctx context.Context, a ask) (answer, error) {
	after := a.after
	due := after.At.Add(a.think)
	a.turn = s.turns.take(due)
	defer func() { a.turn.done(s.instant()) }()
	if err := s.sleepUntil(ctx, due); err != nil {
		// The deadline passed in the player's own time: nothing is to blame
		// but the run's limit.
		return answer{}, s.ended(ctx, failed(run.ErrTimeout, a.name, "the run's time was over before it was asked for", Moment{s.instant(), after.Step}))
	}
	if isInline(a.url) {
		return s.inline(ctx, a)
	}
	s.inTurn(ctx, a.turn)
	p := s.policy(a.name)
	for attempt, failed := int64(1), 0; ; attempt++ {
		got, err := s.attempt(ctx, a, p, attempt, after)
		if err == nil {
			return got, nil
		}
		var fail *failure
		if !errors.As(err, &fail) || ctx.Err() != nil {
			return answer{}, err
		}
		before := failed
		if failed++; p.Together {
			before = s.countFailure()
		}
		delay, again := s.further(p, a.track, fail, before)
		if s.leaves(fail, a.track) {
			return answer{}, err
		}
		moved := s.model.elsewhere(&a, fail, again)
		if a.rest = fail.rest; moved {
			a.rest = nil
		}
		if moved && !again {
			after, failed = fail.at, 0
			continue
		}
		if !again {
			return answer{}, err
		}
		if a.fails != nil {
			a.fails()
		}
		after = fail.at
		if delay > 0 {
			if after, err = s.wait(ctx, run.WaitRetry, a.track, after, delay); err != nil {
				// The run's time ends before the next try: what failed is the
				// last try, not the wait.
				fail.at = after
				return answer{}, s.ended(ctx, fail)
			}
		}
		if s.goesBack(a, fail) {
			fail.at, fail.back = after, true
			return answer{}, fail
		}
		if a.retries != nil {
			a.retries(after)
		}
	}
}

// attempt makes one try: the request and the redirects it leads to. The limits
// of the policy hold for all of them together.
func (s *session) attempt(ctx context.Context, a ask, p Policy, number int64, after Moment) (answer, error) {
	begun := s.instant()
	if number == 1 && !a.called.IsZero() {
		begun = a.called
	}
	seen := []string{a.url}
	if a.metered && s.gauge != nil {
		a.reading = s.gauge.reading(begun)
	}
	if a.rest != nil {
		var err error
		if a, after, err = s.resume(ctx, a, p, number, after); err != nil {
			return answer{}, err
		}
	}
	for hop := 0; ; hop++ {
		if a.reset != nil && a.rest == nil {
			a.reset()
		}
		got, err := s.exchange(ctx, a, p.without(s.instant().Sub(begun)), seen[hop], number, after)
		if err != nil {
			return answer{}, err
		}
		if got.Location == "" {
			return got, nil
		}
		var next string
		next, a = s.next(a, seen[hop], got)
		switch {
		case slices.Contains(seen, next):
			return answer{}, failed(run.ErrRedirect, a.name, "a loop back to "+short(next), got.Moment)
		case len(seen) > maxRedirects:
			return answer{}, failed(run.ErrRedirect, a.name, fmt.Sprintf("more than %d redirects", maxRedirects), got.Moment)
		}
		seen, after = append(seen, next), got.Moment
	}
}

// exchange makes one exchange and keeps it as a step.
func (s *session) exchange(ctx context.Context, a ask, p Policy, target string, number int64, after Moment) (answer, error) {
	switch n := s.count(); {
	case s.most == 0 && n >= maxSteps:
		return answer{}, failed(run.ErrUnsupported, a.name, fmt.Sprintf("more than %d requests before the first frame", maxSteps), after)
	case s.most > 0 && n >= s.most:
		return answer{}, failed(run.ErrUnsupported, a.name, fmt.Sprintf("more than %d requests while playing on", maxRequests), after)
	}
	req := fetch.Request{
		Method: a.method, URL: target, Header: s.cfg.Header, Payload: a.payload, Range: a.rng, Compress: a.compress,
		FirstByteTimeout: p.FirstByte, StallTimeout: p.Stall, Timeout: p.Total, MaxBytes: a.maxBytes, Head: a.head, Body: a.body,
	}
	if a.header != nil {
		req.Header = a.header
	}
	begun := s.instant()
	a.turn.done(begun)
	after, err := s.preflight(ctx, &a, p, &req, merged(a.own, s.say(&a, &req)), number, after)
	if err != nil {
		return answer{}, err
	}
	if limits := p.without(s.instant().Sub(begun)); after.At.After(begun) {
		req.FirstByteTimeout, req.Timeout = limits.FirstByte, limits.Total
	}
	n := &node{after: after, start: s.instant(), seal: a.seal}
	n.Step = run.Step{Name: a.name, Track: a.track, Method: a.method, URL: req.URL, Attempt: number}
	if n.Method == http.MethodGet {
		n.Method = ""
	}
	index := s.begin(n)
	if a.asked != nil {
		a.asked()
	}
	if a.reading != nil {
		req.Body = func(p []byte, at time.Time) error {
			a.reading.read(int64(len(p)), Moment{at, index})
			return body(a.body, p, at)
		}
	}
	x := s.cfg.Client.Do(ctx, req)
	x.Location = s.redirected(x.Location)
	at := Moment{x.End, index}
	if x.Err == nil && x.Location == "" {
		a.reading.end(at)
	}

	fail := s.judge(ctx, a, x)
	s.finish(n, x, fail)
	if fail != nil {
		fail.at, fail.whole = at, wholeBody(x)
		if x.Err != nil && req.URL == a.url { // neither after a redirect nor with CMCD in the query
			fail.rest = s.rest(a, x)
		}
		return answer{}, s.ended(ctx, fail)
	}
	return answer{Moment: at, Exchange: x, url: target, held: a.held()}, nil
}

// body passes a piece of an answer on to whom it is for; nil: to nobody.
func body(to func([]byte, time.Time) error, p []byte, at time.Time) error {
	if to == nil {
		return nil
	}
	return to(p, at)
}

// judge says what was wrong with an exchange; nil when it was good.
func (s *session) judge(ctx context.Context, a ask, x *fetch.Exchange) *failure {
	if x.Err == nil {
		switch {
		case x.Location != "":
		case x.Status >= 300:
			return &failure{typ: run.ErrRedirect, step: a.name, detail: fmt.Sprintf("an answer %d without a Location", x.Status)}
		case a.done != nil:
			if err := a.done(x); err != nil {
				return asFailure(a.name, err)
			}
		}
		return nil
	}
	if x.Err.Type == "" {
		var f *fault
		if errors.As(x.Err, &f) {
			return asFailure(a.name, f)
		}
		return &failure{step: a.name, detail: "given up: " + x.Err.Detail}
	}
	typ := x.Err.Type
	media := a.name == run.StepSegment || a.name == run.StepPart || a.name == run.StepInit
	switch {
	case media && errors.Is(x.Err, fetch.ErrTruncated):
		typ = run.ErrSegmentTruncated
	case errors.Is(x.Err, fetch.ErrEncoding) && media:
		typ = run.ErrMediaInvalid
	case errors.Is(x.Err, fetch.ErrEncoding) && a.name == run.StepKey:
		typ = run.ErrDecrypt
	case errors.Is(x.Err, fetch.ErrEncoding):
		typ = run.ErrManifestInvalid
	}
	return &failure{typ: typ, step: a.name, detail: x.Err.Detail, timedOut: timedOut(x.Err), status: int64(x.Status)}
}

// timedOut tells whether an exchange ended because a limit was passed.
func timedOut(err error) bool {
	return errors.Is(err, fetch.ErrFirstByteTimeout) || errors.Is(err, fetch.ErrTimeout) ||
		errors.Is(err, fetch.ErrStallTimeout) || errors.Is(err, fetch.ErrConnectTimeout)
}

func asFailure(step run.StepName, err error) *failure {
	var f *fault
	if errors.As(err, &f) {
		return &failure{typ: f.typ, step: step, detail: f.Error()}
	}
	return &failure{typ: run.ErrInternal, step: step, detail: err.Error()}
}

// ended is f, unless it is only the echo of the run having been given up.
func (s *session) ended(ctx context.Context, f *failure) error {
	if f.typ == "" || errors.Is(ctx.Err(), context.Canceled) {
		return errGivenUp
	}
	return f
}

// begin adds a node and gives its index.
func (s *session) begin(n *node) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.begun, n.end = n.start, n.start
	s.nodes = append(s.nodes, n)
	return len(s.nodes) - 1
}

// finish writes what the exchange came to into its node.
func (s *session) finish(n *node, x *fetch.Exchange, fail *failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.start, n.end = x.Start, x.End
	n.QueueMs, n.DNSMs, n.ConnMs, n.TLSMs = ms(x.Timing.Queue), ms(x.Timing.DNS), ms(x.Timing.Connect), ms(x.Timing.TLS)
	n.WaitMs, n.RecvMs = ms(x.Timing.Wait), ms(x.Timing.Receive)
	n.Status, n.Bytes, n.Proto, n.Reused = int64(x.Status), x.Bytes, x.Proto, x.Reused
	if x.Remote.IsValid() {
		n.Remote = x.Remote.String()
	}
	if s.cfg.Keep != nil && x.Header != nil {
		n.Headers = s.cfg.Keep(x.Header)
	}
	n.exchange = x
	if fail != nil {
		n.Error, n.Detail = fail.typ, fail.detail
	}
}

// wait is a wait of the player, as a step of its own. Its moment is the wait's
// end, also when ctx ended it: then the error is not nil.
func (s *session) wait(ctx context.Context, name run.StepName, track string, after Moment, d time.Duration) (Moment, error) {
	n := &node{after: after, start: after.At}
	n.Step = run.Step{Name: name, Track: track}
	index := s.begin(n)
	err := s.sleepUntil(ctx, n.start.Add(d))
	end := n.start.Add(d)
	if err != nil {
		end = s.instant()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n.end = end
	return Moment{end, index}, err
}

// count is the number of steps so far.
func (s *session) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.nodes)
}

// short is u without query and fragment, which may hold tokens.
func short(u string) string {
	if i := strings.IndexAny(u, "?#"); i >= 0 {
		u = u[:i]
	}
	return u
}
