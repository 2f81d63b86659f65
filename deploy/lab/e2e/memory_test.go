package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
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
	if !strings.HasSuffix(r.URL.Path, ".ts") {
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

// An agent with 200 runs in flight, each half way through its first segment.
func TestMemoryInFlight(t *testing.T) {
	const runs = 200
	origin := newSlowOrigin(t)
	defer close(origin.release)
	var plan strings.Builder
	plan.WriteString("version: 1\nallow_addresses: [127.0.0.0/8]\napps:\n  - {name: web, version: 2.0.0, player: hlsjs}\ntargets:\n")
	for i := range runs {
		fmt.Fprintf(&plan, "  - {name: t%03d, url: \"%s/ts/720p/index.m3u8\", interval: 5s, timeout: 60s}\n", i, origin.URL)
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
	peak, err := resident(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d runs in flight: %.1f MB resident at most", origin.inFlight(), float64(peak)/1e6)
	if peak > maxInFlight {
		t.Errorf("%d bytes resident, want at most %d", peak, maxInFlight)
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
// far as looking every millisecond shows. (What wait4 says of a child counts
// the memory of the parent that forked it.)
func outputAndPeak(t *testing.T, cmd *exec.Cmd) (out []byte, peak int64, err error) {
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
				peak = max(peak, now)
			}
		}
	}
}

// Whatever a server sends, agent probe answers with a failed run, in bounded
// memory. What each is called stands in the tests of package probes.
func TestMemoryUnderFire(t *testing.T) {
	repeat := func(piece string, limit int64) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			block := []byte(strings.Repeat(piece, 1+64<<10/len(piece)))
			for n := int64(0); n < limit; n += int64(len(block)) {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/lines.m3u8", prefixed("#EXTM3U\n#EXT-X-TARGETDURATION:2\n", repeat("#EXTINF:2,\nsegment.ts\n", 100<<20)))
	mux.Handle("/one-line.m3u8", prefixed("#EXTM3U\n#EXT-X-STREAM-INF:", repeat("A=1,", 100<<20)))
	mux.Handle("/elements.mpd", prefixed(`<MPD type="static"><Period>`, repeat(`<AdaptationSet a="b">`, 100<<20)))
	mux.Handle("/garbage.m3u8", repeat("\x00\xff\x13garbage", 100<<20))
	mux.HandleFunc("/bomb.m3u8", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		zip := gzip.NewWriter(w)
		prefixed("#EXTM3U\n", repeat(strings.Repeat("#", 1000)+"\n", 400<<20))(gzipped{w, zip}, r)
		zip.Close()
	})
	mux.HandleFunc("/loop.m3u8", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop.m3u8", http.StatusFound) })
	media := "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n%s\n#EXT-X-ENDLIST\n"
	for name, segment := range map[string]http.HandlerFunc{
		"endless": repeat("\x47\x1f\xff\x10"+strings.Repeat("\xff", 184), 1<<40),
		"boxes":   repeat("\x00\x0f\xff\xffmoof\x00\x0f\xff\xf0traf", 100<<20),
		"noise":   repeat("\x13\x37noise", 100<<20),
	} {
		mux.HandleFunc("/"+name+".m3u8", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, media, "/"+name) })
		mux.Handle("/"+name, segment)
	}
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	for _, path := range []string{"lines.m3u8", "one-line.m3u8", "elements.mpd", "garbage.m3u8", "bomb.m3u8", "loop.m3u8", "endless.m3u8", "boxes.m3u8", "noise.m3u8"} {
		t.Run(path, func(t *testing.T) {
			cmd := exec.Command(program(t, "agent"), "probe", "--json", "--allow-private", "--timeout", "10s", srv.URL+"/"+path)
			out, peak, err := outputAndPeak(t, cmd)
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Fatalf("agent probe: %v, want exit code 1", err)
			}
			if !strings.Contains(string(out), `"ok":false`) {
				t.Errorf("no failed run: %.300s", out)
			}
			t.Logf("%.1f MB resident at most", float64(peak)/1e6)
			if peak > maxUnderFire {
				t.Errorf("%d bytes resident, want at most %d", peak, maxUnderFire)
			}
		})
	}
}

// prefixed answers with head, then with what next writes.
func prefixed(head string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.WriteString(w, head); err == nil {
			next(w, r)
		}
	}
}

// gzipped is an answer whose body goes through a compressor.
type gzipped struct {
	http.ResponseWriter
	zip io.Writer
}

func (g gzipped) Write(p []byte) (int, error) { return g.zip.Write(p) }
