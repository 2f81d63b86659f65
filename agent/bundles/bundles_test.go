package bundles

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/bundle"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// failed is a bundle of a run that failed so many seconds after noon.
func failed(seconds int) *bundle.Bundle {
	b := &bundle.Bundle{Probe: bundle.ProbeOf(run.Target{URL: "https://x.example/"}, run.CDN{}, run.App{}, bundle.Network{})}
	b.Run = run.Run{Target: "news", StartedAt: noon.Add(time.Duration(seconds) * time.Second), RunID: fmt.Sprintf("%032x", seconds), ErrorType: run.ErrDNS, ErrorStep: run.StepManifest}
	return b
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// The oldest go, and nothing else does.
func TestKeep(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	one, err := (&Dir{Path: dir}).Keep(failed(0))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(one)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"holiday.zip", "00000000T000000Z_x_dns_0.zip"} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 10_000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := &Dir{Path: dir, MaxFiles: 3}
	for i := range 5 {
		if _, err := d.Keep(failed(1 + i)); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"00000000T000000Z_x_dns_0.zip",
		"20260301T120003Z_news_dns_00000000000000000000000000000003.zip",
		"20260301T120004Z_news_dns_00000000000000000000000000000004.zip",
		"20260301T120005Z_news_dns_00000000000000000000000000000005.zip", "holiday.zip"}
	if diff := cmp.Diff(want, names(t, dir)); diff != "" {
		t.Error(diff)
	}
	d = &Dir{Path: dir, MaxBytes: 2*info.Size() + 50}
	if _, err := d.Keep(failed(6)); err != nil {
		t.Fatal(err)
	}
	want = []string{want[0], want[3], "20260301T120006Z_news_dns_00000000000000000000000000000006.zip", want[4]}
	if diff := cmp.Diff(want, names(t, dir)); diff != "" {
		t.Error(diff)
	}
	if b, err := bundle.Open(filepath.Join(dir, want[2])); err != nil || b.Run.Target != "news" {
		t.Errorf("%v, %v", b, err)
	}
}

// What an agent was writing when it was killed goes too, once nobody can be
// writing it.
func TestKeepSweeps(t *testing.T) {
	dir := t.TempDir()
	for name, age := range map[string]time.Duration{
		"." + Name(&failed(0).Run) + ".123": 2 * time.Hour, "." + Name(&failed(1).Run) + ".124": time.Minute, ".holiday.zip.1": 2 * time.Hour,
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := (&Dir{Path: dir, MaxFiles: 3}).Keep(failed(2)); err != nil {
		t.Fatal(err)
	}
	want := []string{"." + Name(&failed(1).Run) + ".124", ".holiday.zip.1", Name(&failed(2).Run)}
	if diff := cmp.Diff(want, names(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// Two that keep bundles in one directory do not make each other fail.
func TestKeepTogether(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for k := range 2 {
		d := &Dir{Path: dir, MaxFiles: 2}
		wg.Go(func() {
			for i := range 100 {
				if _, err := d.Keep(failed(2*i + k)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// What someone else has removed meanwhile is neither missed nor counted.
func TestTrim(t *testing.T) {
	dir := t.TempDir()
	all := &Dir{Path: dir}
	for i := range 5 {
		if _, err := all.Keep(failed(i)); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []os.DirEntry{entries[0], entries[4]} {
		for range 2 {
			if err := all.remove(e); err != nil {
				t.Error(err)
			}
		}
	}
	if err := (&Dir{Path: dir, MaxFiles: 2}).trim(entries); err != nil {
		t.Error(err)
	}
	want := []string{Name(&failed(2).Run), Name(&failed(3).Run)}
	if diff := cmp.Diff(want, names(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// Of runs that ended alike one is wanted in a while.
func TestWants(t *testing.T) {
	d := &Dir{Every: time.Minute}
	other := failed(2).Run
	other.ErrorStep = run.StepKey
	for i, tt := range []struct {
		r    run.Run
		want bool
	}{
		{failed(0).Run, true}, {failed(1).Run, false}, {other, true}, {failed(59).Run, false}, {failed(60).Run, true}, {failed(61).Run, false},
	} {
		if got := d.Wants(&tt.r); got != tt.want {
			t.Errorf("%d: %v, want %v", i, got, tt.want)
		}
	}
	all := &Dir{}
	if r := failed(0).Run; !all.Wants(&r) {
		t.Error("the first is not wanted")
	} else if !all.Wants(&r) {
		t.Error("not all are wanted")
	}
}

func TestName(t *testing.T) {
	id := "018f00000000000000000000000000e2"
	ttff := 2500.0
	for _, tt := range []struct {
		r    run.Run
		want string
	}{
		{run.Run{Target: "https://a.example/live/master.m3u8?token=REDACTED", ErrorType: run.ErrHTTP5xx}, "20260301T120000Z_a.example-live-master.m3u8_http_5xx_" + id + ".zip"},
		{run.Run{Target: "../../etc/passwd", OK: true, TTFFMs: &ttff}, "20260301T120000Z_..-..-etc-passwd_slow_" + id + ".zip"},
		{run.Run{OK: true, Good: true}, "20260301T120000Z_-_good_" + id + ".zip"},
	} {
		tt.r.StartedAt, tt.r.RunID = noon, id
		if got := Name(&tt.r); got != tt.want || !named.MatchString(got) {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}
