package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// staged is a stage with a few files on it, and its address.
func staged(t *testing.T) (*stage, string) {
	t.Helper()
	dir := t.TempDir()
	for name, size := range map[string]int{"cmaf/v360/0.m4s": 120_000, "cmaf/v360/1.m4s": 120_000, "cmaf/v360/init.mp4": 800, "cmaf/audio/0.m4s": 65_000} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.Repeat([]byte("x"), size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := newStage(dir)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return s, server.URL
}

// get is the status and size of an answer, how long it took and how it ended.
func get(t *testing.T, url, part string) (status, size int, took time.Duration, err error) {
	t.Helper()
	begun := time.Now()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if part != "" {
		req.Header.Set("Range", part)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%s: %v", url, res.Header)
	}
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, len(body), time.Since(begun), err
}

// Each fault hits what it names, as often as it says, in each play anew.
func TestStage(t *testing.T) {
	const one, next, sound, init = "cmaf/v360/0.m4s", "cmaf/v360/1.m4s", "cmaf/audio/0.m4s", "cmaf/v360/init.mp4"
	whole := func(path string, bytes int64) request { return request{Path: path, Status: 200, Bytes: bytes} }
	bad := func(path string, status int) request {
		return request{Path: path, Status: status, Bytes: int64(len(http.StatusText(status)) + 1)}
	}
	for _, tt := range []struct {
		fault string
		ask   string
		want  []request
		ends  error         // of the first
		least time.Duration // of the first
	}{
		{"", one, []request{whole(one, 120_000)}, nil, 0},
		{"one 404", one + " " + one + " " + next + " " + sound, []request{bad(one, 404), whole(one, 120_000), whole(next, 120_000), whole(sound, 65_000)}, nil, 0},
		{"one 503", one + " " + one, []request{bad(one, 503), whole(one, 120_000)}, nil, 0},
		{"one 404 always", one + " " + one + " " + next, []request{bad(one, 404), bad(one, 404), whole(next, 120_000)}, nil, 0},
		{"one reset", one + " " + one, []request{{Path: one, Status: 200, Bytes: 50_000, End: reset}, whole(one, 120_000)}, syscall.ECONNRESET, 0},
		{"one cut", one + " " + one, []request{{Path: one, Status: 200, Bytes: 50_000, End: cut}, whole(one, 120_000)}, io.ErrUnexpectedEOF, 0},
		{"each pause", sound + " " + init, []request{whole(sound, 65_000), whole(init, 800)}, nil, pauseTime},
		{"each 404", sound + " " + one + " " + next + " " + next + " " + init, []request{bad(sound, 404), bad(one, 404), bad(next, 404), whole(next, 120_000), whole(init, 800)}, nil, 0},
		{"audio segment late", sound + " " + one, []request{whole(sound, 65_000), whole(one, 120_000)}, nil, pauseTime},
		{"video init 503", init + " " + init, []request{bad(init, 503), whole(init, 800)}, nil, 0},
		{"all 503", one + " " + sound + " " + one, []request{bad(one, 503), bad(sound, 503), bad(one, 503)}, nil, 0},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			t.Parallel()
			s, base := staged(t)
			for range 2 {
				a := s.begin(faultNamed(tt.fault))
				pressed := time.Now()
				for i, path := range strings.Fields(tt.ask) {
					status, size, took, err := get(t, base+"/"+a.folder+"/"+path, "")
					if status != tt.want[i].Status || int64(size) != tt.want[i].Bytes {
						t.Errorf("%d of %s: %d, %d bytes", i, path, status, size)
					}
					if want := tt.ends; i == 0 && !errors.Is(err, want) || i > 0 && err != nil {
						t.Errorf("%d of %s: %v, want %v", i, path, err, want)
					}
					if i == 0 && took < tt.least {
						t.Errorf("%s after %v", path, took)
					}
				}
				settle(t, a)
				got := s.end(a, pressed)
				if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreUnexported(request{}), cmpopts.IgnoreFields(request{}, "At")); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				for i, r := range got {
					if r.At < 0 || i > 0 && r.At < got[i-1].At {
						t.Errorf("%d came in at %v ms", i, r.At)
					}
				}
				if tt.least > 0 {
					return // once is enough
				}
			}
		})
	}
}

// settle waits until the server has ended all answers: the client may have them
// before that.
func settle(t *testing.T, a *act) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); time.Now().Before(limit); time.Sleep(time.Millisecond) {
		a.mu.Lock()
		open := 0
		for _, r := range a.requests {
			if r.End == gone {
				open++
			}
		}
		a.mu.Unlock()
		if open == 0 {
			return
		}
	}
	t.Error("an answer does not end")
}

// Ranges are resources of their own; what a player gives up is written down; a
// play's folder is there for as long as it is.
func TestStageNotes(t *testing.T) {
	s, base := staged(t)
	a := s.begin(faultNamed("audio segment late"))
	path := base + "/" + a.folder + "/cmaf/v360/0.m4s"
	if status, size, _, err := get(t, path, "bytes=10-19"); status != http.StatusPartialContent || size != 10 || err != nil {
		t.Errorf("%d, %d bytes, %v", status, size, err)
	}
	impatient := http.Client{Timeout: 100 * time.Millisecond}
	if res, err := impatient.Get(base + "/" + a.folder + "/cmaf/audio/0.m4s"); err == nil {
		t.Error(res.Status)
		res.Body.Close()
	}
	got := s.end(a, time.Time{})
	want := []request{
		{Path: "cmaf/v360/0.m4s", Range: "bytes=10-19", Status: 206, Bytes: 10},
		{Path: "cmaf/audio/0.m4s", End: gone},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(request{}), cmpopts.IgnoreFields(request{}, "At")); diff != "" || got[0].At != 0 {
		t.Errorf("%v (-want +got):\n%s", got, diff)
	}
	if got[0].name() != "cmaf/v360/0.m4s 10-19" {
		t.Error(got[0].name())
	}
	res, err := http.Get(path)
	if err != nil {
		t.Fatal(err)
	}
	if res.Body.Close(); res.StatusCode != http.StatusNotFound {
		t.Error(res.Status)
	}
}

// Over the shaper, too, what was sent before a reset arrives.
func TestStageShaped(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "v360"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "v360", "0.ts"), make([]byte, 200_000), 0o644); err != nil {
		t.Fatal(err)
	}
	w := shaped(t, dir)
	a := w.stage.begin(faultNamed("one reset"))
	if status, size, _, err := get(t, w.media+"/"+a.folder+"/v360/0.ts", ""); status != 200 || size != midway || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%d, %d bytes, %v", status, size, err)
	}
}
