package console_test

import (
	"flag"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

var pictures = flag.String("pictures", "", "write pictures of the page into this `directory`")

// TestPictures takes pictures for people to look at; it runs only when asked to.
func TestPictures(t *testing.T) {
	if *pictures == "" {
		t.Skip("runs with -pictures DIR")
	}
	f := newFixture(t)
	srv := httptest.NewServer(f.api)
	t.Cleanup(srv.Close)
	ctx := tab(t)
	const matrix, steps = `document.querySelector('[data-country=BR][data-cdn=cdn-b][data-state=bad]') !== null`, `document.querySelector('.step') !== null`
	for _, p := range []struct {
		name, address, ready, scheme string
		width, height                int64
	}{
		{"light", "/", matrix, "light", 1400, 1000},
		{"dark", "/?country=BR&cdn=cdn-b", matrix, "dark", 1400, 1000},
		{"phone", "/", matrix, "dark", 360, 1500},
		{"wall", "/?wall=1", matrix, "dark", 1920, 1080},
		{"run", "/?run=" + f.failed.RunID, steps, "dark", 1400, 1000},
		{"run-phone", "/?run=" + f.failed.RunID, steps, "light", 360, 1200},
		{"played", "/?run=" + f.played.RunID, steps, "light", 1400, 1000},
		{"played-dark", "/?run=" + f.played.RunID, steps, "dark", 1400, 1000},
		{"played-unfolded", "/?run=" + f.played.RunID, steps + ` && (document.querySelector('.played-on').open = true)`, "light", 1400, 2400},
		{"played-phone", "/?run=" + f.played.RunID, steps, "dark", 360, 1500},
		{"run-expired", "/?run=" + f.expired.RunID, `document.querySelector('#steps-expired') !== null`, "light", 1400, 1000},
	} {
		scheme(t, ctx, p.scheme)
		do(t, ctx, chromedp.EmulateViewport(p.width, p.height), chromedp.Navigate(srv.URL+p.address))
		until(t, ctx, p.ready)
		png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*pictures, p.name+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
