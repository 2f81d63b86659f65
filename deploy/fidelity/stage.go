package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firstframe/firstframe/deploy/lab/origin"
	"github.com/firstframe/firstframe/deploy/lab/shaper"
)

// request is one request of a play, as the server of media saw it.
type request struct {
	Path   string  `json:"path"`             // below the media's folder
	Range  string  `json:"range,omitempty"`  // as asked for
	Method string  `json:"method,omitempty"` // empty is GET
	At     float64 `json:"at_ms"`            // when it came in, since play was pressed
	Status int     `json:"status,omitempty"` // 0: none was sent
	Bytes  int64   `json:"bytes"`            // of the body that were given to the kernel
	End    string  `json:"end,omitempty"`    // reset, cut, or gone when the player was; empty: the answer was whole, if need be after a pause

	came time.Time
}

// name is what is asked for.
func (r request) name() string {
	name := r.Path
	if r.Range != "" {
		name += " " + strings.TrimPrefix(r.Range, "bytes=")
	}
	if r.Method != "" {
		name = r.Method + " " + name
	}
	return name
}

// gone is the end of a request that the player gave up, or that was under way
// when the play ended.
const gone = "gone"

// stage serves the media to players on other sites' pages, as a CDN does. Each
// play has a folder of its own on it, in which its requests are written down and
// go wrong as its fault says.
type stage struct {
	files http.Handler

	mu   sync.Mutex
	last int
	acts map[string]*act // by folder
}

func newStage(dir string) *stage {
	return &stage{files: http.FileServer(http.Dir(dir)), acts: map[string]*act{}}
}

// act is one play on the stage.
type act struct {
	folder string
	fault  *fault        // nil: none
	begun  chan struct{} // closed by the first request

	mu       sync.Mutex
	tries    map[string]int // by path
	requests []*request
}

// begin makes a folder for a play.
func (s *stage) begin(f *fault) *act {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	a := &act{folder: fmt.Sprint("play", s.last), fault: f, begun: make(chan struct{}), tries: map[string]int{}}
	s.acts[a.folder] = a
	return a
}

// end takes the play's folder away, and gives its requests in the order in which
// they came, by their time since pressed; zero: since the first came.
func (s *stage) end(a *act, pressed time.Time) []request {
	s.mu.Lock()
	delete(s.acts, a.folder)
	s.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []request
	for _, r := range a.requests {
		if pressed.IsZero() {
			pressed = r.came
		}
		r := *r
		r.At = float64(r.came.Sub(pressed).Microseconds()) / 1000
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(a, b request) int { return a.came.Compare(b.came) })
	return out
}

func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	folder, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	s.mu.Lock()
	a := s.acts[folder]
	s.mu.Unlock()
	if a == nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Timing-Allow-Origin", "*")
	if kind := origin.TypeOf(name); kind != "" {
		h.Set("Content-Type", kind)
	}
	note, e := a.note(name, r)
	answer := &answer{ResponseWriter: w, act: a, request: note, effect: e, ctx: r.Context()}
	defer answer.close()
	if e.late > 0 && !answer.wait(e.late) {
		return
	}
	if e.status != 0 {
		h.Set("Cache-Control", "no-store")
		http.Error(answer, http.StatusText(e.status), e.status)
		return
	}
	h.Set("Cache-Control", "max-age=600")
	http.StripPrefix("/"+folder, s.files).ServeHTTP(answer, r)
}

