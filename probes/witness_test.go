package probes_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// witnessEnv makes this test's program the witness alone.
const witnessEnv = "FIRSTFRAME_WITNESS"

// What a witness is asked for, as the first element of a path.
const (
	pathEnded  = "ended"  // ended/ID: when ID's first pause was over, in ns of Unix time
	pathHellos = "hellos" // how many TLS handshakes were begun
	pathFar    = "far"    // far/…: media as from a server this far away
	pathLong   = "long"   // long/…: the same, with segments of longSegment bytes
)

const (
	farAway     = 20 * time.Millisecond
	longSegment = 8 << 20
)

// witness serves the lab's media below paths of its own, below any other /ID/
// with the pauses, and tells what it has seen.
type witness struct {
	hellos atomic.Int64

	mu   sync.Mutex
	runs map[string]*pausing
}

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	id, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch id {
	case pathEnded:
		fmt.Fprint(rw, w.ended(path))
	case pathHellos:
		fmt.Fprint(rw, w.hellos.Load())
	case pathFar, pathLong:
		body, err := os.ReadFile(filepath.Join(media, filepath.FromSlash(path)))
		if err != nil {
			http.NotFound(rw, r)
			return
		}
		time.Sleep(farAway)
		times := 1
		if ext := filepath.Ext(path); id == pathLong && (ext == ".ts" || ext == ".m4s") {
			times = (longSegment + len(body) - 1) / len(body)
		}
		rw.Header().Set("Content-Length", fmt.Sprint(times*len(body)))
		for range times {
			rw.Write(body)
		}
	default:
		r.URL.Path = "/" + path
		w.of(id, r.URL.Path).ServeHTTP(rw, r)
	}
}

// ended is when the first pause of the run was over.
func (w *witness) ended(id string) int64 {
	w.mu.Lock()
	p := w.runs[id]
	w.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended.UnixNano()
}

// of is what serves the run, which asks for path.
func (w *witness) of(id, path string) *pausing {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.runs[id] == nil {
		w.runs[id] = &pausing{before: pauseBefore, after: pauseAfter}
	}
	for _, k := range keyframes {
		if path == k.manifest || path == k.file {
			w.runs[id].file, w.runs[id].end = k.file, k.end
		}
	}
	return w.runs[id]
}

// serveWitness prints the witness's URL and serves until stdin ends, on the
// last processor that there is.
func serveWitness() {
	if err := pin(lastProcessor); err != nil {
		panic(err)
	}
	w := &witness{runs: map[string]*pausing{}}
	srv := httptest.NewUnstartedServer(w)
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of handshakes that a run gives up
	srv.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		w.hellos.Add(1)
		return nil, nil
	}}
	srv.StartTLS()
	fmt.Println(srv.URL)
	io.Copy(io.Discard, os.Stdin)
}

// startWitness starts the witness as a process and gives its URL.
func startWitness(b *testing.B) string {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), witnessEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// asked is the number that a witness tells at a URL.
func asked(b *testing.B, client *http.Client, url string) int64 {
	resp, err := client.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	n, err := strconv.ParseInt(string(body), 10, 64)
	if err != nil {
		b.Fatal(resp.Status, err)
	}
	return n
}

// insecure is a client without connections that takes any certificate, and
// makes so many at most; 0 is any number.
func insecure(version string, connections int) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(version == "1.1")
	protocols.SetHTTP2(version == "2")
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: protocols, DisableCompression: true,
		MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections,
	}}
}
