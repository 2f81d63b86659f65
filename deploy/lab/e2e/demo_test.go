package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/firstframe/firstframe/deploy/lab/lab"
	"github.com/firstframe/firstframe/deploy/lab/world"
)

// shownCell is a cell of the console's matrix, as its page shows it.
type shownCell struct {
	Country, CDN, State string
	Runs                int
}

const readCells = `[...document.querySelectorAll('[data-country][data-cdn][data-state]')].map(c =>
	({Country: c.dataset.country, CDN: c.dataset.cdn, State: c.dataset.state, Runs: Number(c.dataset.runs)}))`

// demo is the world of "lab demo", which runs as a process of its own with all
// that belongs to it.
type demo struct {
	fleet // without its agents
	url   string
	cmd   *exec.Cmd
	dir   string // where all of its processes work
	ended bool
}

// startDemo starts the demo with the given flags. It is ended with the test.
func startDemo(t *testing.T, flags ...string) *demo {
	t.Helper()
	d := &demo{dir: t.TempDir()}
	d.bins = map[string]string{}
	for name := range programs {
		d.bins[name] = program(t, name)
	}
	var said bytes.Buffer
	d.cmd = exec.Command(d.bins["lab"], append([]string{"demo", "--json", "--dir", d.dir}, flags...)...)
	d.cmd.Stderr = &said
	stdout, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !d.ended {
			d.cmd.Process.Kill()
			d.cmd.Wait()
		}
		if t.Failed() {
			t.Logf("lab demo said:\n%s", said.String())
		}
	})
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() {
		t.Fatal("lab demo says nothing")
	}
	var info struct {
		URL, OTLP string
		Lab       lab.Info
	}
	if err := json.Unmarshal(lines.Bytes(), &info); err != nil {
		t.Fatal(err)
	}
	d.url = info.URL
	d.Lab = &lab.Lab{Info: info.Lab, World: world.Default()}
	d.collector = &lab.Collector{HTTP: strings.TrimSuffix(info.URL, "/"), OTLPHTTP: info.OTLP}
	return d
}

// interrupt ends the demo as Ctrl-C does, after which nothing of it is left.
func (d *demo) interrupt(t *testing.T) {
	t.Helper()
	if all := running(t, d.dir); len(all) != 18 {
		t.Errorf("%d processes run, want lab, collector and 16 agents: %v", len(all), all)
	}
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	d.ended = true
	if err := d.cmd.Wait(); err != nil {
		t.Errorf("lab demo ends with %v, want 0", err)
	}
	if left := running(t, d.dir); len(left) > 0 {
		t.Errorf("still running after the demo has ended: %v", left)
	}
}

// The demo leads from one command to a page on which, within 90 s of the order,
// Brazil through one CDN is red, and it alone. The collector, when asked, says
// the same, and where it hurts; the end leaves nothing behind.
func TestDemo(t *testing.T) {
	start := time.Now()
	d := startDemo(t, "--after", "15s", "--interval", "6s")
	page := open(t, d.url)
	awaitCells(t, page, 60*time.Second, "before the order every cell is good", func(cells []shownCell) bool {
		return len(cells) == 21 && count(cells, func(c shownCell) bool { return c.State == "good" && c.Runs > 0 }) == len(cells)
	})
	ordered := awaitOrder(t, d.Info.Control)
	awaitCells(t, page, time.Until(ordered.Add(90*time.Second)), "after it Brazil through cdn-b is bad, and it alone", func(cells []shownCell) bool {
		brazil := count(cells, func(c shownCell) bool { return c.Country == "BR" && c.CDN == "cdn-b" && c.State == "bad" })
		return brazil == 1 && count(cells, func(c shownCell) bool { return c.State == "good" && c.Runs > 0 }) == len(cells)-1
	})
	t.Logf("the page shows it %.0f s after the order", time.Since(ordered).Seconds())
	checkAnswers(t, &d.fleet, start, ordered)
	checkShip(t, &d.fleet)
	// It has stayed so: nothing else turns red while Brazil is ill.
	for _, c := range cellsOf(t, page) {
		if want := map[bool]string{true: "bad", false: "good"}[c.Country == "BR" && c.CDN == "cdn-b"]; c.State != want {
			t.Errorf("%s × %s is %s, want %s", c.Country, c.CDN, c.State, want)
		}
	}
	d.interrupt(t)
}

// open opens the console in a headless Chromium, which ends with the test.
func open(t *testing.T, url string) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("this test needs Debian's package chromium: ", err)
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true),
		chromedp.Flag("no-first-run", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Log("end of Chromium: ", err)
		}
		cancel()
	})
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		t.Fatal(err)
	}
	return ctx
}

func cellsOf(t *testing.T, page context.Context) []shownCell {
	t.Helper()
	ctx, cancel := context.WithTimeout(page, 20*time.Second)
	defer cancel()
	cells, err := chromedp.Run(ctx, chromedp.Evaluate[[]shownCell](readCells))
	if err != nil {
		t.Fatal(err)
	}
	return cells
}

// awaitCells waits until the page's cells are as they should be.
func awaitCells(t *testing.T, page context.Context, limit time.Duration, what string, right func([]shownCell) bool) {
	t.Helper()
	end := time.Now().Add(limit)
	for {
		cells := cellsOf(t, page)
		if right(cells) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not so after %v: %+v", what, limit, cells)
		}
		pause(t, 500*time.Millisecond)
	}
}

// awaitOrder waits until the lab has faults, and answers when that was.
func awaitOrder(t *testing.T, control string) time.Time {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); pause(t, 200*time.Millisecond) {
		resp, err := http.Get(control + "/faults")
		if err != nil {
			t.Fatal(err)
		}
		var faults []struct{ Since time.Time }
		err = json.NewDecoder(resp.Body).Decode(&faults)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if len(faults) > 0 {
			return faults[0].Since
		}
	}
	t.Fatal("nothing was ordered")
	return time.Time{}
}

func count(cells []shownCell, is func(shownCell) bool) (n int) {
	for _, c := range cells {
		if is(c) {
			n++
		}
	}
	return n
}

func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal("the test was ended")
	}
}

// running lists the processes that work in a folder, by their command lines.
func running(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err == nil && bytes.Contains(line, []byte(dir)) {
			found = append(found, e.Name()+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}
