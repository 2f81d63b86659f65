package player

import (
	"slices"
	"strings"
	"testing"

	"github.com/firstframe/firstframe/probes/run"
)

func TestLookup(t *testing.T) {
	for _, tt := range []struct{ name, want, problem string }{
		{"hlsjs", "hlsjs@1.7.4", ""},
		{"hlsjs@1.7", "hlsjs@1.7.4", ""},
		{"hlsjs@1.6", "hlsjs@1.6.19", ""},
		{"hlsjs@1", "hlsjs@1.7.4", ""},
		{"shaka", "shaka@5.2.12", ""},
		{"dashjs@5.2.1", "dashjs@5.2.1", ""},
		{"exoplayer@1.11", "exoplayer@1.11", ""},
		{"avplayer", "avplayer", ""},
		{"ideal", "ideal", ""},
		{"hlsjs@1.5", "", `no version "1.5" of model hlsjs; there is 1.7.4, 1.6.19`},
		{"hlsjs@1.7.40", "", "there is 1.7.4"},
		{"ideal@1", "", "model ideal has no versions"},
		{"avplayer@17", "", "model avplayer has no versions"},
		{"vlc", "", `no model "vlc"; there are hlsjs, dashjs, shaka, exoplayer, avplayer, ideal`},
	} {
		m, err := Lookup(tt.name)
		switch {
		case tt.problem != "":
			if err == nil || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.problem)
			}
		case err != nil || m.String() != tt.want:
			t.Errorf("%s: %v, %v, want %s", tt.name, m, err, tt.want)
		}
	}
	if a, b := Default("hls").Name, Default("dash").Name; a != "hlsjs" || b != "dashjs" {
		t.Errorf("defaults %s and %s, want hlsjs and dashjs", a, b)
	}
	const summary = "hlsjs@1.7.4, dashjs@5.2.1, shaka@5.2.12; modelled, not measured: hlsjs@1.6.19, exoplayer@1.11, avplayer, ideal"
	if got := Summary(); got != summary {
		t.Errorf("%q, want %q", got, summary)
	}
}

// Each model says what each play needs to know of it, and chooses among whatever
// there is.
func TestModels(t *testing.T) {
	ladders := [][]Rendition{
		{{}},
		{{Kbps: 800}, {Kbps: 2400}, {Kbps: 5300}},
		{{Kbps: 5300}, {Kbps: 800}, {Kbps: 2400}},
		{{Kbps: 90_000}, {Kbps: 90_000}},
	}
	for _, m := range Models() {
		t.Run(m.String(), func(t *testing.T) {
			if m.Source == "" || m.HLS == nil && m.DASH == nil {
				t.Error("it plays nothing, or does not say where its numbers come from")
			}
			for _, l := range []Live{{Target: 2e9}, {DASH: true, Target: 2e9}} {
				if d := m.LiveDelay(l); d < 0 {
					t.Errorf("it starts %v behind the live edge", d)
				}
			}
			for _, r := range ladders {
				estimate := m.estimate(r, nil)
				at := m.Start(r, estimate)
				if at < 0 || at >= len(r) {
					t.Fatalf("it starts with rendition %d of %d", at, len(r))
				}
				if m.Failover == nil {
					continue
				}
				seen := make([]bool, len(r))
				for range r {
					next := m.Failover.Next(r, seen, at, estimate)
					if next == at {
						t.Fatalf("after rendition %d it goes to the same", at)
					}
					if seen[at] = true; next < 0 {
						break
					}
					at = next
				}
			}
		})
	}
}

// The rung that each player starts with, on the ladders that were measured:
// TS, CMAF, and DASH with and without its audio; and an app's own.
func TestStart(t *testing.T) {
	ts := []Rendition{{Kbps: 830}, {Kbps: 2450}, {Kbps: 5340}}
	middleFirst := []Rendition{{Kbps: 2450}, {Kbps: 830}, {Kbps: 5340}}
	highFirst := []Rendition{{Kbps: 5340}, {Kbps: 830}, {Kbps: 2450}}
	for _, tt := range []struct {
		name  string
		model *Model
		r     []Rendition
		set   map[string]float64
		want  float64
	}{
		{"the lowest first", hlsjs, ts, nil, 830},
		{"the middle first", hlsjs, middleFirst, nil, 2450},
		{"the highest first, beyond 5 Mbit/s", hlsjs, highFirst, nil, 2450},
		{"an app's own", hlsjs, ts, map[string]float64{"start_kbps": 6000}, 5340},
		{"1.5 Mbit/s", shaka, ts, nil, 830},
		{"the order is nothing to it", shaka, highFirst, nil, 830},
		{"just within 95 %", shaka, ts, map[string]float64{"start_kbps": 2579}, 2450},
		{"just beyond 95 %", shaka, ts, map[string]float64{"start_kbps": 2578}, 830},
		{"1 Mbit/s", dashjs, ts, nil, 830},
		{"nothing is so low", dashjs, []Rendition{{Kbps: 3000}, {Kbps: 2000}}, nil, 2000},
		{"an app's own", dashjs, highFirst, map[string]float64{"start_kbps": 2450}, 2450},
		{"70 % of 2.4 Mbit/s", exoplayer, ts, nil, 830},
		{"an app's own", exoplayer, ts, map[string]float64{"start_kbps": 3500}, 2450},
		{"the first listed", avplayer, middleFirst, nil, 2450},
		{"the lowest", ideal, highFirst, nil, 830},
	} {
		at := tt.model.Start(tt.r, tt.model.estimate(tt.r, tt.set))
		if got := tt.r[at].Kbps; got != tt.want {
			t.Errorf("%s, %s: %v kbit/s, want %v", tt.model, tt.name, got, tt.want)
		}
	}
}

// An app sets single parameters of any model.
func TestSet(t *testing.T) {
	for _, m := range Models() {
		q := *quick(m)
		q.RenderTS, q.RenderFMP4 = m.RenderTS, m.RenderFMP4
		manifest := "/ts/master.m3u8"
		if m.HLS == nil {
			manifest = "/cmaf/manifest-timeline.mpd"
		}
		o := newOrigin(t, nil, nil)
		r := good(t, press(t, o, manifest, &q, run.App{Set: map[string]float64{"start_kbps": 2000, "render_ms": 150}}))
		if r.Height != 720 {
			t.Errorf("%s: %d lines, want those of 2 Mbit/s", m, r.Height)
		}
		i := slices.IndexFunc(r.Steps, func(s run.Step) bool { return s.Name == run.WaitPlayer })
		if i < 0 || r.Steps[i].EndMs-r.Steps[i].StartMs < 149.9 || r.Steps[i].EndMs-r.Steps[i].StartMs > 150.1 {
			t.Errorf("%s: the picture does not take 150 ms: %s", m, names(r))
		}
	}
}

// What a player needs before it plays, beside a frame: the whole of the first
// segments.
func TestPlayWhole(t *testing.T) {
	o := newOrigin(t, nil, map[string]rule{"/ts/360p/0.ts": paced(t, 100_000, 20e6)})
	one := "/ts/360p/index.m3u8"
	r := good(t, press(t, o, one, quick(exoplayer), run.App{}))
	if d := r.Startup.Sub(*r.Frame); d < 100e6 {
		t.Errorf("it plays %v after the first frame, before the segment of 200 ms is there", d)
	}
	if r := good(t, press(t, o, one, quick(ideal), run.App{})); !r.Startup.Equal(*r.Frame) {
		t.Errorf("it plays %v after the first frame", r.Startup.Sub(*r.Frame))
	}
}
