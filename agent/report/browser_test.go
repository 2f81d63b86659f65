package report

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// In a real browser the page loads nothing, runs nothing, fits a phone, has a
// dark dress, and keeps its pictures within their frames.
func TestHTMLInABrowser(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("the page's test needs Debian's package chromium: ", err)
	}
	runs := rounds(12)
	for i, text := range hostile {
		runs = append(runs, evil(i, text))
	}
	file := filepath.Join(t.TempDir(), "page.html")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := HTML(f, runs); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := browser(t, path)
	var grounds []string
	for _, view := range []struct {
		width int64
		dress string
	}{{1280, "light"}, {1280, "dark"}, {390, "light"}, {320, "light"}} {
		name := fmt.Sprint(view.width, " pixels wide, ", view.dress)
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: view.dress}}}
		if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
			t.Fatal(err)
		}
		do(t, ctx, chromedp.EmulateViewport(view.width, 800), chromedp.Navigate("file://"+file))
		got := eval[[]int](t, ctx, `[document.documentElement.scrollWidth - innerWidth, performance.getEntriesByType("resource").length,
			document.querySelectorAll("details.run").length, document.scripts.length,
			[...document.querySelectorAll("svg rect, svg circle")].filter(e => {
				const a = e.getBoundingClientRect(), b = e.closest("svg").getBoundingClientRect();
				return a.width > 0 && (a.left < b.left - 6 || a.right > b.right + 6);
			}).length]`)
		if got[0] > 0 || got[1] != 0 || got[2] != len(runs) && got[2] > maxDrawn || got[3] != 0 || got[4] != 0 {
			t.Errorf("%s: %d pixels too wide, %d loaded, %d runs, %d scripts, %d shapes outside their picture", name, got[0], got[1], got[2], got[3], got[4])
		}
		grounds = append(grounds, eval[string](t, ctx, `getComputedStyle(document.body).backgroundColor`))
	}
	if grounds[0] == grounds[1] {
		t.Errorf("light and dark are both %s", grounds[0])
	}
}

// browser opens a tab in a headless Chromium of its own, which ends with the
// test.
func browser(t *testing.T, path string) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-background-networking", true))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Log("end of Chromium: ", err)
		}
		cancel()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal("Chromium does not start: ", err)
	}
	return ctx
}

// patience is for one step of a browser on a busy machine.
const patience = time.Minute

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// eval is the value of a JavaScript expression.
func eval[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}
