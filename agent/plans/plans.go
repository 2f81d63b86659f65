// Package plans brings an agent its plan, again whenever it changes: from a
// file that is watched ([File]), or from a collector that is asked and keeps
// the question until there is something new ([Collector]). A plan that does not
// check is refused, said, and the one before stays in force.
package plans

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/firstframe/firstframe/probes/plan"
)

// maxPlan bounds a collector's answer, in bytes; plan.Parse has a bound of its
// own below.
const maxPlan = 2 << 20

// Use takes a plan that checked into force.
type Use func(*plan.Plan)

// File watches a file.
type File struct {
	Path    string
	Options plan.Options
	Every   time.Duration // between looks; 0 means 5 s
	Log     *slog.Logger  // nil means slog.Default
}

// Run hands the plan to use, and each later one, until ctx ends. It fails only
// when the first one does not check.
func (f File) Run(ctx context.Context, use Use) error {
	log := orDefault(f.Log)
	first, err := plan.Load(f.Path, f.Options)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	use(first)
	current, refused := first.Revision(), ""
	every := f.Every
	if every <= 0 {
		every = 5 * time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		p, err := plan.Load(f.Path, f.Options)
		switch {
		case err != nil && err.Error() != refused:
			refused = err.Error()
			log.Error("plan refused, the one before stays in force", "file", f.Path, "err", err)
		case err == nil && p.Revision() != current:
			current, refused = p.Revision(), ""
			log.Info("new plan", "file", f.Path, "revision", current)
			use(p)
		}
	}
}

// Collector asks a collector for this agent's part of the plan.
type Collector struct {
	URL     string // of the collector's side for agents
	Agent   string
	Cache   string // file of the last good plan, for when the collector is away; empty keeps none
	Client  *http.Client
	Options plan.Options
	Wait    time.Duration // how long the collector may keep the question; 0 means 60 s
	Retry   time.Duration // after a failure; 0 means 5 s
	Log     *slog.Logger  // nil means slog.Default
}

// Run hands the cached plan to use, if there is one, then the collector's, and
// each later one, until ctx ends. A collector that is away is asked again.
func (c Collector) Run(ctx context.Context, use Use) error {
	log := orDefault(c.Log)
	if c.Wait <= 0 {
		c.Wait = 60 * time.Second
	}
	if c.Retry <= 0 {
		c.Retry = 5 * time.Second
	}
	where, err := c.question()
	if err != nil {
		return err
	}
	current := ""
	if p, err := plan.Load(c.Cache, c.Options); c.Cache != "" && err == nil {
		current = p.Revision()
		log.Info("plan from the cache until the collector answers", "revision", current)
		use(p)
	}
	etag, said := "", ""
	for ctx.Err() == nil {
		text, tag, err := c.ask(ctx, where, etag)
		if err == nil && text != nil {
			// Also of a plan that does not check: it is not asked for again
			// until it changes.
			etag = tag
			var p *plan.Plan
			if p, err = plan.Parse("plan of "+c.URL, text, c.Options); err == nil && p.Revision() != current {
				current = p.Revision()
				log.Info("new plan", "collector", c.URL, "revision", current)
				err = c.keep(text)
				use(p)
			}
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			said = ""
			continue
		case err.Error() != said: // a collector that is away is said once
			said = err.Error()
			log.Warn("no new plan, the one before stays in force", "err", err)
		}
		if !sleep(ctx, c.Retry) {
			return nil
		}
	}
	return nil
}

// question is the URL to ask.
func (c Collector) question() (string, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("collector %q: want an http or https URL", c.URL)
	}
	u = u.JoinPath("v1", "plan")
	u.RawQuery = url.Values{"agent": {c.Agent}, "wait": {c.Wait.String()}}.Encode()
	return u.String(), nil
}

// ask asks once. The text is nil when nothing has changed.
func (c Collector) ask(ctx context.Context, where, etag string) (text []byte, tag string, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.Wait+30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, "", fmt.Errorf("asking for the plan: %w", err)
	}
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := c.Client.Do(req)
	if err != nil {
		return nil, "", fmt.Errorf("asking for the plan: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPlan+1))
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("reading the plan: %w", err)
	case resp.StatusCode == http.StatusNotModified:
		return nil, etag, nil
	case resp.StatusCode != http.StatusOK:
		return nil, "", fmt.Errorf("asking %s for the plan: %s: %.200s", c.URL, resp.Status, body)
	case len(body) > maxPlan:
		return nil, "", errors.New("reading the plan: larger than 2 MiB")
	}
	return body, resp.Header.Get("ETag"), nil
}

// keep writes the cache, so that it holds the old plan or the new one and
// nothing between.
func (c Collector) keep(text []byte) error {
	if c.Cache == "" {
		return nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(c.Cache), ".plan-*")
	if err != nil {
		return fmt.Errorf("caching the plan: %w", err)
	}
	_, err = tmp.Write(text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), c.Cache)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("caching the plan: %w", err), os.Remove(tmp.Name()))
	}
	return nil
}

// sleep waits; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func orDefault(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.Default()
	}
	return l
}
