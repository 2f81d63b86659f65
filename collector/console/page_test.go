package console_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browsing is one tab at a collector's page, and what it did behind the scenes.
type browsing struct {
	*fixture
	ctx  context.Context
	addr string
	srv  *httptest.Server

	mu     sync.Mutex
	asked  []string // addresses of all requests
	errors []string // of the console, and what scripts threw
}

// start starts the collector, on the same address as before.
func (b *browsing) start(t *testing.T) {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	b.addr = l.Addr().String()
	b.srv = &httptest.Server{Listener: l, Config: &http.Server{Handler: b.api, ReadHeaderTimeout: 10 * time.Second}}
	b.srv.Start()
}

func (b *browsing) listen(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ev := ev.(type) {
	case *network.EventRequestWillBeSent:
		b.asked = append(b.asked, ev.Request.URL)
	case *runtime.EventExceptionThrown:
		thrown := ev.ExceptionDetails.Text
		if e := ev.ExceptionDetails.Exception; e != nil {
			thrown += " " + e.Description
		}
		b.errors = append(b.errors, thrown)
	case *log.EventEntryAdded:
		b.errors = append(b.errors, fmt.Sprintf("%s: %s (%s)", ev.Entry.Level, ev.Entry.Text, ev.Entry.URL))
	case *runtime.EventConsoleAPICalled:
		b.errors = append(b.errors, fmt.Sprintf("console.%s", ev.Type))
	}
}

// open goes to an address of the page and waits until it is shown whole.
func (b *browsing) open(t *testing.T, address string) {
	t.Helper()
	do(t, b.ctx, chromedp.Navigate("http://"+b.addr+address))
	b.settled(t)
}

// settled waits until the page has shown what it asked for.
func (b *browsing) settled(t *testing.T) {
	t.Helper()
	until(t, b.ctx, `document.querySelector('#content').getAttribute('aria-busy') === 'false'`)
}

// click clicks the first element of a selector and waits for what it leads to.
func (b *browsing) click(t *testing.T, selector string) {
	t.Helper()
	do(t, b.ctx, chromedp.Click(chromedp.CSS(selector)))
	b.settled(t)
}

func (b *browsing) text(t *testing.T, selector string) string {
	t.Helper()
	return eval[string](t, b.ctx, fmt.Sprintf(`document.querySelector(%q).textContent`, selector))
}

func (b *browsing) query(t *testing.T) string { return eval[string](t, b.ctx, `location.search`) }

