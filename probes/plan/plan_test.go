package plan

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// known is what a program that has players would give.
var known = Options{
	Players: []string{"hlsjs", "ideal"},
	CheckPlayer: func(name string) error {
		if name == "hlsjs" || name == "ideal" {
			return nil
		}
		return errors.New("no such model")
	},
	Params: []string{"render_ms", "start_kbps"},
}

func load(t *testing.T) *Plan {
	t.Helper()
	p, err := Load("testdata/plan.yaml", known)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDocumentedPlan(t *testing.T) {
	p := load(t)
	android := run.App{
		Name: "android", Version: "4.1.3", Player: "ideal", UserAgent: "ExampleTV/4.1.3 (Android 14)",
		Headers: map[string]string{"X-App": "tv"}, Query: map[string]string{"drm": "none"},
		Codecs: []string{"avc1", "mp4a"}, MaxHeight: 1080, HTTP: "2", CMCD: "header", Set: map[string]float64{"start_kbps": 2400},
	}
	web := run.App{Name: "web", Version: "2.0.0", Player: "hlsjs", Headers: map[string]string{"Origin": "https://tv.example"}, AltSvc: "known"}
	newer := run.App{Name: "android", Version: "4.2.0", Player: "ideal"}
	a := run.CDN{Name: "cdn-a", Host: "a.cdn.example", Hosts: []string{"media.origin.example"}}
	b := run.CDN{Name: "cdn-b", ConnectTo: "203.0.113.7:443"}
	origin := run.CDN{Name: "origin"}
	want := []Target{{
		Target: run.Target{
			Name: "news", URL: "https://origin.example/news/master.m3u8", Interval: 30 * time.Second,
			Threshold: 2 * time.Second, Timeout: 30 * time.Second, Connection: "cold", Labels: map[string]string{"tier": "gold"},
			Redact: []string{"/play/([^/]+)/"},
		},
		CDNs: []run.CDN{a, b, origin}, Apps: []run.App{web, android, newer},
	}, {
		Target: run.Target{
			Name: "film", URL: "https://origin.example/film/manifest.mpd", Interval: 5 * time.Minute,
			Threshold: 2 * time.Second, Timeout: 30 * time.Second, Play: 30 * time.Second,
			PlaybackAPI: &run.PlaybackAPI{
				URL: "https://api.example/v2/play/film", Method: "POST",
				Headers: map[string]string{"Authorization": "Bearer ${env:FIRSTFRAME_SECRET_API}"},
				Body:    `{"device": "probe", "pin": "${file:pin}"}`, Manifest: "$.streams[0].url",
				ManifestQuery: map[string]string{"hdnts": "$.streams[0].token"}, StreamHeaders: map[string]string{"X-Session": "$.session.id"},
			},
		},
		CDNs: []run.CDN{a, origin}, Apps: []run.App{newer},
	}}
	if diff := cmp.Diff(want, p.Targets); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	addresses := []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("2001:db8::7/128")}
	if !slices.Equal(p.AllowAddresses, addresses) {
		t.Errorf("addresses %v, want %v", p.AllowAddresses, addresses)
	}
	control := run.Target{Name: "known-good", URL: "https://static.example/ok/master.m3u8", Interval: time.Minute, Timeout: 10 * time.Second}
	if diff := cmp.Diff([]Job{{Target: control}}, p.Controls()); diff != "" {
		t.Errorf("controls (-want +got):\n%s", diff)
	}
}

func TestJobs(t *testing.T) {
	p := load(t)
	var got []string
	for _, j := range p.AllJobs() {
		got = append(got, fmt.Sprintf("%s %s %s", j.Target.Name, j.CDN.Name, appName(j.App)))
	}
	want := []string{
		"news cdn-a web@2.0.0", "news cdn-a android@4.1.3", "news cdn-a android@4.2.0",
		"news cdn-b web@2.0.0", "news cdn-b android@4.1.3", "news cdn-b android@4.2.0",
		"news origin web@2.0.0", "news origin android@4.1.3", "news origin android@4.2.0",
		"film cdn-a android@4.2.0", "film origin android@4.2.0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAssignments(t *testing.T) {
	lab := map[string]string{"kind": "lab", "rack": "7"}
	tests := []struct {
		name  string
		facts Facts
		jobs  int // 9 of news, 2 of film
	}{
		{"country and region fit", Facts{Agent: "x", Country: "BR", Region: "south-1"}, 9},
		{"region does not fit", Facts{Agent: "x", Country: "BR", Region: "north-1"}, 0},
		{"country is not known", Facts{Agent: "x", Region: "south-1"}, 0},
		{"name and label fit", Facts{Agent: "lab-3", Labels: lab}, 11},
		{"label is missing", Facts{Agent: "lab-3"}, 0},
		{"both entries fit", Facts{Agent: "lab-3", Country: "AR", Region: "south-2", Labels: lab}, 11},
		{"nothing is known", Facts{}, 0},
	}
	p := load(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := len(p.Jobs(test.facts)); got != test.jobs {
				t.Errorf("%d jobs, want %d", got, test.jobs)
			}
		})
	}
}

