package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	datum "github.com/firstframe/firstframe/probes/run"
)

func TestResources(t *testing.T) {
	for path, want := range map[string]resource{
		"ts/master.m3u8":        {manifestKind, false, "ts", 0},
		"cmaf/timeline.mpd":     {manifestKind, false, "cmaf", 0},
		"cmaf/v360/index.m3u8":  {playlistKind, false, "v360", 0},
		"cmaf/audio/index.m3u8": {playlistKind, true, "audio", 0},
		"cmaf/audio/init.mp4":   {initKind, true, "audio", 0},
		"cmaf/v720/2.m4s":       {segmentKind, false, "v720", 2},
		"ts/v360/0.ts":          {segmentKind, false, "v360", 0},
		"aes/key.bin":           {keyKind, false, "aes", 0},
		"range/audio/media.mp4": {rangeKind, true, "audio", 0},
	} {
		if got := resourceAt(path); got != want {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

// Every fault hits something of each stream it is played with, and is played.
func TestFaultPlan(t *testing.T) {
	files := strings.Fields("X/master.m3u8 X/v360/index.m3u8 X/audio/index.m3u8 X/v360/init.mp4 X/audio/init.mp4 X/v360/0.m4s X/audio/0.m4s X/key.bin")
	names := map[string]bool{}
	for _, f := range faults {
		if names[f.name] || faultNamed(f.name).name != f.name || len(f.of) == 0 {
			t.Errorf("%q", f.name)
		}
		names[f.name] = true
		hit := 0
		for _, path := range files {
			hit += count(f.hits(resourceAt(path)))
		}
		if hit == 0 {
			t.Errorf("%s hits nothing", f.name)
		}
	}
	for _, name := range quickFaults {
		if !names[name] {
			t.Error(name)
		}
	}
	n := func(all []batch) (tasks int) {
		for _, b := range all {
			tasks += len(b.tasks)
			for _, k := range b.tasks {
				if k.way != faultWay || b.way != faultWay || k.Fault == "" || k.path == "" {
					t.Errorf("%+v", k)
				}
			}
		}
		return tasks
	}
	// One: 4 × 6; always, each, manifest, init, late: 9 × 4; playlists, key: 3 × 2;
	// all: 2 × 4, once but for Shaka's half of them.
	for _, tt := range []struct {
		name   string
		quick  bool
		rounds int
		only   string
		want   int
	}{
		{"once", false, 1, "", 74},
		{"three times", false, 3, "", 3*66 + 8 + 2*4},
		{"quick", true, 1, "", 6 + 6 + 4 + 4},
		{"one player", false, 1, "dashjs/", 15},
	} {
		if got := n(faultPlan(tt.quick, tt.rounds, tt.only)); got != tt.want {
			t.Errorf("%s: %d plays, want %d", tt.name, got, tt.want)
		}
	}
	if faultNamed("") != nil || faultNamed("x") != nil {
		t.Error("a fault without a name")
	}
}

// What the picture needs is over with the last first segment, initialization
// segment or key that was whole before it.
func TestNeeded(t *testing.T) {
	at := func(path string, ms float64) arrival { return arrival{path, ms} }
	all := []arrival{
		at("cmaf/v360/1.m4s", 480), at("cmaf/master.m3u8", 50), at("cmaf/v360/0.m4s", 400), at("cmaf/audio/0.m4s", 300),
		at("cmaf/v720/index.m3u8", 450), at("cmaf/v720/init.mp4", 600),
	}
	for _, tt := range []struct {
		name string
		o    outcome
		want float64
	}{
		{"a picture", outcome{TTFF: 500, Answers: all}, 400},
		{"an error", outcome{Error: "x", ErrorMs: 3400, Answers: all}, 3400},
		{"ranges", outcome{TTFF: 500, Answers: []arrival{at("r/v/media.mp4", 100), at("r/v/media.mp4", 400), at("r/v/media.mp4", 450), at("r/audio/media.mp4", 90)}}, 400},
		{"nothing known", outcome{TTFF: 500}, 0},
	} {
		if got := needed(tt.o); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestProbed(t *testing.T) {
	var r datum.Run
	text := `{"started_at":"2026-11-01T12:00:00.000123Z","duration_ms":900,"ttff_ms":800.5,"height":720,"steps":[
		{"name":"segment","url":"http://h/p/v360/0.ts","status":503,"error_type":"http_5xx","end_ms":100},
		{"name":"retry"},
		{"name":"segment","url":"http://h/p/v360/0.ts","status":200,"end_ms":700},
		{"name":"segment","url":"http://other/p/v360/0.ts","status":200,"end_ms":790}]}`
	if err := r.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	want := outcome{TTFF: 800.5, Height: 720, Pressed: float64(begin.UnixMilli()) + 0.123, Answers: []arrival{{"v360/0.ts", 700}}}
	got := probed(r, "http://h/p/")
	if math.Abs(got.Pressed-want.Pressed) > 1e-3 || math.Abs(got.pressed().Sub(begin).Seconds()-0.000123) > 2e-6 {
		t.Errorf("%v, %v", got.Pressed, got.pressed())
	}
	if got.Pressed = want.Pressed; !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	r.TTFFMs, r.ErrorType, r.ErrorDetail = nil, datum.ErrHTTP4xx, "404"
	if got := probed(r, "http://h/p/"); got.Error != "http_4xx: 404" || got.ErrorMs != 900 || got.TTFF != 0 {
		t.Errorf("%+v", got)
	}
}

// What the browser's cache asks for to complete an answer is one try.
func TestTried(t *testing.T) {
	p := play{Needed: 100, Requests: []request{
		{Path: "cmaf/v360/0.m4s", At: 1, End: cut}, {Path: "cmaf/v360/0.m4s", Range: "bytes=50000-50000", At: 2}, {Path: "cmaf/v360/0.m4s", Range: "bytes=50000-381163", At: 3},
		{Path: "range/v360/media.mp4", Range: "bytes=0-838", At: 4}, {Path: "range/v360/media.mp4", Range: "bytes=839-9999", At: 5},
		{Path: "aes/key.bin", Method: "OPTIONS", At: 6},
	}}
	want := asked{"cmaf/v360/0.m4s": {2, 1, 3}, "range/v360/media.mp4 0-838": {1, 4, 4}, "range/v360/media.mp4 839-9999": {1, 5, 5}, "OPTIONS aes/key.bin": {1, 6, 6}}
	if got := p.asked(); !cmp.Equal(want, got, cmp.AllowUnexported(tries{})) {
		t.Error(cmp.Diff(want, got, cmp.AllowUnexported(tries{})))
	}
	if at, ok := p.triedAgain(); at != 3 || !ok {
		t.Errorf("tried again at %v, %v; want 3", at, ok)
	}
	if p.Needed = 2; p.asked()["cmaf/v360/0.m4s"].n != 1 {
		t.Errorf("%+v, with what was asked for too late", p.asked())
	}
	if at, ok := p.triedAgain(); ok {
		t.Errorf("tried again at %v; nothing was", at)
	}
}

func TestUnlike(t *testing.T) {
	// Requests by name, each 20 ms after the one before; after "/" what comes too late to count.
	a := func(text string) asked {
		p := play{Needed: 1e3}
		text, late, _ := strings.Cut(text, "/")
		for i, name := range strings.Fields(text) {
			p.Requests = append(p.Requests, request{Path: name, At: float64(20 * i)})
		}
		for _, name := range strings.Fields(late) {
			p.Requests = append(p.Requests, request{Path: name, At: 1001})
		}
		return p.asked()
	}
	for _, tt := range []struct {
		name        string
		real, probe []asked
		want        string
		known       bool
	}{
		{"alike", []asked{a("m l v / n"), a("m l v")}, []asked{a("m l v / l")}, "", true},
		{"the player's own plays differ", []asked{a("m v v"), a("m w v"), a("m v w")}, []asked{a("m v v"), a("m v w")}, "", true},
		{"more tries", []asked{a("m v v"), a("m v")}, []asked{a("m v v v")}, "v 1 or 2 ×, probe 3 ×", true},
		{"another resource", []asked{a("m v")}, []asked{a("m w")}, "v 1 ×, probe 0 ×; w 0 ×, probe 1 ×", true},
		{"another order", []asked{a("m v w"), a("m v w")}, []asked{a("m w v")}, "v before w, probe after", true},
		{"sometimes another order", []asked{a("m v w"), a("m w v")}, []asked{a("m w v")}, "", true},
		{"not known", []asked{a("m")}, nil, "", false},
	} {
		got, known := unlike(tt.real, tt.probe)
		if strings.Join(got, "; ") != tt.want || known != tt.known {
			t.Errorf("%s: %q, %v", tt.name, got, known)
		}
	}
	together := []asked{{"v": {1, 10, 10}, "w": {1, 12, 12}}}
	other := []asked{{"v": {1, 12, 12}, "w": {1, 10, 10}}}
	if got, _ := unlike(together, other); len(got) > 0 {
		t.Errorf("what goes out together: %q", got)
	}
	if (play{Needed: 5}).asked() != nil || (play{Requests: []request{{}}}).asked() != nil {
		t.Error("what is not known")
	}
}

// Wherever temporary files are kept, only one plays.
func TestAlone(t *testing.T) {
	name := fmt.Sprintf("firstframe-fidelity-test-%d", os.Getpid())
	for range 2 {
		t.Setenv("TMPDIR", t.TempDir())
		free, err := alone(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("TMPDIR", t.TempDir())
		if _, err := alone(name); !errors.Is(err, errNotAlone) {
			t.Error(err)
		}
		free()
	}
}

// In a process that hurries all threads, and what it starts, run in turn at a
// real-time priority.
func TestHurry(t *testing.T) {
	if os.Getenv("TEST_HURRY") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestHurry$", "-test.v")
		cmd.Env = append(os.Environ(), "TEST_HURRY=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		if strings.Contains(string(out), "SKIP") {
			t.Skip(string(out))
		}
		return
	}
	if !hurry() {
		t.Skip("not permitted")
	}
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil || attr.Policy != unix.SCHED_RR || attr.Priority != playPriority {
		t.Errorf("%+v, %v", attr, err)
	}
	out, err := exec.Command("cut", "-d ", "-f40,41", "/proc/self/stat").Output()
	if err != nil || string(out) != "1 2\n" { // the priority, and SCHED_RR
		t.Errorf("%q, %v", out, err)
	}
}
