package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/firstframe/firstframe/deploy/lab/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// agentProgram is the agent that plays: of $FIRSTFRAME_BIN, the folder of make
// build, else built.
func agentProgram(t *testing.T) string {
	t.Helper()
	if bin := os.Getenv("FIRSTFRAME_BIN"); bin != "" {
		return filepath.Join(bin, "agent")
	}
	path := filepath.Join(t.TempDir(), "agent")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../../agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// Each player and the probe show the first picture of a stream, later than the
// line allows, and dash.js plays on; a second time nothing is left to play.
func TestPlays(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "media"), media.FS); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "media", "complete"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("node_modules"); err != nil {
		t.Skip("make test installs the players: ", err)
	}
	c := command{Out: filepath.Join(dir, "out"), Media: filepath.Join(dir, "media"), Modules: "node_modules", Agent: agentProgram(t)}
	s, err := c.setup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	j, err := openJournal(filepath.Join(dir, "plays.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	b := batch{way: way{RTT: 40, Mbps: 10}}
	for _, p := range players {
		path := map[string]string{"ts": "ts/master.m3u8", "number": "cmaf/manifest-number.mpd"}[p.streams[0].name]
		on := map[string]int{"dashjs": 2}[p.name]
		b.tasks = append(b.tasks, task{cell{Player: p.name, Stream: p.streams[0].name, way: b.way, Play: on}, p, path, 0})
	}
	for range 2 {
		if err := s.play(t.Context(), []batch{b}, j, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	if len(j.plays) != 2*len(players) {
		t.Errorf("%d plays", len(j.plays))
	}
	for _, p := range j.plays { // a connection, a manifest and a segment take three round trips
		t.Logf("%s %s over %s: %.0f ms, %dp, load %.1f", p.cell, p.Side, p.Over, p.TTFF, p.Height, p.Load)
		if len(p.Requests) < 3 || p.Needed < 60 || p.Needed > p.TTFF {
			t.Errorf("needed after %v ms: %+v", p.Needed, p.Requests)
		}
		if p.Error != "" || p.TTFF < 120 || p.TTFF > 30000 || p.Height != 360 && p.Height != 720 || p.Of == "" {
			t.Errorf("%+v", p)
		}
		if on := p.Onwards; (on != nil) != (p.Play > 0) || on != nil && (on.Media < 2000 || on.Media > 4000 || on.Ahead < 1000) {
			t.Errorf("%s %s, after the picture: %+v", p.cell, p.Side, on)
		}
	}
}

// shaped is a world over the shaper, which ends with the test.
func shaped(t *testing.T, dir string) *world {
	t.Helper()
	s := &setup{media: dir, modules: dir}
	w, err := s.openShaped(way{RTT: 20, Mbps: 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return w
}

// Where there are no namespaces the shaper delays, in place of the link.
func TestShaped(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.m3u8"), []byte("#EXTM3U\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	w := shaped(t, dir)
	folder := "/" + w.stage.begin(nil).folder
	for url, want := range map[string]string{
		w.media + folder + "/a.m3u8":            "#EXTM3U",
		w.media + "/a.m3u8":                     "not found",
		w.page + "/modules/a.m3u8":              "#EXTM3U",
		w.page + "/play?player=shaka&url=x%22y": `url = "x\"y"`,
		w.page + "/play?player=vlc":             "not found",
	} {
		res, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || !strings.Contains(string(body), want) {
			t.Errorf("%s: %v\n%s", url, err, body)
		}
		if strings.HasPrefix(url, w.media+folder) && (res.Header.Get("Access-Control-Allow-Origin") != "*" || res.Header.Get("Content-Type") != "application/vnd.apple.mpegurl") {
			t.Errorf("%s: %v", url, res.Header)
		}
	}
	cmd := exec.Command("/bin/true", "x")
	if enter(cmd, "/proc/1/fd/2"); cmd.Err == nil && (strings.Join(cmd.Args, " ") != "nsenter --net=/proc/1/fd/2 /bin/true x" || filepath.Base(cmd.Path) != "nsenter") {
		t.Errorf("%v", cmd)
	}
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		name, args     string
		code           int
		stdout, stderr string
	}{
		{"help", "--help", exitOK, "--only", ""},
		{"unknown flag", "--nope", exitNotKnown, "", "--nope"},
		{"part of a second", "--play=2500ms", exitNotKnown, "", "whole seconds"},
		{"longer than an agent plays", "--play=1h", exitNotKnown, "", "at most 10m"},
		{"less than none", "--runs=-1", exitNotKnown, "", "--runs -1"},
		{"nothing to report", "--report --out=" + dir, exitFailed, "", errNothing.Error()},
		{"no players", "--out=" + dir + " --modules=/nonexistent", exitFailed, "", "/nonexistent"},
		{"no folder", "--out=/dev/null/x", exitFailed, "", "/dev/null"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), strings.Fields(tc.args), &stdout, &stderr)
		if tc.name == "no players" && strings.Contains(stderr.String(), "package chromium") {
			continue
		}
		if code != tc.code || !strings.Contains(stdout.String(), tc.stdout) || !strings.Contains(stderr.String(), tc.stderr) {
			t.Errorf("%s: %d, %q, %q", tc.name, code, stdout.String(), stderr.String())
		}
	}
}
