package console_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/firstframe/firstframe/collector/store"
)

func (b *browsing) phone(t *testing.T) {
	do(t, b.ctx, chromedp.EmulateViewport(360, 740))
	for _, address := range []string{"/", "/?from=now-3h&country=BR&cdn=cdn-b", "/?run=" + b.failed.RunID} {
		b.open(t, address)
		if got := eval[int](t, b.ctx, `document.documentElement.scrollWidth`); got > 360 {
			wide := eval[string](t, b.ctx, `[...document.querySelectorAll('body *')].filter((n) => n.getBoundingClientRect().right > 361)
				.map((n) => n.tagName + '.' + n.className).slice(0, 8).join(' ')`)
			t.Errorf("%s is %d px wide on a screen of 360: %s", address, got, wide)
		}
	}
	do(t, b.ctx, chromedp.EmulateViewport(1400, 900))
}

// contrast measures text against its background: at least 4.5 to 1 (WCAG 2.2, 1.4.3).
func (b *browsing) contrast(t *testing.T) {
	const measure = `(() => {
		const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
		const lum = (color) => {
			canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
			const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
			return 0.2126 * r + 0.7152 * g + 0.0722 * b;
		};
		const ground = (n) => { for (; n; n = n.parentElement) {
			const s = getComputedStyle(n); if (s.backgroundImage !== 'none') return s.backgroundImage.match(/rgba?\([^)]*\)/)[0];
			if (!/, 0\)$/.test(s.backgroundColor)) return s.backgroundColor; } };
		const texts = ['td[data-state=good] .share', 'td[data-state=warn] .ttff', 'td[data-state=bad] .count', 'td[data-state=none] .share',
			'.headline b', '.code', '.stamp', '.legend', '.list a', '.list th', '.list td', '.controls label', '.controls select', 'h2', 'figcaption'];
		return Object.fromEntries(texts.map((sel) => { const n = document.querySelector(sel);
			const [a, b] = [lum(getComputedStyle(n).color), lum(ground(n))];
			return [sel, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]; }));
	})()`
	for _, s := range []string{"light", "dark"} {
		scheme(t, b.ctx, s)
		b.open(t, "/")
		for what, ratio := range eval[map[string]float64](t, b.ctx, measure) {
			if ratio < 4.5 {
				t.Errorf("%s: %s has a contrast of %.2f", s, what, ratio)
			}
		}
	}
}

func (b *browsing) clean(t *testing.T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.asked) < 50 {
		t.Errorf("only %d requests were seen", len(b.asked))
	}
	for _, address := range b.asked {
		if !strings.HasPrefix(address, "http://"+b.addr+"/") {
			t.Errorf("the page asked for %s", address)
		}
	}
	for _, e := range b.errors {
		// The browser logs the answers that two of the tests provoke.
		wrong := strings.Contains(e, "status of 400") && strings.HasSuffix(e, "/api/v1/query)")
		unknown := strings.Contains(e, "status of 404") && strings.HasSuffix(e, "/api/v1/runs/"+unknownID+")")
		if !wrong && !unknown {
			t.Error(e)
		}
	}
}

func (b *browsing) lost(t *testing.T) {
	b.open(t, "/")
	before := b.cells(t)
	b.srv.Close()
	rng := rand.New(rand.NewPCG(3, 4))
	late := newRun(rng, time.Now(), "KR", "cdn-a", apps[0], targets[0])
	if _, err := b.store.Append(t.Context(), []store.Row{{Run: late}}, nil, store.Location{Segment: 2}); err != nil {
		t.Fatal(err)
	}
	until(t, b.ctx, `document.body.classList.contains('lost')`)
	first := b.text(t, "#lost")
	if !strings.HasPrefix(first, "no answer from the collector since ") || !strings.Contains(first, " UTC (for ") {
		t.Errorf("the page says %q", first)
	}
	if got := eval[string](t, b.ctx, `getComputedStyle(document.querySelector('main')).filter`); got == "none" {
		t.Error("the page is not greyed out")
	}
	until(t, b.ctx, fmt.Sprintf(`document.querySelector('#lost').textContent !== %q`, first)) // it counts on
	b.start(t)
	eval[bool](t, b.ctx, `dispatchEvent(new Event('online'))`) // so that it asks at once
	until(t, b.ctx, `!document.body.classList.contains('lost') && document.querySelector('#lost').hidden`)
	before["KR cdn-a"], before["KR cdn-b"], before["KR cdn-c"] = cell{"good", "1"}, cell{"none", "0"}, cell{"none", "0"}
	if diff := cmp.Diff(before, b.cells(t)); diff != "" {
		t.Errorf("the matrix after the recovery (-want +got):\n%s", diff)
	}
}