// note writes a request down, and says what is to happen to it.
func (a *act) note(name string, r *http.Request) (*request, effect) {
	note := &request{Path: name, Range: r.Header.Get("Range"), End: gone, came: time.Now()}
	if r.Method != http.MethodGet {
		note.Method = r.Method
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.requests = append(a.requests, note); len(a.requests) == 1 {
		close(a.begun)
	}
	a.tries[name]++
	if a.fault == nil || !a.fault.hits(resourceAt(name)) || !a.fault.always && a.tries[name] > 1 {
		return note, effect{}
	}
	return note, a.fault.effect
}

// answer is the answer to one request: it is written down, and goes wrong.
type answer struct {
	http.ResponseWriter
	act     *act
	request *request
	effect  effect
	ctx     context.Context // of the request

	broken error
}

// errSpoilt ends an answer as its fault asks.
var errSpoilt = errors.New("spoilt")

func (a *answer) WriteHeader(status int) {
	a.act.mu.Lock()
	a.request.Status = status
	a.act.mu.Unlock()
	a.ResponseWriter.WriteHeader(status)
}

// ReadFrom lets the kernel send a file, where nothing is to go wrong in it.
func (a *answer) ReadFrom(from io.Reader) (int64, error) {
	to, ok := a.ResponseWriter.(io.ReaderFrom)
	if !ok || a.effect.then != "" {
		return io.Copy(struct{ io.Writer }{a}, from)
	}
	n, err := to.ReadFrom(from)
	a.wrote(n, err)
	return n, err
}

func (a *answer) Write(p []byte) (n int, err error) {
	left := a.effect.after - a.request.Bytes
	if a.effect.then == "" || left > int64(len(p)) {
		n, err = a.ResponseWriter.Write(p)
		a.wrote(int64(n), err)
		return n, err
	}
	n, err = a.ResponseWriter.Write(p[:left])
	a.wrote(int64(n), err)
	if err != nil {
		return n, err
	}
	if err := a.spoil(); err != nil {
		return n, err
	}
	more, err := a.Write(p[n:])
	return n + more, err
}

func (a *answer) wrote(n int64, err error) {
	a.act.mu.Lock()
	defer a.act.mu.Unlock()
	a.request.Bytes += n
	if err != nil && a.broken == nil {
		a.broken = err
	}
}

// spoil does what is to happen in the middle of the answer, once.
func (a *answer) spoil() error {
	then := a.effect.then
	a.effect.then = ""
	if then == pause {
		if err := http.NewResponseController(a.ResponseWriter).Flush(); err != nil || !a.wait(pauseTime) {
			a.broken = errors.Join(err, a.ctx.Err())
			return a.broken
		}
		return nil
	}
	a.effect.then, a.broken = then, errSpoilt
	return errSpoilt
}

// wait is false when the player has gone before.
func (a *answer) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-a.ctx.Done():
		a.broken = a.ctx.Err()
		return false
	}
}

// close notes how the answer ended. Where it is to end with its connection it
// does not return.
func (a *answer) close() {
	a.act.mu.Lock()
	switch {
	case errors.Is(a.broken, errSpoilt):
		a.request.End = a.effect.then
	case a.broken == nil:
		a.request.End = ""
	}
	a.act.mu.Unlock()
	if !errors.Is(a.broken, errSpoilt) {
		return
	}
	control := http.NewResponseController(a.ResponseWriter)
	if err := control.Flush(); err == nil && a.effect.then == reset {
		if conn, _, err := control.Hijack(); err == nil {
			_ = abort(context.WithoutCancel(a.ctx), conn) // it is broken in either case
		}
	}
	panic(http.ErrAbortHandler) // the server closes the connection
}

// arrivalLimit is how long a reset waits for what was sent before it.
const arrivalLimit = 5 * time.Second

// abort resets a connection when what was sent on it has arrived.
func abort(ctx context.Context, conn net.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, arrivalLimit)
	defer cancel()
	if c, ok := conn.(*shaper.Conn); ok {
		return errors.Join(c.Drain(ctx), c.Abort())
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for unsent(conn) > 0 && ctx.Err() == nil {
		<-tick.C
	}
	if c, ok := conn.(*net.TCPConn); ok {
		return errors.Join(c.SetLinger(0), c.Close())
	}
	return conn.Close()
}

// unsent is how much of a TCP connection's data is not known to have arrived.
func unsent(conn net.Conn) (n int) {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { // a closed one has nothing to send
		n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
	})
	return n
}
