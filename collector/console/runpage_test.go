package console_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// unknownID is of no run.
var unknownID = strings.Repeat("0", 32)

func (b *browsing) run(t *testing.T) {
	b.open(t, "/?country=BR&cdn=cdn-b")
	b.click(t, fmt.Sprintf(`#runs a[data-run="%s"]`, b.failed.RunID))
	if got, want := b.query(t), "?country=BR&cdn=cdn-b&run="+b.failed.RunID; got != want {
		t.Errorf("address %q, want %q", got, want)
	}
	if got := b.text(t, "#run h1"); got != "Failed: timeout at segment" {
		t.Errorf("the verdict is %q", got)
	}
	if got := eval[string](t, b.ctx, `[...document.querySelectorAll('.step')].map((s) => s.dataset.step).join()`); got != "manifest,playlist,init,segment" {
		t.Errorf("steps %q", got)
	}
	if got := eval[string](t, b.ctx, `[...document.querySelectorAll('.step[data-fatal]')].map((s) => s.dataset.step).join()`); got != "segment" {
		t.Errorf("failing step %q", got)
	}
	// The pieces of the bars lie where the times say.
	ends := eval[[]float64](t, b.ctx, `(() => { const p = document.querySelector('.step[data-fatal] .piece'), track = p.parentNode.getBoundingClientRect();
		const bar = p.getBoundingClientRect(); return [bar.left, bar.right].map((x) => (x - track.left) / track.width); })()`)
	before := b.failed.DNSMs + b.failed.ConnectMs + b.failed.TLSMs + b.failed.ManifestMs + b.failed.PlaylistMs + b.failed.InitMs
	if want := []float64{before / b.failed.DurationMs, 1}; !cmp.Equal(ends, want, cmpopts.EquateApprox(0, 0.0005)) {
		t.Errorf("the last bar lies at %.4f of the axis, want %.4f", ends, want)
	}
	b.click(t, ".step[data-fatal] summary")
	if got := b.text(t, ".step[data-fatal] .step-details"); !strings.Contains(got, "x-cache") || !strings.Contains(got, "192.0.2.7:443") {
		t.Errorf("the step's details are %q", got)
	}
	if got := b.text(t, "#run .detail"); !strings.Contains(got, hostile) {
		t.Errorf("the detail is %q", got)
	}
	if n := eval[int](t, b.ctx, `document.querySelectorAll('#content img, #content script').length`); n != 0 {
		t.Errorf("text from the data became %d elements", n)
	}
	if got := eval[int](t, b.ctx, `document.querySelectorAll('.fields tr').length`); got < 70 {
		t.Errorf("%d fields, want all", got)
	}
	b.click(t, "#run a.back")
	if got := b.query(t); got != "?country=BR&cdn=cdn-b" {
		t.Errorf("address %q after going back", got)
	}
}

// Of a run that played on the start is drawn row by row, and what followed behind
// one row that says what came of it, until it is unfolded.
func (b *browsing) playedOn(t *testing.T) {
	b.open(t, "/?run="+b.played.RunID)
	const shown = `[...document.querySelectorAll('.step')].filter((s) => s.checkVisibility()).length`
	if n := eval[int](t, b.ctx, shown); n != 4 {
		t.Errorf("%d rows at first, want the start's four", n)
	}
	if got, want := b.text(t, ".played-on .said"), "60 requests while playing on: 30.0 s played, 3 stalls of 1.80 s together, 2 switches"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	// The start has the whole width: its last bar ends where the player's own work begins.
	last := eval[float64](t, b.ctx, `(() => { const p = [...document.querySelectorAll('.step')][3].querySelector('.piece:nth-last-child(2)'), track = p.parentNode.getBoundingClientRect();
		return (p.getBoundingClientRect().right - track.left) / track.width; })()`)
	if want := (*b.played.TTFFMs - b.played.PlayerMs) / *b.played.StartupMs; !cmp.Equal(last, want, cmpopts.EquateApprox(0, 0.005)) {
		t.Errorf("the start's last bar ends at %.4f of the axis, want %.4f", last, want)
	}
	// A stall lies where it was.
	stalls := eval[[]float64](t, b.ctx, `[...document.querySelectorAll('.played-on > summary [data-kind=stall]')].flatMap((p) => {
		const bar = p.getBoundingClientRect(), track = p.parentNode.getBoundingClientRect(); return [bar.left, bar.right].map((x) => (x - track.left) / track.width); })`)
	var want []float64
	for _, at := range stallsAt {
		span := b.played.DurationMs - *b.played.StartupMs
		want = append(want, at/span, (at+stallFor)/span)
	}
	if !cmp.Equal(stalls, want, cmpopts.EquateApprox(0, 0.001)) {
		t.Errorf("stalls lie at %.4f, want %.4f", stalls, want)
	}
	b.click(t, ".played-on > summary")
	if n := eval[int](t, b.ctx, shown); n != 4+60+len(stallsAt) {
		t.Errorf("%d rows unfolded, want all", n)
	}
}

func (b *browsing) expiredRun(t *testing.T) {
	b.open(t, "/?run="+b.expired.RunID)
	if got := b.text(t, "#steps-expired"); !strings.HasPrefix(got, "Steps expired") {
		t.Errorf("the page says %q", got)
	}
	if got := b.text(t, "#run h1"); !strings.HasPrefix(got, "Good: first frame after ") {
		t.Errorf("the verdict is %q", got)
	}
	sum := eval[float64](t, b.ctx, `[...document.querySelectorAll('.stack > *')].reduce((s, n) => s + Number(n.style.flexGrow), 0)`)
	if want := *b.expired.TTFFMs; sum < want-0.1 || sum > want+0.1 {
		t.Errorf("the phases' bar adds up to %.2f ms, the first frame came at %.2f", sum, want)
	}
}

func (b *browsing) unknownRun(t *testing.T) {
	b.open(t, "/?run="+unknownID)
	if got := b.text(t, "#run h1"); got != "No such run is stored" {
		t.Errorf("the page says %q", got)
	}
}
