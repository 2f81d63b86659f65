package e2e

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The bounds that the agent keeps, in bytes.
const (
	maxProgram   = 30 << 20
	maxInFlight  = 100 << 20 // resident, at 200 runs in flight
	maxUnderFire = 150 << 20 // resident, whatever a server sends
)

func TestProgramSize(t *testing.T) {
	info, err := os.Stat(program(t, "agent"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("agent: %.1f MB", float64(info.Size())/1e6)
	if info.Size() > maxProgram {
		t.Errorf("agent is %d bytes, want at most %d", info.Size(), maxProgram)
	}
}

// slowOrigin serves the lab's media over TLS, and holds every media segment
// back half way until it is released.
type slowOrigin struct {
	*httptest.Server
	ca      string // file
	release chan struct{}

	mu   sync.Mutex
	runs map[string]bool // whose segment is held back, by their sid
}

func newSlowOrigin(t *testing.T) *slowOrigin {
	o := &slowOrigin{release: make(chan struct{}), runs: map[string]bool{}, ca: filepath.Join(t.TempDir(), "ca.pem")}
	o.Server = httptest.NewUnstartedServer(o)
	o.EnableHTTP2 = true
	o.StartTLS()
	t.Cleanup(o.Close)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: o.Certificate().Raw})
	if err := os.WriteFile(o.ca, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *slowOrigin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := os.ReadFile(filepath.Join("..", "media", filepath.FromSlash(r.URL.Path)))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	if ext := filepath.Ext(r.URL.Path); ext != ".ts" && ext != ".m4s" {
		w.Write(body)
		return
	}
	w.Write(body[:len(body)/2])
	w.(http.Flusher).Flush()
	sid := r.Header.Get("CMCD-Session")
	o.mu.Lock()
	o.runs[sid] = true
	o.mu.Unlock()
	select {
	case <-o.release:
	case <-r.Context().Done():
	}
	o.mu.Lock()
	delete(o.runs, sid)
	o.mu.Unlock()
	w.Write(body[len(body)/2:])
}

func (o *slowOrigin) inFlight() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.runs)
}

// An agent with 200 runs in flight, each half way through its first segment;
// then all of them end at once.
func TestMemoryInFlight(t *testing.T) {
	t.Parallel()
	const runs = 200
	origin := newSlowOrigin(t)
	release := sync.OnceFunc(func() { close(origin.release) })
	defer release()
	streams := []string{"/ts/720p/index.m3u8", "/aes/master.m3u8", "/cmaf/master.m3u8", "/cmaf/manifest-number.mpd"}
	var plan strings.Builder
	plan.WriteString("version: 1\nallow_addresses: [127.0.0.0/8]\ntargets:\n")
	for i := range runs {
		fmt.Fprintf(&plan, "  - {name: t%03d, url: \"%s%s\", interval: 5s, timeout: 60s}\n", i, origin.URL, streams[i%len(streams)])
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "plan.yaml")
	if err := os.WriteFile(file, []byte(plan.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t, "agent"), "run", "--plan", file, "--ship", "http://127.0.0.1:1", "--data", dir,
		"--ca", origin.ca, "--concurrency", fmt.Sprint(runs))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	}()
	for end := time.Now().Add(40 * time.Second); origin.inFlight() < runs; pause(t, 100*time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d runs in flight, want %d", origin.inFlight(), runs)
		}
	}
	for _, when := range []string{"200 runs in flight", "and they have ended"} {
		peak, err := resident(cmd.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.1f MB resident at most", when, float64(peak)/1e6)
		if peak > maxInFlight {
			t.Errorf("%s: %d bytes resident, want at most %d", when, peak, maxInFlight)
		}
		release()
		eventually(t, 30*time.Second, "they end", func() bool { return origin.inFlight() < runs/10 })
	}
}

// resident is the most memory that a process has had, in bytes.
func resident(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kb int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
			return kb << 10, nil
		}
	}
	return 0, errors.New("no VmHWM: the process has ended")
}

// outputAndPeak is what a command prints and the most memory it has had, as
// far as looking every millisecond shows; looked is closed with the first look.
// (What wait4 says of a child counts the memory of the parent that forked it.)
func outputAndPeak(t *testing.T, cmd *exec.Cmd, looked chan struct{}) (out []byte, peak int64, err error) {
	t.Helper()
	var text bytes.Buffer
	cmd.Stdout = &text
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			if peak == 0 {
				t.Fatal("the command's memory was never seen")
			}
			return text.Bytes(), peak, err
		case <-time.After(time.Millisecond):
			if now, err := resident(cmd.Process.Pid); err == nil {
				if peak == 0 {
					close(looked)
				}
				peak = max(peak, now)
			}
		}
	}
}
