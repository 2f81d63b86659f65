package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/chromedp/chromedp"

	datum "github.com/firstframe/firstframe/probes/run"
)

//go:embed page.html
var pageText string

//go:embed playing.js
var playingScript []byte

var page = template.Must(template.New("page").Parse(pageText))

// pages serves the page that plays ?url= in ?player=, for ?play= milliseconds after
// the first picture, and the players' scripts. It is served from the browser's own
// side of the line, where it costs nothing, and from loopback, which browsers trust
// as they trust https.
func pages(modules string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /modules/", http.StripPrefix("/modules/", http.FileServer(http.Dir(modules))))
	mux.HandleFunc("GET /playing.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write(playingScript) // the browser is gone
	})
	mux.HandleFunc("GET /play", func(w http.ResponseWriter, r *http.Request) {
		p := playerNamed(r.FormValue("player"))
		if p == nil {
			http.NotFound(w, r)
			return
		}
		on, _ := strconv.Atoi(r.FormValue("play")) // left out: not at all
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = page.Execute(w, map[string]any{ // the browser is gone
			"Player": p.name, "Module": p.global, "Script": template.URL(p.module + "/" + p.script),
			"URL": r.FormValue("url"), "Base": r.FormValue("base"), "Play": on,
		})
	})
	return mux
}

// outcome is what either side tells of a play.
type outcome struct {
	TTFF    float64   `json:"ttff_ms"`
	Height  int       `json:"height"`
	Error   string    `json:"error"`
	ErrorMs float64   `json:"error_ms"`
	Pressed float64   `json:"pressed_ms"` // since 1970
	Answers []arrival `json:"answers"`
	Onwards *onwards  `json:"onwards"` // nil: it ended with the first picture
}

// arrival is a whole answer, as the player got it.
type arrival struct {
	Path string  `json:"path"`   // below the media's folder
	End  float64 `json:"end_ms"` // since play was pressed
}

// pressed is when play was; zero when that is not known.
func (o outcome) pressed() time.Time {
	if o.Pressed == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(o.Pressed * 1000))
}

// playReal plays in a browser of its own, with a new profile: nothing is cached,
// and Chromium's own estimate of the bandwidth is what it is at first.
func (s *setup) playReal(ctx context.Context, w *world, t task, base string) (o outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.limit())
	defer cancel()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(s.chromium), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"), chromedp.Flag("disable-quic", true),
		chromedp.Flag("no-first-run", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.ModifyCmdFunc(func(cmd *exec.Cmd) {
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // as chromedp does
			w.near(cmd)
		}))
	browser, end := chromedp.NewExecAllocator(ctx, options...)
	defer end()
	tab, closeTab := chromedp.NewContext(browser)
	defer closeTab()
	defer func() { err = errors.Join(err, chromedp.Cancel(tab)) }()
	query := url.Values{"player": {t.player.name}, "url": {base + t.path}, "base": {base}, "play": {fmt.Sprint(1000 * t.Play)}}
	if err := chromedp.Do(tab, chromedp.Navigate(w.page+"/play?"+query.Encode())); err != nil {
		return o, fmt.Errorf("chromium: %w", err)
	}
	text, err := chromedp.Run(tab, chromedp.Poll[string]("window.outcome", chromedp.WithPollingInterval(100*time.Millisecond)))
	if err != nil {
		return o, fmt.Errorf("no picture: %w", err)
	}
	return o, json.Unmarshal([]byte(text), &o)
}

// playProbe plays with the agent program, as its user would.
func (s *setup) playProbe(ctx context.Context, w *world, t task, base string) (o outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.limit())
	defer cancel()
	args := []string{"probe", "--json", "--allow-private", "--timeout", playLimit.String(), "--player", t.player.name + "@" + t.player.version}
	if t.Play > 0 {
		args = append(args, "--play", fmt.Sprint(t.Play, "s"))
	}
	cmd := exec.CommandContext(ctx, s.agent, append(args, base+t.path)...)
	w.near(cmd)
	text, err := cmd.Output()
	var slow *exec.ExitError
	if err != nil && !(errors.As(err, &slow) && slow.ExitCode() == 1) { // 1 is a run that failed or took long
		return o, fmt.Errorf("agent probe: %w", err)
	}
	var got datum.Run
	if err := json.Unmarshal(text, &got); err != nil {
		return o, fmt.Errorf("agent probe answers %.100q: %w", text, err)
	}
	o = probed(got, base)
	if t.Play > 0 && got.PlayedMs != nil {
		o.Onwards = reckoned(got, base, segmentLength(t.Stream))
	}
	return o, nil
}

// probed is what a run tells of a play.
func probed(r datum.Run, base string) outcome {
	o := outcome{Pressed: float64(r.StartedAt.UnixMicro()) / 1000}
	if r.TTFFMs != nil {
		o.TTFF = *r.TTFFMs
		if r.Height != nil {
			o.Height = int(*r.Height)
		}
	} else {
		o.Error, o.ErrorMs = string(r.ErrorType)+": "+r.ErrorDetail, r.DurationMs
	}
	for _, s := range r.Steps {
		if path, ours := strings.CutPrefix(s.URL, base); ours && s.Error == "" && (s.Status == http.StatusOK || s.Status == http.StatusPartialContent) {
			o.Answers = append(o.Answers, arrival{path, s.EndMs})
		}
	}
	return o
}