// TestInBrowser drives the page in a real browser over the real API and store.
func TestInBrowser(t *testing.T) {
	b := &browsing{fixture: newFixture(t), addr: "127.0.0.1:0", ctx: tab(t)}
	do(t, b.ctx, chromedp.EmulateViewport(1400, 900))
	b.start(t)
	t.Cleanup(func() { b.srv.Close() })
	if err := chromedp.Listen(b.ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	t.Run("matrix", b.matrix)
	t.Run("headline", b.headline)
	t.Run("filter by app version", b.filter)
	t.Run("filter by cell", b.cell)
	t.Run("zoom", b.zoom)
	t.Run("deep link", b.deepLink)
	t.Run("calm range", b.calm)
	t.Run("wrong address", b.wrongAddress)
	t.Run("run", b.run)
	t.Run("run that played on", b.playedOn)
	t.Run("run without steps", b.expiredRun)
	t.Run("unknown run", b.unknownRun)
	t.Run("time zone", b.zone)
	t.Run("phone", b.phone)
	t.Run("contrast", b.contrast)
	t.Run("own origin only, no errors", b.clean)
	t.Run("collector lost", b.lost)
}

type cell struct{ State, Runs string }

func (b *browsing) cells(t *testing.T) map[string]cell {
	t.Helper()
	return eval[map[string]cell](t, b.ctx, `Object.fromEntries([...document.querySelectorAll('td[data-country]')].map(
		(td) => [td.dataset.country + ' ' + td.dataset.cdn, {State: td.dataset.state, Runs: td.dataset.runs}]))`)
}

func (b *browsing) matrix(t *testing.T) {
	b.open(t, "/")
	got := b.cells(t)
	if len(got) != len(countries)*len(cdns) {
		t.Fatalf("%d cells, want %d", len(got), len(countries)*len(cdns))
	}
	for key, c := range got {
		want := cell{"good", fmt.Sprint(2 * minutes)}
		switch key {
		case "BR cdn-b":
			want.State = "bad"
		case "US cdn-a":
			want.State = "warn"
		case "JP cdn-c":
			want = cell{"none", "0"}
		}
		if c != want {
			t.Errorf("%s is %v, want %v", key, c, want)
		}
	}
	if got := b.text(t, `[data-country=JP][data-cdn=cdn-c]`); strings.TrimSpace(got) != "no data" {
		t.Errorf("the cell without runs says %q", got)
	}
	image := eval[string](t, b.ctx, `getComputedStyle(document.querySelector('[data-state=none]')).backgroundImage`)
	if !strings.Contains(image, "gradient") {
		t.Errorf("the cell without runs is painted %q, want hatched", image)
	}
}

func (b *browsing) headline(t *testing.T) {
	b.open(t, "/")
	got := b.text(t, "#headline")
	for _, want := range []string{
		"Brazil · cdn-b: ", fmt.Sprintf("%d of %d runs bad", b.bad, 2*minutes), fmt.Sprintf("%d timeout at segment", b.timeouts),
		"segment first byte +", "against other CDNs there", "1 without data",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	if got := b.text(t, "#stamp"); !strings.HasPrefix(got, "data until ") || !strings.HasSuffix(got, " UTC") {
		t.Errorf("the stamp says %q", got)
	}
}

func (b *browsing) filter(t *testing.T) {
	b.open(t, "/")
	eval[bool](t, b.ctx, `(() => { const s = document.querySelector('#version');
		s.value = [...s.options].find((o) => o.text === 'android 4.1.3').value; return s.dispatchEvent(new Event('change')); })()`)
	b.settled(t)
	if got := b.query(t); got != "?app=android&app_version=4.1.3" {
		t.Errorf("address %q", got)
	}
	cells := b.cells(t)
	if got := cells["DE cdn-a"]; got != (cell{"good", fmt.Sprint(minutes)}) {
		t.Errorf("DE cdn-a is %v", got)
	}
	if len(cells) != len(countries)*len(cdns) {
		t.Errorf("%d cells with a filter", len(cells))
	}
	do(t, b.ctx, chromedp.NavigateBack())
	b.settled(t)
	if got := b.cells(t)["DE cdn-a"].Runs; got != fmt.Sprint(2*minutes) || b.query(t) != "" {
		t.Errorf("back again: %s runs at %q", got, b.query(t))
	}
}

func (b *browsing) cell(t *testing.T) {
	b.open(t, "/")
	b.click(t, `[data-country=BR][data-cdn=cdn-b] button`)
	if got := b.query(t); got != "?country=BR&cdn=cdn-b" {
		t.Errorf("address %q", got)
	}
	if got := eval[string](t, b.ctx, `document.activeElement.getAttribute('aria-pressed')`); got != "true" {
		t.Errorf("the chosen cell has the focus and aria-pressed %q", got)
	}
	if got := eval[int](t, b.ctx, `document.querySelectorAll('#runs tr[data-run]').length`); got != b.bad {
		t.Errorf("%d bad runs in the list, want %d", got, b.bad)
	}
	if got := eval[int](t, b.ctx, `document.querySelectorAll('#runs tr[data-kind=failed]').length`); got != b.timeouts {
		t.Errorf("%d failed runs in the list, want %d", got, b.timeouts)
	}
	// Every other of the bad minutes has frames, all of them late.
	slow := eval[int](t, b.ctx, `echarts.getInstanceByDom(document.querySelector('#chart-ttff')).getOption().series
		.find((s) => s.name === 'p95').data.filter(([, v]) => v > 2000).length`)
	if slow < degraded/2-1 || slow > degraded {
		t.Errorf("p95 is above 2 s at %d points, want about %d", slow, degraded/2)
	}
	b.click(t, `[data-country=BR][data-cdn=cdn-b] button`)
	if got := b.query(t); got != "" {
		t.Errorf("address %q after the second click", got)
	}
	b.click(t, `th [data-country=US]`)
	if got := b.query(t); got != "?country=US" {
		t.Errorf("address %q of a country", got)
	}
	if got := eval[int](t, b.ctx, `document.querySelectorAll('#runs tr[data-run]').length`); got != 1 {
		t.Errorf("%d bad runs of the United States in the list, want 1", got)
	}
}

func (b *browsing) zoom(t *testing.T) {
	b.open(t, "/")
	do(t, b.ctx, chromedp.DragAndDropXY(900, 250, 1100, 250, 5))
	b.settled(t)
	q, err := url.ParseQuery(strings.TrimPrefix(b.query(t), "?"))
	if err != nil {
		t.Fatal(err)
	}
	from, err1 := time.Parse(time.RFC3339, q.Get("from"))
	to, err2 := time.Parse(time.RFC3339, q.Get("to"))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	// 200 of the 600 or so pixels of an hour.
	if d := to.Sub(from); d < 10*time.Minute || d > 40*time.Minute || time.Since(to) < 0 {
		t.Errorf("dragging over a third of the chart chose %s to %s", from, to)
	}
}

func (b *browsing) deepLink(t *testing.T) {
	b.open(t, "/?country=US&cdn=cdn-a&target=sports&tz=local&from=now-6h")
	if got := eval[string](t, b.ctx, `[...document.querySelectorAll('[aria-pressed=true]')].map((n) => n.parentNode.dataset.country).join()`); got != "US" {
		t.Errorf("chosen: %q", got)
	}
	values := eval[string](t, b.ctx, `[...document.querySelectorAll('select')].map((s) => s.value).join()`)
	if values != "now-6h,sports," {
		t.Errorf("the controls show %q", values)
	}
	if got := eval[int](t, b.ctx, `document.querySelectorAll('#runs tr[data-run]').length`); got != 1 {
		t.Errorf("%d bad runs of the United States through cdn-a, want 1", got)
	}
}

func (b *browsing) calm(t *testing.T) {
	to := time.Now().Add(-(minutes/2 + 5) * time.Minute).UTC().Format(time.RFC3339)
	b.open(t, "/?from=now-2h&to="+to)
	want := fmt.Sprintf("All %d cells meet the objective; 1 without data", len(countries)*len(cdns)-1)
	if got := b.text(t, "#headline"); got != want {
		t.Errorf("the headline is %q, want %q", got, want)
	}
	if got := b.text(t, "#runs"); got != "None in this range." {
		t.Errorf("the list says %q", got)
	}
}

func (b *browsing) wrongAddress(t *testing.T) {
	do(t, b.ctx, chromedp.Navigate("http://"+b.addr+"/?from=yesterday"))
	until(t, b.ctx, `!document.querySelector('#problem').hidden`)
	if got := b.text(t, "#problem"); !strings.Contains(got, "yesterday") {
		t.Errorf("the page says %q", got)
	}
	if eval[bool](t, b.ctx, `document.body.classList.contains('lost')`) {
		t.Error("the collector is called lost though it answered")
	}
}

func (b *browsing) zone(t *testing.T) {
	b.open(t, "/")
	b.click(t, "#tz")
	if got := b.query(t); got != "?tz=local" {
		t.Errorf("address %q", got)
	}
	if got := b.text(t, "#tz"); got != "Local time" {
		t.Errorf("the button says %q", got)
	}
}