func TestSmallestPlan(t *testing.T) {
	p, err := Parse("p.yaml", []byte("# a comment\n---\n"+`{version: 1, targets: [{name: a, url: "http://127.0.0.1:8080/a.m3u8"}]}`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []Job{{Target: run.Target{
		Name: "a", URL: "http://127.0.0.1:8080/a.m3u8", Interval: run.DefaultInterval,
		Threshold: run.DefaultThreshold, Timeout: run.DefaultTimeout,
	}}}
	if diff := cmp.Diff(want, p.Jobs(Facts{Agent: "anyone"})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRevision(t *testing.T) {
	p := load(t)
	text, err := os.ReadFile("testdata/plan.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if string(p.Source()) != string(text) {
		t.Error("the source is not the file's text")
	}
	again, err := Parse("elsewhere.yaml", text, known)
	if err != nil {
		t.Fatal(err)
	}
	if p.Revision() != again.Revision() || len(p.Revision()) != 12 {
		t.Errorf("revisions %q and %q of one text", p.Revision(), again.Revision())
	}
	changed, err := Parse("p.yaml", append(text, "# changed\n"...), known)
	if err != nil {
		t.Fatal(err)
	}
	if changed.Revision() == p.Revision() {
		t.Error("another text has the same revision")
	}
}

// TestInvalid pins every message beside the plan that it is about.
func TestInvalid(t *testing.T) {
	files, err := filepath.Glob("testdata/invalid-*.yaml")
	if err != nil || len(files) < 9 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Parse(filepath.Base(file), text, known)
			var errs Errors
			if p != nil || !errors.As(err, &errs) {
				t.Fatalf("%v, %v; want Errors", p, err)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(errs.Error()+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), errs.Error()+"\n"); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadMissing(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"), Options{})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, want one that is os.ErrNotExist", err)
	}
}

// TestBounds feeds what is meant to hurt; each is refused, and soon.
func TestBounds(t *testing.T) {
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	target := "  - {name: n%d, url: \"https://o.example/\"}\n"
	tests := []struct{ name, text, want string }{
		{"too large", strings.Repeat("#", MaxSize+1), "the plan is larger than 1048576 bytes"},
		{"not text", "version: \xff", "the plan is not UTF-8 text"},
		{"brackets", strings.Repeat("[", 1_000_000), "nested deeper than 16"},
		{"lists in lists", strings.Repeat("- ", 500_000), "nested deeper than 16"},
		{"targets", "version: 1\ntargets:\n" + many(MaxTargets+1, target), "targets: 5001 entries, at most 5000"},
		{"jobs", "version: 1\ncdns:\n" + many(3, "  - {name: c%d}\n") + "targets:\n" + many(4000, target), "more than 10000 combinations"},
		{"keys", many(70_000, "a%d: 1\n"), "p.yaml:1001:1: more than 1000 keys in one mapping"},
		{"keys of lists", many(40_000, "a%d:\n- {x: 1}\n"), "more than 1000 keys in one mapping"},
		{"keys of an item", "a:\n  - b: 1\n" + many(70_000, "    c%d: 1\n"), "more than 1000 keys in one mapping"},
		{"keys in brackets", "{" + many(70_000, "a%d: 1,") + "}", "unknown key \"a0\""},
		{"keys below keys", many(1400, "%[1]*[1]d:\n"), "unknown key \"0\""},
		{"references", "version: 1\ncdns:\n" + many(MaxCDNs, "  - {name: c%d}\n") + "targets:\n" +
			many(1000, "  - {name: n%d, url: \"https://o.example/\", cdns: ["+many(maxList, "\"c*%d*\",")+"]}\n"), "more than 10000 combinations"},
		{"errors", "version: 1\ntargets:\n" + many(1000, "  - {name: n%d}\n"), "and 900 more errors"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			began := time.Now()
			_, err := Parse("p.yaml", []byte(test.text), Options{})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("%.300v, want %q", err, test.want)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("version: 1\ntargets:\n  - {name: a, url: \"http://a\", labels: {1: 2, ~: x}}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse("p.yaml", text, known)
		var errs Errors
		switch {
		case err == nil:
			checkValid(t, p)
		case p != nil || !errors.As(err, &errs) || len(errs) == 0 || len(errs) > maxErrors+1:
			t.Fatalf("plan %v, error %v", p, err)
		}
		for _, e := range errs {
			if e.Line < 1 || e.Column < 1 || e.Message == "" || strings.Contains(e.Message, "\n") {
				t.Errorf("%+v", e)
			}
		}
	})
}

// checkValid checks what every plan promises.
func checkValid(t *testing.T, p *Plan) {
	jobs := p.AllJobs()
	if len(jobs) == 0 || len(jobs) > MaxJobs || len(p.Targets) > len(jobs) {
		t.Errorf("%d jobs of %d targets", len(jobs), len(p.Targets))
	}
	for _, j := range jobs {
		if j.Target.Name == "" || j.Target.Interval < MinInterval || j.Target.Timeout < MinTimeout || address(j.Target.URL) != nil {
			t.Errorf("job %+v", j)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	text, err := os.ReadFile("testdata/plan.yaml")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("plan.yaml", text, known); err != nil {
			b.Fatal(err)
		}
	}
}
